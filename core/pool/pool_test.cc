// SPDX-License-Identifier: GPL-2.0-only
// Pools as a whole: formatting, opening, committing, going back, full ones.
#include "core/pool/pool.h"

#include "core/test/pool.h"
#include "core/test/test.h"
#include "core/vdev/label.h"

namespace lcpfs {

static int minus(Error error) { return -errno_of(error); }
static constexpr u32 k_file = k_mode_regular | 0644;

namespace {
struct Format {
    const char* name;
    const char* pool_name;
    u32 node_bytes, copies, checksum;
    u64 metaslab_bytes;
    Error expected;
};
constexpr Format k_formats[] = {
    { "defaults", "pool", 0, 0, 0, 0, Error::none },
    { "all_given", "p", 32768, 3, CORE_CHECKSUM_SHA256, 8u << 20, Error::none },
    { "one_copy", "a.b-c", 16384, 1, CORE_CHECKSUM_XXH64, 4u << 20, Error::none },
    { "no_name", "", 0, 0, 0, 0, Error::invalid },
    { "slash", "a/b", 0, 0, 0, 0, Error::invalid },
    { "space", "a b", 0, 0, 0, 0, Error::invalid },
    { "long_name", "0123456789012345678901234567890123456789012345678901234567890123", 0, 0, 0, 0, Error::invalid },
    { "small_nodes", "pool", 4096, 0, 0, 0, Error::invalid },
    { "odd_nodes", "pool", 20000, 0, 0, 0, Error::invalid },
    { "large_nodes", "pool", 65536, 0, 0, 0, Error::invalid },
    { "four_copies", "pool", 0, 4, 0, 0, Error::invalid },
    { "unknown_checksum", "pool", 0, 0, 4, 0, Error::invalid },
};
}

static void format_row(Test& test, TestDevice& device, const Format& row)
{
    host_bdev* const bdevs[] = { device.get() };
    core_format_options options {};
    options.name = row.pool_name;
    options.node_bytes = row.node_bytes;
    options.metadata_copies = row.copies;
    options.data_checksum = row.checksum;
    options.metaslab_bytes = row.metaslab_bytes;
    options.root_mode = 01777;
    options.root_uid = 5;
    REQUIRE_EQ(core_pool_format(bdevs, 1, &options), minus(row.expected));
    if (row.expected != Error::none)
        return;
    core_pool_options open {};
    open.cache_limit_bytes = 1u << 20;
    core_pool* pool;
    REQUIRE_EQ(core_pool_open(bdevs, 1, &open, &pool), 0);
    core_dataset* dataset;
    core_object* root;
    CHECK_EQ(core_dataset_get(pool, "", &dataset), 0);
    if (CHECK_EQ(core_object_get(dataset, CORE_ROOT_OBJECT, 0, &root), 0)) {
        core_attr attr;
        core_object_attr(root, &attr);
        CHECK_EQ(attr.mode, k_mode_directory | 01777);
        CHECK_EQ(attr.uid, 5u);
        core_object_put(root);
    }
    core_check_report report;
    CHECK(core_check(pool, true, nullptr, nullptr, nullptr, &report) == 0 && report.problems == 0);
    CHECK_EQ(report.objects, 1u);
    CHECK_EQ(core_pool_close(pool), 0);
}

static void formats(Test& test)
{
    TestDevice device(16ull << 20);
    REQUIRE(device);
    for (const Format& row : k_formats) {
        format_row(test, device, row);
        if (!test.check(!test.failed(), __FILE__, __LINE__, row.name))
            return;
    }
}

// Three paths of one pool and a copy of its first disk.
struct PathDevices {
    explicit PathDevices(TestPool& of) : copy(TestPool::k_device_bytes), path(lcpfs_test_device_create_path(of.device(0)))
    {
        u8 block[512];
        for (u64 at = 0; copy && at < TestPool::k_device_bytes; at += sizeof(block)) {
            lcpfs_test_device_peek(of.device(0), at, block, sizeof(block));
            lcpfs_test_device_poke(copy.get(), at, block, sizeof(block));
        }
    }
    ~PathDevices() { lcpfs_test_device_destroy(path); }
    TestDevice copy;
    host_bdev* path;
};

static u32 path_count(core_pool* pool)
{
    core_path path;
    u32 count = 0;
    while (core_path_get(pool, count, &path) == 0)
        count++;
    return count;
}

// Devices of one identity: paths when they are one disk, refused when one is a copy.
static void paths(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->close(), 0);
    PathDevices devices(*pool);
    REQUIRE(devices.copy && devices.path);
    core_pool_options options {};
    core_pool* opened;
    host_bdev* const with_path[] = { pool->device(0), devices.path, pool->device(1) };
    host_bdev* const with_copy[] = { pool->device(0), devices.copy.get(), pool->device(1) };
    // Reading only, the proof cannot be had: one path each, and what is equal so far is let be.
    options.read_only = true;
    host_bdev* const* const both[] = { with_path, with_copy };
    for (host_bdev* const* bdevs : both) {
        REQUIRE_EQ(core_pool_open(bdevs, 3, &options, &opened), 0);
        CHECK_EQ(path_count(opened), 2u);
        CHECK_EQ(core_pool_close(opened), 0);
    }
    options.read_only = false;
    CHECK_EQ(core_pool_open(with_copy, 3, &options, &opened), minus(Error::path_other_disk));
    REQUIRE_EQ(core_pool_open(with_path, 3, &options, &opened), 0);
    CHECK_EQ(path_count(opened), 3u);
    CHECK_EQ(core_pool_sync(opened, true), 0);
    core_path path;
    REQUIRE_EQ(core_path_get(opened, 1, &path), 0);
    CHECK_EQ(path.device, 0);
    CHECK(!path.only);
    host_bdev* back = nullptr;
    CHECK_EQ(core_path_remove(opened, path.id, &back), 0);
    CHECK(back == devices.path);
    CHECK_EQ(core_path_remove(opened, path.id, &back), minus(Error::not_found));
    CHECK_EQ(core_path_set(opened, path.id, CORE_PATH_SET_PRIORITY, 1), minus(Error::not_found));
    REQUIRE_EQ(core_path_get(opened, 0, &path), 0);
    CHECK_EQ(core_path_remove(opened, path.id, &back), minus(Error::busy));
    CHECK_EQ(core_path_set(opened, path.id, CORE_PATH_SET_PRIORITY, 256), minus(Error::invalid));
    CHECK_EQ(core_path_set(opened, path.id, CORE_PATH_SET_PRIORITY, 255), 0);
    CHECK_EQ(core_path_set(opened, path.id, CORE_PATH_SET_POLICY, 4), minus(Error::invalid));
    CHECK_EQ(core_path_set(opened, path.id, CORE_PATH_SET_NO_PATH_MS, -2), minus(Error::invalid));
    CHECK_EQ(core_path_set(opened, path.id, CORE_PATH_SET_NO_PATH_MS, -1), 0);
    u32 id = 0;
    CHECK_EQ(core_path_add(opened, devices.copy.get(), 0, &id), minus(Error::path_other_disk));
    CHECK_EQ(core_path_add(opened, devices.path, 256, &id), minus(Error::invalid));
    CHECK_EQ(core_path_add(opened, devices.path, 3, &id), 0);
    CHECK_EQ(path_count(opened), 3u);
    CHECK_EQ(core_pool_close(opened), 0);
    // By now the copy is not what it was copied from.
    REQUIRE_EQ(pool->open(false), 0);
    CHECK_EQ(pool->make(pool->root(), "new", k_mode_directory | 0755), 0);
    CHECK_EQ(core_path_add(pool->handle(), devices.copy.get(), 0, &id), minus(Error::path_other_disk));
    TestDevice other(16ull << 20);
    REQUIRE(other);
    host_bdev* const alone[] = { other.get() };
    core_format_options format {};
    format.name = "other";
    REQUIRE_EQ(core_pool_format(alone, 1, &format), 0);
    CHECK_EQ(core_path_add(pool->handle(), other.get(), 0, &id), minus(Error::device_foreign));
    REQUIRE_EQ(pool->close(), 0);
    options.read_only = true;
    CHECK_EQ(core_pool_open(with_copy, 3, &options, &opened), minus(Error::device_duplicate));
    REQUIRE_EQ(pool->open(true), 0);
    CHECK_EQ(pool->check(), 0u);
}

