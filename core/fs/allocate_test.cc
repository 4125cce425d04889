// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/allocate.h"

#include "core/test/log_pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

int minus(Error error) { return -errno_of(error); }

constexpr u32 k_blocks = 60;

// Of each block of the file: 'h' a hole, 'u' unwritten, 'w' written, 'i' in the record. Blocks that read other than that tells: '?'.
void look(TestPool& pool, core_object* file, u32 blocks, char* kinds)
{
    for (u32 i = 0; i < blocks; i++) {
        core_extent extent;
        u32 tag;
        kinds[i] = '?';
        if (core_map(file, i, &extent) || pool.read(file, i, 1, &tag))
            continue;
        const char kind = extent.hole ? 'h' : extent.unwritten ? 'u' : extent.inlined ? 'i' : 'w';
        const bool reads_zeros = kind == 'h' || kind == 'u';
        kinds[i] = (tag == TestPool::k_hole) == reads_zeros || kind == 'i' ? kind : '?';
    }
    kinds[blocks] = 0;
}

bool looks(TestPool& pool, core_object* file, const char* expected)
{
    char kinds[k_blocks + 1];
    u32 blocks = 0;
    while (expected[blocks])
        blocks++;
    look(pool, file, blocks, kinds);
    return compare_bytes(kinds, expected, blocks) == 0;
}

u64 place_of(core_object* file, u64 block)
{
    core_extent extent {};
    return core_map(file, block, &extent) || extent.hole || extent.inlined ? 0 : u64(extent.device) << 48 | extent.device_block;
}

u32 tag_of(TestPool& pool, core_object* file, u64 block)
{
    u32 tag = ~0u;
    return pool.read(file, block, 1, &tag) ? ~0u : tag;
}

// A write that somebody else does meanwhile.
struct Writing {
    core_segment segments[1];
    IoBatch batch;
    int result { 0 };
    host_pool* memory { host_pool_create("test_writing", 8 * k_block_size, 0) };
    void* data { host_pool_alloc(memory, 0) };

    ~Writing()
    {
        host_pool_free(memory, data);
        host_pool_destroy(memory);
    }
    int begin(core_object* file, u64 block, u32 count, u32 first_tag, u64 size_bytes)
    {
        for (u32 i = 0; i < count * k_block_size / 4; i++)
            static_cast<u32*>(data)[i] = first_tag + i / (k_block_size / 4);
        bool backed;
        if (int error = core_reserve_for(file, block, count, count, &backed))
            return error;
        segments[0] = { data, count * k_block_size };
        batch.begin();
        core_write(file, block, segments, 1, size_bytes, ended, this);
        return 0;
    }
    static void ended(void* context, int error)
    {
        Writing& self = *static_cast<Writing*>(context);
        self.result = error;
        self.batch.finish(Error::none);
    }
    int end()
    {
        (void)batch.wait().is_ok();
        return result;
    }
};

void hold(TestPool& pool, bool hold)
{
    for (u32 i = 0; i < 2; i++)
        lcpfs_test_device_hold(pool.device(i), HOST_IO_WRITE, hold);
}

void fill(Test& test, TestPool& pool)
{
    core_object* filler;
    REQUIRE_EQ(pool.create(pool.root(), "filler", k_file, &filler), 0);
    int result = 0;
    u32 step = 64;
    for (u64 at = 0; step > 0;) {
        result = pool.write(filler, at, step, 1, (at + step) * k_block_size);
        if (result)
            step /= 2;
        else
            at += step;
    }
    CHECK_EQ(result, minus(Error::no_space));
    core_object_put(filler);
}

