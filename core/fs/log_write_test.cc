// SPDX-License-Identifier: GPL-2.0-only
// Small synchronous writes: what they take of space and memory, again and again and in great numbers.
#include "core/fs/log_write.h"

#include "core/test/log_pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr u64 k_size = 8 * k_block_size - 50; // of LogPool's file

// One block written and synced over and over: one block of space until the group commits. At the end of the file, so that the
// frames stay small and no group is committed for their sake.
void over_and_over(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    constexpr u32 k_times = 1000;
    core_pool_status before, after;
    core_pool_get_status(log->pool.handle(), &before);
    const u64 used = log->pool.used_blocks(), promised = log->pool.promised();
    for (u32 i = 0; i < k_times; i++) {
        if (log->log_write(log->file, 8, 1, 5000 + i, 8 * k_block_size + 100) || core_object_sync(log->file)) {
            CHECK(false);
            break;
        }
    }
    core_pool_get_status(log->pool.handle(), &after);
    CHECK_EQ(after.committed_txg, before.committed_txg);
    CHECK_EQ(after.log_frames, before.log_frames + k_times);
    CHECK_EQ(log->pool.used_blocks() - used, 1u);
    CHECK_EQ(log->pool.delayed_bytes(), u64(k_block_size));
    const u64 print = log->pool.fingerprint(); // reads, and so has it written
    CHECK_EQ(log->pool.delayed_bytes(), 0u);
    REQUIRE_EQ(log->crash_and_open(), 0);
    CHECK_EQ(log->pool.fingerprint(), print);
    CHECK_EQ(log->pool.settle(), 0);
    CHECK_EQ(log->pool.promised(), promised);
    CHECK_EQ(log->pool.check(), 0u);
}

// What an earlier write left for later is kept only while it is the same run of blocks, of the same group, and not yet written.
void again_but_not_the_same(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    u32 tags[4];
    CHECK_EQ(log->log_write(log->file, 2, 2, 600, k_size), 0);
    const u64 used = log->pool.used_blocks();
    CHECK_EQ(log->log_write(log->file, 2, 2, 610, k_size), 0); // the same
    CHECK_EQ(log->pool.used_blocks(), used);
    CHECK_EQ(log->log_write(log->file, 2, 1, 620, k_size), 0); // a part
    CHECK_EQ(log->pool.used_blocks(), used + 1);
    CHECK_EQ(log->log_write(log->file, 3, 2, 630, k_size), 0); // across
    CHECK_EQ(log->pool.used_blocks(), used + 3);
    CHECK_EQ(log->log_write(log->file, 2, 1, 640, k_size), 0); // the part again
    CHECK_EQ(log->pool.used_blocks(), used + 3);
    CHECK_EQ(log->pool.read(log->file, 2, 4, tags), 0); // has it written
    CHECK(tags[0] == 640 && tags[1] == 630 && tags[2] == 631 && tags[3] == 105);
    CHECK_EQ(log->pool.delayed_bytes(), 0u);
    CHECK_EQ(log->log_write(log->file, 2, 1, 650, k_size), 0);
    CHECK_EQ(log->pool.used_blocks(), used + 4);
    CHECK_EQ(core_object_sync(log->file), 0);
    CHECK_EQ(log->pool.sync(), 0);
    const u64 settled = log->pool.used_blocks();
    CHECK_EQ(log->log_write(log->file, 2, 1, 660, k_size), 0); // what has committed stays
    CHECK_EQ(log->pool.used_blocks(), settled + 1);
    CHECK_EQ(log->log_write(log->file, 2, 1, 670, k_size), 0);
    CHECK_EQ(log->log_write(log->file, 20, 1, 680, 21 * k_block_size - 9), 0); // grows
    CHECK_EQ(log->log_write(log->file, 20, 1, 690, 21 * k_block_size), 0);
    CHECK_EQ(log->pool.used_blocks(), settled + 2);
    core_attr attr;
    core_object_attr(log->file, &attr);
    CHECK_EQ(attr.size_bytes, 21u * k_block_size);
    CHECK_EQ(core_object_sync(log->file), 0);
    const u64 print = log->pool.fingerprint();
    REQUIRE_EQ(log->crash_and_open(), 0);
    CHECK_EQ(log->pool.fingerprint(), print);
    CHECK_EQ(log->pool.read(log->file, 2, 1, tags), 0);
    CHECK_EQ(tags[0], 670u);
    CHECK_EQ(log->pool.read(log->file, 20, 1, tags), 0);
    CHECK_EQ(tags[0], 690u);
    CHECK_EQ(log->pool.check(), 0u);
}

