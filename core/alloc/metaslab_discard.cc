// SPDX-License-Identifier: GPL-2.0-only
// Metaslab: telling the device what is free.
//
// Nobody may write to blocks that are being discarded: either they are still kept back for the last two groups' sake, or the metaslab's
// lock is held until the device has answered.
#include "core/alloc/metaslab.h"

#include "core/mpio/path_copies.h"

namespace lcpfs {

namespace {
// Discards may be slow. Each takes one of the slots that let a request leave a hanging path, and what somebody waits for needs those.
constexpr u32 k_most_under_way = PathCopies::k_slots / 8;
}

void Discards::start(VdevSet& vdevs, const Dva& run)
{
    if (run.length_blocks < min_blocks)
        return;
    // What one could not be told costs nothing but the room on it.
    if (++under_way % k_most_under_way == 0)
        (void)batch.wait().is_ok();
    blocks += run.length_blocks;
    batch.begin();
    vdevs.discard(run, IoBatch::done, &batch);
}

void Metaslab::discard_before(TxgId txg, Discards& discards)
{
    if (has_late_write())
        return;
    MutexGuard guard(m_lock);
    for (u32 slot = 0; slot < 2; slot++) {
        if (m_deferred_txg[slot].value() == 0 || m_deferred_txg[slot] >= txg)
            continue;
        for (u32 index = 0; index < m_zones.size(); index++) {
            const Zone& zone = m_zones[index];
            if (zone.deferred_count[slot])
                for_set_runs(
                    zone.begin, zone.end, [&](u32 word) { return to_cpu(zone.deferred[slot]->words[word]); },
                    [&](Run run) { discards.start(m_shared.vdevs, dva_of(index, run)); });
        }
    }
}

Status Metaslab::trim(u32 first, u32 end, Discards& discards)
{
    const u32 zones = (m_vdev.metaslab_blocks + k_header_bits + k_page_bits - 1) / k_page_bits;
    for (u32 index = 0; index < zones; index++) {
        // Of some, what the group before the newest reaches is not known.
        if (has_late_write() || is_unprotected())
            return {};
        MutexGuard guard(m_lock);
        if (m_state.load() == k_damaged)
            return {};
        TRY(load_locked(Must::may_fail));
        const Zone& zone = m_zones[index];
        for_set_runs(
            zone.begin, zone.end, [&](u32 word) { return ~to_cpu(zone.busy->words[word]); },
            [&](Run run) {
                Dva dva = dva_of(index, run);
                const u64 from = max(dva.block, first_block() + first);
                const u64 to = min(dva.block + dva.length_blocks, first_block() + end);
                if (from < to)
                    discards.start(m_shared.vdevs, { from, static_cast<u32>(to - from), dva.vdev });
            });
        (void)discards.batch.wait().is_ok();
    }
    return {};
}

}
