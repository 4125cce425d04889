// SPDX-License-Identifier: GPL-2.0-only
// File data against an array of what each block holds.
#include "core/fs/extents.h"
#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {
constexpr u32 k_file = k_mode_regular | 0644;
constexpr u32 k_blocks = 320;

struct Model {
    u32 tags[k_blocks] {}; // of each block; 0: hole
    u32 read[TestPool::k_most_blocks];
    u64 size { 0 };
    u32 next_tag { 1 };

    u64 mapped() const
    {
        u64 count = 0;
        for (u32 tag : tags)
            count += tag != 0;
        return count;
    }
};

struct FileGround {
    TestPool pool;
    Model model;
    core_object* file { nullptr };

    ~FileGround() { put(); }
    void put()
    {
        if (file)
            core_object_put(file);
        file = nullptr;
    }
    Status start(u32 data_checksum = 0)
    {
        TRY(pool.start(data_checksum));
        return start_file();
    }
    // A new file in place of the last.
    Status start_file()
    {
        put();
        zero_bytes(model.tags, sizeof(model.tags));
        model.size = 0;
        if (pool.empty(pool.root()) != 0)
            return Error::contradiction;
        return pool.create(pool.root(), "file", k_file, &file) == 0 ? Status() : Status(Error::no_memory);
    }
    int write(u32 block, u32 count)
    {
        model.size = max<u64>(model.size, u64(block + count) * k_block_size);
        for (u32 i = 0; i < count; i++)
            model.tags[block + i] = model.next_tag + i;
        int result = pool.write(file, block, count, model.next_tag, model.size);
        model.next_tag += count;
        return result;
    }
    int truncate(u64 size_bytes)
    {
        model.size = size_bytes;
        for (u64 i = blocks_for_bytes(size_bytes); i < k_blocks; i++)
            model.tags[i] = 0;
        return pool.truncate(file, size_bytes);
    }
    int reopen()
    {
        put();
        int result = pool.close();
        if (result == 0)
            result = pool.open(false);
        return result ? result : pool.find(pool.root(), "file", &file);
    }
};
}

static void check_file(Test& test, FileGround& ground)
{
    Model& model = ground.model;
    REQUIRE_EQ(ground.pool.size(ground.file), model.size);
    REQUIRE_EQ(ground.pool.blocks(ground.file), model.mapped());
    for (u32 at = 0; at < k_blocks; at += TestPool::k_most_blocks) {
        REQUIRE_EQ(ground.pool.read(ground.file, at, TestPool::k_most_blocks, model.read), 0);
        for (u32 i = 0; i < TestPool::k_most_blocks; i++)
            REQUIRE_EQ(model.read[i], model.tags[at + i]);
    }
    // The map says the same of holes.
    for (u64 at = 0; at < k_blocks;) {
        core_extent extent;
        REQUIRE_EQ(core_map(ground.file, at, &extent), 0);
        REQUIRE(extent.block == at && extent.blocks > 0 && !extent.inlined);
        for (u64 i = at; i < at + extent.blocks && i < k_blocks; i++)
            REQUIRE_EQ(extent.hole, model.tags[i] == 0);
        at += extent.blocks;
    }
}

static void random_changes(Test& test, u32 checksum, u64 seed)
{
    Box<FileGround> ground = REQUIRE_VALUE(make_box<FileGround>());
    REQUIRE_OK(ground->start(checksum));
    TestRandom random(seed);
    for (u32 round = 0; round < 120; round++) {
        const u32 what = random.below(16);
        if (what < 12) {
            const u32 count = 1 + random.below(random.below(3) ? 8 : 60);
            REQUIRE_EQ(ground->write(random.below(k_blocks - count), count), 0);
        } else if (what < 14) {
            REQUIRE_EQ(ground->truncate(u64(random.below(k_blocks)) * k_block_size), 0);
        } else if (what == 14) {
            REQUIRE_EQ(ground->pool.settle(), 0);
        } else {
            REQUIRE_EQ(ground->reopen(), 0);
        }
        if (round % 4 == 0)
            check_file(test, *ground);
        if (test.failed())
            return;
    }
    REQUIRE_EQ(ground->pool.settle(), 0);
    if (!CHECK_EQ(ground->pool.check(), 0u))
        host_log(HOST_LOG_ERROR, ground->pool.finding);
    check_file(test, *ground);
    const u64 promised = ground->pool.promised();
    CHECK_EQ(promised, 0u);
    CHECK_EQ(ground->pool.dirty_bytes(), 0u);
    // Everything comes back.
    REQUIRE_EQ(ground->truncate(0), 0);
    ground->put();
    CHECK_EQ(ground->pool.unlink(ground->pool.root(), "file"), 0);
    REQUIRE_EQ(ground->pool.settle(), 0);
    CHECK_EQ(ground->pool.check(), 0u);
}