// Ten thousand operations that nobody has synced: what they hold is bounded by what records may hold, and one sync gets them all.
void many_unsynced(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    constexpr u32 k_operations = 10000;
    core_pool_status before, after;
    core_pool_get_status(log->pool.handle(), &before);
    core_attr attr {};
    for (u32 i = 0; i < k_operations && !test.failed(); i++) {
        attr.uid = i + 1;
        switch (i % 4) {
        case 0:
            CHECK_EQ(core_object_set_attr(log->file, &attr, CORE_SET_UID), 0);
            break;
        case 1:
            CHECK_EQ(log->pool.rename(log->pool.root(), "a", log->directory, "elsewhere", 0), 0);
            break;
        case 2:
            CHECK_EQ(log->pool.rename(log->directory, "elsewhere", log->pool.root(), "a", 0), 0);
            break;
        default:
            CHECK_EQ(log->log_write(log->file, 3, 1, i, k_size), 0);
        }
    }
    const IntentLog& intents = log->pool.pool().intent_log();
    core_pool_get_status(log->pool.handle(), &after);
    CHECK_EQ(after.committed_txg, before.committed_txg);
    CHECK_EQ(intents.waiting_records(), k_operations);
    CHECK_EQ(log->pool.delayed_bytes(), u64(k_block_size));
    // 2500 blocks of data, and less than 400 bytes for each of the records.
    CHECK(intents.waiting_bytes() > 2500u * k_block_size && intents.waiting_bytes() < 2500u * k_block_size + k_operations * 400u);
    CHECK_EQ(core_object_sync(log->file), 0);
    const u64 print = log->pool.fingerprint();
    REQUIRE_EQ(log->crash_and_open(), 0);
    CHECK_EQ(log->pool.fingerprint(), print);
    CHECK_EQ(log->pool.check(), 0u);
}

// Blocks that are neighbours in the pool go to their places together, in whatever order they were written, of whatever sizes.
void neighbours(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    constexpr u32 k_writes = 400, k_spread = 5;
    u64 blocks = 0;
    TestRandom random(7);
    u32 order[k_writes];
    for (u32 i = 0; i < k_writes; i++)
        order[i] = i;
    for (u32 i = k_writes - 1; i > 0; i--)
        swap(order[i], order[random.below(i + 1)]);
    for (u32 i = 0; i < k_writes && !test.failed(); i++) {
        const u32 count = 1 + random.below(3);
        const u32 tag = 10000 + order[i] * 10;
        CHECK_EQ(log->log_write(log->file, u64(order[i]) * k_spread, count, tag, k_writes * k_spread * k_block_size), 0);
        blocks += count;
    }
    CHECK_EQ(log->pool.delayed_bytes(), blocks * k_block_size);
    IoCounters& counters = log->pool.pool().vdevs().counters();
    const u64 before = counters.writes.load(), bytes = counters.written_bytes.load();
    u32 tags[4];
    CHECK_EQ(log->pool.read(log->file, 0, 1, tags), 0); // has it all written
    CHECK_EQ(log->pool.delayed_bytes(), 0u);
    CHECK_EQ(counters.written_bytes.load() - bytes, blocks * k_block_size);
    // 128 KiB each, but for those that a write of more than one block does not fit in any more, and where a device ends.
    CHECK(counters.writes.load() - before <= blocks / 30 + 4);
    const u64 print = log->pool.fingerprint();
    for (u32 i = 0; i < k_writes && !test.failed(); i++) {
        CHECK_EQ(log->pool.read(log->file, u64(i) * k_spread, 1, tags), 0);
        CHECK_EQ(tags[0], 10000 + i * 10);
    }
    CHECK_EQ(core_object_sync(log->file), 0);
    REQUIRE_EQ(log->crash_and_open(), 0);
    CHECK_EQ(log->pool.fingerprint(), print);
    CHECK_EQ(log->pool.check(), 0u);
}

