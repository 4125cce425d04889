// SPDX-License-Identifier: GPL-2.0-only
// TxgEngine: the pipeline of transaction groups: open, quiescing, syncing, three at once.
//
// Every modifying operation holds the open group (hold/release, per-CPU counts, no lock). Closing a group opens the
// next; the closed one is quiesced when its last holder let go, and then synced by the sync thread, one at a
// time, in order. A group commits `interval` after its first change, when asked, or when `is_full` says so.
//
// Rule that makes versions work: a hold is taken after the locks of the objects it changes, and given back before them.
// Then for any one object the groups that change it only rise. hold() never waits, so holding object
// locks across it is safe; sync takes object locks, and nobody holding one waits for a sync.
//
// Group numbers: open = T+2 at most while T syncs. Slots of per-group state are indexed by txg & 3.
//
// Between create and start no group closes and nothing is waited for: hold() gives the first group, so that changes
// can be made that belong to it (a log being replayed), and what would wait for a commit fails with `busy`.
#pragma once

#include "core/base/atomic.h"
#include "core/host/locks.h"
#include "core/host/memory.h"

namespace lcpfs {

class TxgEngine {
public:
    struct Hooks {
        // Writes and commits a quiesced group. Sync thread. An error ends all syncing.
        Status (*sync)(void* context, TxgId txg);
        // Whether the open group should close now for its size. Cheap, any sleepable context.
        bool (*is_full)(void* context);
        void* context;
    };

    static Result<Box<TxgEngine>> create(const Hooks& hooks);
    ~TxgEngine();

    // The group on disk: the next one is open from now on. Before start; no holds.
    void set_committed(TxgId committed);
    // Starts the threads. Once; again after no_memory.
    Status start(u64 interval_ns);
    // Whether changes are let in. After `refuse` whoever asks `refuses` under a hold either is told so or is part of
    // newest_changed(): once that has committed, nothing more changes. After `seal`, which waits for a group that is on its way, none
    // commits any more, whoever asks for it: groups that were only held are no changes.
    void refuse() { m_gate.store(k_refuses); }
    void seal();
    void admit() { m_gate.store(k_admits); }
    bool refuses() const { return m_gate.load() != k_admits; }
    bool is_ending() const { return m_gate.load() == k_refuses; } // refuses, but what was before is still to commit
    // Commits what is open (unless `discard`), ends the threads. No holds may be left. Idempotent.
    void stop(bool discard);
    void set_interval(u64 interval_ns);

    struct Hold {
        TxgId txg;
        u32 stripe;
    };
    Hold hold();
    void release(const Hold& hold);

    TxgId open_txg() const { return TxgId(m_open.load()); }
    TxgId committed_txg() const { return TxgId(m_committed.load()); }
    // The newest group that has anything in it.
    TxgId newest_changed() const;

    // Starts committing up to `txg`; does not wait.
    void request(TxgId txg);
    // Waits until `txg` has committed; the error that stopped syncing otherwise; read_only when it is sealed; busy before start.
    // Sleepable, no core lock held that a sync takes.
    Status wait_committed(TxgId txg);
    // Commits the open group even if empty, and waits: what the last groups freed gets usable that way.
    Status force_commit();
    // Called from is_full's condition changing: looks again. Where no group can close, whatever ends that looks by itself.
    void poke()
    {
        if (can_close())
            m_event.wake();
    }
    // Whether the groups before it let the open one close.
    bool can_close() const { return m_quiesced.load() + 1 == m_open.load() && !is_blocked(); }

    Error error() const { return static_cast<Error>(m_error.load()); }
    // No group commits any more.
    void fail(Error error);

private:
    enum Gate : u8 { k_admits, k_refuses, k_sealed };
    static constexpr u32 k_stripes = 16;
    struct Stripe {
        Atomic<u32> holds[4];
        u8 apart[112]; // no two stripes share a cache line, whatever the alignment
    };

    explicit TxgEngine(const Hooks& hooks) : m_hooks(hooks) {}
    void end_threads();
    void run_quiesce();
    void run_sync();
    bool should_close() const;
    // One group may wait for its sync while another is syncing; no third.
    bool is_blocked() const { return m_quiesced.load() - m_committed.load() > 1; }
    void wait_until_closable();
    u32 holds_of(u64 txg) const;
    bool is_sealed() const { return m_gate.load() == k_sealed; }
    bool is_changed(u64 txg) const { return m_touched[txg & 3].load() != 0 && !is_sealed(); }

    Hooks m_hooks;
    Atomic<u64> m_open { 0 };      // number of the open group
    Atomic<u64> m_quiesced { 0 };  // last group without holders
    Atomic<u64> m_committed { 0 };
    Atomic<u64> m_requested { 0 }; // commit up to here as soon as can be
    Atomic<u64> m_opened_ns { 0 }; // when the open group got its first change; 0: none yet
    Atomic<u64> m_interval_ns { 0 };
    Atomic<u32> m_touched[4];      // the group has been held
    Atomic<u16> m_error { 0 };
    Atomic<u8> m_gate { k_admits };
    Atomic<u8> m_is_closing { 0 }; // the open group, if the gate lets it
    Atomic<u8> m_started { 0 };
    Atomic<u8> m_stopping { 0 };
    Stripe m_holds[k_stripes];
    Event m_event;                 // everything above
    host_thread* m_quiesce_thread { nullptr };
    host_thread* m_sync_thread { nullptr };
};

// Holds the open group for a scope.
class TxgHold {
public:
    explicit TxgHold(TxgEngine& engine) : m_engine(engine), m_hold(engine.hold()) {}
    ~TxgHold() { m_engine.release(m_hold); }
    TxgHold(const TxgHold&) = delete;
    TxgId txg() const { return m_hold.txg; }

private:
    TxgEngine& m_engine;
    TxgEngine::Hold m_hold;
};

}
