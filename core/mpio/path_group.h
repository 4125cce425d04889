// SPDX-License-Identifier: GPL-2.0-only
// PathGroup: sends requests to one target down its paths, and moves the states of the paths. See mpio.h.
//
// A request is the caller's host_io; words 6 to 13 of its `core` belong to the group from `submit` until `done`,
// as does its `done`. It ends once, in any context, with the status of the attempt that decided.
//
// The group does not look at the clock by itself: the manager's thread calls tick() when it is due.
#pragma once

#include "core/mpio/path_copies.h"

namespace lcpfs {

constexpr i64 k_wait_for_ever = -1;

struct PathSettings {
    Atomic<i64> no_path_timeout_ms { 30000 }; // 0: fail at once; k_wait_for_ever
    Atomic<u32> time_limit_ms { 10000 };      // of a request; 0: none, and nothing is copied
    Atomic<u32> copy_limit_bytes { 65536 };   // requests up to this size can be left behind on a hanging path
    Atomic<u8> shared_cache { 0 };
    Atomic<u8> hedged_reads { 0 };
};

// The group's words of a request.
struct PathWords {
    PathTicket ticket;
    void (*done)(host_io* io);
    host_io* next;        // in a list
    PathCopy* copy;       // of an attempt
    u16 tries;            // failed so far
    u16 avoided_slot;     // + 1; where the last one failed, or hangs
    u16 pinned_slot;      // + 1; 0: none
    u8 plain_stripe;      // + 1; sent without the table, counted there; 0: sent by the table
    u8 verified_slot;     // + 1; that path answered a probe after it failed there
    u64 covers[1];        // a flush: the writes it covers on its path
};
constexpr u32 k_first_path_word = 6;
static_assert(k_first_path_word + sizeof(PathWords) / 8 <= HOST_IO_CORE_WORDS);
inline PathWords& path_words(host_io* io) { return *reinterpret_cast<PathWords*>(&io->core[k_first_path_word]); }

// Requests in the order they came. Locked by the owner.
class RequestQueue {
public:
    bool is_empty() const { return !m_first; }
    u32 size() const { return m_size; }
    void push(host_io* io);
    host_io* pop();
    void take_all(RequestQueue& other);
    template <typename Visit>
    void for_each(Visit visit)
    {
        for (host_io* io = m_first; io; io = path_words(io).next)
            visit(*io);
    }

private:
    host_io* m_first { nullptr };
    host_io* m_last { nullptr };
    u32 m_size { 0 };
};

class PathGroup {
public:
    static constexpr u32 k_most_tries = 16;

    static Result<Box<PathGroup>> create(const PathShared& shared, TargetId target, const DiskGuid& vdev_guid, host_bdev* first,
                                         PathId first_id);
    ~PathGroup();

    PathTable& table() { return m_table; }
    PathSettings& settings() { return m_settings; }
    const DiskGuid& vdev_guid() const { return m_vdev_guid; }
    bool is_plain() const { return m_plain.load_relaxed() != 0; }

    // ---- requests
    // `io` is complete but for its bdev. `segments` are what was added to it. Sleepable.
    void submit(host_io* io, Span<const core_segment> segments)
    {
        if (m_plain.load_relaxed()) {
            const u32 index = host_cpu_index() % k_stripes;
            m_stripes[index].plain.add(1);
            // Counted first, looked at again then: who ends the plain way does it the other way round.
            if (m_plain.load()) {
                path_words(io).plain_stripe = static_cast<u8>(index + 1);
                io->bdev = m_first_bdev;
                return host_io_submit(io);
            }
            m_stripes[index].plain.sub(1);
        }
        submit_by_table(io, segments);
    }
    // First thing in the `done` of every request that was submitted. Any context.
    void ended(host_io* io)
    {
        if (const u8 stripe = path_words(io).plain_stripe)
            m_stripes[stripe - 1].plain.sub(1);
    }
    // The path that ended it: for accounting of writes and blame.
    Path& path_of(host_io* io) { return m_table.slot(path_words(io).plain_stripe ? 0 : path_words(io).ticket.slot); }
    void pin(host_io* io, u32 slot) { path_words(io).pinned_slot = static_cast<u16>(slot + 1); }

    // ---- flushes
    // A write without FUA completed.
    void note_written(host_io* io)
    {
        if (const u8 stripe = path_words(io).plain_stripe)
            m_stripes[stripe - 1].written.add(1);
        else
            written_slot(io).writes_completed.add(1);
    }
    bool owes_flush(u32 slot) { return m_table.slot(slot).owes_flush(writes_completed(slot)); }
    u32 slot_count() { return m_table.used_slots(); }
    // Makes `io` the flush of what was written by way of `slot`.
    void prepare_flush(host_io* io, u32 slot);
    void note_flushed(host_io* io, u32 slot) { m_table.slot(slot).cover_writes(path_words(io).covers[0]); }

    // It gave bytes that another path gave right.
    void note_wrong_bytes(u32 slot);

    // ---- late writes
    // Whether a write that was given up may still land there. Any context.
    bool has_late_write(u64 offset_bytes, u64 length_bytes) { return late_write_end(offset_bytes, length_bytes) != 0; }
    // Where such a write ends; 0: there is none.
    u64 late_write_end(u64 offset_bytes, u64 length_bytes) { return m_copies ? m_copies->late_end(offset_bytes, length_bytes) : 0; }

    // ---- states, times
    // Everything that is due; when to come again (~0: when woken). The manager's thread.
    u64 tick(u64 now_ns);
    // Of all its paths, those removed included.
    PathCounts counts();
    u64 failovers() const { return m_failovers.load_relaxed(); }
    u32 waiting_count();

