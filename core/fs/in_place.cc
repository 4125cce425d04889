// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/in_place.h"

namespace lcpfs {

namespace {

// Where somebody is writing in place at or behind `first`: the lowest such block and where that ends.
const InPlaceWrite* next_taken(Object& object, u64 first) REQUIRES_SHARED(object.m_lock)
{
    const InPlaceWrite* next = nullptr;
    for (InPlaceWrite* write = object.m_in_place.first(); write; write = object.m_in_place.next(*write))
        if (write->first_block + write->block_count > first && (!next || write->first_block < next->first_block))
            next = write;
    return next;
}

// What a cut that failed left behind the file's end is as good as gone: whoever lets the file grow removes it.
u64 end_of_own_blocks(const Object& object, u64 end) REQUIRES_SHARED(object.m_lock)
{
    return object.m_attributes.is_truncating() ? min(end, blocks_for_bytes(object.m_attributes.size_bytes)) : end;
}

// Whether `extent` has the block where `written` has it.
bool is_at_place(const Extent& extent, const Extent& written, u64 block)
{
    return extent.has_blocks() && !extent.is_compressed() && extent.dva.vdev == written.dva.vdev
        && extent.dva.block + (block - extent.file_block) == written.dva.block + (block - written.file_block);
}

Status convert_piece(Object& object, TxgId txg, const Extent& written, u64 first, u64 end, ExtentScratch& scratch) REQUIRES(object.m_lock)
{
    TRY(cut_plain_extent(object, txg, first, scratch));
    TRY(cut_plain_extent(object, txg, end, scratch));
    const Extent piece = written.part(static_cast<u32>(first - written.file_block), static_cast<u32>(end - first));
    const u32 bytes = piece.encode({ scratch.first, sizeof(scratch.first) });
    const BigEndianKey key = extent_key(first);
    TRY(object.m_tree.prepare_change(txg, { key.data(), 8 }));
    TRY(object.m_tree.prepare_insert(txg, { key.data(), 8 }, bytes));
    object.m_tree.update({ key.data(), 8 }, { scratch.first, bytes });
    return {};
}

}

Result<bool> is_preallocated(Object& object, u64 first, u64 count)
{
    const u64 end = first + count;
    const InPlaceWrite* taken = next_taken(object, first);
    if (end_of_own_blocks(object, end) != end || (taken && taken->first_block < end))
        return false;
    while (first < end) {
        TreeCursor cursor;
        Extent extent;
        if (!TRY(find_extent(object.m_tree, first, cursor, extent)) || !extent.covers(first) || !extent.is_unwritten())
            return false;
        first = extent.end();
    }
    return true;
}

Result<InPlacePiece> find_in_place(Object& object, u64 first, u32 count)
{
    const u64 end = end_of_own_blocks(object, first + count);
    for (u64 at = first; at < end;) {
        TreeCursor cursor;
        Extent extent;
        if (!TRY(find_extent(object.m_tree, at, cursor, extent)) || extent.file_block >= end)
            break;
        at = max(at, extent.file_block);
        u64 stop = min(end, extent.end());
        const InPlaceWrite* taken = extent.is_unwritten() ? next_taken(object, at) : nullptr;
        if (taken && taken->first_block <= at)
            stop = min(stop, taken->first_block + taken->block_count);
        else if (extent.is_unwritten()) {
            stop = taken ? min(stop, taken->first_block) : stop;
            return InPlacePiece { at, { extent.dva.block + (at - extent.file_block), static_cast<u32>(stop - at), extent.dva.vdev } };
        }
        at = stop;
    }
    return InPlacePiece();
}

Result<u32> take_in_place(Pool& pool, Object& object, WriteRun& run, u32 count)
{
    WriteGuard guard(object.m_lock);
    const InPlacePiece piece = TRY(find_in_place(object, run.file_block, count));
    if (!piece.dva.is_used())
        return count;
    if (piece.file_block > run.file_block)
        return static_cast<u32>(piece.file_block - run.file_block);
    run.dva = piece.dva;
    run.is_in_place = true;
    run.place.first_block = run.file_block;
    run.place.block_count = piece.dva.length_blocks;
    object.m_in_place.push_back(run.place);
    object.m_in_place_writes.add(1);
    run.group_slot = pool.in_place_writes().begin(pool.engine().open_txg());
    return 0u;
}

void drop_in_place(Pool& pool, Object& object, WriteRun& run)
{
    object.m_in_place.remove(run.place);
    pool.in_place_writes().left(object.m_in_place_writes);
    run.is_in_place = false;
}

Result<u32> convert_range(Object& object, TxgId txg, const Extent& written, ExtentScratch& scratch)
{
    u32 converted = 0;
    for (u64 at = written.file_block; at < written.end();) {
        TreeCursor cursor;
        Extent extent;
        if (!TRY(find_extent(object.m_tree, at, cursor, extent)) || extent.file_block >= written.end())
            break;
        at = max(at, extent.file_block);
        const u64 stop = min(extent.end(), written.end());
        cursor.reset();
        if (is_at_place(extent, written, at)) {
            // Written already: by an attempt before this one.
            if (extent.is_unwritten())
                TRY(convert_piece(object, txg, written, at, stop, scratch));
            converted += static_cast<u32>(stop - at);
        }
        at = stop;
    }
    return converted;
}

}