static void random_crc32c(Test& test) { random_changes(test, CORE_CHECKSUM_CRC32C, 1); }
static void random_xxh64(Test& test) { random_changes(test, CORE_CHECKSUM_XXH64, 2); }
static void random_sha256(Test& test) { random_changes(test, CORE_CHECKSUM_SHA256, 3); }

// One extent of 16 blocks at 8, or several, overwritten in every way.
namespace {
struct Overwrite {
    const char* name;
    u32 block, count;
};
constexpr Overwrite k_overwrites[] = {
    { "whole", 8, 16 },       { "front", 8, 3 },        { "end", 21, 3 },         { "middle", 12, 4 },
    { "one_in_middle", 15, 1 }, { "over_front", 4, 8 },   { "over_end", 20, 10 },   { "over_all", 2, 40 },
    { "before", 0, 8 },       { "behind", 24, 4 },      { "over_both", 20, 15 },  { "from_hole_to_hole", 5, 22 },
    { "second_exact", 30, 10 }, { "first_block", 8, 1 },  { "last_block", 23, 1 },
};
}

static void overwrite_row(Test& test, FileGround* ground, const Overwrite& row)
{
    REQUIRE_OK(ground->start_file());
    REQUIRE_EQ(ground->write(8, 16), 0);
    REQUIRE_EQ(ground->write(30, 10), 0);
    REQUIRE_EQ(ground->pool.settle(), 0);
    const u64 used = ground->pool.used_blocks();
    const u64 mapped = ground->model.mapped();
    REQUIRE_EQ(ground->write(row.block, row.count), 0);
    check_file(test, *ground);
    REQUIRE_EQ(ground->pool.settle(), 0);
    check_file(test, *ground);
    CHECK_EQ(ground->pool.used_blocks() - used, ground->model.mapped() - mapped);
    CHECK_EQ(ground->pool.check(), 0u);
    // Cut in the middle of what is there now.
    REQUIRE_EQ(ground->truncate(u64(15) * k_block_size), 0);
    check_file(test, *ground);
    REQUIRE_EQ(ground->truncate(u64(200) * k_block_size), 0);
    check_file(test, *ground);
    REQUIRE_EQ(ground->pool.settle(), 0);
    CHECK_EQ(ground->pool.check(), 0u);
}

static void overwrite(Test& test)
{
    Box<FileGround> ground = REQUIRE_VALUE(make_box<FileGround>());
    REQUIRE_OK(ground->start());
    for (const Overwrite& row : k_overwrites) {
        overwrite_row(test, ground.get(), row);
        if (!test.check(!test.failed(), __FILE__, __LINE__, row.name))
            return;
    }
}

// Parts of extents whose remains and whose new items belong to different leaves, none of which is this group's yet.
static void parts_across_leaves(Test& test)
{
    Box<FileGround> ground = REQUIRE_VALUE(make_box<FileGround>());
    REQUIRE_OK(ground->pool.start(CORE_CHECKSUM_XXH64, k_min_node_bytes));
    REQUIRE_OK(ground->start_file());
    for (u32 i = k_blocks; i > 0; i--)
        REQUIRE_EQ(ground->write(i - 1, 1), 0);
    // In the middle of these one leaf ends. From the back, so that what is left in front begins in the leaf before.
    for (u32 odd = 0; odd < 2; odd++) {
        for (u32 at = 100; at < 220; at += 40)
            REQUIRE_EQ(ground->write(at, 40), 0);
        for (u32 i = 218 + odd; i > 100; i -= 2) {
            REQUIRE_EQ(ground->pool.settle(), 0);
            REQUIRE_EQ(ground->pool.check(), 0u);
            REQUIRE_EQ(ground->write(i, 1), 0);
            check_file(test, *ground);
            REQUIRE(!test.failed());
        }
    }
    REQUIRE_EQ(ground->pool.settle(), 0);
    CHECK_EQ(ground->pool.check(), 0u);
}

