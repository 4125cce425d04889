// SPDX-License-Identifier: GPL-2.0-only
// NodeKit: the parts of a few nodes, set aside at mount for a writeback that finds no memory (Must::kit).
//
// Writeback enters extents under an object's lock and a hold of the open group. To wait for memory there could be to wait
// for the commit that would free it, which itself waits for that lock and that hold. So whoever may need the kit takes its turn
// first, with neither: one at a time, and waiting for the kit to be whole again, which commits and evictions
// bring about, for a second at most: then with what there is. Inside, what the kit gives is not waited for.
//
// k_nodes is several times what entering one operation's extents needs: two cuts, an insertion and the leaves that it
// empties, each with the path to it. Beyond that an allocation waits after all, for memory from outside.
#pragma once

#include "core/host/locks.h"
#include "core/host/memory.h"

namespace lcpfs {

class NodeKit {
public:
    static constexpr u32 k_nodes = 32;
    static constexpr u32 k_shelves = 3; // descriptors, full pages, arrays of children

    ~NodeKit();
    // Which pools it keeps parts of. no_memory: not all could be had.
    Status start(host_pool* const (&pools)[k_shelves]);

    // The turn's holder only. False: something is still missing.
    bool fill();
    void* take(const host_pool* pool); // null: no such part left

    Mutex m_turn { LCPFS_RANK_node_kit };

private:
    struct Shelf {
        host_pool* pool { nullptr };
        u32 count { 0 };
        void* parts[k_nodes] {};
    };
    Shelf m_shelves[k_shelves];
};

}