// Nothing changed: nothing written, no group committed.
static void idle_commits(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->make(pool->root(), "file", k_file), 0);
    REQUIRE_EQ(pool->sync(), 0);
    Box<core_pool_status> before = REQUIRE_VALUE(make_box<core_pool_status>());
    Box<core_pool_status> after = REQUIRE_VALUE(make_box<core_pool_status>());
    core_pool_get_status(pool->handle(), before.get());
    for (u32 i = 0; i < 5; i++)
        CHECK_EQ(pool->sync(), 0);
    core_object_sync(pool->root());
    core_pool_get_status(pool->handle(), after.get());
    CHECK_EQ(after->device_writes, before->device_writes);
    CHECK_EQ(after->committed_txg, before->committed_txg);
    CHECK_EQ(after->reserved_blocks, 0u);
    CHECK(!after->read_only && !after->frozen);
    // One block of one file, in a pool of many objects: the writes of a commit do not grow with the pool.
    core_object* file;
    REQUIRE_EQ(pool->find(pool->root(), "file", &file), 0);
    u64 writes[2];
    for (u32 round = 0; round < 2; round++) {
        CHECK_EQ(pool->write(file, 0, 1, round, k_block_size), 0);
        CHECK_EQ(pool->settle(), 0);
        CHECK_EQ(pool->write(file, 0, 1, round, k_block_size), 0);
        core_pool_get_status(pool->handle(), before.get());
        CHECK_EQ(pool->sync(), 0);
        core_pool_get_status(pool->handle(), after.get());
        writes[round] = after->device_writes - before->device_writes;
        char name[] = "many-00";
        for (u32 i = 0; i < 90 && round == 0; i++) {
            name[5] = static_cast<char>('0' + i / 10);
            name[6] = static_cast<char>('0' + i % 10);
            CHECK_EQ(pool->make(pool->root(), name, k_file), 0);
        }
    }
    core_object_put(file);
    // At most one level more of the object table and a further metaslab.
    CHECK(writes[1] <= writes[0] + 8);
}

