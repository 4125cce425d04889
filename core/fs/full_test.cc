// SPDX-License-Identifier: GPL-2.0-only
// A pool without any room: what must still work there, and that what cannot is refused at once.
#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr u32 k_regular = k_mode_regular | 0600u;
constexpr u32 k_files = 600;
constexpr u32 k_trees = 320;
constexpr u32 k_tree_extents = 30;
constexpr u32 k_file_bytes = 1500; // kept in the record: a leaf of the object table holds ten

void file_name(u32 i, char* text)
{
    text[0] = 'f';
    for (u32 digit = 0; digit < 5; digit++, i /= 10)
        text[5 - digit] = static_cast<char>('0' + i % 10);
    text[6] = 0;
}

struct FullPool {
    TestPool pool;
    u64 ids[k_files];
    u32 order[k_files];
    core_object* trees[k_trees];
    IoBatch writing;
    int write_result { 0 };

    void shuffle(u64 seed)
    {
        TestRandom random(seed);
        for (u32 i = 0; i < k_files; i++)
            order[i] = i;
        for (u32 i = k_files; i > 1; i--)
            lcpfs::swap(order[i - 1], order[random.below(i)]);
    }
    int make_files()
    {
        int result = 0;
        char name[8];
        for (u32 i = 0; i < k_files && result == 0; i++) {
            file_name(i, name);
            core_object* file;
            result = pool.create(pool.root(), name, k_regular, &file);
            if (result != 0)
                break;
            ids[i] = pool.id(file);
            result = pool.write_page(file, 0, k_file_bytes);
            core_object_put(file);
        }
        return result == 0 ? pool.sync() : result;
    }
    // Files of as many extents as need a node of their own.
    int make_trees()
    {
        int result = 0;
        char name[8];
        for (u32 i = 0; i < k_trees && result == 0; i++) {
            file_name(i, name);
            result = pool.create(pool.root(), name, k_regular, &trees[i]);
            for (u32 block = 0; block < k_tree_extents && result == 0; block++)
                result = pool.write(trees[i], 2 * block, 1, i, (2 * block + 1) * k_block_size);
        }
        return result == 0 ? pool.sync() : result;
    }
    // A block promised before.
    int write_promised(core_object* object, u64 block)
    {
        core_segment segment { pool.page(), k_block_size };
        writing.begin();
        core_write(object, block, &segment, 1, 0, written, this);
        (void)writing.wait().is_ok();
        return write_result;
    }
    static void written(void* context, int error)
    {
        FullPool& self = *static_cast<FullPool*>(context);
        self.write_result = error;
        self.writing.finish(Error::none);
    }
    // To the last block that is given out for data.
    int fill()
    {
        core_object* file;
        int result = pool.create(pool.root(), "big", k_regular, &file);
        u64 block = 0;
        for (u32 count = TestPool::k_most_blocks; result == 0 && count > 0;) {
            const int written = pool.write(file, block, count, 1, (block + count) * k_block_size);
            if (written == 0)
                block += count;
            else if (written == -errno_of(Error::no_space))
                count /= 2;
            else
                result = written;
        }
        if (result == 0)
            core_object_put(file);
        return result;
    }
    int change_mode(u32 i, u32 mode)
    {
        core_object* file;
        int result = pool.get(ids[i], &file);
        if (result != 0)
            return result;
        core_attr attr {};
        attr.mode = mode;
        result = core_object_set_attr(file, &attr, CORE_SET_MODE);
        core_object_put(file);
        return result;
    }
    u64 committed() { return pool.pool().engine().committed_txg().value(); }
    bool is_whole(Test& test)
    {
        bool result = CHECK_EQ(pool.pool().frozen(), Error::none);
        result = result && CHECK_EQ(pool.sync(), 0);
        return result && CHECK_EQ(pool.check(), 0u);
    }
};

}

// Each changed object may take a leaf of the object table of its own.
static void changes_in_any_order(Test& test)
{
    Box<FullPool> full = REQUIRE_VALUE(make_box<FullPool>());
    REQUIRE_OK(full->pool.start());
    REQUIRE_EQ(full->make_files(), 0);
    REQUIRE_EQ(full->fill(), 0);
    full->shuffle(1);
    for (u32 round = 0; round < 2; round++)
        for (u32 i : full->order)
            REQUIRE_EQ(full->change_mode(i, 0600u + round), 0);
    REQUIRE(full->is_whole(test));
    full->shuffle(2);
    char name[8];
    for (u32 i : full->order) {
        file_name(i, name);
        REQUIRE_EQ(full->pool.unlink(full->pool.root(), name), 0);
    }
    REQUIRE(full->is_whole(test));
    CHECK_EQ(full->pool.unlink(full->pool.root(), "big"), 0);
    REQUIRE(full->is_whole(test));
    CHECK_EQ(full->pool.settle(), 0);
    CHECK_EQ(full->pool.promised(), 0u);
}

