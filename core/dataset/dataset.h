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
//
// The head (DatasetHead) is changed by whoever has the lock of Datasets, under a hold of the group, which `touch` tells; the sync
// thread writes it with the group, or with the one before, if it is still to come: that shows a change that has been issued.
//
// How new data is written (DataWays) is what the head says, or what a mount says instead for as long as it lasts. Writers read it as one
// word. What is there already stays as it was written: each extent says for itself how.
#pragma once

#include "core/codec/compression.h"
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
    ChecksumKind data_checksum { ChecksumKind::crc32c }; // of those that do not say
    // What the datasets of a pool share; Datasets has it.
    host_pool* versions { nullptr };
    RwLock* head_lock { nullptr };
    u8* record_buffer { nullptr }; // the sync thread's, k_max_record_bytes
};

// How new data of a dataset is written.
struct DataWays {
    CompressionChoice compression;
    ChecksumKind checksum { ChecksumKind::none }; // of a head or a mount: the pool's, or what the head says
};

// What a dataset is called and how it is to be used.
struct DatasetHead {
    u8 name[k_pool_name_bytes] {}; // NUL-terminated
    u32 flags { 0 };               // k_dataset_*
    SyncMode sync { SyncMode::standard };
    LogBias log_bias { LogBias::latency };
    DataWays ways;
    u64 partition { 0 };

    StringView text() const { return StringView(reinterpret_cast<const char*>(name)); }
    void set_name(StringView text)
    {
        zero_bytes(name, sizeof(name));
        copy_bytes(name, text.data(), min(text.size(), sizeof(name) - 1));
    }
    bool is_destroying() const { return flags & k_dataset_destroying; }
    // dataset_damaged for anything out of form.
    template <typename Disk> // DiskDataset, DiskLogDataset
    static Result<DatasetHead> decode(const Disk& disk)
    {
        DatasetHead head;
        copy_bytes(head.name, disk.name, sizeof(head.name));
        VERIFY_DISK(head.name[sizeof(head.name) - 1] == 0 && is_dataset_name(head.text()), dataset_damaged);
        head.flags = disk.flags.get();
        VERIFY_DISK((head.flags & ~k_known_dataset_flags) == 0, dataset_damaged);
        VERIFY_DISK(disk.sync <= static_cast<u8>(SyncMode::disabled), dataset_damaged);
        VERIFY_DISK(disk.log_bias <= static_cast<u8>(LogBias::throughput), dataset_damaged);
        head.sync = static_cast<SyncMode>(disk.sync);
        head.log_bias = static_cast<LogBias>(disk.log_bias);
        head.ways.compression = { static_cast<Encoding>(disk.compression % 16), static_cast<u8>(disk.compression / 16) };
        VERIFY_DISK(is_choice(head.ways.compression.encoding, head.ways.compression.level), dataset_damaged);
        VERIFY_DISK(disk.checksum <= static_cast<u8>(ChecksumKind::sha256), dataset_damaged);
        head.ways.checksum = static_cast<ChecksumKind>(disk.checksum);
        head.partition = disk.partition.get();
        return head;
    }
    template <typename Disk>
    void encode(Disk& disk) const
    {
        copy_bytes(disk.name, name, sizeof(name));
        disk.flags.set(flags);
        disk.sync = static_cast<u8>(sync);
        disk.log_bias = static_cast<u8>(log_bias);
        disk.compression = static_cast<u8>(static_cast<u32>(ways.compression.encoding) + 16u * ways.compression.level);
        disk.checksum = static_cast<u8>(ways.checksum);
        disk.partition.set(partition);
    }
};

class Dataset {
public:
    static Result<Box<Dataset>> create(const DatasetHost& host, DatasetId id);
    ~Dataset();

    // A new one, that nobody knows yet: its head and its root directory, which still has to be filled (fill_root).
    Result<Ref<Object>> start_new(const DatasetHead& head, const DiskGuid& hash_seed);
    // Its root directory comes to be in `txg`, and so does the dataset. It has to be in the list of Datasets, or to enter it under the
    // same hold. `root`'s lock exclusive.
    Status fill_root(Object& object, TxgId txg, const ObjectAttributes& root) REQUIRES(object.m_lock);
    // From its record. dataset_damaged: the record is malformed, or an object beyond what it says was ever given out.
    Status load(const DiskDataset& record);

    DatasetId id() const { return m_id; }
    DatasetHost& host() { return m_host; }
    const DiskGuid& hash_seed() const { return m_hash_seed; }
    u64 object_count() const { return m_object_count.load_relaxed(); }
    u64 used_blocks() const { return m_used_blocks.load_relaxed(); }
    u64 next_object() const { return m_next_object.load_relaxed(); }
    u64 created_txg() const { return m_created_txg; }

