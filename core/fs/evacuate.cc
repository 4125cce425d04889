// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/evacuate.h"

#include "core/base/format_text.h"
#include "core/fs/extents.h"
#include "core/fs/move_extent.h"

namespace lcpfs {

namespace {

// One share of work.
constexpr u32 k_looks = 512;
constexpr u32 k_moves = 16;

constexpr u32 k_most_passes = 8;
constexpr u32 k_commits_to_empty = 4;

struct Share {
    Pool& pool;
    Evacuation& work;
    ExtentMover& mover;
    u32 looks { 0 }, moves { 0 };

    bool is_over() const { return looks >= k_looks || moves >= k_moves || pool.background().is_interrupted(); }
};

// What ends the work, as against what is wrong with one object.
bool is_end(Error error)
{
    return error == Error::no_memory || error == Error::no_space || error == Error::read_only || error == Error::frozen
        || error == Error::shut_down;
}

void say(Pool& pool, OwnerSlot owner, const TextLine& what)
{
    PartitionView view;
    TextLine line;
    line.add("partition ");
    if (pool.partitions().controller().view(PartitionId(pool.allocator().owners()[owner].id.load()), view))
        line.add_name({ view.name, view.name_length });
    line.add(": ").add(what.text());
    pool.log(HOST_LOG_INFO, StringView(line.text(), line.size()));
}

// The next extent of a file, from `file_block` on, that stands in a metaslab that is being emptied; false: none in this share, and
// `file_block` is where to look on, or ~0.
Result<bool> find_in_file(Share& share, Object& object, u64& file_block)
{
    ReadGuard guard(object.m_lock);
    // A small part of a compressed unit may count for no block.
    const bool has_none = object.m_attributes.blocks == 0 && !object.m_attributes.has_shares();
    if (object.m_deleted || !object.m_attributes.is_regular() || has_none) {
        file_block = ~0ull;
        return false;
    }
    TreeCursor cursor;
    Extent extent;
    for (bool found = TRY(find_extent(object.m_tree, file_block, cursor, extent)); found; found = TRY(object.m_tree.next(cursor))) {
        extent = TRY(Extent::decode(cursor.key(), cursor.value()));
        if (extent.kind == ExtentKind::mapped && share.pool.allocator().is_leaving(extent.dva)) {
            share.mover.take(extent);
            file_block = extent.file_block;
            return true;
        }
        file_block = extent.end();
        if (++share.looks >= k_looks)
            return false;
    }
    file_block = ~0ull;
    return false;
}

// Whether what others reach too can be remembered, so that they go on sharing. What nobody else reaches needs not be.
Result<bool> is_room_for(Share& share, Dva place)
{
    const Status room = share.work.make_room();
    if (room.error() != Error::no_space)
        return room.is_ok() ? Result<bool>(true) : Result<bool>(room.error());
    while (place.length_blocks) {
        const ShareTable::Part part = TRY(share.pool.share_table().read(place));
        if (part.references > 1)
            return false;
        place.block += part.length_blocks;
        place.length_blocks -= part.length_blocks;
    }
    return true;
}

bool may_share(Object& object)
{
    ReadGuard guard(object.m_lock);
    return object.m_attributes.has_shares();
}

// What others may reach too.
Status remember(Share& share, Object& object)
{
    if (!may_share(object) || share.work.make_room().is_error())
        return {};
    const Extent& extent = share.mover.extent();
    const Dva& place = share.mover.place();
    const Dva from { extent.dva.block, place.length_blocks, extent.dva.vdev };
    return share.work.remember({ object.dataset().id(), object.id(), extent.file_block, share.mover.moved_in(), from, place, false });
}

// What was freed lately may do after a commit.
Result<u32> move_patiently(Share& share, Object& object, u32 most)
{
    Result<u32> moved = share.mover.move(object, most);
    if (moved.error() != Error::no_space || share.pool.engine().force_commit().is_error())
        return moved;
    return share.mover.move(object, most);
}

// How many of its blocks have moved; `end`: where to look on.
Result<u32> move_extent(Share& share, Object& object, u64& end)
{
    const Extent& extent = share.mover.extent();
    end = extent.file_block;
    u32 most = ~0u;
    if (may_share(object)) {
        if (const Evacuation::Moved* const moved = share.work.find(object.dataset().id(), extent.dva)) {
            auto first = object.dataset().get(moved->object);
            if (const u32 followed = first.is_ok() ? TRY(share.mover.follow(object, *first.value(), *moved)) : 0)
                return followed;
        }
        if (!TRY(is_room_for(share, extent.dva))) {
            share.work.leave_shared(extent.dva);
            end = extent.end();
            return 0u;
        }
        most = share.work.blocks_before_next(extent.dva);
    }
    const u32 moved = TRY(move_patiently(share, object, most));
    if (moved)
        TRY(remember(share, object));
    return moved;
}

// The extent that was found. What is wrong with it keeps its metaslab, and nothing else.
Status move_found(Share& share, Object& object, u64& file_block)
{
    const Dva place = share.mover.extent().dva;
    share.moves++;
    u64 end = 0;
    const Result<u32> moved = move_extent(share, object, end);
    if (moved.is_error() && is_end(moved.error()))
        return moved.error();
    if (moved.is_error()) {
        TextLine line;
        line.add("device ").add(u64(place.vdev.value())).add(" block ").add(place.block);
        say(share.pool, share.work.owner, line.add(" cannot be moved; its metaslab stays: ").add(text_of(moved.error())));
        share.pool.allocator().keep(place);
        return {};
    }
    share.work.moved_blocks += moved.value();
    file_block = max(end, share.mover.extent().file_block + max(moved.value(), 1u));
    return {};
}

// Goes on with one file. False: the share is over before it.
Result<bool> walk_file(Share& share, Dataset& dataset, ObjectId id)
{
    u64& file_block = share.work.place.file_block;
    share.looks++;
    auto object = dataset.get(id);
    if (object.is_error() && is_end(object.error()))
        return object.error();
    if (object.is_error()) // gone meanwhile, or damaged, which was told
        return true;
    if (object.value()->m_delayed_writes.load())
        TRY(share.pool.delayed_writes().write_all());
    while (file_block != ~0ull) {
        if (share.is_over())
            return false;
        const Result<bool> found = find_in_file(share, *object.value(), file_block);
        if (found.is_error() && is_end(found.error()))
            return found.error();
        if (found.is_error())
            return true;
        if (found.value())
            TRY(move_found(share, *object.value(), file_block));
    }
    return true;
}

// The one to go on with. Nobody but this thread takes one out of the list for good.
Dataset* next_dataset(Pool& pool, const Evacuation& work)
{
    Datasets& datasets = pool.datasets();
    ReadGuard list(datasets.lock());
    Dataset* dataset = datasets.next(work.place.dataset);
    while (dataset && (dataset->damage() != Error::none || (dataset->owner() != work.owner) != work.place.visits_others))
        dataset = datasets.next(dataset->id().next());
    return dataset;
}

// False: the share is over before it.
Result<bool> walk_dataset(Share& share, Dataset& dataset)
{
    Evacuation::Place& place = share.work.place;
    ObjectId id;
    for (;;) {
        const Result<bool> found = dataset.next_object(place.object, id);
        if (found.is_error() && is_end(found.error()))
            return found.error();
        if (found.is_error() || !found.value())
            return true; // no more of it; what cannot be read was told
        if (id != place.object) {
            place.object = id;
            place.file_block = 0;
        }
        if (!TRY(walk_file(share, dataset, id)))
            return false;
        if (id.value() == ~0ull)
            return true;
        place.object = ObjectId(id.value() + 1);
        place.file_block = 0;
        if (share.is_over())
            return false;
    }
}

// True: it went through all there is.
Result<bool> walk(Share& share)
{
    Evacuation::Place& place = share.work.place;
    for (;;) {
        Dataset* const dataset = next_dataset(share.pool, share.work);
        if (!dataset && place.visits_others)
            return true;
        if (!dataset) {
            // What is in a metaslab is nearly always its owner's.
            TRY(share.pool.engine().force_commit());
            if (share.pool.allocator().leaving(share.work.owner).reached_blocks == 0)
                return true;
            place = { true, {}, {}, 0 };
            continue;
        }
        if (dataset->id() != place.dataset)
            place = { place.visits_others, dataset->id(), {}, 0 };
        if (!TRY(walk_dataset(share, *dataset)))
            return false;
        place = { place.visits_others, dataset->id().next(), {}, 0 };
    }
}

void begin_pass(Evacuation& work)
{
    work.place = {};
    work.forget_met();
    work.passes++;
    work.moved_before = work.moved_blocks;
}

bool begin(Pool& pool, Evacuation& work)
{
    u64 wanted = 0;
    const OwnerSlot owner = work.take(wanted);
    if (owner == k_nobody)
        return false;
    // So that every object is in its table, and after a crash what the group before the last reaches does not matter any more.
    if (pool.engine().force_commit().is_error())
        return false;
    const Allocator::Leaving leaving = pool.allocator().start_leaving(owner, wanted);
    if (!leaving.metaslabs) {
        if (!work.said_none[owner.value()]) // the controller asks again and again
            say(pool, owner, TextLine().add("no metaslab of it is so empty that the others have room for what is in it"));
        work.said_none[owner.value()] = true;
        return true;
    }
    work.said_none[owner.value()] = false;
    work.owner = owner;
    work.show(owner, { leaving.metaslabs, leaving.reached_blocks });
    work.size_before = pool.allocator().owners()[owner].size_blocks.load();
    work.passes = 0;
    work.moved_blocks = 0;
    begin_pass(work);
    TextLine line;
    line.add(u64(leaving.metaslabs)).add(" metaslabs of it are being emptied, in which ").add(leaving.reached_blocks);
    say(pool, owner, line.add(" blocks are in use"));
    return true;
}

void end(Pool& pool, Evacuation& work, const TextLine& result)
{
    pool.allocator().keep_all(work.owner);
    TextLine line;
    line.add(work.moved_blocks).add(" blocks were moved; ").add(result.text());
    say(pool, work.owner, line);
    work.owner = k_nobody;
    work.show(k_nobody, {});
    work.forget();
}

// Nothing reaches them any more: commits make them empty, and they go.
Status give_back(Pool& pool, Evacuation& work)
{
    Allocator& allocator = pool.allocator();
    Allocator::Leaving left = allocator.leaving(work.owner);
    for (u32 tries = 0; tries < k_commits_to_empty && left.empty < left.metaslabs; tries++) {
        TRY(pool.engine().force_commit());
        left = allocator.leaving(work.owner);
    }
    if (pool.discards())
        allocator.trim_left(work.owner);
    const PartitionId id(allocator.owners()[work.owner].id.load());
    const MovedSpace given = pool.partitions().controller().give_evacuated(id, u64(left.empty), Partitions::now());
    { TxgHold hold(pool.engine()); } // so that there is a group to store it with
    TextLine line;
    line.add(u64(given.metaslabs)).add(" of ").add(u64(left.metaslabs)).add(" metaslabs that were emptied were given back");
    end(pool, work, line);
    return {};
}

// A pass is over: is there any use in another?
Status end_pass(Pool& pool, Evacuation& work)
{
    TRY(pool.engine().force_commit()); // what it freed counts, and objects that were new are in their tables
    const Allocator::Leaving left = pool.allocator().leaving(work.owner);
    if (left.metaslabs && left.reached_blocks == 0)
        return give_back(pool, work);
    const bool goes_on = work.moved_blocks != work.moved_before || work.passes < 2;
    if (left.metaslabs && goes_on && (work.passes < k_most_passes || work.left_shared)) {
        begin_pass(work);
        return {};
    }
    if (left.empty)
        return give_back(pool, work);
    TextLine line;
    if (left.metaslabs)
        line.add("they stay: what the ").add(left.reached_blocks).add(" blocks that are left hold cannot be moved");
    else if (pool.allocator().owners()[work.owner].size_blocks.load() < work.size_before)
        line.add("the metaslabs that were emptied were given back meanwhile, as was asked for"); // a lower maximum takes what is empty
    else
        line.add("none is left to be emptied");
    end(pool, work, line);
    return {};
}

}

bool evacuate_some(Pool& pool)
{
    Evacuation& work = pool.partitions().evacuation();
    if (pool.admit_change().is_error() || pool.background().is_interrupted())
        return false;
    if (work.owner == k_nobody)
        return begin(pool, work);
    Result<Box<ExtentMover>> mover = make_box<ExtentMover>(pool);
    Error error = mover.error();
    if (mover.is_ok()) {
        Share share { pool, work, *mover.value() };
        const bool is_moot = pool.allocator().leaving(work.owner).metaslabs == 0;
        const Result<bool> walked = is_moot ? Result<bool>(true) : walk(share);
        error = walked.error();
        if (walked.is_ok() && walked.value())
            error = end_pass(pool, work).error();
    }
    if (error == Error::none)
        return true;
    if (error == Error::no_memory) {
        pool.background().run_again_later();
        return false;
    }
    end(pool, work, TextLine().add("they stay: ").add(text_of(error)));
    return true;
}

}
