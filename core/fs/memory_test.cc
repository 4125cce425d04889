// SPDX-License-Identifier: GPL-2.0-only
// Each operation with its first, second, third... allocation failing: either it says so and nothing has changed, or it is
// done. Where the host has no such switch the cases do each operation as it is.
#include "core/fs/names.h"
#include "core/test/failure.h"
#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {
constexpr u32 k_file = k_mode_regular | 0644;
constexpr u32 k_most_rounds = 60;
constexpr u32 k_long_names = 70;

struct Places {
    core_object* d { nullptr }; // a directory of several nodes
    core_object* e { nullptr };
    core_object* x { nullptr }; // a file of several extents in d
    void put()
    {
        core_object** const objects[] = { &d, &e, &x };
        for (core_object** object : objects) {
            if (*object)
                core_object_put(*object);
            *object = nullptr;
        }
    }
    ~Places() { put(); }
};

// "prefix-nn", padded to `length`.
struct RoundName {
    RoundName(const char* prefix, u32 number, u32 length = 0)
    {
        u32 at = 0;
        while (*prefix)
            text[at++] = *prefix++;
        text[at++] = static_cast<char>('0' + number / 10);
        text[at++] = static_cast<char>('0' + number % 10);
        while (at < length)
            text[at++] = '.';
        text[at] = 0;
    }
    char text[256];
};

using Step = int (*)(TestPool& pool, Places& at, u32 round);
struct Row {
    const char* name;
    Step prepare; // may be null
    Step act;
    bool changes { true };
};

int get_all(TestPool& pool, Places& at)
{
    int result = pool.find(pool.root(), "d", &at.d) | pool.find(pool.root(), "e", &at.e);
    return result ? result : pool.find(at.d, "x", &at.x);
}

int make_files(TestPool& pool, Places& at, u32 round)
{
    return pool.make(at.d, RoundName("p", round, 200).text, k_file) | pool.make(at.e, RoundName("q", round).text, k_file);
}

int make_directory(TestPool& pool, Places& at, u32 round)
{
    return pool.make(at.d, RoundName("p", round, 200).text, k_mode_directory | 0755);
}

int make_extents(TestPool& pool, Places& at, u32)
{
    int result = 0;
    for (u32 i = 0; i < 20; i++)
        result |= pool.write(at.x, i * 3, 2, 1000 + i * 2, 60 * k_block_size);
    return result;
}

bool count_names(void* context, const char*, u32, u64, u8, u64)
{
    ++*static_cast<u32*>(context);
    return true;
}

