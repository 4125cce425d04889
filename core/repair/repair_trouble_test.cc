// SPDX-License-Identifier: GPL-2.0-only
// What a repair must not touch, and what it must not take for its own: other datasets, the newest group while another is gone back
// to, uberblocks under damaged labels, numbers and names that are taken.
#include "core/repair/repair.h"
#include "core/test/check_ground.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr u32 k_blocks_each = 64;

// "f0017"
void name_file(char (&name)[8], u32 number)
{
    name[0] = 'f';
    for (u32 i = 4; i > 0; i--, number /= 10)
        name[i] = static_cast<char>('0' + number % 10);
    name[5] = 0;
}

// Files of known contents, from number `first` on, until there is no room for more: gives the number of the next.
u32 fill(TestPool& pool, core_object* root, u32 most, u32 first = 0)
{
    u32 made = first;
    for (; made < first + most; made++) {
        char name[8];
        name_file(name, made);
        core_object* file;
        if (pool.create(root, name, k_mode_regular | 0644, &file) != 0)
            break;
        const int error = pool.write(file, 0, k_blocks_each, made * k_blocks_each + 1, k_blocks_each * k_block_size);
        core_object_put(file);
        if (error)
            break;
        if ((made - first) % 16 == 15)
            (void)pool.sync();
    }
    return made;
}

// How many of them are not what they were.
u32 count_bad(TestPool& pool, core_dataset* dataset, core_object* root, u32 made)
{
    u32 bad = 0;
    for (u32 i = 0; i < made; i++) {
        char name[8];
        name_file(name, i);
        core_object* file;
        if (core_object_get(dataset, pool.id_of(root, name), 0, &file) != 0) {
            bad++;
            continue;
        }
        u32 tags[k_blocks_each] {};
        bool is_whole = pool.read(file, 0, k_blocks_each, tags) == 0;
        for (u32 block = 0; block < k_blocks_each; block++)
            is_whole = is_whole && tags[block] == i * k_blocks_each + 1 + block;
        bad += !is_whole;
        core_object_put(file);
    }
    return bad;
}

// Dataset by name, with its root.
struct Opened {
    core_dataset* dataset { nullptr };
    core_object* root { nullptr };
    Opened(TestPool& pool, const char* name)
    {
        if (core_dataset_get(pool.handle(), name, &dataset) == 0 && core_object_get(dataset, CORE_ROOT_OBJECT, 0, &root) != 0)
            root = nullptr;
    }
    ~Opened()
    {
        if (root)
            core_object_put(root);
        if (dataset)
            core_dataset_put(dataset);
    }
    Opened(const Opened&) = delete;
    bool is_there() const { return root != nullptr; }
};

Result<RepairOutcome> repair(TestPool& pool, u64 group = 0)
{
    host_bdev* const devices[] = { pool.device(0), pool.device(1) };
    core_check_report report {};
    Findings findings(nullptr, nullptr, nullptr, report);
    return repair_pool({ devices, 2 }, group, findings);
}

}

// Nothing knows what the second one has, with the bitmaps gone, but the second one.
static void two_datasets(Test& test)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->start());
    TestPool& pool = ground->pool;
    const core_new_dataset how { "second", "", 0750, 3, 4, TestPool::k_time };
    REQUIRE_EQ(core_dataset_create(pool.handle(), &how), 0);
    u32 made = 0;
    {
        const Opened second(pool, "second");
        REQUIRE(second.is_there());
        made = fill(pool, second.root, 220);
        REQUIRE_EQ(pool.sync(), 0);
        CHECK_EQ(count_bad(pool, second.dataset, second.root, made), 0u);
    }
    REQUIRE_OK(remove_name(*ground, ground->place.top(), StringView("other")));
    REQUIRE_EQ(pool.sync(), 0);
    const Vdev& vdev = pool.pool().vdevs().vdev(VdevId(0));
    const u32 blocks = vdev.metaslab_blocks, count = vdev.metaslab_count;
    ground->release();
    (void)pool.crash();
    static const u8 s_zeros[k_block_size] {};
    for (u32 device = 0; device < 2; device++)
        for (u32 metaslab = 0; metaslab < count; metaslab++)
            for (u32 block = 0; block < 2 * bitmap_blocks(blocks); block++)
                lcpfs_test_device_poke(pool.device(device), (k_first_metaslab_block + u64(metaslab) * blocks + block) * k_block_size,
                                       s_zeros, k_block_size);
    const RepairOutcome outcome = REQUIRE_VALUE(repair(pool));
    CHECK(outcome.hurt.is_empty());
    REQUIRE_EQ(pool.open(false), 0);
    {
        const Opened second(pool, "second");
        REQUIRE(second.is_there());
        CHECK_EQ(count_bad(pool, second.dataset, second.root, made), 0u);
    }
    REQUIRE_EQ(pool.close(), 0);
    REQUIRE_EQ(pool.open(true), 0);
    CHECK_EQ(pool.check(true), 0u);
}

