// SPDX-License-Identifier: GPL-2.0-only
// IntentLog: what makes fsync one device write.
//
// Every operation that changes the filesystem appends one record, under its own locks and its hold of the open group: so
// the numbers of records follow the order of operations wherever two touch one object, and an object's records never
// go back to an older group. Records wait in memory. `commit` writes all that were appended before it, in order, in as few frames as
// they fit into, and returns when they are durable. A group's commit drops its records.
//
// What is promised. After a crash the newest committed group is there, and on top of it exactly the operations whose records
// are in the log up to its end and whose group is newer: a prefix of all operations (design.md, invariant 4). File data
// counts as an operation when the core takes it: a record of a write carries the bytes (synchronous small writes: they are
// written to their place before the group commits, see DelayedWrites), or the extents of data that is in place. In the
// second case the devices written are flushed before the frame goes out. Other files' writes are in the row as well:
// leaving them out would make replay something else than a prefix, since later records may build on them.
//
// A change that could not be given a record (no memory) stands as a barrier: what comes after it is made durable by
// group commits until its group is durable. So logging never fails an operation.
//
// Group commit (zil_commit.cc). Who finds records waiting and room in flight builds the next frame itself and submits it, from its
// own context: a lone caller waits for nobody. Callers gather while all frames in flight are taken, and while one is in
// flight and others, whose records are durable, have not run since: these come back as soon as they get a processor. When that is
// over one of those who wait is called, and builds a frame of everything that has gathered. There is no thread. Eight callers on one
// processor and a device of 80 us share a frame by three or four.
//
// Who has something to do between its record and `commit` may have the frame written meanwhile (hasten).
//
// With a batch timeout, who finds other frames in flight but room for another waits for company first: until so many records
// wait as a batch has, nothing is in flight any more, or the time is over, which is at most a quarter of what frames take of
// late. It is off unless asked for (set_batch); what it costs two or four callers is not known.
//
// The ring. Positions only grow. Space is kept from the tail of the last but one committed uberblock on, so that falling
// back to that group finds its records; a group is committed early when a quarter to three eighths of the ring have been filled
// since the last, or what a mount after a crash would take long to do again has been put there.
// Where a write may still land that a hanging path has, a lap or more old, the next frame goes behind it (place_for_locked).
//
// Failure. A frame that fails in the pool's ring fails every caller whose records it or a later frame holds and that was there
// when it failed. Then the log pauses: callers that come later, for those records or others, wait for group commits until the
// group open at the failure has committed; with that the ring starts over behind it. A frame that fails on a log device fails
// nobody: its callers wait for that commit too, which makes durable all that they did, and says which members of the ring are stale
// from then on. With it the log goes on, on the members that are left, or in the pool's ring. So whatever has been acknowledged by
// fewer members than the pool tree names as whole is in the pool's trees as well: any of those tells the whole log. The log goes on
// on fewer members only when a second group has said so too: then falling back by one finds it said. Members leave on demand
// in the same way. Sequence numbers and generation go on, so a frame is never taken for another. (Where data in place could not be
// flushed before a frame, the callers are told in any case, and no group commits any more, whatever errors= says: a flush that
// succeeds later proves nothing about it, see VdevSet::flush_written.)
//
// Locking. m_lock (spin) covers the list and the positions; append takes it under object locks. Building is one caller's at a
// time (m_building) and holds no lock. commit() is called without any core lock: it may wait for groups.
#pragma once

#include "core/txg/txg_engine.h"
#include "core/zil/writer.h"

namespace lcpfs {

// Where replay would begin: what a group's uberblock says.
struct LogTail {
    u64 generation { 0 };
    u64 position { 0 };
    u64 sequence { 0 }; // of the frame there
    u64 record { 0 };   // number of the last record before it
    u32 ring { k_pool_ring };
    LogMembers members {}; // of the ring on log devices, from that group on
    u64 work { 0 }; // IntentLog::m_work there; in memory alone
};

class IntentLog {
public:
    struct Failure {
        Error error { Error::none };
        bool takes_over { false }; // the callers are not told, since others take over from members of the ring on log devices
        u32 members { 0 };         // these, each told once
        u32 left { 0 };            // by those; none: the pool's ring takes over
    };
    struct Hooks {
        // A frame could not be written. Sleepable.
        void (*failed)(void* context, const Failure& failure);
        void* context;
    };
    static Result<Box<IntentLog>> create(VdevSet& vdevs, TxgEngine& engine, const DiskGuid& pool_guid, const Hooks& hooks);
    ~IntentLog();

