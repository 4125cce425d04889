// SPDX-License-Identifier: GPL-2.0-only
#include "core/txg/space.h"

#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

// Promises against a pool of which nothing else is used.
static void promises(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->settle(), 0);
    Space& space = pool->pool().space();
    CHECK_EQ(space.promised_blocks(), 0u);
    const u64 available = space.available_blocks();
    const u64 slop = space.slop_blocks();
    const u64 total = pool->pool().allocator().counts().total_blocks;
    CHECK_EQ(slop, total / 8); // a small pool
    CHECK(available > total / 2 && available + slop <= total);

    CHECK_OK(space.promise(available * k_promise_unit, Space::For::growth));
    CHECK_EQ(space.available_blocks(), 0u);
    CHECK_EQ(space.promised_blocks(), available);
    const u64 committed = pool->pool().engine().committed_txg().value();
    CHECK_ERROR(space.promise(k_promise_unit, Space::For::growth), no_space);
    CHECK(pool->pool().engine().committed_txg().value() >= committed + 2); // it tried to get some back
    CHECK_EQ(space.promised_blocks(), available);
    // Removals have three quarters of the reserve more.
    CHECK_OK(space.promise((slop - slop / 4) * k_promise_unit, Space::For::removal));
    CHECK_ERROR(space.promise(2 * k_promise_unit, Space::For::removal), no_space);
    space.release((slop - slop / 4) * k_promise_unit);
    space.release(available * k_promise_unit);
    CHECK_EQ(space.promised_blocks(), 0u);
    {
        ScopedPromise scoped(space);
        CHECK_OK(scoped.take(80, Space::For::growth));
        CHECK_OK(scoped.take(8, Space::For::removal));
        CHECK_EQ(space.promised_blocks(), 11u);
        CHECK_ERROR(scoped.take(~0ull / 16, Space::For::growth), no_space);
        CHECK_EQ(space.promised_blocks(), 11u);
    }
    CHECK_EQ(space.promised_blocks(), 0u);
}

// What promises count is what reserving, writing and giving up leave behind: nothing.
static void data(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_mode_regular | 0600u, &file), 0);
    REQUIRE_EQ(pool->settle(), 0);
    CHECK_EQ(core_reserve(file, 100), 0);
    CHECK_EQ(pool->promised(), 112u); // with an eighth for metadata
    core_unreserve(file, 100);
    CHECK_EQ(pool->promised(), 0u);
    CHECK_EQ(core_reserve(file, 1u << 30), -errno_of(Error::no_space));
    CHECK_EQ(pool->promised(), 0u);
    CHECK_EQ(pool->write(file, 0, 64, 1, 64 * k_block_size), 0);
    CHECK(pool->promised() > 0); // dirty metadata
    CHECK_EQ(pool->sync(), 0);
    CHECK_EQ(pool->promised(), 0u);
    lcpfs_test_device_fail(pool->device(0), HOST_IO_WRITE, 0, 10);
    lcpfs_test_device_fail(pool->device(1), HOST_IO_WRITE, 0, 10);
    CHECK_EQ(pool->write(file, 0, 64, 1, 64 * k_block_size), -errno_of(Error::io_error));
    lcpfs_test_device_fail(pool->device(0), HOST_IO_WRITE, 0, 0);
    lcpfs_test_device_fail(pool->device(1), HOST_IO_WRITE, 0, 0);
    CHECK_EQ(pool->blocks(file), 64u);
    u32 tag = 0;
    CHECK(pool->read(file, 63, 1, &tag) == 0 && tag == 64);
    core_object_put(file);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->promised(), 0u);
    CHECK_EQ(pool->check(), 0u);
}

namespace {
constexpr TestCase k_cases[] = { { "promises", promises }, { "data", data } };
}
LCPFS_SUITE(space, k_cases);

}
