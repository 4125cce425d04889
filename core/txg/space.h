// SPDX-License-Identifier: GPL-2.0-only
// Space: promises of space, so that running out is found before anything changes (invariant 6).
//
// available = free blocks - promised - what the dirty metadata will take - slop
//
// `promised` are data blocks of dirty pages, each with an eighth of a block for its metadata, and the worst case of
// operations under way. Dirty metadata is charged as it comes to be: TreeContext::dirty_bytes times
// copies, and k_object_charge_bytes per changed object. Slop is what sync and writeback may run into beyond
// estimates, and what removals live on: total/32, at least 8 MiB, at most an eighth. Removals may use three quarters of it.
//
// When a promise does not fit, groups are committed (what was freed becomes free, estimates become facts), then
// it is tried again; no_space only when two further commits in a row did not help.
#pragma once

#include "core/tree/tree.h"
#include "core/txg/txg_engine.h"

namespace lcpfs {

// Promises are kept in eighths of a block.
constexpr u64 k_promise_unit = 8;
constexpr u64 promise_for_data(u64 blocks) { return blocks * (k_promise_unit + 1); }

class Space {
public:
    Space(Allocator& allocator, TreeContext& trees, TxgEngine& engine, u64 dirty_limit_bytes);

    enum class For : u8 { growth, removal };
    // Sleepable; waits for commits: no core lock, no hold.
    Status promise(u64 units, For what);
    void release(u64 units) { m_promised.sub(units); }
    // The worst case of one operation on names or attributes, in units.
    u64 operation_units() const { return u64(16) * m_trees.cache.node_blocks() * m_trees.copies * k_promise_unit; }

    // Makes a modifier wait when metadata comes in faster than it gets synced. Same context as promise.
    void throttle();
    bool is_group_full() const;

    void object_dirtied() { m_dirty_objects.add(1); }
    void object_synced() { m_dirty_objects.sub(1); }

    u64 slop_blocks() const { return m_slop_blocks; }
    u64 promised_blocks() const;
    u64 available_blocks() const; // for growth

private:
    static constexpr u64 k_object_charge_bytes = 2048;
    bool fits(u64 units, For what) const;
    u64 dirty_limit() const;

    Allocator& m_allocator;
    TreeContext& m_trees;
    TxgEngine& m_engine;
    u64 m_dirty_limit_bytes;
    u64 m_slop_blocks;
    Atomic<u64> m_promised { 0 };
    Atomic<u64> m_dirty_objects { 0 };
};

// A promise for the length of a scope.
class ScopedPromise {
public:
    explicit ScopedPromise(Space& space) : m_space(space) {}
    ~ScopedPromise() { m_space.release(m_units); }
    ScopedPromise(const ScopedPromise&) = delete;
    Status take(u64 units, Space::For what)
    {
        m_space.throttle();
        TRY(m_space.promise(units, what));
        m_units += units;
        return {};
    }

private:
    Space& m_space;
    u64 m_units { 0 };
};

}
