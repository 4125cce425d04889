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

// What becomes of a run of blocks in a group.
enum class SpaceUse : u8 {
    freed = 0,   // no tree reaches it any more
    used = 1,    // newly reached
    shared = 2,  // reached once more than before
    dropped = 3, // reached once less: free if that was the last
};

class SpaceLog {
public:
    // Small, so that what one core_write can enter fits one chunk.
    struct Entry {
        u32 block_low;
        u16 block_high;
        u16 vdev;
        u32 length_and_use; // length_blocks << 2, and SpaceUse
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
        void add(const Dva& dva, SpaceUse use);
        void commit(TxgId txg);

    private:
        void add_chunk(void* memory);
        SpaceLog& m_log;
        bool m_has_frees { false };
        u32 m_share_changes { 0 };
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
    Status reserve(); // before the first change: no_memory
    ~SpaceLog();
    // Batches committed that freed anything.
    u64 frees() const { return m_frees.load(); }
    // Entries of the groups with this number & 3 that change how often blocks are reached, until they have been drained.
    u64 share_changes(u32 slot) const { return m_share_changes[slot].load_relaxed(); }

    // Sync thread: calls `apply` for the entries of the group, at once for neighbours that follow each other, and forgets them. In the
    // order of batches committed: whoever changes what somebody else has shared or freed does so under that one's object lock,
    // and so comes after.
    template <typename Apply> // Status(const Dva&, SpaceUse)
    Status drain(TxgId txg, Apply apply)
    {
        Status result;
        Run run;
        u32 applied = 0;
        const auto end_run = [&] {
            const Status status = run.dva.length_blocks ? apply(run.dva, run.use) : Status();
            if (status.is_error() && result.is_ok())
                result = status.error();
        };
        auto& chunks = m_chunks[txg.value() & 3];
        while (Chunk* chunk = chunks.pop_front()) {
            for (u32 i = 0; i < chunk->count; i++) {
                if (run.takes(chunk->entries[i]))
                    continue;
                end_run();
                run.start(chunk->entries[i]);
                if (applied++ % 32 == 31)
                    host_yield();
            }
            host_pool_free(m_pool, chunk);
        }
        end_run();
        m_share_changes[txg.value() & 3].store(0);
        return result;
    }

private:
    // Entries in a row that are one to who applies them. Neighbours lie in one metaslab: between two is a bitmap.
    struct Run {
        static constexpr u32 k_most_blocks = 1u << 28;
        Dva dva {};
        SpaceUse use { SpaceUse::freed };
        static Dva dva_of(const Entry& entry)
        {
            return { u64(entry.block_high) << 32 | entry.block_low, entry.length_and_use >> 2, VdevId(entry.vdev) };
        }
        void start(const Entry& entry)
        {
            dva = dva_of(entry);
            use = static_cast<SpaceUse>(entry.length_and_use & 3);
        }
        bool takes(const Entry& entry)
        {
            const Dva next = dva_of(entry);
            const bool is_plain = use == SpaceUse::used || use == SpaceUse::freed;
            if (!is_plain || dva.length_blocks == 0 || dva.length_blocks > k_most_blocks || next.vdev != dva.vdev
                || next.block != dva.block + dva.length_blocks || static_cast<SpaceUse>(entry.length_and_use & 3) != use)
                return false;
            dva.length_blocks += next.length_blocks;
            return true;
        }
    };
    SpaceLog() = default;
    SpinLock m_lock { LCPFS_RANK_free_log };
    List<Chunk, &Chunk::link> m_chunks[4]; // by txg & 3; m_lock while the group is open, then the sync thread's
    Atomic<u64> m_frees { 0 };
    Atomic<u64> m_share_changes[4];
    host_pool* m_pool { nullptr };
};

}
