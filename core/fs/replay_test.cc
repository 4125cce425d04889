// SPDX-License-Identifier: GPL-2.0-only
// The log as the filesystem uses it: every operation acknowledged by it is there after a crash, without a group's commit.
#include "core/fs/replay.h"

#include "core/test/log_pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

int minus(Error error) { return -errno_of(error); }

struct Operation {
    const char* name;
    int (*run)(LogPool& log);
};

int make_unnamed_and_link(LogPool& log)
{
    core_new how {};
    how.mode = k_file;
    how.time = TestPool::k_time;
    core_object* made;
    if (int error = core_create_unnamed(log.pool.root(), &how, &made))
        return error;
    int error = log.pool.write(made, 0, 2, 500, 5000);
    error = error ? error : log.pool.link(log.directory, "linked", made);
    core_object_put(made);
    return error;
}

int set_attributes_of(LogPool& log)
{
    core_attr attr {};
    attr.mode = 0604;
    attr.uid = 7;
    attr.size_bytes = 1; // not set by this
    attr.gid = 8;
    attr.mtime = { -5, 999999999 };
    attr.atime = { 1ll << 33, 1 };
    attr.ctime = { 77, 78 };
    attr.flags = 0x10;
    attr.project = 3;
    attr.change = 1ull << 40;
    constexpr unsigned k_all = CORE_SET_MODE | CORE_SET_UID | CORE_SET_GID | CORE_SET_ATIME | CORE_SET_MTIME | CORE_SET_CTIME
        | CORE_SET_PROJECT | CORE_SET_FLAGS | CORE_SET_CHANGE;
    return core_object_set_attr(log.file, &attr, k_all);
}

constexpr Operation k_operations[] = {
    { "create", [](LogPool& log) { return log.pool.make(log.directory, "new", k_file); } },
    { "create_device", [](LogPool& log) { return log.pool.make(log.directory, "device", 0060600); } },
    { "make_directory", [](LogPool& log) { return log.pool.make(log.pool.root(), "new_directory", k_directory); } },
    { "symlink", [](LogPool& log) { return log.pool.symlink(log.pool.root(), "symlink", "where/to", 8); } },
    { "create_unnamed_link", make_unnamed_and_link },
    { "remove", [](LogPool& log) { return log.pool.unlink(log.pool.root(), "a"); } },
    { "remove_kept_open", [](LogPool& log) { return log.pool.unlink(log.pool.root(), "b", false); } },
    { "remove_directory", [](LogPool& log) { return log.pool.unlink(log.pool.root(), "empty"); } },
    { "link", [](LogPool& log) { return log.pool.link(log.directory, "other_name", log.file); } },
    { "rename", [](LogPool& log) { return log.pool.rename(log.pool.root(), "file", log.pool.root(), "file2", 0); } },
    { "rename_back", [](LogPool& log) { return log.pool.rename(log.pool.root(), "file2", log.pool.root(), "file", 0); } },
    { "rename_away", [](LogPool& log) { return log.pool.rename(log.directory, "inside", log.pool.root(), "outside", 0); } },
    { "rename_exchange",
      [](LogPool& log) { return log.pool.rename(log.pool.root(), "outside", log.pool.root(), "new_directory", CORE_RENAME_EXCHANGE); } },
    { "rename_over", [](LogPool& log) { return log.pool.rename(log.directory, "new", log.pool.root(), "new_directory", 0); } },
    { "rename_directory_over",
      [](LogPool& log) {
          const int made = log.pool.make(log.pool.root(), "empty2", k_directory);
          return made ? made : log.pool.rename(log.pool.root(), "empty2", log.pool.root(), "outside", 0);
      } },
    { "write", [](LogPool& log) { return log.pool.write(log.file, 2, 3, 700, 8 * k_block_size - 50); } },
    { "write_logged", [](LogPool& log) { return log.log_write(log.file, 4, 1, 900, 8 * k_block_size - 50); } },
    { "write_behind_end", [](LogPool& log) { return log.log_write(log.file, 12, 4, 950, 16 * k_block_size - 1); } },
    { "write_most", [](LogPool& log) { return log.log_write(log.file, 20, 16, 1000, 36 * k_block_size); } },
    { "write_again", [](LogPool& log) { return log.log_write(log.file, 21, 2, 1100, 36 * k_block_size); } },
    { "punch", [](LogPool& log) { return core_punch(log.file, 3, 6, { 8, 9 }); } },
    { "punch_again_and_behind", [](LogPool& log) { return core_punch(log.file, 8, 1ull << 40, { 8, 10 }); } },
    { "write_into_the_hole", [](LogPool& log) { return log.log_write(log.file, 20, 16, 1050, 36 * k_block_size); } },
    { "truncate_inside", [](LogPool& log) { return log.pool.truncate(log.file, 21 * k_block_size + 100); } },
    { "truncate_grow", [](LogPool& log) { return log.pool.truncate(log.file, 60 * k_block_size); } },
    { "write_inline", [](LogPool& log) { return log.pool.truncate(log.file, 0) ? -1 : log.pool.write(log.file, 0, 1, 77, 1000); } },
    { "write_inline_logged", [](LogPool& log) { return log.log_write(log.file, 0, 1, 78, 1200); } },
    { "set_attributes", set_attributes_of },
    { "set_one_attribute",
      [](LogPool& log) {
          core_attr attr {};
          attr.gid = 9;
          return core_object_set_attr(log.file, &attr, CORE_SET_GID);
      } },
    { "unnamed_without_a_name",
      [](LogPool& log) {
          core_new how {};
          how.mode = k_file;
          core_object* made;
          const int error = core_create_unnamed(log.directory, &how, &made);
          if (!error)
              core_object_put(made);
          return error;
      } },
    { "fifo_and_socket",
      [](LogPool& log) {
          const int made = log.pool.make(log.directory, "fifo", 0010640);
          return made ? made : log.pool.make(log.directory, "socket", 0140755);
      } },
};

