// SPDX-License-Identifier: GPL-2.0-only
// Events that meet: an order while a probe is under way, no path left while a late write holds others back, a slot that changed hands.
#include "core/test/failure.h"
#include "core/test/path_ground.h"

namespace lcpfs {

namespace {

constexpr u64 k_place = Paths::k_place;
constexpr TargetId k_target = Paths::k_target;

// A path is known before the first request is sent down it: by the probe that proved it, and the first one by a probe of its own.
void known_by_probes(Test& test)
{
    START_PATHS(paths);
    CHECK(paths.path(paths.first).latency.knows_idle(SizeClass::small));
    CHECK(paths.path(paths.second).latency.knows_idle(SizeClass::small));
    // After a repair it is known by the last probe.
    paths.prefer_first();
    lcpfs_test_device_fail(paths.a.get(), HOST_IO_WRITE, 0, 1);
    CHECK_EQ(paths.write(0x11), HOST_IO_OK);
    CHECK(paths.await_state(paths.first, PathState::active));
    CHECK(paths.path(paths.first).latency.knows_idle(SizeClass::small));
}

// Failed by order while a probe of it is under way, or between two: it stays so.
void ordered_down(Test& test)
{
    START_PATHS(paths);
    paths.prefer_first();
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_READ, true);
    const u64 before = lcpfs_test_device_requests(paths.a.get(), HOST_IO_READ);
    lcpfs_test_device_fail(paths.a.get(), HOST_IO_WRITE, 0, 1);
    CHECK_EQ(paths.write(0x21), HOST_IO_OK);
    CHECK_EQ(paths.path(paths.first).get_state(), PathState::failed);
    for (u32 i = 0; i < 500 && lcpfs_test_device_requests(paths.a.get(), HOST_IO_READ) == before; i++)
        paths.pause();
    CHECK(lcpfs_test_device_requests(paths.a.get(), HOST_IO_READ) > before);
    CHECK_OK(paths.manager->fail_path(paths.first));
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_READ, false);
    for (u32 i = 0; i < 500 && paths.path(paths.first).depth.load(); i++)
        paths.pause();
    paths.pause();
    CHECK_EQ(paths.path(paths.first).get_state(), PathState::failed);
    CHECK_OK(paths.manager->reinstate_path(paths.first));
    CHECK_EQ(paths.path(paths.first).get_state(), PathState::active);

    lcpfs_test_device_fail(paths.a.get(), HOST_IO_WRITE, 0, 1);
    CHECK_EQ(paths.write(0x22), HOST_IO_OK);
    CHECK(paths.await_state(paths.first, PathState::repairing));
    CHECK_OK(paths.manager->fail_path(paths.first));
    CHECK_EQ(paths.path(paths.first).get_state(), PathState::failed);
}

// What waits for a late write fails like the rest when there is no path for too long.
void held_without_path(Test& test)
{
    START_PATHS(paths);
    paths.prefer_first();
    paths.group->settings().time_limit_ms.store(50);
    paths.group->settings().no_path_timeout_ms.store(200);
    paths.manager->look_again();
    paths.hold_device(paths.a, true);
    CHECK_EQ(paths.write(0x31), HOST_IO_OK);
    paths.begin(paths.one, HOST_IO_WRITE, k_place, 1);
    CHECK(!paths.one.wait(100 * k_ns_per_ms));
    paths.break_device(paths.b, true, HOST_IO_TRANSPORT);
    CHECK_EQ(paths.write(0x32, k_place + 4096), HOST_IO_NO_PATH);
    CHECK(paths.one.wait(5 * k_ns_per_s));
    CHECK_EQ(paths.one.status, HOST_IO_NO_PATH);
    // From now on at once.
    paths.begin(paths.one, HOST_IO_WRITE, k_place, 1);
    CHECK(paths.one.wait(5 * k_ns_per_s));
    CHECK_EQ(paths.one.status, HOST_IO_NO_PATH);
    paths.hold_device(paths.a, false);
}