    // ---- administration, serialized by the manager. Sleepable.
    Status prepare_for_several(); // what a group of several paths needs; before the first add
    Result<Path*> add(host_bdev* bdev, PathId id, u8 priority);
    // Drains it, however long that takes; gives its device back. busy: the last one, or the last usable one.
    Result<host_bdev*> remove(PathId id);
    Status fail(PathId id);
    // Back after a proof of identity. io_error: it does not answer; path_other_disk.
    Status reinstate(PathId id);
    Status set_priority(PathId id, u8 priority);
    // Waits for everything under way: before destruction.
    void drain();

    // ---- for PathCopies
    void dispatch(host_io* io);
    void finish(host_io* io);
    // The path of an overdue request: failed unless it is the last. Whether there is another to be tried.
    bool leave_behind(u32 slot, PathId id, u64 now_ns);
    bool has_other_path(u32 slot);
    u64 hedge_after_ns(u32 slot, u64 bytes);
    void queue_pump();
    void release_held();

    template <typename Body>
    void with_paths_locked(Body body)
    {
        SpinGuard guard(m_lock);
        for (u32 i = 0; Path* path = m_table.in_order(i); i++)
            body(*path);
    }

private:
    friend class PathCopies;
    static constexpr u32 k_stripes = 16;
    // By CPU: requests sent the plain way that are under way, and writes among those that ended; requests sent by the
    // table that came and went. A cache line is not aligned but never shared by more than two.
    struct Stripe {
        Atomic<u64> plain { 0 }, written { 0 }, table_begun { 0 }, table_ended { 0 };
        u64 padding[4] {};
    };
    enum class Verdict : u8 { finish, retry };
    enum : u8 { k_proof_none, k_proof_wanted, k_proof_known, k_proof_done }; // known: by a nonce from before

    PathGroup(const PathShared& shared, TargetId target, const DiskGuid& vdev_guid)
        : m_shared(shared), m_table(target), m_vdev_guid(vdev_guid)
    {
    }
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);

    Path& written_slot(host_io* io) { return m_settings.shared_cache.load_relaxed() ? m_table.slot(0) : path_of(io); }
    // Of all time, by way of this slot; what was sent the plain way went by the first.
    u64 writes_completed(u32 slot)
    {
        u64 sum = m_table.slot(slot).writes_completed.load();
        for (u32 i = 0; slot == 0 && i < k_stripes; i++)
            sum += m_stripes[i].written.load();
        return sum;
    }
    void submit_by_table(host_io* io, Span<const core_segment> segments);
    Status flush_for(host_io* write);
    host_io_status flush_slot(u32 slot);
    static void attempt_done(host_io* io);
    Verdict judge(host_io* io, Path& path, Blame blame, u64 now_ns);
    void wait_for_path(host_io* io);
    void hold_back(host_io* io);
    static void pump(host_work* work);
    void pump_requests();
    bool has_path_for_waiting_locked() REQUIRES(m_lock);

    void fail_locked(Path& path, u64 now_ns, const char* why) REQUIRES(m_lock);
    void usable_locked(Path& path, PathState state, u64 now_ns) REQUIRES(m_lock);
    void note_usable_count_locked(u64 now_ns) REQUIRES(m_lock);
    void check_health_locked(Path& path, u64 now_ns) REQUIRES(m_lock);
    void start_probe_locked(Path& path, bool proves) REQUIRES(m_lock);
    Path* writer_for_locked(const Path& path) REQUIRES(m_lock);
    bool is_busy_beside_locked(const Path& path, u64 now_ns) REQUIRES(m_lock);
    u64 tick_path_locked(Path& path, u64 now_ns) REQUIRES(m_lock);
    void give_up_locked(u64 now_ns, RequestQueue& given_up) REQUIRES(m_lock);
    static void probe_done(void* self, PathProbe& probe, ProbeOutcome outcome, u32 latency_us);
    static bool knows_nonce(void* self, const ProbeNonce& nonce, u64 at_least);
    void take_verdict_locked(Path& path, ProbeOutcome outcome, u32 latency_us, u64 now_ns) REQUIRES(m_lock);
    Status prove(Path& path);
    void measure_first();
    bool is_drained_of_plain() const; // is so when requests go by the table, or nobody sends any
    bool is_table_drained() const;
    void log(const Path& path, host_log_level level, const char* what) const;
    void set_state(Path& path, PathState state); // tells who listens
    void trace(const Path& path, PathState before) const;

    host_work m_pump; // first: pump() finds the group by it
    const PathShared& m_shared;
    PathTable m_table;
    const DiskGuid m_vdev_guid;
    PathSettings m_settings;
    Atomic<u8> m_plain { 1 };
    host_bdev* m_first_bdev { nullptr };
    Stripe m_stripes[k_stripes];
    Atomic<u64> m_failovers { 0 };

    SpinLock m_lock { LCPFS_RANK_path };
    RequestQueue m_waiting GUARDED_BY(m_lock); // to be sent again
    RequestQueue m_held GUARDED_BY(m_lock);    // for a late write to end
    ProbeNonces m_nonces GUARDED_BY(m_lock);
    PathCounts m_removed GUARDED_BY(m_lock);
    u64 m_no_path_since_ns GUARDED_BY(m_lock) { 0 };
    u64 m_pump_due_ns GUARDED_BY(m_lock) { ~0ull };
    Atomic<u8> m_gave_up { 0 };                // no path for too long: requests fail at once
    Box<PathCopies> m_copies;
    Box<PathProbe> m_probes[k_max_paths];
    Atomic<u8> m_proof[k_max_paths];           // what add and reinstate wait for: k_proof_done + ProbeOutcome
    Event m_event;
};

}
