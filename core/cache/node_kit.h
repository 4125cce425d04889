// SPDX-License-Identifier: GPL-2.0-only
// NodeKit: memory for a few nodes, set aside before the first change for a writeback that finds none elsewhere (Must::kit).
//
// Writeback enters extents under an object's lock and a hold of the open group. To wait for memory there could be to wait
// for the commit that would free it, which itself waits for that lock and that hold. So whoever may need the kit takes its turn
// first, with neither: one at a time, and waiting until enough of the kit is there, which commits and evictions bring about.
// Then the pools give without waiting: their reserve is as large as the kit, and nobody else takes from them. What was
// taken comes back to them when the node goes.
//
// k_needed is several times what entering one operation's extents needs: two cuts, an insertion and the leaves that it
// empties, each with the path to it. The wait for the kit ends after a second at the latest: small trees of open files may
// stand in it for long. Beyond what is there an allocation waits after all, for memory from outside.
#pragma once

#include "core/host/locks.h"
#include "core/host/memory.h"

namespace lcpfs {

class NodeKit {
public:
    static constexpr u32 k_nodes = 48;
    static constexpr u32 k_needed = 16;

    struct Sizes {
        u32 node, page, children; // bytes
    };
    static Result<Box<NodeKit>> create(const Sizes& sizes);
    ~NodeKit(); // nothing may be out
    Status reserve(); // NodeCache::reserve

    // The turn's holder only.
    bool has_enough() const;

    host_pool* nodes() const { return m_nodes; }
    host_pool* pages() const { return m_pages; }
    host_pool* children() const { return m_children; }
    Mutex m_turn { LCPFS_RANK_node_kit };

private:
    host_pool* m_nodes { nullptr };
    host_pool* m_pages { nullptr };
    host_pool* m_children { nullptr };
};

}