static void orphans(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    const u64 id = pool->id(file);
    int result = 0;
    for (u32 i = 0; i < 20; i++)
        result |= pool->write(file, i * 70, 64, i, ~0ull >> 1);
    core_object_put(file);
    REQUIRE_EQ(result, 0);
    REQUIRE_EQ(pool->settle(), 0);
    const u64 used = pool->used_blocks();
    REQUIRE_EQ(pool->unlink(pool->root(), "file", false), 0);
    REQUIRE_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
    CHECK(pool->used_blocks() > 20 * 64);
    (void)pool->crash();
    // Read-only it stays; the next writer removes it.
    REQUIRE_EQ(pool->open(true), 0);
    REQUIRE_EQ(pool->get(id, &file), 0);
    core_object_put(file);
    CHECK_EQ(pool->check(), 0u);
    CHECK_EQ(core_pool_set_read_only(pool->handle(), false), 0);
    CHECK_EQ(pool->get(id, &file), minus(Error::not_found));
    REQUIRE_EQ(pool->settle(), 0);
    CHECK(pool->used_blocks() <= used - 20 * 64);
    CHECK_EQ(pool->check(), 0u);
    REQUIRE_EQ(pool->close(), 0);
    REQUIRE_EQ(pool->open(false), 0);
    CHECK_EQ(pool->get(id, &file), minus(Error::not_found));
    CHECK_EQ(pool->check(), 0u);
}

// An orphan tree and a dataset's record that say what is not: nobody goes round in it, and what is right in it is done.
static void orphan_lies(Test& test) NO_THREAD_SAFETY_ANALYSIS
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    u64 live, directory;
    REQUIRE_EQ(pool->make(pool->root(), "live", k_file, &live), 0);
    REQUIRE_EQ(pool->make(pool->root(), "directory", k_mode_directory | 0700u, &directory), 0);
    REQUIRE_EQ(pool->create(pool->root(), "dead", k_file, &file), 0);
    const u64 dead = pool->id(file);
    CHECK_EQ(pool->write(file, 0, 64, 1, 64 * k_block_size), 0);
    core_object_put(file);
    REQUIRE_EQ(pool->unlink(pool->root(), "dead", false), 0);
    REQUIRE_EQ(pool->settle(), 0);
    const u64 listed[] = { live, directory, dead + 1, 1ull << 40, ~0ull };
    Dataset& dataset = pool->pool().dataset();
    // Ids that were not given out, but for the last two.
    for (u32 i = 0; i < 2; i++)
        CHECK_EQ(pool->make(pool->root(), i ? "x" : "y", k_file), 0);
    CHECK_EQ(pool->unlink(pool->root(), "y"), 0);
    {
        TxgHold hold(pool->pool().engine());
        WriteGuard guard(dataset.table_lock());
        for (u64 id : listed) {
            BigEndianKey key(id);
            u8 mark = 1;
            CHECK_OK(dataset.orphans().prepare_insert(hold.txg(), { key.data(), 8 }, 1));
            CHECK(dataset.orphans().insert({ key.data(), 8 }, { &mark, 1 }));
        }
    }
    CHECK_EQ(pool->make(pool->root(), "z", k_file), 0); // so that the dataset is written
    REQUIRE_EQ(pool->settle(), 0);
    (void)pool->crash();
    REQUIRE_EQ(pool->open(false), 0);
    CHECK_EQ(pool->get(dead, &file), minus(Error::not_found));
    CHECK_EQ(pool->id_of(pool->root(), "live"), live);
    REQUIRE_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 3u); // the three that do not exist
    REQUIRE_EQ(pool->close(), 0);
    REQUIRE_EQ(pool->open(false), 0);
    CHECK_EQ(pool->check(), 3u);
}

