// SPDX-License-Identifier: GPL-2.0-only
// PathGroup: requests. States and administration are in path_states.cc and path_admin.cc.
#include "core/mpio/path_group.h"

namespace lcpfs {

constexpr u64 k_busy_pause_ns = 10 * k_ns_per_ms; // after the host had no memory

void RequestQueue::push(host_io* io)
{
    path_words(io).next = nullptr;
    if (m_last)
        path_words(m_last).next = io;
    else
        m_first = io;
    m_last = io;
    m_size++;
}

host_io* RequestQueue::pop()
{
    host_io* const io = m_first;
    if (!io)
        return nullptr;
    m_first = path_words(io).next;
    if (!m_first)
        m_last = nullptr;
    m_size--;
    return io;
}

void RequestQueue::take_all(RequestQueue& other)
{
    while (host_io* const io = other.pop())
        push(io);
}

static bool is_write(const host_io* io) { return io->op == HOST_IO_WRITE || io->op == HOST_IO_DISCARD; }

void PathGroup::submit_by_table(host_io* io, Span<const core_segment> segments)
{
    m_stripes[host_cpu_index() % k_stripes].table_begun.add(1);
    path_words(io).done = io->done;
    io->context = this;
    if ((io->flags & HOST_IO_PREFLUSH) && io->op == HOST_IO_WRITE && flush_for(io).is_error())
        return finish(io);
    if (is_write(io) && has_late_write(io->offset_bytes, io->length_bytes))
        return hold_back(io);
    if (m_settings.time_limit_ms.load_relaxed() && m_copies && m_copies->start(io, segments, host_monotonic_ns()))
        return;
    dispatch(io);
}

// Sends a request down the best path, or puts it with those that wait for one.
void PathGroup::dispatch(host_io* io)
{
    PathWords& words = path_words(io);
    PathChoice choice;
    choice.now_ns = host_monotonic_ns();
    choice.bytes = io->length_bytes;
    choice.prefers_tail = (io->flags & HOST_IO_META) != 0;
    choice.moves_bytes = io->op == HOST_IO_READ || io->op == HOST_IO_WRITE;
    if (words.pinned_slot && !words.tries)
        choice.pinned_slot = words.pinned_slot - 1u;
    if (words.avoided_slot)
        choice.avoided_slot = words.avoided_slot - 1u;
    PathTicket ticket;
    const Result<Path*> begun = m_table.begin(choice, ticket);
    if (begun.is_error())
        return wait_for_path(io);
    if (words.copy) {
        SpinGuard guard(words.copy->lock); // the thread that keeps time looks at it
        words.ticket = ticket;
    } else {
        words.ticket = ticket;
    }
    Path& path = *begun.value();
    if (words.tries && words.avoided_slot && path.slot + 1 != words.avoided_slot)
        m_failovers.add_relaxed(1);
    // Where another path can be asked, the host is not to spend time with trying again down this one.
    if (m_table.is_last_usable(path))
        io->flags &= ~unsigned(HOST_IO_FAIL_FAST);
    else
        io->flags |= HOST_IO_FAIL_FAST;
    io->bdev = path.bdev;
    io->done = attempt_done;
    host_io_submit(io);
}

void PathGroup::attempt_done(host_io* io)
{
    PathGroup& group = *static_cast<PathGroup*>(io->context);
    PathWords& words = path_words(io);
    const Blame blame = blame_of(io->status);
    const bool moves_bytes = io->op == HOST_IO_READ || io->op == HOST_IO_WRITE;
    const u64 now_ns = host_monotonic_ns();
    const Result<Path*> completed = group.m_table.complete(words.ticket, { now_ns, moves_bytes ? io->length_bytes : 0, blame });
    if (completed.is_error()) {
        host_log(HOST_LOG_ERROR, "a request ended on a path it was not sent to: a bug, please report it");
        return;
    }
    if (blame == Blame::none || blame == Blame::target)
        return group.finish(io);
    if (group.judge(io, *completed.value(), blame, now_ns) == Verdict::finish)
        group.finish(io);
}

void PathGroup::finish(host_io* io)
{
    io->done = path_words(io).done;
    if (!path_words(io).copy)
        m_stripes[host_cpu_index() % k_stripes].table_ended.add(1);
    io->done(io);
}

// What becomes of a request that failed by no fault of the target.
PathGroup::Verdict PathGroup::judge(host_io* io, Path& path, Blame blame, u64 now_ns)
{
    PathWords& words = path_words(io);
    if (++words.tries > k_most_tries)
        return Verdict::finish;
    words.avoided_slot = static_cast<u16>(path.slot + 1);
    {
        SpinGuard guard(m_lock);
        if (blame == Blame::host) {
            // Nobody's fault: the same again, a little later.
            words.avoided_slot = 0;
            m_pump_due_ns = min(m_pump_due_ns, now_ns + k_busy_pause_ns);
            m_waiting.push(io);
            m_shared.wake(m_shared.context);
            return Verdict::retry;
        }
        // Since its end the path may have been removed, and another one be in its slot.
        if (path.id.value() == words.ticket.id && path.can_serve()) {
            const bool is_last = m_table.is_last_usable(path);
            if (!is_last || blame == Blame::path) {
                fail_locked(path, now_ns, "after an error");
            } else if (words.verified_slot == path.slot + 1) {
                return Verdict::finish; // the path answers; this is the request's own error
            } else if (!path.suspect.exchange(1)) {
                path.timer.set_due(now_ns);
                m_shared.wake(m_shared.context);
            }
        }
        m_waiting.push(io);
    }
    queue_pump();
    return Verdict::retry;
}

void PathGroup::wait_for_path(host_io* io)
{
    {
        SpinGuard guard(m_lock);
        note_usable_count_locked(host_monotonic_ns());
        if (!m_gave_up.load()) {
            m_waiting.push(io);
            io = nullptr;
        }
    }
    if (io) {
        io->status = HOST_IO_NO_PATH;
        return finish(io);
    }
    m_shared.wake(m_shared.context);
}

void PathGroup::queue_pump() { host_work_queue(m_shared.queue, &m_pump); }

void PathGroup::pump(host_work* work) { reinterpret_cast<PathGroup*>(work)->pump_requests(); }

// Sends what waits, as far as there is a path for it. One at a time per group: it is one work item.
void PathGroup::pump_requests()
{
    if (m_copies)
        m_copies->send_wanted();
    for (;;) {
        host_io* io;
        {
            SpinGuard guard(m_lock);
            m_pump_due_ns = ~0ull;
            if (m_waiting.is_empty() || !has_path_for_waiting_locked())
                return;
            io = m_waiting.pop();
        }
        if (is_write(io) && !path_words(io).copy && has_late_write(io->offset_bytes, io->length_bytes))
            hold_back(io);
        else
            dispatch(io);
    }
}

// A path that is being looked at serves again only when it answered.
bool PathGroup::has_path_for_waiting_locked()
{
    for (u32 i = 0; i < m_table.used_slots(); i++)
        if (m_table.slot(i).can_serve() && !m_table.slot(i).suspect.load())
            return true;
    return false;
}

// Until the late write that it overlaps has ended.
void PathGroup::hold_back(host_io* io)
{
    const u64 offset_bytes = io->offset_bytes, length_bytes = io->length_bytes; // it may be gone once it is in the list
    {
        SpinGuard guard(m_lock);
        if (!m_gave_up.load()) {
            m_held.push(io);
            io = nullptr;
        }
    }
    if (io) {
        io->status = HOST_IO_NO_PATH;
        return finish(io);
    }
    // It may have ended before this one was in the list.
    if (!has_late_write(offset_bytes, length_bytes))
        release_held();
}

void PathGroup::release_held()
{
    {
        SpinGuard guard(m_lock);
        if (m_held.is_empty())
            return;
        m_waiting.take_all(m_held);
    }
    queue_pump();
}

// What several paths keep in caches of their own is durable before a write that promises it. Sleepable, waits.
Status PathGroup::flush_for(host_io* write)
{
    for (u32 slot = 0; slot < slot_count(); slot++) {
        if (!owes_flush(slot))
            continue;
        write->status = flush_slot(slot);
        if (write->status != HOST_IO_OK)
            return Error::io_error;
    }
    return {};
}

host_io_status PathGroup::flush_slot(u32 slot)
{
    struct Waiting {
        Atomic<u32> ended { 0 };
        Event event;
        SpinLock lock { LCPFS_RANK_io };
    } waiting;
    host_io* io = host_io_alloc(m_shared.requests, nullptr, HOST_IO_FLUSH, HOST_IO_SYNC, 0);
    prepare_flush(io, slot);
    io->core[0] = reinterpret_cast<u64>(&waiting);
    io->done = [](host_io* flushed) {
        Waiting& its = *reinterpret_cast<Waiting*>(flushed->core[0]);
        SpinGuard guard(its.lock);
        its.ended.store(1);
        its.event.wake();
    };
    submit_by_table(io, {});
    waiting.event.wait([&] { return waiting.ended.load() != 0; });
    {
        SpinGuard guard(waiting.lock); // its completion is out of here
    }
    const host_io_status status = io->status;
    if (status == HOST_IO_OK)
        note_flushed(io, slot);
    host_io_free(io);
    return status;
}

void PathGroup::prepare_flush(host_io* io, u32 slot)
{
    path_words(io).covers[0] = writes_completed(slot);
    path_words(io).pinned_slot = static_cast<u16>(slot + 1);
}

u32 PathGroup::waiting_count()
{
    SpinGuard guard(m_lock);
    return m_waiting.size() + m_held.size();
}

bool PathGroup::is_drained_of_plain() const
{
    for (const Stripe& stripe : m_stripes)
        if (stripe.plain.load())
            return false;
    return true;
}

bool PathGroup::is_table_drained() const
{
    // Ends first: what begins in between makes it look busy, never idle.
    u64 ended = 0, begun = 0;
    for (const Stripe& stripe : m_stripes)
        ended += stripe.table_ended.load();
    for (const Stripe& stripe : m_stripes)
        begun += stripe.table_begun.load();
    return begun == ended;
}

}
