// SPDX-License-Identifier: GPL-2.0-only
// How a metaslab comes to its bitmaps: from disk, as new, or from a walk over the trees.
#include "core/alloc/metaslab.h"

#include "core/base/format_text.h"

namespace lcpfs {

// All zeros. Waiting under locks is right here: pages stay, so what ends the wait is memory coming back from elsewhere, never
// a commit; and up to k_most_reserve_pages all that the pool can ever need is set aside (Allocator::reserve).
BitPage* Metaslab::new_page(Must must)
{
    void* page = host_pool_alloc(m_shared.pages, 0);
    if (!page && must != Must::may_fail)
        page = host_pool_alloc_reserved(m_shared.pages);
    if (!page)
        return nullptr;
    zero_bytes(page, sizeof(BitPage));
    m_shared.pages_held.add_relaxed(1);
    return static_cast<BitPage*>(page);
}

void Metaslab::free_page(BitPage* page)
{
    if (!page)
        return;
    host_pool_free(m_shared.pages, page);
    m_shared.pages_held.sub(1);
}

void Metaslab::log_damage(Error error, const DiskMetaslabEntry& entry, host_log_level level) const
{
    TextLine line;
    line.add(m_vdev.name).add(" block ").add(copy_offset(entry.copy) / k_block_size).add(": bitmap of metaslab ");
    line.add(u64(m_index)).add(" written by group ").add(entry.txg.get()).add(": ").add(text_of(error));
    m_shared.vdevs.log(level, StringView(line.text(), line.size()));
}

BitmapImage Metaslab::image_locked()
{
    BitmapImage image;
    image.page_count = m_page_count;
    image.block_count = m_vdev.metaslab_blocks;
    for (u32 i = 0; i < m_zones.size(); i++)
        image.pages[i] = m_zones[i].committed;
    return image;
}

// Pages, all bits clear but the bitmap copies' own.
Status Metaslab::make_zones_locked(Must must)
{
    for (u32 i = 0; i < m_page_count; i++) {
        m_zones[i].busy = new_page(must);
        m_zones[i].committed = new_page(must);
        if (!m_zones[i].busy || !m_zones[i].committed) {
            drop_zones_locked();
            return Error::no_memory;
        }
    }
    const BitmapImage image = image_locked();
    for (u32 i = 0; i < m_page_count; i++) {
        m_zones[i].begin = image.begin(i);
        m_zones[i].end = image.end(i);
    }
    set_bits(*m_zones[0].committed, { k_header_bits, own_blocks() });
    m_committed_used = own_blocks();
    return {};
}

void Metaslab::drop_zones_locked()
{
    for (Zone& zone : m_zones) {
        free_page(zone.busy);
        free_page(zone.committed);
        free_page(zone.deferred[0]);
        free_page(zone.deferred[1]);
        add_deferred(0 - (u64(zone.deferred_count[0]) + zone.deferred_count[1]));
        zone = Zone();
    }
    m_prepared_zones.store(0);
    m_deferred_txg[0] = m_deferred_txg[1] = TxgId();
}

Status Metaslab::read_copy(const BitmapImage& image, u32 copy)
{
    core_segment segments[k_max_bitmap_pages];
    for (u32 i = 0; i < image.page_count; i++)
        segments[i] = { image.pages[i], k_block_size };
    IoBatch batch;
    batch.begin();
    m_shared.vdevs.transfer(HOST_IO_READ, m_vdev.id, copy_offset(copy), Span<const core_segment>(segments, image.page_count),
                            HOST_IO_META | HOST_IO_SYNC, IoBatch::done, &batch);
    return batch.wait();
}

// By any path that gives the right bytes.
Status Metaslab::read_verified(const BitmapImage& image, const DiskMetaslabEntry& entry)
{
    TRY(read_copy(image, entry.copy));
    Status status = verify_bitmap(image, identity(), entry);
    if (status.is_ok())
        return status;
    core_segment segments[k_max_bitmap_pages];
    for (u32 i = 0; i < image.page_count; i++)
        segments[i] = { image.pages[i], k_block_size };
    const Dva place { copy_offset(entry.copy) / k_block_size, image.page_count, m_vdev.id };
    auto is_right = [&] { return verify_bitmap(image, identity(), entry).is_ok(); };
    // Which path it came by is not known: one that gives it wrong again is found all the same.
    const Span<const core_segment> pages(segments, image.page_count);
    return m_shared.vdevs.reread(place, pages, VdevSet::k_any_path, is_right) ? Status() : status;
}

Status Metaslab::load_locked(Must must)
{
    if (is_loaded())
        return {};
    if (m_state.load() == k_damaged)
        return m_load_error;
    if (m_state.load() == k_absent)
        return Error::metaslab_entry_damaged;
    TRY(make_zones_locked(must));
    if (m_entry.txg.get() != 0) {
        const BitmapImage image = image_locked();
        Status status = read_verified(image, m_entry);
        if (status.is_error()) {
            log_damage(status.error(), m_entry);
            drop_zones_locked();
            if (status.error() == Error::no_memory || status.error() == Error::no_usable_path)
                return status.error(); // the device's driver ran short, or its paths are gone for now: to be tried again
            m_load_error = status.error();
            m_state.store(k_damaged);
            publish(0, 0, 0);
            return status.error();
        }
        m_committed_used = image.header().used_blocks.get();
    }
    for (Zone& zone : m_zones) {
        copy_bytes(zone.busy, zone.committed, sizeof(BitPage));
        zone.recount(m_shared.node_blocks);
    }
    summarize_locked();
    m_state.store_release(k_loaded);
    return {};
}

// Reads again what was found damaged before.
Status Metaslab::load()
{
    MutexGuard guard(m_lock);
    if (m_state.load() == k_damaged && !is_stale_locked())
        m_state.store(k_unloaded);
    return load_locked(Must::may_fail);
}

Status Metaslab::set_entry(const DiskMetaslabEntry& entry)
{
    const u32 most = m_vdev.metaslab_blocks - own_blocks();
    const u32 free = entry.free_blocks.get();
    VERIFY_DISK(free <= most, metaslab_entry_damaged);
    VERIFY_DISK(entry.copy <= 1 && entry.metaslab_class <= 3, metaslab_entry_damaged);
    VERIFY_DISK((entry.flags.get() & ~(k_metaslab_is_stale | k_metaslab_is_mixed)) == 0, metaslab_entry_damaged);
    VERIFY_DISK(entry.partition.get() <= k_most_partition_id, metaslab_entry_damaged);
    VERIFY_DISK(entry.txg.get() != 0 || free == most, metaslab_entry_damaged);
    MutexGuard guard(m_lock);
    if (m_state.load() == k_loaded)
        drop_zones_locked();
    m_entry = entry;
    m_committed_copy = entry.copy;
    m_class.store(entry.metaslab_class);
    start_owner_locked(free == most);
    if (is_stale_locked()) {
        m_load_error = Error::bitmap_damaged;
        m_state.store(k_damaged);
        publish(0, 0, 0);
        return {};
    }
    m_state.store(k_unloaded);
    publish(free, free, free / m_shared.node_blocks / 2);
    return {};
}

void Metaslab::format()
{
    DiskMetaslabEntry entry {};
    entry.free_blocks.set(m_vdev.metaslab_blocks - own_blocks());
    const Status fits = set_entry(entry);
    (void)fits; // it is made to
}

Status Metaslab::protect_previous(const DiskMetaslabEntry& entry, TxgId newest)
{
    if (entry.txg.get() == 0)
        return {};
    MutexGuard guard(m_lock);
    TRY(load_locked(Must::may_fail));
    BitmapImage image = image_locked();
    bool complete = true;
    for (u32 i = 0; i < image.page_count; i++) {
        image.pages[i] = new_page(Must::may_fail);
        complete = complete && image.pages[i] && prepare_zone_locked(m_zones[i], Must::may_fail);
    }
    Status status = complete ? Status() : Error::no_memory;
    if (status.is_ok() && entry.copy > 1)
        status = Error::metaslab_entry_damaged;
    if (status.is_ok())
        status = read_copy(image, entry.copy);
    if (status.is_ok())
        status = verify_bitmap(image, identity(), entry);
    if (status.is_ok()) {
        const u32 slot = deferred_slot_locked(newest);
        for (u32 i = 0; i < m_zones.size(); i++) {
            Zone& zone = m_zones[i];
            u32 held = 0;
            for (u32 word = zone.begin / 64; word < zone.end / 64; word++) {
                const u64 bits = image.pages[i]->words[word] & ~zone.busy->words[word];
                zone.busy->words[word] |= bits;
                zone.deferred[slot]->words[word] |= bits;
                held += count_bits(bits);
            }
            zone.deferred_count[slot] += held;
            add_deferred(held);
            zone.recount(m_shared.node_blocks);
        }
        summarize_locked();
    } else if (status.error() != Error::no_memory) {
        // Nothing is wrong: a group that a power cut kept from committing may have written over this copy.
        log_damage(status.error(), entry, HOST_LOG_DEBUG);
        m_is_unprotected.store(1);
        m_shared.avoids_unprotected.store(1);
        count_empty_locked();
        status = Status();
    }
    for (u32 i = 0; i < image.page_count; i++)
        free_page(image.pages[i]);
    return status.error();
}

Status Metaslab::start_rebuild()
{
    MutexGuard guard(m_lock);
    drop_zones_locked();
    TRY(make_zones_locked(Must::may_fail));
    for (Zone& zone : m_zones)
        copy_bytes(zone.busy, zone.committed, sizeof(BitPage));
    m_is_rebuilt = true;
    m_is_changed = true;
    if (is_stale_locked()) { // what the group before the newest had there is not known
        m_is_unprotected.store(1);
        m_shared.avoids_unprotected.store(1);
    }
    m_state.store_release(k_loaded);
    return {};
}

Status Metaslab::mark_reached(const Dva& dva)
{
    MutexGuard guard(m_lock);
    if (is_unread())
        return {};
    if (!is_loaded())
        return Error::contradiction;
    if (!m_is_rebuilt) {
        const bool known = for_zones(dva, [](Zone& zone, Run run) { return all_set(*zone.committed, run); });
        return known ? Status() : log_contradiction("in use, but its bitmap, which is whole, says it is free", dva);
    }
    if (!for_zones(dva, [](Zone& zone, Run run) { return none_set(*zone.busy, run); }))
        return log_contradiction("in use twice", dva);
    for_zones(dva, [](Zone& zone, Run run) {
        set_bits(*zone.busy, run);
        set_bits(*zone.committed, run);
        return true;
    });
    m_committed_used += dva.length_blocks;
    return {};
}

void Metaslab::end_rebuild(bool is_whole)
{
    MutexGuard guard(m_lock);
    if (!m_is_rebuilt)
        return;
    m_is_rebuilt = false;
    if (!is_whole) {
        drop_zones_locked();
        m_load_error = Error::bitmap_damaged;
        m_state.store(k_damaged);
        publish(0, 0, 0);
        return;
    }
    for (Zone& zone : m_zones)
        zone.recount(m_shared.node_blocks);
    summarize_locked();
}

}
