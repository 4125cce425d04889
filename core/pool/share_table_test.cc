// SPDX-License-Identifier: GPL-2.0-only
#include "core/pool/share_table.h"

#include "core/object/shared_run.h"
#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

// Runs of blocks that nothing but the space log knows, and how often each block is to be reached.
struct Ground {
    static constexpr u32 k_runs = 3, k_blocks = 64;
    TestPool pool;
    Dva run[k_runs];
    u64 references[k_runs][k_blocks] {};

    Status start()
    {
        TRY(pool.start());
        core_pool_set_options(pool.handle(), 3600u * 1000, CORE_ERRORS_REMOUNT_RO);
        for (u32 i = 0; i < k_runs; i++) {
            run[i] = TRY(pool.pool().allocator().allocate(AllocClass::data, k_blocks, k_blocks));
            TRY(log(i, 0, k_blocks, SpaceUse::used));
        }
        return {};
    }
    Status log(u32 which, u32 first, u32 count, SpaceUse use)
    {
        SpaceLog::Batch batch(pool.pool().space_log());
        TRY(batch.prepare(1));
        TxgHold hold(pool.pool().engine());
        batch.add({ run[which].block + first, count, run[which].vdev }, use);
        batch.commit(hold.txg());
        for (u32 i = first; i < first + count; i++)
            references[which][i] += use == SpaceUse::dropped ? -1ull : 1;
        return {};
    }
    bool is_held(u32 which, u32 first, u32 count) const
    {
        bool held = true;
        for (u32 i = first; i < first + count; i++)
            held = held && references[which][i] > 0;
        return held;
    }
    // Blocks of which the table says something else; what nobody holds it knows nothing of.
    u32 differences()
    {
        u32 wrong = 0;
        for (u32 which = 0; which < k_runs; which++)
            for (u32 at = 0; at < k_blocks;) {
                auto part = pool.pool().share_table().read({ run[which].block + at, k_blocks - at, run[which].vdev });
                if (part.is_error() || part.value().length_blocks == 0)
                    return ~0u;
                for (u32 i = 0; i < part.value().length_blocks; i++, at++)
                    wrong += part.value().references != max<u64>(references[which][at], 1);
            }
        return wrong;
    }
    u64 held() const
    {
        u64 count = 0;
        for (const auto& run_of : references)
            for (u64 one : run_of)
                count += one > 0;
        return count;
    }
};

}

static void counts(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(pool.settle(), 0);
    const u64 others = pool.used_blocks() - ground->held();
    TestRandom random(11);
    for (u32 round = 0; round < 30; round++) {
        for (u32 i = 0; i < 40; i++) {
            const u32 which = random.below(Ground::k_runs);
            const u32 first = random.below(Ground::k_blocks);
            const u32 count = 1 + random.below(min(Ground::k_blocks - first, random.below(2) ? 64u : 4u));
            const bool drops = random.below(20) < (round < 20 ? 9 : 14);
            if (ground->is_held(which, first, count))
                REQUIRE_OK(ground->log(which, first, count, drops ? SpaceUse::dropped : SpaceUse::shared));
        }
        REQUIRE_EQ(pool.sync(), 0);
        if (!CHECK_EQ(ground->differences(), 0u))
            return;
        if (round % 10 == 9) {
            REQUIRE_EQ(pool.settle(), 0); // and everything is read again
            CHECK_EQ(ground->differences(), 0u);
            // Its nodes, in two copies.
            const u64 used = pool.used_blocks() - ground->held();
            CHECK(used >= others && used <= others + 16);
        }
    }
    for (u32 which = 0; which < Ground::k_runs; which++)
        for (u32 i = 0; i < Ground::k_blocks; i++)
            while (ground->references[which][i])
                REQUIRE_OK(ground->log(which, i, 1, SpaceUse::dropped));
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.used_blocks(), others); // the table itself is gone
    CHECK_EQ(pool.check(), 0u);
    CHECK_EQ(pool.pool().share_table().lost_blocks(), 0u);
}

// A long run that is shared in pieces becomes one entry again when the pieces are alike.
static void joins(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    constexpr u32 k_order[] = { 3, 0, 7, 1, 6, 2, 5, 4 };
    for (u32 piece : k_order)
        REQUIRE_OK(ground->log(0, piece * 8, 8, SpaceUse::shared));
    REQUIRE_EQ(pool.sync(), 0);
    auto part = pool.pool().share_table().read(ground->run[0]);
    CHECK(part.is_ok() && part.value().length_blocks == Ground::k_blocks && part.value().references == 2);
    REQUIRE_OK(ground->log(0, 20, 10, SpaceUse::shared));
    REQUIRE_EQ(pool.sync(), 0);
    CHECK_EQ(ground->differences(), 0u);
    REQUIRE_OK(ground->log(0, 20, 10, SpaceUse::dropped));
    REQUIRE_EQ(pool.sync(), 0);
    CHECK_EQ(ground->differences(), 0u);
    for (u32 which = 0; which < Ground::k_runs; which++)
        while (ground->references[which][0])
            REQUIRE_OK(ground->log(which, 0, Ground::k_blocks, SpaceUse::dropped));
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
}

// What entries say that cannot be is refused.
static void lies(Test& test)
{
    struct Lie {
        const char* name;
        size_t key_bytes, value_bytes;
        u32 length;
        u64 references;
    };
    constexpr Lie k_lies[] = { { "short_key", 7, 16, 1, 2 },   { "long_value", 8, 17, 1, 2 },        { "no_length", 8, 16, 0, 2 },
                               { "one_reference", 8, 16, 1, 1 }, { "endless", 8, 16, 1, ~0ull } };
    u8 bytes[24] {};
    for (const Lie& lie : k_lies) {
        DiskShare disk {};
        disk.length_blocks.set(lie.length);
        disk.references.set(lie.references);
        copy_bytes(bytes, &disk, sizeof(disk));
        const BigEndianKey key(share_key(VdevId(1), 5000));
        if (!CHECK_EQ(SharedRun::decode({ key.data(), lie.key_bytes }, { bytes, lie.value_bytes }).error(), Error::share_damaged))
            test.check(false, __FILE__, __LINE__, lie.name);
    }
}

namespace {
constexpr TestCase k_cases[] = { { "counts", counts }, { "joins", joins }, { "lies", lies } };
}
LCPFS_SUITE(share_table, k_cases);

}
