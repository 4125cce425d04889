// SPDX-License-Identifier: GPL-2.0-only
// Log devices: what they save, what their failing and their absence cost.
#include "core/fs/replay.h"

#include "core/test/log_device_ground.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

using Ground = LogDeviceGround;
constexpr u32 k_log_device = Ground::k_log_device, k_data_devices = Ground::k_data_devices;

int minus(Error error) { return -errno_of(error); }

struct Devices {
    TestDevice data { 16u << 20 }, log { 4u << 20 }, small { 3u << 20 }, other { 4u << 20 };
};

[[gnu::noinline]] void check_labels(Test& test, Devices& devices)
{
    core_label label;
    REQUIRE_EQ(core_read_label(devices.data.get(), &label, false), 0);
    CHECK(!label.is_log && label.device_count == 2 && label.log_device_count == 1);
    REQUIRE_EQ(core_read_label(devices.log.get(), &label, false), 0);
    CHECK(label.is_log && label.device_count == 2 && label.log_device_count == 1 && label.device_bytes == 4u << 20);
}

[[gnu::noinline]] void check_opened(Test& test, core_pool* pool)
{
    CHECK_EQ(Ground::status_of(pool).log_device, CORE_LOG_DEVICE_ACTIVE);
    CHECK_EQ(Ground::status_of(pool).log_bytes, 3ull << 20);
    core_check_report report;
    CHECK(core_check(pool, true, nullptr, nullptr, nullptr, &report) == 0 && report.problems == 0);
}

// What was committed stands on the other device only.
[[gnu::noinline]] void check_rings(Test& test, Devices& devices)
{
    u8 piece[64];
    for (u32 copy = 0; copy < k_label_count; copy++)
        for (u32 at = 0; at < k_uberblock_slots * k_uberblock_slot_bytes; at += sizeof(piece)) {
            const u64 ring = label_offset(copy, (4u << 20) / k_block_size) + k_label_ring_offset;
            lcpfs_test_device_peek(devices.log.get(), ring + at, piece, sizeof(piece));
            for (u8 byte : piece)
                if (!CHECK_EQ(byte, 0u))
                    return;
        }
}

void formats(Test& test)
{
    Box<Devices> devices = REQUIRE_VALUE(make_box<Devices>());
    REQUIRE(devices->data && devices->log && devices->small && devices->other);
    core_format_options options {};
    options.name = "pool";
    options.log_devices = 1;
    host_bdev* const only[] = { devices->log.get() };
    CHECK_EQ(core_pool_format(only, 1, &options), minus(Error::invalid));
    host_bdev* const too_small[] = { devices->data.get(), devices->small.get() };
    CHECK_EQ(core_pool_format(too_small, 2, &options), minus(Error::device_too_small));
    host_bdev* const both[] = { devices->data.get(), devices->log.get(), devices->other.get() };
    options.log_devices = 3; // and none for data
    CHECK_EQ(core_pool_format(both, 3, &options), minus(Error::invalid));
    options.log_devices = 1;
    REQUIRE_EQ(core_pool_format(both, 2, &options), 0);
    check_labels(test, *devices);
    core_pool_options how {};
    core_pool* pool;
    REQUIRE_EQ(core_pool_open(both, 2, &how, &pool), 0);
    check_opened(test, pool);
    CHECK_EQ(core_pool_close(pool), 0);
    check_rings(test, *devices);
    // The log device alone is no pool.
    CHECK_EQ(core_pool_open(only, 1, &how, &pool), minus(Error::device_missing));
}