    // ---- starting
    void set_ring(LogRing&& ring, u32 id = k_pool_ring) { m_rings[id] = lcpfs::move(ring); }
    LogRing take_ring(u32 id) { return lcpfs::move(m_rings[id]); } // before `begin`, to set it again
    const LogRing& ring(u32 id) const { return m_rings[id]; }
    // The one in use.
    const LogRing& ring() const { return m_rings[m_active.load()]; }
    u32 active_ring() const { return m_active.load(); }
    // A new generation from `start` on; what lies from `keep` on stays untouched until two groups have committed. Nothing is
    // logged yet: the group that says so has to commit first.
    void begin(const LogTail& start, u64 keep, TxgId committed);
    bool has_begun() const { return m_identity.generation != 0; }
    // Measures what makes log writes durable. Sleepable. After reserve.
    void turn_on();
    Status reserve(); // no_memory
    // No further records; waits for frames under way.
    void turn_off();
    // Some leave the ring on log devices, others come (back) to it. Returns when the group that says so has committed.
    Status change_members(u32 leaving, u32 joining);
    // The whole ring is given up. Before `begin`.
    void give_up_device_ring();
    // What the members of the ring on log devices are, and those of them that have failed since it began.
    LogMembers members() const;
    u32 failed_members() const;
    bool is_on() const { return m_on.load_relaxed() != 0; }

    // ---- operations
    // Before anything is changed. Null when the log is off, or there is no memory: append deals with it.
    Box<LogRecord> prepare(LogOpcode opcode, u64 object, u32 payload_bytes);
    // The operation is done, its group held, its objects locked.
    void append(TxgId txg, Box<LogRecord> record);
    // Starts the write of what has been appended, if that needs no waiting: for who asks for it next and has something to do
    // before. Waits for no group, no other frame and no flush, so locks may be held, and a group; sleepable all the same.
    void hasten();
    // Everything appended so far is durable. The first error of a frame in between.
    Status commit();
    // The engine failed: callers that wait for room in flight, not for a frame of theirs, give up now.
    void note_freeze() { m_writer->event().wake(); }
    // More than `times` what may wait: one asks for an early group, two lets modifiers wait for it (Space::throttle).
    bool is_beyond(u32 times) const { return m_record_bytes.load_relaxed() > m_max_waiting_bytes.load_relaxed() * times; }
    u64 waiting_bytes() const { return m_record_bytes.load_relaxed(); }
    void set_max_waiting_bytes(u64 bytes) { m_max_waiting_bytes.store_relaxed(bytes); }
    // What a group may have in the ring before its commit is asked for, however large that is: LogRecord::replay_cost, and bytes. Of
    // bytes twice as many are the most: callers wait for the commit then.
    void set_max_group(u64 work, u64 bytes)
    {
        m_max_group_work.store_relaxed(work);
        m_max_group_bytes.store_relaxed(bytes);
    }

    // ---- the sync thread
    // What the uberblock of `txg` says. Where members come or go with it, waits for frames under way.
    LogTail tail_for(TxgId txg);
    // The uberblock of `txg` with that tail is durable.
    void committed(TxgId txg, const LogTail& tail);

