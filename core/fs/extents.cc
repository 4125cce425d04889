// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/extents.h"

#include "core/test/breakage.h"

namespace lcpfs {

Removal removal_of(Pool& pool, Object& object)
{
    Removal removal;
    removal.units = pool.space().operation_units();
    ReadGuard guard(object.m_lock);
    // Writeback may have a compressed unit enter the file at any moment, and cutting that makes shares.
    if (object.may_have_shares()) {
        removal.items = 64;
        removal.units += pool.space().share_units(removal.items + k_cuts);
        removal.cut = Space::For::cut;
    }
    return removal;
}

Result<bool> find_extent(Tree& tree, u64 block, TreeCursor& cursor, Extent& extent)
{
    BigEndianKey key = extent_key(block);
    if (TRY(tree.seek_at_most({ key.data(), 8 }, cursor))) {
        TRY(Extent::decode_into(extent, cursor.key(), cursor.value()));
        if (extent.end() > block)
            return true;
        if (!TRY(tree.next(cursor)))
            return false;
    } else if (!TRY(tree.seek({ key.data(), 8 }, cursor))) {
        return false;
    }
    TRY(Extent::decode_into(extent, cursor.key(), cursor.value()));
    VERIFY_DISK(extent.file_block > block, extent_damaged);
    return true;
}

u64 units_for_cutting(Pool& pool, const Object& object, u32 blocks)
{
    return object.dataset().data_ways().compression.is_on() ? pool.space().share_units(blocks + k_cuts) : 0;
}

Status look_at_shares(Pool& pool, Dva dva, Must must)
{
    while (dva.length_blocks) {
        const ShareTable::Part part = TRY(pool.share_table().read(dva, must));
        dva.block += part.length_blocks;
        dva.length_blocks -= part.length_blocks;
    }
    return {};
}

namespace {

// The extent that `block` is in the middle of; false: there is none.
Result<bool> find_to_cut(Object& object, u64 block, Extent& extent, TreeCursor& cursor) REQUIRES(object.m_lock)
{
    if (block == 0 || !TRY(find_extent(object.m_tree, block, cursor, extent)))
        return false;
    return extent.file_block < block && extent.kind != ExtentKind::inlined;
}

// The cursor, which the extent's payload is in, ends here.
Status make_two(Object& object, TxgId txg, const Extent& extent, u64 block, TreeCursor& cursor, ExtentScratch& scratch)
    REQUIRES(object.m_lock)
{
    const u32 left_blocks = static_cast<u32>(block - extent.file_block);
    const Extent left = extent.part(0, left_blocks);
    const Extent right = extent.part(left_blocks, extent.length_blocks - left_blocks);
    const u32 left_bytes = left.encode({ scratch.first, sizeof(scratch.first) });
    const u32 right_bytes = right.encode({ scratch.second, sizeof(scratch.second) });
    const BigEndianKey left_key = extent_key(left.file_block);
    const BigEndianKey right_key = extent_key(right.file_block);
    cursor.reset();
    TRY(object.m_tree.prepare_insert(txg, { right_key.data(), 8 }, right_bytes));
    TRY(object.m_tree.prepare_change(txg, { left_key.data(), 8 }));
    object.m_tree.insert({ right_key.data(), 8 }, { scratch.second, right_bytes });
    object.m_tree.update({ left_key.data(), 8 }, { scratch.first, left_bytes });
    return {};
}

}

Status cut_plain_extent(Object& object, TxgId txg, u64 block, ExtentScratch& scratch)
{
    LCPFS_UNINITIALIZED TreeCursor cursor;
    Extent extent;
    if (!TRY(find_to_cut(object, block, extent, cursor)))
        return {};
    return extent.is_compressed() ? Status(Error::contradiction) : make_two(object, txg, extent, block, cursor, scratch);
}

Status cut_extent(Pool& pool, Object& object, TxgId txg, u64 block, ExtentScratch& scratch, SpaceLog::Batch& batch)
{
    LCPFS_UNINITIALIZED TreeCursor cursor;
    Extent extent;
    if (!TRY(find_to_cut(object, block, extent, cursor)))
        return {};
    if (!extent.is_compressed())
        return make_two(object, txg, extent, block, cursor, scratch);
    VERIFY_DISK(pool.vdevs().is_valid(extent.dva), address_out_of_range);
    TRY(look_at_shares(pool, extent.dva, object.m_tree.must()));
    TRY(batch.prepare(1));
    TRY(make_two(object, txg, extent, block, cursor, scratch));
    if (!breakage::unit_free_early)
        batch.add(extent.dva, SpaceUse::shared);
    object.m_attributes.state |= k_object_has_shares;
    return {};
}

namespace {

// What a range of blocks holds. Nothing, as of what is appended, one extent of just that range, as of what is written over the way it
// was written, and a part of one that is not compressed are told by one look.
enum class RangeMeets : u8 { nothing, one_as_it_is, part_of_one, some };
// The extent found, or the part of it, without its payload, and how large its item is. Of one that the range is a part of: its key,
// and the bytes of the items that are left of it on both sides, in the scratch.
struct Met {
    RangeMeets what { RangeMeets::nothing };
    Extent extent;
    size_t item_bytes { 0 };
    u64 left_block { 0 };
    u32 left_bytes { 0 }, right_bytes { 0 };
};
Status look_at_range(Object& object, u64 first, u64 end, ExtentScratch& scratch, Met& met) REQUIRES(object.m_lock)
{
    LCPFS_UNINITIALIZED TreeCursor cursor;
    Extent& extent = met.extent;
    if (!TRY(find_extent(object.m_tree, first, cursor, extent)) || extent.file_block >= end)
        return {};
    met.item_bytes = cursor.value().size();
    if (extent.file_block == first && extent.end() == end) {
        met.what = RangeMeets::one_as_it_is;
    } else if (extent.file_block <= first && extent.end() >= end && extent.has_blocks() && !extent.is_compressed()) {
        met.what = RangeMeets::part_of_one;
        met.left_block = extent.file_block;
        const u32 before = static_cast<u32>(first - extent.file_block), count = static_cast<u32>(end - first);
        const u32 behind = extent.length_blocks - before - count;
        if (before > 0)
            met.left_bytes = Extent::encode_part(cursor.value(), 0, before, { scratch.first, sizeof(scratch.first) });
        if (behind > 0)
            met.right_bytes = Extent::encode_part(cursor.value(), before + count, behind, { scratch.second, sizeof(scratch.second) });
        extent.keep_part(before, count);
    } else {
        met.what = RangeMeets::some;
    }
    extent.payload = Bytes();
    return {};
}

// What a range that is a part of one extent makes of that: two or three items, in one leaf.
class Parts {
public:
    Parts(const Met& met, u64 first, u64 end, Bytes item, const ExtentScratch& scratch)
        : m_left_key(extent_key(met.left_block)), m_key(extent_key(first)), m_right_key(extent_key(end)),
          m_items { { { m_left_key.data(), 8 }, { scratch.first, met.left_bytes } },
                    { { m_key.data(), 8 }, item },
                    { { m_right_key.data(), 8 }, { scratch.second, met.right_bytes } } },
          m_first(met.left_bytes ? 0 : 1), m_last(met.right_bytes ? 2 : 1),
          m_bytes(met.left_bytes + static_cast<u32>(item.size()) + met.right_bytes + (m_last - m_first) * NodePage::item_cost(8, 0)),
          m_held_bytes(static_cast<u32>(met.item_bytes))
    {
    }
    Parts(const Parts&) = delete;