// The power goes before the uberblock of the group that was gone back to.
static void rewind_interrupted(Test& test)
{
    constexpr u32 k_label_bytes_each = 256 * 1024;
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->start());
    TestPool& pool = ground->pool;
    core_pool_set_options(pool.handle(), 3600u * 1000, CORE_ERRORS_REMOUNT_RO);
    const u64 group = pool.pool().engine().committed_txg().value();
    const u32 made = fill(pool, pool.root(), 160);
    REQUIRE_EQ(pool.sync(), 0);
    // And what only the log says that it is in use.
    const u64 newest = pool.pool().engine().committed_txg().value();
    const u32 all = fill(pool, pool.root(), 15, made);
    for (u32 i = made; i < all; i++) {
        char name[8];
        name_file(name, i);
        core_object* file;
        REQUIRE_EQ(pool.find(pool.root(), name, &file), 0);
        CHECK_EQ(core_object_sync(file), 0);
        core_object_put(file);
    }
    CHECK_EQ(pool.pool().engine().committed_txg().value(), newest);
    ground->release();
    (void)pool.crash();
    Vector<u8> labels;
    REQUIRE_OK(labels.resize(size_t(2) * k_label_count * k_label_bytes_each));
    const auto each = [&](auto body) {
        for (u32 i = 0; i < 2 * k_label_count; i++)
            body(pool.device(i / k_label_count), label_offset(i % k_label_count, TestPool::k_device_bytes / k_block_size),
                 labels.begin() + size_t(i) * k_label_bytes_each);
    };
    each([](host_bdev* device, u64 offset, u8* bytes) { lcpfs_test_device_peek(device, offset, bytes, k_label_bytes_each); });
    REQUIRE_OK(repair(pool, group));
    each([](host_bdev* device, u64 offset, u8* bytes) { lcpfs_test_device_poke(device, offset, bytes, k_label_bytes_each); });
    REQUIRE_EQ(pool.open(false), 0);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(true), 0u);
    const Opened first(pool, "");
    REQUIRE(first.is_there());
    CHECK_EQ(count_bad(pool, first.dataset, first.root, all), 0u);
}

// What an earlier repair, or somebody, has called in lost+found as this one would.
static void name_taken(Test& test)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->start());
    TestPool& pool = ground->pool;
    core_object *home, *file;
    REQUIRE_EQ(pool.create(pool.root(), "lost+found", k_mode_directory | 0755, &home), 0);
    TextBuffer<32> name;
    name.add("#").add(ground->place.other().id().value());
    REQUIRE_EQ(pool.create(home, name.text(), k_mode_regular | 0644, &file), 0);
    core_object_put(file);
    core_object_put(home);
    REQUIRE_OK(remove_name(*ground, ground->place.top(), StringView("other")));
    REQUIRE_EQ(pool.sync(), 0);
    ground->release();
    (void)pool.crash();
    REQUIRE_OK(repair(pool));
    REQUIRE_EQ(pool.open(false), 0);
    REQUIRE_EQ(pool.close(), 0);
    REQUIRE_EQ(pool.open(true), 0);
    CHECK_EQ(pool.check(false), 0u);
    REQUIRE_EQ(pool.find(pool.root(), "lost+found", &home), 0);
    u64 cookie = 0;
    u32 entries = 0;
    CHECK_EQ(core_readdir(home, &cookie, [](void* count, const char*, u32, u64, u8, u64) { return ++*static_cast<u32*>(count) != 0; },
                          &entries), 0);
    CHECK_EQ(entries, 2u);
    core_object_put(home);
}

