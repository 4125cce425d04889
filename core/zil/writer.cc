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
        TRY(slot.frame.prepare(writer->m_pages));
    }
    return writer;
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
        slot.owes_flush = false;
        slot.frame.start();
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
    m_changes.add(1);
    m_event.wake();
}

void LogWriter::start(u64 next)
{
    SpinGuard guard(m_lock);
    m_next.store(next);
    m_durable.store(next - 1);
}

LogToken LogWriter::assign(Slot& slot)
{
    SpinGuard guard(m_lock);
    slot.sequence = m_next.load();
    m_next.store(slot.sequence + 1);
    return slot.sequence;
}

void LogWriter::submit(Slot& slot, const LogRing::Place& place)
{
    core_segment segments[k_log_frame_pages];
    const u32 count = slot.frame.segments(segments);
    const Durable by = m_durability.of(place.vdev);
    m_frames.add_relaxed(1);
    m_records.add_relaxed(slot.frame.record_count());
    m_bytes.add_relaxed(slot.frame.length_bytes());
    m_flushes.add_relaxed(by == Durable::by_fua);
    m_pending_bytes.add(slot.frame.length_bytes());
    slot.length_bytes = slot.frame.length_bytes();
    slot.vdev = place.vdev;
    slot.owes_flush = by == Durable::by_flush;
    slot.submitted_ns = host_monotonic_ns();
    {
        SpinGuard guard(m_lock);
        slot.state = Slot::State::writing;
    }
    const unsigned flags = HOST_IO_SYNC | HOST_IO_META | (by == Durable::by_fua ? unsigned(HOST_IO_FUA) : 0u);
    m_vdevs.transfer(HOST_IO_WRITE, place.vdev, place.offset_bytes, Span<const core_segment>(segments, count), flags, completed, &slot);
}

void LogWriter::submit_failed(Slot& slot, Error error)
{
    slot.length_bytes = 0;
    slot.owes_flush = false;
    slot.submitted_ns = host_monotonic_ns();
    completed(&slot, error);
}

void LogWriter::completed(void* context, Error error)
{
    Slot& slot = *static_cast<Slot*>(context);
    LogWriter& writer = *slot.writer;
    // Under the lock to the end: who waits for the last slot passes through it before the memory goes.
    SpinGuard guard(writer.m_lock);
    slot.error = error;
    slot.state = slot.owes_flush && error == Error::none ? Slot::State::cached : Slot::State::written;
    writer.m_pending_bytes.sub(slot.length_bytes);
    if (error != Error::none)
        writer.m_errors.add_relaxed(1);
    writer.settle_locked();
    writer.m_flush_due.store(writer.is_flush_due_locked());
    writer.m_changes.add(1);
    writer.m_event.wake();
}

// The next frame to be acknowledged has been written: those behind it that have not are not waited for, nor flushed before.
bool LogWriter::is_flush_due_locked() const
{
    if (m_flushing || m_error.load())
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
    m_flushing = true;
    m_flush_due.store(0);
    return taken;
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
    for (u32 i = 0; i < k_max_log_frames_in_flight; i++) {
        if (!(taken >> i & 1))
            continue;
        bool done = false; // with an earlier one of the same device
        for (u32 j = 0; j < i && !done; j++) {
            done = (taken >> j & 1) && m_slots[j].vdev == m_slots[i].vdev;
            if (done)
                m_slots[i].error = m_slots[j].error;
        }
        if (done)
            continue;
        m_flushes.add_relaxed(1);
        m_slots[i].error = m_vdevs.flush_written(m_slots[i].vdev).error();
    }
    SpinGuard guard(m_lock);
    for (u32 i = 0; i < k_max_log_frames_in_flight; i++) {
        if (!(taken >> i & 1))
            continue;
        m_slots[i].state = Slot::State::written;
        m_errors.add_relaxed(m_slots[i].error != Error::none);
    }
    m_flushing = false;
    settle_locked();
    m_flush_due.store(is_flush_due_locked());
    m_changes.add(1);
    m_event.wake();
    return true;
}

// Frames from the last durable one on that are written: durable in their order, up to the first that failed.
void LogWriter::settle_locked()
{
    const u64 now = host_monotonic_ns();
    for (bool moved = true; moved && !m_error.load();) {
        moved = false;
        for (Slot& slot : m_slots) {
            if (slot.state != Slot::State::written || slot.sequence != m_durable.load() + 1)
                continue;
            if (slot.error != Error::none) {
                m_failed_token.store(slot.sequence);
                m_error.store(static_cast<u16>(slot.error));
                return;
            }
            u32 bucket = 0;
            while (bucket + 1 < LogStatistics::k_buckets && (now - slot.submitted_ns) >> (14 + bucket))
                bucket++;
            m_latency[bucket].add_relaxed(1);
            m_average_ns.store((m_average_ns.load() * 7 + now - slot.submitted_ns) / 8);
            slot.state = Slot::State::free;
            m_in_flight.sub(1);
            m_durable.store(slot.sequence);
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
            m_event.wait([&] { return poll(token, error) || m_flush_due.load(); });
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
    m_flush_due.store(0);
    m_durable.store(m_next.load() - 1);
    m_failed_token.store(0);
    m_error.store(0);
    m_changes.add(1);
    m_event.wake();
}

void LogWriter::shutdown()
{
    m_shut_down.store(1);
    wait_idle();
}

void LogWriter::note_change()
{
    m_changes.add(1);
    m_event.wake();
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