// Each operation on top of all before it, crashed right behind its acknowledgement.
void operations(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    for (const Operation& operation : k_operations) {
        const u64 committed = log->committed();
        bool sound = CHECK_EQ(operation.run(*log), 0);
        sound = sound && CHECK_EQ(core_object_sync(log->directory), 0);
        sound = sound && CHECK_EQ(log->committed(), committed);
        const u64 print = log->pool.fingerprint();
        core_attr before, after;
        core_object_attr(log->file, &before);
        // The one whose name the next row takes back.
        const bool renamed = log->pool.id_of(log->pool.root(), "file") == 0;
        const u64 id = log->pool.id(log->file);
        if (renamed) {
            log->drop();
            (void)log->pool.crash();
            sound = sound && CHECK_EQ(log->pool.open(false), 0);
            core_pool_set_options(log->pool.handle(), 3600u * 1000, CORE_ERRORS_REMOUNT_RO);
            sound = sound && CHECK_EQ(log->pool.get(id, &log->file), 0);
            sound = sound && CHECK_EQ(log->pool.find(log->pool.root(), "directory", &log->directory), 0);
        } else {
            sound = sound && CHECK_EQ(log->crash_and_open(), 0);
        }
        if (!sound) {
            test.check(false, __FILE__, __LINE__, operation.name);
            return;
        }
        core_object_attr(log->file, &after);
        CHECK_EQ(log->pool.fingerprint(), print);
        CHECK_EQ(compare_bytes(&before, &after, offsetof(core_attr, rdev) + sizeof(before.rdev)), 0);
        const core_time* const times[][2]
            = { { &before.atime, &after.atime }, { &before.mtime, &after.mtime }, { &before.ctime, &after.ctime },
                { &before.btime, &after.btime } };
        for (const auto& time : times)
            CHECK(time[0]->seconds == time[1]->seconds && time[0]->nanoseconds == time[1]->nanoseconds);
        CHECK_EQ(log->pool.check(), 0u);
        if (test.failed()) {
            test.check(false, __FILE__, __LINE__, operation.name);
            return;
        }
    }
}