// Two records lead to one node: the second pointer is refused, and the first owner keeps its names.
static void refused(Test& test)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->start());
    TestPool& pool = ground->pool;
    for (u32 i = 0; i < 120; i++) {
        TextBuffer<32> name;
        name.add("a name that takes room ").add(i);
        REQUIRE_EQ(pool.make(ground->place.m_top, name.text(), k_mode_regular | 0644), 0);
    }
    REQUIRE_EQ(pool.settle(), 0);
    REQUIRE_OK(spoil(*ground, ground->place.inner(), [](ObjectAttributes& attributes) { attributes.change++; }));
    NodePointer root;
    {
        Object& top = ground->place.top();
        ReadGuard guard(top.m_lock);
        root = top.m_tree.version().pointer;
    }
    {
        Object& inner = ground->place.inner();
        WriteGuard guard(inner.m_lock);
        inner.m_tree.start_from(root);
    }
    REQUIRE_EQ(pool.sync(), 0);
    ground->release();
    (void)pool.crash();
    REQUIRE_OK(repair(pool));
    REQUIRE_EQ(pool.open(false), 0);
    CHECK(has_path(pool, "place/file"));
    CHECK(has_path(pool, "place/a name that takes room 7"));
    REQUIRE_EQ(pool.close(), 0);
    REQUIRE_EQ(pool.open(true), 0);
    CHECK_EQ(pool.check(false), 0u);
}

// Makes one object that only the log has, and nothing that names it afterwards.
using MakeFunction = int (*)(TestPool& pool);

static int make_file(TestPool& pool) { return pool.make(pool.root(), "fsynced", k_mode_regular | 0644); }
static int make_directory(TestPool& pool) { return pool.make(pool.root(), "fsynced", k_mode_directory | 0755); }
static int make_whiteout(TestPool& pool)
{
    core_new whiteout {};
    whiteout.mode = k_mode_character;
    struct core_rename how {};
    how.from_directory = how.to_directory = pool.root();
    how.from_name = "place";
    how.to_name = "fsynced";
    how.from_length = 5;
    how.to_length = 7;
    how.flags = CORE_RENAME_WHITEOUT;
    how.whiteout = &whiteout;
    int result = pool.find(pool.root(), "place", &how.object);
    if (result == 0) {
        result = core_rename(&how);
        core_object_put(how.object);
    }
    return result;
}

static void number_of_the_log(Test& test, MakeFunction make)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_OK(remove_name(*ground, ground->place.top(), StringView("other")));
    REQUIRE_EQ(pool.sync(), 0);
    REQUIRE_EQ(make(pool), 0);
    REQUIRE_EQ(core_object_sync(pool.root()), 0);
    ground->release();
    (void)pool.crash();
    REQUIRE_OK(repair(pool));
    REQUIRE_EQ(pool.open(false), 0);
    CHECK(has_path(pool, "fsynced"));
    CHECK(has_path(pool, "lost+found"));
}

// What the log makes again after the repair has a number that lost+found does not take.
static void numbers_of_the_log(Test& test)
{
    number_of_the_log(test, make_file);
    number_of_the_log(test, make_directory);
    number_of_the_log(test, make_whiteout);
}

// The labels that have the newest group's uberblocks have damaged heads, and the power goes when they are mended.
static void labels(Test& test)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(pool.settle(), 0);
    REQUIRE_EQ(pool.make(pool.root(), "last", k_mode_regular | 0644), 0);
    REQUIRE_EQ(pool.sync(), 0);
    ground->release();
    (void)pool.crash();
    REQUIRE_EQ(pool.open(true), 0);
    const u64 newest = pool.pool().uberblock().txg.value();
    REQUIRE_EQ(pool.close(), 0);
    const u8 bad[64] { 1, 2, 3 };
    for (u32 device = 0; device < 2; device++)
        for (u32 label = newest % 2; label < 4; label += 2)
            lcpfs_test_device_poke(pool.device(device),
                                   label_offset(label, TestPool::k_device_bytes / k_block_size) + k_label_header_offset + 64, bad, 64);
    for (u32 flushes = 1; flushes < 5; flushes++) {
        for (u32 device = 0; device < 2; device++)
            lcpfs_test_device_fail(pool.device(device), HOST_IO_FLUSH, flushes, 1);
        (void)repair(pool).is_ok();
        for (u32 device = 0; device < 2; device++)
            lcpfs_test_device_fail(pool.device(device), HOST_IO_FLUSH, 0, 0);
        REQUIRE_EQ(pool.open(true), 0);
        CHECK(pool.pool().uberblock().txg.value() >= newest);
        CHECK(has_path(pool, "last"));
        REQUIRE_EQ(pool.close(), 0);
    }
}

namespace {
constexpr TestCase k_cases[] = { { "two_datasets", two_datasets }, { "rewind_interrupted", rewind_interrupted },
                                 { "name_taken", name_taken },
                                 { "refused", refused }, { "numbers_of_the_log", numbers_of_the_log }, { "labels", labels } };
}
LCPFS_SUITE(repair_trouble, k_cases);

}
