// SPDX-License-Identifier: GPL-2.0-only
// What the sync thread does with a metaslab. Nothing here fails for lack of memory.
#include "core/alloc/metaslab.h"

namespace lcpfs {

Status Metaslab::mark_used(const Dva& dva)
{
    MutexGuard guard(m_lock);
    if (!is_loaded())
        return log_contradiction("entered into a tree, but its bitmap is not loaded", dva);
    const bool right = for_zones(dva, [](Zone& zone, Run run) { return all_set(*zone.busy, run) && none_set(*zone.committed, run); });
    if (!right)
        return log_contradiction("entered into a tree, but not allocated or in use already", dva);
    for_zones(dva, [](Zone& zone, Run run) {
        set_bits(*zone.committed, run);
        return true;
    });
    m_committed_used += dva.length_blocks;
    m_is_changed = true;
    return {};
}

// The set for this group: the one it has begun, else one that is empty.
u32 Metaslab::deferred_slot_locked(TxgId txg)
{
    for (u32 slot = 0; slot < 2; slot++)
        if (m_deferred_txg[slot] == txg)
            return slot;
    for (u32 slot = 0; slot < 2; slot++) {
        if (m_deferred_txg[slot].value() == 0) {
            m_deferred_txg[slot] = txg;
            return slot;
        }
    }
    // Two older groups still wait: join the younger, which only keeps its blocks longer.
    const u32 younger = m_deferred_txg[0] > m_deferred_txg[1] ? 0 : 1;
    m_deferred_txg[younger] = txg;
    return younger;
}

Status Metaslab::mark_free(const Dva& dva, TxgId txg)
{
    MutexGuard guard(m_lock);
    if (m_state.load() == k_damaged) {
        m_entry.flags.set(k_metaslab_is_stale);
        return {};
    }
    if (!is_loaded())
        return log_contradiction("freed, but its bitmap is not loaded", dva);
    const bool right = for_zones(dva, [](Zone& zone, Run run) { return all_set(*zone.committed, run); });
    if (!right)
        return log_contradiction("freed, but not in use", dva);
    const u32 slot = deferred_slot_locked(txg);
    for_zones(dva, [&](Zone& zone, Run run) NO_THREAD_SAFETY_ANALYSIS {
        clear_bits(*zone.committed, run);
        if (!zone.deferred[slot])
            zone.deferred[slot] = new_page(Must::succeed);
        set_bits(*zone.deferred[slot], run);
        zone.deferred_count[slot] += run.length;
        add_deferred(run.length);
        return true;
    });
    m_committed_used -= dva.length_blocks;
    m_is_changed = true;
    return {};
}

DiskMetaslabEntry Metaslab::write(TxgId txg, IoBatch& batch)
{
    MutexGuard guard(m_lock);
    describe_owner_locked();
    if (!is_loaded() || !m_is_changed)
        return m_entry; // its bitmap is stale, or as it was
    const u8 copy = 1 - m_committed_copy;
    const BitmapImage image = image_locked();
    seal_bitmap(image, identity(), txg.value(), m_committed_used);
    m_entry.flags.set(m_entry.flags.get() & ~k_metaslab_is_stale);
    m_entry.txg.set(txg.value());
    m_entry.checksum = image.header().checksum;
    m_entry.free_blocks.set(m_vdev.metaslab_blocks - m_committed_used);
    m_entry.copy = copy;

    core_segment segments[k_max_bitmap_pages];
    for (u32 i = 0; i < image.page_count; i++)
        segments[i] = { image.pages[i], k_block_size };
    batch.begin();
    m_shared.vdevs.transfer(HOST_IO_WRITE, m_vdev.id, copy_offset(copy), Span<const core_segment>(segments, image.page_count),
                            HOST_IO_META, IoBatch::done, &batch);
    return m_entry;
}

// A write that was given up may still land here: what was freed stays that until it has ended.
bool Metaslab::has_late_write() const { return m_shared.vdevs.has_late_write(m_vdev.id, first_block(), m_vdev.metaslab_blocks); }

u64 Metaslab::release_before(TxgId txg)
{
    if (has_late_write())
        return 0;
    MutexGuard guard(m_lock);
    u64 released = 0;
    for (u32 slot = 0; slot < 2; slot++) {
        if (m_deferred_txg[slot].value() == 0 || m_deferred_txg[slot] >= txg)
            continue;
        for (u32 zone = 0; zone < m_zones.size(); zone++)
            if (m_zones[zone].deferred_count[slot])
                released += release_zone_locked(zone, slot);
        m_deferred_txg[slot] = TxgId();
    }
    if (released) {
        add_deferred(0 - released);
        summarize_locked();
        drop_idle_pages_locked();
    }
    return released;
}

void Metaslab::drop_idle_pages_locked()
{
    for (Zone& zone : m_zones) {
        if (zone.deferred_count[0] || zone.deferred_count[1])
            continue;
        m_prepared_zones.store(m_prepared_zones.load() & ~(1u << (&zone - m_zones.begin())));
        for (BitPage*& page : zone.deferred) {
            free_page(page);
            page = nullptr;
        }
    }
}

u64 Metaslab::release_zone_locked(u32 index, u32 slot)
{
    Zone& zone = m_zones[index];
    BitPage& page = *zone.deferred[slot];
    u64 released = 0;
    for_set_runs(
        zone.begin, zone.end, [&](u32 word) { return to_cpu(page.words[word]); },
        [&](Run run) NO_THREAD_SAFETY_ANALYSIS {
            zone.give(run, m_shared.node_blocks);
            released += run.length;
        });
    for (u32 word = zone.begin / 64; word < zone.end / 64; word++)
        page.words[word] = 0;
    zone.deferred_count[slot] = 0;
    return released;
}

}
