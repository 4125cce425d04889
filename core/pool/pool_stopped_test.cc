// SPDX-License-Identifier: GPL-2.0-only
// Pools that take no more changes: read-only by wish, by a failed commit, by a contradiction of our own.
#include "core/pool/pool.h"

#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

static int minus(Error error) { return -errno_of(error); }
static constexpr u32 k_file = k_mode_regular | 0644;

static void check_refuses(Test& test, TestPool& pool, core_object* file, int expected)
{
    core_object* root = pool.root();
    core_attr attr {};
    core_object* made;
    core_new how {};
    how.mode = k_file;
    CHECK_EQ(pool.make(root, "x", k_file), expected);
    CHECK_EQ(pool.symlink(root, "x", "t", 1), expected);
    CHECK_EQ(core_create_unnamed(root, &how, &made), expected);
    CHECK_EQ(pool.link(root, "x", file), expected);
    CHECK_EQ(pool.unlink(root, "file"), expected);
    CHECK_EQ(pool.rename(root, "file", root, "y", 0), expected);
    CHECK_EQ(pool.truncate(file, 0), expected);
    CHECK_EQ(pool.write(file, 0, 1, 9, k_block_size), expected);
    CHECK_EQ(core_object_set_attr(file, &attr, CORE_SET_MODE), expected);
    CHECK_EQ(core_object_delete(file), expected);
    u32 tag = 0;
    CHECK_EQ(pool.read(file, 0, 1, &tag), 0);
    CHECK_EQ(tag, 7u);
}

static void read_only(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    CHECK_EQ(pool->write(file, 0, 1, 7, k_block_size), 0);
    const u64 print = pool->fingerprint();
    // Remounted, with changes under way that get committed first.
    CHECK_EQ(core_pool_set_read_only(pool->handle(), true), 0);
    CHECK_EQ(pool->dirty_bytes(), 0u);
    check_refuses(test, *pool, file, minus(Error::read_only));
    CHECK_EQ(pool->check(), 0u);
    CHECK_EQ(core_pool_set_read_only(pool->handle(), false), 0);
    CHECK_EQ(pool->write(file, 1, 1, 8, 2 * k_block_size), 0);
    CHECK_EQ(pool->truncate(file, k_block_size), 0);
    core_object_put(file);
    REQUIRE_EQ(pool->close(), 0);

    REQUIRE_EQ(pool->open(true), 0);
    REQUIRE_EQ(pool->find(pool->root(), "file", &file), 0);
    check_refuses(test, *pool, file, minus(Error::read_only));
    CHECK(pool->fingerprint() != print); // what came after, the change counts too
    CHECK_EQ(pool->sync(), 0);
    CHECK_EQ(core_object_sync(file), 0);
    Box<core_pool_status> status = REQUIRE_VALUE(make_box<core_pool_status>());
    core_pool_get_status(pool->handle(), status.get());
    CHECK(status->read_only && !status->frozen);
    CHECK_EQ(status->device_writes, 0u);
    CHECK_EQ(pool->check(), 0u);
    core_object_put(file);
    REQUIRE_EQ(pool->close(), 0);
}

namespace {
struct LateChange {
    core_object* file;
    int result { 1 };
    static void run(void* context)
    {
        LateChange& self = *static_cast<LateChange*>(context);
        core_attr attr {};
        attr.mode = 0400;
        self.result = core_object_set_attr(self.file, &attr, CORE_SET_MODE);
    }
    static void turn_read_only(void* context)
    {
        LateChange& self = *static_cast<LateChange*>(context);
        self.turned = core_pool_set_read_only(self.pool, true);
    }
    core_pool* pool;
    int turned { 1 };
};
}

namespace {
// What the pool's background thread does in the test below.
struct AtWork {
    static void body(Pool& pool)
    {
        s_begun.add(1);
        Event turning;
        (void)turning.wait_timeout(50 * k_ns_per_ms, [] { return false; }); // by then whoever turns it read-only waits for this
        s_woken.store(pool.wake_background().is_ok());
    }
    static inline Atomic<u32> s_begun { 0 }, s_woken { 0 };
};
}

