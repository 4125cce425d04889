// SPDX-License-Identifier: GPL-2.0-only
// DelayedWrites: data that only the log (and memory) has so far, to be written to its place before its group commits.
//
// A small synchronous write allocates its blocks and enters them into the file at once, but leaves the blocks unwritten: its
// data goes into the log record. This list keeps the data with its address. The sync of a group begins by writing what
// its operations left here; a reader of such a file has it written first. Nothing may read such blocks before.
//
// The same blocks written again in the same group keep their place: the newer data takes the older's place here (`replace`), as long
// as nobody has begun to write it. A row of fsyncs of one block costs one block. Earlier log records keep the data they had.
//
// They are written in the order of their places, neighbours together as one request whatever files they are of, and few requests at a
// time: what is logged meanwhile must not wait behind them, at the device or for the processor. That is also why no request is as large
// as might be.
//
// An entry counts in a counter of its object, raised under the object's lock: a reader that holds the lock and finds 0 may
// read what the tree says. The object is dirty in the group, so it lives until after the group's sync.
#pragma once

#include "core/txg/txg_engine.h"
#include "core/vdev/vdev_set.h"
#include "core/zil/record.h"

namespace lcpfs {

class DelayedWrites {
public:
    struct Entry {
        explicit Entry(host_pool* home) : m_home(home) {}
        static void dispose(Entry* entry);
        ListLink link;
        ListLink bucket_link;
        Ref<LogData> data;
        Dva dva;
        TxgId txg;
        Atomic<u32>* counter { nullptr };

    private:
        host_pool* m_home;
    };

    // max_bytes: that may wait, see is_beyond.
    static Result<Box<DelayedWrites>> create(VdevSet& vdevs, u64 max_bytes);
    ~DelayedWrites();

    const LogData::Memory& memory() const { return m_memory; }
    Result<Box<Entry>> make_entry(); // no_memory
    // For who has time before the next write, which is of one block.
    void prime()
    {
        host_pool_prime(m_memory.pages);
        host_pool_prime(m_entry_pool);
    }
    // Object lock and hold of `txg`.
    void add(TxgId txg, Box<Entry> entry);
    // The entry of exactly `dva`, of group `txg` and not yet being written, gets other data. False: there is none. Locks as `add`.
    bool replace(TxgId txg, const Dva& dva, const Ref<LogData>& data);
    // Writes what groups up to `txg` left, and waits. What failed stays. Sleepable; no core lock above its rank.
    Status write_out(TxgId txg);
    Status write_all() { return write_out(TxgId(~0ull)); }
    // As IntentLog's.
    bool is_beyond(u32 times) const { return m_bytes.load_relaxed() > m_max_bytes.load_relaxed() * times; }
    void set_max_bytes(u64 bytes) { m_max_bytes.store_relaxed(bytes); }
    u64 bytes() const { return m_bytes.load_relaxed(); }

private:
    static constexpr u32 k_buckets = 2048;
    static constexpr u32 k_at_once = 64; // entries taken per hold of the lock, or freed in a row
    static constexpr u32 k_piece_blocks = 32; // of one request
    static_assert(k_max_log_data_bytes <= k_piece_blocks * k_block_size);
    static constexpr u32 k_window_pieces = 4; // twice as many are under way
    using EntryList = List<Entry, &Entry::link>;
    using Bucket = List<Entry, &Entry::bucket_link>;
    DelayedWrites(VdevSet& vdevs, u64 max_bytes) : m_vdevs(vdevs), m_max_bytes(max_bytes) {}
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);
    static u32 bucket_of(const Dva& dva) { return static_cast<u32>((dva.block ^ dva.block >> 11) % k_buckets); }
    void put_locked(Entry& entry) REQUIRES(m_lock);
    void take(TxgId txg, EntryList& out);
    // The request for `entry` and those behind it that follow on it; moves `entry` to the first that does not.
    Dva collect_piece(EntryList& entries, Entry*& entry) REQUIRES(m_writing);
    Status write_pieces(EntryList& entries) REQUIRES(m_writing);

    VdevSet& m_vdevs;
    LogData::Memory m_memory;
    host_pool* m_entry_pool { nullptr };
    Mutex m_writing { LCPFS_RANK_delayed_writes }; // one at a time: who gets it finds nothing half written
    core_segment m_segments[k_piece_blocks] GUARDED_BY(m_writing); // of the request that is being made
    SpinLock m_lock { LCPFS_RANK_intent_log };
    EntryList m_entries[4] GUARDED_BY(m_lock); // by txg & 3
    TxgId m_txg[4] GUARDED_BY(m_lock);
    Bucket m_by_place[k_buckets] GUARDED_BY(m_lock); // the same entries
    Atomic<u64> m_bytes { 0 };
    Atomic<u64> m_max_bytes;
};

}