void kinds(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->settle(), 0);
    const u64 empty = pool->used_blocks();
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    REQUIRE_EQ(pool->write(file, 4, 2, 1, 10 * k_block_size), 0);
    REQUIRE_EQ(pool->truncate(file, 10 * k_block_size), 0);
    CHECK_EQ(core_allocate(file, 2, 8), 0);
    CHECK(looks(*pool, file, "hhuuwwuuuuhh"));
    CHECK_EQ(pool->blocks(file), 8u);
    CHECK_EQ(core_allocate(file, 0, 12), 0);
    CHECK(looks(*pool, file, "uuuuwwuuuuuu"));
    // The size is as it was, and nothing of it is written.
    CHECK_EQ(pool->size(file), 10u * k_block_size);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
    CHECK_EQ(pool->promised(), 0u);
    // In place, in the middle of it and over what is written.
    const u64 place = place_of(file, 7), other = place_of(file, 4);
    CHECK_EQ(pool->write(file, 3, 5, 100, 10 * k_block_size), 0);
    CHECK(looks(*pool, file, "uuuwwwwwuuuu"));
    CHECK_EQ(place_of(file, 7), place);
    CHECK(place_of(file, 4) != other);
    for (u32 i = 0; i < 5; i++)
        CHECK_EQ(tag_of(*pool, file, 3 + i), 100 + i);
    CHECK_EQ(pool->blocks(file), 12u);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
    // Once more: not in place, what a committed group has is not written over.
    CHECK_EQ(pool->write(file, 7, 1, 200, 10 * k_block_size), 0);
    CHECK(place_of(file, 7) != place);
    // Behind the end until the file is cut, be it to its size.
    CHECK_EQ(pool->truncate(file, 9 * k_block_size + 7), 0);
    CHECK(looks(*pool, file, "uuuwwwwwuuhh"));
    CHECK_EQ(core_punch(file, 1, 4, {}), 0);
    CHECK(looks(*pool, file, "uhhhhwwwuuhh"));
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
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
    CHECK_EQ(core_allocate(file, 0, 0), minus(Error::invalid));
    CHECK_EQ(core_allocate(file, k_max_file_blocks, 1), minus(Error::invalid));
    CHECK_EQ(core_allocate(pool->root(), 0, 1), minus(Error::is_directory));
    // More than there is: nothing is done.
    CHECK_EQ(core_allocate(file, 0, TestPool::k_device_bytes / k_block_size * 2), minus(Error::no_space));
    CHECK_EQ(core_allocate(file, 0, k_max_file_blocks), minus(Error::no_space));
    CHECK_EQ(pool->blocks(file), 0u);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->promised(), 0u);
    REQUIRE_EQ(core_pool_set_read_only(pool->handle(), true), 0);
    CHECK_EQ(core_allocate(file, 0, 1), minus(Error::read_only));
    core_object_put(file);
}

// A file in its record gets a block, and stays as long as it is.
void small_file(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    REQUIRE_EQ(pool->write(file, 0, 1, 5, 100), 0);
    CHECK(looks(*pool, file, "i"));
    CHECK_EQ(core_allocate(file, 0, 3), 0);
    CHECK_EQ(pool->size(file), 100u);
    CHECK_EQ(place_of(file, 0) != 0, true);
    CHECK_EQ(pool->read_page(file, 0), 0);
    u32 word;
    copy_bytes(&word, pool->page() + 96, 4);
    CHECK_EQ(word, 5u);
    copy_bytes(&word, pool->page() + 100, 4);
    CHECK_EQ(word, 0u);
    // Nor does it go back there, which would give up the block.
    CHECK_EQ(core_punch(file, 0, 1, {}), 0);
    CHECK_EQ(core_allocate(file, 0, 1), 0);
    CHECK_EQ(pool->write(file, 0, 1, 6, 50), 0);
    CHECK(place_of(file, 0) != 0);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
    core_object_put(file);
}