    // ---- tuning, at any time
    struct Batch {
        u32 records { 32 };      // 1..64
        u32 timeout_us { 0 };    // at most 100; 0: nobody waits for company
        u32 bytes { k_max_log_frame_bytes }; // of a frame that has more than one record, at least k_min_batch_bytes
    };
    static constexpr u32 k_min_batch_bytes = k_block_size;
    static constexpr u32 k_max_batch_timeout_us = 100;
    void set_batch(const Batch& batch);
    Batch batch() const { return { m_batch_records.load_relaxed(), m_batch_timeout_us.load_relaxed(), m_batch_bytes.load_relaxed() }; }
    LogWriter& writer() { return *m_writer; }
    void get_statistics(LogStatistics& out) const;
    u64 waiting_records() const;

private:
    static constexpr u64 k_max_waiting_bytes = 16ull << 20;
    static constexpr u64 k_max_group_work = 24576;
    static constexpr u32 k_marks = 2 * k_max_log_frames_in_flight;
    using RecordList = List<LogRecord, &LogRecord::link>;

    struct Plan {
        enum class What : u8 { done, again, wait_token, wait_group, build, busy, gather } what { What::done };
        LogToken token { 0 };
        TxgId txg;
        LogWriter::Slot* slot { nullptr };
        u64 position { 0 };
        u64 last_record { 0 }; // that a frame built takes along
        TxgId committed;
        LogFrameSize size;
        RecordList records;
        RecordList dropped;
    };
    // What one call of commit knows from its earlier looks.
    struct Caller {
        u64 target { 0 };
        bool has_looked { false };
        bool came_late { false };    // a failure was known when it came
        bool has_gathered { false }; // it has waited for company
        bool gathers { false };
        bool was_called { false };   // to build; nobody else is before it has looked
    };
    // One stretch of the log between two failures.
    struct Turn {
        u32 ring;
        u64 number;
    };
    struct FirstOfGroup {
        TxgId txg;
        u64 position { 0 };
        u64 sequence { 0 };
        u64 record { 0 };
        u64 work { 0 };
    };
    struct Mark {
        u64 last_record { 0 };
        LogToken token { 0 };
    };

    IntentLog(VdevSet& vdevs, TxgEngine& engine, const DiskGuid& pool_guid, const Hooks& hooks)
        : m_vdevs(vdevs), m_engine(engine), m_hooks(hooks)
    {
        m_identity.pool_guid = pool_guid;
    }
    void look(Caller& caller, Plan& plan);
    void look_locked(Caller& caller, Plan& plan) REQUIRES(m_lock);
    // Something has been appended that is in no frame yet: somebody may wait to build one, or for a group.
    bool is_uncovered() const { return m_covered_record.load() < m_last.load(); }
    bool is_held() const;
    bool can_build() const;
    class Wait;
    Status wait_for(LogToken token);
    bool wait_turn(u64 target, u64 commits);
    void note_waiting_locked() REQUIRES(m_lock);
    bool gathers_locked(const Caller& caller) const REQUIRES(m_lock);
    void gather();
    void take_from_waiting_locked(LogRecord& record) REQUIRES(m_lock);
    TxgId early_group_locked() REQUIRES(m_lock);
    bool plan_frame_locked(Plan& plan) REQUIRES(m_lock);
    u64 place_for_locked(u32 length_bytes) const REQUIRES(m_lock);
    u64 covered_locked() const REQUIRES(m_lock);
    bool barrier_stands_locked() const REQUIRES(m_lock);
    LogToken token_for_locked(u64 target) const REQUIRES(m_lock);
    void drop_committed_locked(RecordList& dropped) REQUIRES(m_lock);
    void note_failure_locked() REQUIRES(m_lock);
    // What fails now is a log device alone, and the pool has a ring.
    bool takes_over_locked() const REQUIRES(m_lock);
    bool waits_for_takeover(const Turn& turn, Error error);
    void tell_takeover();
    LogMembers next_members_locked() const REQUIRES(m_lock);
    Turn turn() const { return { m_active.load(), m_turns.load() }; }
    void build(Plan& plan);
    void destroy(RecordList& records);

