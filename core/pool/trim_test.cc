// SPDX-License-Identifier: GPL-2.0-only
#include "core/pool/trim.h"

#include "core/mpio/path_copies.h"
#include "core/object/extent.h"
#include "core/test/log_pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

int minus(Error error) { return -errno_of(error); }

// Where a file's first block is.
Dva place_of(core_object* file)
{
    core_extent extent;
    if (core_map(file, 0, &extent) || extent.hole || extent.inlined)
        return {};
    return { extent.device_block, 1, VdevId(static_cast<u16>(extent.device)) };
}

u32 word_at(TestPool& pool, const Dva& place)
{
    u32 word = ~0u;
    lcpfs_test_device_peek(pool.device(place.vdev.value()), place.block * k_block_size, &word, sizeof(word));
    return word;
}

u64 discarded(TestPool& pool)
{
    core_pool_status status;
    core_pool_get_status(pool.handle(), &status);
    return status.discarded_bytes;
}

// Two files side by side; one goes.
struct Ground {
    TestPool pool;
    Dva gone, kept;

    Status start(bool discard)
    {
        TRY(pool.start());
        core_pool_set_discard(pool.handle(), discard);
        core_object *a, *b;
        int result = pool.create(pool.root(), "gone", k_file, &a);
        result = result ? result : pool.create(pool.root(), "kept", k_file, &b);
        result = result ? result : pool.write(a, 0, 64, 1000, 64 * k_block_size);
        result = result ? result : pool.write(b, 0, 64, 2000, 64 * k_block_size);
        result = result ? result : pool.settle();
        if (result)
            return Error::io_error;
        gone = place_of(a);
        kept = place_of(b);
        core_object_put(a);
        core_object_put(b);
        return pool.unlink(pool.root(), "gone") ? Status(Error::io_error) : Status();
    }
};

}

static void released(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(true));
    TestPool& pool = ground->pool;
    const u64 before = discarded(pool);
    // The group before the last reaches it still.
    REQUIRE_EQ(pool.sync(), 0);
    CHECK_EQ(word_at(pool, ground->gone), 1000u);
    REQUIRE_EQ(pool.make(pool.root(), "passing", k_file), 0);
    REQUIRE_EQ(pool.sync(), 0);
    CHECK_EQ(word_at(pool, ground->gone), 0u);
    CHECK_EQ(word_at(pool, ground->kept), 2000u);
    CHECK(discarded(pool) - before >= 64 * k_block_size);
    CHECK_EQ(pool.check(), 0u);
}

static void not_asked(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(false));
    TestPool& pool = ground->pool;
    REQUIRE_EQ(pool.settle(), 0);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(discarded(pool), 0u);
    CHECK_EQ(word_at(pool, ground->gone), 1000u);
    // Until somebody asks for all of it.
    u64 trimmed = 0;
    REQUIRE_EQ(core_pool_trim(pool.handle(), 0, ~0ull, 0, nullptr, nullptr, &trimmed), 0);
    CHECK_EQ(word_at(pool, ground->gone), 0u);
    CHECK_EQ(word_at(pool, ground->kept), 2000u);
    CHECK_EQ(discarded(pool), trimmed);
    const AllocatorCounts counts = pool.pool().allocator().counts();
    CHECK_EQ(trimmed, counts.free_blocks * k_block_size);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
}

static void parts(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(false));
    TestPool& pool = ground->pool;
    REQUIRE_EQ(pool.settle(), 0);
    // Each byte once, however it is cut.
    const u64 end = 2 * TestPool::k_device_bytes;
    u64 all = 0, sum = 0;
    REQUIRE_EQ(core_pool_trim(pool.handle(), 0, end, 0, nullptr, nullptr, &all), 0);
    for (u64 at = 0; at < end; at += 1234 * k_block_size) {
        u64 part = 0;
        REQUIRE_EQ(core_pool_trim(pool.handle(), at, 1234 * k_block_size, 0, nullptr, nullptr, &part), 0);
        sum += part;
    }
    CHECK_EQ(sum, all);
    u64 long_runs = 0, none = 1;
    REQUIRE_EQ(core_pool_trim(pool.handle(), 0, end, 512 << 10, nullptr, nullptr, &long_runs), 0);
    CHECK(long_runs > 0 && long_runs < all);
    REQUIRE_EQ(core_pool_trim(pool.handle(), 0, end, 1ull << 40, nullptr, nullptr, &none), 0);
    CHECK_EQ(none, 0u);
    CHECK_EQ(core_pool_trim(pool.handle(), end, 1 << 20, 0, nullptr, nullptr, &none), minus(Error::invalid));
    CHECK_EQ(core_pool_trim(pool.handle(), ~0ull, ~0ull, 0, nullptr, nullptr, &none), minus(Error::invalid));
    CHECK_EQ(core_pool_trim(pool.handle(), 0, 100, 0, nullptr, nullptr, &none), minus(Error::invalid));
    CHECK_EQ(core_pool_trim(pool.handle(), 0, ~0ull, 0, [](void*) { return true; }, nullptr, &none), minus(Error::busy));
    REQUIRE_EQ(core_pool_set_read_only(pool.handle(), true), 0);
    CHECK_EQ(core_pool_trim(pool.handle(), 0, ~0ull, 0, nullptr, nullptr, &none), minus(Error::read_only));
    CHECK_EQ(pool.check(), 0u);
}

