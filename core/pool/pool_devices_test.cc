// SPDX-License-Identifier: GPL-2.0-only
// Which devices make a pool together, and what is said of others.
#include "core/pool/pool.h"

#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

static int minus(Error error) { return -errno_of(error); }

static void refused(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->close(), 0);
    TestDevice blank(16ull << 20);
    REQUIRE(blank);
    core_pool_options options {};
    core_pool* opened;
    host_bdev* const a = pool->device(0);
    host_bdev* const b = pool->device(1);
    struct {
        host_bdev* bdevs[4];
        u32 count;
        Error expected;
    } const rows[] = {
        { { a }, 1, Error::device_missing },
        { { b }, 1, Error::device_missing },
        { { a, a }, 2, Error::device_missing },
        { { a, b, a, blank.get() }, 4, Error::label_not_lcpfs },
        { { a, b, blank.get() }, 3, Error::label_not_lcpfs },
        { { blank.get() }, 1, Error::label_not_lcpfs },
        { { a }, 0, Error::too_many_devices },
    };
    for (const auto& row : rows)
        CHECK_EQ(core_pool_open(row.bdevs, row.count, &options, &opened), minus(row.expected));
    // One of another pool.
    host_bdev* const alone[] = { blank.get() };
    core_format_options format {};
    format.name = "other";
    REQUIRE_EQ(core_pool_format(alone, 1, &format), 0);
    host_bdev* const mixed[] = { a, blank.get() };
    CHECK_EQ(core_pool_open(mixed, 2, &options, &opened), minus(Error::device_foreign));
    REQUIRE_EQ(pool->open(false), 0);
    CHECK_EQ(pool->check(), 0u);
}

// A device that a pool lost, and the pool made again with its UUID on another one: the lost one is not the new pool's.
static void same_guid_again(Test& test)
{
    TestDevice a(16ull << 20), lost(16ull << 20), b(16ull << 20);
    REQUIRE(a && lost && b);
    const u8 guid[16] = { 1, 2, 3 };
    core_format_options format {};
    format.name = "again";
    format.guid = guid;
    host_bdev* const before[] = { a.get(), lost.get() };
    host_bdev* const now[] = { a.get(), b.get() };
    REQUIRE_EQ(core_pool_format(before, 2, &format), 0);
    REQUIRE_EQ(core_pool_format(now, 2, &format), 0);
    core_pool_options options {};
    core_pool* opened = nullptr;
    CHECK_EQ(core_pool_open(before, 2, &options, &opened), minus(Error::device_foreign));
    host_bdev* const turned[] = { lost.get(), a.get() };
    CHECK_EQ(core_pool_open(turned, 2, &options, &opened), minus(Error::device_foreign));
    host_bdev* const all[] = { a.get(), b.get(), lost.get() };
    CHECK_EQ(core_pool_open(all, 3, &options, &opened), minus(Error::device_foreign));
    REQUIRE_EQ(core_pool_open(now, 2, &options, &opened), 0);
    core_pool_close(opened);
}

constexpr TestCase k_cases[] = { { "refused", refused }, { "same_guid_again", same_guid_again } };
LCPFS_SUITE(pool_devices, k_cases);

}