// Background work that is under way, and looks after the pool's state itself, is waited for by who turns the pool read-only.
static void read_only_at_work(Test& test)
{
    AtWork::s_begun.store(0);
    AtWork::s_woken.store(0);
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    pool->pool().set_background(AtWork::body);
    REQUIRE_OK(pool->pool().wake_background());
    for (u32 i = 0; i < 1000000 && AtWork::s_begun.load() == 0; i++)
        host_yield();
    CHECK(AtWork::s_begun.load() > 0);
    CHECK_EQ(core_pool_set_read_only(pool->handle(), true), 0);
    CHECK_EQ(AtWork::s_woken.load(), 1u);
    CHECK_EQ(core_pool_set_read_only(pool->handle(), true), 0);
    // Nothing is begun now, and what was asked for meanwhile is afterwards.
    const u32 begun = AtWork::s_begun.load();
    REQUIRE_OK(pool->pool().wake_background());
    Event nothing;
    (void)nothing.wait_timeout(20 * k_ns_per_ms, [] { return false; });
    CHECK_EQ(AtWork::s_begun.load(), begun);
    CHECK_EQ(core_pool_set_read_only(pool->handle(), false), 0);
    for (u32 i = 0; i < 1000000 && AtWork::s_begun.load() == begun; i++)
        host_yield();
    CHECK(AtWork::s_begun.load() > begun);
    core_object_put(file);
    REQUIRE_EQ(pool->close(), 0);
}

// An operation that was let in before the pool turned read-only and comes to its change after it.
static void read_only_late(Test& test) NO_THREAD_SAFETY_ANALYSIS
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    LateChange late {};
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &late.file), 0);
    REQUIRE_EQ(pool->settle(), 0);
    Object& object = object_of(late.file);
    object.m_lock.lock();
    host_thread* thread = host_thread_start("lcpfs-late", LateChange::run, &late);
    for (u32 i = 0; thread && i < 100000 && pool->promised() == 0; i++) // then it has been let in
        host_yield();
    const bool came = thread && pool->promised() != 0;
    late.pool = pool->handle();
    host_thread* turning = host_thread_start("lcpfs-turn", LateChange::turn_read_only, &late);
    if (turning)
        host_thread_join(turning);
    object.m_lock.unlock();
    if (thread)
        host_thread_join(thread);
    CHECK(came);
    CHECK_EQ(late.turned, 0);
    CHECK_EQ(late.result, minus(Error::read_only));
    CHECK_EQ(pool->dirty_bytes(), 0u);
    CHECK_EQ(pool->promised(), 0u);
    Box<core_pool_status> status = REQUIRE_VALUE(make_box<core_pool_status>());
    core_pool_get_status(pool->handle(), status.get());
    const u64 writes = status->device_writes;
    CHECK_EQ(pool->pool().engine().newest_changed(), pool->pool().engine().committed_txg());
    CHECK_EQ(pool->sync(), 0);
    core_pool_get_status(pool->handle(), status.get());
    CHECK_EQ(status->device_writes, writes);
    CHECK_EQ(core_pool_set_read_only(pool->handle(), false), 0);
    LateChange::run(&late);
    CHECK_EQ(late.result, 0);
    CHECK_EQ(pool->sync(), 0);
    CHECK_EQ(pool->check(), 0u);
    core_object_put(late.file);
}

// What was let in before and does not go by a file: partitions, log devices, commits for their own sake.
static void read_only_for_all(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->settle(), 0);
    Pool& inner = pool->pool();
    REQUIRE_EQ(core_pool_set_read_only(pool->handle(), true), 0);
    Box<core_pool_status> before = REQUIRE_VALUE(make_box<core_pool_status>());
    Box<core_pool_status> after = REQUIRE_VALUE(make_box<core_pool_status>());
    core_pool_get_status(pool->handle(), before.get());
    TextLine message;
    CHECK_EQ(inner.partitions().make("late", {}, message).error(), Error::read_only);
    CHECK_EQ(inner.intent_log().change_members(1, 0).error(), Error::read_only);
    CHECK_EQ(inner.engine().force_commit().error(), Error::read_only);
    CHECK_EQ(pool->sync(), 0);
    core_pool_get_status(pool->handle(), after.get());
    CHECK_EQ(after->committed_txg, before->committed_txg);
    CHECK_EQ(after->device_writes, before->device_writes);
    CHECK_EQ(core_pool_set_read_only(pool->handle(), false), 0);
    CHECK_OK(inner.engine().force_commit());
    CHECK_OK(inner.partitions().make("late", {}, message));
    REQUIRE_EQ(core_pool_set_read_only(pool->handle(), true), 0);
    CHECK_EQ(inner.partitions().change("late", {}, message).error(), Error::read_only);
    CHECK_EQ(inner.partitions().remove("late", message).error(), Error::read_only);
    CHECK_EQ(core_pool_set_read_only(pool->handle(), false), 0);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
}

