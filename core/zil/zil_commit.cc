// SPDX-License-Identifier: GPL-2.0-only
// IntentLog::commit: whose turn it is to build a frame, and waiting for frames.
#include "core/test/breakage.h"
#include "core/zil/zil.h"

namespace lcpfs {

// With a frame under way, a caller whose records are durable but who has not run since is about to come back, on its way to the
// next call perhaps: a processor that has more to do than it can makes many of those, and what comes shares a frame. Nobody
// waits longer for it than for that frame, nor once a frame's worth waits.
bool IntentLog::is_held() const
{
    return m_returning.load() != 0 && m_writer->in_flight() != 0 && !m_frame_waits.load();
}

// For who does not gather itself.
bool IntentLog::can_build() const
{
    const u32 in_flight = m_writer->in_flight();
    const bool others_gather = m_gathering.load() && m_batch_timeout_us.load_relaxed() && in_flight != 0;
    return !m_building.load() && !others_gather && in_flight < m_writer->in_flight_limit() && !is_held();
}

// Nobody waits alone: with nothing in flight there is no company to come.
bool IntentLog::gathers_locked(const Caller& caller) const
{
    const u32 in_flight = m_writer->in_flight();
    return m_batch_timeout_us.load_relaxed() && !caller.has_gathered && in_flight != 0 && in_flight < m_writer->in_flight_limit()
        && m_waiting.size() < m_batch_records.load_relaxed();
}

void IntentLog::gather()
{
    const u64 longest = min(u64(m_batch_timeout_us.load_relaxed()) * 1000, m_writer->average_ns() / 4);
    (void)m_writer->event().wait_timeout(longest, [&] {
        return m_waiting_records.load_relaxed() >= m_batch_records.load_relaxed() || m_writer->in_flight() == 0;
    });
}

void IntentLog::look_locked(Caller& caller, Plan& plan)
{
    if (!caller.has_looked)
        caller.came_late = m_failed_txg.value() != 0 && !m_flush_failed;
    caller.has_looked = true;
    if (m_writer->failed() != Error::none)
        note_failure_locked();
    drop_committed_locked(plan.dropped);
    plan.what = Plan::What::wait_group;
    plan.txg = m_failed_txg;
    if (covered_locked() >= caller.target) {
        plan.token = token_for_locked(caller.target);
        if (m_writer->is_durable(plan.token))
            plan.what = Plan::What::done;
        else if (!m_failed_txg.value() || !(caller.came_late || takes_over_locked()))
            plan.what = Plan::What::wait_token;
        else if (breakage::log_takeover_early)
            plan.what = Plan::What::done;
        return;
    }
    if (m_failed_txg.value())
        return;
    const LogRecord* first = m_waiting.first();
    if (first && first->txg() <= m_committed)
        plan.what = Plan::What::again; // more to drop
    else if (!first || (barrier_stands_locked() && first->sequence() > m_barrier))
        plan.txg = m_barrier_txg;
    else if (gathers_locked(caller)) {
        plan.what = m_gathering.exchange(1) ? Plan::What::busy : Plan::What::gather;
    } else if (m_building.load() || is_held() || !(plan.slot = m_writer->try_acquire()))
        plan.what = Plan::What::busy;
    else if (plan_frame_locked(plan))
        plan.what = Plan::What::build;
    else
        plan.txg = m_committed.next(); // each commit moves the tail
}

// The group to be committed for the ring's sake, after a frame has been planned. One at a time: the tail moves when it has committed.
//
// What stands in the ring is two groups, since the one before stays for whoever falls back to its uberblock, and what comes in while one
// commits: room is kept for twice as much as came in during the last one, a quarter of the ring at least. Each group has half of the
// rest: three eighths of the ring where commits are quick, a quarter where they are not. The longer it is, the more of what is written
// again and again is written to its place once; and the longer a mount after a crash takes, and the more memory. The time goes by what the
// records are more than by their bytes. So there are bounds to both, whatever the ring has room for.
TxgId IntentLog::early_group_locked()
{
    if (m_early_txg > m_committed)
        return {};
    const u64 bytes = ring().bytes();
    const u64 for_groups = bytes - min(max(2 * m_arrived, bytes / 4), bytes / 2);
    const u64 for_one = min(for_groups / 2, m_max_group_bytes.load_relaxed());
    if (m_head - m_tail <= for_one && m_head - m_keep <= for_groups && m_work - m_tail_work <= m_max_group_work.load_relaxed())
        return {};
    m_early_txg = m_engine.open_txg();
    m_early_head = m_head;
    return m_early_txg;
}

void IntentLog::look(Caller& caller, Plan& plan)
{
    TxgId early;
    bool has_failed;
    {
        SpinGuard guard(m_lock);
        look_locked(caller, plan);
        has_failed = m_failed_txg.value() != 0;
        if (plan.what == Plan::What::build)
            early = early_group_locked();
    }
    destroy(plan.dropped);
    if (has_failed)
        tell_takeover();
    if (early.value())
        m_engine.request(early);
    if (plan.slot && plan.what != Plan::What::build)
        m_writer->give_back(*plan.slot);
    if (caller.gathers && plan.what != Plan::What::build)
        m_gathering.store(0);
    caller.gathers = false;
    if (caller.was_called) {
        caller.was_called = false;
        m_called.store(0);
        if (is_uncovered() && can_build()) // and it is another's to do it
            m_writer->event().wake();
    }
}

void IntentLog::build(Plan& plan)
{
    LogWriter::Slot& slot = *plan.slot;
    bool needs_flush = false;
    u64 previous;
    {
        SpinGuard guard(m_lock);
        previous = m_previous;
        m_previous = plan.position;
    }
    RecordList done;
    done.take_all(slot.records);
    slot.frame.start(plan.size.area_bytes(ring().alignment()));
    while (LogRecord* record = plan.records.pop_front()) {
        needs_flush |= record->needs_flush;
        slot.frame.add(*record, previous);
        previous = plan.position;
        (record->data_blocks ? slot.records : done).push_back(*record);
    }
    const Status flushed = needs_flush ? m_vdevs.flush_written() : Status();
    slot.frame.seal(m_identity, { plan.token, plan.position, m_writer->durable(), plan.committed });
    if (flushed.is_error()) {
        {
            SpinGuard guard(m_lock);
            m_flush_failed = true;
        }
        m_writer->submit_failed(slot, flushed.error());
    } else {
        m_writer->submit(slot, ring(), plan.position);
    }
    m_building.store(0);
    if (is_uncovered())
        m_writer->event().wake();
    destroy(done); // while the device writes
}

void IntentLog::hasten()
{
    if (!m_waiting_records.load() || m_batch_timeout_us.load_relaxed() || !can_build())
        return;
    Plan plan;
    TxgId early;
    bool is_planned;
    {
        SpinGuard guard(m_lock);
        const LogRecord* first = m_waiting.first();
        if (!first || first->txg() <= m_committed || barrier_stands_locked() || m_waiting_flushes || m_failed_txg.value()
            || !can_build() || !(plan.slot = m_writer->try_acquire()))
            return;
        is_planned = plan_frame_locked(plan);
        if (is_planned)
            early = early_group_locked();
    }
    if (!is_planned) {
        m_writer->give_back(*plan.slot);
        return;
    }
    if (early.value())
        m_engine.request(early);
    build(plan);
}

// What a caller waits for. Every wake of the event asks each of them, so that only whose turn it is runs: no lock is taken here.
// What it notes is noted once, by the waker or by the waiter.
class IntentLog::Wait {
public:
    // `commits`: of groups, from before the caller looked.
    Wait(IntentLog& log, u64 commits) : m_log(log), m_commits(commits) {}
    // Whose records are in no frame yet: until they are durable, or it is this caller's turn to look again.
    bool is_over(u64 target)
    {
        if (m_log.m_writer->durable_record() >= target)
            return note_durable();
        return m_called.load() || m_log.m_writer->is_flush_due() || m_log.m_writer->failed() != Error::none
            || m_log.m_engine.error() != Error::none || m_log.m_commits.load() != m_commits
            || (m_log.m_covered_record.load() < target && m_log.can_build() && is_called());
    }
    bool is_over_for(LogToken token)
    {
        Error error;
        return m_log.m_writer->poll(token, error) ? note_durable() : m_log.m_writer->is_flush_due();
    }
    // Whether it was called to build the next frame: nobody else is until it has looked.
    bool was_called() const { return m_called.load() != 0; }
    // The caller runs again. Who was waiting for the last one of those that were about to is called now.
    ~Wait()
    {
        if (m_durable.load() && !m_log.m_returning.sub(1) && m_log.is_uncovered())
            m_log.m_writer->event().wake();
    }

private:
    bool note_durable()
    {
        if (!m_durable.exchange(1))
            m_log.m_returning.add(1);
        return true;
    }
    bool is_called()
    {
        if (!m_log.m_called.exchange(1))
            m_called.store(1);
        return m_called.load() != 0;
    }

