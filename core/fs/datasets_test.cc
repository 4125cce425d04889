// SPDX-License-Identifier: GPL-2.0-only
// Several datasets in a pool: made, named, used side by side, destroyed, and what a crash leaves of each.
#include "core/fs/dataset_change.h"

#include "core/fs/erase.h"
#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr u32 k_file = k_mode_regular | 0644;
constexpr u32 k_directory = k_mode_directory | 0755;

int minus(Error error) { return -errno_of(error); }

int create(TestPool& pool, const char* name)
{
    core_new_dataset how { name, "", 0750, 3, 4, TestPool::k_time };
    return core_dataset_create(pool.handle(), &how);
}

// A dataset in use: its root, referenced.
struct Opened {
    core_dataset* dataset { nullptr };
    core_object* root { nullptr };
    int open(TestPool& pool, const char* name)
    {
        const int error = core_dataset_get(pool.handle(), name, &dataset);
        return error ? error : core_object_get(dataset, CORE_ROOT_OBJECT, 0, &root);
    }
    void close()
    {
        if (root)
            core_object_put(root);
        if (dataset)
            core_dataset_put(dataset);
        root = nullptr;
        dataset = nullptr;
    }
    ~Opened() { close(); }
    // 0: there is none.
    u64 id_of(const char* name)
    {
        u64 id;
        u8 type;
        return core_lookup(root, name, static_cast<u32>(__builtin_strlen(name)), &id, &type) == 0 ? id : 0;
    }
    int get(const char* name, core_object** object) { return core_object_get(dataset, id_of(name), 0, object); }
};

// How many there are, those being destroyed too.
u32 count(TestPool& pool)
{
    core_dataset_info info;
    u32 found = 0;
    for (u64 id = 0; core_dataset_next(pool.handle(), id, &info) == 0; id = info.id + 1)
        found++;
    return found;
}

// A file of `blocks` blocks, each of its own tag from `tag` on.
int make_file(TestPool& pool, core_object* root, const char* name, u32 blocks, u32 tag)
{
    core_object* file;
    int error = pool.create(root, name, k_file, &file);
    if (error)
        return error;
    for (u32 at = 0; at < blocks && !error; at += 64)
        error = pool.write(file, at, min(64u, blocks - at), tag + at, u64(blocks) * k_block_size);
    core_object_put(file);
    return error;
}

bool holds(TestPool& pool, Opened& in, const char* name, u32 tag)
{
    core_object* file;
    if (in.get(name, &file) != 0)
        return false;
    u32 found = 0;
    const int error = pool.read(file, 0, 1, &found);
    core_object_put(file);
    return error == 0 && found == tag;
}

}

static void refusals(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    static constexpr char k_longest[] = "a234567890123456789012345678901234567890123456789012345678901-3";
    static_assert(sizeof(k_longest) == 64);
    struct {
        const char* name;
        Error expected;
    } const rows[] = {
        { "home", Error::none }, { "home", Error::exists }, { "default", Error::exists }, { "", Error::invalid },
        { "a/b", Error::invalid }, { ".x", Error::invalid }, { "-x", Error::invalid }, { "a b", Error::invalid },
        { "a,b", Error::invalid }, { "a\nb", Error::invalid }, { "\xc3\xa4", Error::invalid }, { k_longest, Error::none },
        { "a2345678901234567890123456789012345678901234567890123456789012-4", Error::name_too_long }, { "0:x_y.z-", Error::none },
    };
    for (const auto& row : rows)
        CHECK_EQ(create(*pool, row.name), minus(row.expected));
    CHECK_EQ(count(*pool), 4u);
    core_pool* const handle = pool->handle();
    CHECK_EQ(core_dataset_rename(handle, "none", "other"), minus(Error::not_found));
    CHECK_EQ(core_dataset_rename(handle, "default", "other"), minus(Error::not_permitted));
    CHECK_EQ(core_dataset_rename(handle, "home", k_longest), minus(Error::exists));
    CHECK_EQ(core_dataset_rename(handle, "home", "a/b"), minus(Error::invalid));
    CHECK_EQ(core_dataset_destroy(handle, "default"), minus(Error::not_permitted));
    CHECK_EQ(core_dataset_destroy(handle, "none"), minus(Error::not_found));
    CHECK_EQ(core_dataset_set(handle, "home", CORE_DATASET_SET_SYNC, 3), minus(Error::invalid));
    CHECK_EQ(core_dataset_set(handle, "none", CORE_DATASET_SET_SYNC, 1), minus(Error::not_found));
    CHECK_EQ(core_dataset_set(handle, "home", static_cast<core_dataset_setting>(9), 0), minus(Error::invalid));
    core_dataset* none;
    CHECK_EQ(core_dataset_get(handle, "none", &none), minus(Error::not_found));
    {
        Opened used;
        REQUIRE_EQ(used.open(*pool, "home"), 0);
        CHECK_EQ(core_dataset_destroy(handle, "home"), minus(Error::busy));
    }
    CHECK_EQ(core_pool_set_read_only(handle, true), 0);
    CHECK_EQ(create(*pool, "late"), minus(Error::read_only));
    CHECK_EQ(core_dataset_destroy(handle, "home"), minus(Error::read_only));
    CHECK_EQ(pool->check(), 0u);
}