namespace {
struct Committer {
    TxgEngine& engine;
    Atomic<u32> is_over { 0 };
    Atomic<u32> commits { 0 };
    static void run(void* context)
    {
        Committer& self = *static_cast<Committer*>(context);
        while (!self.is_over.load())
            self.commits.add(self.engine.force_commit().is_ok());
    }
};
}

// Somebody has empty groups committed all the time: from when it is read-only on not one.
static void read_only_and_commits(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    Committer committer { pool->pool().engine() };
    host_thread* thread = host_thread_start("lcpfs-committer", Committer::run, &committer);
    REQUIRE(thread != nullptr);
    Box<core_pool_status> status = REQUIRE_VALUE(make_box<core_pool_status>());
    for (u32 round = 0; round < 50 && !test.failed(); round++) {
        const u32 commits = committer.commits.load();
        while (committer.commits.load() == commits)
            host_yield();
        CHECK_EQ(core_pool_set_read_only(pool->handle(), true), 0);
        core_pool_get_status(pool->handle(), status.get());
        const u64 committed = status->committed_txg, writes = status->device_writes;
        for (u32 i = 0; i < 100; i++)
            host_yield();
        core_pool_get_status(pool->handle(), status.get());
        CHECK_EQ(status->committed_txg, committed);
        CHECK_EQ(status->device_writes, writes);
        CHECK_EQ(core_pool_set_read_only(pool->handle(), false), 0);
    }
    committer.is_over.store(1);
    host_thread_join(thread);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
}

// A commit that fails freezes the pool; the disk keeps the group before.
static void freezing(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    CHECK_EQ(pool->write(file, 0, 1, 7, k_block_size), 0);
    CHECK_EQ(pool->sync(), 0);
    const u64 print = pool->fingerprint();
    CHECK_EQ(pool->make(pool->root(), "lost", k_file), 0);
    for (u32 i = 0; i < 2; i++)
        lcpfs_test_device_fail(pool->device(i), HOST_IO_WRITE, 0, 1000000);
    CHECK_EQ(pool->sync(), minus(Error::io_error));
    Box<core_pool_status> status = REQUIRE_VALUE(make_box<core_pool_status>());
    core_pool_get_status(pool->handle(), status.get());
    CHECK(status->frozen);
    check_refuses(test, *pool, file, minus(Error::frozen));
    CHECK_EQ(core_pool_set_read_only(pool->handle(), false), minus(Error::frozen));
    CHECK_EQ(core_object_sync(pool->root()), minus(Error::io_error));
    core_object_put(file);
    CHECK_EQ(pool->close(), minus(Error::io_error));
    for (u32 i = 0; i < 2; i++)
        lcpfs_test_device_fail(pool->device(i), HOST_IO_WRITE, 0, 0);
    REQUIRE_EQ(pool->open(false), 0);
    CHECK_EQ(pool->fingerprint(), print);
    CHECK_EQ(pool->check(), 0u);
}

