// SPDX-License-Identifier: GPL-2.0-only
// RepairRoom: where a repair puts what it writes anew.
//
// Nothing that the damaged state reaches is written over, so that a repair which is interrupted has changed nothing: what the walk
// has met is kept (`keep`), and so is all that the bitmaps that can still be read say is in use, which includes what lies below
// nodes that cannot be read any more. Freed by that only: the blocks that the damaged state itself calls free.
#pragma once

#include "core/check/block_map.h"
#include "core/pool/pool.h"

namespace lcpfs {

class RepairRoom {
public:
    static Result<Box<RepairRoom>> create(Pool& pool);
    // All bitmaps, as the rows that the allocator has been given say. False: some cannot be read, and what they would say is not known.
    Result<bool> keep_bitmaps();
    // A run that is_valid.
    Status keep(const Dva& dva);
    // `blocks` of them in one run, at a multiple of that many within its metaslab; on another device than `avoid` if that can be had.
    // no_space
    Result<Dva> take(u32 blocks, VdevId avoid);
    // A run of up to `want` and at least `minimum` blocks: the longest there is.
    Result<Dva> take_run(u32 want, u32 minimum);

private:
    explicit RepairRoom(Pool& pool) : m_pool(pool) {}
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);
    struct Place {
        u32 done { 0 };  // metaslabs, from the last one back: what the intent log points at lies behind where data went last
        u32 block { 0 }; // within the one that is next
    };
    Result<bool> prepare(VdevId vdev, u32 metaslab);
    Result<Dva> take_on(VdevId vdev, u32 blocks);

    Pool& m_pool;
    Box<BlockMap> m_kept;
    Vector<Place> m_next;        // of each vdev
    Vector<u64> m_words;
};

}