// A device that fails to discard loses nothing, nor does the commit.
static void failing(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(true));
    TestPool& pool = ground->pool;
    for (u32 i = 0; i < 2; i++)
        lcpfs_test_device_fail(pool.device(i), HOST_IO_DISCARD, 0, 1000);
    REQUIRE_EQ(pool.settle(), 0);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(word_at(pool, ground->gone), 1000u);
    CHECK_EQ(word_at(pool, ground->kept), 2000u);
    CHECK_EQ(pool.make(pool.root(), "after", k_file), 0);
    CHECK_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
}

// A device that takes its time for discards: most of the slots that let a request leave a hanging path stay free for what somebody
// waits for.
static void slow(Test& test)
{
    constexpr u32 k_most = PathCopies::k_slots / 4;
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(false));
    TestPool& pool = ground->pool;
    core_object* file;
    REQUIRE_EQ(pool.create(pool.root(), "pieces", k_file, &file), 0);
    for (u32 i = 0; i < 8; i++)
        REQUIRE_EQ(pool.write(file, 64 * i, 64, 1, 512 * k_block_size), 0);
    for (u32 i = 0; i < 512; i += 2)
        REQUIRE_EQ(core_punch(file, i, 1, TestPool::k_time), 0);
    core_extent left;
    REQUIRE_EQ(core_map(file, 1, &left), 0);
    core_object_put(file);
    REQUIRE_EQ(pool.settle(), 0);
    REQUIRE_EQ(pool.settle(), 0);
    struct Trim {
        core_pool* pool;
        u64 begin; // where the pieces are, and nothing before
        int result { 1 };
        u64 bytes { 0 };
    } trim { pool.handle(), left.device * TestPool::k_device_bytes + left.device_block * k_block_size };
    for (u32 i = 0; i < 2; i++)
        lcpfs_test_device_hold(pool.device(i), HOST_IO_DISCARD, true);
    host_thread* const thread = host_thread_start("test-trim", [](void* context) {
        Trim& trim = *static_cast<Trim*>(context);
        trim.result = core_pool_trim(trim.pool, trim.begin, ~0ull, 0, nullptr, nullptr, &trim.bytes);
    }, &trim);
    CHECK(thread != nullptr);
    u64 most = 0;
    Event never;
    for (u32 i = 0, unchanged = 0; i < 500 && unchanged < 20; i++) {
        (void)never.wait_timeout(10 * 1000 * 1000, [] { return false; });
        u64 now = 0;
        for (u32 device = 0; device < 2; device++)
            now = max(now, lcpfs_test_device_requests(pool.device(device), HOST_IO_DISCARD));
        unchanged = now && now == most ? unchanged + 1 : 0;
        most = max(most, now);
    }
    CHECK(most > 0 && most <= k_most);
    for (u32 i = 0; i < 2; i++)
        lcpfs_test_device_hold(pool.device(i), HOST_IO_DISCARD, false);
    if (thread)
        host_thread_join(thread);
    CHECK_EQ(trim.result, 0);
    CHECK(trim.bytes > 0);
    CHECK_EQ(pool.check(), 0u);
}

namespace {
constexpr TestCase k_cases[] = { { "released", released }, { "not_asked", not_asked }, { "parts", parts }, { "failing", failing },
                                 { "slow", slow } };
}
LCPFS_SUITE(trim, k_cases);

}
