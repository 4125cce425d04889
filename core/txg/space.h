// SPDX-License-Identifier: GPL-2.0-only
// Space: promises of space, so that running out is found before anything changes (invariant 6).
//
// available = free blocks - promised - what the dirty metadata will take - slop
//
// `promised` are data blocks of dirty pages, each with an eighth of a block for its metadata, and the worst case of
// operations under way. Dirty metadata is charged as it comes to be, per group, by what its commit may allocate at most:
//   - dirty nodes: TreeContext::dirty_bytes
//   - each changed object: a leaf of the object table, a neighbour that it may be merged with, and the nodes above them; all
//     together no more than the table has nodes. A new object's record goes to the end of the table, beside those of other new
//     ones: its bytes, twice.
//   - each run of blocks that becomes shared or is dropped by one of those who share: two leaves of the share table and the nodes above
//     them, all together no more than the table has, and two new entries
//   - what every group writes: the pool tree with the entries of partitions, the metaslab table, and of each dataset changed
//     the table's root and the ends of the orphan tree
// times copies. A group's charge for objects passes over to dirty_bytes as its sync enters them into the table.
// Slop is what sync and writeback may run into beyond estimates, and what removals live on: total/32, at least 8 MiB, at most
// an eighth. Removals, and changes that take no space in the end, may use three quarters of it. Cutting a file that shares its blocks
// may give nothing back and takes what the cut edges need: it leaves the half of it, so that removing is always possible.
//
// When a promise does not fit, a commit is forced: what was freed becomes free, estimates become facts. That goes on
// while it can help. What cannot be is known from the last commit: `free + deferred` as it left them is all that
// can be free until something is freed, since rewriting metadata gives back what it takes; less what others are guaranteed,
// as that is now. So a full pool refuses at once, without a commit, until something was removed, overwritten or given
// back (gains). Removals and changes wait until they fit; they are refused only if they would not fit were nothing else under
// way, which the slop prevents.
//
// Partitions. Data belongs to one, and is promised twice: out of the pool, as above, and out of the free blocks of its
// partition's metaslabs (alloc/owners.h). When those do not do, the partition is grown at once (set_grow): into what nobody has,
// then into what others have beyond their minimum and do not use. One without a maximum may also use what lies free in shared
// metaslabs. What others are guaranteed and have not used yet counts as taken, for data as for metadata.
// When a partition cannot grow, commits are forced while they can give something back: while blocks of it are deferred,
// or something of it was freed since the last commit that was waited for so. A writer at its maximum that frees nothing is refused at
// once, and costs others nothing.
//
// Where there is plenty, promises are made in advance (m_credit): a promise takes its units out of those, which have been counted with
// `promised` already. What an operation has used is not given back to them, so that after some hundred operations all is looked at
// again: how much is free, how much dirty metadata there is, whether writers have to be slowed down. When a promise does not
// fit, what is left of them is given up first.
//
// Lock-free, but for two numbers of the last failure, read only on the way to a further one.
#pragma once

#include "core/tree/tree.h"
#include "core/txg/space_log.h"
#include "core/txg/txg_engine.h"

namespace lcpfs {

// Promises are kept in eighths of a block.
constexpr u64 k_promise_unit = 8;
constexpr u64 promise_for_data(u64 blocks) { return blocks * (k_promise_unit + 1); }

class Space {
public:
    Space(Allocator& allocator, TreeContext& trees, TxgEngine& engine, SpaceLog& log, u64 dirty_limit_bytes);

