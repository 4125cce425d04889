// SPDX-License-Identifier: GPL-2.0-only
// A group that is kept readable while the pool goes on, and a second reader of the same devices that checks it.
#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr u32 k_files = 12;
constexpr u32 k_file = 0100644;

const char* name_of(TextLine& line, u32 i)
{
    line.add("file").add(u64(i));
    return line.text();
}

// Files are written over, removed and made anew, each round in a group of its own.
int go_on(TestPool& pool, u32 rounds)
{
    for (u32 round = 0; round < rounds; round++) {
        for (u32 i = 0; i < k_files; i++) {
            TextLine line;
            const char* const name = name_of(line, i);
            if (i % 3 == round % 3 && pool.id_of(pool.root(), name))
                if (const int result = pool.unlink(pool.root(), name))
                    return result;
            core_object* file = nullptr;
            int result = pool.id_of(pool.root(), name) ? pool.find(pool.root(), name, &file)
                                                        : pool.create(pool.root(), name, k_file, &file);
            result = result ? result : pool.write(file, 0, 48, 1 + 100000 * round + 1000 * i, 48 * k_block_size);
            if (file)
                core_object_put(file);
            if (result)
                return result;
        }
        if (const int result = pool.sync())
            return result;
    }
    return 0;
}

// The second reader.
struct Reader {
    core_pool* pool { nullptr };
    core_check_report report {};

    ~Reader()
    {
        if (pool)
            (void)core_pool_close(pool);
    }
    int open(TestPool& test, u64 group)
    {
        core_pool_options options {};
        options.read_only = true;
        options.no_recovery = true;
        options.errors = CORE_ERRORS_CONTINUE;
        options.cache_limit_bytes = 4u << 20;
        options.group = group;
        host_bdev* bdevs[2] = { test.device(0), test.device(1) };
        return core_pool_open(bdevs, 2, &options, &pool);
    }
    // ~0 when the walk itself fails.
    u64 check()
    {
        return core_check(pool, true, [](void*, const char*) {}, nullptr, nullptr, &report) ? ~0ull : report.problems;
    }
};

struct Ground {
    TestPool pool;
    Reader reader;
    u64 group { 0 };

    Status start()
    {
        TRY(pool.start());
        return go_on(pool, 2) ? Status(Error::io_error) : Status();
    }
};

}

static void readable(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    core_pool_set_discard(pool.handle(), true);
    REQUIRE_EQ(core_pool_keep_group(pool.handle(), &ground->group), 0);
    REQUIRE_EQ(ground->reader.open(pool, ground->group), 0);
    REQUIRE_EQ(core_pool_load_bitmaps(ground->reader.pool), 0);
    REQUIRE_EQ(go_on(pool, 9), 0);
    CHECK(core_pool_keeps_group(pool.handle(), ground->group));
    CHECK_EQ(ground->reader.check(), 0u);
    CHECK_EQ(ground->reader.report.objects, u64(k_files) + 1);
    // What was kept comes back.
    core_pool_release_group(pool.handle());
    CHECK(!core_pool_keeps_group(pool.handle(), ground->group));
    REQUIRE_EQ(pool.settle(), 0);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.pool().allocator().counts().deferred_blocks, 0u);
    CHECK_EQ(pool.check(), 0u);
}

// That the above would find it: without keeping, what the group reaches is soon something else.
static void not_kept(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    core_pool_set_discard(pool.handle(), true);
    REQUIRE_EQ(ground->reader.open(pool, pool.pool().engine().committed_txg().value()), 0);
    REQUIRE_EQ(core_pool_load_bitmaps(ground->reader.pool), 0);
    REQUIRE_EQ(go_on(pool, 9), 0);
    CHECK(ground->reader.check() > 0);
}

static void late(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(core_pool_keep_group(pool.handle(), &ground->group), 0);
    u64 other = 0;
    CHECK_EQ(core_pool_keep_group(pool.handle(), &other), -errno_of(Error::busy));
    // Bitmaps are not kept: who comes late does not take those of another group for this one's.
    REQUIRE_EQ(go_on(pool, 3), 0);
    REQUIRE_EQ(ground->reader.open(pool, ground->group), 0);
    CHECK_EQ(core_pool_load_bitmaps(ground->reader.pool), -errno_of(Error::bitmap_damaged));
    core_pool_release_group(pool.handle());
    REQUIRE_EQ(core_pool_keep_group(pool.handle(), &other), 0);
    CHECK(other > ground->group);
    core_pool_release_group(pool.handle());
    // There is no such group.
    Reader none;
    CHECK_EQ(none.open(pool, other + 100), -errno_of(Error::no_uberblock));
}

// The pool needs the space: it goes on, and says that the group is gone.
static void given_up(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(core_pool_keep_group(pool.handle(), &ground->group), 0);
    u32 rounds = 0;
    while (rounds < 200 && core_pool_keeps_group(pool.handle(), ground->group)) {
        REQUIRE_EQ(go_on(pool, 1), 0);
        rounds++;
    }
    CHECK(rounds > 10 && rounds < 200);
    REQUIRE_EQ(go_on(pool, 2), 0);
    core_pool_release_group(pool.handle());
    REQUIRE_EQ(core_pool_keep_group(pool.handle(), &ground->group), 0);
    CHECK(core_pool_keeps_group(pool.handle(), ground->group));
    core_pool_release_group(pool.handle());
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
}

namespace {
constexpr TestCase k_cases[] = { { "readable", readable }, { "not_kept", not_kept }, { "late", late }, { "given_up", given_up } };
}
LCPFS_SUITE(kept_group, k_cases);

}