// Many small extents: a tree of its own, freed over several groups.
static void many_extents(Test& test)
{
    Box<FileGround> ground = REQUIRE_VALUE(make_box<FileGround>());
    REQUIRE_OK(ground->start());
    constexpr u32 k_extents = 400;
    for (u32 i = 0; i < k_extents; i++)
        REQUIRE_EQ(ground->pool.write(ground->file, u64(i) * 3, 1, i + 1, u64(k_extents) * 3 * k_block_size), 0);
    REQUIRE_EQ(ground->pool.settle(), 0);
    CHECK_EQ(ground->pool.blocks(ground->file), k_extents);
    CHECK_EQ(ground->pool.check(false), 0u);
    u32 tags[3];
    for (u32 i = 0; i < k_extents; i += 37) {
        REQUIRE_EQ(ground->pool.read(ground->file, u64(i) * 3, 3, tags), 0);
        CHECK(tags[0] == i + 1 && tags[1] == 0 && tags[2] == 0);
    }
    REQUIRE_EQ(ground->pool.truncate(ground->file, u64(100) * 3 * k_block_size), 0);
    CHECK_EQ(ground->pool.blocks(ground->file), 100u);
    REQUIRE_EQ(ground->pool.settle(), 0);
    CHECK_EQ(ground->pool.check(false), 0u);
    ground->put();
    REQUIRE_EQ(ground->pool.unlink(ground->pool.root(), "file"), 0);
    REQUIRE_EQ(ground->pool.settle(), 0);
    CHECK_EQ(ground->pool.check(false), 0u);
    CHECK_EQ(ground->pool.dirty_bytes(), 0u);
}

// The first `bytes` of the page read are `value`, the rest zeros.
static bool page_holds(const u8* page, u32 bytes, u8 value)
{
    for (u32 i = 0; i < k_block_size; i++)
        if (page[i] != (i < bytes ? value : 0))
            return false;
    return true;
}