// As many as there can be, and the next one refused; all there after a mount, in the order of their ids.
static void many(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    char name[] = "d000";
    for (u32 i = 1; i <= k_max_datasets; i++) {
        name[1] = static_cast<char>('0' + i / 100);
        name[2] = static_cast<char>('0' + i / 10 % 10);
        name[3] = static_cast<char>('0' + i % 10);
        REQUIRE_EQ(create(*pool, name), i < k_max_datasets ? 0 : minus(Error::no_space));
    }
    CHECK_EQ(pool->check(), 0u);
    REQUIRE_EQ(pool->close(), 0);
    REQUIRE_EQ(pool->open(false), 0);
    CHECK_EQ(count(*pool), k_max_datasets);
    CHECK_EQ(core_dataset_destroy(pool->handle(), "d100"), 0);
    pool->pool().background().wait_idle();
    CHECK_EQ(create(*pool, "again"), 0);
    CHECK_EQ(pool->check(), 0u);
}

// What is done in one is not seen in another, whose objects have the same ids; each has its sums.
static void side_by_side(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(create(*pool, "a"), 0);
    REQUIRE_EQ(create(*pool, "b"), 0);
    {
        Opened a, b;
        REQUIRE_EQ(a.open(*pool, "a"), 0);
        REQUIRE_EQ(b.open(*pool, "b"), 0);
        CHECK_EQ(make_file(*pool, a.root, "file", 3, 100), 0);
        CHECK_EQ(make_file(*pool, b.root, "file", 5, 200), 0);
        CHECK_EQ(make_file(*pool, pool->root(), "file", 7, 300), 0);
        CHECK_EQ(a.id_of("file"), b.id_of("file"));
        core_attr attr;
        core_object_attr(a.root, &attr);
        CHECK(attr.mode == (k_mode_directory | 0750) && attr.uid == 3 && attr.gid == 4 && attr.links == 2);
        // Neither a link nor a rename goes across.
        core_object* file;
        REQUIRE_EQ(a.get("file", &file), 0);
        CHECK_EQ(pool->link(b.root, "linked", file), minus(Error::cross_dataset));
        core_object_put(file);
    }
    CHECK_EQ(core_dataset_rename(pool->handle(), "a", "c"), 0);
    CHECK_EQ(core_dataset_set(pool->handle(), "c", CORE_DATASET_SET_SYNC, CORE_SYNC_ALWAYS), 0);
    CHECK_EQ(core_dataset_set(pool->handle(), "default", CORE_DATASET_SET_LOG_BIAS, CORE_LOG_BIAS_THROUGHPUT), 0);
    for (u32 round = 0; round < 2; round++) {
        CHECK_EQ(pool->check(), 0u);
        if (round == 0)
            REQUIRE_EQ(pool->close(), 0);
        else
            (void)pool->crash();
        REQUIRE_EQ(pool->open(false), 0);
        Opened c, b, first;
        REQUIRE_EQ(c.open(*pool, "c"), 0);
        REQUIRE_EQ(b.open(*pool, "b"), 0);
        REQUIRE_EQ(first.open(*pool, ""), 0);
        CHECK(holds(*pool, c, "file", 100) && holds(*pool, b, "file", 200) && holds(*pool, first, "file", 300));
        core_dataset_info info;
        core_dataset_get_info(c.dataset, &info);
        CHECK(info.id == 2 && info.objects == 2 && info.used_blocks == 3 && info.users == 1 && info.sync == CORE_SYNC_ALWAYS);
        core_dataset_get_info(first.dataset, &info);
        CHECK(info.id == 1 && info.used_blocks == 7 && info.log_bias == CORE_LOG_BIAS_THROUGHPUT && info.sync == CORE_SYNC_STANDARD);
    }
}

