// SPDX-License-Identifier: GPL-2.0-only
// A target reached by two devices over one memory: what happens to requests when a path fails, hangs or comes back.
// Time is real here, so limits are short; the simulator has the long ones.
#include "core/test/path_ground.h"

#include "core/test/breakage.h"

namespace lcpfs {

namespace {

constexpr u64 k_device_bytes = Paths::k_device_bytes;
constexpr u64 k_place = Paths::k_place;
constexpr TargetId k_target = Paths::k_target;
constexpr u64 k_always = Paths::k_always;

void one_path(Test& test)
{
    START_PATHS(paths, false);
    CHECK(paths.group->is_plain());
    CHECK_EQ(paths.write(0x11), HOST_IO_OK);
    CHECK_EQ(paths.on_disk(), 0x11);
    lcpfs_test_device_fail(paths.a.get(), HOST_IO_WRITE, 0, 1);
    CHECK_EQ(paths.write(0x12), HOST_IO_ERROR);
    CHECK_EQ(paths.on_disk(), 0x11);
    CHECK(paths.group->owes_flush(0));
    CHECK_ERROR(paths.manager->remove_path(paths.first), busy);
    CHECK_ERROR(paths.manager->fail_path(paths.first), busy);
    // No probe block is written, no request but ours.
    CHECK_EQ(lcpfs_test_device_requests(paths.a.get(), HOST_IO_WRITE), 2);
    CHECK_EQ(lcpfs_test_device_requests(paths.a.get(), HOST_IO_READ), 0);
    CHECK_EQ(paths.manager->statistics().ios, 0);
    // Nothing that all CPUs would write: the path's own words are as they were made.
    const Path& path = paths.path(paths.first);
    CHECK_EQ(path.depth.load() + path.alive_ns.load() + path.writes_completed.load() + path.latency.samples(SizeClass::small), 0);
    CHECK_EQ(paths.group->failovers() + paths.group->waiting_count(), 0);
    // What was written while there was one path is still owed when there are two.
    paths.second = REQUIRE_VALUE(paths.manager->add_path(k_target, paths.b.get(), 0));
    CHECK(paths.group->owes_flush(0) && !paths.group->owes_flush(1));
    CHECK_EQ(paths.run(HOST_IO_WRITE, k_place, 0, HOST_IO_PREFLUSH | HOST_IO_FUA), HOST_IO_OK);
    CHECK_EQ(lcpfs_test_device_requests(paths.a.get(), HOST_IO_FLUSH), 1);
    CHECK(!paths.group->owes_flush(0));
}

// Case 10.
void failover(Test& test)
{
    START_PATHS(paths);
    CHECK(!paths.group->is_plain());
    paths.prefer_first();
    CHECK_EQ(paths.write(0x21), HOST_IO_OK);
    const PathStatistics before = paths.manager->statistics();
    CHECK_EQ(before.path_failures, 0);
    lcpfs_test_device_fail(paths.a.get(), HOST_IO_WRITE, 0, 1);
    CHECK_EQ(paths.write(0x22), HOST_IO_OK);
    CHECK_EQ(paths.on_disk(), 0x22);
    const PathStatistics after = paths.manager->statistics();
    CHECK_EQ(after.path_failures, 1);
    CHECK_EQ(after.failovers, 1);
    CHECK_EQ(after.ios, before.ios + 2);
    CHECK_EQ(after.bytes, before.bytes + k_block_size);
    CHECK_EQ(paths.path(paths.first).get_state(), PathState::failed);
    CHECK_EQ(paths.path(paths.first).depth.load() + paths.path(paths.second).depth.load(), 0);
    // Case 13: five good probes bring it back, the first of them after a second.
    CHECK(paths.await_state(paths.first, PathState::repairing));
    CHECK(paths.await_state(paths.first, PathState::active));
    CHECK_EQ(paths.manager->statistics().path_repairs, 1);
}

// The host does not try again what another path can be asked for; it does for the last one, and for a disk with one path.
void fail_fast(Test& test)
{
    START_PATHS(paths, false);
    constexpr host_io_op k_ops[] = { HOST_IO_WRITE, HOST_IO_READ, HOST_IO_FLUSH };
    auto fast = [&](TestDevice& device, host_io_op op) { return lcpfs_test_device_fail_fast_requests(device.get(), op); };
    for (host_io_op op : k_ops)
        CHECK_EQ(paths.run(op), HOST_IO_OK);
    paths.second = REQUIRE_VALUE(paths.manager->add_path(k_target, paths.b.get(), 0));
    paths.prefer_first();
    u64 before[3];
    for (u32 i = 0; i < 3; i++) {
        before[i] = fast(paths.a, k_ops[i]);
        CHECK_EQ(before[i], 0);
        CHECK_EQ(paths.run(k_ops[i]), HOST_IO_OK);
        CHECK_EQ(fast(paths.a, k_ops[i]), 1);
        // The same without a copy of its memory.
        paths.group->settings().time_limit_ms.store(0);
        CHECK_EQ(paths.run(k_ops[i]), HOST_IO_OK);
        paths.group->settings().time_limit_ms.store(10000);
        CHECK_EQ(fast(paths.a, k_ops[i]), 2);
    }
    // The second attempt goes down what is then the last path.
    lcpfs_test_device_fail(paths.a.get(), HOST_IO_WRITE, 0, 1);
    CHECK_EQ(paths.write(0x24), HOST_IO_OK);
    CHECK_EQ(fast(paths.a, HOST_IO_WRITE), 3);
    CHECK_EQ(paths.path(paths.first).get_state(), PathState::failed);
    for (host_io_op op : k_ops) {
        CHECK_EQ(paths.run(op), HOST_IO_OK);
        CHECK_EQ(fast(paths.b, op), 0);
    }
}

struct ErrorRow {
    const char* name;
    host_io_status status;
    bool fails_over;
};
constexpr ErrorRow k_errors[] = {
    { "error", HOST_IO_ERROR, true },
    { "transport", HOST_IO_TRANSPORT, true },
    { "timeout", HOST_IO_TIMEOUT, true },
    { "offline", HOST_IO_OFFLINE, true },
    { "medium", HOST_IO_MEDIUM, false },
    { "protection", HOST_IO_PROTECTION, false },
    { "target", HOST_IO_TARGET, false },
    { "no_space", HOST_IO_NO_SPACE, false },
    { "reservation", HOST_IO_RESERVATION, false },
    { "not_supported", HOST_IO_NOT_SUPPORTED, false },
};

void check_error_class(Test& test, const ErrorRow& row)
{
    START_PATHS(paths);
    paths.prefer_first();
    lcpfs_test_device_fail_as(paths.a.get(), HOST_IO_READ, 0, 1, row.status);
    CHECK_EQ(paths.run(HOST_IO_READ), row.fails_over ? HOST_IO_OK : row.status);
    CHECK_EQ(paths.path(paths.first).get_state(), row.fails_over ? PathState::failed : PathState::active);
    CHECK_EQ(paths.manager->statistics().failovers, row.fails_over);
    CHECK_EQ(paths.path(paths.first).counts().errors, row.fails_over);
}

// The host had no memory: the same request again, nobody failed.
void no_memory(Test& test)
{
    START_PATHS(paths);
    paths.prefer_first();
    lcpfs_test_device_fail_as(paths.a.get(), HOST_IO_READ, 0, 2, HOST_IO_NO_MEMORY);
    CHECK_EQ(paths.run(HOST_IO_READ), HOST_IO_OK);
    CHECK_EQ(paths.manager->statistics().path_failures, 0);
}

// One plain error on the last path: a probe says that the path is well, and the request is tried again.
void last_path(Test& test)
{
    START_PATHS(paths);
    REQUIRE_OK(paths.manager->fail_path(paths.first));
    lcpfs_test_device_fail(paths.b.get(), HOST_IO_WRITE, 0, 1);
    CHECK_EQ(paths.write(0x31), HOST_IO_OK);
    CHECK_EQ(paths.on_disk(), 0x31);
    CHECK_EQ(paths.path(paths.second).get_state(), PathState::active);
    // What fails again and again while probes succeed is the request's own error.
    lcpfs_test_device_fail(paths.b.get(), HOST_IO_WRITE, 0, k_always);
    CHECK_EQ(paths.write(0x32), HOST_IO_ERROR);
    lcpfs_test_device_fail(paths.b.get(), HOST_IO_WRITE, 0, 0);
    CHECK_EQ(paths.path(paths.second).get_state(), PathState::active);
    CHECK_EQ(paths.write(0x33), HOST_IO_OK);
    CHECK_EQ(paths.on_disk(), 0x33);
    // What was failed by order stays so.
    CHECK_EQ(paths.path(paths.first).get_state(), PathState::failed);
    CHECK_OK(paths.manager->reinstate_path(paths.first));
    CHECK_EQ(paths.path(paths.first).get_state(), PathState::active);
    CHECK_EQ(paths.manager->statistics().path_repairs, 0);
}

// All paths go and come back in time: the request only took longer. Case 11 when they do not.
void no_path(Test& test)
{
    START_PATHS(paths);
    paths.break_device(paths.a, true);
    paths.break_device(paths.b, true);
    __builtin_memset(paths.pages[0], 0x41, k_block_size);
    paths.begin(paths.one, HOST_IO_WRITE, k_place);
    CHECK(!paths.one.wait(300 * k_ns_per_ms));
    CHECK_EQ(paths.group->table().usable_count(), 0);
    CHECK_EQ(paths.manager->statistics().waiting, 1);
    CHECK_EQ(paths.manager->statistics().failovers, 1); // the first path's error went to the second
    paths.break_device(paths.a, false);
    paths.break_device(paths.b, false);
    CHECK(paths.one.wait());
    CHECK_EQ(paths.one.status, HOST_IO_OK);
    CHECK_EQ(paths.on_disk(), 0x41);

    paths.group->settings().no_path_timeout_ms.store(200);
    paths.break_device(paths.a, true, HOST_IO_TRANSPORT);
    paths.break_device(paths.b, true, HOST_IO_TRANSPORT);
    const u64 from_ns = host_monotonic_ns();
    CHECK_EQ(paths.write(0x42), HOST_IO_NO_PATH);
    CHECK(host_monotonic_ns() - from_ns >= 190 * k_ns_per_ms);
    // From now on at once, until there is a path.
    const u64 at_once_ns = host_monotonic_ns();
    CHECK_EQ(paths.write(0x42), HOST_IO_NO_PATH);
    CHECK(host_monotonic_ns() - at_once_ns < 100 * k_ns_per_ms);
    CHECK_EQ(paths.on_disk(), 0x41);
    paths.break_device(paths.a, false);
    CHECK(paths.await_state(paths.first, PathState::active));
    CHECK_EQ(paths.write(0x43), HOST_IO_OK);
    CHECK_EQ(paths.on_disk(), 0x43);
}

void no_waiting(Test& test)
{
    START_PATHS(paths);
    paths.group->settings().no_path_timeout_ms.store(0);
    paths.break_device(paths.a, true, HOST_IO_OFFLINE);
    paths.break_device(paths.b, true, HOST_IO_OFFLINE);
    const u64 from_ns = host_monotonic_ns();
    CHECK_EQ(paths.write(0x44), HOST_IO_NO_PATH);
    CHECK(host_monotonic_ns() - from_ns < 500 * k_ns_per_ms);
    paths.break_device(paths.a, false);
    paths.break_device(paths.b, false);
}

// Another disk under the same name, at adding and at coming back.
void identity(Test& test)
{
    START_PATHS(paths);
    TestDevice copy(k_device_bytes);
    TestDevice small(k_device_bytes / 2);
    REQUIRE(copy && small);
    CHECK_ERROR(paths.manager->add_path(k_target, copy.get(), 0), path_other_disk);
    CHECK_ERROR(paths.manager->add_path(k_target, small.get(), 0), path_other_disk);
    // Even when it has all that the disk has up to now.
    u8 block[64];
    for (u64 at = 0; at < 64 * 1024; at += sizeof(block)) {
        lcpfs_test_device_peek(paths.a.get(), at, block, sizeof(block));
        lcpfs_test_device_poke(copy.get(), at, block, sizeof(block));
    }
    CHECK_ERROR(paths.manager->add_path(k_target, copy.get(), 0), path_other_disk);
    CHECK_EQ(paths.group->table().present_count(), 2);
    lcpfs_test_device_fail(copy.get(), HOST_IO_READ, 0, 1);
    CHECK_ERROR(paths.manager->add_path(k_target, copy.get(), 0), io_error);
    CHECK_ERROR(paths.manager->add_path(TargetId(9), copy.get(), 0), not_found);
    CHECK_ERROR(paths.manager->add_group(k_target, DiskGuid(), copy.get()), exists);
    CHECK_EQ(paths.write(0x51), HOST_IO_OK);
}

void administration(Test& test)
{
    START_PATHS(paths);
    CHECK_ERROR(paths.manager->fail_path(PathId(99)), not_found);
    CHECK_ERROR(paths.manager->remove_path(PathId(99)), not_found);
    CHECK_ERROR(paths.manager->reinstate_path(PathId(99)), not_found);
    CHECK_ERROR(paths.group->set_priority(PathId(99), 1), not_found);
    CHECK_OK(paths.group->set_priority(paths.first, 7));
    PathInfo info = REQUIRE_VALUE(paths.manager->info(0));
    CHECK_EQ(info.id, paths.second);
    info = REQUIRE_VALUE(paths.manager->info(1));
    CHECK_EQ(info.id, paths.first);
    CHECK_EQ(info.priority, 7);
    CHECK_ERROR(paths.manager->info(2), not_found);
    CHECK_EQ(REQUIRE_VALUE(paths.manager->remove_path(paths.first)), paths.a.get());
    CHECK_EQ(paths.write(0x61), HOST_IO_OK);
    CHECK_ERROR(paths.manager->remove_path(paths.second), busy);
    const PathId back = REQUIRE_VALUE(paths.manager->add_path(k_target, paths.a.get(), 0));
    CHECK(!(back == paths.first));
    CHECK_EQ(REQUIRE_VALUE(paths.manager->remove_path(paths.second)), paths.b.get());
    CHECK_EQ(paths.write(0x62), HOST_IO_OK);
    CHECK_EQ(paths.on_disk(), 0x62);
}

// A flush goes down every path written since the last, and down another when its own is gone.
void flushing(Test& test)
{
    START_PATHS(paths);
    CHECK(!paths.group->owes_flush(0) && !paths.group->owes_flush(1));
    paths.prefer_first();
    CHECK_EQ(paths.write(0x71), HOST_IO_OK);
    CHECK(paths.group->owes_flush(0) && !paths.group->owes_flush(1));
    CHECK_OK(paths.group->set_priority(paths.first, 2));
    CHECK_EQ(paths.write(0x72), HOST_IO_OK);
    CHECK(paths.group->owes_flush(0) && paths.group->owes_flush(1));
    // A write that makes earlier ones durable flushes both.
    CHECK_EQ(paths.run(HOST_IO_WRITE, k_place, 0, HOST_IO_PREFLUSH | HOST_IO_FUA), HOST_IO_OK);
    CHECK_EQ(lcpfs_test_device_requests(paths.a.get(), HOST_IO_FLUSH), 1);
    CHECK(!paths.group->owes_flush(0));
    paths.group->settings().shared_cache.store(1);
    CHECK_EQ(paths.write(0x73), HOST_IO_OK);
    CHECK_EQ(paths.write(0x74), HOST_IO_OK);
    CHECK(paths.group->owes_flush(0));
}

// A path that hangs: its requests go on by the other, and what lands late does no harm.
void late_write(Test& test)
{
    START_PATHS(paths);
    paths.prefer_first();
    paths.group->settings().time_limit_ms.store(50);
    paths.manager->look_again();
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_WRITE, true);
    CHECK_EQ(paths.write(0x81), HOST_IO_OK);
    CHECK_EQ(paths.on_disk(), 0x81);
    CHECK_EQ(paths.path(paths.first).get_state(), PathState::failed);
    CHECK_EQ(paths.manager->statistics().failovers, 1);
    CHECK(paths.group->has_late_write(k_place, 1));
    CHECK(!paths.group->has_late_write(k_place - 4096, 4096) && !paths.group->has_late_write(k_place + 4096, 4096));
    // Its owner has its memory back: what he does with it is not what lands.
    __builtin_memset(paths.pages[0], 0xee, k_block_size);
    // A write of other blocks passes, one of these waits.
    __builtin_memset(paths.pages[1], 0x82, k_block_size);
    paths.begin(paths.one, HOST_IO_WRITE, k_place + 4096, 1);
    CHECK(paths.one.wait());
    paths.begin(paths.one, HOST_IO_WRITE, k_place, 1);
    CHECK(!paths.one.wait(150 * k_ns_per_ms) || breakage::forget_late_writes);
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_WRITE, false);
    CHECK(paths.one.wait());
    CHECK_EQ(paths.one.status, HOST_IO_OK);
    CHECK_EQ(paths.on_disk(), 0x82);
    CHECK(!paths.group->has_late_write(0, k_device_bytes));
}

