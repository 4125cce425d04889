// SPDX-License-Identifier: GPL-2.0-only
// Claims: which blocks the repaired pool will reach, each by one user, or by several that share it.
//
// First come, first served: who claims what somebody else has does not get it. Files that are marked as sharing may reach one block
// several times; how often is counted from what they claim, so the share table is made anew whatever the old one says.
#pragma once

#include "core/repair/node_builder.h"

namespace lcpfs {

class Claims {
public:
    static Result<Box<Claims>> create(Pool& pool, RepairRoom& room);
    // All of the run for one user. False: it lies where nothing can, or some of it is somebody else's.
    Result<bool> take(const Dva& dva);
    // The same for one of several that share.
    Result<bool> share(const Dva& dva);
    // The share table, from everything that was shared; no more claims after it. Null: nothing is reached twice.
    Result<NodePointer> build_share_table(NodeBuilder& builder);

private:
    Claims(Pool& pool, RepairRoom& room) : m_pool(pool), m_room(room) {}
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);
    Status add_run(NodeBuilder& builder, u64 key, u64 end, u64 references);
    u64 end_of_metaslab(u64 key) const;

    Pool& m_pool;
    RepairRoom& m_room;
    Box<BlockMap> m_own, m_shared;
    Vector<u64> m_begins, m_ends; // share_key of runs that were shared
};

}