// Records of several datasets, of their making among them, in one log: replay finds each.
static void replay_across(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(create(*pool, "a"), 0);
    REQUIRE_EQ(create(*pool, "doomed"), 0);
    REQUIRE_EQ(pool->settle(), 0);
    const u64 committed = pool->pool().engine().committed_txg().value();
    {
        // No waiting for commits: then all of this is in the log alone.
        Opened a, doomed;
        REQUIRE_EQ(a.open(*pool, "a"), 0);
        REQUIRE_EQ(doomed.open(*pool, "doomed"), 0);
        CHECK_EQ(make_file(*pool, a.root, "file", 1, 11), 0);
        CHECK_EQ(make_file(*pool, doomed.root, "file", 1, 12), 0);
        doomed.close();
        pool->pool().space().set_replaying(true);
        CHECK_EQ(create(*pool, "new"), 0);
        CHECK_EQ(core_dataset_rename(pool->handle(), "a", "renamed"), 0);
        CHECK_EQ(create(*pool, "a"), 0);
        pool->pool().set_background(nullptr);
        CHECK_EQ(core_dataset_destroy(pool->handle(), "doomed"), 0);
        pool->pool().space().set_replaying(false);
        Opened made, other;
        REQUIRE_EQ(made.open(*pool, "new"), 0);
        REQUIRE_EQ(other.open(*pool, "a"), 0);
        CHECK_EQ(make_file(*pool, made.root, "file", 1, 13), 0);
        CHECK_EQ(make_file(*pool, other.root, "file", 1, 14), 0);
        CHECK_EQ(core_object_sync(pool->root()), 0);
    }
    CHECK_EQ(pool->pool().engine().committed_txg().value(), committed);
    (void)pool->crash();
    REQUIRE_EQ(pool->open(false), 0);
    pool->pool().background().wait_idle();
    CHECK_EQ(count(*pool), 4u);
    CHECK_EQ(pool->check(), 0u);
    Opened renamed, made, other;
    REQUIRE_EQ(renamed.open(*pool, "renamed"), 0);
    REQUIRE_EQ(made.open(*pool, "new"), 0);
    REQUIRE_EQ(other.open(*pool, "a"), 0);
    CHECK(holds(*pool, renamed, "file", 11) && holds(*pool, made, "file", 13) && holds(*pool, other, "file", 14));
    core_dataset_info info;
    core_dataset_get_info(made.dataset, &info);
    CHECK_EQ(info.id, 4u);
    core_attr attr;
    core_object_attr(made.root, &attr);
    CHECK(attr.mode == (k_mode_directory | 0750) && attr.uid == 3 && attr.mtime.seconds == TestPool::k_time.seconds);
}

// A record of a dataset that was never there stops the mount, and what stops it can be given up.
static void unknown_dataset(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->settle(), 0);
    Pool& inside = pool->pool();
    Box<LogRecord> record = inside.intent_log().prepare(LogOpcode::truncate, 16, sizeof(DiskLogTruncate));
    REQUIRE(record);
    record->header.dataset.set(99);
    zero_bytes(record->payload(), sizeof(DiskLogTruncate));
    {
        TxgHold hold(inside.engine());
        inside.intent_log().append(hold.txg(), lcpfs::move(record));
    }
    REQUIRE_OK(inside.intent_log().commit());
    (void)pool->crash();
    CHECK_EQ(pool->open(false), minus(Error::log_replay));
    core_pool_options options {};
    options.discard_log = true;
    REQUIRE_EQ(pool->open_with(options), 0);
    CHECK_EQ(pool->check(), 0u);
}