    // What for: taking space; changing without taking any in the end (attributes, entering what was promised before);
    // giving some back, or nothing of what others share; giving some back for sure.
    enum class For : u8 { growth, change, cut, removal };
    // Promises that outlive an operation: dirty data. Sleepable; waits for commits: no core lock, no hold.
    Status promise(u64 units, For what) { return promise_for(k_nobody, units, what); }
    void release(u64 units) { m_promised.sub(units); }
    // Data of a partition, with what it takes of metadata.
    Status promise_data(OwnerSlot owner, u64 blocks);
    void release_data(OwnerSlot owner, u64 blocks);
    // Of data that goes to blocks the file has already: it takes none, so that nothing can refuse it. Until it is released others find
    // that much less room.
    void promise_backed(OwnerSlot owner, u64 blocks);
    // The same for data that is moved within its partition: waits for no commit and grows nothing. no_space.
    Status promise_move(OwnerSlot owner, u64 blocks);
    // Makes a partition at least so much larger. no_space: that cannot be. Waits for neither I/O nor commits. Once, before the first
    // operation.
    using Grow = Status (*)(void* context, OwnerSlot owner, u64 blocks);
    void set_grow(Grow grow, void* context)
    {
        m_grow = grow;
        m_grow_context = context;
    }
    // Promises of operations under way, see ScopedPromise. The quick way is open while there is plenty and nobody has to be slowed down.
    bool begin_quickly(u64 units);
    Status begin_operation(u64 units, For what, OwnerSlot owner = k_nobody);
    void end_operation(u64 units, For what);
    // The worst case of one operation on names or attributes, in units.
    u64 operation_units() const { return 16 * node_units(); }
    // The worst case of entering written data into one place of a file.
    u64 write_units() const { return 8 * node_units(); }
    // The worst case of that many runs becoming shared or being dropped, as large as the share table is now.
    u64 share_units(u64 runs) const { return share_nodes(runs) * node_units(); }

    // A log is being replayed: what it did was promised before the crash, and no commit can be waited for. Opening only.
    void set_replaying(bool replaying) { m_replaying = replaying; }
    bool is_replaying() const { return m_replaying; }

    // What else is in memory until its group has committed, of the layers above: whether it is more than `times` its limit. Once,
    // before the first operation; called in any sleepable context.
    using Kept = bool (*)(void* context, u32 times);
    void set_kept(Kept kept, void* context)
    {
        m_kept = kept;
        m_kept_context = context;
    }
    // Makes a modifier wait when changes come in faster than they get synced. Same context as promise.
    void throttle();
    bool is_group_full() const;

    // An object is dirty in `txg` for the first time. `is_new`: no group before entered it into the table.
    void object_dirtied(TxgId txg, bool is_new);
    // Sync thread: its record is in the (dirty) table.
    void object_entered(TxgId txg, bool is_new);
    // A dataset has something to write in `txg`, for the first time; sync thread: it has been entered.
    void dataset_dirtied(TxgId txg) { m_dirty_datasets[txg.value() & 3].add(1); }
    void dataset_entered(TxgId txg) { m_dirty_datasets[txg.value() & 3].sub(1); }
    // Sync thread, and before the first group: how large the object tables are, all taken for one: the largest height, and the
    // children of all roots.
    void set_table_shape(const TreeShape& shape) { m_table.set(shape); }
    // The same of the share table.
    void set_share_shape(const TreeShape& shape) { m_shares.set(shape); }
    // How large the entries of partitions in the pool tree are, all of which a group may rewrite.
    void set_partition_entries(u64 bytes)
    {
        m_partition_nodes.store_relaxed((2 * bytes + m_trees.cache.node_bytes() - 1) / m_trees.cache.node_bytes());
    }
    // Sync thread: a group has committed, and what could be released was.
    void committed();

    u64 slop_blocks() const { return m_slop_blocks; }
    u64 promised_blocks() const; // with dirty metadata
    u64 available_blocks() const; // for growth; operations under way do not count
    // What commits of the groups not yet synced may allocate for the objects changed in them, copies and all.
    u64 object_blocks() const;
    // With what their groups take besides: exactly, and the quick bound that is tried first.
    u64 metadata_blocks() const { return metadata_blocks(dirty()); }
    u64 metadata_blocks_at_most() const { return metadata_blocks(dirty_at_most()); }

    // Dirty metadata that a group may have before it is closed early. Any context.
    u64 dirty_limit_bytes() const { return m_dirty_limit_bytes.load_relaxed(); }
    void set_dirty_limit(u64 bytes) { m_dirty_limit_bytes.store(bytes); }

private:
    static constexpr u64 k_object_memory_bytes = 2048;
    // Two entries of the share table, in leaves that are half full.
    static constexpr u64 k_new_share_bytes = 128;
    // The part of a record outside its tree, with its slot and key, in a leaf that is half full.
    static constexpr u64 k_new_object_bytes = 512;
    static constexpr u32 k_patience = 10; // commits that one growing operation waits for
    // Promised in advance at most, 64 MiB, and of what there is.
    static constexpr u64 k_most_credit = (64ull << 20) / k_block_size * k_promise_unit;
    static constexpr u64 k_credit_share = 16;