// One write to the log device, none to the others, until the group commits.
void costs(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    ground->crash();
    REQUIRE_EQ(ground->open(), 0);
    // What a machine under load measures is not the test's.
    ground->pool.pool().intent_log().writer().durability().set(VdevId(k_log_device), Durable::by_fua);
    const u64 flushed = ground->requests(k_log_device, HOST_IO_FLUSH);
    for (u32 i = 0; i < 6; i++) {
        const u64 logged = ground->requests(k_log_device, HOST_IO_WRITE), written = ground->data_writes();
        const u64 committed = ground->committed();
        CHECK_EQ(i % 2 ? ground->make_one(false) : ground->log_write(i, static_cast<u8>(i + 1)), 0);
        CHECK_EQ(ground->sync(), 0);
        CHECK_EQ(ground->requests(k_log_device, HOST_IO_WRITE), logged + 1);
        CHECK_EQ(ground->requests(k_log_device, HOST_IO_FLUSH), flushed);
        CHECK_EQ(ground->data_writes(), written);
        CHECK_EQ(ground->committed(), committed);
    }
    const u64 print = ground->pool.fingerprint();
    ground->crash();
    REQUIRE_EQ(ground->open(), 0);
    CHECK_EQ(ground->pool.fingerprint(), print);
    // A commit does not touch it.
    const u64 logged = ground->requests(k_log_device, HOST_IO_WRITE);
    CHECK_EQ(ground->make_one(false), 0);
    CHECK_EQ(ground->pool.settle(), 0);
    CHECK_EQ(ground->requests(k_log_device, HOST_IO_WRITE), logged);
    CHECK_EQ(ground->pool.check(), 0u);
}

// Refused; shown as it was committed; given up for good.
void missing(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    const u64 committed = ground->pool.fingerprint();
    CHECK_EQ(ground->make_one(), 0);
    const u64 synced = ground->pool.fingerprint();
    ground->crash();
    ground->pool.lacks_log_device = true;
    CHECK_EQ(ground->open(), minus(Error::device_missing));
    CHECK_EQ(ground->open(false, true), minus(Error::device_missing));
    core_pool_options options {};
    options.read_only = options.no_recovery = true;
    REQUIRE_EQ(ground->pool.open_with(options), 0);
    CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_MISSING);
    CHECK_EQ(ground->pool.fingerprint(), committed);
    CHECK_EQ(ground->pool.check(), 1u); // that it is missing
    CHECK_EQ(core_pool_set_read_only(ground->pool.handle(), false), minus(Error::log_pending));
    REQUIRE_EQ(ground->pool.close(), 0);
    // Nothing of this has harmed it.
    ground->pool.lacks_log_device = false;
    REQUIRE_EQ(ground->open(), 0);
    CHECK_EQ(ground->pool.fingerprint(), synced);
    CHECK_EQ(ground->make_one(), 0);
    ground->crash();

    ground->pool.lacks_log_device = true;
    REQUIRE_EQ(ground->open(true, true), 0);
    CHECK_EQ(ground->pool.fingerprint(), synced); // the replay had committed that
    REQUIRE_EQ(ground->close(), 0);
    CHECK_EQ(ground->open(), minus(Error::device_missing)); // reading only has decided nothing
    REQUIRE_EQ(ground->open(true), 0);
    CHECK_EQ(ground->pool.fingerprint(), synced);
    CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_NONE);
    CHECK_EQ(ground->make_one(), 0);
    const u64 print = ground->pool.fingerprint();
    ground->crash();
    REQUIRE_EQ(ground->open(), 0);
    CHECK_EQ(ground->pool.fingerprint(), print);
    CHECK_EQ(ground->pool.check(), 0u);
    REQUIRE_EQ(ground->close(), 0);

    // It comes back with a log that nobody wants.
    ground->pool.lacks_log_device = false;
    const u64 logged = ground->requests(k_log_device, HOST_IO_WRITE);
    REQUIRE_EQ(ground->open(), 0);
    CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_UNUSED);
    CHECK_EQ(ground->pool.fingerprint(), print);
    CHECK_EQ(ground->make_one(), 0);
    CHECK_EQ(ground->pool.check(), 0u);
    REQUIRE_EQ(ground->close(), 0);
    CHECK_EQ(ground->requests(k_log_device, HOST_IO_WRITE), logged);
}

