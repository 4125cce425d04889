// SPDX-License-Identifier: GPL-2.0-only
#include "core/zil/writer.h"

#include "core/test/breakage.h"

namespace lcpfs {

Result<Box<LogWriter>> LogWriter::create(VdevSet& vdevs)
{
    Box<LogWriter> writer = TRY(make_box<LogWriter>(vdevs));
    writer->m_pages = host_pool_create("lcpfs_log_frame", k_block_size, 0);
    if (!writer->m_pages)
        return Error::no_memory;
    for (Slot& slot : writer->m_slots) {
        slot.writer = writer.get();
        for (Copy& copy : slot.copies)
            copy.slot = &slot;
    }
    return writer;
}

Status LogWriter::prepare() NO_THREAD_SAFETY_ANALYSIS
{
    for (Slot& slot : m_slots)
        TRY(slot.frame.prepare(m_pages));
    return {};
}

LogWriter::~LogWriter()
{
    shutdown();
    for (Slot& slot : m_slots)
        slot.frame.release();
    host_pool_destroy(m_pages);
}

LogWriter::Slot* LogWriter::try_acquire()
{
    SpinGuard guard(m_lock);
    if (m_error.load() || m_shut_down.load() || m_in_flight.load() >= m_limit.load())
        return nullptr;
    for (Slot& slot : m_slots) {
        if (slot.state != Slot::State::free)
            continue;
        slot.state = Slot::State::held;
        slot.error = Error::none;
        slot.sequence = 0;
        slot.owes_flush = 0;
        m_in_flight.add(1);
        return &slot;
    }
    return nullptr;
}

void LogWriter::give_back(Slot& slot)
{
    SpinGuard guard(m_lock);
    slot.state = Slot::State::free;
    m_in_flight.sub(1);
    m_event.wake();
}

void LogWriter::take_records(List<LogRecord, &LogRecord::link>& out)
{
    SpinGuard guard(m_lock);
    for (Slot& slot : m_slots)
        if (slot.state != Slot::State::held && slot.state != Slot::State::writing)
            out.take_all(slot.records);
}

void LogWriter::start(u64 next)
{
    SpinGuard guard(m_lock);
    m_next.store(next);
    m_durable.store(next - 1);
}

LogToken LogWriter::assign(Slot& slot, u64 last_record)
{
    SpinGuard guard(m_lock);
    slot.sequence = m_next.load();
    slot.last_record = last_record;
    m_next.store(slot.sequence + 1);
    return slot.sequence;
}

void LogWriter::trace_frame(const Slot& slot, VdevId vdev, u64 offset_bytes) const
{
    const host_log_trace what { m_vdevs.pool_name(), slot.sequence, offset_bytes, 0, vdev.value(), slot.length_bytes,
                                slot.frame.record_count(), 0, false };
    host_trace_log_frame(&what);
}

void LogWriter::trace_completion(const Slot& slot, VdevId vdev, Error error) const
{
    const host_log_trace what { m_vdevs.pool_name(), slot.sequence, 0, host_monotonic_ns() - slot.submitted_ns, vdev.value(),
                                slot.length_bytes, 0, static_cast<u32>(error), true };
    host_trace_log_frame(&what);
}

void LogWriter::submit(Slot& slot, const LogRing& ring, u64 position)
{
    core_segment segments[k_log_frame_pages];
    const u32 count = slot.frame.segments(segments);
    const u32 members = ring.members().in_use;
    m_frames.add_relaxed(1);
    m_records.add_relaxed(slot.frame.record_count());
    m_bytes.add_relaxed(slot.frame.length_bytes());
    m_pending_bytes.add(slot.frame.length_bytes());
    slot.length_bytes = slot.frame.length_bytes();
    slot.owes_flush = 0;
    slot.submitted_ns = host_monotonic_ns();
    LogRing::Place places[k_max_log_members];
    u32 copies = 0;
    for (u32 left = members; left; left &= left - 1, copies++) {
        const u32 member = static_cast<u32>(__builtin_ctz(left));
        places[member] = ring.place(position, member);
        slot.copies[member].vdev = places[member].vdev;
        slot.owes_flush |= u32(m_durability.of(slot.copies[member].vdev) == Durable::by_flush) << member;
    }
    {
        SpinGuard guard(m_lock);
        slot.state = Slot::State::writing;
        slot.outstanding = copies;
    }
    for (u32 left = members; left; left &= left - 1) {
        const u32 member = static_cast<u32>(__builtin_ctz(left));
        const LogRing::Place& place = places[member];
        const bool by_fua = m_durability.of(place.vdev) == Durable::by_fua;
        m_flushes.add_relaxed(by_fua);
        const unsigned flags = HOST_IO_SYNC | HOST_IO_META | (by_fua ? unsigned(HOST_IO_FUA) : 0u);
        if (host_tracing & HOST_TRACE_LOG_FRAME)
            trace_frame(slot, place.vdev, place.offset_bytes);
        // The last one's completion may give the slot to somebody else: nothing of it is looked at behind that.
        m_vdevs.transfer(HOST_IO_WRITE, place.vdev, place.offset_bytes, Span<const core_segment>(segments, count), flags, completed,
                         &slot.copies[member]);
    }
}

void LogWriter::submit_failed(Slot& slot, Error error)
{
    slot.submitted_ns = host_monotonic_ns();
    SpinGuard guard(m_lock);
    slot.length_bytes = 0;
    slot.owes_flush = 0;
    slot.error = error;
    m_errors.add_relaxed(1);
    written_locked(slot);
}

void LogWriter::note_error_locked(Slot& slot, u32 member, Error error)
{
    if (error == Error::none)
        return;
    if (slot.error == Error::none)
        slot.error = error;
    m_failed_members |= 1u << member;
    m_errors.add_relaxed(1);
}

void LogWriter::completed(void* context, Error error)
{
    Copy& copy = *static_cast<Copy*>(context);
    Slot& slot = *copy.slot;
    LogWriter& writer = *slot.writer;
    // Under the lock to the end: who waits for the last slot passes through it before the memory goes.
    SpinGuard guard(writer.m_lock);
    writer.note_error_locked(slot, static_cast<u32>(&copy - slot.copies), error);
    if (host_tracing & HOST_TRACE_LOG_FRAME)
        writer.trace_completion(slot, copy.vdev, error);
    if (--slot.outstanding == 0)
        writer.written_locked(slot);
}

void LogWriter::written_locked(Slot& slot)
{
    const bool is_cached = slot.owes_flush && slot.error == Error::none;
    slot.state = is_cached ? Slot::State::cached : Slot::State::written;
    m_cached += is_cached;
    m_pending_bytes.sub(slot.length_bytes);
    settle_locked();
    m_flush_due.store(is_flush_due_locked());
    m_event.wake();
}

// The next frame to be acknowledged has been written: those behind it that have not are not waited for, nor flushed before.
bool LogWriter::is_flush_due_locked() const
{
    if (m_cached == 0 || m_flushing || m_error.load())
        return false;
    for (const Slot& slot : m_slots)
        if (slot.state == Slot::State::cached && slot.sequence == m_durable.load() + 1)
            return true;
    return false;
}

// Takes every frame that is on its device but may be in its cache. Bits of slots.
u32 LogWriter::take_cached_locked()
{
    if (!is_flush_due_locked())
        return 0;
    u32 taken = 0;
    for (u32 i = 0; i < k_max_log_frames_in_flight; i++) {
        if (m_slots[i].state != Slot::State::cached)
            continue;
        m_slots[i].state = Slot::State::flushing;
        taken |= 1u << i;
    }
    m_cached = 0;
    m_flushing = true;
    m_flush_due.store(0);
    return taken;
}

// Flushes the devices that frames of `taken` owe a flush to, as many as there are targets for, all at once. Gives the frames that
// owe others one. Each device's error is that of all its frames.
u32 LogWriter::flush_some(u32 taken) NO_THREAD_SAFETY_ANALYSIS
{
    u32 targets = 0, left = 0;
    auto find = [&](VdevId vdev) {
        u32 at = 0;
        while (at < targets && m_targets[at].vdev != vdev)
            at++;
        return at;
    };
    for (u32 i = 0; i < k_max_log_frames_in_flight; i++)
        for (u32 owed = taken >> i & 1 ? m_slots[i].owes_flush : 0; owed; owed &= owed - 1) {
            const VdevId vdev = m_slots[i].copies[__builtin_ctz(owed)].vdev;
            if (find(vdev) < targets || targets == k_max_log_frames_in_flight)
                continue;
            m_targets[targets].vdev = vdev;
            m_vdevs.start_flush(vdev, m_targets[targets++].batch);
        }
    m_flushes.add_relaxed(targets);
    for (u32 at = 0; at < targets; at++)
        m_targets[at].error = m_vdevs.end_flush(m_targets[at].vdev, m_targets[at].batch).error();
    SpinGuard guard(m_lock);
    for (u32 i = 0; i < k_max_log_frames_in_flight; i++) {
        for (u32 owed = taken >> i & 1 ? m_slots[i].owes_flush : 0; owed; owed &= owed - 1) {
            const u32 member = static_cast<u32>(__builtin_ctz(owed));
            const u32 at = find(m_slots[i].copies[member].vdev);
            if (at == targets)
                continue;
            m_slots[i].owes_flush &= ~(1u << member);
            note_error_locked(m_slots[i], member, m_targets[at].error);
        }
        left |= taken >> i & 1 && m_slots[i].owes_flush ? 1u << i : 0;
    }
    return left;
}

// A slot that is being flushed is nobody else's.
bool LogWriter::flush_due() NO_THREAD_SAFETY_ANALYSIS
{
    if (!m_flush_due.load())
        return false;
    u32 taken;
    {
        SpinGuard guard(m_lock);
        taken = take_cached_locked();
    }
    if (!taken)
        return false;
    for (u32 left = taken; left;)
        left = flush_some(left);
    SpinGuard guard(m_lock);
    for (u32 i = 0; i < k_max_log_frames_in_flight; i++)
        if (taken >> i & 1)
            m_slots[i].state = Slot::State::written;
    m_flushing = false;
    settle_locked();
    m_flush_due.store(is_flush_due_locked());
    m_event.wake();
    return true;
}

// Frames from the last durable one on that are written: durable in their order, up to the first that failed.
void LogWriter::settle_locked()
{
    const u64 now = host_monotonic_ns();
    for (bool moved = true; moved && m_in_flight.load() && !m_error.load();) {
        moved = false;
        for (Slot& slot : m_slots) {
            if (slot.state != Slot::State::written || slot.sequence != m_durable.load() + 1)
                continue;
            if (slot.error != Error::none) {
                m_failed_token.store(slot.sequence);
                m_error.store(static_cast<u16>(slot.error));
                return;
            }
            const u64 took = now - slot.submitted_ns;
            const u32 bucket = took >> 14 ? 64 - static_cast<u32>(__builtin_clzll(took >> 14)) : 0;
            m_latency[min(bucket, LogStatistics::k_buckets - 1)].add_relaxed(1);
            m_average_ns.store_relaxed((m_average_ns.load_relaxed() * 7 + took) / 8);
            slot.state = Slot::State::free;
            m_in_flight.sub(1);
            m_durable.store(slot.sequence);
            m_durable_record.store(slot.last_record);
            moved = true;
        }
    }
}

bool LogWriter::poll(LogToken token, Error& error) const
{
    error = Error::none;
    if (m_durable.load() >= token || breakage::log_ack_early)
        return true;
    // The failure is noted before its frames can be taken for anything else: what is not durable by now is not going to be.
    const u64 failed = m_failed_token.load();
    if (failed && failed <= token && m_durable.load() < token) {
        const Error found = static_cast<Error>(m_error.load());
        error = found == Error::none ? Error::io_error : found;
        return m_error.load() != 0;
    }
    return false;
}

Status LogWriter::wait(LogToken token)
{
    Error error;
    while (!poll(token, error))
        if (!flush_due())
            m_event.wait_checked([&] { return poll(token, error) || is_flush_due(); });
    SpinGuard guard(m_lock);
    return error;
}

void LogWriter::wait_idle()
{
    auto idle = [this] {
        SpinGuard guard(m_lock);
        for (const Slot& slot : m_slots)
            if (slot.state == Slot::State::writing || slot.state == Slot::State::held || slot.state == Slot::State::flushing)
                return false;
        return true;
    };
    m_event.wait(idle);
    SpinGuard guard(m_lock); // the last completion is out of here
}

void LogWriter::reset()
{
    wait_idle();
    SpinGuard guard(m_lock);
    for (Slot& slot : m_slots) {
        if (slot.state != Slot::State::written && slot.state != Slot::State::cached)
            continue;
        slot.state = Slot::State::free;
        m_in_flight.sub(1);
    }
    m_cached = 0;
    m_flush_due.store(0);
    m_durable.store(m_next.load() - 1);
    m_failed_token.store(0);
    m_failed_members = 0;
    m_error.store(0);
    m_event.wake();
}

void LogWriter::shutdown()
{
    m_shut_down.store(1);
    wait_idle();
}

void LogWriter::get_statistics(LogStatistics& out) const
{
    out.frames = m_frames.load_relaxed();
    out.records = m_records.load_relaxed();
    out.bytes = m_bytes.load_relaxed();
    out.flushes = m_flushes.load_relaxed();
    out.errors = m_errors.load_relaxed();
    out.pending_bytes = m_pending_bytes.load_relaxed();
    out.pending_frames = m_in_flight.load_relaxed();
    out.average_ns = m_average_ns.load_relaxed();
    for (u32 i = 0; i < LogStatistics::k_buckets; i++)
        out.latency[i] = m_latency[i].load_relaxed();
}

}
