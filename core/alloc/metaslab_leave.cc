// SPDX-License-Identifier: GPL-2.0-only
// Metaslab: being emptied, so that its owner can give it back.
//
// While it leaves, nothing is allocated in it that can stand elsewhere at home, and what finds its blocks there moves them
// (fs/evacuate.h). All counters go on as before: what is free in it counts as free, so that no promise is broken by it and
// nobody is refused for its sake. A writer who finds no other place gets one here, and the metaslab stays.
//
// None of this is on disk: after a crash or an unmount no metaslab leaves.
#include "core/alloc/metaslab.h"

namespace lcpfs {

bool Metaslab::start_leaving()
{
    MutexGuard guard(m_lock);
    const bool is_known = m_state.load() == k_loaded || m_state.load() == k_unloaded;
    if (!is_known || owner() == k_nobody || is_unprotected() || is_empty() || host_monotonic_ns() < m_stuck_until_ns.load())
        return false;
    if (m_is_leaving.exchange(1) == 0)
        m_shared.leaving.add(1);
    return true;
}

void Metaslab::end_leaving_locked()
{
    if (m_is_leaving.load_relaxed() && m_is_leaving.exchange(0))
        m_shared.leaving.sub(1);
}

void Metaslab::end_leaving()
{
    MutexGuard guard(m_lock);
    end_leaving_locked();
}

u32 Metaslab::reached_blocks()
{
    MutexGuard guard(m_lock);
    u32 unreached = m_free.load() + own_blocks();
    for (const Zone& zone : m_zones)
        unreached += zone.deferred_count[0] + zone.deferred_count[1];
    return m_vdev.metaslab_blocks - min(m_vdev.metaslab_blocks, unreached);
}

}