// The promise: what was preallocated can be written when nothing else can.
void full_pool(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    TestPool& pool = log->pool;
    constexpr u32 k_many = 600;
    REQUIRE_EQ(core_allocate(log->file, 8, k_many), 0);
    fill(test, pool);
    REQUIRE_EQ(pool.settle(), 0);
    bool backed = true;
    CHECK_EQ(core_reserve_for(log->file, 8 + k_many, 16, 16, &backed), minus(Error::no_space));
    CHECK_EQ(core_reserve_for(log->file, k_many, 16, 16, &backed), minus(Error::no_space)); // half of it
    CHECK(!backed);
    CHECK_EQ(core_reserve_for(log->file, 8, k_many, k_many, &backed), 0);
    CHECK(backed);
    core_unreserve(log->file, k_many);
    const u64 size = (8 + k_many) * k_block_size;
    for (u32 i = 0; i < k_many; i++) {
        const u32 at = 8 + i * 7 % k_many;
        const bool logged = i % 3 == 0;
        if (!CHECK_EQ(logged ? log->log_write(log->file, at, 1, at, size) : pool.write(log->file, at, 1, at, size), 0))
            break;
    }
    CHECK_EQ(core_object_sync(log->file), 0);
    REQUIRE_EQ(log->crash_and_open(), 0);
    for (u32 i = 0; i < k_many; i++)
        if (!CHECK_EQ(tag_of(pool, log->file, 8 + i), 8 + i))
            break;
    CHECK_EQ(pool.settle(), 0);
    CHECK_EQ(pool.promised(), 0u);
    CHECK_EQ(pool.check(), 0u);
}

// Nor is it promised twice: what somebody is writing already is not there for the next.
void promised_once(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    REQUIRE_EQ(core_allocate(file, 8, 24), 0);
    fill(test, *pool);
    REQUIRE_EQ(pool->settle(), 0);
    bool backed = true;
    CHECK_EQ(core_reserve_for(file, 100, 16, 16, &backed), minus(Error::no_space));
    Writing writing;
    hold(*pool, true);
    REQUIRE_EQ(writing.begin(file, 16, 8, 1, 32 * k_block_size), 0);
    constexpr u64 k_firsts[] = { 8, 16, 20, 23, 24 };
    for (const u64 first : k_firsts) {
        const bool is_free = first == 8 || first == 24;
        CHECK_EQ(core_is_backed(file, first, 8), is_free);
        CHECK_EQ(core_reserve_for(file, first, 8, 8, &backed), is_free ? 0 : minus(Error::no_space));
        CHECK_EQ(backed, is_free);
        if (is_free)
            core_unreserve(file, 8);
    }
    CHECK(!core_is_backed(file, 8, 24));
    hold(*pool, false);
    REQUIRE_EQ(writing.end(), 0);
    CHECK(!core_is_backed(file, 16, 8));
    CHECK(core_is_backed(file, 8, 8));
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->promised(), 0u);
    CHECK_EQ(pool->check(), 0u);
    core_object_put(file);
}

// What a crash leaves, by the log: of what was allocated and what was written there, in the same group or in others.
void crashes(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    TestPool& pool = log->pool;
    constexpr u64 k_size = 40 * k_block_size;
    for (u32 committed = 0; committed < 2; committed++) {
        REQUIRE_EQ(pool.truncate(log->file, 0), 0);
        REQUIRE_EQ(pool.settle(), 0);
        REQUIRE_EQ(core_allocate(log->file, 0, 20), 0);
        if (committed)
            REQUIRE_EQ(pool.settle(), 0);
        const u64 place = place_of(log->file, 5);
        REQUIRE_EQ(pool.write(log->file, 5, 3, 10, k_size), 0);
        REQUIRE_EQ(log->log_write(log->file, 12, 2, 20, k_size), 0);
        REQUIRE_EQ(log->log_write(log->file, 12, 2, 22, k_size), 0);
        REQUIRE_EQ(core_collapse(log->file, 1, 2, {}), 0);
        REQUIRE_EQ(core_punch(log->file, 15, 1, {}), 0);
        REQUIRE_EQ(core_object_sync(log->file), 0);
        // Not acknowledged: its blocks change, what the file reads does not.
        REQUIRE_EQ(pool.write(log->file, 0, 1, 99, k_size), 0);
        REQUIRE_EQ(log->crash_and_open(), 0);
        CHECK(looks(pool, log->file, "uuuwwwuuuuwwuuuhuuhh"));
        CHECK_EQ(place_of(log->file, 3), place);
        CHECK_EQ(tag_of(pool, log->file, 4), 11u);
        CHECK_EQ(tag_of(pool, log->file, 11), 23u);
        CHECK_EQ(pool.settle(), 0);
        CHECK_EQ(pool.check(), 0u);
        CHECK(looks(pool, log->file, "uuuwwwuuuuwwuuuhuuhh"));
    }
}

