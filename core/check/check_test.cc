// SPDX-License-Identifier: GPL-2.0-only
// The checker on a sound pool, and on pools with one thing wrong each. What only a mistake of ours could write is made
// by changing objects behind the back of core/fs and letting an ordinary commit write it.
#include "core/test/check_ground.h"
#include "core/test/test.h"

namespace lcpfs {

// Says of a run that it is used, or free, to the bitmaps alone.
static Status log_space(CheckGround& ground, const Dva& dva, bool used)
{
    SpaceLog::Batch batch(ground.pool.pool().space_log());
    TRY(batch.prepare(1));
    TxgHold hold(ground.pool.pool().engine());
    batch.add(dva, used ? SpaceUse::used : SpaceUse::freed);
    batch.commit(hold.txg());
    return {};
}

// The empty change that makes a group commit what the space log has.
static Status touch(CheckGround& ground, Place& place)
{
    return spoil(ground, place.small(), [](ObjectAttributes& attributes) { attributes.uid++; });
}

static Status make_cycle(CheckGround& ground, Place& place)
{
    TRY(remove_name(ground, place.top(), "sub"));
    TRY(add_name(ground, place.inner(), "sub", place.sub().id().value(), 4, 0));
    const u64 inner = place.inner().id().value();
    return spoil(ground, place.sub(), [&](ObjectAttributes& attributes) { attributes.parent = inner; });
}

static Status share_blocks(CheckGround& ground, Place& place)
{
    Dva dva = ground.first_run(place.file());
    dva.length_blocks = 2;
    return add_extent(ground, place.other(), 50, dva);
}

static Status leak_blocks(CheckGround& ground, Place& place)
{
    const Dva dva = TRY(ground.pool.pool().allocator().allocate(AllocClass::data, 5, 5));
    TRY(log_space(ground, dva, true));
    return touch(ground, place);
}

static Status free_blocks_in_use(CheckGround& ground, Place& place)
{
    const Dva dva = ground.first_run(place.other());
    TRY(ground.pool.pool().allocator().prepare_free(dva));
    TRY(log_space(ground, dva, false));
    return touch(ground, place);
}

using Ground = CheckGround&;
using Attributes = ObjectAttributes&;
struct Spoil {
    const char* name;
    Status (*apply)(Ground ground, Place& place);
    const char* words;
};

constexpr Spoil k_spoils[] = {
    { "links", [](Ground g, Place& p) { return spoil(g, p.file(), [](Attributes a) { a.links = 7; }); }, "has fewer names than links" },
    { "few_links", [](Ground g, Place& p) { return spoil(g, p.file(), [](Attributes a) { a.links = 1; }); }, "1 links, but 2 names" },
    { "blocks", [](Ground g, Place& p) { return spoil(g, p.file(), [](Attributes a) { a.blocks += 5; }); },
      "its record counts 25 blocks, its extents 20" },
    { "size", [](Ground g, Place& p) { return spoil(g, p.file(), [](Attributes a) { a.size_bytes = 100; }); },
      "is past the end of the file" },
    { "parent", [](Ground g, Place& p) { return spoil(g, p.inner(), [](Attributes a) { a.parent = 2; }); },
      "is not where its directory thinks it is" },
    { "unreachable", [](Ground g, Place& p) { return spoil(g, p.sub(), [](Attributes a) { a.parent = 9999; }); },
      "that the root does not reach; it says it lies in 9999" },
    { "directory_links", [](Ground g, Place& p) { return spoil(g, p.sub(), [](Attributes a) { a.links = 2; }); },
      "a directory with 2 links and 1 subdirectories" },
    { "directory_size", [](Ground g, Place& p) { return spoil(g, p.sub(), [](Attributes a) { a.size_bytes++; }); }, "whose names take" },
    { "orphan_with_name", [](Ground g, Place& p) { return spoil(g, p.small(), [](Attributes a) { a.links = 0; }); },
      "0 links, but 1 names" },
    { "pipe_with_data", [](Ground g, Place& p) { return spoil(g, p.other(), [](Attributes a) { a.mode = k_mode_fifo; }); },
      "neither a file nor a symbolic link" },
    { "no_name", [](Ground g, Place& p) { return remove_name(g, p.top(), "small"); }, "has no name, but links" },
    { "name_to_nothing", [](Ground g, Place& p) { return add_name(g, p.top(), "ghost", 9999, 8, 0); },
      "name \"ghost\" names an object that does not exist: 9999" },
    { "other_type", [](Ground g, Place& p) { return add_name(g, p.top(), "pipe", p.file().id().value(), 1, 0); }, "says another type" },
    { "misplaced", [](Ground g, Place& p) { return add_name(g, p.top(), "lost", p.file().id().value(), 8, 128); }, "cannot be found" },
    { "name_twice", [](Ground g, Place& p) { return add_name(g, p.top(), "file", p.file().id().value(), 8, 1); }, "stands twice" },
    { "cycle", make_cycle, "a directory that the root does not reach" },
    { "shared_blocks", share_blocks, "which belong to something else too" },
    { "address_outside", [](Ground g, Place& p) { return add_extent(g, p.other(), 50, { 3, 2, VdevId(0) }); },
      "block 3 length 2: address outside the metaslabs" },
    { "address_beyond", [](Ground g, Place& p) { return add_extent(g, p.other(), 50, { ~0ull - 7, 2, VdevId(1) }); },
      "device 1 block 18446744073709551608 length 2: address outside" },
    { "unallocated", [](Ground g, Place& p) { return add_extent(g, p.other(), 50, { 5555, 2, VdevId(1) }); },
      "device 1 block 5555 length 2 is in use, but marked free" },
    { "overlap", [](Ground g, Place& p) { return add_extent(g, p.file(), k_file_blocks - 2, { 5600, 2, VdevId(1) }); },
      "overlaps the one before" },
    { "leak", leak_blocks, "length 5 is marked in use, but nothing uses it" },
    { "freed_in_use", free_blocks_in_use, "length 3 is in use, but marked free" },
};
constexpr u32 k_spoil_count = sizeof(k_spoils) / sizeof(k_spoils[0]);
static_assert(k_spoil_count <= CheckGround::k_most_words);

// Everything wrong at once, each in a place of its own: each is found and named.
static void spoiled(Test& test)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE_OK(ground->pool.start());
    const char* words[k_spoil_count];
    for (u32 i = 0; i < k_spoil_count; i++) {
        words[i] = k_spoils[i].words;
        REQUIRE(ground->make_place(ground->place, k_spoils[i].name));
        REQUIRE_EQ(ground->pool.sync(), 0);
        REQUIRE_OK(k_spoils[i].apply(*ground, ground->place));
        ground->release();
    }
    REQUIRE(ground->reopen());
    const u64 problems = ground->check(false, Span<const char* const>(words, k_spoil_count));
    CHECK(problems >= k_spoil_count && problems != ~0ull);
    for (u32 i = 0; i < k_spoil_count; i++)
        if (!CHECK(ground->said[i] >= 1))
            CHECK_EQ(i, k_spoil_count); // says which
}