// What one fsync costs: one write, FUA, no flush, no group. (What the device does faster is a matter of chance here.)
void costs(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    Operation const rows[] = {
        { "overwrite", [](LogPool& pool) { return pool.log_write(pool.file, 1, 1, 5, 8 * k_block_size - 50); } },
        { "append", [](LogPool& pool) { return pool.log_write(pool.file, 8, 1, 6, 9 * k_block_size); } },
        { "create", [](LogPool& pool) { return pool.pool.make(pool.directory, "created", k_file); } },
    };
    // The first after opening as well.
    REQUIRE_EQ(log->crash_and_open(), 0);
    for (u16 i = 0; i < 2; i++)
        log->pool.pool().intent_log().writer().durability().set(VdevId(i), Durable::by_fua);
    for (const Operation& row : rows) {
        core_pool_status before, after;
        core_pool_get_status(log->pool.handle(), &before);
        CHECK_EQ(row.run(*log), 0);
        CHECK_EQ(core_object_sync(log->file), 0);
        core_pool_get_status(log->pool.handle(), &after);
        CHECK_EQ(after.device_writes, before.device_writes + 1);
        CHECK_EQ(after.device_flushes, before.device_flushes);
        CHECK_EQ(after.committed_txg, before.committed_txg);
        CHECK_EQ(after.log_frames, before.log_frames + 1);
        if (!test.check(!test.failed(), __FILE__, __LINE__, row.name))
            return;
    }
    // Nothing new: nothing written.
    core_pool_status before, after;
    core_pool_get_status(log->pool.handle(), &before);
    CHECK_EQ(core_object_sync(log->file), 0);
    core_pool_get_status(log->pool.handle(), &after);
    CHECK_EQ(after.device_writes, before.device_writes);
    // What the log has alone can be read, and is where it belongs once the group commits.
    u32 tags[3];
    CHECK_EQ(log->pool.read(log->file, 0, 2, tags), 0);
    CHECK(tags[0] == 100 && tags[1] == 5);
    CHECK_EQ(log->log_write(log->file, 3, 1, 40, 9 * k_block_size), 0);
    CHECK_EQ(log->pool.settle(), 0);
    CHECK_EQ(log->pool.delayed_bytes(), 0u);
    CHECK_EQ(log->pool.read(log->file, 3, 1, tags), 0);
    CHECK_EQ(tags[0], 40u);
    CHECK_EQ(log->pool.check(), 0u);
    log->drop();
}

// Every write of a replay and of the commit that ends it fails in its turn, on each device: the next opening starts over, with the
// same outcome.
void again(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    for (const Operation& operation : k_operations)
        REQUIRE_EQ(operation.run(*log), 0);
    REQUIRE_EQ(core_object_sync(log->file), 0);
    const u64 print = log->pool.fingerprint();
    log->drop();
    (void)log->pool.crash();
    u32 failures = 0;
    for (u32 n = 0; n < 80; n++) {
        for (u32 i = 0; i < 2; i++)
            lcpfs_test_device_fail(log->pool.device(i), HOST_IO_WRITE, n, 1);
        const int opened = log->pool.open(false);
        for (u32 i = 0; i < 2; i++)
            lcpfs_test_device_fail(log->pool.device(i), HOST_IO_WRITE, 0, 0);
        if (opened == 0)
            break;
        failures++;
    }
    CHECK(failures > 5);
    if (!log->pool.handle())
        REQUIRE_EQ(log->pool.open(false), 0);
    CHECK_EQ(log->pool.fingerprint(), print);
    CHECK_EQ(log->pool.check(), 0u);
}

// From each read of an opening on, the devices give nothing: that is said of them, not of the log, and nothing is lost.
void devices_that_fail(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    for (const Operation& operation : k_operations)
        REQUIRE_EQ(operation.run(*log), 0);
    REQUIRE_EQ(core_object_sync(log->file), 0);
    const u64 print = log->pool.fingerprint();
    log->drop();
    (void)log->pool.crash();
    constexpr host_io_status k_ways[] = { HOST_IO_MEDIUM, HOST_IO_TARGET };
    u32 failures = 0;
    for (u32 n = 0; n < 80 && !log->pool.handle(); n++)
        for (u32 way = 0; way < 2 && !log->pool.handle(); way++) {
            for (u32 i = 0; i < 2; i++)
                lcpfs_test_device_fail_as(log->pool.device(i), HOST_IO_READ, n, ~0ull, k_ways[way]);
            const int opened = log->pool.open(false);
            for (u32 i = 0; i < 2; i++)
                lcpfs_test_device_fail(log->pool.device(i), HOST_IO_READ, 0, 0);
            failures += opened != 0;
            if (opened != 0 && n > 8) // up to there it is labels and uberblocks, of which that can be said
                CHECK_EQ(opened, minus(way ? Error::io_target : Error::io_medium));
        }
    CHECK(failures > 20);
    REQUIRE(log->pool.handle());
    CHECK_EQ(log->pool.fingerprint(), print);
    REQUIRE_EQ(log->pool.close(), 0); // a bitmap may have been given up, until now
    REQUIRE_EQ(log->pool.open(false), 0);
    CHECK_EQ(log->pool.fingerprint(), print);
    CHECK_EQ(log->pool.check(), 0u);
}

