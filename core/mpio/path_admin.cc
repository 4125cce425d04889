// SPDX-License-Identifier: GPL-2.0-only
// PathGroup: making one, adding and removing paths, and what an administrator may order. Serialized by the manager.
#include "core/mpio/path_group.h"

namespace lcpfs {

constexpr u64 k_drain_poll_ns = 5 * k_ns_per_ms;

Result<Box<PathGroup>> PathGroup::create(const PathShared& shared, TargetId target, const DiskGuid& vdev_guid, host_bdev* first,
                                         PathId first_id)
{
    Box<PathGroup> group = TRY(make_box<PathGroup>(shared, target, vdev_guid));
    host_work_init(&group->m_pump, pump);
    group->m_first_bdev = first;
    Path* const path = TRY(group->m_table.prepare(first_id, first, 0));
    group->m_table.make_present(*path, PathState::active, 0);
    return group;
}

PathGroup::~PathGroup() = default;

Status PathGroup::prepare_for_several()
{
    if (!m_copies)
        m_copies = TRY(PathCopies::create(*this, m_shared));
    if (!m_probes[0])
        m_probes[0] = TRY(PathProbe::create(m_shared));
    return {};
}

// Writes a nonce down another path and reads it down this one. With no path left to write one, the last ones that were written down
// another have to do, as they do for a path that failed: a disk copied since then would not be noticed before one of the others is back.
// Waits as long as it takes.
Status PathGroup::prove(Path& path)
{
    for (;;) {
        {
            SpinGuard guard(m_lock);
            const bool is_alone = !writer_for_locked(path);
            if (is_alone && !m_nonces.newest())
                return Error::no_usable_path;
            m_proof[path.slot].store(is_alone ? k_proof_known : k_proof_wanted);
            start_probe_locked(path, !is_alone);
        }
        // Another probe may be running, of this path or writing: then it starts a little later.
        m_event.wait_timeout(20 * k_ns_per_ms, [&] { return m_proof[path.slot].load() >= k_proof_done; });
        if (!m_probes[path.slot]->is_running() && m_proof[path.slot].load() < k_proof_done)
            continue;
        m_event.wait([&] { return m_proof[path.slot].load() >= k_proof_done || !m_probes[path.slot]->is_running(); });
        const u8 proof = m_proof[path.slot].load();
        if (proof < k_proof_done)
            continue; // it was one that only read
        m_proof[path.slot].store(k_proof_none);
        switch (static_cast<ProbeOutcome>(proof - k_proof_done)) {
        case ProbeOutcome::good:
            return {};
        case ProbeOutcome::other_disk:
            return Error::path_other_disk;
        case ProbeOutcome::no_answer:
            return Error::io_error;
        case ProbeOutcome::unclear:
            return Error::busy;
        }
    }
}

// While there was one path nobody looked at the clock. Where requests are under way, they will say what it takes.
void PathGroup::measure_first()
{
    if (!is_plain() || !is_drained_of_plain())
        return;
    {
        SpinGuard guard(m_lock);
        start_probe_locked(m_table.slot(0), false);
    }
    m_event.wait([&] { return !m_probes[0]->is_running(); });
}

Result<Path*> PathGroup::add(host_bdev* bdev, PathId id, u8 priority)
{
    Path* const path = TRY(m_table.prepare(id, bdev, priority));
    Status proven;
    if (!m_probes[path->slot]) {
        auto probe = PathProbe::create(m_shared);
        if (probe.is_ok())
            m_probes[path->slot] = probe.release_value();
        else
            proven = probe.error();
    }
    if (path->info.read_only)
        proven = Error::read_only;
    if (proven.is_ok())
        proven = prove(*path);
    // A proof that was disturbed by another one says nothing: once more.
    for (u32 i = 0; i < 3 && proven.error() == Error::busy; i++)
        proven = prove(*path);
    if (proven.error() == Error::busy) // the nonce cannot be written
        proven = Error::no_usable_path;
    if (proven.is_error()) {
        m_event.wait([&] {
            return path->depth.load() == 0 && !(m_probes[path->slot] && m_probes[path->slot]->is_running());
        });
        if (proven.error() == Error::path_other_disk)
            log(*path, HOST_LOG_ERROR, "is refused: same identity, but what is written to the device is not read back by it. "
                                       "It is a copied disk: detach it, or give it an identity of its own");
        path->id = PathId();
        return proven.error();
    }
    measure_first();
    SpinGuard guard(m_lock);
    const u64 now_ns = host_monotonic_ns();
    if (m_plain.exchange(0)) {
        // The first path's time begins with the second: nobody looked at the clock before.
        Path& first = m_table.slot(0);
        first.alive_ns.store(now_ns);
        first.last_check_ns = now_ns;
    }
    m_table.make_present(*path, PathState::active, now_ns);
    if (host_tracing & HOST_TRACE_PATH)
        trace(*path, PathState::repairing);
    usable_locked(*path, PathState::active, now_ns);
    log(*path, HOST_LOG_INFO, "was added");
    m_shared.wake(m_shared.context);
    return path;
}

Result<host_bdev*> PathGroup::remove(PathId id)
{
    Path* path;
    {
        SpinGuard guard(m_lock);
        path = m_table.find(id);
        if (!path)
            return Error::not_found;
        if (m_table.present_count() == 1 || (path->can_serve() && m_table.is_last_usable(*path)))
            return Error::busy;
        m_table.make_absent(*path);
        log(*path, HOST_LOG_INFO, "is being removed");
    }
    const bool was_plain = path->bdev == m_first_bdev;
    auto is_drained_from = [&] {
        return path->depth.load() == 0 && !m_probes[path->slot]->is_running() && (!was_plain || is_drained_of_plain());
    };
    while (!m_event.wait_timeout(k_drain_poll_ns, is_drained_from)) { }
    host_bdev* const bdev = path->bdev;
    SpinGuard guard(m_lock);
    m_removed.add(path->counts());
    path->id = PathId();
    path->bdev = nullptr;
    return bdev;
}

PathCounts PathGroup::counts()
{
    SpinGuard guard(m_lock);
    PathCounts sum = m_removed;
    for (u32 i = 0; i < m_table.used_slots(); i++)
        if (m_table.slot(i).is_taken())
            sum.add(m_table.slot(i).counts());
    return sum;
}

Status PathGroup::fail(PathId id)
{
    SpinGuard guard(m_lock);
    Path* const path = m_table.find(id);
    if (!path)
        return Error::not_found;
    if (m_table.is_last_usable(*path))
        return Error::busy;
    if (is_usable(path->get_state()))
        fail_locked(*path, host_monotonic_ns(), "by order");
    else
        set_state(*path, PathState::failed);
    path->is_ordered_down = true;
    return {};
}

Status PathGroup::reinstate(PathId id)
{
    Path* path;
    bool alone;
    {
        SpinGuard guard(m_lock);
        path = m_table.find(id);
        if (!path)
            return Error::not_found;
        if (is_usable(path->get_state()))
            return {};
        path->is_ordered_down = false;
        alone = writer_for_locked(*path) == nullptr;
        if (alone) {
            // Nothing to prove it by but the last nonce: let its probes come at once.
            path->timer.set_due(host_monotonic_ns());
            m_shared.wake(m_shared.context);
            return {};
        }
    }
    TRY(prove(*path));
    SpinGuard guard(m_lock);
    log(*path, HOST_LOG_INFO, "is reinstated by order");
    usable_locked(*path, PathState::active, host_monotonic_ns());
    return {};
}

Status PathGroup::set_priority(PathId id, u8 priority)
{
    SpinGuard guard(m_lock);
    Path* const path = m_table.find(id);
    if (!path)
        return Error::not_found;
    path->priority.store(priority);
    return {};
}

void PathGroup::drain()
{
    auto is_idle = [&] {
        if (!is_drained_of_plain() || !is_table_drained() || (m_copies && !m_copies->is_idle()))
            return false;
        for (u32 i = 0; i < m_table.used_slots(); i++)
            if (m_table.slot(i).depth.load() || (m_probes[i] && m_probes[i]->is_running()))
                return false;
        return true;
    };
    while (!m_event.wait_timeout(k_drain_poll_ns, is_idle)) { }
}

}