constexpr Row k_rows[] = {
    { "create", nullptr, [](TestPool& pool, Places& at, u32 round) { return pool.make(at.d, RoundName("p", round, 200).text, k_file); } },
    { "create_directory", nullptr, make_directory },
    { "symlink", nullptr,
      [](TestPool& pool, Places& at, u32 round) {
          __builtin_memset(pool.page(), 't', 4000);
          return pool.symlink(at.d, RoundName("p", round).text, reinterpret_cast<const char*>(pool.page()), 3000 + round);
      } },
    { "create_unnamed", nullptr,
      [](TestPool&, Places& at, u32) {
          core_new how {};
          how.mode = k_file;
          core_object* object;
          int result = core_create_unnamed(at.d, &how, &object);
          if (result == 0)
              core_object_put(object);
          return result;
      },
      false },
    { "link", nullptr, [](TestPool& pool, Places& at, u32 round) { return pool.link(at.e, RoundName("p", round).text, at.x); } },
    { "unlink", make_files,
      [](TestPool& pool, Places& at, u32 round) { return pool.unlink(at.d, RoundName("p", round, 200).text, false); } },
    { "unlink_directory", make_directory,
      [](TestPool& pool, Places& at, u32 round) { return pool.unlink(at.d, RoundName("p", round, 200).text, false); } },
    { "rename", make_files,
      [](TestPool& pool, Places& at, u32 round) {
          return pool.rename(at.d, RoundName("p", round, 200).text, at.d, RoundName("n", round, 250).text, 0);
      } },
    { "rename_across", make_files,
      [](TestPool& pool, Places& at, u32 round) {
          return pool.rename(at.d, RoundName("p", round, 200).text, at.e, RoundName("n", round).text, 0);
      } },
    { "rename_over", make_files,
      [](TestPool& pool, Places& at, u32 round) {
          return pool.rename(at.d, RoundName("p", round, 200).text, at.e, RoundName("q", round).text, 0, false);
      } },
    { "exchange", make_files,
      [](TestPool& pool, Places& at, u32 round) {
          return pool.rename(at.d, RoundName("p", round, 200).text, at.e, RoundName("q", round).text, CORE_RENAME_EXCHANGE);
      } },
    { "attributes", nullptr,
      [](TestPool&, Places& at, u32 round) {
          core_attr attr {};
          attr.uid = round;
          return core_object_set_attr(at.x, &attr, CORE_SET_UID);
      } },
    { "overwrite", nullptr, [](TestPool& pool, Places& at, u32 round) { return pool.write(at.x, 5, 11, 100 * round, 60 * k_block_size); } },
    { "inline_data", nullptr,
      [](TestPool& pool, Places& at, u32 round) {
          core_object* object;
          int result = pool.find(at.e, "inline", &object);
          if (result != 0)
              return result;
          __builtin_memset(pool.page(), static_cast<int>(round), k_block_size);
          result = pool.write_page(object, 0, 1000);
          core_object_put(object);
          return result;
      } },
    { "clone", [](TestPool& pool, Places& at, u32 round) { return pool.write(at.x, 0, 2, 5000 + 2 * round, 60 * k_block_size); },
      [](TestPool&, Places& at, u32 round) {
          const core_clone how { at.x, at.x, 0, 4 + 3 * (round % 15), 2, 60 * k_block_size, {}, true };
          return core_clone_range(&how);
      } },
    { "grow", nullptr, [](TestPool& pool, Places& at, u32 round) { return pool.truncate(at.x, u64(70 + round) * k_block_size); } },
    { "look_up", nullptr,
      [](TestPool& pool, Places& at, u32) {
          core_object* object;
          int result = pool.find(at.d, "x", &object);
          if (result == 0)
              core_object_put(object);
          return result;
      },
      false },
    { "list", nullptr,
      [](TestPool&, Places& at, u32) {
          u64 cookie = 0;
          u32 count = 0;
          int result = core_readdir(at.d, &cookie, count_names, &count);
          return result == 0 && count <= k_long_names ? -1 : result;
      },
      false },
    { "read", nullptr,
      [](TestPool& pool, Places& at, u32) {
          u32 tags[8];
          return pool.read(at.x, 0, 8, tags);
      },
      false },
};
}

static int prepare_pool(TestPool& pool)
{
    int result = pool.make(pool.root(), "d", k_mode_directory | 0755) | pool.make(pool.root(), "e", k_mode_directory | 0755);
    core_object* d;
    if (result != 0 || (result = pool.find(pool.root(), "d", &d)) != 0)
        return result;
    for (u32 i = 0; i < k_long_names && result == 0; i++)
        result = pool.make(d, RoundName("l", i, 240).text, k_file);
    result |= pool.make(d, "x", k_file);
    core_object_put(d);
    Places at;
    result = result ? result : get_all(pool, at);
    result = result ? result : make_extents(pool, at, 0) | pool.make(at.e, "inline", k_file);
    return result ? result : pool.settle();
}

// With every second round from the device, and in the rounds between on what is dirty.
static bool run_round(Test& test, TestPool& pool, const Row& row, u32 round)
{
    Places at;
    if (!CHECK_EQ(get_all(pool, at), 0) || (row.prepare && !CHECK_EQ(row.prepare(pool, at, round), 0)))
        return true;
    const u64 before = pool.fingerprint();
    if (round % 2) {
        at.put();
        CHECK_EQ(pool.settle(), 0);
        CHECK_EQ(get_all(pool, at), 0);
        pool.pool().cache().evict(~0ull);
        if (test.failed())
            return true;
    }
    const bool fails = lcpfs_test_fail_allocation(round / 2 + 1);
    int result = row.act(pool, at, round);
    lcpfs_test_fail_allocation(0);
    const bool done = result == 0;
    const u64 after = pool.fingerprint();
    if (!done) {
        CHECK_EQ(result, -errno_of(Error::no_memory));
        CHECK_EQ(after, before);
        CHECK_EQ(row.act(pool, at, round), 0);
    } else if (row.changes) {
        CHECK(after != before);
    }
    return done || !fails;
}

