// SPDX-License-Identifier: GPL-2.0-only
// The last block of a file cut inside it: nothing that was behind the cut comes back, whatever happens to the page cache's
// own zeros; and writes that come when they should not.
#include "core/fs/extents.h"
#include "core/fs/tail.h"
#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {
constexpr u32 k_file = k_mode_regular | 0644;

struct Ground {
    TestPool pool;
    core_object* file { nullptr };

    ~Ground() { put(); }
    void put()
    {
        if (file)
            core_object_put(file);
        file = nullptr;
    }
    Status start(u32 data_checksum = 0)
    {
        TRY(pool.start(data_checksum));
        return pool.create(pool.root(), "file", k_file, &file) == 0 ? Status() : Status(Error::no_memory);
    }
    // Blocks [0, count) full of `byte`, committed.
    int fill(u32 count, u8 byte)
    {
        int result = pool.truncate(file, 0);
        for (u32 i = 0; i < count; i++) {
            __builtin_memset(pool.page(), byte, k_block_size);
            result |= pool.write_page(file, i, u64(i + 1) * k_block_size);
        }
        return result | pool.settle();
    }
    // Power goes after what was done so far is on disk.
    int cut_power()
    {
        int result = pool.sync();
        put();
        (void)pool.crash(); // says that it was shut down
        result |= pool.open(false);
        return result | pool.find(pool.root(), "file", &file);
    }
    // The block holds `bytes` of `byte`, zeros behind.
    bool block_holds(u64 block, size_t bytes, u8 byte)
    {
        if (pool.read_page(file, block) != 0)
            return false;
        for (size_t i = 0; i < k_block_size; i++)
            if (pool.page()[i] != (i < bytes ? byte : 0))
                return false;
        return true;
    }
};

struct Row {
    const char* name;
    u64 cut_bytes;
    // What makes the file larger after the cut.
    int (*grow)(Ground& ground);
};

int by_truncate(Ground& ground) { return ground.pool.truncate(ground.file, 4 * k_block_size); }
int by_write(Ground& ground) { return ground.pool.write(ground.file, 3, 1, 7, 4 * k_block_size); }
int by_nothing(Ground&) { return 0; }

constexpr Row k_rows[] = {
    { "first_block_truncate", 100, by_truncate },
    { "first_block_write", 100, by_write },
    { "middle_truncate", k_block_size + 1, by_truncate },
    { "middle_write", 2 * k_block_size - 1, by_write },
    { "middle_stays", k_block_size + 2048, by_nothing },
    { "last_truncate", 2 * k_block_size + 4000, by_truncate },
    { "aligned_truncate", k_block_size, by_truncate },
};
}

static void cut_row(Test& test, Ground* ground, const Row& row, bool crashes)
{
    REQUIRE_EQ(ground->fill(3, 'A'), 0);
    REQUIRE_EQ(ground->pool.truncate(ground->file, row.cut_bytes), 0);
    REQUIRE_EQ(row.grow(*ground), 0);
    if (crashes)
        REQUIRE_EQ(ground->cut_power(), 0);
    const u64 last = row.cut_bytes / k_block_size;
    for (u64 block = 0; block < last; block++)
        CHECK(ground->block_holds(block, k_block_size, 'A'));
    CHECK(ground->block_holds(last, row.cut_bytes % k_block_size, 'A'));
    // What the disk holds behind the end, and not only what reading hides.
    REQUIRE_EQ(ground->pool.truncate(ground->file, 5 * k_block_size), 0);
    CHECK(ground->block_holds(last, row.cut_bytes % k_block_size, 'A'));
    REQUIRE_EQ(ground->pool.settle(), 0);
    CHECK_EQ(ground->pool.check(), 0u);
    CHECK_EQ(ground->pool.promised(), 0u);
}

static void cut_and_grown(Test& test)
{
    for (u32 checksum = CORE_CHECKSUM_CRC32C; checksum <= CORE_CHECKSUM_SHA256; checksum++) {
        Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
        REQUIRE_OK(ground->start(checksum));
        for (const Row& row : k_rows) {
            cut_row(test, ground.get(), row, false);
            if (checksum == CORE_CHECKSUM_CRC32C)
                cut_row(test, ground.get(), row, true);
            if (!test.check(!test.failed(), __FILE__, __LINE__, row.name))
                return;
        }
    }
}