    struct Dirty {
        u64 objects { 0 }, new_objects { 0 }; // of all groups
        u64 blocks { 0 };                     // what they take
        u64 fixed_blocks { 0 };               // what their groups take besides
    };
    Dirty dirty() const;
    Dirty dirty_at_most() const;
    u64 available_beside(const Dirty& dirty) const;
    u64 node_units() const { return u64(m_trees.cache.node_blocks()) * m_trees.copies * k_promise_unit; }
    struct Shape {
        Atomic<u64> height { 1 }, root_count { 1 };
        void set(const TreeShape& shape)
        {
            height.store_relaxed(shape.height);
            root_count.store_relaxed(shape.root_count);
        }
    };
    u64 table_nodes(const Shape& shape, u64 leaves, u64 new_leaves, u64 tables) const;
    u64 share_nodes(u64 runs) const;
    u64 metadata_blocks(const Dirty& dirty) const;
    u64 kept_blocks(For what) const
    {
        if (what == For::growth)
            return m_slop_blocks;
        return what == For::cut ? m_slop_blocks / 2 : m_slop_blocks / 4;
    }
    Status promise_for(OwnerSlot owner, u64 units, For what);
    bool try_promise(OwnerSlot owner, u64 units, For what);
    bool try_promise_beside(const Dirty& dirty, OwnerSlot owner, u64 units, For what);
    bool is_kept_full() const { return m_kept && m_kept(m_kept_context, 1); }
    bool take_credit(u64 units);
    bool add_credit_beside(const Dirty& dirty);
    bool drop_credit();
    // Without what nobody has taken of the credit.
    u64 promised_units() const
    {
        const u64 credit = m_credit.load();
        const u64 promised = m_promised.load();
        return promised - min(promised, credit);
    }
    Status wait_for_promise(OwnerSlot owner, u64 units, For what);
    Status promise_in(OwnerSlot owner, u64 blocks);
    bool try_promise_in(OwnerSlot owner, u64 blocks);
    // Everything ever given back, as a number that changes with it.
    u64 gains() const;
    bool is_known_full(OwnerSlot owner, u64 units, For what);
    bool is_beyond(u32 times) const;
    bool is_beyond(u32 times, const Dirty& dirty) const;

    Allocator& m_allocator;
    TreeContext& m_trees;
    TxgEngine& m_engine;
    SpaceLog& m_log;
    Atomic<u64> m_dirty_limit_bytes;
    u64 m_slop_blocks;
    u64 m_fixed_nodes;
    Grow m_grow { nullptr };
    void* m_grow_context { nullptr };
    Kept m_kept { nullptr };
    void* m_kept_context { nullptr };
    Atomic<u64> m_promised { 0 };
    bool m_replaying { false };
    Atomic<u64> m_credit { 0 };        // part of m_promised: in advance
    Atomic<u8> m_is_look_due { 1 };    // the credit has been used up since a group was last found not to be full
    Atomic<u64> m_in_operations { 0 }; // part of m_promised
    Atomic<u64> m_dirty_objects[4];    // by txg & 3
    Atomic<u64> m_new_objects[4];
    Atomic<u64> m_dirty_datasets[4];
    Shape m_table, m_shares;
    Atomic<u64> m_partition_nodes { 0 };
    Atomic<u64> m_removals { 0 };      // that have ended
    Atomic<u64> m_clean_blocks { 0 };  // free + deferred when the last group had committed

    SpinLock m_lock { LCPFS_RANK_txg_state };
    u64 m_known_gains GUARDED_BY(m_lock) { ~0ull }; // when m_known_blocks was all there was
    u64 m_known_blocks GUARDED_BY(m_lock) { 0 };
};

// A promise for the length of an operation, made after throttling. Taken once.
class ScopedPromise {
public:
    // `owner`: of the data that it is about, which may use what is guaranteed to its partition.
    explicit ScopedPromise(Space& space, OwnerSlot owner = k_nobody) : m_space(space), m_owner(owner) {}
    ~ScopedPromise()
    {
        if (m_units)
            m_space.end_operation(m_units, m_what);
    }
    ScopedPromise(const ScopedPromise&) = delete;
    Status take(u64 units, Space::For what)
    {
        if (!m_space.begin_quickly(units)) {
            m_space.throttle();
            TRY(m_space.begin_operation(units, what, m_owner));
        }
        m_units = units;
        m_what = what;
        return {};
    }

private:
    Space& m_space;
    OwnerSlot m_owner;
    u64 m_units { 0 };
    Space::For m_what { Space::For::growth };
};

}
