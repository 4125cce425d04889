// SPDX-License-Identifier: GPL-2.0-only
// A bitmap that is found damaged while the pool is in use: what lies under it can be changed and removed, nothing else suffers, and
// the next mount makes it anew.
#include "core/object/extent.h"
#include "core/test/log_pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

// The metaslab of the file's first block, and its row.
struct Place {
    VdevId vdev;
    u32 metaslab;
    DiskMetaslabEntry row;
};

Result<Place> place_of(TestPool& pool, core_object* file)
{
    TreeCursor cursor;
    Object& object = object_of(file);
    ReadGuard guard(object.m_lock);
    BigEndianKey key(0);
    if (!TRY(object.m_tree.seek({ key.data(), 8 }, cursor)))
        return Error::not_found;
    const Extent extent = TRY(Extent::decode(cursor.key(), cursor.value()));
    VdevSet& vdevs = pool.pool().vdevs();
    const u64 index = (extent.dva.block - k_first_metaslab_block) / vdevs.vdev(extent.dva.vdev).metaslab_blocks;
    Place place { extent.dva.vdev, static_cast<u32>(index), {} };
    place.row = pool.pool().allocator().entry(place.vdev, place.metaslab);
    return place;
}

// Where a copy of its bitmap is on the device.
u64 copy_at(const Place& place, u32 metaslab_blocks, u32 copy)
{
    return (k_first_metaslab_block + u64(place.metaslab) * metaslab_blocks + copy * bitmap_blocks(metaslab_blocks)) * k_block_size;
}

// A bit of each copy of its bitmap, there and back.
void flip(TestPool& pool, const Place& place, u32 metaslab_blocks)
{
    for (u32 copy = 0; copy < 2; copy++) {
        const u64 at = copy_at(place, metaslab_blocks, copy) + 200;
        u8 byte;
        lcpfs_test_device_peek(pool.device(place.vdev.value()), at, &byte, 1);
        byte ^= 4;
        lcpfs_test_device_poke(pool.device(place.vdev.value()), at, &byte, 1);
    }
}

// Groups in which no data is written, until a mount has no reason to look at the file's bitmap.
int leave_alone(TestPool& pool)
{
    for (u32 i = 0; i < 3; i++) {
        int result = pool.make(pool.root(), "passing", k_file);
        result = result ? result : pool.unlink(pool.root(), "passing");
        result = result ? result : pool.sync();
        if (result)
            return result;
    }
    return 0;
}

void found_by_a_free(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object *big, *kept;
    REQUIRE_EQ(pool->create(pool->root(), "big", k_file, &big), 0);
    REQUIRE_EQ(pool->write(big, 0, 64, 1, 64 * k_block_size), 0);
    REQUIRE_EQ(pool->create(pool->root(), "kept", k_file, &kept), 0);
    REQUIRE_EQ(pool->write(kept, 0, 64, 500, 64 * k_block_size), 0);
    // Some of it twice, and some of what goes.
    const core_clone clones[] = { { kept, kept, 3, 40, 7, 64 * k_block_size, {}, false },
                                  { big, kept, 10, 20, 5, 64 * k_block_size, {}, false } };
    for (const core_clone& clone : clones)
        REQUIRE_EQ(core_clone_range(&clone), 0);
    REQUIRE_EQ(pool->settle(), 0);
    const u32 metaslab_blocks = pool->pool().vdevs().vdev(VdevId(0)).metaslab_blocks;
    const Place place = REQUIRE_VALUE(place_of(*pool, big));
    core_object_put(big);
    core_object_put(kept);
    REQUIRE_EQ(leave_alone(*pool), 0);
    REQUIRE_EQ(pool->settle(), 0);
    const u64 used = pool->used_blocks();
    REQUIRE_EQ(pool->close(), 0);
    flip(*pool, place, metaslab_blocks);
    REQUIRE_EQ(pool->open(false), 0);
    CHECK(!pool->pool().has_stale_bitmaps() && !pool->pool().has_lost_bitmaps());
    REQUIRE_EQ(pool->unlink(pool->root(), "big"), 0);
    CHECK_EQ(pool->make(pool->root(), "beside", k_file), 0);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->id_of(pool->root(), "big"), 0u);
    CHECK(pool->check() != 0);
    CHECK_EQ(pool->unlink(pool->root(), "beside"), 0);
    REQUIRE_EQ(pool->settle(), 0);
    REQUIRE_EQ(pool->close(), 0);
    // Whole again, but it says that what was freed is in use: not believed.
    flip(*pool, place, metaslab_blocks);
    REQUIRE_EQ(pool->open(true), 0);
    CHECK(pool->pool().has_stale_bitmaps());
    CHECK(pool->check() != 0);
    REQUIRE_EQ(core_pool_set_read_only(pool->handle(), false), 0);
    CHECK(!pool->pool().has_stale_bitmaps());
    CHECK_EQ(pool->check(), 0u);
    REQUIRE_EQ(pool->make(pool->root(), "after", k_file), 0);
    REQUIRE_EQ(pool->unlink(pool->root(), "after"), 0);
    REQUIRE_EQ(pool->settle(), 0);
    CHECK(pool->used_blocks() <= used - 59);
    REQUIRE_EQ(pool->close(), 0);
    REQUIRE_EQ(pool->open(false), 0);
    CHECK(!pool->pool().has_stale_bitmaps());
    CHECK_EQ(pool->check(), 0u);
    REQUIRE_EQ(pool->find(pool->root(), "kept", &kept), 0);
    u32 tags[64];
    CHECK_EQ(pool->read(kept, 0, 64, tags), 0);
    CHECK(tags[0] == 500 && tags[63] == 563 && tags[40] == 503 && tags[24] == 15);
    core_object_put(kept);
}

