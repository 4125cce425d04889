// SPDX-License-Identifier: GPL-2.0-only
// Operations of one group on what the group before changed and has not written yet: each group must commit exactly
// what was done in it. The older group is kept from syncing by a hold.
#include "core/fs/names.h"
#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {
struct Places {
    core_object* d { nullptr };
    core_object* e { nullptr };
    core_object* x { nullptr };
    ~Places()
    {
        core_object* const objects[] = { d, e, x };
        for (core_object* object : objects)
            if (object)
                core_object_put(object);
    }
};

struct Row {
    const char* name;
    int (*act)(TestPool& pool, Places& at);
};

int change_mode(TestPool&, core_object* object, u32 mode)
{
    core_attr attr {};
    attr.mode = mode;
    return core_object_set_attr(object, &attr, CORE_SET_MODE);
}

constexpr u32 k_file = k_mode_regular | 0644;
constexpr Row k_rows[] = {
    { "create", [](TestPool& pool, Places& at) { return pool.make(at.d, "late", k_file); } },
    { "create_directory", [](TestPool& pool, Places& at) { return pool.make(at.d, "late", k_mode_directory | 0755); } },
    { "symlink", [](TestPool& pool, Places& at) { return pool.symlink(at.d, "late", "target", 6); } },
    { "link", [](TestPool& pool, Places& at) { return pool.link(at.e, "late", at.x); } },
    { "unlink", [](TestPool& pool, Places& at) { return pool.unlink(at.d, "y"); } },
    { "unlink_new", [](TestPool& pool, Places& at) { return pool.unlink(at.d, "new"); } },
    { "unlink_kept", [](TestPool& pool, Places& at) { return pool.unlink(at.d, "x", false); } },
    { "unlink_directory", [](TestPool& pool, Places& at) { return pool.unlink(at.e, "empty"); } },
    { "rename", [](TestPool& pool, Places& at) { return pool.rename(at.d, "x", at.d, "late", 0); } },
    { "rename_across", [](TestPool& pool, Places& at) { return pool.rename(at.d, "x", at.e, "late", 0); } },
    { "rename_over", [](TestPool& pool, Places& at) { return pool.rename(at.d, "x", at.e, "z", 0); } },
    { "rename_new", [](TestPool& pool, Places& at) { return pool.rename(at.d, "new", at.e, "late", 0); } },
    { "rename_directory", [](TestPool& pool, Places& at) { return pool.rename(at.e, "empty", at.d, "late", 0); } },
    { "exchange", [](TestPool& pool, Places& at) { return pool.rename(at.d, "x", at.e, "empty", CORE_RENAME_EXCHANGE); } },
    { "overwrite", [](TestPool& pool, Places& at) { return pool.write(at.x, 1, 3, 900, 8 * k_block_size); } },
    { "append", [](TestPool& pool, Places& at) { return pool.write(at.x, 8, 4, 900, 12 * k_block_size); } },
    { "truncate", [](TestPool& pool, Places& at) { return pool.truncate(at.x, k_block_size); } },
    { "truncate_to_nothing", [](TestPool& pool, Places& at) { return pool.truncate(at.x, 0); } },
    { "attributes", [](TestPool& pool, Places& at) { return change_mode(pool, at.x, 0600) | change_mode(pool, at.d, 0700); } },
};
}

static int prepare(TestPool& pool)
{
    core_object* d;
    int result = pool.create(pool.root(), "d", k_mode_directory | 0755u, &d);
    if (result != 0)
        return result;
    core_object* x;
    result = pool.create(d, "x", k_file, &x);
    if (result == 0) {
        result = pool.write(x, 0, 8, 100, 8 * k_block_size) | pool.make(d, "y", k_file)
            | pool.make(pool.root(), "e", k_mode_directory | 0755);
        core_object_put(x);
    }
    core_object_put(d);
    return result | pool.settle();
}

static int look_up(TestPool& pool, Places& at)
{
    int result = pool.find(pool.root(), "d", &at.d) | pool.find(pool.root(), "e", &at.e);
    return result ? result : pool.find(at.d, "x", &at.x);
}

// In the group that is held.
static int change_everything(TestPool& pool, Places& at)
{
    return pool.make(at.d, "new", k_file) | pool.make(at.e, "z", k_file) | pool.make(at.e, "empty", k_mode_directory | 0755)
        | pool.write(at.x, 2, 1, 500, 8 * k_block_size) | change_mode(pool, at.x, 0640) | pool.make(pool.root(), "new", k_file);
}

