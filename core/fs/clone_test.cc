// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/clone.h"

#include "core/test/files_ground.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

int minus(Error error) { return -errno_of(error); }

struct Range {
    const char* name;
    u32 from, first, to, at, count;
};
constexpr Range k_ranges[] = {
    { "all", 0, 0, 1, 0, 40 },          { "again", 0, 0, 1, 0, 40 },       { "shifted", 0, 5, 1, 11, 20 },
    { "onto_shared", 1, 2, 0, 3, 9 },   { "inside_itself", 0, 0, 0, 30, 20 }, { "one_block", 1, 17, 2, 50, 1 },
    { "hole_over_data", 2, 10, 1, 5, 8 }, { "of_a_clone", 1, 0, 2, 0, 40 },  { "past_the_end", 0, 30, 2, 45, 15 },
};

void ranges(Test& test)
{
    Box<FilesGround> ground = REQUIRE_VALUE(make_box<FilesGround>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(pool.settle(), 0);
    const u64 empty = pool.used_blocks();
    for (u32 at = 0; at < 40; at += 8)
        REQUIRE_EQ(ground->write(0, at, at == 16 ? 4 : 8), 0); // a hole of four
    u64 expected = 0;
    for (const Range& range : k_ranges) {
        bool sound = CHECK_EQ(ground->clone(range.from, range.first, range.to, range.at, range.count), 0);
        sound = sound && CHECK_EQ(ground->difference(), ~0u) && CHECK_EQ(pool.settle(), 0);
        sound = sound && CHECK_EQ(ground->difference(), ~0u) && CHECK_EQ(pool.check(), 0u);
        if (expected == 0)
            expected = pool.used_blocks();
        // Nothing but metadata has come to it: a leaf per file and one of the share table, in two copies.
        sound = sound && CHECK(pool.used_blocks() <= expected + 4 * 8);
        if (!sound) {
            test.check(false, __FILE__, __LINE__, range.name);
            return;
        }
    }
    core_attr attr;
    core_object_attr(ground->file[2], &attr);
    CHECK(attr.mtime.seconds == 7 && attr.ctime.nanoseconds == 8);
    core_extent extent;
    REQUIRE_EQ(core_map(ground->file[0], 1, &extent), 0);
    CHECK(extent.shared);
    // Those who share go one by one; what is left stays.
    REQUIRE_EQ(ground->write(1, 3, 6), 0);
    REQUIRE_EQ(ground->truncate(0, 4), 0);
    CHECK_EQ(ground->difference(), ~0u);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
    for (u32 which = 0; which < FilesGround::k_files; which++) {
        core_object_put(ground->file[which]);
        ground->file[which] = nullptr;
        REQUIRE_EQ(pool.unlink(pool.root(), FilesGround::k_names[which]), 0);
        REQUIRE_EQ(pool.settle(), 0);
        CHECK_EQ(pool.check(), 0u);
    }
    CHECK_EQ(pool.used_blocks(), empty);
    CHECK_EQ(pool.promised(), 0u);
}

// Data in the source's record has no block.
void from_record(Test& test)
{
    Box<FilesGround> ground = REQUIRE_VALUE(make_box<FilesGround>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(pool.write(ground->file[0], 0, 1, 77, 1000), 0);
    core_clone how { ground->file[0], ground->file[1], 0, 0, 1, 1000, { 1, 1 }, false };
    REQUIRE_EQ(core_clone_range(&how), 0);
    how.to = 3;
    how.target = ground->file[2];
    how.size_bytes = 3 * k_block_size + 1000;
    REQUIRE_EQ(core_clone_range(&how), 0);
    CHECK_EQ(pool.size(ground->file[1]), 1000u);
    CHECK_EQ(pool.size(ground->file[2]), 3 * u64(k_block_size) + 1000);
    REQUIRE_EQ(pool.read_page(ground->file[1], 0), 0);
    u32 first, behind;
    copy_bytes(&first, pool.page(), 4);
    copy_bytes(&behind, pool.page() + 1000, 4);
    CHECK(first == 77 && behind == 0);
    REQUIRE_EQ(pool.read_page(ground->file[2], 3), 0);
    copy_bytes(&first, pool.page(), 4);
    copy_bytes(&behind, pool.page() + 1000, 4);
    CHECK(first == 77 && behind == 0);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
}

void refused(Test& test)
{
    Box<FilesGround> ground = REQUIRE_VALUE(make_box<FilesGround>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(ground->write(0, 0, 20), 0);
    core_object* const file = ground->file[0];
    core_object* const other = ground->file[1];
    const u64 size = 20 * k_block_size;
    const struct {
        core_clone how;
        Error error;
    } rows[] = {
        { { file, other, 0, 0, 0, size, {}, false }, Error::invalid },
        { { file, other, k_max_file_blocks, 0, 1, size, {}, false }, Error::invalid },
        { { file, other, 0, k_max_file_blocks - 1, 2, size, {}, false }, Error::invalid },
        { { file, other, 1, 1, ~0ull, size, {}, false }, Error::invalid },
        { { file, file, 0, 5, 6, size, {}, false }, Error::invalid },
        { { file, file, 5, 0, 6, size, {}, false }, Error::invalid },
        { { file, file, 3, 3, 1, size, {}, false }, Error::invalid },
        { { file, other, 0, 0, 1, ~0ull, {}, false }, Error::invalid },
        { { pool.root(), other, 0, 0, 1, size, {}, false }, Error::is_directory },
        { { file, pool.root(), 0, 0, 1, size, {}, false }, Error::is_directory },
    };
    for (const auto& row : rows)
        CHECK_EQ(core_clone_range(&row.how), minus(row.error));
    CHECK_EQ(ground->difference(), ~0u);
    REQUIRE_EQ(pool.settle(), 0);
    REQUIRE_EQ(core_pool_set_read_only(pool.handle(), true), 0);
    const core_clone sound { file, other, 0, 0, 20, size, {}, false };
    CHECK_EQ(core_clone_range(&sound), minus(Error::read_only));
    CHECK_EQ(pool.check(), 0u);
}

// What a clone acknowledged by a sync does is there after a crash, with all it stands on.
void logged(Test& test)
{
    Box<FilesGround> ground = REQUIRE_VALUE(make_box<FilesGround>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(ground->write(0, 0, 10), 0);
    REQUIRE_EQ(pool.settle(), 0);
    REQUIRE_EQ(ground->write(0, 4, 10), 0);
    REQUIRE_EQ(ground->write(0, 12, 3, true), 0); // only the log has it
    REQUIRE_EQ(ground->clone(0, 2, 1, 20, 13), 0);
    CHECK_EQ(pool.delayed_bytes(), 0u);
    REQUIRE_EQ(ground->write(0, 6, 2), 0);         // behind the clone's back
    REQUIRE_EQ(ground->write(0, 12, 3, true), 0);  // not in place, where the clone has it
    REQUIRE_EQ(ground->write(1, 22, 1, true), 0);
    REQUIRE_EQ(ground->clone(1, 20, 2, 1, 5), 0);
    REQUIRE_EQ(core_object_sync(ground->file[2]), 0);
    CHECK_EQ(ground->difference(), ~0u);
    const u64 before = pool.fingerprint();
    for (u32 i = 0; i < 2; i++) {
        REQUIRE_EQ(ground->crash(), 0);
        CHECK_EQ(ground->difference(), ~0u);
        CHECK_EQ(pool.fingerprint(), before);
        CHECK_EQ(pool.check(), 0u);
    }
}

// What a cut that failed left behind the source's end is nobody's any more.
void behind_the_end(Test& test)
{
    Box<FilesGround> ground = REQUIRE_VALUE(make_box<FilesGround>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    constexpr u64 k_cuts[] = { 0, 3 * u64(k_block_size) };
    for (const u64 cut_bytes : k_cuts) {
        core_object* const file = ground->file[cut_bytes ? 1 : 0];
        REQUIRE_EQ(cut_bytes ? pool.write(file, 0, 10, 500, 10 * k_block_size) : pool.write(file, 0, 1, 500, 515), 0);
        REQUIRE_EQ(ground->write(2, 0, 12), 0);
        {
            Object& object = object_of(file);
            WriteGuard guard(object.m_lock);
            object.m_attributes.size_bytes = cut_bytes;
            object.m_attributes.state |= k_object_truncating;
        }
        const core_clone how { file, ground->file[2], 0, 0, 10, 12 * k_block_size, {}, false };
        REQUIRE_EQ(core_clone_range(&how), 0);
        u32 tags[12];
        REQUIRE_EQ(pool.read(ground->file[2], 0, 12, tags), 0);
        for (u32 i = 0; i < 10; i++)
            if (!CHECK_EQ(tags[i], i < cut_bytes / k_block_size ? 500 + i : u32(TestPool::k_hole)))
                return;
        REQUIRE_EQ(pool.truncate(file, 0), 0);
    }
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
}

// More extents than a group takes, over as many others.
void many_extents(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    TestPool& pool = log->pool;
    constexpr u32 k_extents = 300;
    core_object* other;
    REQUIRE_EQ(pool.create(pool.root(), "other", k_file, &other), 0);
    for (u32 i = 0; i < k_extents; i++) {
        REQUIRE_EQ(pool.write(log->file, 2 * i + 1, 1, i + 1, 2 * k_extents * k_block_size), 0);
        REQUIRE_EQ(pool.write(other, 2 * i, 1, 5000 + i, 2 * k_extents * k_block_size), 0);
    }
    const core_clone how { log->file, other, 0, 0, 2 * k_extents, 2 * k_extents * k_block_size, {}, true };
    REQUIRE_EQ(core_clone_range(&how), 0);
    REQUIRE_EQ(core_object_sync(other), 0);
    core_object_put(other);
    REQUIRE_EQ(log->crash_and_open(), 0);
    REQUIRE_EQ(pool.find(pool.root(), "other", &other), 0);
    u32 wrong = 0;
    for (u32 i = 0; i < k_extents; i++) {
        u32 tags[2] {};
        wrong += pool.read(other, 2 * i, 2, tags) != 0 || tags[0] != (i < 4 ? 100 + 2 * i : u32(TestPool::k_hole)) || tags[1] != i + 1;
    }
    CHECK_EQ(wrong, 0u);
    core_object_put(other);
    CHECK_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
}

// Anything upon anything, with crashes.
void mixed(Test& test)
{
    Box<FilesGround> ground = REQUIRE_VALUE(make_box<FilesGround>());
    REQUIRE_OK(ground->start());
    TestRandom random(3);
    for (u32 i = 0; i < 400; i++) {
        REQUIRE_EQ(ground->step(random), 0);
        bool sound = CHECK_EQ(ground->difference(), ~0u);
        if (i % 20 == 19)
            sound = CHECK_EQ(ground->pool.settle(), 0) && CHECK_EQ(ground->pool.check(), 0u) && sound;
        if (i % 33 == 32)
            sound = CHECK_EQ(core_object_sync(ground->file[0]), 0) && CHECK_EQ(ground->crash(), 0) && CHECK_EQ(ground->difference(), ~0u)
                && CHECK_EQ(ground->pool.check(), 0u) && sound;
        if (!sound)
            return;
    }
}

// Both copies of the table's root are gone: what files hold is served, and what they drop stays in use.
void damaged_table(Test& test)
{
    Box<FilesGround> ground = REQUIRE_VALUE(make_box<FilesGround>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(ground->write(0, 0, 20), 0);
    REQUIRE_EQ(ground->write(2, 0, 5), 0);
    REQUIRE_EQ(ground->clone(0, 0, 1, 0, 10), 0);
    REQUIRE_EQ(pool.settle(), 0);
    NodePointer root;
    {
        TreeCursor cursor;
        REQUIRE(REQUIRE_VALUE(pool.pool().pool_tree().find(PoolTreeKey(PoolKey::shares, 0).bytes(), cursor)));
        DiskNodePointer disk;
        copy_bytes(&disk, cursor.value().data(), sizeof(disk));
        root = REQUIRE_VALUE(NodePointer::decode(disk));
    }
    ground->drop();
    ground->log.drop();
    REQUIRE_EQ(pool.close(), 0);
    for (u32 copy = 0; copy < root.copies; copy++)
        lcpfs_test_device_poke(pool.device(root.dva[copy].vdev.value()), root.dva[copy].block * k_block_size + 100, "damage", 6);
    REQUIRE_EQ(pool.open(false), 0);
    REQUIRE_EQ(ground->find(), 0);
    CHECK_EQ(ground->difference(), ~0u);
    core_extent extent;
    CHECK_EQ(core_map(ground->file[0], 3, &extent), 0);
    CHECK(!extent.hole && extent.shared);
    CHECK(pool.check() > 0);
    const core_clone how { ground->file[2], ground->file[1], 0, 30, 5, 35 * k_block_size, {}, false };
    CHECK(core_clone_range(&how) != 0);
    REQUIRE_EQ(ground->write(0, 2, 3), 0);
    REQUIRE_EQ(ground->truncate(1, 4), 0);
    CHECK_EQ(pool.sync(), 0);
    CHECK_EQ(ground->difference(), ~0u);
    CHECK_EQ(pool.pool().frozen(), Error::none);
    CHECK(pool.pool().share_table().lost_blocks() > 0);
}

// A pool that takes no more changes still says where files are.
void mapped_when_frozen(Test& test)
{
    Box<FilesGround> ground = REQUIRE_VALUE(make_box<FilesGround>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(ground->write(0, 0, 20), 0);
    REQUIRE_EQ(ground->clone(0, 0, 1, 0, 10), 0);
    REQUIRE_EQ(pool.settle(), 0);
    REQUIRE_EQ(ground->clone(0, 10, 1, 10, 10), 0);
    for (u32 i = 0; i < 2; i++)
        lcpfs_test_device_fail(pool.device(i), HOST_IO_WRITE, 0, 1000000);
    CHECK(pool.sync() != 0);
    CHECK(pool.pool().frozen() != Error::none);
    CHECK_EQ(core_settle_shares(ground->file[1]), 0);
    core_extent extent;
    CHECK_EQ(core_map(ground->file[1], 3, &extent), 0);
    CHECK(!extent.hole && extent.shared);
    CHECK_EQ(core_map(ground->file[1], 13, &extent), 0);
    CHECK(!extent.hole);
    for (u32 i = 0; i < 2; i++)
        lcpfs_test_device_fail(pool.device(i), HOST_IO_WRITE, 0, 0);
}

constexpr TestCase k_cases[] = { { "ranges", ranges }, { "from_record", from_record }, { "refused", refused },
                                 { "logged", logged }, { "behind_the_end", behind_the_end },
                                 { "many_extents", many_extents }, { "mixed", mixed },
                                 { "damaged_table", damaged_table },
                                 { "mapped_when_frozen", mapped_when_frozen } };
}
LCPFS_SUITE(clone, k_cases);

}