// An id that a lost group had given out names another object after the crash: a handle of the first is stale.
static void generations(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    u64 id = 0, seen[4] = {};
    for (u32 round = 0; round < 4; round++) {
        core_object* file;
        REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
        core_attr attr;
        core_object_attr(file, &attr);
        core_object_put(file);
        CHECK(round == 0 || attr.id == id);
        id = attr.id;
        seen[round] = attr.generation;
        CHECK(attr.generation > 0 && attr.generation >> 32 == 0);
        core_dataset* dataset;
        REQUIRE_EQ(core_dataset_get(pool->handle(), "", &dataset), 0);
        for (u32 i = 0; i <= round; i++) {
            const int found = core_object_get(dataset, id, seen[i], &file);
            CHECK_EQ(found, i == round ? 0 : minus(Error::stale_handle));
            if (found == 0)
                core_object_put(file);
        }
        core_dataset_put(dataset);
        (void)pool->crash();
        REQUIRE_EQ(pool->open(false), 0);
    }
}

// A dataset's record that would have objects made over ones that are.
static void next_object_lies(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    u64 id;
    REQUIRE_EQ(pool->make(pool->root(), "a", k_file), 0);
    REQUIRE_EQ(pool->make(pool->root(), "b", k_file, &id), 0);
    REQUIRE_EQ(pool->settle(), 0);
    DiskDataset record {};
    pool->pool().dataset().describe(record, pool->pool().dataset().head());
    CHECK_EQ(record.next_object.get(), id + 1);
    for (u64 next = id - 1; next <= id + 1; next++) {
        record.next_object.set(next);
        CHECK_EQ(pool->pool().dataset().load(record).error(), next == id + 1 ? Error::none : Error::dataset_damaged);
    }
}

// Destroys every copy of a group's uberblock.
static void forget_group(TestPool& pool, u64 txg)
{
    u8 zeros[512] = {};
    for (u32 device = 0; device < 2; device++)
        for (u32 label = 0; label < k_label_count; label++)
            lcpfs_test_device_poke(pool.device(device),
                                   label_offset(label, TestPool::k_device_bytes / k_block_size) + k_label_ring_offset
                                       + u64(uberblock_slot_of(txg)) * k_uberblock_slot_bytes,
                                   zeros, sizeof(zeros));
}

// A group that writes all it has, bitmaps included, and does not commit.
static void write_in_vain(Test& test, TestPool& pool)
{
    for (u32 i = 0; i < 2; i++)
        lcpfs_test_device_fail(pool.device(i), HOST_IO_FLUSH, 0, 1000);
    CHECK_EQ(pool.sync(), minus(Error::io_error));
    for (u32 i = 0; i < 2; i++)
        lcpfs_test_device_fail(pool.device(i), HOST_IO_FLUSH, 0, 0);
}

