// SPDX-License-Identifier: GPL-2.0-only
// Object: one inode in memory, with its tree and its versions.
//
// Current state is changed under m_lock exclusively, by holders of the open group, after prepare_change(txg). When an older
// group's state has not been taken by its sync yet, prepare_change keeps it as a closed version first (at most two can be
// outstanding). Sync takes each group's version, writes it, and settles the tree.
//
// Lifetime: counted. The dataset's hash holds no reference; being dirty in a group does. So an object that is in memory only because
// nobody dropped it is clean, and its record in the object table is the truth.
#pragma once

#include "core/codec/compression.h"
#include "core/host/locks.h"
#include "core/object/record.h"
#include "core/tree/tree.h"

namespace lcpfs {

class Dataset;
class Object;
class SpareVersion;
struct WriteOperation;

// The extended attributes of an object that has some, or had. Made under its lock, and there until it goes.
struct ObjectXattrs {
    ObjectXattrs(TreeContext& trees, const TreeOwner& owner) : tree(trees, owner, Must::may_fail) {}
    ~ObjectXattrs();

    Tree tree;           // the object's lock
    WrittenList written; // sync thread
};

struct ObjectVersion {
    TxgId txg;
    ObjectAttributes attributes;
    TreeVersion tree;
    TreeVersion xattrs;
    ObjectXattrs* xattrs_of { nullptr }; // what `xattrs` is a version of: null when there never were any
    bool deleted { false };
};

// Blocks that somebody writes in place (fs/in_place.h).
struct InPlaceWrite {
    ListLink link;
    u64 first_block { 0 };
    u32 block_count { 0 };
};

class Object : public RefCounted<Object> {
public:
    Object(Dataset& dataset, ObjectId id, TreeContext& trees, TreeKind kind);
    ~Object();

    // Fills a fresh object, which nobody else knows yet, from its record.
    Status start(const ObjectAttributes& attributes, const RecordRoots& roots);

    Dataset& dataset() { return m_dataset; }
    const Dataset& dataset() const { return m_dataset; }
    ObjectId id() const { return m_id; }

    // Before changing anything in `txg`, the tree's prepare_* included: keeps what an older group still has to write,
    // enters the group's list. no_memory, nothing changed; never with a spare. read_only
    // when the pool turned so after the operation had begun. m_lock exclusive, `txg` held.
    Status prepare_change(TxgId txg, SpareVersion* spare = nullptr) REQUIRES(m_lock);
    // Group in which it was last changed (0: not since it was loaded). For object_sync.
    TxgId newest_change() const { return TxgId(m_dirty_txg.load()); }

    // Has blocks that stand in the share table, or may have at any moment: data is compressed as it is written.
    bool may_have_shares() const REQUIRES_SHARED(m_lock);
    // How data written to it now is compressed.
    CompressionChoice compression() const REQUIRES_SHARED(m_lock);

    // What a write that begins goes by. Without the lock: who changes it while others write comes before them or after them as well as not.
    struct Ways {
        bool may_have_shares, has_unwritten;
        CompressionChoice compression;
    };
    Ways ways_now() const NO_THREAD_SAFETY_ANALYSIS;
    bool has_unwritten_now() const NO_THREAD_SAFETY_ANALYSIS
    {
        return __atomic_load_n(&m_attributes.state, __ATOMIC_RELAXED) & k_object_has_unwritten;
    }

    // The tree of extended attributes, made if there is none.
    Result<Tree*> make_xattrs() REQUIRES(m_lock);
    bool has_xattrs() const REQUIRES_SHARED(m_lock) { return m_xattrs && !m_xattrs->tree.is_empty(); }

    // Sync thread: the state that group `txg` closed with. Takes m_lock.
    ObjectVersion take_version(TxgId txg);

    RwLock m_lock { LCPFS_RANK_object };
    ObjectAttributes m_attributes GUARDED_BY(m_lock);
    Tree m_tree GUARDED_BY(m_lock);
    Box<ObjectXattrs> m_xattrs GUARDED_BY(m_lock); // null: has none
    bool m_deleted GUARDED_BY(m_lock) { false };
    // Extents whose data only the log has (DelayedWrites): raised under m_lock.
    Atomic<u32> m_delayed_writes { 0 };
    List<InPlaceWrite, &InPlaceWrite::link> m_in_place GUARDED_BY(m_lock);
    Atomic<u32> m_in_place_writes { 0 }; // in that list: to be waited for without the lock
    // Writes whose data is on disk and that wait to be entered, the last one first (core/fs/file_write.cc).
    Atomic<WriteOperation*> m_to_enter { nullptr };

    void last_reference_dropped();

private:
    friend class Dataset;
    void drop_version(ObjectVersion* version);
    void fill_version(ObjectVersion& version, TxgId txg) REQUIRES_SHARED(m_lock);
    struct DirtyEntry {
        ListLink link;
        Object* object;
        bool is_new; // in this group for the first time at all
    };

    Dataset& m_dataset;
    ObjectId m_id;
    Atomic<u64> m_dirty_txg { 0 };
    bool m_is_new GUARDED_BY(m_lock) { true }; // neither loaded nor changed yet
    bool m_version_taken GUARDED_BY(m_lock) { false };
    ObjectVersion* m_closed[2] GUARDED_BY(m_lock) {}; // older first, from the dataset's pool
    DirtyEntry m_dirty[4];              // by txg & 3: the dataset's lists, its lock
    Object* m_hash_next { nullptr };    // the dataset's hash, its lock
    WrittenList m_written;              // sync thread
    bool m_in_table { false };          // sync thread: there is a record
    u32 m_table_bytes { 0 };            // sync thread: of this size
    bool m_is_orphan { false };         // sync thread: it is in the orphan tree
    u64 m_table_blocks { 0 };           // sync thread: blocks as the record has them
};

// Room for one version, had before any lock is taken: from a reserve that commits give back to.
class SpareVersion {
public:
    explicit SpareVersion(Dataset& dataset); // sleepable, waits: no core lock, no hold
    ~SpareVersion();
    SpareVersion(const SpareVersion&) = delete;

private:
    friend class Object;
    Dataset& m_dataset;
    void* m_room;
};

}