    IntentLog& m_log;
    u64 m_commits;
    Atomic<u8> m_durable { 0 }, m_called { 0 };
};

Status IntentLog::wait_for(LogToken token)
{
    Error error;
    while (!m_writer->poll(token, error)) {
        if (m_writer->flush_due())
            continue;
        Wait wait(*this, 0);
        m_writer->event().wait_checked([&] { return wait.is_over_for(token); });
    }
    return error;
}

// Until there is something to look at again. Whether this caller is the one who was called to build.
bool IntentLog::wait_turn(u64 target, u64 commits)
{
    if (m_writer->flush_due())
        return false;
    Wait wait(*this, commits);
    m_writer->event().wait_checked([&] { return wait.is_over(target); });
    return wait.was_called();
}

Status IntentLog::commit()
{
    Caller caller;
    caller.target = m_last.load();
    for (;;) {
        if (m_engine.error() != Error::none)
            return m_engine.error();
        const Turn turn_seen = turn();
        const u64 commits_seen = m_commits.load();
        Plan plan;
        look(caller, plan);
        switch (plan.what) {
        case Plan::What::done:
            return {};
        case Plan::What::again:
            break;
        case Plan::What::wait_group:
            TRY(m_engine.wait_committed(plan.txg));
            break;
        case Plan::What::build:
            build(plan);
            if (plan.last_record < caller.target)
                break;
            [[fallthrough]]; // the frame has what is waited for
        case Plan::What::wait_token: {
            const Status status = wait_for(plan.token);
            if (status.is_error() && waits_for_takeover(turn_seen, status.error()))
                break;
            return status;
        }
        case Plan::What::busy:
            caller.was_called = wait_turn(caller.target, commits_seen);
            break;
        case Plan::What::gather:
            gather();
            caller.has_gathered = caller.gathers = true;
            break;
        }
    }
}

}