// The newest uberblock gone: the group before, whole.
static void falling_back(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    CHECK_EQ(pool->write(file, 0, 32, 100, 32 * k_block_size), 0);
    core_object_put(file);
    REQUIRE_EQ(pool->settle(), 0);
    REQUIRE_EQ(pool->make(pool->root(), "before", k_file), 0);
    REQUIRE_EQ(pool->sync(), 0);
    const u64 print = pool->fingerprint();
    REQUIRE_EQ(pool->unlink(pool->root(), "file"), 0);
    REQUIRE_EQ(pool->sync(), 0);
    const u64 newest = pool->pool().uberblock().txg.value();
    (void)pool->crash();
    // Opened once and used: what the newest group freed may not be taken yet, since the one before reaches it.
    forget_group(*pool, newest);
    REQUIRE_EQ(pool->open(false), 0);
    CHECK_EQ(pool->fingerprint(), print);
    CHECK_EQ(pool->check(), 0u);
    CHECK(pool->pool().engine().open_txg().value() >= newest);
    CHECK_EQ(pool->make(pool->root(), "after", k_file), 0);
    REQUIRE_EQ(pool->settle(), 0);
    REQUIRE_EQ(pool->close(), 0);
    REQUIRE_EQ(pool->open(false), 0);
    CHECK(pool->id_of(pool->root(), "after") != 0);
    CHECK_EQ(pool->check(), 0u);
}

// Fallen back to, and a group begun after the one that is gone has written over bitmaps: they are rebuilt.
static void lost_bitmaps(Test& test) NO_THREAD_SAFETY_ANALYSIS
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    int result = 0;
    for (u32 i = 0; i < 100; i++)
        result |= pool->write(file, 2 * i, 1, i, (2 * i + 1) * k_block_size); // a tree of its own
    REQUIRE_EQ(result, 0);
    REQUIRE_EQ(pool->settle(), 0);
    const NodePointer tree = object_of(file).m_tree.version().pointer;
    REQUIRE(!tree.is_null());
    core_object_put(file);
    for (u32 round = 0; round < 4; round++) {
        const char* const names[] = { "a", "b", "c", "d" };
        REQUIRE_EQ(pool->make(pool->root(), names[round], k_file), 0);
        REQUIRE_EQ(pool->sync(), 0);
        const u64 print = pool->fingerprint();
        REQUIRE_EQ(pool->make(pool->root(), "newest", k_file), 0);
        REQUIRE_EQ(pool->sync(), 0);
        const u64 newest = pool->pool().uberblock().txg.value();
        REQUIRE_EQ(pool->make(pool->root(), "vain", k_file), 0);
        write_in_vain(test, *pool);
        (void)pool->crash();
        forget_group(*pool, newest);
        // Looked at first, every other time; it turns writable as it would at opening.
        REQUIRE_EQ(pool->open(round % 2 != 0), 0);
        CHECK(!pool->pool().has_lost_bitmaps());
        CHECK_EQ(pool->fingerprint(), print);
        CHECK_EQ(pool->check(), 0u);
        CHECK_EQ(core_pool_set_read_only(pool->handle(), false), 0);
        CHECK_EQ(pool->make(pool->root(), "after", k_file), 0);
        CHECK_EQ(pool->sync(), 0);
        CHECK_EQ(pool->check(), 0u);
        CHECK_EQ(pool->unlink(pool->root(), "after"), 0);
        REQUIRE_EQ(pool->settle(), 0);
        CHECK_EQ(pool->check(), 0u);
        const u64 settled = pool->fingerprint();
        REQUIRE_EQ(pool->close(), 0);
        REQUIRE_EQ(pool->open(false), 0);
        CHECK_EQ(pool->fingerprint(), settled);
        CHECK_EQ(pool->check(), 0u);
    }
    // What cannot be walked cannot be rebuilt: nobody writes there, but what can be read is.
    REQUIRE_EQ(pool->make(pool->root(), "e", k_file), 0);
    REQUIRE_EQ(pool->sync(), 0);
    REQUIRE_EQ(pool->make(pool->root(), "newest", k_file), 0);
    REQUIRE_EQ(pool->sync(), 0);
    const u64 newest = pool->pool().uberblock().txg.value();
    REQUIRE_EQ(pool->make(pool->root(), "vain", k_file), 0);
    write_in_vain(test, *pool);
    (void)pool->crash();
    forget_group(*pool, newest);
    for (u32 copy = 0; copy < tree.copies; copy++) {
        u8 byte = 0xee;
        lcpfs_test_device_poke(pool->device(tree.dva[copy].vdev.value()), tree.dva[copy].block * k_block_size + 3000, &byte, 1);
    }
    CHECK_EQ(pool->open(false), minus(Error::node_checksum));
    REQUIRE_EQ(pool->open(true), 0);
    CHECK(pool->id_of(pool->root(), "e") != 0);
    CHECK(pool->pool().has_lost_bitmaps());
    CHECK_EQ(core_pool_set_read_only(pool->handle(), false), minus(Error::node_checksum));
    CHECK(pool->pool().is_read_only());
}