// Writeback of pages that were dirtied while there was room: each makes another tree's nodes new, and nobody may say no.
static void writeback(Test& test)
{
    Box<FullPool> full = REQUIRE_VALUE(make_box<FullPool>());
    REQUIRE_OK(full->pool.start(CORE_CHECKSUM_SHA256));
    REQUIRE_EQ(full->make_trees(), 0);
    for (core_object* file : full->trees)
        CHECK_EQ(core_reserve(file, 1), 0);
    CHECK_EQ(full->fill(), 0);
    for (core_object* file : full->trees)
        CHECK_EQ(full->write_promised(file, 2), 0);
    for (core_object* file : full->trees)
        core_object_put(file);
    REQUIRE(full->is_whole(test));
    CHECK_EQ(full->pool.settle(), 0);
    CHECK_EQ(full->pool.promised(), 0u);
}

// What cannot be is refused without a commit each time, whatever else changes; what was removed is noticed.
static void refusals(Test& test)
{
    Box<FullPool> full = REQUIRE_VALUE(make_box<FullPool>());
    TestPool& pool = full->pool;
    REQUIRE_OK(pool.start());
    core_object* file;
    REQUIRE_EQ(pool.create(pool.root(), "one", k_regular, &file), 0);
    full->ids[0] = pool.id(file);
    CHECK_EQ(pool.write(file, 0, 64, 1, 64 * k_block_size), 0);
    REQUIRE_EQ(full->fill(), 0);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(core_reserve(file, 64), -errno_of(Error::no_space));
    const u64 before = full->committed();
    for (u32 i = 0; i < 100; i++) {
        CHECK_EQ(core_reserve(file, 64), -errno_of(Error::no_space));
        CHECK_EQ(pool.make(pool.root(), "new", k_regular), -errno_of(Error::no_space));
        CHECK_EQ(full->change_mode(0, 0600 + i % 8), 0);
    }
    CHECK(full->committed() <= before + 3);
    // A cut gives blocks back.
    CHECK_EQ(pool.truncate(file, 0), 0);
    CHECK_EQ(core_reserve(file, 48), 0);
    core_unreserve(file, 48);
    // So does a write that fails.
    CHECK_EQ(core_reserve(file, 64), -errno_of(Error::no_space));
    for (u32 i = 0; i < 2; i++)
        lcpfs_test_device_fail(pool.device(i), HOST_IO_WRITE, 0, 1000);
    CHECK_EQ(pool.write(file, 0, 40, 1, 40 * k_block_size), -errno_of(Error::io_error));
    for (u32 i = 0; i < 2; i++)
        lcpfs_test_device_fail(pool.device(i), HOST_IO_WRITE, 0, 0);
    CHECK_EQ(pool.write(file, 0, 40, 1, 40 * k_block_size), 0);
    // So does a block written over, once its old place is free.
    for (u32 i = 0; i < 200; i++)
        CHECK_EQ(pool.write(file, i % 40, 1, i, 0), 0);
    core_object_put(file);
    REQUIRE(full->is_whole(test));
}

// Cutting what others share takes space and gives none back. It may be refused; removing may not.
static void cuts_of_shared(Test& test)
{
    constexpr u32 k_clones = 2000;
    Box<FullPool> full = REQUIRE_VALUE(make_box<FullPool>());
    TestPool& pool = full->pool;
    REQUIRE_OK(pool.start());
    core_object* source;
    REQUIRE_EQ(pool.create(pool.root(), "source", k_regular, &source), 0);
    REQUIRE_EQ(pool.write(source, 0, 2, 1, 2 * k_block_size), 0);
    char name[8];
    Vector<core_object*> clones;
    REQUIRE_OK(clones.resize(k_clones));
    for (u32 i = 0; i < k_clones; i++) {
        file_name(i, name);
        REQUIRE_EQ(pool.create(pool.root(), name, k_regular, &clones[i]), 0);
        const core_clone how { source, clones[i], 0, 0, 2, 2 * k_block_size, {}, true };
        REQUIRE_EQ(core_clone_range(&how), 0);
    }
    REQUIRE_EQ(full->fill(), 0);
    u32 cut = 0;
    for (core_object* clone : clones) {
        const int result = pool.truncate(clone, k_block_size + 100);
        CHECK(result == 0 || result == -errno_of(Error::no_space));
        cut += result == 0;
        core_object_put(clone);
    }
    CHECK(cut > 0 && cut < k_clones);
    core_object_put(source);
    CHECK_EQ(pool.unlink(pool.root(), "source"), 0);
    for (u32 i = 0; i < k_clones; i++) {
        file_name(i, name);
        REQUIRE_EQ(pool.unlink(pool.root(), name), 0);
    }
    CHECK_EQ(pool.unlink(pool.root(), "big"), 0);
    REQUIRE(full->is_whole(test));
    CHECK_EQ(pool.settle(), 0);
    CHECK_EQ(pool.promised(), 0u);
}

namespace {
constexpr TestCase k_cases[] = { { "changes_in_any_order", changes_in_any_order },
                                 { "writeback", writeback },
                                 { "refusals", refusals },
                                 { "cuts_of_shared", cuts_of_shared } };
}
LCPFS_SUITE(full, k_cases);

}