// What a cut that failed left behind the file's end is no place to write to: it is freed before the file grows over it.
void behind_the_end(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    TestPool& pool = log->pool;
    for (u32 logged = 0; logged < 2; logged++) {
        REQUIRE_EQ(pool.truncate(log->file, 0), 0);
        REQUIRE_EQ(core_allocate(log->file, 0, 10), 0);
        REQUIRE_EQ(pool.write(log->file, 0, 2, 10, 10 * k_block_size), 0);
        {
            Object& object = object_of(log->file);
            WriteGuard guard(object.m_lock);
            object.m_attributes.size_bytes = 3 * k_block_size - 9;
            object.m_attributes.state |= k_object_truncating;
        }
        bool backed = true;
        REQUIRE_EQ(core_reserve_for(log->file, 2, 2, 2, &backed), 0);
        CHECK(!backed);
        core_unreserve(log->file, 2);
        constexpr u64 k_size = 7 * k_block_size;
        REQUIRE_EQ(logged ? log->log_write(log->file, 3, 2, 50, k_size) : pool.write(log->file, 3, 2, 50, k_size), 0);
        REQUIRE_EQ(logged ? log->log_write(log->file, 2, 1, 60, k_size) : pool.write(log->file, 2, 1, 60, k_size), 0);
        CHECK(looks(pool, log->file, "wwwwwhhhhhh"));
        REQUIRE_EQ(pool.settle(), 0);
        REQUIRE_EQ(log->crash_and_open(), 0);
        CHECK(looks(pool, log->file, "wwwwwhhhhhh"));
        CHECK_EQ(tag_of(pool, log->file, 2), 60u);
        CHECK_EQ(tag_of(pool, log->file, 4), 51u);
        CHECK_EQ(pool.settle(), 0);
        CHECK_EQ(pool.promised(), 0u);
        CHECK_EQ(pool.check(), 0u);
    }
}

// A clone has holes there, and what it replaces is its own.
void clones(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    TestPool& pool = log->pool;
    core_object* other;
    REQUIRE_EQ(pool.create(pool.root(), "other", k_file, &other), 0);
    REQUIRE_EQ(core_allocate(log->file, 8, 8), 0);
    REQUIRE_EQ(pool.write(log->file, 15, 1, 77, 16 * k_block_size), 0);
    REQUIRE_EQ(core_allocate(other, 0, 16), 0);
    const core_clone how { log->file, other, 4, 0, 12, 12 * k_block_size, {}, false };
    REQUIRE_EQ(core_clone_range(&how), 0);
    CHECK(looks(pool, other, "wwwwhhhhhhhwuuuu"));
    CHECK(looks(pool, log->file, "wwwwwwwwuuuuuuuw"));
    // Both have shares now: unwritten blocks of theirs are nobody else's all the same.
    CHECK_EQ(pool.write(log->file, 9, 2, 50, 16 * k_block_size), 0);
    CHECK_EQ(core_punch(log->file, 8, 2, {}), 0);
    CHECK_EQ(pool.truncate(other, 6 * k_block_size), 0);
    CHECK_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
    CHECK(looks(pool, log->file, "wwwwwwwwhhwuuuuw"));
    core_object_put(other);
}