static void run_row(Test& test, TestPool* pool, const Row& row)
{
    REQUIRE_EQ(prepare_pool(*pool), 0);
    u32 quiet = 0;
    const u32 enough = lcpfs_test_fail_allocation(0) ? 5 : 1;
    for (u32 round = 1; round < k_most_rounds && quiet < enough && !test.failed(); round++)
        quiet = run_round(test, *pool, row, round) ? quiet + 1 : 0;
    REQUIRE_EQ(pool->settle(), 0);
    const u64 dirty = pool->dirty_bytes();
    CHECK_EQ(dirty, 0u);
    if (!CHECK_EQ(pool->check(), 0u))
        host_log(HOST_LOG_ERROR, pool->finding);
}

static void operations(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    for (const Row& row : k_rows) {
        run_row(test, pool.get(), row);
        if (!test.check(!test.failed(), __FILE__, __LINE__, row.name))
            return;
        REQUIRE_EQ(pool->empty(pool->root()), 0);
    }
    REQUIRE_EQ(pool->close(), 0);
    REQUIRE_EQ(pool->open(false), 0);
    CHECK_EQ(pool->settle(), 0);
    if (!CHECK_EQ(pool->check(), 0u))
        host_log(HOST_LOG_ERROR, pool->finding);
}

// Deleting and shrinking may leave work half done, which is gone on with later; nothing is lost or shown.
static void deleting(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(prepare_pool(*pool), 0);
    for (u32 round = 1; round < (lcpfs_test_fail_allocation(0) ? 20u : 3u); round++) {
        core_object* object;
        REQUIRE_EQ(pool->create(pool->root(), "big", k_file, &object), 0);
        int result = 0;
        for (u32 i = 0; i < 12; i++)
            result |= pool->write(object, i * 3, 2, 1, 60 * k_block_size);
        core_object_put(object);
        REQUIRE_EQ(result, 0);
        REQUIRE_EQ(pool->settle(), 0);
        const u64 id = pool->id_of(pool->root(), "big");
        REQUIRE_EQ(pool->unlink(pool->root(), "big", false), 0);
        REQUIRE_EQ(pool->settle(), 0);
        REQUIRE_EQ(pool->get(id, &object), 0);
        lcpfs_test_fail_allocation(round);
        result = core_object_delete(object);
        lcpfs_test_fail_allocation(0);
        CHECK(result == 0 || result == -errno_of(Error::no_memory));
        REQUIRE_EQ(core_object_delete(object), 0);
        core_object_put(object);
    }
    REQUIRE_EQ(pool->settle(), 0);
    CHECK_EQ(pool->dirty_bytes(), 0u);
    CHECK_EQ(pool->check(), 0u);
}