static void run(Test& test, TestPool* pool, const Row& row, bool keeps)
{
    REQUIRE_EQ(prepare(*pool), 0);
    u64 before, after;
    {
        Places at;
        REQUIRE_EQ(look_up(*pool, at), 0);
        TxgEngine& engine = pool->pool().engine();
        const TxgEngine::Hold hold = engine.hold();
        const int changed = change_everything(*pool, at);
        before = pool->fingerprint();
        CHECK_EQ(engine.open_txg(), hold.txg);
        engine.request(hold.txg);
        while (engine.open_txg() <= hold.txg)
            host_yield();
        const int acted = row.act(*pool, at);
        after = pool->fingerprint();
        engine.release(hold);
        REQUIRE_EQ(changed, 0);
        REQUIRE_EQ(acted, 0);
        REQUIRE_OK(engine.wait_committed(hold.txg));
        CHECK(before != after);
        CHECK_EQ(pool->fingerprint(), after);
        if (keeps) {
            REQUIRE_OK(engine.wait_committed(engine.newest_changed()));
            CHECK_EQ(pool->fingerprint(), after);
            CHECK_EQ(pool->dirty_bytes(), 0u);
        }
    }
    if (!keeps) {
        (void)pool->crash();
        REQUIRE_EQ(pool->open(false), 0);
    }
    CHECK_EQ(pool->settle(), 0); // from the device again
    CHECK_EQ(pool->fingerprint(), keeps ? after : before);
    if (!CHECK_EQ(pool->check(), 0u))
        host_log(HOST_LOG_ERROR, pool->finding);
    CHECK_EQ(pool->dirty_bytes(), 0u);
}

static void operations(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    for (const Row& row : k_rows) {
        for (u32 keeps = 0; keeps < 2; keeps++) {
            run(test, pool.get(), row, keeps);
            if (!test.check(!test.failed(), __FILE__, __LINE__, row.name))
                return;
            REQUIRE_EQ(pool->empty(pool->root()), 0);
        }
    }
}

// The same, three groups deep: one held and closed, one open behind it, over and over, with the commit of each looked at.
static void churn(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(prepare(*pool), 0);
    TestRandom random(7);
    for (u32 round = 0; round < 12; round++) {
        u64 before;
        {
            Places at;
            REQUIRE_EQ(look_up(*pool, at), 0);
            TxgEngine& engine = pool->pool().engine();
            const TxgId last = engine.open_txg(); // syncs while the next two change things
            engine.request(last);
            while (engine.open_txg() <= last)
                host_yield();
            const TxgEngine::Hold hold = engine.hold();
            int result = pool->write(at.x, random.below(40), 1 + random.below(8), round * 100, 48 * k_block_size);
            result |= round % 2 ? pool->make(at.d, "back", k_file) : 0;
            before = pool->fingerprint();
            CHECK_EQ(engine.open_txg(), hold.txg);
            engine.request(hold.txg);
            while (engine.open_txg() <= hold.txg)
                host_yield();
            result |= pool->write(at.x, random.below(40), 1 + random.below(8), round * 100 + 50, 48 * k_block_size);
            result |= round % 2 ? pool->unlink(at.d, "back") : pool->make(at.e, "forth", k_file);
            result |= round % 2 ? pool->unlink(at.e, "forth") : 0;
            result |= pool->truncate(at.x, u64(20 + random.below(20)) * k_block_size);
            engine.release(hold);
            if (round % 4 == 3)
                result |= pool->sync();
            REQUIRE_EQ(result, 0);
            REQUIRE_OK(engine.wait_committed(hold.txg));
            if (round % 4 == 3)
                before = pool->fingerprint();
        }
        (void)pool->crash();
        REQUIRE_EQ(pool->open(false), 0);
        REQUIRE_EQ(pool->fingerprint(), before);
        REQUIRE_EQ(pool->settle(), 0);
        if (!CHECK_EQ(pool->check(), 0u))
            return host_log(HOST_LOG_ERROR, pool->finding);
        // What the next round expects.
        Places at;
        REQUIRE_EQ(look_up(*pool, at), 0);
        (void)pool->unlink(at.d, "back");
        if (round % 2)
            (void)pool->unlink(at.e, "forth");
        else if (!pool->id_of(at.e, "forth"))
            REQUIRE_EQ(pool->make(at.e, "forth", k_file), 0);
    }
}

namespace {
constexpr TestCase k_cases[] = { { "operations", operations }, { "churn", churn } };
}
LCPFS_SUITE(groups, k_cases);

}
