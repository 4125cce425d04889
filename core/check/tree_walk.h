// SPDX-License-Identifier: GPL-2.0-only
// TreeWalk: every node and item of one tree on disk, past the cache and without the Tree's help: each copy of each
// node is read and verified, and the order of keys is checked across nodes too.
//
// A part that cannot be read is told to the visitor and left out; the walk goes on beside it. Levels fall with every step
// down, so a walk ends on any bytes; `node` refusing keeps it from going over shared nodes again and again.
#pragma once

#include "core/cache/node_page.h"
#include "core/format/address.h"
#include "core/vdev/vdev_set.h"

namespace lcpfs {

class TreeVisitor {
public:
    // A node about to be read. False: do not look at it.
    virtual bool node(const NodePointer&, const TreeOwner&) { return true; }
    // What is wrong with a node: `copy` of it, or all of it (k_max_copies).
    virtual void damage(const NodePointer&, const TreeOwner&, u32 /*copy*/, Error) { }
    // The same, once another copy has been found whole, here in `good`.
    virtual void bad_copy(const NodePointer&, u32 /*copy*/, Bytes /*good*/) { }
    // An error ends the walk.
    virtual Status item(Bytes /*key*/, Bytes /*value*/) { return {}; }

protected:
    ~TreeVisitor() = default;
};

class TreeWalk {
public:
    static Result<Box<TreeWalk>> create(VdevSet& vdevs, u32 node_bytes);
    ~TreeWalk();

    Status walk(const NodePointer& root, const TreeOwner& owner, TreeVisitor& visitor);

private:
    struct Level {
        u8* buffer { nullptr };
        NodePage page;
        TxgId birth;
        u32 index { 0 };
        Bytes lower, upper; // keys of this node are in [lower, upper); empty upper: no end
    };
    TreeWalk(VdevSet& vdevs, u32 node_bytes) : m_vdevs(vdevs), m_node_bytes(node_bytes) {}
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);
    Status read_copy(const NodePointer& pointer, u32 copy, const TreeOwner& owner, u8* buffer);
    // False: cannot be looked at, and the visitor knows.
    Result<bool> enter(const NodePointer& pointer, const TreeOwner& owner, Bytes lower, Bytes upper, TreeVisitor& visitor);
    Result<bool> enter_child(Level& parent, u32 level, const TreeOwner& owner, TreeVisitor& visitor);

    VdevSet& m_vdevs;
    u32 m_node_bytes;
    host_pool* m_pool { nullptr };
    u8* m_scratch { nullptr };
    Level m_levels[k_max_tree_height];
};

// Items of an inline root (node_format.h): calls with (key, value). node_damaged when they are malformed.
template <typename Body>
Status walk_inline(Bytes items, Body body)
{
    VERIFY_DISK(items.size() >= 2, node_damaged);
    const u32 count = u32(items[0]) | u32(items[1]) << 8;
    size_t at = 2;
    for (u32 i = 0; i < count; i++) {
        VERIFY_DISK(at + 4 <= items.size(), node_damaged);
        const u32 key_bytes = u32(items[at]) | u32(items[at + 1]) << 8;
        const u32 value_bytes = u32(items[at + 2]) | u32(items[at + 3]) << 8;
        at += 4;
        VERIFY_DISK(key_bytes > 0 && at + key_bytes + value_bytes <= items.size(), node_damaged);
        TRY(body(items.slice(at, key_bytes), items.slice(at + key_bytes, value_bytes)));
        at += key_bytes + value_bytes;
    }
    VERIFY_DISK(at == items.size(), node_damaged);
    return {};
}

}