void hanging_read(Test& test)
{
    START_PATHS(paths);
    paths.prefer_first();
    CHECK_EQ(paths.write(0x91), HOST_IO_OK);
    paths.group->settings().time_limit_ms.store(50);
    paths.manager->look_again();
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_READ, true);
    __builtin_memset(paths.pages[0], 0, k_block_size);
    CHECK_EQ(paths.run(HOST_IO_READ), HOST_IO_OK);
    CHECK_EQ(paths.pages[0][77], 0x91);
    __builtin_memset(paths.pages[0], 0x55, k_block_size);
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_READ, false);
    CHECK_EQ(paths.pages[0][77], 0x55);
    // Flushes carry nothing and are left behind all the same.
    CHECK(paths.await_state(paths.first, PathState::active));
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_FLUSH, true);
    CHECK_EQ(paths.run(HOST_IO_FLUSH, 0), HOST_IO_OK);
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_FLUSH, false);
}

// What is too large for a copy waits for its device; others see that the path answers nothing.
void large_hangs(Test& test)
{
    START_PATHS(paths);
    paths.prefer_first();
    paths.group->settings().time_limit_ms.store(50);
    paths.manager->look_again();
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_WRITE, true);
    __builtin_memset(paths.pages[0], 0xa1, k_block_size);
    paths.begin(paths.one, HOST_IO_WRITE, k_place, 0, 0, 20);
    CHECK(paths.await_state(paths.first, PathState::failed));
    CHECK(!paths.one.wait(0));
    CHECK_EQ(paths.run(HOST_IO_READ, 0, 1), HOST_IO_OK);
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_WRITE, false);
    CHECK(paths.one.wait());
    CHECK_EQ(paths.one.status, HOST_IO_OK);
    CHECK_EQ(paths.on_disk(k_place + 19 * 4096), 0xa1);
    // The last path is slow, not dead.
    CHECK(paths.await_state(paths.first, PathState::active));
    REQUIRE_OK(paths.manager->fail_path(paths.second));
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_WRITE, true);
    paths.begin(paths.one, HOST_IO_WRITE, k_place);
    CHECK(!paths.one.wait(200 * k_ns_per_ms));
    CHECK_EQ(paths.path(paths.first).get_state(), PathState::active);
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_WRITE, false);
    CHECK(paths.one.wait());
    CHECK_EQ(paths.one.status, HOST_IO_OK);
}

