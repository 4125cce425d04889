// SPDX-License-Identifier: GPL-2.0-only
// PathGroup: the states of its paths in time: failing, probing, health, waiting for a path too long.
#include "core/base/format_text.h"
#include "core/mpio/path_group.h"

namespace lcpfs {

// A path that nobody chooses is measured so often while others are used.
constexpr u64 k_remeasure_ns = k_ns_per_s;

// A line that names the pool, if it has a name, and the device.
static TextLine about(const PathShared& shared, TargetId target)
{
    TextLine line;
    if (shared.pool_name[0])
        line.add("(").add(shared.pool_name).add("): ");
    line.add("device ").add(target.value()).add(": ");
    return line;
}

void PathGroup::log(const Path& path, host_log_level level, const char* what) const
{
    TextLine line = about(m_shared, m_table.target());
    line.add("path ").add(u64(path.id.value())).add(" (").add(path.name).add(") ").add(what);
    host_log(level, line.text());
}

void PathGroup::trace(const Path& path, PathState before) const
{
    const host_path_trace what { m_shared.pool_name, path.name, static_cast<u32>(m_table.target().value()), path.id.value(),
                                 static_cast<u32>(before), static_cast<u32>(path.get_state()) };
    host_trace_path(&what);
}

void PathGroup::set_state(Path& path, PathState state)
{
    const PathState before = path.get_state();
    path.set_state(state);
    if (host_tracing & HOST_TRACE_PATH)
        trace(path, before);
}

void PathGroup::fail_locked(Path& path, u64 now_ns, const char* why)
{
    set_state(path, PathState::failed);
    path.suspect.store(0);
    path.failures.add_relaxed(1);
    path.timer.failed(now_ns);
    path.window.clear();
    TextBuffer<96> text;
    text.add("failed ").add(why);
    log(path, HOST_LOG_WARNING, text.text());
    note_usable_count_locked(now_ns);
    m_shared.wake(m_shared.context);
}

void PathGroup::usable_locked(Path& path, PathState state, u64 now_ns)
{
    path.window.clear();
    path.suspect.store(0);
    // What it was like before says little; the probe that brought it here says what it is like now, so that no request has to.
    path.latency.forget_average();
    if (path.probed_us != Path::k_not_probed)
        path.latency.note(SizeClass::small, path.probed_us);
    path.usable_since_ns.store(now_ns);
    path.alive_ns.store(now_ns);
    path.last_check_ns = now_ns;
    set_state(path, state);
    note_usable_count_locked(now_ns);
    if (!m_waiting.is_empty())
        queue_pump();
}

// With no path left the clock of no_path_timeout runs, and probes come as fast as they may.
void PathGroup::note_usable_count_locked(u64 now_ns)
{
    const bool none = m_table.usable_count() == 0;
    if (none == (m_no_path_since_ns != 0))
        return;
    m_no_path_since_ns = none ? max<u64>(now_ns, 1) : 0;
    if (none && m_settings.no_path_timeout_ms.load() == 0)
        m_gave_up.store(1);
    if (!none)
        m_gave_up.store(0);
    for (u32 i = 0; i < m_table.used_slots(); i++)
        m_table.slot(i).timer.set_urgent(none, now_ns);
    TextLine line = about(m_shared, m_table.target());
    line.add(none ? "no usable path left" : "there is a usable path again");
    host_log(none ? HOST_LOG_ERROR : HOST_LOG_INFO, line.text());
}

void PathGroup::check_health_locked(Path& path, u64 now_ns)
{
    const HealthWindow::Verdict verdict = path.window.verdict();
    const PathState state = path.get_state();
    path.last_check_ns = now_ns;
    path.latency.refresh();
    if (!is_usable(state))
        return;
    if (verdict == HealthWindow::Verdict::failed && !m_table.is_last_usable(path))
        return fail_locked(path, now_ns, "with more than 10 % of errors");
    path.window.decay();
    // The last path that can serve is at worst Degraded.
    const bool is_bad = verdict == HealthWindow::Verdict::failed || verdict == HealthWindow::Verdict::degraded;
    if (is_bad && state == PathState::active) {
        set_state(path, PathState::degraded);
        log(path, HOST_LOG_WARNING, "is degraded: more than 5 % of errors");
        return;
    }
    const bool is_good = verdict == HealthWindow::Verdict::active
        || (verdict == HealthWindow::Verdict::undecided && !path.window.has_errors());
    if (is_good && state == PathState::degraded) {
        set_state(path, PathState::active);
        log(path, HOST_LOG_INFO, "is in order again");
    }
}

Path* PathGroup::writer_for_locked(const Path& path)
{
    for (u32 i = 0; i < m_table.used_slots(); i++) {
        Path& other = m_table.slot(i);
        if (&other != &path && other.can_serve() && !other.suspect.load() && !other.info.read_only)
            return &other;
    }
    return nullptr;
}

bool PathGroup::knows_nonce(void* self, const ProbeNonce& nonce, u64 at_least)
{
    PathGroup& group = *static_cast<PathGroup*>(self);
    SpinGuard guard(group.m_lock);
    return group.m_nonces.knows(nonce, at_least);
}

// With `proves` a new nonce goes down another path first, if there is one that can be written through.
void PathGroup::start_probe_locked(Path& path, bool proves)
{
    PathProbe& probe = *m_probes[path.slot];
    if (probe.is_running())
        return;
    Path* const writer = proves ? writer_for_locked(path) : nullptr;
    for (u32 i = 0; writer && i < m_table.used_slots(); i++)
        if (m_probes[i] && m_probes[i]->is_writing())
            return; // its turn comes
    ProbeNonce nonce;
    if (writer) {
        u64 random;
        host_random_bytes(&random, sizeof(random));
        nonce = m_nonces.next(random);
        writer->enter(host_monotonic_ns());
    }
    path.enter(host_monotonic_ns());
    probe.start({ &path, writer, nonce, m_vdev_guid, path.failures.load(), knows_nonce, probe_done, this });
}

void PathGroup::probe_done(void* context, PathProbe& probe, ProbeOutcome outcome, u32 latency_us)
{
    PathGroup& group = *static_cast<PathGroup*>(context);
    const u64 now_ns = host_monotonic_ns();
    Path& path = *probe.last_path();
    {
        SpinGuard guard(group.m_lock);
        if (outcome == ProbeOutcome::good)
            path.probed_us = latency_us;
        if (group.m_proof[path.slot].load() == (probe.last_writer() ? k_proof_wanted : k_proof_known))
            group.m_proof[path.slot].store(static_cast<u8>(k_proof_done + static_cast<u8>(outcome)));
        else if (path.present.load() && probe.failures_before() == path.failures.load()) // else it is from before it failed
            group.take_verdict_locked(path, outcome, latency_us, now_ns);
        if (probe.last_writer())
            probe.last_writer()->depth.sub(1);
        path.depth.sub(1);
        probe.release();
        group.m_shared.wake(group.m_shared.context);
    }
    group.m_event.wake();
}

void PathGroup::take_verdict_locked(Path& path, ProbeOutcome outcome, u32 latency_us, u64 now_ns)
{
    if (outcome == ProbeOutcome::unclear) {
        path.timer.set_due(now_ns + ProbeTimer::k_shortest_ns);
        return;
    }
    const bool is_good = outcome == ProbeOutcome::good;
    if (outcome == ProbeOutcome::other_disk)
        log(path, HOST_LOG_ERROR, "leads to a disk that is not the one: it is not used");
    switch (path.get_state()) {
    case PathState::active:
    case PathState::degraded:
        if (!is_good && (outcome == ProbeOutcome::other_disk || path.suspect.load() || !m_table.is_last_usable(path)))
            return fail_locked(path, now_ns, "a probe");
        if (is_good)
            path.latency.note(SizeClass::small, latency_us);
        path.alive_ns.store(now_ns);
        if (path.suspect.exchange(0)) {
            m_waiting.for_each([&path](host_io& io) {
                PathWords& words = path_words(&io);
                if (words.tries && words.avoided_slot == path.slot + 1)
                    words.verified_slot = static_cast<u8>(path.slot + 1);
            });
            queue_pump();
        }
        return;
    case PathState::failed:
        if (path.is_ordered_down)
            return; // the order came while the probe was under way
        if (!is_good)
            return path.timer.bad(now_ns);
        set_state(path, PathState::repairing);
        (void)path.timer.good(now_ns);
        return;
    case PathState::repairing:
        if (!is_good) {
            set_state(path, PathState::failed);
            return path.timer.bad(now_ns);
        }
        if (!path.timer.good(now_ns))
            return;
        path.repairs.add_relaxed(1);
        path.timer.repaired(now_ns);
        log(path, HOST_LOG_INFO, "is repaired");
        return usable_locked(path, PathState::active, now_ns);
    }
}

// Whether requests go down others now.
bool PathGroup::is_busy_beside_locked(const Path& path, u64 now_ns)
{
    for (u32 i = 0; i < m_table.used_slots(); i++) {
        const Path& other = m_table.slot(i);
        if (&other != &path && other.can_serve() && other.alive_ns.load_relaxed() + k_remeasure_ns > now_ns && other.depth.load())
            return true;
    }
    return false;
}

// What one path needs now; when it needs something next.
u64 PathGroup::tick_path_locked(Path& path, u64 now_ns)
{
    if (now_ns >= path.last_check_ns + k_health_interval_ns)
        check_health_locked(path, now_ns);
    const bool serves = is_usable(path.get_state());
    u64 next_ns = path.last_check_ns + k_health_interval_ns;
    if (serves && !path.suspect.load()) {
        const u64 limit_ns = u64(m_settings.time_limit_ms.load_relaxed()) * k_ns_per_ms;
        const u64 alive_ns = path.alive_ns.load_relaxed();
        const u64 quiet_ns = now_ns > alive_ns ? now_ns - alive_ns : 0;
        // Requests that travel without a copy have no deadline of their own; their path has.
        if (limit_ns && path.depth.load() && quiet_ns >= limit_ns && !m_table.is_last_usable(path)) {
            path.errors.add_relaxed(1);
            fail_locked(path, now_ns, "to answer in time");
            return min(next_ns, path.timer.due_ns());
        }
        // Nobody tells the thread of a request: it looks often enough to see one that is late soon after.
        if (limit_ns)
            next_ns = min(next_ns, now_ns + limit_ns / 2);
        // A slow one that nobody chooses would stay slow for ever.
        if (path.depth.load() == 0 && m_table.usable_count() > 1) {
            const u64 pause_ns = is_busy_beside_locked(path, now_ns) ? k_remeasure_ns : k_health_interval_ns;
            if (quiet_ns >= pause_ns)
                start_probe_locked(path, false);
            else
                next_ns = min(next_ns, alive_ns + pause_ns);
        }
        return max(next_ns, now_ns + k_ns_per_ms);
    }
    if (m_probes[path.slot]->is_running() || path.is_ordered_down)
        return next_ns;
    if (path.timer.due_ns() > now_ns)
        return min(next_ns, path.timer.due_ns());
    start_probe_locked(path, path.get_state() == PathState::repairing && path.timer.is_last_of_run());
    // Not started: another nonce is being written.
    return m_probes[path.slot]->is_running() ? next_ns : min(next_ns, now_ns + 20 * k_ns_per_ms);
}

void PathGroup::give_up_locked(u64 now_ns, RequestQueue& given_up)
{
    const i64 timeout_ms = m_settings.no_path_timeout_ms.load();
    if (m_no_path_since_ns == 0 || timeout_ms < 0)
        return;
    // `now_ns` may be from before the last path failed.
    if (!m_gave_up.load() && now_ns < m_no_path_since_ns + static_cast<u64>(timeout_ms) * k_ns_per_ms)
        return;
    m_gave_up.store(1);
    given_up.take_all(m_waiting);
    given_up.take_all(m_held);
}

u64 PathGroup::tick(u64 now_ns)
{
    if (is_plain())
        return ~0ull;
    u64 next_ns = m_copies->tick(now_ns);
    RequestQueue given_up;
    {
        SpinGuard guard(m_lock);
        for (u32 i = 0; i < m_table.used_slots(); i++)
            if (Path& path = m_table.slot(i); path.present.load())
                next_ns = min(next_ns, tick_path_locked(path, now_ns));
        give_up_locked(now_ns, given_up);
        if (m_no_path_since_ns && !m_gave_up.load() && m_settings.no_path_timeout_ms.load() > 0)
            next_ns = min(next_ns, m_no_path_since_ns + static_cast<u64>(m_settings.no_path_timeout_ms.load()) * k_ns_per_ms);
        if (m_pump_due_ns <= now_ns)
            queue_pump();
        else
            next_ns = min(next_ns, m_pump_due_ns);
    }
    while (host_io* const io = given_up.pop()) {
        io->status = HOST_IO_NO_PATH;
        finish(io);
    }
    return next_ns;
}

bool PathGroup::leave_behind(u32 slot, PathId id, u64 now_ns)
{
    SpinGuard guard(m_lock);
    if (slot >= m_table.used_slots()) // it was on no path yet
        return m_table.usable_count() != 0;
    Path& path = m_table.slot(slot);
    if (m_table.is_last_usable(path))
        return false;
    if (path.id == id && path.can_serve()) {
        path.errors.add_relaxed(1);
        fail_locked(path, now_ns, "to answer in time");
    }
    return true;
}

void PathGroup::note_wrong_bytes(u32 slot)
{
    Path& path = m_table.slot(slot);
    path.wrong_bytes.add_relaxed(1);
    path.window.note(true);
    log(path, HOST_LOG_WARNING, "gave wrong bytes that another path gives right: look at its cable and adapter");
}

bool PathGroup::has_other_path(u32 slot) { return !m_table.is_last_usable(m_table.slot(slot)); }

u64 PathGroup::hedge_after_ns(u32 slot, u64 bytes)
{
    const u32 tail_us = m_table.slot(slot).latency.tail_us(size_class_of(bytes));
    return tail_us ? tail_us * k_ns_per_us : ~0ull / 2;
}

}