    // Whose metaslabs its data goes to.
    OwnerSlot owner() const { return OwnerSlot(m_owner.load_relaxed()); }
    // Of data written from now on. Any thread.
    DataWays data_ways() const
    {
        const u32 word = m_ways.load_relaxed();
        return { { static_cast<Encoding>(word & 0xff), static_cast<u8>(word >> 8) }, static_cast<ChecksumKind>(word >> 16) };
    }
    // The lock of Datasets.
    const DatasetHead& head() const { return m_head; }
    void set_head(const DatasetHead& head)
    {
        m_head = head;
        settle_ways();
    }
    // What a mount says of it, until it says nothing more. The lock of Datasets.
    struct MountWays {
        bool has_compression { false }, has_checksum { false };
        DataWays ways;
    };
    void set_mount_ways(const MountWays& mount)
    {
        m_mount_ways = mount;
        settle_ways();
    }
    const MountWays& mount_ways() const { return m_mount_ways; }
    // What is wrong with its record: it cannot be used. Others can.
    Error damage() const { return m_damage; }
    void set_damage(Error error) { m_damage = error; }
    // Mounts and others that have it by name. Raised under the lock of Datasets.
    u32 users() const { return m_users.load(); }
    void add_user() { m_users.add(1); }
    void drop_user() { m_users.sub(1); }
    // It was destroyed, and its entry is not in the pool tree of the last committed group any more.
    bool is_gone() const { return m_is_gone.load() != 0; }
    // The head changes in `txg`, which is held.
    void touch(TxgId txg);

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
    // The first object of the table at or after `from`. False: none.
    Result<bool> next_object(ObjectId from, ObjectId& found);

    // ---- sync thread
    // Writes all objects that `txg` changed and updates the tables. Then the trees of the tables themselves and the record
    // for the pool tree (sizeof(DiskDataset)); `changed` false when nothing needed writing.
    // `ends`: the last object of a dataset that is being destroyed is gone; its record has to go with this group.
    Status sync(TxgId txg, TreeWriter& writer, DiskDataset& record, bool& changed, bool& ends);
    TreeShape table_shape() const { return m_shape; }
    // The record as it is now but for the roots of trees that are dirty.
    void describe(DiskDataset& record, const DatasetHead& head) const;
    // After everything of `txg` is on disk.
    void settle(TxgId txg);

    ListLink m_link; // of Datasets, its lock

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
    bool take_touch(TxgId txg);
    void find_owner();
    void settle_ways();
    Status drop_orphan_list(TxgId txg);
    Status write_tables(TxgId txg, TreeWriter& writer, DiskDataset& record);
    Result<bool> next_key(Tree& tree, ObjectId from, ObjectId& found) REQUIRES_SHARED(m_table_lock);
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
    struct WrittenRoots {
        NodePointer body, xattrs; // null: in the record, or nothing
    };
    RecordRoot record_root(TreeKind kind, const TreeVersion& version, const NodePointer& pointer, MutableBytes room);
    Status update_table(Object& object, TxgId txg, const ObjectVersion& version, const WrittenRoots& written);
    void count_object(int more, Object& object, u64 blocks);
    Status update_orphans(Object& object, TxgId txg, bool is_orphan);

    DatasetHost m_host;
    DatasetId m_id;
    DiskGuid m_hash_seed {};
    u64 m_generation_seed { 0 };
    DatasetHead m_head;                // the lock of Datasets
    MountWays m_mount_ways;            // the lock of Datasets
    Atomic<u32> m_ways { 0 };          // DataWays, by the two
    Error m_damage { Error::none };    // set at opening
    u64 m_created_txg { 0 };
    Atomic<u32> m_users { 0 };
    Atomic<u8> m_is_gone { 0 };
    Atomic<u8> m_owner { k_default_owner.value() }; // by the head, when it is made or loaded
    Atomic<u8> m_touched[4];           // by txg & 3: the head has changed
    TreeShape m_shape;                 // sync thread
    bool m_ends { false };             // sync thread: with the group being synced
    Atomic<u64> m_next_object { k_first_free_object };
    Atomic<u64> m_object_count { 0 };  // changed by the sync thread
    Atomic<u64> m_used_blocks { 0 };   // changed by the sync thread

    RwLock m_table_lock { LCPFS_RANK_object_table };
    Tree m_objects;
    Tree m_orphans;
    WrittenList m_objects_written;     // sync thread
    WrittenList m_orphans_written;     // sync thread

    HashShard m_shards[k_hash_shards];
    Object** m_buckets { nullptr };    // a bucket belongs to the shard of its ids
    u32 m_bucket_count { 0 };          // a multiple of k_hash_shards

    SpinLock m_dirty_lock { LCPFS_RANK_txg_state };
    DirtyList m_dirty[4];              // by txg & 3; m_dirty_lock while the group is open, then the sync thread's
    DirtyList m_syncing;               // sync thread: written, not settled
};

}
