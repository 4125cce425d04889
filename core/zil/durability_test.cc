// SPDX-License-Identifier: GPL-2.0-only
// What makes a log write durable, and the wait for company.
#include "core/zil/durability.h"

#include "core/test/log_ground.h"
#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr VdevId k_vdev { 0 };

void choosing(Test& test)
{
    struct Row {
        u64 fua_ns, flush_ns;
        Durable expected;
    };
    constexpr Row k_rows[] = { { 100, 100, Durable::by_fua }, { 100, 90, Durable::by_fua },   { 100, 88, Durable::by_flush },
                               { 100, 10, Durable::by_flush }, { 100, 1000, Durable::by_fua }, { 0, 0, Durable::by_fua } };
    for (const Row& row : k_rows)
        CHECK(LogDurability::faster(row.fua_ns, row.flush_ns) == row.expected);
}

// Where block `n` of the ring is.
u64 offset_of(u32 n)
{
    const u32 first = LogGround::k_first_blocks;
    return (n < first ? LogGround::k_first_run + n : LogGround::k_second_run + (n - first)) * k_block_size;
}

// Measuring writes into the one block that is used last of what nobody needs, and into no other.
void unused_part(Test& test)
{
    constexpr u32 k_blocks = LogGround::k_first_blocks + LogGround::k_second_blocks;
    struct Row {
        u32 head, written;
    };
    constexpr Row k_rows[] = { { 0, 95 }, { 40, 95 }, { 95, 95 }, { 96, 159 }, { 159, 159 }, { 160, k_blocks } };
    for (const Row& row : k_rows) {
        Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
        REQUIRE(ground->device);
        u8 bytes[512];
        __builtin_memset(bytes, 0xab, sizeof(bytes));
        for (u32 n = 0; n < k_blocks; n++)
            for (u32 at = 0; at < k_block_size; at += sizeof(bytes))
                lcpfs_test_device_poke(ground->device.get(), offset_of(n) + at, bytes, sizeof(bytes));
        ground->committed_tail.position = u64(row.head) * k_block_size;
        REQUIRE_OK(ground->start());
        for (u32 n = 0; n < k_blocks; n++) {
            lcpfs_test_device_peek(ground->device.get(), offset_of(n), bytes, sizeof(bytes));
            CHECK_EQ(bytes[0], n == row.written ? 0 : 0xab);
            CHECK_EQ(bytes[511], n == row.written ? 0 : 0xab);
        }
        const LogDurability::Choice choice = ground->log->writer().durability().choice(k_vdev);
        CHECK_EQ(choice.fua_ns != 0, row.written < k_blocks);
        CHECK_EQ(choice.flush_ns != 0, row.written < k_blocks);
        if (test.failed())
            return;
    }
}

// A device that fails is left at FUA, and meets its failure at the first frame.
void failing_measure(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE(ground->device);
    lcpfs_test_device_fail(ground->device.get(), HOST_IO_FLUSH, 1, 1);
    REQUIRE_OK(ground->start());
    const LogDurability::Choice choice = ground->log->writer().durability().choice(k_vdev);
    CHECK(choice.by == Durable::by_fua && choice.fua_ns == 0);
    ground->add(8);
    CHECK_OK(ground->log->commit());
}

// With a flush behind each write: one of each for a lone caller, and as many frames as its records need.
void flush_behind(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    ground->log->writer().durability().set(k_vdev, Durable::by_flush);
    for (u32 i = 0; i < 10; i++) {
        const u64 writes = ground->writes(), flushes = ground->flushes();
        ground->add(100 + i);
        CHECK_OK(ground->log->commit());
        CHECK_EQ(ground->writes(), writes + 1);
        CHECK_EQ(ground->flushes(), flushes + 1);
    }
    ground->log->writer().set_in_flight_limit(2);
    for (u32 i = 0; i < 5 * k_max_log_frame_records; i++)
        ground->add(30);
    const u64 frames = ground->writes();
    CHECK_OK(ground->log->commit());
    CHECK_EQ(ground->writes(), frames + 5);
    // A flush that fails fails the frame.
    lcpfs_test_device_fail(ground->device.get(), HOST_IO_FLUSH, 0, 1);
    ground->add(8);
    CHECK_ERROR(ground->log->commit(), io_error);
    CHECK_EQ(ground->failures, 1u);
    ground->add(8);
    CHECK_OK(ground->log->commit()); // by a group, which has nothing to flush here: a pool's would not commit
    // Nor is a later flush believed.
    ground->add(8);
    CHECK_ERROR(ground->log->commit(), writes_lost);
    CHECK_EQ(ground->failures, 2u);
    LogStatistics statistics {};
    ground->log->get_statistics(statistics);
    CHECK_EQ(statistics.errors, 2u);
    CHECK(statistics.durable.by == Durable::by_flush);
}

struct Caller {
    LogGround* ground;
    Status status;
    host_thread* thread;
};