// A cut that failed may stand, but what it was to cut off must not come back when the file grows again.
static void shrinking(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* object;
    REQUIRE_EQ(pool->create(pool->root(), "big", k_file, &object), 0);
    core_object_put(object);
    for (u32 round = 1; round < (lcpfs_test_fail_allocation(0) ? 20u : 3u) && !test.failed(); round++) {
        REQUIRE_EQ(pool->find(pool->root(), "big", &object), 0);
        int result = 0;
        for (u32 i = 0; i < 12; i++)
            result |= pool->write(object, i * 3, 2, 1, 60 * k_block_size);
        CHECK_EQ(result, 0);
        CHECK_EQ(pool->settle(), 0);
        pool->pool().cache().evict(~0ull);
        lcpfs_test_fail_allocation(round);
        result = pool->truncate(object, 4 * k_block_size);
        lcpfs_test_fail_allocation(0);
        CHECK(result == 0 || result == -errno_of(Error::no_memory));
        const bool stands = pool->size(object) == 4 * k_block_size;
        CHECK(stands || result != 0);
        // Grown by setting the size, and by writing behind.
        if (round % 2)
            CHECK_EQ(pool->truncate(object, 30 * k_block_size), 0);
        else
            CHECK_EQ(pool->write(object, 30, 1, 1, 31 * k_block_size), 0);
        u32 tags[30];
        CHECK_EQ(pool->read(object, 0, 30, tags), 0);
        for (u32 i = 4; i < 30 && stands && !test.failed(); i++)
            CHECK_EQ(tags[i], 0u);
        core_object_put(object);
    }
    REQUIRE_EQ(pool->settle(), 0);
    CHECK_EQ(pool->dirty_bytes(), 0u);
    CHECK_EQ(pool->check(), 0u);
}

static void opening(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(prepare_pool(*pool), 0);
    const u64 print = pool->fingerprint();
    u32 quiet = 0;
    for (u32 n = 1; n < 400 && quiet < 4; n += 1 + n / 16) {
        REQUIRE_EQ(pool->close(), 0);
        const bool fails = lcpfs_test_fail_allocation(n);
        int result = pool->open(n % 2);
        lcpfs_test_fail_allocation(0);
        quiet = result == 0 ? quiet + 1 : 0;
        if (result != 0) {
            CHECK_EQ(result, -errno_of(Error::no_memory));
            REQUIRE_EQ(pool->open(false), 0);
        }
        if (!fails)
            break;
    }
    CHECK_EQ(pool->fingerprint(), print);
    CHECK_EQ(pool->check(), 0u);
}

// A pool that is only looked at stays what it was on disk, closed. What its first change would have to rely on may not be there:
// then that fails and has changed nothing, and the next one may begin.
static void first_change(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(prepare_pool(*pool), 0);
    const bool fails = lcpfs_test_fail_allocation(0);
    u32 rounds = 0, refused = 0;
    bool done = false;
    for (u32 n = 1; n < 2000 && !done && !test.failed(); n += 1 + n / 8) {
        const RoundName name("first", rounds++);
        const u64 print = pool->fingerprint();
        REQUIRE_EQ(pool->close(), 0);
        REQUIRE_EQ(pool->open(false), 0);
        CHECK(pool->pool().waits_for_change());
        const TxgId group = pool->pool().uberblock().txg;
        CHECK_EQ(pool->pool().uberblock().log_generation, 0u);
        CHECK_EQ(pool->fingerprint(), print);
        REQUIRE_EQ(pool->close(), 0);
        REQUIRE_EQ(pool->open(false), 0);
        CHECK_EQ(pool->pool().uberblock().txg, group);
        lcpfs_test_fail_allocation(n);
        const int made = pool->make(pool->root(), name.text, k_file);
        lcpfs_test_fail_allocation(0);
        done = made == 0 || !fails;
        if (made != 0) {
            refused++;
            CHECK_EQ(made, -errno_of(Error::no_memory));
            CHECK_EQ(pool->pool().frozen(), Error::none);
            CHECK_EQ(pool->sync(), 0);
            CHECK_EQ(pool->fingerprint(), print);
            CHECK_EQ(pool->make(pool->root(), name.text, k_file), 0);
        }
        CHECK(!pool->pool().waits_for_change());
        CHECK(pool->pool().uberblock().log_generation != 0);
        CHECK_EQ(pool->sync(), 0);
    }
    CHECK(done);
    CHECK(refused > 10 || !fails);
    CHECK_EQ(pool->check(), 0u);
}

namespace {
constexpr TestCase k_cases[] = { { "operations", operations },
                                 { "first_change", first_change },
                                 { "deleting", deleting },
                                 { "shrinking", shrinking },
                                 { "opening", opening } };
}
LCPFS_SUITE(no_memory, k_cases);

}
