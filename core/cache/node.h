// SPDX-License-Identifier: GPL-2.0-only
// Node: one tree node in memory.
//
// A node is made in one transaction group (birth) and may change only while that group is open, under the
// exclusive lock of its tree. After that it is immutable: the next group changes a copy. It reaches disk when its
// group syncs, gets its pointer then, and from the end of that sync on lives in the NodeCache like a node that was read.
//
// Above level 0 a child that has no place on disk yet is held by reference in `children`; all others are
// reached by the pointer in the item's value. References are replaced by pointers when the sync is over (Tree::settle).
//
// Locking: m_state, m_pointer and the page belong to the tree's lock as above; the link members each to the list
// named beside them; the reference count is atomic.
#pragma once

#include "core/base/list.h"
#include "core/cache/node_page.h"
#include "core/format/address.h"
#include "core/host/memory.h"

namespace lcpfs {

class NodeCache;

class Node : public RefCounted<Node> {
public:
    enum class State : u8 {
        dirty,   // not on disk; page may change while its group is open
        written, // given its place by the sync that is under way
        clean,   // on disk
    };

    NodePage& page() { return m_page; }
    const NodePage& page() const { return m_page; }
    u8 level() const { return m_page.level(); }
    TxgId birth() const { return m_birth; }
    State state() const { return static_cast<State>(m_state.load_acquire()); }
    const NodePointer& pointer() const { return m_pointer; }
    Node* child(u32 i) const { return m_children ? m_children[i] : nullptr; }

    // Child references move together with the items; see Tree.
    void set_child(u32 i, Ref<Node> node);
    void insert_child(u32 i, Ref<Node> node); // before the item is inserted: count() is the old one
    void remove_child(u32 i);                 // before the item is removed
    // Its place on disk; the checksum comes with mark_written.
    void set_place(const NodePointer& pointer) { m_pointer = pointer; }
    void mark_written(const NodePointer& pointer);
    void mark_clean() { set_state(State::clean); }

    void last_reference_dropped();

    ListLink m_dead_link;    // Tree::m_dead of the group that replaced it
    ListLink m_written_link; // list of nodes written by the sync under way
    ListLink m_cache_link;   // NodeCache shard, its lock
    Node* m_hash_next { nullptr };
    bool m_cached { false };          // in the hash: shard lock
    Atomic<u8> m_touched { 0 };       // second chance before eviction

private:
    friend class NodeCache;
    // What of it came from the kit and goes back there.
    enum KitPart : u8 { k_kit_node = 1, k_kit_page = 2, k_kit_children = 4 };
    Node(NodeCache& cache, TxgId birth, State state) : m_cache(cache), m_birth(birth), m_state(static_cast<u8>(state)) {}

    void set_state(State state) { m_state.store_release(static_cast<u8>(state)); }

    NodeCache& m_cache;
    NodePage m_page;
    Node** m_children { nullptr };
    NodePointer m_pointer;
    TxgId m_birth;
    Atomic<u8> m_state;
    u8 m_kit_parts { 0 };
};

}