// Everything in it is freed, whatever it is; what is in the others stays.
static void destroy(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(make_file(*pool, pool->root(), "kept", 5, 77), 0);
    REQUIRE_EQ(pool->settle(), 0);
    const u64 used = pool->used_blocks();
    REQUIRE_EQ(create(*pool, "doomed"), 0);
    {
        Opened doomed;
        REQUIRE_EQ(doomed.open(*pool, "doomed"), 0);
        core_object* sub;
        REQUIRE_EQ(pool->create(doomed.root, "sub", k_directory, &sub), 0);
        char name[] = "file-000";
        for (u32 i = 0; i < 300; i++) {
            name[5] = static_cast<char>('0' + i / 100);
            name[6] = static_cast<char>('0' + i / 10 % 10);
            name[7] = static_cast<char>('0' + i % 10);
            REQUIRE_EQ(make_file(*pool, i & 1 ? doomed.root : sub, name, i % 7, i), 0);
        }
        CHECK_EQ(pool->symlink(sub, "link", "to/somewhere", 12), 0);
        core_new unnamed {};
        unnamed.mode = k_file;
        core_object* orphan;
        REQUIRE_EQ(core_create_unnamed(sub, &unnamed, &orphan), 0);
        CHECK_EQ(pool->write(orphan, 0, 64, 5, 64 * k_block_size), 0);
        core_object_put(orphan);
        core_object_put(sub);
    }
    REQUIRE_EQ(pool->settle(), 0);
    CHECK(pool->used_blocks() > used + 900);
    CHECK_EQ(pool->check(), 0u);
    CHECK_EQ(core_dataset_destroy(pool->handle(), "doomed"), 0);
    CHECK_EQ(create(*pool, "doomed"), 0); // the name is free at once
    pool->pool().background().wait_idle();
    CHECK_EQ(count(*pool), 2u);
    CHECK_EQ(core_dataset_destroy(pool->handle(), "doomed"), 0);
    pool->pool().background().wait_idle();
    REQUIRE_EQ(pool->settle(), 0);
    CHECK_EQ(count(*pool), 1u);
    CHECK_EQ(pool->used_blocks(), used);
    CHECK_EQ(pool->check(), 0u);
    CHECK_EQ(pool->promised(), 0u);
    Opened first;
    REQUIRE_EQ(first.open(*pool, "default"), 0);
    CHECK(holds(*pool, first, "kept", 77));
}

// Crashes while it goes on: each mount finds it half done and goes on; ids are not used again.
static void destroy_interrupted(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->settle(), 0);
    const u64 used = pool->used_blocks();
    REQUIRE_EQ(create(*pool, "doomed"), 0);
    {
        Opened doomed;
        REQUIRE_EQ(doomed.open(*pool, "doomed"), 0);
        char name[] = "f0";
        for (char i = 0; i < 8; i++) {
            name[1] = static_cast<char>('0' + i);
            REQUIRE_EQ(make_file(*pool, doomed.root, name, 64, 1), 0);
        }
    }
    core_pool_pause(pool->handle(), true);
    CHECK_EQ(core_dataset_destroy(pool->handle(), "doomed"), 0);
    CHECK_EQ(count(*pool), 2u);
    CHECK_EQ(pool->check(), 0u);
    (void)pool->crash();
    // To be looked at: it stays, and cannot be had.
    REQUIRE_EQ(pool->open(true), 0);
    core_dataset* dataset;
    CHECK_EQ(core_dataset_get(pool->handle(), "doomed", &dataset), minus(Error::not_found));
    CHECK_EQ(count(*pool), 2u);
    CHECK_EQ(pool->check(), 0u);
    REQUIRE_EQ(pool->close(), 0);
    // By hand, a few objects at a time, with a crash after each commit.
    for (u32 round = 0; round < 3; round++) {
        REQUIRE_EQ(pool->open(true), 0);
        pool->pool().set_background([](Pool&) { });
        REQUIRE_EQ(pool->close(), 0);
        REQUIRE_EQ(pool->open(false), 0);
        core_pool_pause(pool->handle(), true); // wherever it is
        CHECK_EQ(pool->sync(), 0);
        CHECK_EQ(pool->check(), 0u);
        (void)pool->crash();
    }
    REQUIRE_EQ(pool->open(false), 0);
    pool->pool().background().wait_idle();
    REQUIRE_EQ(pool->settle(), 0);
    CHECK_EQ(count(*pool), 1u);
    CHECK_EQ(pool->used_blocks(), used);
    CHECK_EQ(create(*pool, "next"), 0);
    core_dataset_info info;
    REQUIRE_EQ(core_dataset_next(pool->handle(), 2, &info), 0);
    CHECK_EQ(info.id, 3u);
    CHECK_EQ(pool->check(), 0u);
}

