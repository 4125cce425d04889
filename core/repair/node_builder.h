// SPDX-License-Identifier: GPL-2.0-only
// NodeBuilder: a tree written from its items in the order of their keys, bottom-up, each node full before the next is begun.
//
// One node per level in memory. Nodes are written as they fill, each copy to its place in the RepairRoom, and waited for; nothing reaches
// them until a group is committed that says so. One builder makes one tree after another.
#pragma once

#include "core/object/record.h"
#include "core/repair/room.h"

namespace lcpfs {

class NodeBuilder {
public:
    // Nodes are born in `txg`.
    static Result<Box<NodeBuilder>> create(Pool& pool, RepairRoom& room, TxgId txg);
    ~NodeBuilder();

    void begin(const TreeOwner& owner);
    // False: the key is not above the last one, or there is no such item in any tree; it was left out. Else errors of writing, no_space.
    Result<bool> add(Bytes key, Bytes value);
    u64 count() const { return m_count; }
    // The tree's root; null when it has no items.
    Result<NodePointer> finish();
    // The same as a record has it: a small tree stands in it. The items are good until the next begin().
    Result<RecordRoot> finish_root();

private:
    NodeBuilder(Pool& pool, RepairRoom& room, TxgId txg) : m_pool(pool), m_room(room), m_txg(txg) {}
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);
    struct Level {
        u8* buffer { nullptr };
        NodePage page;
        bool is_open { false };
        u32 low_bytes { 0 };
        u8 low[k_max_key_bytes]; // lowest key below the node
    };
    Status put(u32 level, Bytes key, Bytes value);
    Result<NodePointer> write(u32 level);
    Status close(u32 level);

    Pool& m_pool;
    RepairRoom& m_room;
    const TxgId m_txg;
    TreeOwner m_owner;
    u64 m_count { 0 };
    u32 m_last_bytes { 0 };
    u8 m_last[k_max_key_bytes];
    host_pool* m_buffers { nullptr };
    Vector<u8> m_inline;
    Level m_levels[k_max_tree_height];
};

}