// Something frees blocks that are not in use, as damaged trees may make it: errors= decides; a use of what is in use ends it always.
static void contradictions(Test& test)
{
    struct {
        core_errors_policy policy;
        bool used;
        int expected;
    } const rows[] = {
        { CORE_ERRORS_CONTINUE, false, 0 },
        { CORE_ERRORS_REMOUNT_RO, false, minus(Error::contradiction) },
        { CORE_ERRORS_CONTINUE, true, minus(Error::contradiction) },
    };
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    for (const auto& row : rows) {
        core_pool_set_options(pool->handle(), 30000, row.policy);
        core_object* file;
        REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
        CHECK_EQ(pool->write(file, 0, 8, 1, 8 * k_block_size), 0);
        REQUIRE_EQ(pool->settle(), 0);
        core_extent where;
        REQUIRE_EQ(core_map(file, 0, &where), 0);
        core_object_put(file);
        // The last block of the device's metaslabs is free; the file's first is not.
        Dva dva { where.device_block, 1, VdevId(static_cast<u16>(where.device)) };
        if (!row.used)
            dva.block = k_first_metaslab_block + u64(pool->pool().vdevs().vdev(dva.vdev).metaslab_blocks)
                    * pool->pool().vdevs().vdev(dva.vdev).metaslab_count - 1;
        CHECK_OK(pool->pool().allocator().prepare_free(dva));
        {
            TxgHold hold(pool->pool().engine());
            SpaceLog::Batch batch(pool->pool().space_log());
            CHECK_OK(batch.prepare(1));
            batch.add(dva, row.used ? SpaceUse::used : SpaceUse::freed);
            batch.commit(hold.txg());
        }
        CHECK_EQ(pool->make(pool->root(), "other", k_file), 0);
        CHECK_EQ(pool->sync(), row.expected);
        CHECK_EQ(pool->pool().frozen() == Error::none, row.expected == 0);
        if (row.expected == 0)
            CHECK_EQ(pool->unlink(pool->root(), "other"), 0);
        // What is committed is whole in any case, and is there.
        CHECK_EQ(pool->close() != 0, row.expected != 0);
        REQUIRE_EQ(pool->open(false), 0);
        CHECK_EQ(pool->check(), 0u);
        REQUIRE_EQ(pool->unlink(pool->root(), "file"), 0);
        REQUIRE_EQ(pool->settle(), 0);
        CHECK_EQ(pool->check(), 0u);
    }
}

// Writes of a commit that fail one after another: each time the group before is whole.
static void every_write(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->make(pool->root(), "file", k_file), 0);
    REQUIRE_EQ(pool->settle(), 0);
    bool went_through = false;
    for (u32 n = 0; n < 30 && !went_through; n++) {
        const u64 print = pool->fingerprint();
        CHECK_EQ(pool->rename(pool->root(), n % 2 ? "other" : "file", pool->root(), n % 2 ? "file" : "other", 0), 0);
        const u64 renamed = pool->fingerprint();
        for (u32 i = 0; i < 2; i++)
            lcpfs_test_device_fail(pool->device(i), HOST_IO_WRITE, i == n % 2 ? n / 2 : 1000000, 1);
        const int result = pool->sync();
        for (u32 i = 0; i < 2; i++)
            lcpfs_test_device_fail(pool->device(i), HOST_IO_WRITE, 0, 0);
        const int closed = pool->close();
        CHECK_EQ(closed != 0, result != 0);
        REQUIRE_EQ(pool->open(false), 0);
        went_through = pool->fingerprint() == renamed;
        if (result == 0)
            CHECK(went_through);
        else
            CHECK(went_through || pool->fingerprint() == print);
        if (!CHECK_EQ(pool->check(), 0u))
            return host_log(HOST_LOG_ERROR, pool->finding);
        if (!went_through && n % 2 == 0) {
            // For the next round's names.
            CHECK_EQ(pool->rename(pool->root(), "file", pool->root(), "other", 0), 0);
            REQUIRE_EQ(pool->settle(), 0);
        } else if (!went_through) {
            CHECK_EQ(pool->rename(pool->root(), "other", pool->root(), "file", 0), 0);
            REQUIRE_EQ(pool->settle(), 0);
        }
        if (test.failed())
            return;
    }
    CHECK(went_through);
}

namespace {
constexpr TestCase k_cases[] = { { "read_only", read_only }, { "read_only_at_work", read_only_at_work },
    { "read_only_late", read_only_late }, { "read_only_for_all", read_only_for_all },
    { "read_only_and_commits", read_only_and_commits }, { "freezing", freezing }, { "contradictions", contradictions },
    { "every_write", every_write } };
}
LCPFS_SUITE(pool_stopped, k_cases);

}