// Nothing is left to promise: destroying works all the same, and gives the room back.
static void destroy_when_full(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(create(*pool, "full"), 0);
    {
        Opened full;
        REQUIRE_EQ(full.open(*pool, "full"), 0);
        core_object* file;
        REQUIRE_EQ(pool->create(full.root, "file", k_file, &file), 0);
        int error = 0;
        for (u64 at = 0; !error; at += 64)
            error = pool->write(file, at, 64, 1, ~0ull >> 1);
        CHECK_EQ(error, minus(Error::no_space));
        core_object_put(file);
        error = 0;
        char name[] = "00000";
        for (u32 i = 0; !error && i < 99999; i++) {
            for (u32 digit = 0, rest = i; digit < 5; digit++, rest /= 10)
                name[4 - digit] = static_cast<char>('0' + rest % 10);
            error = pool->make(pool->root(), name, k_file);
        }
        CHECK_EQ(error, minus(Error::no_space));
    }
    CHECK_EQ(create(*pool, "more"), minus(Error::no_space));
    CHECK_EQ(core_dataset_destroy(pool->handle(), "full"), 0);
    pool->pool().background().wait_idle();
    CHECK_EQ(create(*pool, "more"), 0);
    CHECK_EQ(make_file(*pool, pool->root(), "fits", 64, 1), 0);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
}

// A record that cannot be makes one dataset unusable; the pool and the others go on.
static void damaged_record(Test& test) NO_THREAD_SAFETY_ANALYSIS
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(create(*pool, "a"), 0);
    REQUIRE_EQ(create(*pool, "b"), 0);
    {
        // Behind everybody's back, as damage behind a good checksum would be.
        WriteGuard list(pool->pool().datasets().lock());
        Dataset* const a = pool->pool().datasets().find(StringView("a"));
        REQUIRE(a);
        TxgHold hold(pool->pool().engine());
        DatasetHead head = a->head();
        head.flags = 1u << 31;
        a->set_head(head);
        a->touch(hold.txg());
    }
    REQUIRE_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 1u);
    REQUIRE_EQ(pool->close(), 0);
    REQUIRE_EQ(pool->open(false), 0);
    core_dataset* dataset;
    CHECK_EQ(core_dataset_get(pool->handle(), "a", &dataset), minus(Error::dataset_damaged));
    CHECK_EQ(core_dataset_destroy(pool->handle(), "a"), minus(Error::dataset_damaged));
    core_dataset_info info;
    CHECK_EQ(core_dataset_next(pool->handle(), 2, &info), 0);
    CHECK(info.id == 2 && info.is_damaged);
    Opened b;
    REQUIRE_EQ(b.open(*pool, "b"), 0);
    CHECK_EQ(make_file(*pool, b.root, "file", 3, 1), 0);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 1u);
}

namespace {
constexpr TestCase k_cases[] = {
    { "refusals", refusals },
    { "many", many },
    { "side_by_side", side_by_side },
    { "replay_across", replay_across },
    { "unknown_dataset", unknown_dataset },
    { "destroy", destroy },
    { "destroy_interrupted", destroy_interrupted },
    { "destroy_when_full", destroy_when_full },
    { "damaged_record", damaged_record },
};
}
LCPFS_SUITE(datasets, k_cases);

}
