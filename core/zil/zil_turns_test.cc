// SPDX-License-Identifier: GPL-2.0-only
// Who builds a frame, and when: IntentLog::hasten, and callers that find others on their way (zil_commit.cc).
#include "core/test/log_ground.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

// What has been hastened is not written again by the commit that waits for it.
void hastened(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    const u64 writes = ground->writes();
    ground->log->hasten(); // nothing there
    CHECK_EQ(ground->writes(), writes);
    ground->add(100);
    ground->add(20);
    ground->log->hasten();
    CHECK(ground->await_writes(writes + 1));
    CHECK_EQ(ground->log->waiting_records(), 0u);
    CHECK_OK(ground->log->commit());
    CHECK_EQ(ground->writes(), writes + 1);
    LogReader reader(*ground->vdevs, ground->log->ring(), LogGround::k_pool);
    REQUIRE_OK(ground->read(reader, TxgId(10)));
    CHECK_EQ(reader.last_record(), 2u);
}

// It waits for nothing: no device, no room in flight, no flush, no group. What it leaves the next commit writes.
void hastens_without_waiting(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    ground->log->writer().set_in_flight_limit(1);
    lcpfs_test_device_hold(ground->device.get(), HOST_IO_WRITE, true);
    ground->add(100);
    ground->log->hasten();
    CHECK_EQ(ground->log->writer().in_flight(), 1u);
    ground->add(101);
    ground->log->hasten();
    CHECK_EQ(ground->log->waiting_records(), 1u);
    lcpfs_test_device_hold(ground->device.get(), HOST_IO_WRITE, false);
    CHECK_OK(ground->log->commit());
    CHECK_EQ(ground->log->waiting_records(), 0u);
    {
        TxgHold hold(*ground->engine);
        Box<LogRecord> record = ground->log->prepare(LogOpcode::truncate, 77, 10);
        REQUIRE(record);
        record->needs_flush = true;
        ground->log->append(hold.txg(), lcpfs::move(record));
        ground->add(102);
        const u64 flushes = ground->flushes();
        ground->log->hasten();
        CHECK_EQ(ground->flushes(), flushes);
        CHECK_EQ(ground->log->waiting_records(), 2u);
    }
    CHECK_OK(ground->log->commit());
    ground->add_barrier();
    ground->add(103);
    const u64 writes = ground->writes();
    ground->log->hasten();
    CHECK_EQ(ground->writes(), writes);
    CHECK_OK(ground->log->commit()); // by a group
    CHECK(ground->engine->committed_txg() > TxgId(10));
}

// The ring is as full as it may be: the group that makes room is asked for, and waited for by who commits.
void hastens_around_the_ring(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    for (u32 i = 0; i < 600 && !test.failed(); i++) {
        {
            TxgHold hold(*ground->engine); // as an operation does
            ground->add(3000);
            ground->log->hasten();
        }
        if (i % 50 == 49)
            CHECK_OK(ground->log->commit());
    }
    CHECK_OK(ground->log->commit());
    CHECK(ground->engine->committed_txg() > TxgId(11));
    CHECK_EQ(ground->failures, 0u);
}

// Who had a frame hastened that fails learns of it by the commit it was for.
void hastened_and_failed(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    lcpfs_test_device_fail(ground->device.get(), HOST_IO_WRITE, 0, 1);
    ground->add(100);
    ground->log->hasten();
    CHECK_ERROR(ground->log->commit(), io_error);
    ground->add(101);
    ground->log->hasten(); // the log pauses
    CHECK_OK(ground->log->commit());
    ground->add(102);
    ground->log->hasten();
    CHECK_OK(ground->log->commit());
    CHECK_EQ(ground->failures, 1u);
}

struct Committer {
    LogGround* ground { nullptr };
    Status status;
    Atomic<u32> done { 0 };
    host_thread* thread { nullptr };
    void start(LogGround& where)
    {
        ground = &where;
        thread = host_thread_start("test-log",
                                   [](void* context) {
                                       Committer& self = *static_cast<Committer*>(context);
                                       self.status = self.ground->log->commit().error();
                                       self.done.store(1);
                                   },
                                   this);
    }
};

// One who waits for a change without a record, behind others who wait for a frame, asks for its group. Who is called first is chance.
void barrier_behind_others(Test& test)
{
    Event pause;
    auto nap = [&](u64 ms) { (void)pause.wait_timeout(ms * 1000000, [] { return false; }); };
    for (u32 round = 0; round < 12 && !test.failed(); round++) {
        Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
        REQUIRE_OK(ground->start());
        ground->log->writer().set_in_flight_limit(1);
        Committer first, record, change;
        lcpfs_test_device_hold(ground->device.get(), HOST_IO_WRITE, true);
        ground->add(8);
        first.start(*ground);
        while (first.thread && ground->log->writer().in_flight() == 0)
            nap(1);
        ground->add(9);
        record.start(*ground);
        nap(20);
        ground->add_barrier();
        change.start(*ground);
        nap(20);
        lcpfs_test_device_hold(ground->device.get(), HOST_IO_WRITE, false);
        for (u32 i = 0; i < 2000 && !change.done.load(); i++)
            nap(1);
        CHECK_EQ(change.done.load(), 1u);
        if (!change.done.load())
            (void)ground->engine->force_commit().is_ok();
        Committer* const all[] = { &first, &record, &change };
        for (Committer* one : all) {
            REQUIRE(one->thread);
            host_thread_join(one->thread);
            CHECK_OK(one->status);
        }
    }
}

constexpr TestCase k_cases[] = { { "hastened", hastened },
                                 { "without_waiting", hastens_without_waiting },
                                 { "around_the_ring", hastens_around_the_ring },
                                 { "failed", hastened_and_failed },
                                 { "barrier_behind_others", barrier_behind_others } };
}
LCPFS_SUITE(zil_turns, k_cases);

}