// What is dumped of the log.
struct LogLines {
    u32 frames { 0 }, creations { 0 };
    static bool begins(const char* line, const char* with)
    {
        while (*with && *line == *with) {
            line++;
            with++;
        }
        return !*with;
    }
    static void take(void* self, const char* line)
    {
        LogLines& lines = *static_cast<LogLines*>(self);
        lines.frames += begins(line, "frame ");
        while (*line && *line != ':')
            line++;
        lines.creations += begins(line, ": create (1)");
    }
};

// Read-only shows the committed state when asked to, and refuses else; damage in an acknowledged frame refuses.
void refusals(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    const u64 committed = log->pool.fingerprint();
    u64 positions[10];
    for (u32 i = 0; i < 10; i++) {
        core_pool_status status;
        core_pool_get_status(log->pool.handle(), &status);
        positions[i] = status.log_position;
        char name[] = "n0";
        name[1] = static_cast<char>('0' + i);
        CHECK_EQ(log->pool.make(log->directory, name, k_file), 0);
        CHECK_EQ(core_object_sync(log->directory), 0);
    }
    const u64 print = log->pool.fingerprint();
    const LogRing::Place place = log->pool.pool().intent_log().ring().place(positions[3]);
    log->drop();
    (void)log->pool.crash();
    CHECK_EQ(log->pool.open(true), minus(Error::log_pending));
    core_pool_options options {};
    options.read_only = options.no_recovery = true;
    REQUIRE_EQ(log->pool.open_with(options), 0);
    CHECK_EQ(log->pool.fingerprint(), committed);
    CHECK_EQ(log->pool.check(), 0u);
    LogLines told;
    CHECK_EQ(core_dump(log->pool.handle(), "log", LogLines::take, &told), 0);
    CHECK_EQ(told.frames, 10u);
    CHECK_EQ(told.creations, 10u);
    CHECK_EQ(core_pool_set_read_only(log->pool.handle(), false), minus(Error::log_pending));
    REQUIRE_EQ(log->pool.close(), 0);

    u8 byte;
    lcpfs_test_device_peek(log->pool.device(place.vdev.value()), place.offset_bytes + 300, &byte, 1);
    byte ^= 1;
    lcpfs_test_device_poke(log->pool.device(place.vdev.value()), place.offset_bytes + 300, &byte, 1);
    CHECK_EQ(log->pool.open(false), minus(Error::log_missing));
    byte ^= 1;
    lcpfs_test_device_poke(log->pool.device(place.vdev.value()), place.offset_bytes + 300, &byte, 1);
    REQUIRE_EQ(log->pool.open(false), 0);
    CHECK_EQ(log->pool.fingerprint(), print);
    CHECK_EQ(log->pool.check(), 0u);
}

// A record of a later version, behind others: nothing of them is done, nothing is written.
void unknown_operation(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    const u64 committed = log->pool.fingerprint();
    CHECK_EQ(log->log_write(log->file, 1, 4, 7, 8 * k_block_size - 50), 0);
    CHECK_EQ(log->pool.make(log->directory, "known", k_file), 0);
    {
        Pool& pool = log->pool.pool();
        Box<LogRecord> record = pool.intent_log().prepare(static_cast<LogOpcode>(98), 16, 40);
        REQUIRE(record);
        TxgHold hold(pool.engine());
        pool.intent_log().append(hold.txg(), lcpfs::move(record));
    }
    CHECK_EQ(core_object_sync(log->directory), 0);
    log->drop();
    (void)log->pool.crash();
    u64 writes[2];
    for (u32 i = 0; i < 2; i++)
        writes[i] = lcpfs_test_device_requests(log->pool.device(i), HOST_IO_WRITE);
    for (u32 round = 0; round < 2; round++)
        CHECK_EQ(log->pool.open(false), minus(Error::log_opcode));
    for (u32 i = 0; i < 2; i++)
        CHECK_EQ(lcpfs_test_device_requests(log->pool.device(i), HOST_IO_WRITE), writes[i]);
    core_pool_options options {};
    options.discard_log = true;
    REQUIRE_EQ(log->pool.open_with(options), 0);
    CHECK_EQ(log->pool.fingerprint(), committed);
    CHECK_EQ(log->pool.check(), 0u);
}