static void sound(Test& test)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->start());
    REQUIRE(ground->reopen());
    CHECK_EQ(ground->check(true, "x"), 0);
}

static void flip(CheckGround& ground, u16 device, u64 byte_offset)
{
    u8 byte;
    lcpfs_test_device_peek(ground.pool.device(device), byte_offset, &byte, 1);
    byte ^= 4;
    lcpfs_test_device_poke(ground.pool.device(device), byte_offset, &byte, 1);
}

// One bit in each kind of place, one after the other, each put back: the checker says what and where.
static void damaged_bits(Test& test)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->start());
    const Dva data = ground->first_run(ground->place.file());
    REQUIRE_EQ(data.length_blocks, k_file_blocks);
    REQUIRE(ground->reopen());

    const Dva node = ground->pool.pool().uberblock().pool_tree.dva[1];
    flip(*ground, node.vdev.value(), node.block * k_block_size + 5000);
    CHECK_EQ(ground->check(false, "pool tree: copy 2 of the node at device"), 1);
    CHECK_EQ(ground->said[0], 1);
    flip(*ground, node.vdev.value(), node.block * k_block_size + 5000);

    flip(*ground, data.vdev.value(), (data.block + 7) * k_block_size + 100);
    CHECK_EQ(ground->check(false, "x"), 0);
    CHECK_EQ(ground->check(true, "file block 7 at device"), 1);
    CHECK_EQ(ground->said[0], 1);
    flip(*ground, data.vdev.value(), (data.block + 7) * k_block_size + 100);

    const u64 label = label_offset(2, TestPool::k_device_bytes / k_block_size) + k_label_vdevs_offset + 77;
    flip(*ground, 1, label);
    CHECK_EQ(ground->check(false, "label 2: lcpfs label is damaged"), 1);
    CHECK_EQ(ground->said[0], 1);
    flip(*ground, 1, label);

    lcpfs_test_device_fail(ground->pool.device(data.vdev.value()), HOST_IO_READ, 0, 100000);
    CHECK(ground->check(true, "device I/O error") > 4);
    CHECK(ground->said[0] > 4);
    lcpfs_test_device_fail(ground->pool.device(data.vdev.value()), HOST_IO_READ, 0, 0);
    CHECK_EQ(ground->check(true, "x"), 0);
}

// A removal that a crash interrupts between freeing an object's content and the object: the next mount goes on, nothing is wrong.
static void half_removed(Test& test) NO_THREAD_SAFETY_ANALYSIS
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* link;
    REQUIRE_EQ(pool->symlink(pool->root(), "link", "target", 6), 0);
    REQUIRE_EQ(pool->find(pool->root(), "link", &link), 0);
    REQUIRE_EQ(pool->unlink(pool->root(), "link", false), 0);
    {
        Object& object = object_of(link);
        WriteGuard guard(object.m_lock);
        TxgHold hold(pool->pool().engine());
        CHECK_OK(object.prepare_change(hold.txg()));
        BigEndianKey key(0);
        CHECK_OK(object.m_tree.prepare_change(hold.txg(), { key.data(), 8 }));
        CHECK(object.m_tree.remove(hold.txg(), { key.data(), 8 }));
    }
    core_object_put(link);
    REQUIRE_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
}

constexpr TestCase k_cases[] = {
    { "sound", sound },
    { "half_removed", half_removed },
    { "spoiled", spoiled },
    { "damaged_bits", damaged_bits },
};
LCPFS_SUITE(check, k_cases);

}