void many_callers(Test& test, LogGround& ground)
{
    constexpr u32 k_callers = 8, k_rounds = 40;
    Caller callers[k_callers];
    for (Caller& caller : callers) {
        caller.ground = &ground;
        caller.thread = host_thread_start("test-log",
                                          [](void* context) {
                                              Caller& self = *static_cast<Caller*>(context);
                                              for (u32 i = 0; i < k_rounds && self.status.is_ok(); i++) {
                                                  self.ground->add(50 + i);
                                                  const Status status = self.ground->log->commit();
                                                  if (status.is_error())
                                                      self.status = status.error();
                                              }
                                          },
                                          &caller);
        CHECK(caller.thread);
    }
    for (Caller& caller : callers) {
        if (caller.thread)
            host_thread_join(caller.thread);
        CHECK_OK(caller.status);
    }
    LogStatistics statistics {};
    ground.log->get_statistics(statistics);
    CHECK(statistics.frames <= k_callers * k_rounds && statistics.frames >= k_callers * k_rounds / k_max_log_frame_records);
    CHECK(statistics.flushes <= statistics.frames);
    CHECK_EQ(statistics.pending_frames, 0u);
    CHECK_EQ(statistics.pending_bytes, 0u);
    CHECK_EQ(statistics.waiting_records, 0u);
    CHECK_EQ(statistics.waiting_bytes, 0u);
    LogReader reader(*ground.vdevs, ground.log->ring(), LogGround::k_pool);
    REQUIRE_OK(ground.read(reader, ground.engine->committed_txg()));
    CHECK_EQ(reader.last_record(), k_callers * k_rounds);
}

// One flush covers all that has been written, however many frames may be in flight; company is waited for or not.
void together(Test& test)
{
    constexpr IntentLog::Batch k_batches[] = { { 32, 0 }, { 8, 100 }, { 64, 100 } };
    constexpr Durable k_ways[] = { Durable::by_fua, Durable::by_flush };
    for (const IntentLog::Batch& batch : k_batches)
        for (Durable by : k_ways) {
            Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
            REQUIRE_OK(ground->start());
            ground->log->writer().durability().set(k_vdev, by);
            ground->log->writer().set_in_flight_limit(batch.records == 64 ? 1 : 3);
            ground->log->set_batch(batch);
            many_callers(test, *ground);
            if (test.failed())
                return;
        }
}

u64 position_of(LogGround& ground)
{
    LogStatistics statistics {};
    ground.log->get_statistics(statistics);
    return statistics.position;
}

// What the group before the last needs is not written over until two groups have committed since the log began.
void keeping(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    ground->committed_tail.position = 100 * k_block_size; // and what the group before needs begins at 0
    REQUIRE_OK(ground->start());
    REQUIRE_OK(ground->engine->force_commit());
    const u64 end = ground->log->ring().bytes();
    constexpr u32 k_record = 12000, k_frame = 12288;
    Caller caller { ground.get(), {}, nullptr };
    {
        TxgHold hold(*ground->engine); // no group commits
        while (position_of(*ground) + k_frame <= end) {
            ground->add(k_record);
            REQUIRE_OK(ground->log->commit());
        }
        caller.thread = host_thread_start("test-log",
                                          [](void* context) {
                                              Caller& self = *static_cast<Caller*>(context);
                                              self.ground->add(k_record);
                                              self.status = self.ground->log->commit().error();
                                          },
                                          &caller);
        REQUIRE(caller.thread);
        Event never;
        (void)never.wait_timeout(30 * 1000000, [&] { return position_of(*ground) > end; });
        CHECK(position_of(*ground) <= end);
    }
    host_thread_join(caller.thread);
    CHECK_OK(caller.status);
}

void settings(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    struct Row {
        core_log_setting setting;
        u64 least, most;
    };
    constexpr Row k_rows[] = { { CORE_LOG_SET_BATCH_RECORDS, 1, 64 }, { CORE_LOG_SET_BATCH_TIMEOUT_US, 0, 100 },
                               { CORE_LOG_SET_FRAMES_IN_FLIGHT, 1, 8 } };
    core_log log;
    core_log_get(pool->handle(), &log);
    CHECK(log.batch_records == 32 && log.batch_timeout_us == 0 && log.frames_in_flight == 4);
    CHECK_EQ(log.ring_bytes, pool->pool().intent_log().ring().bytes());
    for (const Row& row : k_rows) {
        CHECK_EQ(core_log_set(pool->handle(), row.setting, row.most + 1), -22);
        CHECK(row.least == 0 || core_log_set(pool->handle(), row.setting, row.least - 1) == -22);
        CHECK_EQ(core_log_set(pool->handle(), row.setting, row.least), 0);
        CHECK_EQ(core_log_set(pool->handle(), row.setting, row.most), 0);
    }
    CHECK_EQ(core_log_set(pool->handle(), static_cast<core_log_setting>(3), 1), -22);
    core_log_get(pool->handle(), &log);
    CHECK(log.batch_records == 64 && log.batch_timeout_us == 100 && log.frames_in_flight == 8);
    CHECK_EQ(pool->make(pool->root(), "a", 0100644), 0);
    core_log_get(pool->handle(), &log);
    CHECK_EQ(log.pending_entries, 1u);
    CHECK(log.pending_bytes >= sizeof(DiskLogRecord));
    CHECK_EQ(core_object_sync(pool->root()), 0);
    core_log after;
    core_log_get(pool->handle(), &after);
    CHECK_EQ(after.pending_entries, 0u);
    CHECK_EQ(after.operations, log.operations + 1);
    CHECK_EQ(after.frames, log.frames + 1);
    CHECK_EQ(after.bytes, log.bytes + 512);
    CHECK_EQ(after.position, log.position + 512);
}

constexpr TestCase k_cases[] = { { "choosing", choosing },         { "unused_part", unused_part }, { "failing_measure", failing_measure },
                                 { "flush_behind", flush_behind }, { "together", together },       { "keeping", keeping },
                                 { "settings", settings } };
}
LCPFS_SUITE(durability, k_cases);

}
