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
    CHECK_EQ(pool->pool().engine().committed_txg(), committed + 1); // it tried to get some back
    CHECK_ERROR(space.promise(k_promise_unit, Space::For::growth), no_space);
    CHECK_EQ(pool->pool().engine().committed_txg(), committed + 1); // and knows now
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
        ScopedPromise other(space);
        CHECK_OK(other.take(8, Space::For::removal));
        CHECK_EQ(space.promised_blocks(), 11u);
        ScopedPromise third(space);
        CHECK_ERROR(third.take(~0ull / 16, Space::For::growth), no_space);
        CHECK_EQ(space.promised_blocks(), 11u);
        CHECK_EQ(space.available_blocks(), available); // of operations under way nothing is left in the end
    }
    CHECK_EQ(space.promised_blocks(), 0u);
    // A removal that has ended may have given something back: worth a commit.
    CHECK_OK(space.promise(available * k_promise_unit, Space::For::growth));
    const u64 then = pool->pool().engine().committed_txg().value();
    CHECK_ERROR(space.promise(k_promise_unit, Space::For::growth), no_space);
    CHECK_EQ(pool->pool().engine().committed_txg(), then + 1);
    space.release(available * k_promise_unit);
    // What has been promised in advance is there for whoever needs it, to the last block.
    CHECK_OK(space.promise(k_promise_unit, Space::For::growth));
    CHECK_EQ(space.promised_blocks(), 1u);
    CHECK_EQ(space.available_blocks(), available - 1);
    CHECK_OK(space.promise((available - 1) * k_promise_unit, Space::For::growth));
    CHECK_ERROR(space.promise(k_promise_unit, Space::For::growth), no_space);
    CHECK_EQ(space.promised_blocks(), available);
    space.release(available * k_promise_unit);
    CHECK_EQ(space.promised_blocks(), 0u);
    // It does not go on for ever: how much is free is looked at again.
    for (u32 i = 0; i < available; i++)
        REQUIRE_OK(space.promise(k_promise_unit, Space::For::growth));
    CHECK_EQ(space.available_blocks(), 0u);
    CHECK_ERROR(space.promise(k_promise_unit, Space::For::growth), no_space);
    space.release(available * k_promise_unit);
}

// Objects are charged by the leaves of the object table that they may be in: never more than it has.
static void objects(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->settle(), 0);
    Space& space = pool->pool().space();
    const u64 node = u64(pool->pool().cache().node_blocks()) * pool->pool().trees().copies;
    CHECK_EQ(space.object_blocks(), 0u);
    struct {
        TreeShape shape;
        u32 objects, new_objects;
        u64 nodes;
    } const rows[] = {
        { { 1, 1 }, 1, 0, 2 }, // a leaf may be split
        { { 1, 1 }, 50, 0, 2 },
        { { 2, 40 }, 1, 0, 3 },
        { { 2, 40 }, 10, 0, 21 },
        { { 2, 40 }, 1000, 0, 42 },
        { { 3, 4 }, 1, 0, 5 },
        { { 3, 4 }, 100, 0, 1 + 5 + 200 },
        { { 3, 4 }, 100000, 0, 1 + 5 + 4 * 149 + 1 },
        { { 2, 40 }, 0, 320, 1 + 11 }, // 512 bytes each, and what is above them
        { { 2, 40 }, 1000, 320, 1 + 40 + 11 + 11 },
    };
    for (const auto& row : rows) {
        space.set_table_shape(row.shape);
        for (u32 i = 0; i < row.objects; i++)
            space.object_dirtied(TxgId(7), false);
        for (u32 i = 0; i < row.new_objects; i++)
            space.object_dirtied(TxgId(7), true);
        CHECK_EQ(space.object_blocks(), row.nodes * node);
        CHECK(space.promised_blocks() > row.nodes * node);
        CHECK(space.metadata_blocks_at_most() >= space.metadata_blocks());
        for (u32 i = 0; i < row.objects; i++)
            space.object_entered(TxgId(7), false);
        for (u32 i = 0; i < row.new_objects; i++)
            space.object_entered(TxgId(7), true);
    }
    // Two groups change the same leaves each for itself.
    space.set_table_shape({ 2, 40 });
    for (u64 txg = 7; txg < 9; txg++)
        for (u32 i = 0; i < 100; i++)
            space.object_dirtied(TxgId(txg), false);
    CHECK_EQ(space.object_blocks(), 2 * 42 * node);
    for (u64 txg = 7; txg < 9; txg++)
        for (u32 i = 0; i < 100; i++)
            space.object_entered(TxgId(txg), false);
    CHECK_EQ(space.object_blocks(), 0u);
}

// The quick bound is one, whatever is dirty in which groups of how many datasets; and nothing where nothing is.
static void bound(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->settle(), 0);
    Space& space = pool->pool().space();
    TestRandom random(11);
    for (u32 round = 0; round < 300; round++) {
        space.set_table_shape({ 1 + random.below(5), 1 + random.below(200) });
        u32 counts[4][3];
        for (u64 txg = 0; txg < 4; txg++) {
            u32 kinds = random.below(8);
            for (u32& count : counts[txg]) {
                count = kinds & 1 ? random.below(random.below(4) ? 8 : 2000) : 0;
                kinds >>= 1;
            }
            for (u32 i = 0; i < counts[txg][0]; i++)
                space.object_dirtied(TxgId(txg), false);
            for (u32 i = 0; i < counts[txg][1]; i++)
                space.object_dirtied(TxgId(txg), true);
            for (u32 i = 0; i < counts[txg][2]; i++)
                space.dataset_dirtied(TxgId(txg));
        }
        CHECK(space.metadata_blocks_at_most() >= space.metadata_blocks());
        for (u64 txg = 0; txg < 4; txg++) {
            for (u32 i = 0; i < counts[txg][0]; i++)
                space.object_entered(TxgId(txg), false);
            for (u32 i = 0; i < counts[txg][1]; i++)
                space.object_entered(TxgId(txg), true);
            for (u32 i = 0; i < counts[txg][2]; i++)
                space.dataset_entered(TxgId(txg));
        }
    }
    CHECK_EQ(space.metadata_blocks_at_most(), 0u);
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

// What is promised in advance does not keep a group from being closed when it has as much dirty metadata as it may have.
static void limit(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->settle(), 0);
    core_pool_set_options(pool->handle(), 3600u * 1000, CORE_ERRORS_REMOUNT_RO);
    Space& space = pool->pool().space();
    space.set_dirty_limit(64 * 1024);
    const u64 limit = 4 * space.dirty_limit_bytes();
    const TxgId before = pool->pool().engine().committed_txg();
    char name[] = "a name that is long enough for a hundred of them to fill a node: 000";
    u64 most = 0;
    for (u32 i = 0; i < 1000; i++) {
        for (u32 digit = 0, left = i; digit < 3; digit++, left /= 10)
            name[sizeof(name) - 2 - digit] = static_cast<char>('0' + left % 10);
        REQUIRE_EQ(pool->make(pool->root(), name, k_mode_regular | 0600u), 0);
        most = max(most, pool->pool().trees().dirty_bytes.load_relaxed());
    }
    CHECK(pool->pool().engine().committed_txg().value() > before.value() + 2);
    CHECK(most < limit);
}

namespace {
constexpr TestCase k_cases[] = { { "promises", promises }, { "limit", limit }, { "objects", objects },
                                 { "bound", bound }, { "data", data } };
}
LCPFS_SUITE(space, k_cases);

}