// A device could not flush data that is in place. Later flushes succeed, and still nobody says that it is durable: neither
// fsync nor a group's commit, whatever errors= says.
void failed_flush(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    core_pool_set_options(log->pool.handle(), 3600u * 1000, CORE_ERRORS_CONTINUE);
    CHECK_EQ(log->log_write(log->file, 1, 1, 700, k_size), 0);
    CHECK_EQ(core_object_sync(log->file), 0);
    const u64 print = log->pool.fingerprint(), committed = log->committed();
    CHECK_EQ(log->pool.write(log->file, 0, 8, 500, k_size), 0);
    for (u32 device = 0; device < 2; device++)
        lcpfs_test_device_fail(log->pool.device(device), HOST_IO_FLUSH, 0, 1);
    CHECK(core_object_sync(log->file) < 0);
    for (u32 device = 0; device < 2; device++)
        lcpfs_test_device_fail(log->pool.device(device), HOST_IO_FLUSH, 0, 0);
    CHECK(core_object_sync(log->file) < 0);
    CHECK(log->pool.sync() < 0);
    CHECK_EQ(log->committed(), committed);
    REQUIRE_EQ(log->crash_and_open(), 0);
    CHECK_EQ(log->pool.fingerprint(), print);
    CHECK_EQ(log->pool.sync(), 0);
    CHECK_EQ(log->pool.check(), 0u);
}

// Nobody syncs and no group is due: what waits in memory has groups committed early, and modifiers wait before it doubles.
void bounded(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    constexpr u64 k_limit = 64 * 1024;
    IntentLog& intents = log->pool.pool().intent_log();
    intents.set_max_waiting_bytes(k_limit);
    u64 committed = log->committed(), most = 0;
    core_attr attr {};
    for (u32 i = 0; i < 5000 && !test.failed(); i++) {
        attr.uid = i;
        CHECK_EQ(core_object_set_attr(log->file, &attr, CORE_SET_UID), 0);
        most = max(most, intents.waiting_bytes());
    }
    CHECK(most > k_limit / 2 && most <= 2 * k_limit + 1024);
    CHECK(log->committed() > committed);

    CHECK_EQ(log->pool.sync(), 0);
    intents.set_max_waiting_bytes(1ull << 40);
    log->pool.pool().delayed_writes().set_max_bytes(k_limit);
    committed = log->committed();
    most = 0;
    for (u32 i = 0; i < 500 && !test.failed(); i++) {
        CHECK_EQ(log->log_write(log->file, 2 * i, 1, i, 1000 * k_block_size), 0);
        most = max(most, log->pool.delayed_bytes());
    }
    CHECK(most > k_limit / 2 && most <= 2 * k_limit + k_block_size);
    CHECK(log->committed() > committed);
    CHECK_EQ(log->pool.sync(), 0);
    CHECK_EQ(intents.waiting_bytes(), 0u);
    CHECK_EQ(log->pool.delayed_bytes(), 0u);
    CHECK_EQ(log->pool.check(), 0u);
    log->drop();
}

