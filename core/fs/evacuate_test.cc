// SPDX-License-Identifier: GPL-2.0-only
// Metaslabs that are emptied so that a partition can shrink.
#include "core/fs/evacuate.h"

#include "core/fs/extents.h"
#include "core/fs/move_extent.h"
#include "core/test/evacuation_ground.h"
#include "core/test/test.h"

namespace lcpfs {

using namespace evacuation_test;
using namespace partition_test;

static void empties(Test& test)
{
    Ground ground;
    REQUIRE_OK(ground.start());
    const u64 size = ground.size();
    REQUIRE(size >= 3 * k_metaslab);
    CHECK(ground.pool->pool().allocator().owners()[ground.owner()].empty_blocks.load() < k_metaslab);
    REQUIRE_EQ(ground.evacuate(), 0);
    CHECK_EQ(ground.size(), 1 * k_metaslab);
    CHECK(ground.is_whole());
    CHECK_EQ(ground.wrong(), 0u);
    // The decision that gave them back.
    core_partition_decision decision {};
    u64 given = 0;
    for (u64 number = 0; core_partition_decision_get(ground.pool->handle(), number, &decision) == 0; number = decision.number + 1)
        given += decision.reason == u32(DecisionReason::evacuate) ? decision.metaslabs : 0;
    CHECK_EQ(given * k_metaslab, size - k_metaslab);
    ground.data.close();
    REQUIRE_EQ(ground.pool->close(), 0);
    REQUIRE_EQ(ground.pool->open(false), 0);
    CHECK_EQ(ground.size(), 1 * k_metaslab);
    REQUIRE_EQ(ground.data.open(*ground.pool, "data"), 0);
    CHECK(ground.is_whole());
}

// How far it is, as a list of partitions shows it. Nothing is `seen` when it was done before anybody looked.
static void look_on(Test& test, bool& seen)
{
    Ground ground;
    REQUIRE_OK(ground.start());
    core_partition_info info;
    REQUIRE(find(*ground.pool, "a", info));
    CHECK(info.evacuated_metaslabs == 0 && info.evacuation_blocks == 0 && info.evacuation_left_blocks == 0);
    const u64 metaslabs = ground.size() / k_metaslab - 1;
    u64 blocks = 0, left = ~0ull;
    ground.ask();
    REQUIRE_OK(ground.pool->pool().wake_background());
    while (ground.size() > k_metaslab && find(*ground.pool, "a", info)) {
        host_yield();
        if (!info.evacuated_metaslabs)
            continue;
        CHECK_EQ(info.evacuated_metaslabs, metaslabs);
        CHECK(info.evacuation_blocks > 0 && info.evacuation_blocks <= k_pieces / 4 * k_piece_blocks);
        CHECK(blocks == 0 || info.evacuation_blocks == blocks);
        CHECK(info.evacuation_left_blocks <= min(left, info.evacuation_blocks));
        blocks = info.evacuation_blocks;
        left = info.evacuation_left_blocks;
    }
    ground.pool->pool().background().wait_idle();
    REQUIRE(find(*ground.pool, "a", info));
    CHECK(info.evacuated_metaslabs == 0 && info.evacuation_blocks == 0 && info.evacuation_left_blocks == 0);
    seen = blocks > 0;
}

// On a busy machine the work may be through before this thread runs again.
static void progress(Test& test)
{
    bool seen = false;
    for (u32 tries = 0; !seen && tries < 50 && !test.failed(); tries++)
        look_on(test, seen);
    CHECK(seen);
}

// What is left goes down with the groups that free it; what another partition is shown is its own.
static void progress_left(Test& test)
{
    Ground ground;
    REQUIRE_OK(ground.start());
    Allocator& allocator = ground.pool->pool().allocator();
    const Allocator::Leaving leaving = allocator.start_leaving(ground.owner(), 100 * k_metaslab);
    ground.pool->pool().partitions().evacuation().show(ground.owner(), { leaving.metaslabs, leaving.reached_blocks });
    core_partition_info info;
    REQUIRE(find(*ground.pool, "a", info));
    CHECK(info.evacuated_metaslabs == leaving.metaslabs && leaving.metaslabs > 0);
    CHECK(info.evacuation_blocks == leaving.reached_blocks && info.evacuation_left_blocks == leaving.reached_blocks);
    for (u32 i = 0; i < k_pieces; i += 8)
        REQUIRE_EQ(ground.remove_piece(i), 0);
    REQUIRE_EQ(ground.pool->settle(), 0);
    REQUIRE(find(*ground.pool, "a", info));
    CHECK(info.evacuated_metaslabs == leaving.metaslabs && info.evacuation_blocks == leaving.reached_blocks);
    CHECK(info.evacuation_left_blocks > 0 && info.evacuation_left_blocks < leaving.reached_blocks);
    REQUIRE(find(*ground.pool, "default", info));
    CHECK_EQ(info.evacuated_metaslabs, 0u);
    // A writer found no other place: none of them is emptied any more.
    allocator.keep_all(ground.owner());
    REQUIRE(find(*ground.pool, "a", info));
    CHECK(info.evacuated_metaslabs == 0 && info.evacuation_blocks == 0 && info.evacuation_left_blocks == 0);
}

// A lower maximum is what a person shrinks a partition by: refused until there is room, and then not.
static void lower_maximum(Test& test)
{
    Ground ground;
    REQUIRE_OK(ground.start());
    REQUIRE_EQ(ground.lower_maximum(2 * k_metaslab), minus(Error::busy));
    ground.pool->pool().background().wait_idle();
    REQUIRE_EQ(ground.lower_maximum(2 * k_metaslab), 0);
    CHECK(ground.size() <= 2 * k_metaslab);
    CHECK(ground.is_whole());
    CHECK_EQ(ground.wrong(), 0u);
}

// Asked again and again meanwhile, it takes what is empty by then: it is not refused any longer than need be, and the work ends well.
static void impatient(Test& test)
{
    Ground ground;
    REQUIRE_OK(ground.start());
    u32 refused = 0;
    while (ground.lower_maximum(2 * k_metaslab) == minus(Error::busy) && refused < 100000) {
        refused++;
        host_yield();
    }
    CHECK(refused > 0 && refused < 100000);
    CHECK(ground.size() <= 2 * k_metaslab);
    ground.pool->pool().background().wait_idle();
    CHECK(ground.size() >= 1 * k_metaslab && ground.size() <= 2 * k_metaslab);
    CHECK(ground.pool->pool().allocator().leaving(ground.owner()).metaslabs == 0);
    CHECK(ground.is_whole());
    CHECK_EQ(ground.wrong(), 0u);
}

// A block that is damaged is not moved on: it stays damaged where it is, its metaslab stays, the others go.
static void damaged(Test& test)
{
    Ground ground;
    REQUIRE_OK(ground.start());
    const u64 size = ground.size();
    core_object* file;
    REQUIRE_EQ(ground.data.find(Ground::name_of(0), &file), 0);
    core_extent extent;
    REQUIRE_EQ(core_map(file, 5, &extent), 0);
    core_object_put(file);
    const u64 place = extent.device_block + (5 - extent.block);
    const u8 byte = 0x5a;
    lcpfs_test_device_poke(ground.pool->device(extent.device), place * k_block_size + 99, &byte, 1);
    const u64 errors = ground.pool->pool().m_checksum_errors.load();
    REQUIRE_EQ(ground.evacuate(), 0);
    CHECK_EQ(ground.pool->pool().m_checksum_errors.load(), errors + 1);
    CHECK(ground.size() < size && ground.size() >= k_metaslab);
    CHECK(ground.is_whole(0));
    core_extent now;
    REQUIRE_EQ(ground.data.find(Ground::name_of(0), &file), 0);
    REQUIRE_EQ(core_map(file, 5, &now), 0);
    u32 tag;
    CHECK(ground.pool->read(file, 5, 1, &tag) != 0);
    core_object_put(file);
    CHECK(now.device == extent.device && now.device_block + (5 - now.block) == place);
    CHECK_EQ(ground.pool->settle(), 0);
    CHECK_EQ(ground.pool->check(false), 0u);
    // Tried again no sooner than in an hour.
    const u64 told = ground.pool->pool().m_checksum_errors.load();
    REQUIRE_EQ(ground.evacuate(), 0);
    CHECK_EQ(ground.pool->pool().m_checksum_errors.load(), told);
}

// Clones: whoever reaches the blocks has the same content afterwards, and removing one takes nothing from the other.
static void clones(Test& test)
{
    Ground ground;
    REQUIRE_OK(ground.start());
    for (u32 i = 0; i < k_pieces; i += 8) {
        core_object* from;
        core_object* to;
        const char name[] = { 'c', static_cast<char>('A' + i / 8), 0 };
        REQUIRE_EQ(ground.data.find(Ground::name_of(i), &from), 0);
        REQUIRE_EQ(ground.pool->create(ground.data.root, name, k_file, &to), 0);
        const core_clone how { from, to, 0, 0, k_piece_blocks, k_piece_blocks * k_block_size, { 7, 8 }, false };
        CHECK_EQ(core_clone_range(&how), 0);
        core_object_put(from);
        core_object_put(to);
    }
    REQUIRE_EQ(ground.pool->settle(), 0);
    const u64 size = ground.size();
    const u64 used = ground.pool->used_blocks();
    REQUIRE_EQ(ground.evacuate(), 0);
    CHECK(ground.size() < size);
    CHECK(ground.is_whole());
    CHECK_EQ(ground.wrong(), 0u);
    CHECK(ground.pool->used_blocks() <= used + 8); // what was shared is shared still
    for (u32 i = 0; i < k_pieces; i += 8) {
        const char name[] = { 'c', static_cast<char>('A' + i / 8), 0 };
        CHECK_EQ(ground.data.remove(name), 0);
    }
    CHECK(ground.is_whole());
    CHECK_EQ(ground.wrong(), 0u);
}

// Units that several parts reach: of the file itself, which was written over in the middle, of a clone of all of it, and of a clone of
// some. All go to one new place; each reads what it did, and the last one to go frees it.
static void shared_units(Test& test)
{
    Ground ground;
    const Status started = ground.start("a", true);
    if (started.error() == Error::not_supported)
        return;
    REQUIRE_OK(started);
    constexpr u32 k_first = 8, k_count = 16; // of the clone of some
    char names[] = "cA";
    for (u32 i = 0; i < k_pieces; i += 8) {
        core_object* from;
        REQUIRE_EQ(ground.data.find(Ground::name_of(i), &from), 0);
        core_extent extent;
        REQUIRE_EQ(core_map(from, 0, &extent), 0);
        CHECK(extent.compressed && extent.blocks == k_piece_blocks);
        for (u32 all = 0; all < 2; all++) {
            core_object* to;
            names[0] = all ? 'c' : 'd';
            names[1] = static_cast<char>('A' + i / 8);
            const u64 first = all ? 0 : k_first, count = all ? k_piece_blocks : k_count;
            REQUIRE_EQ(ground.pool->create(ground.data.root, names, k_file, &to), 0);
            const core_clone how { from, to, first, 0, count, count * k_block_size, { 7, 8 }, false };
            CHECK_EQ(core_clone_range(&how), 0);
            core_object_put(to);
        }
        CHECK_EQ(ground.pool->write(from, 12, 1, i * 100 + 1 + 12, k_piece_blocks * k_block_size), 0); // the same again
        core_object_put(from);
    }
    REQUIRE_EQ(ground.pool->settle(), 0);
    CHECK_EQ(ground.wrong(), 0u);
    const u64 size = ground.size();
    const u64 used = ground.pool->used_blocks();
    REQUIRE_EQ(ground.evacuate(), 0);
    CHECK_EQ(ground.size(), 1 * k_metaslab);
    CHECK(ground.size() < size);
    CHECK_EQ(ground.wrong(), 0u);
    CHECK(ground.pool->used_blocks() <= used + 8); // what was shared is shared still
    // Those of some are removed first.
    for (u32 all = 0; all < 2; all++)
        for (u32 round = 0; round < 2; round++) {
            CHECK(ground.is_whole());
            for (u32 i = 0; i < k_pieces; i += 8) {
                names[0] = all ? 'c' : 'd';
                names[1] = static_cast<char>('A' + i / 8);
                core_object* file;
                u32 tags[k_piece_blocks];
                const u32 first = all ? 0 : k_first, count = all ? k_piece_blocks : k_count;
                if (round) {
                    CHECK_EQ(ground.data.remove(names), 0);
                    continue;
                }
                REQUIRE_EQ(ground.data.find(names, &file), 0);
                CHECK_EQ(ground.pool->read(file, 0, count, tags), 0);
                core_object_put(file);
                for (u32 block = 0; block < count; block++)
                    CHECK_EQ(tags[block], i * 100 + 1 + first + block);
            }
            CHECK_EQ(ground.wrong(), 0u);
        }
    const u64 before = ground.pool->used_blocks();
    for (u32 i = 0; i < k_pieces; i += 4)
        CHECK_EQ(ground.remove_piece(i), 0);
    CHECK_EQ(ground.wrong(), 0u);
    // Of each its unit, and of every other the block that was written over.
    CHECK(ground.pool->used_blocks() + k_pieces / 4 + k_pieces / 8 <= before);
}

// Parts of what is not compressed: whoever is found first moves what it reaches, the others follow block by block, even when there is
// room to remember only a few in a pass.
static void shared_parts(Test& test)
{
    for (u32 few = 0; few < 2; few++) {
        Ground ground;
        REQUIRE_OK(ground.start());
        if (few)
            ground.pool->pool().partitions().evacuation().most_remembered = 3;
        constexpr u32 k_count = 16;
        const auto clone = [&](u32 from, u32 to, u32 first, u32 at) {
            core_object* files[2];
            REQUIRE_EQ(ground.data.find(Ground::name_of(from), &files[0]), 0);
            REQUIRE_EQ(ground.data.find(Ground::name_of(to), &files[1]), 0);
            const core_clone how { files[0], files[1], first, at, k_count, (at + k_count) * k_block_size, { 7, 8 }, false };
            CHECK_EQ(core_clone_range(&how), 0);
            core_object_put(files[0]);
            core_object_put(files[1]);
        };
        // The part before the whole, behind it, and two that overlap.
        for (u32 i = 0; i + 8 < k_pieces; i += 12) {
            clone(i + 4, i, 8, k_piece_blocks);
            clone(i, i + 4, 3, k_piece_blocks);
            clone(i + 4, i + 8, 2, k_piece_blocks);
            clone(i + 4, i + 8, 10, k_piece_blocks + k_count);
        }
        REQUIRE_EQ(ground.pool->settle(), 0);
        CHECK_EQ(ground.pool->check(), 0u);
        const u64 size = ground.size(), used = ground.pool->used_blocks();
        REQUIRE_EQ(ground.evacuate(), 0);
        CHECK(ground.size() < size);
        if (!few)
            CHECK_EQ(ground.size(), 1 * k_metaslab);
        CHECK_EQ(ground.wrong(), 0u);
        CHECK(ground.pool->used_blocks() <= used + 8); // what was shared is shared still
        CHECK(ground.is_whole());
        const auto reads = [&](u32 file_number, u32 at, u32 first_tag) {
            u32 tags[k_count];
            core_object* file;
            REQUIRE_EQ(ground.data.find(Ground::name_of(file_number), &file), 0);
            CHECK_EQ(ground.pool->read(file, at, k_count, tags), 0);
            core_object_put(file);
            for (u32 block = 0; block < k_count; block++)
                CHECK_EQ(tags[block], first_tag + block);
        };
        for (u32 i = 0; i + 8 < k_pieces; i += 12) {
            reads(i, k_piece_blocks, (i + 4) * 100 + 1 + 8);
            reads(i + 4, k_piece_blocks, i * 100 + 1 + 3);
            reads(i + 8, k_piece_blocks, (i + 4) * 100 + 1 + 2);
            reads(i + 8, k_piece_blocks + k_count, (i + 4) * 100 + 1 + 10);
        }
        for (u32 i = 0; i < k_pieces; i += 4)
            CHECK_EQ(ground.remove_piece(i), 0);
        CHECK_EQ(ground.wrong(), 0u);
        CHECK(ground.pool->used_blocks() + k_pieces / 4 * k_piece_blocks <= used);
    }
}

// Where there is room for single blocks only, a unit stays where it is: even a part that is as long as what is stored.
static void unit_in_pieces(Test& test)
{
    Ground ground;
    REQUIRE_OK(ground.start());
    const Status chosen = set_dataset_compression(ground.pool->pool(), "data", { Encoding::lz4, 0 });
    if (chosen.error() == Error::not_supported)
        return;
    REQUIRE_OK(chosen);
    TestRandom random(7);
    static u8 data[k_piece_blocks * k_block_size];
    zero_bytes(data, sizeof(data));
    for (u32 i = 0; i < 3 * k_block_size; i++)
        data[i] = static_cast<u8>(random.below(256));
    core_object* file;
    REQUIRE_EQ(ground.data.find(Ground::name_of(8), &file), 0);
    REQUIRE_EQ(core_reserve(file, k_piece_blocks), 0);
    IoBatch batch;
    batch.begin();
    const core_segment segment { data, sizeof(data) };
    core_write(
        file, 0, &segment, 1, sizeof(data),
        [](void* context, int error) { static_cast<IoBatch*>(context)->finish(error ? Error::io_error : Error::none); },
        &batch);
    REQUIRE_OK(batch.wait());
    REQUIRE_OK(set_dataset_compression(ground.pool->pool(), "data", { Encoding::none, 0 }));
    core_extent extent;
    REQUIRE_EQ(core_map(file, 0, &extent), 0);
    REQUIRE(extent.compressed);
    const u32 stored = static_cast<u32>(ground.pool->blocks(file));
    CHECK(stored > 1 && stored < 8);
    REQUIRE_EQ(core_truncate(file, stored * k_block_size, TestPool::k_time), 0);
    REQUIRE_EQ(core_map(file, 0, &extent), 0);
    CHECK_EQ(extent.blocks, stored);
    // All is full but every other block.
    REQUIRE_EQ(ground.lower_maximum(ground.size()), 0);
    core_object* all;
    REQUIRE(fill(*ground.pool, ground.data.root, "all", 100000) > 0);
    for (u32 rest = 32; rest > 0; rest /= 2) {
        char name[] = "rest00";
        name[4] = static_cast<char>('0' + rest / 10);
        name[5] = static_cast<char>('0' + rest % 10);
        core_object* more;
        REQUIRE_EQ(ground.pool->create(ground.data.root, name, k_file, &more), 0);
        for (u32 at = 0; ground.pool->write(more, at, rest, 1, u64(at + rest) * k_block_size) == 0;)
            at += rest;
        core_object_put(more);
    }
    REQUIRE_EQ(ground.data.find("all", &all), 0);
    for (u64 block = 0; block < 400; block += 2)
        REQUIRE_EQ(core_punch(all, block, 1, TestPool::k_time), 0);
    core_object_put(all);
    REQUIRE_EQ(ground.pool->settle(), 0);
    REQUIRE_EQ(ground.pool->settle(), 0);
    Object& object = object_of(file);
    Box<ExtentMover> mover = REQUIRE_VALUE(make_box<ExtentMover>(ground.pool->pool()));
    {
        ReadGuard guard(object.m_lock);
        TreeCursor cursor;
        Extent found;
        REQUIRE(REQUIRE_VALUE(find_extent(object.m_tree, 0, cursor, found)));
        mover->take(found);
    }
    CHECK(mover->move(object).error() == Error::no_space);
    core_object_put(file);
    CHECK_EQ(ground.wrong(), 0u);
}

// Preallocated blocks stay, since what is written goes there; so does their metaslab, and the others go.
static void unwritten(Test& test)
{
    Ground ground;
    REQUIRE_OK(ground.start());
    core_object* file;
    core_extent before[2], after;
    REQUIRE_EQ(ground.data.find(Ground::name_of(0), &file), 0);
    REQUIRE_EQ(core_allocate(file, k_piece_blocks, 16), 0);
    REQUIRE_EQ(ground.pool->write(file, k_piece_blocks + 4, 1, 77, (k_piece_blocks + 16) * k_block_size), 0);
    REQUIRE_EQ(ground.pool->settle(), 0);
    REQUIRE_EQ(core_map(file, k_piece_blocks, &before[0]), 0);
    REQUIRE_EQ(core_map(file, k_piece_blocks + 5, &before[1]), 0);
    CHECK(before[0].unwritten && before[1].unwritten);
    const u64 size = ground.size(), used = ground.pool->used_blocks();
    REQUIRE_EQ(ground.evacuate(), 0);
    CHECK(ground.size() < size && ground.size() <= 2 * k_metaslab);
    CHECK(ground.is_whole());
    CHECK_EQ(ground.wrong(), 0u);
    CHECK(ground.pool->used_blocks() <= used + 8);
    for (u32 i = 0; i < 2; i++) {
        REQUIRE_EQ(core_map(file, k_piece_blocks + i * 5, &after), 0);
        CHECK(after.unwritten && after.device == before[i].device && after.device_block == before[i].device_block);
    }
    // Which can be written, where they are.
    REQUIRE_EQ(ground.pool->write(file, k_piece_blocks + 8, 2, 88, (k_piece_blocks + 16) * k_block_size), 0);
    REQUIRE_EQ(core_map(file, k_piece_blocks + 8, &after), 0);
    const u64 place = after.device_block + (k_piece_blocks + 8 - after.block);
    CHECK(!after.unwritten && place == before[1].device_block + (k_piece_blocks + 8 - before[1].block));
    u32 tags[16];
    CHECK_EQ(ground.pool->read(file, k_piece_blocks, 16, tags), 0);
    CHECK(tags[0] == TestPool::k_hole && tags[4] == 77 && tags[5] == TestPool::k_hole && tags[8] == 88 && tags[9] == 89);
    core_object_put(file);
    CHECK_EQ(ground.wrong(), 0u);
}

// The pool is closed at any moment of it, or crashes.
static void stopped(Test& test)
{
    Ground ground;
    REQUIRE_OK(ground.start());
    for (u32 round = 0; round < 8; round++) {
        ground.ask();
        REQUIRE_OK(ground.pool->pool().wake_background());
        for (u32 i = 0; i < round * 40; i++)
            host_yield();
        ground.data.close();
        if (round % 2)
            (void)ground.pool->crash();
        else
            REQUIRE_EQ(ground.pool->close(), 0);
        REQUIRE_EQ(ground.pool->open(false), 0);
        REQUIRE_EQ(ground.data.open(*ground.pool, "data"), 0);
        CHECK(ground.is_whole());
        CHECK_EQ(ground.pool->check(), 0u);
    }
    // What was emptied before a crash that lost the giving back is empty still.
    (void)ground.lower_maximum(k_metaslab);
    ground.pool->pool().background().wait_idle();
    REQUIRE_EQ(ground.lower_maximum(k_metaslab), 0);
    CHECK_EQ(ground.size(), 1 * k_metaslab);
    CHECK(ground.is_whole());
    CHECK_EQ(ground.wrong(), 0u);
}

// An extent that was written over, cut or removed between finding and moving stays as it is, and the copy costs nothing.
static void changed_meanwhile(Test& test)
{
    Ground ground;
    REQUIRE_OK(ground.start());
    Pool& pool = ground.pool->pool();
    const u64 used = ground.pool->used_blocks();
    for (u32 how = 0; how < 4; how++) {
        core_object* handle;
        REQUIRE_EQ(ground.data.find(Ground::name_of(how * 4), &handle), 0);
        Object& object = object_of(handle);
        Box<ExtentMover> mover = REQUIRE_VALUE(make_box<ExtentMover>(pool));
        {
            ReadGuard guard(object.m_lock);
            TreeCursor cursor;
            Extent extent;
            REQUIRE(REQUIRE_VALUE(find_extent(object.m_tree, 0, cursor, extent)));
            mover->take(extent);
        }
        const u64 tag = how * 400 + 1;
        if (how == 1)
            CHECK_EQ(ground.pool->write(handle, 3, 1, static_cast<u32>(tag + 3), k_piece_blocks * k_block_size), 0);
        if (how == 2)
            CHECK_EQ(core_truncate(handle, 4 * k_block_size, TestPool::k_time), 0);
        if (how == 3)
            CHECK_EQ(ground.data.remove(Ground::name_of(how * 4)), 0);
        const Result<u32> moved = mover->move(object);
        REQUIRE(moved.is_ok());
        CHECK(how ? moved.value() == 0 : moved.value() > 0);
        u32 found = 0;
        if (how == 0 || how == 1) {
            CHECK_EQ(ground.pool->read(handle, 3, 1, &found), 0);
            CHECK_EQ(found, tag + 3);
        }
        core_object_put(handle);
    }
    CHECK_EQ(ground.wrong(), 0u);
    CHECK(ground.pool->used_blocks() + (k_piece_blocks - 4) + k_piece_blocks <= used + 4);
    CHECK_EQ(ground.pool->promised(), 0u);
}

// Data that only the log has so far, and a partition that has no room for what would be moved.
static void delayed_and_full(Test& test)
{
    Ground ground;
    REQUIRE_OK(ground.start());
    core_object* file;
    REQUIRE_EQ(ground.data.find(Ground::name_of(4), &file), 0);
    for (u32 i = 0; i < 8; i++) {
        REQUIRE_EQ(core_reserve(file, 1), 0);
        CHECK_EQ(ground.log_write(file, i, 4 * 100 + 1 + i), 0);
    }
    CHECK_EQ(core_object_sync(file), 0);
    core_object_put(file);
    REQUIRE_EQ(ground.evacuate(), 0);
    CHECK_EQ(ground.size(), 1 * k_metaslab);
    CHECK(ground.is_whole());
    CHECK_EQ(ground.wrong(), 0u);
    // Now it holds what it can: nothing fits elsewhere, and nothing is grown for it.
    REQUIRE_EQ(ground.lower_maximum(3 * k_metaslab), 0);
    (void)fill(*ground.pool, ground.data.root, "all", 100000);
    REQUIRE_EQ(ground.pool->settle(), 0);
    const u64 size = ground.size();
    CHECK_EQ(size, 3 * k_metaslab);
    REQUIRE_EQ(ground.evacuate(), 0);
    CHECK_EQ(ground.size(), size);
    CHECK(ground.is_whole());
    CHECK_EQ(ground.wrong(), 0u);
}

namespace {
constexpr TestCase k_cases[] = {
    { "empties", empties },
    { "progress", progress },
    { "progress_left", progress_left },
    { "lower_maximum", lower_maximum },
    { "impatient", impatient },
    { "damaged", damaged },
    { "clones", clones },
    { "shared_units", shared_units },
    { "shared_parts", shared_parts },
    { "unit_in_pieces", unit_in_pieces },
    { "unwritten", unwritten },
    { "stopped", stopped },
    { "changed_meanwhile", changed_meanwhile },
    { "delayed_and_full", delayed_and_full },
};
}
LCPFS_SUITE(evacuate, k_cases);

}
