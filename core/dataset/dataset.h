// SPDX-License-Identifier: GPL-2.0-only
// Dataset: one tree of files: its object table, its orphans, its objects in memory.
//
// The object table and the orphan tree are changed by the sync thread alone, under m_table_lock; others read them
// under it. An object that is not in memory is described by its record; one that is describes itself.
// Loading holds the table lock from reading the record until the object is in the hash: since a change of the record needs
// the lock, nobody can slip a newer state in between.
//
// Ids rise and are not used again once an object with them was committed; but those that a lost group gave out are given out
// anew after a crash, and who kept a handle (NFS) must be able to tell. So a new object's generation comes from its id and a
// random number that each start of the pool draws: with an id the generation is another, but for one chance in 2^32.
//
// What a damaged record or table says is not taken on trust where it would do harm: an object is an orphan when the orphan tree
// lists it, and has a record when the table has one.
#pragma once

#include "core/dataset/object.h"
#include "core/format/dataset_format.h"
#include "core/txg/space.h"
#include "core/txg/space_log.h"

namespace lcpfs {

class Pool;

// What a dataset needs of its pool.
struct DatasetHost {
    Pool* pool; // not looked into here: upper layers get from an object to its pool by it
    TreeContext& trees;
    TxgEngine& engine;
    Space& space;
    SpaceLog& space_log;
    Allocator& allocator;
    VdevSet& vdevs;
};

class Dataset {
public:
    static Result<Box<Dataset>> create(const DatasetHost& host, DatasetId id);
    ~Dataset();

    // A new dataset with a root directory made in `txg` (mkfs). Sync of `txg` writes it.
    Status format(TxgId txg, StringView name, const ObjectAttributes& root);
    // From its record. dataset_damaged: the record is malformed, or an object beyond what it says was ever given out.
    Status load(const DiskDataset& record);

    DatasetId id() const { return m_id; }
    DatasetHost& host() { return m_host; }
    const DiskGuid& hash_seed() const { return m_hash_seed; }
    u64 object_count() const { return m_object_count.load_relaxed(); }
    u64 used_blocks() const { return m_used_blocks.load_relaxed(); }
    u64 next_object() const { return m_next_object.load_relaxed(); }

    // The object with this id, in memory or loaded. not_found; record_damaged and device errors with a log line.
    Result<Ref<Object>> get(ObjectId id);
    // A new object in memory, with the next id, in the hash, not yet dirty. `mode` decides its tree.
    Result<Ref<Object>> make(u32 mode);
    // For a new object with this id: 1..2^32-1.
    u64 generation_for(ObjectId id) const;
    // With this id, which a log record says it had. exists when there is such an object.
    Result<Ref<Object>> make_again(u32 mode, ObjectId id);
    // The first orphan at or after `from`. False: none.
    Result<bool> next_orphan(ObjectId from, ObjectId& found);

    // ---- sync thread
    // Writes all objects that `txg` changed and updates the tables. Then the trees of the tables themselves and the record
    // for the pool tree (sizeof(DiskDataset)); `changed` false when nothing needed writing.
    Status sync(TxgId txg, TreeWriter& writer, DiskDataset& record, bool& changed);
    // The record as it is now but for the roots of trees that are dirty.
    void describe(DiskDataset& record) const;
    // After everything of `txg` is on disk.
    void settle(TxgId txg);

    // ---- Object only
    void add_dirty(Object& object, TxgId txg, bool is_new);
    void drop(Object& object);

    // ---- the checker: the pool has no changes under way
    RwLock& table_lock() LCPFS_THREAD_ANNOTATION(lock_returned(m_table_lock)) { return m_table_lock; }
    Tree& objects() { return m_objects; }
    Tree& orphans() { return m_orphans; }

private:
    friend class Object;
    friend class SpareVersion;
    Dataset(const DatasetHost& host, DatasetId id);
    Status look_at_table();
    using DirtyList = List<Object::DirtyEntry, &Object::DirtyEntry::link>;

    static constexpr u32 k_hash_shards = 64;
    struct HashShard {
        SpinLock m_lock { LCPFS_RANK_object_cache };
    };
    static u64 hash_of(ObjectId id) { return id.value() * 0x9e3779b97f4a7c15ull >> 32; }
    HashShard& shard_of(ObjectId id) { return m_shards[hash_of(id) % k_hash_shards]; }
    Object** bucket_of(ObjectId id) { return &m_buckets[hash_of(id) % m_bucket_count]; }
    Object* find_locked(ObjectId id); // referenced; shard_of(id)'s lock
    Ref<Object> find_in_memory(ObjectId id);
    Ref<Object> add_to_hash(Box<Object> box);
    Result<Ref<Object>> load_object(ObjectId id);
    Status sync_object(Object& object, TxgId txg, TreeWriter& writer);
    Status update_table(Object& object, TxgId txg, const ObjectVersion& version, const NodePointer& root);
    void count_object(int more, Object& object, u64 blocks);
    Status update_orphans(Object& object, TxgId txg, bool is_orphan);

    DatasetHost m_host;
    DatasetId m_id;
    DiskGuid m_hash_seed {};
    u64 m_generation_seed { 0 };
    u8 m_name[k_pool_name_bytes] {};
    u64 m_created_txg { 0 };
    Atomic<u64> m_next_object { k_first_free_object };
    Atomic<u64> m_object_count { 0 };  // changed by the sync thread
    Atomic<u64> m_used_blocks { 0 };   // changed by the sync thread

    RwLock m_table_lock { LCPFS_RANK_object_table };
    Tree m_objects;
    Tree m_orphans;
    WrittenList m_objects_written;     // sync thread
    WrittenList m_orphans_written;     // sync thread
    u8* m_record_buffer { nullptr };   // sync thread, k_max_record_bytes

    HashShard m_shards[k_hash_shards];
    Object** m_buckets { nullptr };    // a bucket belongs to the shard of its ids
    u32 m_bucket_count { 0 };          // a multiple of k_hash_shards
    host_pool* m_versions { nullptr };

    SpinLock m_dirty_lock { LCPFS_RANK_txg_state };
    DirtyList m_dirty[4];              // by txg & 3; m_dirty_lock while the group is open, then the sync thread's
    DirtyList m_syncing;               // sync thread: written, not settled
};

}
