// SPDX-License-Identifier: GPL-2.0-only
// SpaceLog: the runs of file data that a group's tree begins or ceases to reach, kept until that group syncs.
//
// An operation prepares a batch (which can fail), fills it, and commits it to its group (which cannot). Sync drains the
// group's entries into the allocator's committed bitmaps.
#pragma once

#include "core/base/list.h"
#include "core/format/address.h"
#include "core/host/locks.h"
#include "core/host/memory.h"

namespace lcpfs {

class SpaceLog {
public:
    // Small, so that what one core_write can enter fits one chunk.
    struct Entry {
        u32 block_low;
        u16 block_high;
        u16 vdev;
        u32 length_and_use; // length_blocks << 1, and 1: reached from now on, 0: no more
    };
    static_assert(sizeof(Entry) == 12);
    static constexpr u32 k_entries_per_chunk = 339;
    struct Chunk {
        ListLink link;
        u32 count { 0 };
        Entry entries[k_entries_per_chunk];
    };

    class Batch {
    public:
        explicit Batch(SpaceLog& log) : m_log(log) {}
        ~Batch();
        Batch(const Batch&) = delete;
        // Room for `entries` more in all. Sleepable.
        Status prepare(u32 entries);
        // Room for the entries of one chunk at least. Sleepable, waits for commits: no core lock, no hold, nothing prepared yet.
        void prepare_chunk();
        void add(const Dva& dva, bool used);
        void commit(TxgId txg);

    private:
        void add_chunk(void* memory);
        SpaceLog& m_log;
        bool m_has_frees { false };
        List<Chunk, &Chunk::link> m_filled;
        List<Chunk, &Chunk::link> m_empty;
    };

    // What was added belongs to the group, however the scope ends.
    class CommitScope {
    public:
        CommitScope(Batch& batch, TxgId txg) : m_batch(batch), m_txg(txg) {}
        ~CommitScope() { m_batch.commit(m_txg); }
        CommitScope(const CommitScope&) = delete;

    private:
        Batch& m_batch;
        TxgId m_txg;
    };

    static Result<Box<SpaceLog>> create();
    ~SpaceLog();
    // Batches committed that freed anything.
    u64 frees() const { return m_frees.load(); }

    // Sync thread: calls `apply` for each entry of the group, in no order, and forgets them.
    template <typename Apply> // Status(const Dva&, bool used)
    Status drain(TxgId txg, Apply apply)
    {
        Status result;
        auto& chunks = m_chunks[txg.value() & 3];
        while (Chunk* chunk = chunks.pop_front()) {
            for (u32 i = 0; i < chunk->count; i++) {
                const Entry& entry = chunk->entries[i];
                const u64 block = u64(entry.block_high) << 32 | entry.block_low;
                Status status = apply(Dva { block, entry.length_and_use >> 1, VdevId(entry.vdev) }, (entry.length_and_use & 1) != 0);
                if (status.is_error() && result.is_ok())
                    result = status.error();
                if (i % 32 == 31)
                    host_yield();
            }
            host_pool_free(m_pool, chunk);
        }
        return result;
    }

private:
    SpaceLog() = default;
    SpinLock m_lock { LCPFS_RANK_free_log };
    List<Chunk, &Chunk::link> m_chunks[4]; // by txg & 3; m_lock while the group is open, then the sync thread's
    Atomic<u64> m_frees { 0 };
    host_pool* m_pool { nullptr };
};

}
