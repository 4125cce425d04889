// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/punch.h"

#include "core/test/log_pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

int minus(Error error) { return -errno_of(error); }

// Blocks of the file that are holes, one bit each, as reading and as core_map have it; ~0 when the two differ.
u64 holes_of(TestPool& pool, core_object* file, u32 blocks)
{
    u64 mapped = 0, zeros = 0;
    for (u32 i = 0; i < blocks; i++) {
        core_extent extent;
        u32 tag;
        if (core_map(file, i, &extent) || pool.read(file, i, 1, &tag))
            return ~0ull;
        mapped |= u64(extent.hole) << i;
        zeros |= u64(tag == TestPool::k_hole) << i;
    }
    return mapped == zeros ? zeros : ~0ull;
}

u64 bits(u32 first, u32 count) { return ((1ull << count) - 1) << first; }

struct Hole {
    const char* name;
    u32 first, count;
};
constexpr u32 k_blocks = 60;
constexpr Hole k_holes[] = { { "inside_an_extent", 10, 3 }, { "one_block", 20, 1 }, { "over_a_hole", 8, 7 }, { "the_same", 8, 7 },
                             { "front", 0, 2 }, { "end", 57, 3 }, { "across_extents", 18, 20 }, { "past_the_end", 55, 1000 },
                             { "all", 0, k_blocks } };

void holes(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->settle(), 0);
    const u64 empty = pool->used_blocks();
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    for (u32 at = 0; at < k_blocks; at += 20)
        REQUIRE_EQ(pool->write(file, at, 20, 1 + at, k_blocks * k_block_size - 100), 0);
    u64 expected = 0;
    for (const Hole& hole : k_holes) {
        bool sound = CHECK_EQ(core_punch(file, hole.first, hole.count, { 5, 6 }), 0);
        if (hole.first < k_blocks)
            expected |= bits(hole.first, min(hole.count, k_blocks - hole.first));
        sound = sound && CHECK_EQ(holes_of(*pool, file, k_blocks), expected);
        sound = sound && CHECK_EQ(pool->size(file), u64(k_blocks) * k_block_size - 100);
        sound = sound && CHECK_EQ(pool->blocks(file), u64(k_blocks) - count_bits(expected));
        sound = sound && CHECK_EQ(pool->settle(), 0) && CHECK_EQ(pool->check(), 0u);
        sound = sound && CHECK_EQ(holes_of(*pool, file, k_blocks), expected);
        if (!sound) {
            test.check(false, __FILE__, __LINE__, hole.name);
            break;
        }
    }
    core_attr attr;
    core_object_attr(file, &attr);
    CHECK(attr.mtime.seconds == 5 && attr.ctime.nanoseconds == 6);
    // A file in its record.
    CHECK_EQ(pool->truncate(file, 0), 0);
    CHECK_EQ(pool->write(file, 0, 1, 9, 1000), 0);
    CHECK_EQ(core_punch(file, 0, 1, { 7, 7 }), 0);
    CHECK_EQ(pool->size(file), 1000u);
    CHECK_EQ(holes_of(*pool, file, 1), 1u);
    core_object_put(file);
    CHECK_EQ(pool->unlink(pool->root(), "file"), 0);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->used_blocks(), empty);
    CHECK_EQ(pool->promised(), 0u);
}

void refused(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    REQUIRE_EQ(pool->write(file, 0, 4, 1, 4 * k_block_size), 0);
    CHECK_EQ(core_punch(file, 0, 0, {}), minus(Error::invalid));
    CHECK_EQ(core_punch(file, k_max_file_blocks, 1, {}), minus(Error::invalid));
    CHECK_EQ(core_punch(file, 1, k_max_file_blocks, {}), minus(Error::invalid));
    CHECK_EQ(core_punch(file, ~0ull, ~0ull, {}), minus(Error::invalid));
    CHECK_EQ(core_punch(pool->root(), 0, 1, {}), minus(Error::is_directory));
    REQUIRE_EQ(pool->settle(), 0);
    REQUIRE_EQ(core_pool_set_read_only(pool->handle(), true), 0);
    CHECK_EQ(core_punch(file, 0, 1, {}), minus(Error::read_only));
    CHECK_EQ(holes_of(*pool, file, 4), 0u);
    core_object_put(file);
}

// More extents than a group takes; on a pool without room.
void many_extents(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    constexpr u32 k_extents = 600;
    for (u32 i = 0; i < k_extents; i++)
        REQUIRE_EQ(log->pool.write(log->file, 2 * i + 1, 1, i + 1, 2 * k_extents * k_block_size), 0);
    REQUIRE_EQ(log->pool.settle(), 0);
    core_object* filler;
    REQUIRE_EQ(log->pool.create(log->pool.root(), "filler", k_file, &filler), 0);
    int result = 0;
    for (u32 i = 0; result == 0; i++)
        result = log->pool.write(filler, u64(i) * 64, 64, 1, u64(i + 1) * 64 * k_block_size);
    CHECK_EQ(result, minus(Error::no_space));
    core_object_put(filler);
    REQUIRE_EQ(core_punch(log->file, 0, 2 * k_extents - 1, { 1, 1 }), 0);
    REQUIRE_EQ(core_object_sync(log->file), 0);
    REQUIRE_EQ(log->crash_and_open(), 0);
    core_extent extent;
    REQUIRE_EQ(core_map(log->file, 0, &extent), 0);
    CHECK(extent.hole && extent.blocks == 2 * k_extents - 1);
    u32 tag;
    CHECK_EQ(log->pool.read(log->file, 2 * k_extents - 1, 1, &tag), 0);
    CHECK_EQ(tag, k_extents);
    CHECK_EQ(log->pool.settle(), 0);
    CHECK_EQ(log->pool.check(), 0u);
}

constexpr TestCase k_cases[] = { { "holes", holes }, { "refused", refused }, { "many_extents", many_extents } };
}
LCPFS_SUITE(punch, k_cases);

}
