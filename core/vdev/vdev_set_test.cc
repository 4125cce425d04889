// SPDX-License-Identifier: GPL-2.0-only
#include "core/vdev/vdev_set.h"

#include "core/test/device.h"
#include "core/test/test.h"

namespace lcpfs {

constexpr u64 k_device_bytes = 16ull << 20;

static Result<Box<VdevSet>> make_set(host_bdev* bdev)
{
    Vector<Box<Vdev>> list;
    Box<Vdev> vdev = TRY(make_box<Vdev>());
    vdev->bdev = bdev;
    vdev->capacity_blocks = k_device_bytes / k_block_size;
    vdev->metaslab_blocks = 1024;
    vdev->metaslab_count = 3;
    TRY(list.push_back(lcpfs::move(vdev)));
    return VdevSet::create(lcpfs::move(list));
}

struct PageOwner {
    host_pool* pool { host_pool_create("test_page", k_block_size, 0) };
    void* page { pool ? host_pool_alloc(pool, HOST_ALLOC_ZERO) : nullptr };
    ~PageOwner()
    {
        if (page)
            host_pool_free(pool, page);
        host_pool_destroy(pool);
    }
};

struct AddressRow {
    u64 block;
    u32 length;
    u16 vdev;
    bool valid;
};
constexpr u64 k_first = 128;
constexpr AddressRow k_addresses[] = {
    { k_first + 2, 1, 0, true }, { k_first + 2, 1022, 0, true }, { k_first + 3 * 1024 - 1, 1, 0, true },
    { k_first + 2, 0, 0, false }, { k_first + 1, 1, 0, false }, { k_first + 2, 1023, 0, false },
    { k_first + 1024, 1, 0, false }, { k_first + 1023, 2, 0, false }, { k_first + 3 * 1024, 1, 0, false },
    { k_first + 3 * 1024 + 2, 1, 0, false }, { 0, 1, 0, false }, { 127, 4, 0, false },
    { k_first + 2, 1, 1, false }, { k_first + 2, ~0u, 0, false }, { ~0ull, 1, 0, false }, { ~0ull - 5, 10, 0, false },
};

static void addresses(Test& test)
{
    TestDevice device(k_device_bytes);
    REQUIRE(device);
    Box<VdevSet> set = REQUIRE_VALUE(make_set(device.get()));
    PageOwner owner;
    REQUIRE(owner.page);
    for (const AddressRow& row : k_addresses) {
        const Dva dva { row.block, row.length, VdevId(row.vdev) };
        CHECK_EQ(set->is_valid(dva), row.valid);
        if (row.valid)
            continue;
        IoBatch batch;
        batch.begin();
        const core_segment segment { owner.page, k_block_size };
        set->write(dva, Span<const core_segment>(&segment, 1), 0, IoBatch::done, &batch);
        CHECK_ERROR(batch.wait(), address_out_of_range);
    }
    constexpr u64 k_outside[] = { k_device_bytes, k_device_bytes - 2048, 5ull, ~0ull - 4095 };
    for (u64 offset : k_outside) {
        IoBatch batch;
        batch.begin();
        set->transfer(HOST_IO_READ, VdevId(0), offset, owner.page, k_block_size, 0, IoBatch::done, &batch);
        CHECK_ERROR(batch.wait(), address_out_of_range);
    }
    CHECK_EQ(set->counters().writes.load() + set->counters().reads.load(), 0);
}

static Status write_page(VdevSet& set, void* page, unsigned flags)
{
    IoBatch batch;
    batch.begin();
    const core_segment segment { page, k_block_size };
    set.write({ k_first + 10, 1, VdevId(0) }, Span<const core_segment>(&segment, 1), flags, IoBatch::done, &batch);
    return batch.wait();
}

// A flush goes out only where something waits for it. One that failed is never made up for.
static void flushing(Test& test)
{
    TestDevice device(k_device_bytes);
    REQUIRE(device);
    Box<VdevSet> set = REQUIRE_VALUE(make_set(device.get()));
    PageOwner owner;
    REQUIRE(owner.page);
    REQUIRE(set->vdev(VdevId(0)).info.volatile_cache);
    Atomic<u64>& flushes = set->counters().flushes;
    CHECK_OK(set->flush_written());
    CHECK_EQ(flushes.load(), 0);
    REQUIRE_OK(write_page(*set, owner.page, 0));
    CHECK_OK(set->flush_written());
    CHECK_OK(set->flush_written());
    CHECK_EQ(flushes.load(), 1);
    REQUIRE_OK(write_page(*set, owner.page, HOST_IO_FUA));
    CHECK_OK(set->flush_written());
    CHECK_EQ(flushes.load(), 1);
    REQUIRE_OK(write_page(*set, owner.page, 0));
    lcpfs_test_device_fail(device.get(), HOST_IO_FLUSH, 0, 1);
    CHECK(!set->has_lost_writes());
    CHECK_ERROR(set->flush_written(), io_error);
    CHECK(set->has_lost_writes());
    CHECK_ERROR(set->flush_written(), writes_lost);
    CHECK_ERROR(set->flush_written(VdevId(0)), writes_lost);
    lcpfs_test_device_fail(device.get(), HOST_IO_WRITE, 0, 1);
    CHECK_ERROR(write_page(*set, owner.page, 0), io_error);
    CHECK_EQ(set->counters().errors.load(), 2);
}

// More segments than one request takes: several requests, one completion.
static void split_request(Test& test)
{
    constexpr u32 k_segments = 700;
    TestDevice device(k_device_bytes);
    REQUIRE(device);
    Box<VdevSet> set = REQUIRE_VALUE(make_set(device.get()));
    PageOwner owner;
    REQUIRE(owner.page);
    __builtin_memset(owner.page, 0x5a, k_block_size);
    Vector<core_segment> segments;
    REQUIRE_OK(segments.resize(k_segments));
    for (core_segment& segment : segments)
        segment = { owner.page, k_block_size };
    IoBatch batch;
    batch.begin();
    set->write({ k_first + 100, k_segments, VdevId(0) }, segments.span(), 0, IoBatch::done, &batch);
    CHECK_OK(batch.wait());
    CHECK_EQ(set->counters().written_bytes.load(), u64(k_segments) * k_block_size);
    constexpr u32 k_looks[] = { 99, 100, 400, 799, 800 };
    for (u32 block : k_looks) {
        u8 byte;
        lcpfs_test_device_peek(device.get(), (k_first + block) * k_block_size + 7, &byte, 1);
        CHECK_EQ(byte, block >= 100 && block < 800 ? 0x5a : 0);
    }
    lcpfs_test_device_fail(device.get(), HOST_IO_WRITE, 1, 1);
    batch.begin();
    set->write({ k_first + 100, k_segments, VdevId(0) }, segments.span(), 0, IoBatch::done, &batch);
    CHECK_ERROR(batch.wait(), io_error);
    CHECK_OK(batch.wait());
}

// Wrong bytes: every path is asked in turn, and who gave wrong ones is blamed once somebody gave right ones.
static void wrong_bytes(Test& test)
{
    TestDevice device(k_device_bytes);
    TestDevice second(TestDevice::PathTo { device });
    REQUIRE(device && second);
    Box<VdevSet> set = REQUIRE_VALUE(make_set(device.get()));
    PageOwner owner;
    REQUIRE(owner.page);
    const core_segment segment { owner.page, k_block_size };
    const Span<const core_segment> segments(&segment, 1);
    constexpr Dva k_place { k_first + 10, 1, VdevId(0) };
    u32 asked = 0;
    auto right_at_once = [&] { return ++asked != 0; };
    CHECK(!set->reread(k_place, segments, 0, right_at_once));
    CHECK_EQ(asked, 0); // there is no other path
    REQUIRE_VALUE(set->paths().add_path(TargetId(0), second.get(), 0));
    PathTable& table = set->vdev(VdevId(0)).paths->table();
    // Where a read came from is told.
    table.slot(0).priority.store(1);
    u8 served_by = 9;
    IoBatch batch;
    batch.begin();
    set->read(k_place, segments, 0, IoBatch::done, &batch, &served_by);
    CHECK_OK(batch.wait());
    CHECK_EQ(served_by, 1);
    // The first path gave wrong bytes, the second gives right ones.
    CHECK(set->reread(k_place, segments, 0, right_at_once));
    CHECK_EQ(asked, 1);
    CHECK_EQ(table.slot(0).counts().wrong_bytes, 1);
    CHECK_EQ(table.slot(1).counts().wrong_bytes, 0);
    CHECK_EQ(table.slot(0).get_state(), PathState::active);
    // Wrong by every path is the disk's fault.
    auto none = [] { return false; };
    CHECK(!set->reread(k_place, segments, 1, none));
    CHECK_EQ(table.slot(0).counts().wrong_bytes, 1);
    CHECK_EQ(table.slot(1).counts().wrong_bytes, 0);
}

constexpr TestCase k_cases[] = {
    { "addresses", addresses },
    { "flushing", flushing },
    { "split_request", split_request },
    { "wrong_bytes", wrong_bytes },
};
LCPFS_SUITE(vdev_set, k_cases);

}