static void inlined(Test& test)
{
    Box<FileGround> ground = REQUIRE_VALUE(make_box<FileGround>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    constexpr u32 k_sizes[] = { 1, 100, 2048, 7, 2047 };
    for (u32 size : k_sizes) {
        // The page cache cuts a file before it is written shorter.
        REQUIRE_EQ(pool.truncate(ground->file, min<u64>(pool.size(ground->file), size)), 0);
        __builtin_memset(pool.page(), 0, k_block_size);
        __builtin_memset(pool.page(), static_cast<int>(size & 0xff), size);
        REQUIRE_EQ(pool.write_page(ground->file, 0, size), 0);
        CHECK_EQ(pool.size(ground->file), size);
        CHECK_EQ(pool.blocks(ground->file), 0u);
        core_extent extent;
        CHECK(core_map(ground->file, 0, &extent) == 0 && extent.inlined && extent.blocks == 1);
        REQUIRE_EQ(pool.read_page(ground->file, 0), 0);
        CHECK(page_holds(pool.page(), size, static_cast<u8>(size)));
        REQUIRE_EQ(ground->reopen(), 0);
        REQUIRE_EQ(pool.read_page(ground->file, 0), 0);
        CHECK(page_holds(pool.page(), size, static_cast<u8>(size)));
        CHECK_EQ(pool.check(), 0u);
    }
    // Cut inside its bytes, and grown again: zeros, not the old bytes.
    REQUIRE_EQ(pool.truncate(ground->file, 500), 0);
    REQUIRE_EQ(pool.truncate(ground->file, 3000), 0);
    REQUIRE_EQ(pool.read_page(ground->file, 0), 0);
    CHECK(page_holds(pool.page(), 500, static_cast<u8>(2047)));
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
    // One byte more than fits, then back.
    __builtin_memset(pool.page(), 9, k_block_size);
    REQUIRE_EQ(pool.truncate(ground->file, 0), 0);
    REQUIRE_EQ(pool.write_page(ground->file, 0, 2049), 0);
    CHECK_EQ(pool.blocks(ground->file), 1u);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
    REQUIRE_EQ(pool.truncate(ground->file, 10), 0);
    __builtin_memset(pool.page(), 0, k_block_size);
    __builtin_memset(pool.page(), 8, 10);
    REQUIRE_EQ(pool.write_page(ground->file, 0, 10), 0);
    CHECK_EQ(pool.blocks(ground->file), 0u);
    REQUIRE_EQ(pool.read_page(ground->file, 0), 0);
    CHECK(page_holds(pool.page(), 10, 8));
    // A block behind what is in the record.
    REQUIRE_EQ(pool.write(ground->file, 5, 2, 77, 7 * k_block_size), 0);
    CHECK_EQ(pool.blocks(ground->file), 2u);
    REQUIRE_EQ(pool.read_page(ground->file, 0), 0);
    CHECK(page_holds(pool.page(), 10, 8));
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
    REQUIRE_EQ(pool.write(ground->file, 0, 7, 50, 7 * k_block_size), 0);
    CHECK_EQ(pool.blocks(ground->file), 7u);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
    REQUIRE_EQ(pool.truncate(ground->file, 0), 0);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
    CHECK_EQ(pool.promised(), 0u);
}

// A write whose size says less than its end (the page cache's last block), and one past a hole.
static void sizes(Test& test)
{
    Box<FileGround> ground = REQUIRE_VALUE(make_box<FileGround>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(pool.write(ground->file, 0, 3, 1, 2 * k_block_size + 5), 0);
    CHECK_EQ(pool.size(ground->file), 2 * k_block_size + 5);
    REQUIRE_EQ(pool.write(ground->file, 0, 1, 9, 100 * k_block_size), 0);
    CHECK_EQ(pool.size(ground->file), 2 * k_block_size + 5); // follows the data
    REQUIRE_EQ(pool.truncate(ground->file, 0x7fffffffffffffffull), 0);
    CHECK_EQ(pool.size(ground->file), 0x7fffffffffffffffull);
    CHECK_EQ(pool.truncate(ground->file, 0x8000000000000000ull), -errno_of(Error::file_too_large));
    REQUIRE_EQ(pool.write(ground->file, k_max_file_blocks - 2, 2, 5, 0x7fffffffffffffffull), 0);
    CHECK_EQ(pool.write(ground->file, k_max_file_blocks - 1, 2, 5, ~0ull), -errno_of(Error::invalid));
    u32 tags[2];
    REQUIRE_EQ(pool.read(ground->file, k_max_file_blocks - 2, 2, tags), 0);
    CHECK(tags[0] == 5 && tags[1] == 6);
    CHECK_EQ(pool.blocks(ground->file), 5u);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
    CHECK_EQ(pool.truncate(pool.root(), 0), -errno_of(Error::is_directory));
    CHECK_EQ(pool.promised(), 0u);
}

// A damaged block is an error for that block alone.
static void damaged_block(Test& test)
{
    Box<FileGround> ground = REQUIRE_VALUE(make_box<FileGround>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(ground->write(0, 8), 0);
    REQUIRE_EQ(pool.settle(), 0);
    core_extent extent;
    REQUIRE_EQ(core_map(ground->file, 3, &extent), 0);
    u8 byte = 0xee;
    lcpfs_test_device_poke(pool.device(extent.device), extent.device_block * k_block_size + 77, &byte, 1);
    u32 tags[8];
    core_pool_status before, after;
    core_pool_get_status(pool.handle(), &before);
    CHECK(pool.read_once(ground->file, 0, 8, tags) < 0); // says no more than that, to anybody
    for (u32 i = 0; i < 8; i++)
        CHECK_EQ(tags[i] == ground->model.tags[i], i != 3);
    core_pool_get_status(pool.handle(), &after);
    CHECK_EQ(after.checksum_errors, before.checksum_errors);
    CHECK_EQ(pool.read_once(ground->file, 4, 4, tags), 0);
    for (u32 way = 0; way < 2; way++) {
        CHECK_EQ(pool.read(ground->file, 0, 8, tags), -errno_of(Error::data_checksum));
        for (u32 i = 0; i < 8; i++)
            if (i != 3)
                CHECK_EQ(tags[i], ground->model.tags[i]);
    }
    core_pool_get_status(pool.handle(), &after);
    CHECK(after.checksum_errors > before.checksum_errors);
    CHECK_EQ(pool.read(ground->file, 0, 3, tags), 0);
    CHECK_EQ(pool.read(ground->file, 4, 4, tags), 0);
    CHECK_EQ(pool.check(), 1u);
    REQUIRE_EQ(ground->write(3, 1), 0);
    check_file(test, *ground);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
}

namespace {

// Writes of one block each, under way at once.
struct Together {
    static constexpr u32 k_writes = 12;
    host_pool* memory { nullptr };
    u8* pages[k_writes] {};
    IoBatch under_way;
    Atomic<u32> failed { 0 };

    ~Together()
    {
        for (u8* page : pages)
            if (page)
                host_pool_free(memory, page);
        host_pool_destroy(memory);
    }
    bool start()
    {
        memory = host_pool_create("lcpfs_test_page", k_block_size, 0);
        for (u8*& page : pages)
            page = memory ? static_cast<u8*>(host_pool_alloc(memory, 0)) : nullptr;
        return memory && pages[k_writes - 1];
    }
    int write(u32 i, core_object* object, u64 block, u32 tag, u64 size_bytes)
    {
        for (u32 at = 0; at < k_block_size; at += sizeof(tag))
            copy_bytes(pages[i] + at, &tag, sizeof(tag));
        if (const int result = core_reserve(object, 1))
            return result;
        const core_segment segment { pages[i], k_block_size };
        under_way.begin();
        core_write(object, block, &segment, 1, size_bytes, written, this);
        return 0;
    }
    static void written(void* context, int error)
    {
        Together& self = *static_cast<Together*>(context);
        if (error)
            self.failed.add(1);
        self.under_way.finish(Error::none);
    }
};

}

// The data of several writes gets to disk at one moment: each is entered, and ends, of whichever file it is.
static void together(Test& test)
{
    Box<FileGround> ground = REQUIRE_VALUE(make_box<FileGround>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(ground->write(0, 30), 0);
    core_object* other;
    REQUIRE_EQ(pool.create(pool.root(), "other", k_file, &other), 0);
    Box<Together> writes = REQUIRE_VALUE(make_box<Together>());
    REQUIRE(writes->start());
    for (u32 round = 0; round < 3; round++) {
        for (u32 i = 0; i < 2; i++)
            lcpfs_test_device_hold(pool.device(i), HOST_IO_WRITE, true);
        int result = 0;
        for (u32 i = 0; i < Together::k_writes && result == 0; i++) {
            const u32 tag = 1000 * (round + 1) + i;
            if (i % 4 == 3) {
                result = writes->write(i, other, i, tag, (i + 1) * k_block_size);
                continue;
            }
            result = writes->write(i, ground->file, 2 * i, tag, ground->model.size);
            ground->model.tags[2 * i] = tag;
        }
        for (u32 i = 0; i < 2; i++)
            lcpfs_test_device_hold(pool.device(i), HOST_IO_WRITE, false);
        CHECK_OK(writes->under_way.wait());
        CHECK_EQ(result, 0);
        CHECK_EQ(writes->failed.load(), 0u);
        check_file(test, *ground);
        for (u32 i = 3; i < Together::k_writes; i += 4) {
            u32 tag = 0;
            CHECK_EQ(pool.read(other, i, 1, &tag), 0);
            CHECK_EQ(tag, 1000 * (round + 1) + i);
        }
    }
    core_object_put(other);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.promised(), 0u);
    CHECK_EQ(pool.check(), 0u);
}

// core_read_waits knows what a read would have to read first, and whether somebody changes the file.
static void read_waits(Test& test)
{
    Box<FileGround> ground = REQUIRE_VALUE(make_box<FileGround>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    for (u32 block = 0; block < k_blocks; block += 2)
        REQUIRE_EQ(ground->write(block, 1), 0);
    CHECK(!core_read_waits(ground->file, 0, k_blocks));
    REQUIRE_EQ(ground->reopen(), 0);
    pool.pool().cache().evict(~0ull);
    CHECK(core_read_waits(ground->file, 0, 1));
    CHECK(core_read_waits(ground->file, k_blocks - 1, 1));
    u32 tag;
    for (u32 block = 0; block < k_blocks; block += 2) {
        REQUIRE_EQ(pool.read(ground->file, block, 1, &tag), 0);
        CHECK_EQ(tag, ground->model.tags[block]);
    }
    CHECK(!core_read_waits(ground->file, 0, k_blocks));
    {
        WriteGuard guard(object_of(ground->file).m_lock);
        CHECK(core_read_waits(ground->file, 0, 1));
    }
    CHECK(!core_read_waits(ground->file, 0, 1));
}

namespace {
constexpr TestCase k_cases[] = { { "random_crc32c", random_crc32c },
                                 { "random_xxh64", random_xxh64 },
                                 { "random_sha256", random_sha256 },
                                 { "overwrite", overwrite },
                                 { "parts_across_leaves", parts_across_leaves },
                                 { "many_extents", many_extents },
                                 { "inlined", inlined },
                                 { "sizes", sizes },
                                 { "damaged_block", damaged_block },
                                 { "together", together },
                                 { "read_waits", read_waits } };
}
LCPFS_SUITE(file, k_cases);

}