// A block is written anew only when there is something to zero.
static void costs(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(ground->fill(2, 'A'), 0);
    const Atomic<u64>& writes = pool.pool().m_data_writes;
    u64 before = writes.load();
    REQUIRE_EQ(pool.truncate(ground->file, 6000), 0);
    CHECK_EQ(writes.load() - before, 1u);
    CHECK_EQ(pool.blocks(ground->file), 2u);
    before = writes.load();
    REQUIRE_EQ(pool.truncate(ground->file, 6000), 0); // as it is
    REQUIRE_EQ(pool.truncate(ground->file, 8000), 0); // grows
    REQUIRE_EQ(pool.truncate(ground->file, 7000), 0); // zeros already
    REQUIRE_EQ(pool.truncate(ground->file, 4096), 0); // at the edge of a block
    REQUIRE_EQ(pool.truncate(ground->file, 9000), 0);
    REQUIRE_EQ(pool.truncate(ground->file, 8200), 0); // in a hole
    CHECK_EQ(writes.load() - before, 0u);
    CHECK(ground->block_holds(0, k_block_size, 'A'));
    CHECK(ground->block_holds(1, 0, 'A'));
}

// What cannot be read cannot be cut inside: the file stays, and can still be cut elsewhere.
static void damaged(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(ground->fill(3, 'A'), 0);
    core_extent extent;
    REQUIRE_EQ(core_map(ground->file, 1, &extent), 0);
    u8 byte = 0xee;
    lcpfs_test_device_poke(pool.device(extent.device), extent.device_block * k_block_size + 77, &byte, 1);
    CHECK_EQ(pool.truncate(ground->file, 5000), -errno_of(Error::data_checksum));
    CHECK_EQ(pool.size(ground->file), 3 * k_block_size);
    CHECK_EQ(pool.blocks(ground->file), 3u);
    CHECK(ground->block_holds(2, k_block_size, 'A'));
    REQUIRE_EQ(pool.truncate(ground->file, 50), 0);
    CHECK(ground->block_holds(0, 50, 'A'));
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
    CHECK_EQ(pool.promised(), 0u);
}

// Writeback of the last block between the cut's reading and its entering: what it wrote stays.
static void written_meanwhile(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(ground->fill(1, 'A'), 0);
    Object& object = object_of(ground->file);
    TailCut cut(pool.pool());
    REQUIRE_OK(cut.prepare(object, 1000));
    __builtin_memset(pool.page(), 'B', k_block_size);
    REQUIRE_EQ(pool.write_page(ground->file, 0, k_block_size), 0);
    {
        WriteGuard guard(object.m_lock);
        TxgHold hold(pool.pool().engine());
        REQUIRE_OK(object.prepare_change(hold.txg()));
        SpaceLog::Batch batch(pool.pool().space_log());
        SpaceLog::CommitScope commit(batch, hold.txg());
        CHECK(!REQUIRE_VALUE(cut.enter(object, hold.txg(), batch)));
    }
    REQUIRE_OK(cut.prepare(object, 1000));
    {
        WriteGuard guard(object.m_lock);
        TxgHold hold(pool.pool().engine());
        SpaceLog::Batch batch(pool.pool().space_log());
        SpaceLog::CommitScope commit(batch, hold.txg());
        CHECK(REQUIRE_VALUE(cut.enter(object, hold.txg(), batch)));
    }
    CHECK(ground->block_holds(0, 1000, 'B'));
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(), 0u);
}