void hedged_read(Test& test)
{
    START_PATHS(paths);
    paths.prefer_first();
    paths.group->settings().hedged_reads.store(1);
    for (u32 i = 0; i < 2 * PathLatency::k_samples_for_tail; i++)
        REQUIRE_EQ(paths.run(HOST_IO_READ), HOST_IO_OK);
    paths.path(paths.first).latency.refresh();
    REQUIRE(paths.path(paths.first).latency.tail_us(SizeClass::small));
    const u64 before = lcpfs_test_device_requests(paths.b.get(), HOST_IO_READ);
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_READ, true);
    const u64 from_ns = host_monotonic_ns();
    CHECK_EQ(paths.run(HOST_IO_READ), HOST_IO_OK);
    CHECK(host_monotonic_ns() - from_ns < 5 * k_ns_per_s);
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_READ, false);
    CHECK_EQ(lcpfs_test_device_requests(paths.b.get(), HOST_IO_READ), before + 1);
    // Slow once is not failed.
    CHECK_EQ(paths.path(paths.first).get_state(), PathState::active);
    CHECK_EQ(paths.manager->statistics().path_failures + paths.manager->statistics().failovers, 0);
}

constexpr TestCase k_cases[] = {
    { "one_path", one_path },
    { "failover", failover },
    { "fail_fast", fail_fast },
    { "no_memory", no_memory },
    { "last_path", last_path },
    { "no_path", no_path },
    { "no_waiting", no_waiting },
    { "identity", identity },
    { "administration", administration },
    { "flushing", flushing },
    { "late_write", late_write },
    { "hanging_read", hanging_read },
    { "large_hangs", large_hangs },
    { "hedged_read", hedged_read },
};

}

LCPFS_SUITE(path_group, k_cases);
LCPFS_TABLE_SUITE(path_errors, k_errors, check_error_class);

}
