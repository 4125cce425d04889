// SPDX-License-Identifier: GPL-2.0-only
// Datasets: all datasets of an open pool, by id and by name.
//
// Every one is loaded with the pool, since the log may name any. The first is the one that every pool has. Ids rise and are never
// used again; the next one stands in the uberblock.
//
// Locking. `lock()` covers the list, the heads and the rise of `users`. It is held for moments only, never over a wait for a
// commit, since each sync takes it. A dataset is added under a hold of the group that makes it. The sync thread alone takes
// one out, when the group without its entry has committed, so that it can go through the list without the lock; who
// destroyed it frees it after that (free_gone).
#pragma once

#include "core/dataset/dataset.h"

namespace lcpfs {

class Datasets {
public:
    static Result<Box<Datasets>> create(const DatasetHost& host);
    ~Datasets();
    Status reserve(); // before the first change: no_memory

    // A dataset for the list. `id` none: with the next id.
    Result<Box<Dataset>> make(DatasetId id = DatasetId());
    // no_space: there are as many as can be; exists: one has the id. The name is the caller's to look at.
    Status check_room(DatasetId id) REQUIRES_SHARED(m_lock);
    void add(Box<Dataset> dataset) REQUIRES(m_lock);
    // At opening. A malformed record of any but the first makes a dataset that is there, but cannot be used.
    Status load(DatasetId id, const DiskDataset& record);
    void set_next_id(u64 next) { m_next_id.store(max(next, m_next_id.load())); }
    u64 next_id() const { return m_next_id.load(); }

    RwLock& lock() LCPFS_THREAD_ANNOTATION(lock_returned(m_lock)) { return m_lock; }
    Dataset& first() { return *m_first; }
    // Null: none. One that is being destroyed is found by its id only.
    Dataset* find(DatasetId id) REQUIRES_SHARED(m_lock);
    Dataset* find(StringView name) REQUIRES_SHARED(m_lock);
    // The one with the lowest id from `id` on, in the list's order, which is that of ids.
    Dataset* next(DatasetId id) REQUIRES_SHARED(m_lock);
    u64 object_count();

    // Those that are in the list now, without its lock: the sync thread's, and opening's.
    template <typename Body> // Status(Dataset&)
    Status for_each(Body body)
    {
        for (Dataset* dataset = after(nullptr); dataset; dataset = after(dataset))
            TRY(body(*dataset));
        return {};
    }
    // Sync thread: `txg` has committed.
    void settle(TxgId txg);
    // All tables for Space.
    TreeShape table_shape();
    // Frees those that settle took out.
    void free_gone();

private:
    explicit Datasets(const DatasetHost& host) : m_host(host) {}
    Dataset* after(Dataset* dataset);

    DatasetHost m_host;
    RwLock m_lock { LCPFS_RANK_datasets };
    List<Dataset, &Dataset::m_link> m_list GUARDED_BY(m_lock); // by rising id
    List<Dataset, &Dataset::m_link> m_gone GUARDED_BY(m_lock);
    u32 m_count GUARDED_BY(m_lock) { 0 };
    Dataset* m_first { nullptr };
    Atomic<u64> m_next_id { k_default_dataset + 1 };
};

}
