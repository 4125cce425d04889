// SPDX-License-Identifier: GPL-2.0-only
// Files whose data is compressed, by what can be seen of them.
#include "core/test/failure.h"
#include "core/test/files_ground.h"
#include "core/test/test.h"
#include "core/vdev/label.h"

namespace lcpfs {

namespace {

bool lacks_codec(TestPool& pool, Encoding encoding, u8 level)
{
    return pool.compress(encoding, level) == -errno_of(Error::not_supported);
}

struct Row {
    const char* name;
    Encoding encoding;
    u8 level;
    u64 seed;
};
constexpr Row k_rows[] = { { "lz4", Encoding::lz4, 0, 3 }, { "zstd", Encoding::zstd, 3, 4 }, { "again", Encoding::lz4, 0, 5 } };

}

// Anything upon anything, with crashes: writes, cuts, clones and moves of parts of units, and of what stands beside them.
static void mixed(Test& test, const Row& row)
{
    Box<FilesGround> ground = REQUIRE_VALUE(make_box<FilesGround>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    if (lacks_codec(pool, row.encoding, row.level))
        return;
    TestRandom random(row.seed);
    for (u32 i = 0; i < 500; i++) {
        const u32 which = random.below(FilesGround::k_files);
        if (i % 100 == 70)
            REQUIRE_EQ(pool.compress(Encoding::none, 0), 0);
        else if (i % 100 == 80)
            REQUIRE_EQ(pool.compress(row.encoding, row.level), 0);
        else if (i % 7 == 6)
            REQUIRE_EQ(ground->shift(which, random.below(50), 1 + random.below(9), random.below(2)), 0);
        else
            REQUIRE_EQ(ground->step(random), 0);
        bool sound = CHECK_EQ(ground->difference(), ~0u);
        if (i % 20 == 19)
            sound = CHECK_EQ(pool.settle(), 0) && CHECK_EQ(ground->difference(), ~0u) && CHECK_EQ(pool.check(), 0u) && sound;
        if (i % 33 == 32)
            sound = CHECK_EQ(core_object_sync(ground->file[0]), 0) && CHECK_EQ(ground->crash(), 0) && CHECK_EQ(ground->difference(), ~0u)
                && CHECK_EQ(pool.check(), 0u) && sound;
        if (!sound) {
            test.check(false, __FILE__, __LINE__, pool.finding);
            return;
        }
    }
    for (u32 which = 0; which < FilesGround::k_files; which++) {
        REQUIRE_EQ(pool.truncate(ground->file[which], 0), 0);
        CHECK_EQ(pool.blocks(ground->file[which]), 0u);
    }
    CHECK_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
    CHECK_EQ(pool.promised(), 0u);
}
LCPFS_TABLE_SUITE(compressed_mixed, k_rows, mixed);

// The path that a device was opened by is gone, and what it was may be closed: the flag goes by one that is left.
static void label_by_another_path(Test& test)
{
    struct PathTo {
        explicit PathTo(host_bdev* of) : bdev(lcpfs_test_device_create_path(of)) {}
        ~PathTo() { lcpfs_test_device_destroy(bdev); }
        host_bdev* bdev;
    };
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->close(), 0);
    const PathTo path(pool->device(0));
    REQUIRE(path.bdev);
    REQUIRE_EQ(pool->open(false), 0);
    core_path first;
    REQUIRE_EQ(core_path_get(pool->handle(), 0, &first), 0);
    u32 id = 0;
    host_bdev* back = nullptr;
    REQUIRE_EQ(core_path_add(pool->handle(), path.bdev, 0, &id), 0);
    REQUIRE_EQ(core_path_remove(pool->handle(), first.id, &back), 0);
    const u64 reads = lcpfs_test_device_requests(back, HOST_IO_READ), writes = lcpfs_test_device_requests(back, HOST_IO_WRITE);
    if (!lacks_codec(*pool, Encoding::lz4, 0)) {
        CHECK_EQ(lcpfs_test_device_requests(back, HOST_IO_READ), reads);
        CHECK_EQ(lcpfs_test_device_requests(back, HOST_IO_WRITE), writes);
        for (u32 device = 0; device < 2; device++) {
            Box<Label> label = REQUIRE_VALUE(read_label(pool->device(device)));
            CHECK(label->header.incompat.get() & k_incompat_compression);
            CHECK_EQ(label->header.vdev_index.get(), device);
        }
    }
    CHECK_EQ(pool->close(), 0);
    REQUIRE_EQ(pool->open(true), 0);
    CHECK_EQ(pool->check(), 0u);
    CHECK_EQ(pool->close(), 0);
}

namespace {

// A file of 60 blocks: one unit of 32, one of 28.
struct Units {
    FilesGround ground;
    TestPool& pool { ground.pool };
    core_object* file { nullptr };
    core_extent extent {};