// The last group of a pool that is closed says that the log is empty, the first of one that is opened says what it is from there on.
void closed(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    for (u32 round = 0; round < 3; round++) {
        CHECK_EQ(log->log_write(log->file, round, 1, 900 + round, k_size), 0);
        CHECK_EQ(core_object_sync(log->file), 0);
        const u64 print = log->pool.fingerprint();
        CHECK(log->pool.pool().uberblock().log_generation != 0);
        log->drop();
        REQUIRE_EQ(log->pool.close(), 0);
        REQUIRE_EQ(log->pool.open(true), 0);
        CHECK_EQ(log->pool.pool().uberblock().log_generation, 0u);
        CHECK_EQ(log->pool.fingerprint(), print);
        REQUIRE_EQ(log->pool.close(), 0); // read-only: as it was
        REQUIRE_EQ(log->pool.open(false), 0);
        core_pool_set_options(log->pool.handle(), 3600u * 1000, CORE_ERRORS_REMOUNT_RO);
        REQUIRE_EQ(log->find(), 0);
        CHECK_EQ(log->pool.fingerprint(), print);
        CHECK_EQ(log->pool.pool().uberblock().log_generation, 0u); // for writing, too, until something is written
        CHECK_EQ(log->log_write(log->file, 4 + round, 1, 950 + round, k_size), 0);
        CHECK(log->pool.pool().uberblock().log_generation != 0);
        CHECK_EQ(core_object_sync(log->file), 0);
        const u64 later = log->pool.fingerprint();
        REQUIRE_EQ(log->crash_and_open(), 0);
        CHECK_EQ(log->pool.fingerprint(), later);
    }
    CHECK_EQ(log->pool.check(), 0u);
}

// Turned read-only it is as if it had been closed: a crash then has nothing to replay. And turned back it goes on.
void turned(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    TestPool& pool = log->pool;
    for (u32 round = 0; round < 6 && !test.failed(); round++) {
        CHECK_EQ(log->log_write(log->file, round, 1, 900 + round, k_size), 0);
        CHECK_EQ(core_object_sync(log->file), 0);
        CHECK(pool.pool().uberblock().log_generation != 0);
        REQUIRE_EQ(core_pool_set_read_only(pool.handle(), true), 0);
        CHECK_EQ(pool.pool().uberblock().log_generation, 0u);
        u64 print = pool.fingerprint();
        if (round % 2) {
            REQUIRE_EQ(log->crash_and_open(), 0);
            CHECK_EQ(pool.pool().uberblock().log_generation, 0u);
            CHECK_EQ(pool.fingerprint(), print);
        } else {
            REQUIRE_EQ(core_pool_set_read_only(pool.handle(), false), 0);
        }
        CHECK_EQ(log->log_write(log->file, round + 1, 1, 950 + round, k_size), 0);
        CHECK_EQ(core_object_sync(log->file), 0);
        CHECK(pool.pool().uberblock().log_generation != 0);
        print = pool.fingerprint();
        REQUIRE_EQ(log->crash_and_open(), 0);
        CHECK_EQ(pool.fingerprint(), print);
    }
    CHECK_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
}

// The newest uberblock is lost in all labels after the log was begun anew: the group before finds what was logged since.
void turned_and_fallen_back(Test& test)
{
    for (u32 closes = 0; closes < 2; closes++) {
        Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
        REQUIRE_OK(log->start());
        TestPool& pool = log->pool;
        CHECK_EQ(log->log_write(log->file, 1, 1, 900, k_size), 0);
        CHECK_EQ(core_object_sync(log->file), 0);
        if (closes) {
            log->drop();
            REQUIRE_EQ(pool.close(), 0);
            REQUIRE_EQ(pool.open(false), 0);
            core_pool_set_options(pool.handle(), 3600u * 1000, CORE_ERRORS_REMOUNT_RO);
            REQUIRE_EQ(log->find(), 0);
        } else {
            REQUIRE_EQ(core_pool_set_read_only(pool.handle(), true), 0);
            REQUIRE_EQ(core_pool_set_read_only(pool.handle(), false), 0);
        }
        CHECK_EQ(log->log_write(log->file, 2, 1, 950, k_size), 0);
        CHECK_EQ(core_object_sync(log->file), 0);
        const u64 newest = pool.pool().uberblock().txg.value();
        log->drop();
        (void)pool.crash();
        const u8 zeros[512] {};
        for (u32 i = 0; i < 2 * k_label_count; i++) {
            const u64 ring = label_offset(i % k_label_count, TestPool::k_device_bytes / k_block_size) + k_label_ring_offset;
            lcpfs_test_device_poke(pool.device(i / k_label_count), ring + u64(uberblock_slot_of(newest)) * k_uberblock_slot_bytes, zeros,
                                   sizeof(zeros));
        }
        REQUIRE_EQ(pool.open(false), 0);
        REQUIRE_EQ(log->find(), 0);
        u32 tags[2];
        CHECK_EQ(pool.read(log->file, 1, 2, tags), 0);
        CHECK(tags[0] == 900 && tags[1] == 950);
        CHECK_EQ(pool.settle(), 0);
        CHECK_EQ(pool.check(), 0u);
    }
}