// A write that ends after its file was deleted takes nothing along.
static void deleted(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(pool.settle(), 0);
    static constexpr u64 k_sizes[] = { 16 * k_block_size, 1000 };
    for (u64 size : k_sizes) {
        const u64 used = pool.used_blocks();
        ground->put();
        REQUIRE_EQ(pool.create(pool.root(), "gone", k_file, &ground->file), 0);
        REQUIRE_EQ(pool.write(ground->file, 0, 8, 5, 8 * k_block_size), 0);
        REQUIRE_EQ(pool.unlink(pool.root(), "gone"), 0);
        const int result = size < k_block_size ? pool.write_page(ground->file, 0, size) : pool.write(ground->file, 0, 16, 1, size);
        CHECK_EQ(result, -errno_of(Error::stale_handle));
        CHECK_EQ(pool.truncate(ground->file, 100), -errno_of(Error::stale_handle));
        CHECK_EQ(core_object_delete(ground->file), 0);
        ground->put();
        REQUIRE_EQ(pool.settle(), 0);
        CHECK_EQ(pool.used_blocks(), used);
        CHECK_EQ(pool.check(), 0u);
        CHECK_EQ(pool.promised(), 0u);
    }
}

namespace {
struct Ended {
    int error { -1 };
    static void write(void* self, int error) { static_cast<Ended*>(self)->error = error; }
    static void read(void* self, int error, const u64*) { static_cast<Ended*>(self)->error = error; }
};
}

// Numbers that no file has are refused, and do not wrap round.
static void absurd_numbers(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    static constexpr u64 k_starts[] = { ~0ull, ~0ull - 1, k_max_file_blocks, k_max_file_blocks - 1 };
    for (u64 block : k_starts) {
        u32 tags[2];
        CHECK_EQ(pool.write(ground->file, block, 2, 1, ~0ull), -errno_of(Error::invalid));
        CHECK_EQ(pool.read(ground->file, block, 2, tags), -errno_of(Error::invalid));
        core_extent extent;
        CHECK_EQ(core_map(ground->file, block, &extent), block < k_max_file_blocks ? 0 : -errno_of(Error::invalid));
    }
    core_segment odd { pool.page(), 100 };
    Ended ended;
    REQUIRE_EQ(core_reserve(ground->file, 1), 0);
    core_write(ground->file, 0, &odd, 1, 100, Ended::write, &ended);
    CHECK_EQ(ended.error, -errno_of(Error::invalid));
    core_unreserve(ground->file, 1); // its promise was for no block
    ended.error = -1;
    core_write(ground->file, 0, nullptr, 0, 0, Ended::write, &ended);
    CHECK_EQ(ended.error, -errno_of(Error::invalid));
    ended.error = -1;
    core_read(ground->file, 0, nullptr, 0, Ended::read, &ended);
    CHECK_EQ(ended.error, -errno_of(Error::invalid));
    CHECK_EQ(core_reserve(ground->file, ~0ull), -errno_of(Error::no_space));
    CHECK_EQ(core_reserve(ground->file, ~0ull / 9 + 1), -errno_of(Error::no_space));
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.promised(), 0u);
    CHECK_EQ(pool.blocks(ground->file), 0u);
}

namespace {
struct Committer {
    TestPool& pool;
    Atomic<u32> ends { 0 };
    static void run(void* self)
    {
        Committer& committer = *static_cast<Committer*>(self);
        while (!committer.ends.load())
            if (committer.pool.sync() != 0)
                return;
    }
};
}

// A write of several extents while one group after the other is committed: all of its extents are of one group.
static void one_group(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(CORE_CHECKSUM_SHA256));
    TestPool& pool = ground->pool;
    constexpr u32 k_blocks = CORE_WRITE_MAX_BLOCKS;
    static_assert(k_blocks >= 4 * max_extent_blocks(ChecksumKind::sha256));
    Vector<core_segment> segments;
    REQUIRE_OK(segments.reserve(k_blocks));
    for (u32 i = 0; i < k_blocks; i++)
        REQUIRE_OK(segments.push_back({ pool.page(), k_block_size }));
    Committer committer { pool };
    host_thread* thread = host_thread_start("committer", Committer::run, &committer);
    REQUIRE(thread != nullptr);
    for (u32 round = 0; round < 24 && !test.failed(); round++) {
        IoBatch batch;
        CHECK_EQ(core_reserve(ground->file, k_blocks), 0);
        batch.begin();
        core_write(ground->file, 0, &segments[0], k_blocks, u64(k_blocks) * k_block_size,
            [](void* context, int error) { IoBatch::done(context, error ? Error::io_error : Error::none); }, &batch);
        CHECK_OK(batch.wait());
        Object& object = object_of(ground->file);
        ReadGuard guard(object.m_lock);
        u64 birth = 0;
        for (u64 block = 0; block < k_blocks && !test.failed();) {
            TreeCursor cursor;
            Extent extent;
            auto found = find_extent(object.m_tree, block, cursor, extent);
            CHECK(found.is_ok() && found.value() && extent.covers(block));
            CHECK(birth == 0 || extent.birth.value() == birth);
            birth = extent.birth.value();
            block = extent.end();
        }
    }
    committer.ends.store(1);
    host_thread_join(thread);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(false), 0u);
}

