// SPDX-License-Identifier: GPL-2.0-only
// A share table of which a part is damaged.
#include "core/check/seen_shares.h"
#include "core/check/tree_walk.h"
#include "core/object/shared_run.h"
#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

// The nodes of a tree as they stand on disk, and what they begin with.
struct Leaves final : TreeVisitor {
    static constexpr u32 k_most = 16;
    NodePointer pointer[k_most];
    u64 first[k_most] {};
    u32 count { 0 };
    bool node(const NodePointer& at, const TreeOwner&) override
    {
        if (count < k_most)
            pointer[count++] = at;
        return true;
    }
    Status item(Bytes key, Bytes) override
    {
        BigEndianKey number;
        copy_bytes(&number, key.data(), 8);
        if (first[count - 1] == 0)
            first[count - 1] = number.get();
        return {};
    }
};

Result<NodePointer> root_of_table(TestPool& pool)
{
    TreeCursor cursor;
    VERIFY_DISK(TRY(pool.pool().pool_tree().find(PoolTreeKey(PoolKey::shares, 0).bytes(), cursor)), share_damaged);
    DiskNodePointer disk;
    copy_bytes(&disk, cursor.value().data(), sizeof(disk));
    return NodePointer::decode(disk);
}

}

// Whoever shares what stands behind a leaf that cannot be read is not kept from it, and the pool goes on.
static void damaged_neighbour(Test& test)
{
    constexpr u32 k_many = 2400, k_piece = 200;
    Box<TestPool> ground = REQUIRE_VALUE(make_box<TestPool>());
    TestPool& pool = *ground;
    REQUIRE_OK(pool.start());
    core_pool_set_options(pool.handle(), 3600u * 1000, CORE_ERRORS_REMOUNT_RO);
    const auto log = [&](const Dva& dva, SpaceUse use) -> Status {
        SpaceLog::Batch batch(pool.pool().space_log());
        TRY(batch.prepare(1));
        TxgHold hold(pool.pool().engine());
        batch.add(dva, use);
        batch.commit(hold.txg());
        return {};
    };
    for (u32 at = 0; at < k_many; at += k_piece) {
        const Dva piece = REQUIRE_VALUE(pool.pool().allocator().allocate(AllocClass::data, k_piece, k_piece));
        REQUIRE_OK(log(piece, SpaceUse::used));
        for (u32 i = 0; i < k_piece; i += 2)
            REQUIRE_OK(log({ piece.block + i, 1, piece.vdev }, SpaceUse::shared));
    }
    REQUIRE_EQ(pool.settle(), 0);
    Box<Leaves> leaves = REQUIRE_VALUE(make_box<Leaves>());
    Box<TreeWalk> walk = REQUIRE_VALUE(TreeWalk::create(pool.pool().vdevs(), pool.pool().cache().node_bytes()));
    REQUIRE_OK(walk->walk(REQUIRE_VALUE(root_of_table(pool)), { TreeKind::shares, 0, 0 }, *leaves));
    REQUIRE(leaves->count >= 3 && leaves->first[2] != 0);
    REQUIRE_EQ(pool.close(), 0);
    const NodePointer& gone = leaves->pointer[1];
    for (u32 copy = 0; copy < gone.copies; copy++)
        lcpfs_test_device_poke(pool.device(gone.dva[copy].vdev.value()), gone.dva[copy].block * k_block_size + 100, "damage", 6);
    REQUIRE_EQ(pool.open(false), 0);
    core_pool_set_options(pool.handle(), 3600u * 1000, CORE_ERRORS_REMOUNT_RO);
    REQUIRE_OK(pool.pool().admit_change());
    const Dva behind = dva_of_share(leaves->first[2], 1);
    CHECK(pool.pool().share_table().read(behind).is_ok());
    REQUIRE_OK(log(behind, SpaceUse::shared));
    CHECK_EQ(pool.sync(), 0);
    CHECK_EQ(pool.pool().frozen(), Error::none);
    const ShareTable::Part part = REQUIRE_VALUE(pool.pool().share_table().read(behind));
    CHECK_EQ(part.references, 3u);
    REQUIRE_OK(log(behind, SpaceUse::dropped));
    CHECK_EQ(pool.sync(), 0);
    CHECK_EQ(pool.pool().share_table().lost_blocks(), 0u);
}

// Counts so large that they make as many blocks as were found, in 64 bits.
static void overflowing_counts(Test& test)
{
    core_check_report report {};
    Findings findings(nullptr, nullptr, nullptr, report);
    constexpr u32 k_entries = 64;
    Box<SeenShares> shares = REQUIRE_VALUE(make_box<SeenShares>());
    for (u32 i = 0; i < k_entries; i++) {
        const Dva dva { 1000 + 16ull * i, 16, VdevId(0) };
        CHECK(REQUIRE_VALUE(shares->add({ dva, (1ull << 60) + 2 })));
        u32 noted = 0;
        for (u32 times = 0; times < 2; times++)
            CHECK(shares->note(dva, noted) && noted == 16);
    }
    shares->compare(findings);
    CHECK_EQ(report.problems, k_entries);
}

namespace {
constexpr TestCase k_cases[] = { { "damaged_neighbour", damaged_neighbour }, { "overflowing_counts", overflowing_counts } };
}
LCPFS_SUITE(damaged_shares, k_cases);

}