// What has committed is read without writing out what waits of the same file.
void read_beside(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    TestPool& pool = log->pool;
    u32 tags[8];
    CHECK_EQ(log->log_write(log->file, 3, 2, 700, k_size), 0);
    CHECK_EQ(log->log_write(log->file, 20, 1, 710, 21 * k_block_size), 0);
    const u64 waiting = pool.delayed_bytes();
    CHECK_EQ(waiting, 3u * k_block_size);
    CHECK_EQ(pool.read(log->file, 0, 3, tags), 0);
    CHECK(tags[0] == 100 && tags[2] == 102);
    CHECK_EQ(pool.read(log->file, 5, 2, tags), 0);
    CHECK(tags[0] == 105 && tags[1] == 106);
    CHECK_EQ(pool.read(log->file, 10, 8, tags), 0); // a hole
    CHECK_EQ(pool.delayed_bytes(), waiting);
    CHECK(!core_read_waits(log->file, 0, 3));
    CHECK(core_read_waits(log->file, 4, 1));
    CHECK_EQ(pool.read(log->file, 2, 4, tags), 0);
    CHECK(tags[0] == 102 && tags[1] == 700 && tags[2] == 701 && tags[3] == 105);
    CHECK_EQ(pool.delayed_bytes(), 0u);
    CHECK_EQ(log->log_write(log->file, 3, 2, 720, k_size), 0);
    CHECK_EQ(pool.read(log->file, 4, 1, tags), 0);
    CHECK_EQ(tags[0], 721u);
    CHECK_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
}

// Somebody who writes the same block all the time, and every time has it there before the reader looks.
struct Hammer {
    LogPool& log;
    u32 from;
    Atomic<u32> is_over { 0 };
    Atomic<u32> written { 0 };
    int error { 0 };

    static void run(void* context)
    {
        Hammer& self = *static_cast<Hammer*>(context);
        for (u32 tag = self.from; !self.is_over.load() && !self.error; tag++) {
            self.error = self.log.log_write(self.log.file, 2, 1, tag, k_size);
            self.error = self.error ? self.error : core_object_sync(self.log.file);
            self.written.store(tag);
        }
    }
};

void read_while_written(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    constexpr u32 k_reads = 300;
    Hammer hammer { *log, 1000 };
    host_thread* thread = host_thread_start("hammer", Hammer::run, &hammer);
    REQUIRE(thread != nullptr);
    u32 seen = 0;
    for (u32 i = 0; i < k_reads && !test.failed(); i++) {
        const u32 before = hammer.written.load();
        CHECK_EQ(log->pool.read(log->file, 2, 1, &seen), 0);
        CHECK(seen >= before && (before == 0 || seen <= hammer.written.load() + 1));
    }
    hammer.is_over.store(1);
    host_thread_join(thread);
    CHECK_EQ(hammer.error, 0);
    CHECK_EQ(log->pool.settle(), 0);
    CHECK_EQ(log->pool.check(), 0u);
}

constexpr TestCase k_cases[] = { { "over_and_over", over_and_over }, { "again_but_not_the_same", again_but_not_the_same },
                                 { "many_unsynced", many_unsynced }, { "neighbours", neighbours },
                                 { "failed_flush", failed_flush }, { "closed", closed }, { "turned", turned },
                                 { "turned_and_fallen_back", turned_and_fallen_back },
                                 { "bounded", bounded }, { "read_beside", read_beside }, { "read_while_written", read_while_written } };
}
LCPFS_SUITE(log_write, k_cases);

}