    // False: they would not be in one leaf.
    Result<bool> prepare(Tree& tree, TxgId txg) const
    {
        const u32 more_bytes = m_bytes > m_held_bytes ? m_bytes - m_held_bytes : 0;
        return tree.prepare_divide(txg, m_items[m_first].key, m_items[m_last].key, more_bytes);
    }
    void enter(Tree& tree) const { tree.divide(m_items[m_first].key, { m_items + m_first, m_last - m_first + 1 }); }

private:
    const BigEndianKey m_left_key, m_key, m_right_key;
    const NodeItem m_items[3];
    const u32 m_first, m_last; // the left and the right one may be missing
    const u32 m_bytes;         // besides the key and slot of the one they replace
    const u32 m_held_bytes;
};
// They take no more room than one item may.
static_assert(k_max_extent_bytes + 2 * NodePage::item_cost(sizeof(BigEndianKey), sizeof(DiskExtent)) <= max_item_bytes(k_min_node_bytes));

// Prepares every extent that begins in [first, end) for removal. `exact`: one begins at `first`.
Status prepare_removals(Pool& pool, Object& object, TxgId txg, u64 first, u64 end, u32& found, bool& exact)
    REQUIRES(object.m_lock)
{
    found = 0;
    exact = false;
    u64 at = first;
    while (at < end) {
        LCPFS_UNINITIALIZED TreeCursor cursor;
        Extent extent;
        if (!TRY(find_extent(object.m_tree, at, cursor, extent)) || extent.file_block >= end)
            break;
        VERIFY_DISK(extent.file_block >= first, extent_damaged);
        if (extent.has_blocks())
            TRY(pool.allocator().prepare_free(extent.dva, object.m_tree.must()));
        exact = exact || extent.file_block == first;
        BigEndianKey key = extent_key(extent.file_block);
        at = extent.end();
        cursor.reset();
        TRY(object.m_tree.prepare_change(txg, { key.data(), 8 }));
        found++;
    }
    return {};
}

// The extent that begins at or after `at`; everything it needs is in memory and was read before.
bool next_prepared(Object& object, u64 at, u64 end, Extent& extent) REQUIRES(object.m_lock)
{
    LCPFS_UNINITIALIZED TreeCursor cursor;
    auto found = find_extent(object.m_tree, at, cursor, extent);
    extent.payload = Bytes();
    return found.is_ok() && found.value() && extent.file_block < end;
}

void account_removal(Object& object, const Extent& extent, SpaceLog::Batch& batch) REQUIRES(object.m_lock)
{
    if (!extent.has_blocks())
        return;
    const bool may_be_shared = object.m_attributes.has_shares() || extent.is_compressed();
    batch.add(extent.dva, may_be_shared ? SpaceUse::dropped : SpaceUse::freed);
    object.m_attributes.drop_blocks(extent.counted_blocks());
}

}

Status replace_range(Pool& pool, Object& object, TxgId txg, u64 first, u32 count, Bytes item, const NewBlocks* blocks,
                     ExtentScratch& scratch, SpaceLog::Batch& batch, CertainHook* certain)
{
    u64 end = first + count;
    BigEndianKey key = extent_key(first);
    Bytes new_key { key.data(), 8 };
    u32 removals = 0;
    bool exact = false;
    Met met;
    TRY(look_at_range(object, first, end, scratch, met));
    const Parts parts(met, first, end, item, scratch);
    if (met.what == RangeMeets::part_of_one && !TRY(parts.prepare(object.m_tree, txg)))
        met.what = RangeMeets::some;
    switch (met.what) {
    case RangeMeets::some:
        TRY(cut_extent(pool, object, txg, first, scratch, batch));
        TRY(cut_extent(pool, object, txg, end, scratch, batch));
        TRY(prepare_removals(pool, object, txg, first, end, removals, exact));
        break;
    case RangeMeets::one_as_it_is:
    case RangeMeets::part_of_one:
        if (met.extent.has_blocks())
            TRY(pool.allocator().prepare_free(met.extent.dva, object.m_tree.must()));
        removals = 1;
        break;
    case RangeMeets::nothing:
        break;
    }
    TRY(batch.prepare(removals + 1));
    if (met.what == RangeMeets::one_as_it_is && met.item_bytes == item.size())
        TRY(object.m_tree.prepare_update(txg, new_key));
    else if (met.what != RangeMeets::part_of_one)
        TRY(object.m_tree.prepare_insert(txg, new_key, static_cast<u32>(item.size())));

    // From here on nothing fails. The new item goes in first: the room made for it is in this leaf, and a leaf that
    // removals empty may go away.
    if (certain)
        certain->call(*certain);
    u64 at = end;
    if (met.what == RangeMeets::one_as_it_is || met.what == RangeMeets::part_of_one) {
        account_removal(object, met.extent, batch);
    } else if (exact) {
        (void)next_prepared(object, first, end, met.extent);
        account_removal(object, met.extent, batch);
        at = met.extent.end();
    } else if (met.what == RangeMeets::some) {
        at = first + 1;
    }
    if (met.what == RangeMeets::part_of_one)
        parts.enter(object.m_tree);
    else
        object.m_tree.insert(new_key, item);
    // The new extent covers the range: later ones are found by their own start.
    while (at < end) {
        LCPFS_UNINITIALIZED TreeCursor cursor;
        BigEndianKey from = extent_key(at);
        auto found = object.m_tree.seek({ from.data(), 8 }, cursor);
        if (found.is_error() || !found.value())
            break;
        auto decoded = Extent::decode(cursor.key(), cursor.value());
        if (decoded.is_error() || decoded.value().file_block >= end)
            break;
        const Extent old = decoded.value();
        cursor.reset();
        account_removal(object, old, batch);
        BigEndianKey old_key = extent_key(old.file_block);
        object.m_tree.remove(txg, { old_key.data(), 8 });
        at = old.end();
    }
    if (blocks) {
        batch.add(blocks->dva, blocks->use);
        object.m_attributes.blocks += blocks->counted_blocks;
    }
    return {};
}

Status unmap_from(Pool& pool, Object& object, TxgId txg, u64 from, u32 most, bool& finished, ExtentScratch& scratch,
                  SpaceLog::Batch& batch)
{
    finished = false;
    TRY(cut_extent(pool, object, txg, from, scratch, batch));
    for (u32 removed = 0; removed < most; removed++) {
        u32 found = 0;
        bool exact = false;
        // From the end, so that a crash or failure in between leaves a file that is only longer than it should be.
        TreeCursor cursor;
        BigEndianKey last(~0ull);
        if (!TRY(object.m_tree.seek_at_most({ last.data(), 8 }, cursor))) {
            finished = true;
            return {};
        }
        Extent extent = TRY(Extent::decode(cursor.key(), cursor.value()));
        extent.payload = Bytes();
        cursor.reset();
        if (extent.file_block < from) {
            finished = true;
            return {};
        }
        TRY(prepare_removals(pool, object, txg, extent.file_block, extent.end(), found, exact));
        TRY(batch.prepare(1));
        account_removal(object, extent, batch);
        BigEndianKey key = extent_key(extent.file_block);
        object.m_tree.remove(txg, { key.data(), 8 });
    }
    return {};
}

Result<u64> end_of_extents(Object& object, u64 first, u64 end, u32 most)
{
    u64 stop = first;
    for (u32 seen = 0; seen < most && stop < end; seen++) {
        TreeCursor cursor;
        Extent extent;
        const bool found = TRY(find_extent(object.m_tree, stop, cursor, extent)) && extent.file_block < end;
        stop = found ? min(extent.end(), end) : end;
    }
    return stop;
}

Status unmap_range(Pool& pool, Object& object, TxgId txg, u64 first, u64 end, u32 most, u64& next, ExtentScratch& scratch,
                   SpaceLog::Batch& batch)
{
    TRY(cut_extent(pool, object, txg, first, scratch, batch));
    TRY(cut_extent(pool, object, txg, end, scratch, batch));
    const u64 stop = TRY(end_of_extents(object, first, end, most));
    u32 removals = 0;
    bool exact = false;
    TRY(prepare_removals(pool, object, txg, first, stop, removals, exact));
    TRY(batch.prepare(removals));

    // From here on nothing fails.
    Extent old;
    for (u64 at = first; removals > 0 && next_prepared(object, at, stop, old); removals--) {
        account_removal(object, old, batch);
        BigEndianKey key = extent_key(old.file_block);
        object.m_tree.remove(txg, { key.data(), 8 });
        at = old.end();
    }
    next = stop;
    return {};
}

}
