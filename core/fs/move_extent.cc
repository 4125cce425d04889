// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/move_extent.h"

#include "core/fs/block_read.h"
#include "core/fs/clone.h"
#include "core/fs/names.h"

namespace lcpfs {

void ExtentMover::take(const Extent& extent)
{
    m_item_bytes = extent.encode({ m_item, sizeof(m_item) });
    m_extent = extent;
    m_extent.payload = Bytes(m_item + sizeof(DiskExtent), m_item_bytes - sizeof(DiskExtent));
}

void ExtentMover::drop_pages()
{
    for (u32 i = 0; i < m_page_count; i++)
        host_pool_free(m_pool.requests().moved_pages, m_pages[i].data);
    m_page_count = 0;
}

Status ExtentMover::get_pages()
{
    for (; m_page_count < m_extent.dva.length_blocks; m_page_count++) {
        void* const page = host_pool_alloc(m_pool.requests().moved_pages, 0);
        if (!page)
            return Error::no_memory;
        m_pages[m_page_count] = { page, k_block_size };
    }
    return {};
}

bool ExtentMover::is_right() const
{
    for (u32 i = 0; i < m_extent.dva.length_blocks; i++)
        if (!block_matches(m_extent.checksum_kind, m_pages[i].data, m_extent.checksums(i, 1).data()))
            return false;
    return true;
}

Status ExtentMover::read()
{
    const Span<const core_segment> pages { m_pages, m_extent.dva.length_blocks };
    IoBatch batch;
    batch.begin();
    m_pool.vdevs().read(m_extent.dva, pages, 0, IoBatch::done, &batch, &m_served_by);
    TRY(batch.wait());
    const bool right = is_right() || m_pool.vdevs().reread(m_extent.dva, pages, m_served_by, [this] { return is_right(); });
    return right ? Status() : Status(Error::data_checksum);
}

// To the last bit: what the file has at the same address after two commits may be other data.
Result<bool> ExtentMover::is_still_there(Object& object)
{
    if (object.m_deleted)
        return false;
    TreeCursor cursor;
    const BigEndianKey key = extent_key(m_extent.file_block);
    if (!TRY(object.m_tree.find({ key.data(), 8 }, cursor)))
        return false;
    const Bytes value = cursor.value();
    return value.size() == m_item_bytes && compare_bytes(value.data(), m_item, m_item_bytes) == 0;
}

// What cannot be read, or is not what it should be, is told only when the file has it there still.
Status ExtentMover::read_verified(Object& object, bool& is_there)
{
    const Status status = read();
    if (status.is_ok())
        return {};
    {
        ReadGuard guard(object.m_lock);
        // What the log alone has so far is not damaged.
        is_there = !object.m_delayed_writes.load() && TRY(is_still_there(object));
    }
    if (!is_there)
        return {};
    for (u32 i = 0; status.error() == Error::data_checksum && i < m_extent.dva.length_blocks; i++) {
        if (block_matches(m_extent.checksum_kind, m_pages[i].data, m_extent.checksums(i, 1).data()))
            continue;
        const Dva place { m_extent.dva.block + i, 1, m_extent.dva.vdev };
        note_bad_block(m_pool, object, m_extent.file_block + i, place, status.error());
        return status;
    }
    note_bad_block(m_pool, object, m_extent.file_block, m_extent.dva, status.error());
    return status;
}

Result<Dva> ExtentMover::write(OwnerSlot owner, u32 most)
{
    // What is not stored block by block stays in one piece, even a part that is as long as what is stored of its unit.
    const u32 stored = m_extent.dva.length_blocks;
    const bool is_unit = m_extent.is_compressed();
    const Dva place = TRY(m_pool.allocator().allocate_settled(owner, is_unit ? stored : min(stored, most), is_unit ? stored : 1));
    IoBatch batch;
    batch.begin();
    m_pool.vdevs().write(place, { m_pages, place.length_blocks }, 0, IoBatch::done, &batch);
    const Status written = batch.wait();
    if (written.is_error()) {
        m_pool.allocator().cancel(place);
        return written.error();
    }
    return place;
}

// False, nothing changed: the file does not have the extent any more.
Result<bool> ExtentMover::enter(Object& object, const Dva& place)
{
    ScopedPromise promise(m_pool.space(), object.dataset().owner());
    u64 units = m_pool.space().write_units();
    {
        ReadGuard guard(object.m_lock);
        if (object.m_attributes.has_shares())
            units += m_pool.space().share_units(place.length_blocks);
    }
    TRY(promise.take(units, Space::For::change));
    Scratch scratch(m_pool);
    WriteGuard guard(object.m_lock);
    if (!TRY(is_still_there(object)))
        return false;
    TRY(m_pool.check_writable());
    TxgHold hold(m_pool.engine());
    TRY(replace(object, hold.txg(), { place, SpaceUse::used, 0 }, *scratch));
    return true;
}

Status ExtentMover::replace(Object& object, TxgId txg, NewBlocks blocks, ExtentScratch& scratch)
{
    TRY(object.prepare_change(txg));
    const bool is_whole = blocks.dva.length_blocks == m_extent.dva.length_blocks;
    Extent moved = is_whole ? m_extent : m_extent.part(0, blocks.dva.length_blocks);
    moved.dva = blocks.dva;
    moved.birth = txg;
    blocks.counted_blocks = moved.counted_blocks();
    const u32 bytes = moved.encode({ m_moved, sizeof(m_moved) });
    SpaceLog::Batch batch(m_pool.space_log());
    SpaceLog::CommitScope commit(batch, txg);
    TRY(replace_range(m_pool, object, txg, moved.file_block, moved.length_blocks, { m_moved, bytes }, &blocks, scratch, batch));
    m_place = blocks.dva;
    m_moved_in = txg;
    return {};
}

// Where `first` has what stood at the front of the extent's blocks, as much of it as one place has: the same bytes, since they have not
// been written since, and by their checksums. Of a unit all or nothing.
Result<Dva> ExtentMover::find_moved(Object& first, const Evacuation::Moved& moved)
{
    const u32 skip = static_cast<u32>(m_extent.dva.block - moved.from.block);
    const u64 at = moved.file_block + (m_extent.is_compressed() ? 0 : skip);
    if (m_extent.birth > moved.txg || first.m_deleted || !first.m_attributes.is_regular())
        return Dva();
    TreeCursor cursor;
    Extent extent;
    if (!TRY(find_extent(first.m_tree, at, cursor, extent)) || !extent.covers(at) || extent.kind != ExtentKind::mapped
        || extent.checksum_kind != m_extent.checksum_kind || extent.encoding != m_extent.encoding)
        return Dva();
    const auto is_same = [](Bytes a, Bytes b) { return a.size() == b.size() && compare_bytes(a.data(), b.data(), a.size()) == 0; };
    if (m_extent.is_compressed()) {
        const bool is_unit = moved.from == m_extent.dva && extent.dva == moved.to && extent.unit_blocks == m_extent.unit_blocks
            && extent.stored_bytes == m_extent.stored_bytes && is_same(extent.payload, m_extent.payload);
        return is_unit ? moved.to : Dva();
    }
    const u32 into = static_cast<u32>(at - extent.file_block);
    const u32 count = min(extent.length_blocks - into, min(m_extent.length_blocks, moved.from.length_blocks - skip));
    const Dva place { extent.dva.block + into, count, extent.dva.vdev };
    const bool is_there = place.block == moved.to.block + skip && place.vdev == moved.to.vdev
        && is_same(extent.checksums(into, count), m_extent.checksums(0, count));
    return is_there ? place : Dva();
}

Result<u32> ExtentMover::follow(Object& object, Object& first, const Evacuation::Moved& moved) NO_THREAD_SAFETY_ANALYSIS
{
    // The blocks gained and those dropped, each with what they are cut from.
    constexpr u32 k_shares = 4;
    ScopedPromise promise(m_pool.space(), object.dataset().owner());
    TRY(promise.take(m_pool.space().write_units() + m_pool.space().share_units(k_shares), Space::For::change));
    Scratch scratch(m_pool);
    ObjectLocks locks;
    locks.add(&object);
    locks.add(&first);
    locks.lock();
    if (!object.m_attributes.has_shares() || !first.m_attributes.has_shares() || !TRY(is_still_there(object)))
        return 0u;
    const Dva place = TRY(find_moved(first, moved));
    if (!place.is_used())
        return 0u;
    TRY(m_pool.check_writable());
    TRY(look_at_shares(m_pool, place));
    TxgHold hold(m_pool.engine());
    TRY(replace(object, hold.txg(), { place, SpaceUse::shared, 0 }, *scratch));
    return place.length_blocks == m_extent.dva.length_blocks ? m_extent.length_blocks : place.length_blocks;
}

Result<u32> ExtentMover::move(Object& object, u32 most)
{
    TRY(get_pages());
    bool is_there = true;
    TRY(read_verified(object, is_there));
    if (!is_there)
        return 0u;
    const OwnerSlot owner = object.dataset().owner();
    const u32 stored = m_extent.dva.length_blocks;
    m_pool.space().throttle();
    TRY(m_pool.space().promise_move(owner, stored));
    struct Released {
        Space& space;
        OwnerSlot owner;
        u64 blocks;
        ~Released() { space.release_data(owner, blocks); }
    } released { m_pool.space(), owner, stored };
    const Dva place = TRY(write(owner, most));
    const Result<bool> entered = enter(object, place);
    if (entered.is_error() || !entered.value())
        m_pool.allocator().cancel(place);
    if (entered.is_error())
        return entered.error();
    if (!entered.value())
        return 0u;
    return place.length_blocks == stored ? m_extent.length_blocks : place.length_blocks;
}

}