// Given up while only looked at, then written: the pool goes on without it.
void given_up_by_remount(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    REQUIRE_EQ(ground->close(), 0);
    ground->pool.lacks_log_device = true;
    REQUIRE_EQ(ground->open(true, true), 0);
    REQUIRE_EQ(core_pool_set_read_only(ground->pool.handle(), false), 0);
    ground->rest();
    CHECK_EQ(ground->make_one(), 0);
    const u64 print = ground->pool.fingerprint();
    ground->crash();
    REQUIRE_EQ(ground->open(), 0);
    CHECK_EQ(ground->pool.fingerprint(), print);
    CHECK_EQ(ground->pool.check(), 0u);
}

// It fails: nobody is failed for it, and the pool's ring takes over. What was acknowledged is there whatever comes.
void failing(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    CHECK_EQ(ground->make_one(), 0);
    u64 committed = ground->committed();
    ground->fail(k_log_device, HOST_IO_WRITE, ~0ull);
    CHECK_EQ(ground->log_write(3, 33), 0);
    CHECK_EQ(ground->make_one(), 0);
    CHECK(ground->committed() > committed);
    CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_FAILED);
    CHECK(!ground->is_frozen());
    for (u32 i = 0; i < 3; i++) {
        const u64 logged = ground->requests(k_log_device, HOST_IO_WRITE), written = ground->data_writes();
        committed = ground->committed();
        CHECK_EQ(ground->make_one(), 0);
        CHECK_EQ(ground->requests(k_log_device, HOST_IO_WRITE), logged);
        CHECK_EQ(ground->data_writes(), written + 1);
        CHECK_EQ(ground->committed(), committed);
    }
    const u64 print = ground->pool.fingerprint();
    ground->crash();
    // Dead now. To go on without it loses nothing.
    ground->pool.lacks_log_device = true;
    CHECK_EQ(ground->open(), minus(Error::device_missing));
    CHECK_EQ(ground->open(true, true), minus(Error::log_pending));
    REQUIRE_EQ(ground->open(true), 0);
    CHECK_EQ(ground->pool.fingerprint(), print);
    CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_NONE);
    CHECK_EQ(ground->pool.check(), 0u);
}

// It was only away: the next mount replays the pool's ring and uses the device again.
void recovering(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    CHECK_EQ(ground->make_one(), 0);
    ground->fail(k_log_device, HOST_IO_WRITE, 1);
    for (u32 i = 0; i < 4; i++)
        CHECK_EQ(ground->make_one(), 0);
    CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_FAILED);
    for (u32 round = 0; round < 3; round++) {
        const u64 print = ground->pool.fingerprint();
        ground->crash();
        REQUIRE_EQ(ground->open(), 0);
        CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_ACTIVE);
        CHECK_EQ(ground->pool.fingerprint(), print);
        const u64 logged = ground->requests(k_log_device, HOST_IO_WRITE);
        CHECK_EQ(ground->make_one(), 0);
        CHECK_EQ(ground->requests(k_log_device, HOST_IO_WRITE), logged + 1);
    }
    CHECK_EQ(ground->pool.check(), 0u);
}

// What takes over fails too: the caller is told, and the pool follows errors=.
void failing_both(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    CHECK_EQ(ground->make_one(), 0);
    const u64 print = ground->pool.fingerprint();
    for (u32 device = 0; device <= k_log_device; device++)
        ground->fail(device, HOST_IO_WRITE, ~0ull);
    CHECK_EQ(ground->make_one(), minus(Error::io_error));
    CHECK(ground->is_frozen());
    for (u32 device = 0; device <= k_log_device; device++)
        ground->fail(device, HOST_IO_WRITE, 0);
    ground->crash();
    REQUIRE_EQ(ground->open(), 0);
    CHECK_EQ(ground->pool.fingerprint(), print);
}

// Data that a device could not flush is not made durable by a later flush, whatever the log is on.
void failing_flush(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    CHECK_EQ(ground->pool.write(ground->file, 0, 8, 500, 8 * k_block_size), 0);
    for (u32 device = 0; device < k_data_devices; device++)
        ground->fail(device, HOST_IO_FLUSH, 1);
    CHECK_EQ(core_object_sync(ground->file), minus(Error::io_error));
    CHECK(ground->is_frozen());
    CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_ACTIVE);
}