    // False: there is no lz4 here.
    Result<bool> start()
    {
        TRY(ground.start());
        if (lacks_codec(pool, Encoding::lz4, 0))
            return false;
        if (pool.settle() != 0)
            return Error::io_error;
        file = ground.file[0];
        return ground.write(0, 0, 60) == 0 && pool.settle() == 0 && map(0) ? Result<bool>(true) : Result<bool>(Error::io_error);
    }
    bool map(u64 block) { return core_map(file, block, &extent) == 0; }
};

// What is stored counts, what is cut off a unit keeps the rest of it, and the last part frees it.
void parts(Test& test)
{
    Box<Units> units = REQUIRE_VALUE(make_box<Units>());
    if (!REQUIRE_VALUE(units->start()))
        return;
    TestPool& pool = units->pool;
    FilesGround& ground = units->ground;
    CHECK(units->extent.compressed && !units->extent.hole && !units->extent.shared);
    CHECK_EQ(units->extent.blocks, 32u);
    CHECK_EQ(pool.blocks(units->file), 2u);
    const u64 used = pool.used_blocks();
    REQUIRE_EQ(ground.write(0, 10, 1), 0); // from the middle
    REQUIRE_EQ(pool.settle(), 0);
    REQUIRE_EQ(core_settle_shares(units->file), 0);
    REQUIRE(units->map(0));
    CHECK(units->extent.compressed && units->extent.shared);
    CHECK_EQ(units->extent.blocks, 10u);
    REQUIRE(units->map(10));
    CHECK(!units->extent.compressed);
    REQUIRE(units->map(11));
    CHECK_EQ(units->extent.blocks, 21u);
    CHECK(pool.used_blocks() >= used + 1);
    CHECK_EQ(pool.check(), 0u);
    REQUIRE_EQ(ground.punch(0, 0, 9), 0);
    REQUIRE_EQ(ground.punch(0, 12, 20), 0);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(ground.difference(), ~0u);
    CHECK_EQ(pool.check(), 0u);
    // Inside a block of a unit: the rest of that block is zeros from now on, the rest of the unit is nobody's.
    REQUIRE_EQ(pool.truncate(units->file, 40 * k_block_size + 100), 0);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
    REQUIRE_EQ(pool.read_page(units->file, 40), 0);
    CHECK(pool.page()[99] != 0 || pool.page()[98] != 0 || pool.page()[97] != 0 || pool.page()[96] != 0);
    for (u32 i = 100; i < k_block_size; i++)
        REQUIRE(pool.page()[i] == 0);
    REQUIRE_EQ(pool.truncate(units->file, 0), 0);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
    CHECK(pool.used_blocks() < used);
    CHECK_EQ(pool.blocks(units->file), 0u);
}

// Damage costs the unit it is in, and nothing else; it goes when the unit is written over, or away.
void damage(Test& test)
{
    Box<Units> units = REQUIRE_VALUE(make_box<Units>());
    if (!REQUIRE_VALUE(units->start()))
        return;
    TestPool& pool = units->pool;
    REQUIRE_EQ(units->ground.write(0, 5, 1), 0);
    REQUIRE_EQ(pool.settle(), 0);
    lcpfs_test_device_poke(pool.device(units->extent.device), units->extent.device_block * k_block_size + 20, "damage", 6);
    u32 tags[60] {};
    CHECK(pool.read_once(units->file, 0, 60, tags) < 0);
    CHECK(pool.read_once(units->file, 32, 28, tags) == 0 && tags[0] == units->ground.tags[0][32]);
    for (u32 way = 0; way < 2; way++)
        CHECK_EQ(pool.read(units->file, 0, 60, tags), -errno_of(Error::io_error));
    CHECK(pool.read(units->file, 5, 1, tags) == 0 && tags[0] == units->ground.tags[0][5]);
    CHECK_EQ(pool.read(units->file, 4, 1, tags), -errno_of(Error::io_error));
    CHECK_EQ(pool.read(units->file, 31, 1, tags), -errno_of(Error::io_error));
    REQUIRE_EQ(pool.read(units->file, 32, 28, tags), 0);
    for (u32 i = 0; i < 28; i++)
        CHECK_EQ(tags[i], units->ground.tags[0][32 + i]);
    CHECK(pool.check() > 0);
    CHECK_EQ(pool.check(false), 0u);
    REQUIRE_EQ(units->ground.write(0, 0, 32), 0);
    CHECK_EQ(units->ground.difference(), ~0u);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
}

// It is told in the labels before the first one is written, and stays told.
void label(Test& test)
{
    Box<Units> units = REQUIRE_VALUE(make_box<Units>());
    REQUIRE_OK(units->ground.start());
    TestPool& pool = units->pool;
    auto has_flag = [&](u32 device) -> bool {
        auto read = read_label(pool.device(device));
        return read.is_ok() && (read.value()->header.incompat.get() & k_incompat_compression);
    };
    CHECK(!has_flag(0) && !has_flag(1));
    CHECK_EQ(pool.compress(Encoding::none, 0), 0);
    CHECK(!has_flag(0) && !has_flag(1));
    if (lacks_codec(pool, Encoding::lz4, 0))
        return;
    CHECK(has_flag(0) && has_flag(1));
    REQUIRE_EQ(units->ground.write(0, 0, 32), 0);
    CHECK_EQ(pool.blocks(units->ground.file[0]), 1u);
    REQUIRE_EQ(units->ground.write(1, 0, 40), 0);
    REQUIRE_EQ(pool.settle(), 0);
    // What the dataset says lasts.
    for (u32 i = 0; i < 2; i++) {
        REQUIRE_EQ(units->ground.crash(), 0);
        CHECK_EQ(units->ground.difference(), ~0u);
        REQUIRE_EQ(units->ground.write(2, 0, 50), 0);
        REQUIRE_EQ(core_object_sync(units->ground.file[2]), 0);
        CHECK_EQ(pool.blocks(units->ground.file[2]), 2u);
        CHECK_EQ(pool.check(), 0u);
    }
    CHECK_EQ(pool.compress(Encoding::lz4, 1), -errno_of(Error::invalid));
    CHECK_EQ(pool.compress(Encoding::zstd, 16), -errno_of(Error::invalid));
}

// The flag of one file is enough.
void by_flag(Test& test)
{
    Box<Units> units = REQUIRE_VALUE(make_box<Units>());
    REQUIRE_OK(units->ground.start());
    TestPool& pool = units->pool;
    core_attr attr {};
    attr.flags = k_flag_compressed;
    const int set = core_object_set_attr(units->ground.file[1], &attr, CORE_SET_FLAGS);
    if (set == -errno_of(Error::not_supported))
        return;
    REQUIRE_EQ(set, 0);
    REQUIRE_EQ(pool.settle(), 0);
    REQUIRE_EQ(units->ground.crash(), 0);
    REQUIRE_EQ(units->ground.write(0, 0, 32), 0);
    REQUIRE_EQ(units->ground.write(1, 0, 32), 0);
    CHECK_EQ(pool.blocks(units->ground.file[0]), 32u);
    CHECK_EQ(pool.blocks(units->ground.file[1]), 1u);
    CHECK_EQ(units->ground.difference(), ~0u);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
}

// Whatever allocation fails, what was written before is there, and what succeeds is right. Data that cannot be compressed for want of
// memory is stored as it is.
void no_memory(Test& test)
{
    Box<Units> units = REQUIRE_VALUE(make_box<Units>());
    if (!lcpfs_test_fail_allocation(0) || !REQUIRE_VALUE(units->start()))
        return;
    FilesGround& ground = units->ground;
    for (u32 n = 1; n < 60; n++) {
        u32 before[60];
        copy_bytes(before, ground.tags[0], sizeof(before));
        lcpfs_test_fail_allocation(n);
        const int result = n % 3 == 0 ? ground.punch(0, n % 50, 3) : n % 3 == 1 ? ground.write(0, n % 40, 20) : ground.write(0, n % 40, 1);
        lcpfs_test_fail_allocation(0);
        if (result != 0)
            copy_bytes(ground.tags[0], before, sizeof(before));
        CHECK(result == 0 || result == -errno_of(Error::no_memory));
        lcpfs_test_fail_allocation(n % 8 + 1);
        u32 tags[60];
        (void)ground.pool.read(units->file, 0, 60, tags);
        lcpfs_test_fail_allocation(0);
        if (!CHECK_EQ(ground.difference(), ~0u))
            return;
    }
    REQUIRE_EQ(units->pool.settle(), 0);
    CHECK_EQ(units->pool.check(), 0u);
}

constexpr TestCase k_cases[] = { { "parts", parts }, { "damage", damage }, { "label", label }, { "by_flag", by_flag },
                                 { "no_memory", no_memory },
                                 { "label_by_another_path", label_by_another_path } };

}
LCPFS_SUITE(compressed, k_cases);

}
