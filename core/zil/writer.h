// SPDX-License-Identifier: GPL-2.0-only
// LogWriter: frames to the device, and word of when they are durable.
//
// One at a time a caller acquires a frame, fills it, and submits it for a token; up to `in_flight_limit` are under way at
// once. A frame is durable when its own write and those of all frames before it are (LogDurability says by what).
// Acknowledgement is in order whatever order the device completes in.
//
// Where a flush follows the write, it is made by one of those who wait, not by a thread of its own: when the frame that is
// next to be acknowledged has been written, one flush covers it and every other that has been written by then.
//
// A frame goes to every member of the ring that is in use, at once, and is durable when it is on all of them.
//
// A write that fails, on whatever member, ends the row: nothing from that frame on ever becomes durable, until `reset`, which the
// owner calls once something else (a group's commit) has made durable what those frames held, and has done without the member.
//
// Cost of a frame: one request of VdevSet to a member, no allocation, one spinlock twice; its completion wakes the waiters directly.
#pragma once

#include "core/host/locks.h"
#include "core/vdev/vdev_set.h"
#include "core/zil/durability.h"
#include "core/zil/frame.h"
#include "core/zil/ring.h"

namespace lcpfs {

using LogToken = u64; // the frame's sequence; 0: none

struct LogStatistics {
    u64 frames, records, bytes, flushes, errors;
    u64 position, pending_frames, pending_bytes; // frames in flight
    u64 waiting_records, waiting_bytes;          // in memory: of no committed group, or of frames just written
    u64 average_ns;                              // of late, submission to acknowledgement
    LogDurability::Choice durable;               // of the ring's first device
    // Latency of frames, submission to acknowledgement: [i] those below 2^i * 16 us.
    static constexpr u32 k_buckets = 16;
    u64 latency[k_buckets];
};

class LogWriter {
public:
    static Result<Box<LogWriter>> create(VdevSet& vdevs);
    ~LogWriter(); // shuts down
    Status prepare(); // the frames' memory, before the first is acquired; again after no_memory

    struct Slot;
    // A frame on one member.
    struct Copy {
        Slot* slot { nullptr };
        VdevId vdev {};
    };
    struct Slot {
        LogFrame frame;
        // Whose data blocks it writes, or has written, as long as nobody had use for the memory.
        List<LogRecord, &LogRecord::link> records;
        LogWriter* writer { nullptr };
        Copy copies[k_max_log_members];
        u64 sequence { 0 };
        u64 last_record { 0 }; // in it
        u64 submitted_ns { 0 };
        u32 length_bytes { 0 };
        u32 owes_flush { 0 };  // bits of members
        u32 outstanding { 0 }; // of its copies
        enum class State : u8 { free, held, writing, cached, flushing, written } state { State::free };
        Error error { Error::none }; // the first of its copies
    };

    // A free slot, its frame started. Null: as many are in flight as may be, or the writer failed or was shut down.
    Slot* try_acquire();
    void give_back(Slot& slot);
    // The records of frames that have been written.
    void take_records(List<LogRecord, &LogRecord::link>& out);
    // The next frames get `next` and up.
    void start(u64 next);
    u64 next_sequence() const { return m_next.load(); }
    // Numbers the frame, whose last record will be this one. Between this and `submit` the caller seals it.
    LogToken assign(Slot& slot, u64 last_record);
    // Starts the write. Sleepable.
    void submit(Slot& slot, const LogRing& ring, u64 position);
    // Instead of submit: it could not be made; as if its write had failed.
    void submit_failed(Slot& slot, Error error);

