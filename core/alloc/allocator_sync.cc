// SPDX-License-Identifier: GPL-2.0-only
// The sync thread's part of the allocator.
#include "core/alloc/allocator.h"

#include "core/test/breakage.h"

namespace lcpfs {

void Allocator::retry_written() { m_changed.take_all(m_written); }

void Allocator::note_changed(Metaslab& metaslab)
{
    retry_written();
    if (!metaslab.m_changed_link.is_linked())
        m_changed.push_back(metaslab);
}

Status Allocator::mark_used(const Dva& dva)
{
    Metaslab* const metaslab = find(dva);
    if (!metaslab)
        return Error::contradiction;
    TRY(metaslab->mark_used(dva));
    note_changed(*metaslab);
    return {};
}

Status Allocator::mark_free(const Dva& dva, TxgId txg)
{
    Metaslab* const metaslab = find(dva);
    const Status freed = metaslab ? metaslab->mark_free(dva, txg) : Status(Error::contradiction);
    if (freed.is_error())
        return m_is_tolerant.load_relaxed() && freed.error() == Error::contradiction ? Status() : freed.error();
    note_changed(*metaslab);
    if (!metaslab->m_deferred_link.is_linked())
        m_deferred.push_back(*metaslab);
    return {};
}

// Those given to another since the last group; what changes hands meanwhile is the next one's to write.
void Allocator::note_new_owners()
{
    if (!m_shared.has_new_owners.exchange(0))
        return;
    for (Metaslab* metaslab : m_metaslabs)
        if (metaslab->take_new_owner())
            note_changed(*metaslab);
}

Status Allocator::visit_changed_erased(Status (*visit)(void*, VdevId, u32), void* context)
{
    retry_written();
    note_new_owners();
    while (Metaslab* const metaslab = m_changed.pop_front()) {
        m_visited.push_back(*metaslab);
        TRY(visit(context, metaslab->vdev(), metaslab->index()));
    }
    return {};
}

Status Allocator::write_changed_erased(TxgId txg, IoBatch& batch, Status (*row)(void*, VdevId, u32, const DiskMetaslabEntry&),
                                       void* context)
{
    m_visited.take_all(m_changed);
    Error first = Error::none;
    while (Metaslab* const metaslab = m_visited.pop_front()) {
        m_written.push_back(*metaslab);
        const DiskMetaslabEntry entry = metaslab->write(txg, batch);
        const Status status = row(context, metaslab->vdev(), metaslab->index(), entry);
        if (status.is_error() && first == Error::none)
            first = status.error();
    }
    return first;
}

// What a group frees, the one before it reaches.
TxgId Allocator::releasable_before(TxgId txg) const
{
    const TxgId kept(m_kept_group.load());
    return kept.value() && kept.next() < txg ? kept.next() : txg;
}

u64 Allocator::discard_released(TxgId txg, u32 min_blocks)
{
    txg = releasable_before(txg);
    Discards discards;
    discards.min_blocks = min_blocks;
    for (Metaslab* metaslab = m_deferred.first(); metaslab; metaslab = m_deferred.next(*metaslab))
        metaslab->discard_before(txg, discards);
    (void)discards.batch.wait().is_ok();
    return discards.blocks;
}

Status Allocator::trim(VdevId vdev, u32 metaslab, u32 first, u32 end, u32 min_blocks, u64& blocks)
{
    Metaslab* const found = find(vdev, metaslab);
    if (!found)
        return Error::invalid;
    Discards discards;
    discards.min_blocks = min_blocks;
    const Status trimmed = found->trim(first, end, discards);
    (void)discards.batch.wait().is_ok();
    blocks += discards.blocks;
    return trimmed;
}

u64 Allocator::after_commit(TxgId txg)
{
    while (Metaslab* const metaslab = m_written.pop_front())
        metaslab->committed();
    if (m_shared.avoids_unprotected.load_relaxed()) {
        m_shared.avoids_unprotected.store(0); // the group before the last can be anything now
        for (Metaslab* metaslab : m_metaslabs)
            if (metaslab->is_unprotected())
                metaslab->recount_empty();
    }
    const TxgId before = releasable_before(breakage::reuse_early ? txg.next() : txg);
    u64 released = 0;
    Metaslab* next = nullptr;
    for (Metaslab* metaslab = m_deferred.first(); metaslab; metaslab = next) {
        next = m_deferred.next(*metaslab);
        released += metaslab->release_before(before);
        if (!metaslab->has_deferred())
            m_deferred.remove(*metaslab);
    }
    if (released)
        m_placement.expect_long_runs();
    return released;
}

}
