// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/shift.h"

#include "core/test/log_pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

int minus(Error error) { return -errno_of(error); }

struct Row {
    const char* name;
    bool collapses;
    u32 block, count;
    bool crashes;
};
// On 40 blocks in extents of five, the tags 1 to 40, a hole at 10 to 14, the size 100 bytes short of the last block's end.
constexpr Row k_rows[] = {
    { "collapse_front", true, 0, 3, false },    { "collapse_middle", true, 7, 6, false },   { "collapse_all_but_one", true, 0, 39, false },
    { "collapse_a_hole", true, 10, 5, false },  { "collapse_logged", true, 3, 20, true },   { "collapse_end", true, 30, 9, true },
    { "insert_front", false, 0, 4, false },     { "insert_in_extent", false, 12, 1, false }, { "insert_last", false, 39, 17, false },
    { "insert_logged", false, 8, 9, true },     { "insert_much", false, 1, 100000, true },
};

constexpr u32 k_blocks = 40;

u32 tag_at(const Row& row, u32 block)
{
    if (row.collapses && block >= row.block)
        block += row.count;
    else if (!row.collapses && block >= row.block)
        block = block < row.block + row.count ? 12 : block - row.count;
    return block >= 10 && block < 15 ? TestPool::k_hole : block + 1;
}

}

static void shifted(Test& test, const Row& row)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    REQUIRE_EQ(log->pool.truncate(log->file, 0), 0);
    const u64 size = k_blocks * u64(k_block_size) - 100;
    for (u32 at = 0; at < k_blocks; at += 5)
        if (at != 10)
            REQUIRE_EQ(log->pool.write(log->file, at, 5, at + 1, size), 0);
    REQUIRE_EQ(log->pool.settle(), 0);
    const core_time time = { 8, 9 };
    core_object* const file = log->file;
    REQUIRE_EQ(row.collapses ? core_collapse(file, row.block, row.count, time) : core_insert(file, row.block, row.count, time), 0);
    if (row.crashes) {
        const u64 committed = log->committed();
        REQUIRE_EQ(core_object_sync(log->file), 0);
        CHECK_EQ(log->committed(), committed);
        REQUIRE_EQ(log->crash_and_open(), 0);
    }
    const u64 bytes = u64(row.count) * k_block_size;
    CHECK_EQ(log->pool.size(log->file), row.collapses ? size - bytes : size + bytes);
    core_attr attr;
    core_object_attr(log->file, &attr);
    CHECK(attr.mtime.seconds == 8 && attr.ctime.nanoseconds == 9);
    const u32 blocks = row.collapses ? k_blocks - row.count : k_blocks + min(row.count, 60u);
    for (u32 block = 0; block < blocks; block++) {
        u32 tag;
        REQUIRE_EQ(log->pool.read(log->file, block, 1, &tag), 0);
        // The last one ends before its end.
        if (tag != ~0u && !CHECK_EQ(tag, tag_at(row, block)))
            break;
    }
    CHECK_EQ(log->pool.settle(), 0);
    CHECK_EQ(log->pool.check(), 0u);
    CHECK_EQ(log->pool.promised(), 0u);
}
LCPFS_TABLE_SUITE(shift_cases, k_rows, shifted);

static void refused(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    REQUIRE_EQ(pool->write(file, 0, 4, 1, 4 * k_block_size), 0);
    CHECK_EQ(core_collapse(file, 0, 0, {}), minus(Error::invalid));
    CHECK_EQ(core_collapse(file, 1, 3, {}), minus(Error::invalid));
    CHECK_EQ(core_collapse(file, 0, ~0ull, {}), minus(Error::invalid));
    CHECK_EQ(core_collapse(pool->root(), 0, 1, {}), minus(Error::is_directory));
    CHECK_EQ(core_insert(file, 4, 1, {}), minus(Error::invalid));
    CHECK_EQ(core_insert(file, 0, 0, {}), minus(Error::invalid));
    CHECK_EQ(core_insert(file, 0, k_max_file_blocks - 1, {}), minus(Error::file_too_large));
    CHECK_EQ(core_insert(pool->root(), 0, 1, {}), minus(Error::is_directory));
    CHECK_EQ(pool->size(file), 4u * k_block_size);
    core_object_put(file);
}

// Data in the record makes way for a hole.
static void in_the_record(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    REQUIRE_EQ(pool->write(file, 0, 1, 9, 1000), 0);
    core_extent extent;
    REQUIRE_EQ(core_map(file, 0, &extent), 0);
    REQUIRE(extent.inlined);
    REQUIRE_EQ(core_insert(file, 0, 2, {}), 0);
    CHECK_EQ(pool->size(file), 2u * k_block_size + 1000);
    REQUIRE_EQ(core_map(file, 0, &extent), 0);
    CHECK(extent.hole && extent.blocks == 2);
    REQUIRE_EQ(pool->read_page(file, 2), 0);
    CHECK(pool->page()[0] == 9 && pool->page()[996] == 9 && pool->page()[1000] == 0 && pool->page()[4095] == 0);
    // And back: the record's limit is not what it was written by.
    REQUIRE_EQ(core_collapse(file, 0, 2, {}), 0);
    CHECK_EQ(pool->size(file), 1000u);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
    core_object_put(file);
}

// More than a group moves, both ways, in a file whose every other block is a hole.
static void many_extents(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    constexpr u32 k_extents = 300;
    REQUIRE_EQ(log->pool.truncate(log->file, 0), 0);
    for (u32 i = 0; i < k_extents; i++)
        REQUIRE_EQ(log->pool.write(log->file, 2 * i, 1, i + 1, 2 * k_extents * k_block_size), 0);
    REQUIRE_EQ(log->pool.settle(), 0);
    REQUIRE_EQ(core_insert(log->file, 10, 5, {}), 0);
    REQUIRE_EQ(core_collapse(log->file, 100, 200, {}), 0);
    REQUIRE_EQ(core_object_sync(log->file), 0);
    REQUIRE_EQ(log->crash_and_open(), 0);
    CHECK_EQ(log->pool.size(log->file), (2 * k_extents - 1 + 5 - 200) * u64(k_block_size)); // it ends with the last block written
    for (u32 block = 0; block < 2 * k_extents - 200; block++) {
        const u32 inserted = block < 100 ? block : block + 200;
        const u32 was = inserted < 10 ? inserted : inserted < 15 ? 1 : inserted - 5;
        u32 tag;
        REQUIRE_EQ(log->pool.read(log->file, block, 1, &tag), 0);
        if (!CHECK_EQ(tag, was % 2 ? TestPool::k_hole : was / 2 + 1))
            break;
    }
    CHECK_EQ(log->pool.settle(), 0);
    CHECK_EQ(log->pool.check(), 0u);
}

namespace {
constexpr TestCase k_cases[] = { { "refused", refused }, { "in_the_record", in_the_record }, { "many_extents", many_extents } };
}
LCPFS_SUITE(shift, k_cases);

}