    bool is_durable(LogToken token) const { return m_durable.load() >= token; }
    u64 durable() const { return m_durable.load(); }
    // Records up to this one are in frames that are durable; others may be by a group.
    u64 durable_record() const { return m_durable_record.load(); }
    bool is_flush_due() const { return m_flush_due.load() != 0; }
    // True when it is decided: `error` says how.
    bool poll(LogToken token, Error& error) const;
    // Sleepable, never spins. Somebody has to wait for a frame on a device that wants a flush: poll alone does not move it.
    Status wait(LogToken token);
    // Makes the flush that is due, if one is. For those who wait otherwise than by `wait`. Sleepable.
    bool flush_due();
    Status wait_all() { return wait(m_next.load() - 1); }
    Error failed() const { return static_cast<Error>(m_error.load()); }
    // Bits of the members that have failed since the last reset.
    u32 failed_members() const
    {
        SpinGuard guard(m_lock);
        return m_failed_members;
    }
    // Waits until no frame is being made or written. It can be relied on only while nobody acquires: by the owner. Sleepable.
    void wait_idle();
    // Waits for what is in flight; afterwards everything up to now counts as durable and the next frame may go. Sleepable.
    void reset();
    // Waits for what is in flight; later acquisitions give nothing.
    void shutdown();

    // Woken when anything of this changes: for those who wait for more than one token.
    Event& event() { return m_event; }

    LogDurability& durability() { return m_durability; }
    void set_in_flight_limit(u32 limit)
    {
        m_limit.store(max(1u, min(limit, k_max_log_frames_in_flight)));
        m_event.wake();
    }
    u32 in_flight_limit() const { return m_limit.load(); }
    u64 average_ns() const { return m_average_ns.load_relaxed(); }
    u32 in_flight() const { return m_in_flight.load(); }
    void get_statistics(LogStatistics& out) const;

private:
    explicit LogWriter(VdevSet& vdevs) : m_vdevs(vdevs), m_durability(vdevs) {}
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);
    // A device whose cache is being flushed for some of the frames.
    struct FlushTarget {
        VdevId vdev {};
        IoBatch batch;
        Error error { Error::none };
    };
    static void completed(void* copy, Error error);
    void trace_frame(const Slot& slot, VdevId vdev, u64 offset_bytes) const;
    void trace_completion(const Slot& slot, VdevId vdev, Error error) const REQUIRES(m_lock);
    void written_locked(Slot& slot) REQUIRES(m_lock);
    void note_error_locked(Slot& slot, u32 member, Error error) REQUIRES(m_lock);
    void settle_locked() REQUIRES(m_lock);
    bool is_flush_due_locked() const REQUIRES(m_lock);
    u32 take_cached_locked() REQUIRES(m_lock);
    u32 flush_some(u32 taken);

    VdevSet& m_vdevs;
    LogDurability m_durability;
    host_pool* m_pages { nullptr };
    mutable SpinLock m_lock { LCPFS_RANK_log_writer };
    Slot m_slots[k_max_log_frames_in_flight] GUARDED_BY(m_lock); // a slot that is not free: its holder's
    Atomic<u64> m_next { 1 };
    Atomic<u64> m_durable { 0 };
    Atomic<u64> m_durable_record { 0 };
    Atomic<u8> m_flush_due { 0 }; // and nobody is making it
    u32 m_cached GUARDED_BY(m_lock) { 0 }; // slots of that state
    bool m_flushing GUARDED_BY(m_lock) { false };
    FlushTarget m_targets[k_max_log_frames_in_flight]; // whose who flushes
    u32 m_failed_members GUARDED_BY(m_lock) { 0 };
    Atomic<u64> m_average_ns { 0 };
    Atomic<u64> m_failed_token { 0 };
    Atomic<u16> m_error { 0 };
    Atomic<u8> m_shut_down { 0 };
    Atomic<u32> m_limit { 4 };
    Atomic<u32> m_in_flight { 0 }; // slots not free
    Event m_event;
    Atomic<u64> m_frames { 0 }, m_records { 0 }, m_bytes { 0 }, m_flushes { 0 }, m_errors { 0 }, m_pending_bytes { 0 };
    Atomic<u64> m_latency[LogStatistics::k_buckets];
};

}