void discarding(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    const u64 committed = log->pool.fingerprint();
    CHECK_EQ(log->pool.make(log->directory, "lost", k_file), 0);
    CHECK_EQ(core_object_sync(log->directory), 0);
    log->drop();
    (void)log->pool.crash();
    core_pool_options options {};
    options.discard_log = true;
    REQUIRE_EQ(log->pool.open_with(options), 0);
    CHECK_EQ(log->pool.fingerprint(), committed);
    REQUIRE_EQ(log->pool.close(), 0);
    REQUIRE_EQ(log->pool.open(false), 0);
    CHECK_EQ(log->pool.fingerprint(), committed);
    CHECK_EQ(log->pool.check(), 0u);
}

// A log write that fails: fsync fails, and the pool follows errors=.
void log_errors(Test& test)
{
    const core_errors_policy policies[] = { CORE_ERRORS_REMOUNT_RO, CORE_ERRORS_CONTINUE };
    for (core_errors_policy policy : policies) {
        Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
        REQUIRE_OK(log->start());
        core_pool_set_options(log->pool.handle(), 3600u * 1000, policy);
        CHECK_EQ(log->pool.make(log->directory, "one", k_file), 0);
        for (u32 i = 0; i < 2; i++)
            lcpfs_test_device_fail(log->pool.device(i), HOST_IO_WRITE, 0, 1);
        CHECK_EQ(core_object_sync(log->directory), minus(Error::io_error));
        for (u32 i = 0; i < 2; i++)
            lcpfs_test_device_fail(log->pool.device(i), HOST_IO_WRITE, 0, 0);
        const int made = log->pool.make(log->directory, "two", k_file);
        CHECK_EQ(made, policy == CORE_ERRORS_CONTINUE ? 0 : minus(Error::frozen));
        if (made)
            continue;
        CHECK_EQ(core_object_sync(log->directory), 0);
        const u64 print = log->pool.fingerprint();
        REQUIRE_EQ(log->crash_and_open(), 0);
        CHECK_EQ(log->pool.fingerprint(), print);
        CHECK_EQ(log->pool.check(), 0u);
    }
}

// A cut inside a block is done again without the block as it was, which may be anything by then.
void cut_of_a_damaged_block(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    constexpr u64 k_sizes[] = { 5 * k_block_size + 77, 2 * k_block_size + 1000, 700 };
    for (u64 size : k_sizes) {
        core_extent old;
        REQUIRE_EQ(core_map(log->file, size / k_block_size, &old), 0);
        REQUIRE(!old.hole && !old.inlined);
        REQUIRE_EQ(log->pool.truncate(log->file, size), 0);
        REQUIRE_EQ(core_object_sync(log->file), 0);
        const u64 print = log->pool.fingerprint();
        log->drop();
        (void)log->pool.crash();
        const u32 noise = 0xe1e2e3e4;
        lcpfs_test_device_poke(log->pool.device(old.device), old.device_block * k_block_size + 40, &noise, sizeof(noise));
        REQUIRE_EQ(log->pool.open(false), 0);
        core_pool_set_options(log->pool.handle(), 3600u * 1000, CORE_ERRORS_REMOUNT_RO);
        REQUIRE_EQ(log->find(), 0);
        CHECK_EQ(log->pool.fingerprint(), print);
        REQUIRE_EQ(log->pool.settle(), 0);
        CHECK_EQ(log->pool.check(), 0u);
    }
}

constexpr TestCase k_cases[] = {
    { "cut_of_a_damaged_block", cut_of_a_damaged_block },
    { "operations", operations },
    { "costs", costs },
    { "again", again },
    { "devices_that_fail", devices_that_fail },
    { "refusals", refusals },
    { "unknown_operation", unknown_operation },
    { "discarding", discarding },
    { "log_errors", log_errors },
};
}
LCPFS_SUITE(replay, k_cases);

}
