// SPDX-License-Identifier: GPL-2.0-only
// A frame that a hanging path may still write holds up nobody when the ring comes round to its place.
#include "core/test/breakage.h"
#include "core/test/log_ground.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

struct Laps {
    LogGround* ground;
    u64 added { 0 };
    TxgId newest;  // group of what was added last
    Status status;
    u32 wrong { 0 };
    Atomic<u32> ended { 0 };
    Event event;

    Status commit_one(u32 bytes)
    {
        newest = ground->add(bytes);
        added++;
        return ground->log->commit();
    }
    // What a mount would find now is all of it; but for what a group has that committed while the ring was full: that needs no frame.
    Status check()
    {
        TxgId committed;
        const LogTail tail = ground->newest(committed);
        LogReader reader(*ground->vdevs, ground->log->ring(), LogGround::k_pool);
        TRY(reader.read(tail, committed));
        wrong += reader.last_record() != added && newest > committed;
        u64 number = added - reader.record_count();
        while (const LogRecordView* record = TRY(reader.next()))
            wrong += record->sequence() != ++number;
        return {};
    }
    Status run()
    {
        for (u32 i = 0; i < 100; i++) {
            TRY(commit_one(20000 + i));
            TRY(check());
        }
        return {};
    }
};

void lap_over_late_frames(Test& test)
{
    if (breakage::forget_late_writes)
        return;
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    REQUIRE(ground->second);
    PathManager& paths = ground->vdevs->paths();
    REQUIRE_OK(paths.add_path(TargetId(0), ground->second.get(), 1));
    PathGroup& group = *REQUIRE_VALUE(paths.group(TargetId(0)));
    group.settings().time_limit_ms.store(500);
    paths.look_again();
    Box<Laps> laps = REQUIRE_VALUE(make_box<Laps>());
    laps->ground = ground.get();
    CHECK_OK(laps->commit_one(100));
    constexpr host_io_op k_ops[] = { HOST_IO_READ, HOST_IO_WRITE, HOST_IO_FLUSH };
    for (host_io_op op : k_ops)
        lcpfs_test_device_hold(ground->device.get(), op, true);
    CHECK_OK(laps->commit_one(5000));
    REQUIRE(group.has_late_write(0, LogGround::k_device_bytes));
    host_thread* const thread = host_thread_start("test-log",
                                                  [](void* context) {
                                                      Laps& self = *static_cast<Laps*>(context);
                                                      self.status = self.run();
                                                      self.ended.store(1);
                                                      self.event.wake();
                                                  },
                                                  laps.get());
    REQUIRE(thread);
    CHECK(laps->event.wait_timeout(200ull * 1000000000, [&] { return laps->ended.load() != 0; }));
    CHECK(group.has_late_write(0, LogGround::k_device_bytes));
    for (host_io_op op : k_ops)
        lcpfs_test_device_hold(ground->device.get(), op, false);
    host_thread_join(thread);
    CHECK_OK(laps->status);
    CHECK_EQ(laps->wrong, 0u);
    LogStatistics statistics {};
    ground->log->get_statistics(statistics);
    CHECK(statistics.position > 2 * ground->log->ring().bytes());
    // What landed now is nothing.
    Event pause;
    for (u32 i = 0; i < 1000 && group.has_late_write(0, LogGround::k_device_bytes); i++)
        (void)pause.wait_timeout(10000000, [] { return false; });
    CHECK(!group.has_late_write(0, LogGround::k_device_bytes));
    CHECK_OK(laps->check());
    CHECK_EQ(laps->wrong, 0u);
}

constexpr TestCase k_cases[] = {
    { "lap_over_late_frames", lap_over_late_frames },
};

}

LCPFS_SUITE(late_frames, k_cases);

}