// On a full pool a file can still be cut anywhere.
static void full(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE_EQ(ground->fill(3, 'A'), 0);
    core_object* filler;
    REQUIRE_EQ(pool.create(pool.root(), "filler", k_file, &filler), 0);
    int result = 0;
    u64 block = 0;
    for (u32 piece = TestPool::k_most_blocks; piece > 0; piece /= 8) {
        for (; result == 0; block += piece)
            result = pool.write(filler, block, piece, 1, (block + piece) * k_block_size);
        CHECK_EQ(result, -errno_of(Error::no_space));
        result = 0;
        block -= piece;
    }
    CHECK_EQ(core_reserve(filler, 1), -errno_of(Error::no_space));
    CHECK_EQ(pool.truncate(ground->file, 2 * k_block_size + 100), 0);
    CHECK_EQ(pool.truncate(ground->file, k_block_size + 1), 0);
    CHECK_EQ(pool.truncate(ground->file, 3 * k_block_size), 0);
    CHECK(ground->block_holds(1, 1, 'A'));
    CHECK(ground->block_holds(2, 0, 'A'));
    core_object_put(filler);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK_EQ(pool.check(false), 0u);
}

// A file without a name, of more extents than a record takes. Gives where its tree's root is.
static Result<NodePointer> make_orphan(TestPool& pool, const char* name)
{
    core_object* file;
    int result = pool.create(pool.root(), name, k_file, &file);
    for (u32 i = 0; i < 100 && result == 0; i++)
        result = pool.write(file, u64(i) * 2, 1, i + 1, u64(i) * 2 * k_block_size + 1);
    result = result ? result : pool.unlink(pool.root(), name, false);
    result = result ? result : pool.settle();
    NodePointer root;
    {
        Object& object = object_of(file);
        ReadGuard guard(object.m_lock);
        root = object.m_tree.version().pointer;
    }
    core_object_put(file);
    if (result != 0 || root.is_null())
        return Error::contradiction;
    return root;
}

// One orphan that cannot be read does not keep the others' space.
static void orphans(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    TestPool& pool = ground->pool;
    ground->put();
    const NodePointer damaged = REQUIRE_VALUE(make_orphan(pool, "damaged"));
    (void)REQUIRE_VALUE(make_orphan(pool, "sound"));
    const u64 used = pool.used_blocks();
    for (u32 i = 0; i < damaged.copies; i++) {
        u8 byte = 0x99;
        const Dva& dva = damaged.dva[i];
        lcpfs_test_device_poke(pool.device(dva.vdev.value()), dva.block * k_block_size + 100, &byte, 1);
    }
    (void)pool.crash();
    REQUIRE_EQ(pool.open(false), 0);
    REQUIRE_EQ(pool.settle(), 0);
    CHECK(pool.used_blocks() + 100 <= used);
    CHECK(pool.used_blocks() + 200 > used);
}

namespace {
constexpr TestCase k_cases[] = { { "cut_and_grown", cut_and_grown },         { "costs", costs },     { "damaged", damaged },
                                 { "written_meanwhile", written_meanwhile }, { "deleted", deleted }, { "absurd_numbers", absurd_numbers },
                                 { "one_group", one_group },                 { "full", full },
                                 { "orphans", orphans } };
}
LCPFS_SUITE(tail, k_cases);

}