// The time limit counts from when the path had the request, not from when an earlier one had it.
void limit_counts_from_path(Test& test)
{
    START_PATHS(paths);
    paths.prefer_first();
    const PathId third = REQUIRE_VALUE(paths.manager->add_path(k_target, paths.c.get(), 2));
    paths.group->settings().time_limit_ms.store(1000);
    paths.manager->look_again();
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_WRITE, true);
    lcpfs_test_device_hold(paths.b.get(), HOST_IO_WRITE, true);
    paths.begin(paths.one, HOST_IO_WRITE, k_place);
    CHECK(!paths.one.wait(700 * k_ns_per_ms));
    lcpfs_test_device_fail_as(paths.a.get(), HOST_IO_WRITE, 0, 1, HOST_IO_TRANSPORT);
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_WRITE, false);
    CHECK(!paths.one.wait(600 * k_ns_per_ms));
    CHECK_EQ(paths.path(paths.first).get_state(), PathState::failed);
    CHECK_EQ(paths.path(paths.second).get_state(), PathState::active);
    // Its own limit is over a little later.
    CHECK(paths.one.wait());
    CHECK_EQ(paths.one.status, HOST_IO_OK);
    CHECK_EQ(paths.path(paths.second).get_state(), PathState::failed);
    CHECK_EQ(paths.path(third).get_state(), PathState::active);
    lcpfs_test_device_hold(paths.b.get(), HOST_IO_WRITE, false);
}

// A probe answers for the request that failed on that path, not for one that only waited beside it.
void verified_one_by_one(Test& test)
{
    START_PATHS(paths);
    paths.prefer_first();
    paths.group->settings().time_limit_ms.store(100);
    paths.manager->look_again();
    paths.hold_device(paths.a, true);
    CHECK_EQ(paths.write(0x41), HOST_IO_OK);
    CHECK_EQ(paths.path(paths.first).get_state(), PathState::failed);
    paths.begin(paths.one, HOST_IO_WRITE, k_place, 1); // held back
    // This one fails, and the probe that it asks for does not end yet.
    lcpfs_test_device_hold(paths.b.get(), HOST_IO_READ, true);
    lcpfs_test_device_fail(paths.b.get(), HOST_IO_WRITE, 0, 1);
    paths.begin(paths.other, HOST_IO_WRITE, k_place + 4096, 2);
    for (u32 i = 0; i < 500 && !paths.path(paths.second).suspect.load(); i++)
        paths.pause();
    CHECK(paths.path(paths.second).suspect.load());
    // The first of the two goes through then, the second fails for the first time.
    lcpfs_test_device_fail(paths.b.get(), HOST_IO_WRITE, 1, 1);
    lcpfs_test_device_hold(paths.a.get(), HOST_IO_WRITE, false);
    for (u32 i = 0; i < 500 && paths.group->has_late_write(k_place, 1); i++)
        paths.pause();
    lcpfs_test_device_hold(paths.b.get(), HOST_IO_READ, false);
    CHECK(paths.other.wait());
    CHECK(paths.one.wait());
    CHECK_EQ(paths.other.status, HOST_IO_OK);
    CHECK_EQ(paths.one.status, HOST_IO_OK);
    paths.hold_device(paths.a, false);
}

// No path is added halfway.
void add_without_memory(Test& test)
{
    START_PATHS(paths);
    for (u32 n = 1; n < 8; n++) {
        lcpfs_test_fail_allocation(n);
        const Result<PathId> added = paths.manager->add_path(k_target, paths.c.get(), 0);
        lcpfs_test_fail_allocation(0);
        CHECK_EQ(paths.group->table().present_count(), added.is_ok() ? 3 : 2);
        if (added.is_ok())
            CHECK_OK(paths.manager->remove_path(added.value()));
        else
            CHECK_ERROR(added, no_memory);
        CHECK_EQ(paths.write(static_cast<u8>(n)), HOST_IO_OK);
    }
}