// The rebuild finds a node that cannot be read: space is all that stays away.
void not_to_be_rebuilt(Test& test) NO_THREAD_SAFETY_ANALYSIS
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object *big, *holes;
    REQUIRE_EQ(pool->create(pool->root(), "big", k_file, &big), 0);
    REQUIRE_EQ(pool->write(big, 0, 64, 1, 64 * k_block_size), 0);
    REQUIRE_EQ(pool->create(pool->root(), "holes", k_file, &holes), 0);
    for (u32 i = 0; i < 100; i++) // a tree of its own
        REQUIRE_EQ(pool->write(holes, 2 * i, 1, i, (2 * i + 1) * k_block_size), 0);
    REQUIRE_EQ(pool->settle(), 0);
    const u32 metaslab_blocks = pool->pool().vdevs().vdev(VdevId(0)).metaslab_blocks;
    const Place place = REQUIRE_VALUE(place_of(*pool, big));
    const NodePointer tree = object_of(holes).m_tree.version().pointer;
    REQUIRE(!tree.is_null());
    core_object_put(big);
    core_object_put(holes);
    REQUIRE_EQ(leave_alone(*pool), 0);
    REQUIRE_EQ(pool->close(), 0);
    flip(*pool, place, metaslab_blocks);
    REQUIRE_EQ(pool->open(false), 0);
    REQUIRE_EQ(pool->unlink(pool->root(), "big"), 0);
    REQUIRE_EQ(pool->settle(), 0);
    REQUIRE_EQ(pool->close(), 0);
    for (u32 copy = 0; copy < tree.copies; copy++) {
        u8 byte = 0xee;
        lcpfs_test_device_poke(pool->device(tree.dva[copy].vdev.value()), tree.dva[copy].block * k_block_size + 3000, &byte, 1);
    }
    for (u32 i = 0; i < 2; i++) {
        REQUIRE_EQ(pool->open(false), 0);
        CHECK(pool->pool().has_stale_bitmaps());
        CHECK_EQ(pool->make(pool->root(), "beside", k_file), 0);
        CHECK_EQ(pool->sync(), 0);
        CHECK_EQ(pool->unlink(pool->root(), "beside"), 0);
        REQUIRE_EQ(pool->close(), 0);
    }
}

// What the log points at lies under a bitmap that is damaged, or that cannot be read: rebuilt before it is claimed.
void claimed_by_the_log(Test& test, bool is_unreadable)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    REQUIRE_OK(log->start());
    const u32 metaslab_blocks = log->pool.pool().vdevs().vdev(VdevId(0)).metaslab_blocks;
    const u64 print = log->pool.fingerprint();
    REQUIRE_EQ(leave_alone(log->pool), 0);
    REQUIRE_EQ(log->pool.write(log->file, 8, 60, 900, 68 * k_block_size), 0); // to its place
    REQUIRE_EQ(core_object_sync(log->file), 0);
    const u64 synced = log->pool.fingerprint();
    CHECK(synced != print);
    const Place place = REQUIRE_VALUE(place_of(log->pool, log->file));
    log->drop();
    (void)log->pool.crash();
    for (u32 copy = 0; copy < 2 && is_unreadable; copy++)
        lcpfs_test_device_spoil(log->pool.device(place.vdev.value()), copy_at(place, metaslab_blocks, copy), 512);
    if (!is_unreadable)
        flip(log->pool, place, metaslab_blocks);
    REQUIRE_EQ(log->pool.open(false), 0);
    lcpfs_test_device_spoil(log->pool.device(place.vdev.value()), 0, 0);
    CHECK_EQ(log->pool.fingerprint(), synced);
    CHECK_EQ(log->pool.settle(), 0);
    CHECK_EQ(log->pool.check(), 0u);
}

void damaged_under_the_log(Test& test) { claimed_by_the_log(test, false); }
void unreadable_under_the_log(Test& test) { claimed_by_the_log(test, true); }

constexpr TestCase k_cases[] = { { "found_by_a_free", found_by_a_free },
                                 { "not_to_be_rebuilt", not_to_be_rebuilt },
                                 { "damaged_under_the_log", damaged_under_the_log },
                                 { "unreadable_under_the_log", unreadable_under_the_log } };
}
LCPFS_SUITE(damaged_bitmap, k_cases);

}