    VdevSet& m_vdevs;
    TxgEngine& m_engine;
    Hooks m_hooks;
    LogIdentity m_identity {};
    LogRing m_rings[k_log_ring_ids]; // fixed once the log has begun, but for members
    Atomic<u32> m_active { k_pool_ring }; // changed under m_lock while no frame is being made
    Atomic<u64> m_turns { 0 };
    Box<LogWriter> m_writer;
    host_pool* m_small_records { nullptr }; // of LogRecord::k_small_bytes; null: not reserved
    Atomic<u8> m_on { 0 };
    Atomic<u64> m_last { 0 };          // number of the newest record; m_lock
    Atomic<u64> m_record_bytes { 0 };  // memory of the records not yet gone, with their data
    Atomic<u64> m_max_waiting_bytes { k_max_waiting_bytes };
    Atomic<u64> m_max_group_work { k_max_group_work };
    Atomic<u64> m_max_group_bytes { host_memory_bytes() / 16 };
    Atomic<u64> m_failures { 0 };
    Atomic<u32> m_waiting_records { 0 }; // of m_waiting
    Atomic<u8> m_frame_waits { 0 };      // they fill a frame
    Atomic<u64> m_covered_record { 0 };  // covered_locked(), or less since a barrier went
    Atomic<u64> m_commits { 0 };         // of groups
    Atomic<u32> m_returning { 0 };       // callers whose records are durable and who have not run since
    Atomic<u8> m_called { 0 };           // one of those who wait is about to build the next frame
    Atomic<u8> m_building { 0 };         // somebody does; set under m_lock
    Atomic<u8> m_gathering { 0 };        // somebody waits for company
    Atomic<u32> m_batch_records { 32 };
    Atomic<u32> m_batch_timeout_us { 0 };
    Atomic<u32> m_batch_bytes { k_max_log_frame_bytes };

    mutable SpinLock m_lock { LCPFS_RANK_intent_log };
    RecordList m_waiting GUARDED_BY(m_lock); // in order
    u64 m_waiting_bytes GUARDED_BY(m_lock) { 0 }; // of m_waiting, in frames
    u64 m_waiting_flushes GUARDED_BY(m_lock) { 0 }; // those of m_waiting that want one
    u64 m_barrier GUARDED_BY(m_lock) { 0 };  // number of the first change without a record
    TxgId m_barrier_txg GUARDED_BY(m_lock);  // its group, or that of a later one
    TxgId m_committed GUARDED_BY(m_lock);    // the newest group whose uberblock is durable
    TxgId m_early_txg GUARDED_BY(m_lock);    // committed early for the ring's sake
    u64 m_early_head GUARDED_BY(m_lock) { 0 }; // m_head when that was asked for
    u64 m_arrived GUARDED_BY(m_lock) { 0 };  // bytes that came while the last such group committed
    TxgId m_failed_txg GUARDED_BY(m_lock);   // paused until this has committed
    u64 m_head GUARDED_BY(m_lock) { 0 };     // where the next frame goes
    u64 m_tail GUARDED_BY(m_lock) { 0 };     // of the last committed uberblock
    u64 m_keep GUARDED_BY(m_lock) { 0 };     // of the one before
    u64 m_work GUARDED_BY(m_lock) { 0 };     // LogRecord::replay_cost of all that has come into frames
    u64 m_tail_work GUARDED_BY(m_lock) { 0 }; // of what is not behind m_tail
    u64 m_previous GUARDED_BY(m_lock) { 0 }; // position of the last frame
    FirstOfGroup m_first[4] GUARDED_BY(m_lock); // by txg & 3: the first frame with a record of the group
    Mark m_marks[k_marks] GUARDED_BY(m_lock);
    u32 m_next_mark GUARDED_BY(m_lock) { 0 };
    LogToken m_last_token GUARDED_BY(m_lock) { 0 };
    bool m_flush_failed GUARDED_BY(m_lock) { false };   // of data, before the frame that failed
    u32 m_leaving GUARDED_BY(m_lock) { 0 };        // with m_failed_txg
    u32 m_joining GUARDED_BY(m_lock) { 0 };
    u32 m_told_members GUARDED_BY(m_lock) { 0 };   // of which it has been told that they failed
    u32 m_failed_members GUARDED_BY(m_lock) { 0 }; // with groups that have committed since
};

}
