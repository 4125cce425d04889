// SPDX-License-Identifier: GPL-2.0-only
// Cloning: blocks of one file come to be another's too, without being copied. Cloning and deduplication are the same here.
//
// The target gets the source's extents, whose blocks are counted in the pool's share table (pool/share_table.h) from then on; either
// may be written afterwards, since nothing is written in place. Both files are marked as having shares: what they free is looked
// up in the table by the sync of the group.
//
// Cost: no data is read or written. One tree insertion per extent of the source, one entry of the space log each; data of the source
// that only the intent log holds so far goes to its place first.
//
// A range of many extents takes several groups, from its front, each with a log record of its own part: after a crash a front
// of the range may be cloned. Space is promised for each before it begins; no_space leaves what was cloned before.
#pragma once

#include "core/fs/extents.h"

namespace lcpfs {

// Blocks [source_block, source_block + count) to [target_block, ...). All of both files' page cache in these ranges has been written, and
// the target's is gone. The target grows to what of the range lies within `target_bytes`.
struct CloneRange {
    Object& source;
    u64 source_block;
    Object& target;
    u64 target_block;
    u64 count;
    u64 target_bytes;
    Time time;          // of the target's change
    bool keeps_times;   // its contents stay as they are
};

// invalid: no such blocks, or the ranges overlap, or not files; cross_dataset.
Status clone_range(Pool& pool, const CloneRange& range);

}