// Full, emptied, full again: as much each time.
static void full(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    u64 fitted[2] = {};
    for (u64& blocks : fitted) {
        core_object* file;
        REQUIRE_EQ(pool->create(pool->root(), "big", k_file, &file), 0);
        int result = 0;
        for (u32 i = 0; result == 0 && i < 10000; i++) {
            result = pool->write(file, u64(i) * 64, 64, i * 64, u64(i + 1) * 64 * k_block_size);
            blocks += result == 0 ? 64 : 0;
        }
        CHECK_EQ(result, minus(Error::no_space));
        CHECK_EQ(pool->blocks(file), blocks);
        u32 tags[1];
        CHECK(pool->read(file, blocks - 1, 1, tags) == 0 && tags[0] == blocks - 1);
        core_object_put(file);
        CHECK_EQ(pool->sync(), 0);
        CHECK_EQ(pool->check(false), 0u);
        REQUIRE_EQ(pool->unlink(pool->root(), "big"), 0);
        REQUIRE_EQ(pool->settle(), 0);
        CHECK_EQ(pool->check(), 0u);
        CHECK_EQ(pool->promised(), 0u);
        REQUIRE_EQ(pool->close(), 0);
        REQUIRE_EQ(pool->open(false), 0);
    }
    CHECK(fitted[0] > 2 * (TestPool::k_device_bytes / k_block_size) * 6 / 10);
    CHECK(fitted[1] + 64 >= fitted[0]);
}

// A pool of an older version says what it has once its log is written to by this one, on every device, and not before.
static void older_log(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->close(), 0);
    for (u32 i = 0; i < 2; i++) {
        Box<Label> label = REQUIRE_VALUE(read_label(pool->device(i)));
        label->header.incompat.set(label->header.incompat.get() & ~k_incompat_log_data);
        seal_label(*label);
        REQUIRE_OK(write_labels(pool->device(i), *label, false));
    }
    for (u32 round = 0; round < 2; round++) {
        const bool read_only = round == 0;
        REQUIRE_EQ(pool->open(read_only), 0);
        if (!read_only)
            REQUIRE_OK(pool->pool().admit_change());
        REQUIRE_EQ(pool->close(), 0);
        for (u32 i = 0; i < 2; i++)
            CHECK_EQ((REQUIRE_VALUE(read_label(pool->device(i)))->header.incompat.get() & k_incompat_log_data) != 0, !read_only);
    }
    // The same interrupted: the first labels of one device say it, and the rest is written when it is opened again.
    for (u32 i = 0; i < 2; i++) {
        Box<Label> label = REQUIRE_VALUE(read_label(pool->device(i)));
        label->header.incompat.set(label->header.incompat.get() & ~k_incompat_log_data);
        seal_label(*label);
        REQUIRE_OK(write_labels(pool->device(i), *label, false));
    }
    lcpfs_test_device_fail(pool->device(1), HOST_IO_WRITE, 0, 1000000);
    REQUIRE_EQ(pool->open(false), 0);
    CHECK(pool->make(pool->root(), "f", k_mode_regular | 0644) != 0);
    REQUIRE_EQ(pool->close(), 0);
    lcpfs_test_device_fail(pool->device(1), HOST_IO_WRITE, 0, 0);
    u64 in_all[2] = {};
    for (u32 i = 0; i < 2; i++)
        REQUIRE_OK(read_label(pool->device(i), &in_all[i]));
    CHECK((in_all[0] & ~in_all[1]) == k_incompat_log_data);
    REQUIRE_EQ(pool->open(false), 0);
    REQUIRE_OK(pool->pool().admit_change());
    for (u32 i = 0; i < 2; i++) {
        REQUIRE_OK(read_label(pool->device(i), &in_all[i]));
        CHECK((in_all[i] & k_incompat_log_data) != 0);
    }
    CHECK_EQ(pool->check(), 0u);
}

namespace {
constexpr TestCase k_cases[] = { { "formats", formats }, { "paths", paths },
    { "idle_commits", idle_commits }, { "orphans", orphans }, { "orphan_lies", orphan_lies },
    { "next_object_lies", next_object_lies }, { "generations", generations }, { "falling_back", falling_back },
    { "lost_bitmaps", lost_bitmaps }, { "full", full }, { "older_log", older_log } };
}
LCPFS_SUITE(pool, k_cases);

}