// While data is on its way into unwritten blocks they leave the file, in each way; the data must not get into the way of anybody.
void overtaken(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    core_object* source;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    REQUIRE_EQ(pool->create(pool->root(), "source", k_file, &source), 0);
    REQUIRE_EQ(pool->write(source, 0, 8, 500, 8 * k_block_size), 0);
    struct {
        const char* name;
        int (*act)(TestPool& pool, core_object* file, core_object* source);
        const char* after;
    } const rows[] = {
        { "nothing", [](TestPool&, core_object*, core_object*) { return 0; }, "uuuuwwwwuuuu" },
        { "punch", [](TestPool&, core_object* file, core_object*) { return core_punch(file, 5, 2, {}); }, "uuuuwhhwuuuu" },
        { "punch_all", [](TestPool&, core_object* file, core_object*) { return core_punch(file, 0, 12, {}); }, "hhhhhhhhhhhh" },
        { "punch_and_allocate", [](TestPool&, core_object* file, core_object*) {
              const int error = core_punch(file, 0, 12, {});
              return error ? error : core_allocate(file, 0, 12);
          }, "uuuuuuuuuuuu" },
        { "clone", [](TestPool&, core_object* file, core_object* source) {
              const core_clone how { source, file, 0, 6, 4, 12 * k_block_size, {}, false };
              return core_clone_range(&how);
          }, "uuuuwwwwwwuu" },
        { "truncate", [](TestPool&, core_object* file, core_object*) { return core_truncate(file, 6 * k_block_size, {}); },
          "uuuuwwhhhhhh" },
    };
    for (const auto& row : rows) {
        REQUIRE_EQ(pool->truncate(file, 0), 0);
        REQUIRE_EQ(pool->settle(), 0);
        REQUIRE_EQ(core_allocate(file, 0, 12), 0);
        REQUIRE_EQ(pool->truncate(file, 12 * k_block_size), 0);
        REQUIRE_EQ(pool->settle(), 0);
        const u64 place = place_of(file, 4);
        Writing writing;
        hold(*pool, true);
        bool sound = CHECK_EQ(writing.begin(file, 4, 4, 30, 0), 0);
        sound = sound && CHECK_EQ(row.act(*pool, file, source), 0);
        hold(*pool, false);
        sound = sound && CHECK_EQ(writing.end(), 0);
        sound = sound && CHECK(looks(*pool, file, row.after));
        if (row.after[4] == 'w')
            sound = sound && CHECK_EQ(place_of(file, 4), place) && CHECK_EQ(tag_of(*pool, file, 4), 30u);
        sound = sound && CHECK_EQ(pool->settle(), 0) && CHECK_EQ(pool->check(), 0u) && CHECK_EQ(pool->promised(), 0u);
        sound = sound && CHECK(looks(*pool, file, row.after));
        if (!sound) {
            test.check(false, __FILE__, __LINE__, row.name);
            break;
        }
    }
    core_object_put(source);
    core_object_put(file);
}

// Two at once: only one gets the blocks.
void at_once(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    REQUIRE_EQ(core_allocate(file, 0, 12), 0);
    REQUIRE_EQ(pool->truncate(file, 12 * k_block_size), 0);
    {
        Writing first, second;
        hold(*pool, true);
        REQUIRE_EQ(first.begin(file, 2, 6, 30, 0), 0);
        REQUIRE_EQ(second.begin(file, 4, 6, 60, 0), 0);
        hold(*pool, false);
        CHECK_EQ(first.end(), 0);
        CHECK_EQ(second.end(), 0);
    }
    CHECK(looks(*pool, file, "uuwwwwwwwwuu"));
    CHECK_EQ(tag_of(*pool, file, 3), 31u);
    CHECK_EQ(tag_of(*pool, file, 8), 64u);
    const u32 both = tag_of(*pool, file, 5);
    CHECK(both == 33 || both == 61);
    // One that fails leaves them unwritten, for the next.
    {
        Writing third;
        for (u32 i = 0; i < 2; i++)
            lcpfs_test_device_fail(pool->device(i), HOST_IO_WRITE, 0, 1000);
        REQUIRE_EQ(third.begin(file, 0, 2, 90, 0), 0);
        CHECK_EQ(third.end(), minus(Error::io_error));
        for (u32 i = 0; i < 2; i++)
            lcpfs_test_device_fail(pool->device(i), HOST_IO_WRITE, 0, 0);
    }
    CHECK(looks(*pool, file, "uuwwwwwwwwuu"));
    CHECK_EQ(pool->write(file, 0, 2, 95, 0), 0);
    CHECK(looks(*pool, file, "wwwwwwwwwwuu"));
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
    CHECK_EQ(pool->promised(), 0u);
    core_object_put(file);
}

constexpr TestCase k_cases[] = { { "kinds", kinds },         { "refused", refused }, { "small_file", small_file },
                                 { "full_pool", full_pool }, { "crashes", crashes }, { "promised_once", promised_once },
                                 { "clones", clones },       { "at_once", at_once }, { "behind_the_end", behind_the_end },
                                 { "overtaken", overtaken } };
}
LCPFS_SUITE(allocate, k_cases);

}
