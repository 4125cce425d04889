// SPDX-License-Identifier: GPL-2.0-only
#include "core/zil/zil.h"

#include "core/test/breakage.h"

namespace lcpfs {

namespace {
constexpr u32 k_drop_at_once = 64; // records freed per hold of the lock
}

Result<Box<IntentLog>> IntentLog::create(VdevSet& vdevs, TxgEngine& engine, const DiskGuid& pool_guid, const Hooks& hooks)
{
    void* memory = host_alloc(sizeof(IntentLog), 0);
    if (!memory)
        return Error::no_memory;
    Box<IntentLog> log(::new (memory) IntentLog(vdevs, engine, pool_guid, hooks));
    log->m_writer = TRY(LogWriter::create(vdevs));
    return log;
}

IntentLog::~IntentLog()
{
    if (m_writer)
        m_writer->shutdown();
    RecordList left;
    {
        SpinGuard guard(m_lock);
        left.take_all(m_waiting);
    }
    if (m_writer)
        m_writer->take_records(left);
    destroy(left);
    host_pool_destroy(m_small_records);
}

Status IntentLog::reserve()
{
    if (!m_small_records)
        m_small_records = host_pool_create("lcpfs_log_record", LogRecord::k_small_bytes, 0);
    if (!m_small_records)
        return Error::no_memory;
    return m_writer->prepare();
}

void IntentLog::destroy(RecordList& records)
{
    while (LogRecord* record = records.pop_front()) {
        m_record_bytes.sub(record->memory_bytes());
        Box<LogRecord> gone(record);
    }
}

void IntentLog::begin(const LogTail& start, u64 keep, TxgId committed)
{
    m_identity.generation = start.generation;
    m_writer->start(start.sequence);
    SpinGuard guard(m_lock);
    m_active.store(start.ring);
    // Who is there has the log from here on, and who is not has not: the first commit says so.
    if (LogRing& device_ring = m_rings[k_device_ring]; device_ring.present())
        device_ring.set_members({ device_ring.present(), device_ring.named() & ~device_ring.present(), device_ring.members().gone });
    m_last.store(start.record);
    m_covered_record.store(start.record);
    // The devices may be others than they were, with larger blocks.
    m_head = m_previous = align_up(start.position, ring().alignment());
    m_work = m_tail_work = 0;
    m_tail = m_keep = keep; // the next group's commit still leaves this one to fall back to
    m_committed = committed;
    for (FirstOfGroup& first : m_first)
        first = {};
    for (Mark& mark : m_marks)
        mark = {};
    m_last_token = 0;
    m_barrier = 0;
    m_failed_txg = m_early_txg = TxgId();
    m_early_head = m_arrived = 0;
}

void IntentLog::turn_on()
{
    const LogRing& active = ring();
    if (!active.is_there())
        return;
    u64 from, end;
    {
        SpinGuard guard(m_lock);
        from = m_head;
        end = m_keep + active.bytes();
    }
    m_writer->durability().measure(active, from, end);
    m_on.store(1);
}

void IntentLog::turn_off()
{
    m_on.store(0);
    (void)m_writer->wait_all().is_ok(); // who needed it has been told
}

Box<LogRecord> IntentLog::prepare(LogOpcode opcode, u64 object, u32 payload_bytes)
{
    if (!is_on())
        return {};
    Box<LogRecord> record = LogRecord::create(opcode, object, payload_bytes, m_small_records);
    if (record)
        record->header.time_ns.set(static_cast<u64>(host_realtime_coarse_ns()));
    return record;
}

void IntentLog::append(TxgId txg, Box<LogRecord> record)
{
    if (!is_on())
        return;
    if (record && record->framed_bytes() > k_max_log_record_bytes)
        record.reset();
    SpinGuard guard(m_lock);
    const u64 number = m_last.load() + 1;
    m_last.store(number);
    if (!record) {
        if (!barrier_stands_locked())
            m_barrier = number;
        m_barrier_txg = max(m_barrier_txg, txg);
        note_waiting_locked();
        return;
    }
    record->header.txg.set(txg.value());
    record->header.sequence.set(number);
    m_record_bytes.add(record->memory_bytes());
    m_waiting_bytes += record->framed_bytes();
    m_waiting_flushes += record->needs_flush;
    m_waiting.push_back(*record.release());
    note_waiting_locked();
}

void IntentLog::take_from_waiting_locked(LogRecord& record)
{
    m_waiting.remove(record);
    m_waiting_bytes -= record.framed_bytes();
    m_waiting_flushes -= record.needs_flush;
}

// What those who are not under the lock know of it.
void IntentLog::note_waiting_locked()
{
    m_waiting_records.store(static_cast<u32>(m_waiting.size()));
    m_frame_waits.store(m_waiting.size() >= m_batch_records.load_relaxed() || m_waiting_bytes >= m_batch_bytes.load_relaxed());
    m_covered_record.store(covered_locked());
}

bool IntentLog::barrier_stands_locked() const { return m_barrier && m_committed < m_barrier_txg; }

// Every record up to this number is in a frame or in a committed group.
u64 IntentLog::covered_locked() const
{
    u64 covered = m_last.load();
    if (!m_waiting.is_empty())
        covered = const_cast<RecordList&>(m_waiting).first()->sequence() - 1;
    if (barrier_stands_locked() && m_barrier <= covered)
        covered = m_barrier - 1;
    return covered;
}

// The frame that makes `target` durable: the first that goes as far.
LogToken IntentLog::token_for_locked(u64 target) const
{
    LogToken best = m_last_token;
    for (u32 back = 1; back <= k_marks; back++) { // from the newest, as they rise
        const Mark& mark = m_marks[(m_next_mark - back) % k_marks];
        if (!mark.token || mark.last_record < target)
            break;
        best = mark.token;
    }
    return best;
}

void IntentLog::drop_committed_locked(RecordList& dropped)
{
    for (u32 i = 0; i < k_drop_at_once; i++) {
        LogRecord* first = m_waiting.first();
        if (!first || first->txg() > m_committed)
            return;
        take_from_waiting_locked(*first);
        note_waiting_locked();
        dropped.push_back(*first);
    }
}

void IntentLog::note_failure_locked()
{
    if (m_failed_txg.value() == 0)
        m_failed_txg = m_engine.open_txg();
}

bool IntentLog::takes_over_locked() const
{
    return m_active.load() != k_pool_ring && m_rings[k_pool_ring].is_there() && !m_flush_failed;
}

// A frame of that turn failed. Whether its caller looks again rather than failing.
bool IntentLog::waits_for_takeover(const Turn& turn, Error error)
{
    bool takes_over;
    {
        SpinGuard guard(m_lock);
        if (turn.ring != k_pool_ring && turn.number != m_turns.load())
            return true; // it is over
        note_failure_locked();
        takes_over = takes_over_locked();
    }
    if (takes_over)
        tell_takeover();
    else if (m_hooks.failed)
        m_hooks.failed(m_hooks.context, { error });
    return takes_over;
}

// By whoever comes first, at the latest before the log goes on.
void IntentLog::tell_takeover()
{
    Failure failure;
    {
        SpinGuard guard(m_lock);
        if (!m_failed_txg.value() || !takes_over_locked())
            return;
        const u32 failed = m_writer->failed_members() & ring().members().in_use;
        failure = { m_writer->failed(), true, failed & ~m_told_members, ring().members().in_use & ~failed };
        if (!failure.members || failure.error == Error::none)
            return;
        m_told_members |= failed;
    }
    if (m_hooks.failed)
        m_hooks.failed(m_hooks.context, failure);
}

// What the members are once the pause is over.
LogMembers IntentLog::next_members_locked() const
{
    LogMembers next = m_rings[k_device_ring].members();
    if (!m_failed_txg.value() || m_flush_failed)
        return next;
    const u32 failed = takes_over_locked() ? m_writer->failed_members() & next.in_use : 0;
    next.in_use = (next.in_use & ~failed & ~m_leaving) | m_joining;
    next.gone = (next.gone | m_leaving) & ~m_joining;
    if (!breakage::log_trust_stale)
        next.stale = (next.stale | failed) & ~m_leaving & ~m_joining;
    return next;
}

Status IntentLog::change_members(u32 leaving, u32 joining)
{
    for (;;) {
        TxgId pause;
        bool is_ours = false;
        {
            const TxgHold hold(m_engine);
            if (m_engine.refuses())
                return Error::read_only;
            SpinGuard guard(m_lock);
            if (!m_failed_txg.value()) {
                note_failure_locked();
                m_leaving = leaving;
                m_joining = joining;
                is_ours = true;
            }
            pause = m_failed_txg;
        }
        const Status committed = m_engine.wait_committed(pause);
        if (committed.is_ok() && !is_ours)
            continue;
        if (committed.is_error() && is_ours) {
            SpinGuard guard(m_lock);
            m_leaving = m_joining = 0;
        }
        return committed.error();
    }
}

void IntentLog::give_up_device_ring()
{
    SpinGuard guard(m_lock);
    LogRing& ring = m_rings[k_device_ring];
    ring.set_members({ 0, 0, ring.all() });
}

LogMembers IntentLog::members() const
{
    SpinGuard guard(m_lock);
    return m_rings[k_device_ring].members();
}

u32 IntentLog::failed_members() const
{
    SpinGuard guard(m_lock);
    return m_failed_members | (m_active.load() == k_device_ring ? m_writer->failed_members() : 0);
}

// Where a frame of that length goes. What would be overwritten by a late write is left out, as far as the reader looks; beyond
// that the frame waits until that write has ended (mpio.h).
u64 IntentLog::place_for_locked(u32 length_bytes) const
{
    const u64 first = ring().fit(m_head, length_bytes);
    const u64 last = m_head + min(k_max_log_skip_bytes, ring().bytes() / 4);
    for (u64 position = first; position <= last;) {
        u64 late_bytes = 0; // from there on
        for (u32 left = ring().members().in_use; left; left &= left - 1) {
            const LogRing::Place place = ring().place(position, static_cast<u32>(__builtin_ctz(left)));
            const u64 end = m_vdevs.late_write_end(place.vdev, place.offset_bytes, length_bytes);
            late_bytes = max(late_bytes, end ? end - place.offset_bytes : 0);
        }
        if (!late_bytes)
            return position;
        position = ring().fit(position + align_up(late_bytes, u64(ring().alignment())), length_bytes);
    }
    return first;
}

// Takes the records of the next frame and gives it its place. False: the ring has no room.
bool IntentLog::plan_frame_locked(Plan& plan)
{
    const u64 most = barrier_stands_locked() ? m_barrier - 1 : m_last.load();
    LogFrameSize& size = plan.size;
    u64 last = 0;
    for (LogRecord* record = m_waiting.first(); record && record->sequence() <= most; record = m_waiting.next(*record)) {
        const bool is_over = size.records() && size.bytes() + record->framed_bytes() > m_batch_bytes.load_relaxed();
        if (is_over || !size.has_room_for(*record))
            break;
        size.add(*record);
        last = record->sequence();
    }
    const u32 length = size.length_bytes(ring().alignment());
    const u64 position = place_for_locked(length);
    // A group that does not commit leaves no more to be read into memory than twice what asks for its commit.
    if (position + length - m_keep > ring().bytes() || position + length - m_tail > 2 * m_max_group_bytes.load_relaxed())
        return false;
    plan.token = m_writer->assign(*plan.slot, last);
    plan.position = position;
    plan.committed = m_committed;
    const u64 before = m_waiting.first()->sequence() - 1;
    for (u32 i = 0; i < size.records(); i++) {
        LogRecord* record = m_waiting.first();
        take_from_waiting_locked(*record);
        FirstOfGroup& first = m_first[record->txg().value() & 3];
        if (first.txg != record->txg())
            first = { record->txg(), position, plan.token, before, m_work };
        m_work += record->replay_cost();
        if (breakage::log_reorder)
            plan.records.push_front(*record);
        else
            plan.records.push_back(*record);
    }
    note_waiting_locked();
    plan.last_record = last;
    m_marks[m_next_mark++ % k_marks] = { last, plan.token };
    m_last_token = plan.token;
    m_head = position + length;
    m_building.store(1);
    m_gathering.store(0);
    return true;
}

void IntentLog::set_batch(const Batch& batch)
{
    m_batch_records.store(max(1u, min(batch.records, k_max_log_frame_records)));
    m_batch_timeout_us.store(min(batch.timeout_us, k_max_batch_timeout_us));
    m_batch_bytes.store(max(k_min_batch_bytes, min(batch.bytes, k_max_log_frame_bytes)));
}

LogTail IntentLog::tail_for(TxgId txg)
{
    bool ends_turn;
    {
        SpinGuard guard(m_lock);
        ends_turn = m_failed_txg.value() && m_failed_txg <= txg;
    }
    if (ends_turn) // no frame is begun until `committed`: with this it is known who has failed
        m_writer->wait_idle();
    SpinGuard guard(m_lock);
    const LogMembers members = m_rings[k_device_ring].members();
    LogTail tail { m_identity.generation, m_head, m_writer->next_sequence(), covered_locked(), m_active.load(), members, m_work };
    if (ends_turn && !m_flush_failed) {
        // All that is in frames is of groups up to this one; what is appended later goes behind them, or to the start of the
        // other ring, in which the last committed group has nothing.
        tail.members = next_members_locked();
        tail.ring = tail.members.in_use ? k_device_ring : k_pool_ring;
        const u32 alignment = m_rings[k_device_ring].alignment_of(tail.members.in_use);
        if (tail.ring != m_active.load())
            tail.position = 0;
        else if (tail.ring == k_device_ring)
            tail.position = align_up(tail.position, u64(alignment));
        return tail;
    }
    for (const FirstOfGroup& first : m_first)
        if (first.txg > txg && first.position < tail.position) {
            tail.position = first.position;
            tail.sequence = first.sequence;
            tail.record = first.record;
            tail.work = first.work;
        }
    return tail;
}

void IntentLog::committed(TxgId txg, const LogTail& tail)
{
    bool reset;
    {
        SpinGuard guard(m_lock);
        m_committed = txg;
        if (txg == m_early_txg)
            m_arrived = m_head - min(m_head, m_early_head);
        m_keep = tail.ring == m_active.load() ? m_tail : tail.position;
        m_tail = tail.position;
        m_tail_work = tail.work;
        if (m_writer->failed() != Error::none)
            note_failure_locked();
        reset = m_failed_txg.value() != 0 && m_failed_txg <= txg;
    }
    if (reset) {
        tell_takeover();
        const u32 failed = m_writer->failed_members();
        m_writer->reset();
        SpinGuard guard(m_lock);
        m_failed_members |= m_active.load() == k_device_ring ? failed : 0;
        m_turns.add(1);
        const u32 lost = m_rings[k_device_ring].members().in_use & ~tail.members.in_use;
        m_rings[k_device_ring].set_members(tail.members);
        if (tail.ring != m_active.load()) {
            m_active.store(tail.ring);
            m_head = m_previous = tail.position;
        }
        m_head = align_up(m_head, u64(ring().alignment()));
        m_told_members &= ~tail.members.in_use;
        m_failed_members &= ~tail.members.in_use;
        m_leaving = m_joining = 0;
        m_failed_txg = lost && tail.members.in_use ? m_engine.open_txg() : TxgId();
        m_flush_failed = false;
    }
    RecordList written;
    m_writer->take_records(written);
    destroy(written);
    for (;;) {
        RecordList dropped;
        {
            SpinGuard guard(m_lock);
            drop_committed_locked(dropped);
        }
        if (dropped.is_empty())
            break;
        destroy(dropped);
        host_yield();
    }
    m_commits.add(1);
    m_writer->event().wake();
}

u64 IntentLog::waiting_records() const
{
    SpinGuard guard(m_lock);
    return m_waiting.size();
}

void IntentLog::get_statistics(LogStatistics& out) const
{
    m_writer->get_statistics(out);
    if (ring().is_there())
        out.durable = m_writer->durability().choice(ring().device_of(ring().first_member()));
    out.waiting_records = m_waiting_records.load_relaxed();
    out.waiting_bytes = m_record_bytes.load_relaxed();
    SpinGuard guard(m_lock);
    out.position = m_head;
}

}