// The group that the takeover began with is lost: what the pool's ring holds cannot be done on top of the one before, and that
// is not passed over.
void takeover_lost(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    CHECK_EQ(ground->make_one(), 0);
    ground->fail(k_log_device, HOST_IO_WRITE, ~0ull);
    CHECK_EQ(ground->make_one(), 0);
    const u64 takeover = ground->committed();
    CHECK_EQ(ground->make_one(), 0);
    CHECK_EQ(ground->committed(), takeover);
    ground->crash();
    ground->fail(k_log_device, HOST_IO_WRITE, 0);
    ground->forget_newest(takeover);
    CHECK_EQ(ground->open(), minus(Error::log_missing));
    REQUIRE_EQ(ground->open(true), 0);
    CHECK_EQ(ground->pool.check(), 0u);
    CHECK_EQ(ground->make_one(), 0);
}

// The device is gone for good and the pool's ring cannot be replayed either: asked to discard, the mount does.
void give_up_both(Test& test, bool is_unreadable)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    ground->fail(k_log_device, HOST_IO_WRITE, ~0ull);
    CHECK_EQ(ground->make_one(), 0);
    const u64 committed = ground->pool.fingerprint();
    const u64 position = ground->position();
    for (u32 i = 0; i < 3; i++)
        CHECK_EQ(ground->make_one(), 0);
    const LogRing::Place place = ground->pool.pool().intent_log().ring().place(position);
    ground->crash();
    host_bdev* const device = ground->pool.device(place.vdev.value());
    u8 byte;
    lcpfs_test_device_peek(device, place.offset_bytes + 200, &byte, 1);
    byte ^= 1;
    if (is_unreadable)
        lcpfs_test_device_spoil(device, place.offset_bytes, 512);
    else
        lcpfs_test_device_poke(device, place.offset_bytes + 200, &byte, 1);
    ground->pool.lacks_log_device = true;
    CHECK_EQ(ground->open(), minus(Error::device_missing));
    REQUIRE_EQ(ground->open(true), 0);
    CHECK_EQ(ground->pool.fingerprint(), committed);
    CHECK_EQ(ground->pool.check(), 0u);
}

void nothing_left(Test& test) { give_up_both(test, false); }
void nothing_left_to_read(Test& test) { give_up_both(test, true); }

// Each allocation of an opening that replays, and of one that gives the device up, fails in its turn.
void no_memory(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    for (u32 round = 0; round < 3; round++) {
        for (u32 i = 0; i < 3; i++)
            CHECK_EQ(ground->make_one(), 0);
        if (round == 1)
            ground->fail(k_log_device, HOST_IO_WRITE, ~0ull);
        CHECK_EQ(ground->make_one(), 0);
        const u64 print = ground->pool.fingerprint();
        ground->crash();
        ground->pool.lacks_log_device = round == 1;
        const bool can_fail = lcpfs_test_fail_allocation(0);
        u32 failures = 0;
        for (u32 n = 1; can_fail; n++) {
            (void)lcpfs_test_fail_allocation(n);
            const int opened = ground->open(round == 1);
            lcpfs_test_fail_allocation(0);
            if (opened == 0)
                break;
            if (!CHECK_EQ(opened, minus(Error::no_memory)))
                return;
            failures++;
            n += n / 8; // not every one: they are many
        }
        CHECK(failures > 20 || !can_fail);
        if (!ground->pool.handle())
            REQUIRE_EQ(ground->open(round == 1), 0);
        CHECK_EQ(ground->pool.fingerprint(), print);
        CHECK_EQ(ground->pool.check(), 0u);
    }
}

constexpr TestCase k_cases[] = {
    { "formats", formats },
    { "costs", costs },
    { "missing", missing },
    { "given_up_by_remount", given_up_by_remount },
    { "failing", failing },
    { "recovering", recovering },
    { "failing_both", failing_both },
    { "failing_flush", failing_flush },
    { "takeover_lost", takeover_lost },
    { "nothing_left", nothing_left },
    { "nothing_left_to_read", nothing_left_to_read },
    { "no_memory", no_memory },
};

}

LCPFS_SUITE(log_device, k_cases);

}