// A slot has another path than when the request was sent: that one is not blamed.
void slot_changed_hands(Test& test)
{
    START_PATHS(paths);
    const u32 slot = paths.path(paths.first).slot;
    CHECK_OK(paths.manager->remove_path(paths.first));
    const PathId third = REQUIRE_VALUE(paths.manager->add_path(k_target, paths.c.get(), 0));
    REQUIRE_EQ(paths.path(third).slot, slot);
    CHECK(paths.group->leave_behind(slot, paths.first, host_monotonic_ns()));
    CHECK_EQ(paths.path(third).get_state(), PathState::active);
    CHECK(paths.group->leave_behind(slot, third, host_monotonic_ns()));
    CHECK_EQ(paths.path(third).get_state(), PathState::failed);
}

// Sizes are compared with a path that is there, whichever slot has one; a disk that is too small is asked nothing.
void too_small(Test& test)
{
    START_PATHS(paths);
    TestDevice small(Paths::k_device_bytes / 2);
    REQUIRE(small);
    CHECK_OK(paths.manager->remove_path(paths.first));
    CHECK_ERROR(paths.manager->add_path(k_target, small.get(), 0), path_other_disk);
    CHECK_EQ(lcpfs_test_device_requests(small.get(), HOST_IO_READ), 0);
    // A device that is a path already makes no second one.
    CHECK_ERROR(paths.manager->add_path(k_target, paths.b.get(), 0), exists);
    CHECK_EQ(paths.group->table().present_count(), 1);
}

// All are gone, and what comes is another path, not one of them again: it is known by what was written down one of them. Another disk
// is not, nor is anything where nothing was ever written to prove a path by.
void added_with_none_left(Test& test)
{
    START_PATHS(paths);
    TestDevice other(Paths::k_device_bytes);
    REQUIRE(other);
    paths.group->settings().no_path_timeout_ms.store(k_wait_for_ever);
    paths.break_device(paths.a, true, HOST_IO_TRANSPORT);
    paths.break_device(paths.b, true, HOST_IO_TRANSPORT);
    __builtin_memset(paths.pages[1], 0x71, k_block_size);
    paths.begin(paths.one, HOST_IO_WRITE, k_place, 1);
    CHECK(!paths.one.wait(200 * k_ns_per_ms));
    CHECK_ERROR(paths.manager->add_path(k_target, other.get(), 0), path_other_disk);
    CHECK(!paths.one.wait(50 * k_ns_per_ms));
    lcpfs_test_device_fail_as(paths.c.get(), HOST_IO_READ, 0, 1, HOST_IO_TRANSPORT);
    CHECK_ERROR(paths.manager->add_path(k_target, paths.c.get(), 0), io_error);
    CHECK_OK(paths.manager->add_path(k_target, paths.c.get(), 0));
    CHECK(paths.one.wait());
    CHECK_EQ(paths.one.status, HOST_IO_OK);
    CHECK_EQ(paths.on_disk(), 0x71);
    paths.break_device(paths.a, false);
    paths.break_device(paths.b, false);
    CHECK(paths.await_state(paths.first, PathState::active));
}

void added_to_one_gone(Test& test)
{
    Box<Paths> paths = REQUIRE_VALUE(make_box<Paths>());
    REQUIRE_OK(paths->start(false));
    paths->break_device(paths->a, true, HOST_IO_TRANSPORT);
    CHECK_ERROR(paths->manager->add_path(k_target, paths->b.get(), 0), no_usable_path);
    CHECK_ERROR(paths->manager->add_path(k_target, paths->b.get(), 0), no_usable_path);
    paths->break_device(paths->a, false);
    CHECK_OK(paths->manager->add_path(k_target, paths->b.get(), 0));
}

constexpr TestCase k_cases[] = {
    { "known_by_probes", known_by_probes },
    { "ordered_down", ordered_down },
    { "held_without_path", held_without_path },
    { "limit_counts_from_path", limit_counts_from_path },
    { "verified_one_by_one", verified_one_by_one },
    { "add_without_memory", add_without_memory },
    { "slot_changed_hands", slot_changed_hands },
    { "too_small", too_small },
    { "added_with_none_left", added_with_none_left },
    { "added_to_one_gone", added_to_one_gone },
};

}

LCPFS_SUITE(path_trouble, k_cases);

}
