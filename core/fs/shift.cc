// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/shift.h"

#include "core/fs/block_read.h"
#include "core/fs/file_write.h"
#include "core/fs/in_place.h"
#include "core/fs/log_records.h"
#include "core/fs/punch.h"

namespace lcpfs {

namespace {

constexpr u32 k_extents_per_group = 64;

// Appends the record of what was moved when the scope ends, while the group is held: also of a part that a failure left.
struct MoveLogged {
    Pool& pool;
    TxgId txg;
    Box<LogRecord> record;
    BlockMove done;
    bool has_acted { false };
    ~MoveLogged()
    {
        if (!has_acted)
            return;
        set_moved(record, done);
        pool.intent_log().append(txg, lcpfs::move(record));
    }
};

// The item of the extent that begins at `from` gets the key `to`, where there is nothing.
Status move_item(Object& object, TxgId txg, u64 from, u64 to, ExtentScratch& scratch) REQUIRES(object.m_lock)
{
    const BigEndianKey old_key = extent_key(from), new_key = extent_key(to);
    TreeCursor cursor;
    VERIFY_DISK(TRY(object.m_tree.find({ old_key.data(), 8 }, cursor)), extent_damaged);
    const size_t bytes = cursor.value().size();
    VERIFY_DISK(bytes <= sizeof(scratch.first), extent_damaged);
    copy_bytes(scratch.first, cursor.value().data(), bytes);
    cursor.reset();
    TRY(object.m_tree.prepare_insert(txg, { new_key.data(), 8 }, static_cast<u32>(bytes)));
    TRY(object.m_tree.prepare_change(txg, { old_key.data(), 8 }));
    object.m_tree.insert({ new_key.data(), 8 }, { scratch.first, bytes });
    if (!object.m_tree.remove(txg, { old_key.data(), 8 }))
        return Error::contradiction;
    return {};
}

// Where an extent begins that may move, none when there is none: the first from `at` on, or the last before `end`.
struct NextExtent {
    bool found { false };
    u64 begin { 0 }, end { 0 };
};
Result<NextExtent> next_to_move(Object& object, u64 at, u64 end, bool from_end) REQUIRES(object.m_lock)
{
    TreeCursor cursor;
    const BigEndianKey key = extent_key(from_end ? end - 1 : at);
    if (!TRY(from_end ? object.m_tree.seek_at_most({ key.data(), 8 }, cursor) : object.m_tree.seek({ key.data(), 8 }, cursor)))
        return NextExtent();
    const Extent extent = TRY(Extent::decode(cursor.key(), cursor.value()));
    if (extent.file_block < at || extent.file_block >= end)
        return NextExtent();
    VERIFY_DISK(extent.has_blocks(), extent_damaged);
    return NextExtent { true, extent.file_block, extent.end() };
}

// At most `most` extents; `logged.done` is what of `move` has been done.
Status move_extents(Object& object, TxgId txg, const BlockMove& move, u32 most, ExtentScratch& scratch, MoveLogged& logged)
    REQUIRES(object.m_lock)
{
    const bool from_end = move.to > move.first;
    u64 low = move.first, high = move.end;
    for (u32 moved = 0; low < high; moved++) {
        const NextExtent next = TRY(next_to_move(object, low, high, from_end));
        if (next.found && moved == most)
            return {};
        if (next.found && from_end && next.end + (move.to - move.first) > k_max_file_blocks)
            return Error::file_too_large;
        if (next.found)
            TRY(move_item(object, txg, next.begin, next.begin + (move.to - move.first), scratch));
        logged.has_acted = true;
        if (from_end) {
            high = next.found ? next.begin : low;
            logged.done.first = high;
            logged.done.to = high + (move.to - move.first);
        } else {
            low = next.found ? next.end : high;
            logged.done.end = low;
        }
    }
    return {};
}

// One group's share of `move`. Gives what is left of it: nothing when first == end. All of it, and `waits` is set: somebody writes in
// place.
Result<BlockMove> move_some(Pool& pool, Object& object, const BlockMove& move, u32 most, bool& waits)
{
    waits = false;
    ScopedPromise promise(pool.space(), object.dataset().owner());
    const Removal removal = removal_of(pool, object);
    TRY(promise.take(2 * pool.space().operation_units() + removal.units, Space::For::growth));
    Scratch scratch(pool);
    Box<LogRecord> record = record_of_move(pool, object, move.time);
    WriteGuard guard(object.m_lock);
    if (object.m_deleted)
        return Error::stale_handle;
    if (!object.m_attributes.is_regular())
        return object.m_attributes.is_directory() ? Error::is_directory : Error::invalid;
    waits = !object.m_in_place.is_empty();
    if (waits)
        return move;
    TxgHold hold(pool.engine());
    TRY(object.prepare_change(hold.txg()));
    SpaceLog::Batch batch(pool.space_log());
    SpaceLog::CommitScope commit(batch, hold.txg());
    const bool from_end = move.to > move.first;
    TRY(cut_extent(pool, object, hold.txg(), move.first, *scratch, batch));
    if (move.end < k_max_file_blocks)
        TRY(cut_extent(pool, object, hold.txg(), move.end, *scratch, batch));
    MoveLogged logged { pool, hold.txg(), lcpfs::move(record), move };
    if (from_end)
        logged.done.first = move.end;
    else
        logged.done.end = move.first;
    if (!from_end) {
        u64 next = 0;
        TRY(unmap_range(pool, object, hold.txg(), move.to, move.first, ~0u, next, *scratch, batch));
        logged.has_acted = true;
    }
    const Status status = move_extents(object, hold.txg(), move, most, *scratch, logged);
    BlockMove left = move;
    if (from_end) {
        left.end = logged.done.first;
    } else {
        left.first = logged.done.end;
        left.to = move.to + (logged.done.end - move.first);
    }
    // The larger of the two sizes as long as something is left.
    const bool is_whole = left.first == left.end;
    if (!from_end && !is_whole)
        logged.done.size_bytes = k_same_size;
    if (logged.has_acted) {
        if (logged.done.size_bytes != k_same_size)
            object.m_attributes.size_bytes = logged.done.size_bytes;
        object.m_attributes.mtime = object.m_attributes.ctime = move.time;
        object.m_attributes.change++;
    }
    TRY(Status(status.error()));
    return left;
}

Status move_all(Pool& pool, Object& object, BlockMove move)
{
    while (move.first != move.end) {
        TRY(pool.admit_change());
        bool waits;
        move = TRY(move_some(pool, object, move, k_extents_per_group, waits));
        if (waits)
            pool.in_place_writes().wait_for(object.m_in_place_writes);
    }
    return {};
}

Result<u64> size_of_file(Object& object)
{
    ReadGuard guard(object.m_lock);
    if (!object.m_attributes.is_regular())
        return object.m_attributes.is_directory() ? Error::is_directory : Error::invalid;
    return object.m_attributes.size_bytes;
}

}

Status write_out_inline(Pool& pool, Object& object)
{
    {
        ReadGuard guard(object.m_lock);
        TreeCursor cursor;
        Extent extent;
        if (!TRY(find_extent(object.m_tree, 0, cursor, extent)) || extent.kind != ExtentKind::inlined)
            return {};
    }
    struct Page {
        explicit Page(host_pool* pool_) : pool(pool_), memory(host_pool_alloc_reserved(pool_)) {}
        ~Page() { host_pool_free(pool, memory); }
        Page(const Page&) = delete;
        host_pool* pool;
        void* memory;
    } page(pool.requests().pages);
    BlockSource source;
    TRY(read_block(pool, object, 0, page.memory, source));
    const core_segment segment { page.memory, k_block_size };
    u64 size_bytes;
    {
        ReadGuard guard(object.m_lock);
        size_bytes = object.m_attributes.size_bytes;
    }
    return write_blocks_and_wait(pool, object, 0, { &segment, 1 }, size_bytes, false);
}

Status replay_move(Pool& pool, Object& object, const BlockMove& move)
{
    bool waits;
    const BlockMove left = TRY(move_some(pool, object, move, ~0u, waits));
    return left.first == left.end ? Status() : Status(Error::contradiction);
}

Status collapse_object(Pool& pool, Object& object, u64 first, u64 count, Time time)
{
    const u64 size_bytes = TRY(size_of_file(object));
    if (count == 0 || !is_in_file(first, count) || (first + count) << k_block_shift >= size_bytes)
        return Error::invalid;
    // More than a group takes out with what it moves goes before.
    u64 stop;
    {
        ReadGuard guard(object.m_lock);
        stop = TRY(end_of_extents(object, first, first + count, k_extents_per_group));
    }
    if (stop < first + count)
        TRY(punch_object(pool, object, first, count, time));
    return move_all(pool, object, { first + count, k_max_file_blocks, first, size_bytes - (count << k_block_shift), time });
}

Status insert_object(Pool& pool, Object& object, u64 first, u64 count, Time time)
{
    const u64 size_bytes = TRY(size_of_file(object));
    if (count == 0 || !is_in_file(first, count) || first << k_block_shift >= size_bytes)
        return Error::invalid;
    const u64 grown_bytes = size_bytes + (count << k_block_shift);
    if (count >> (63 - k_block_shift) || grown_bytes >> 63)
        return Error::file_too_large;
    if (first == 0)
        TRY(write_out_inline(pool, object));
    return move_all(pool, object, { first, k_max_file_blocks, first + count, grown_bytes, time });
}

}
