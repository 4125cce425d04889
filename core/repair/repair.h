// SPDX-License-Identifier: GPL-2.0-only
// Repairing a pool that is not mounted (fsck.lcpfs).
//
// Everything is walked from one uberblock, past the node cache and the Tree. What is whole stays where it is; of what is not, trees are
// made anew from the items that can still be read and are nobody else's (dataset.h). The tables of the pool are always made anew:
// partitions and datasets as far as they are whole, the share table from how often blocks are reached, every row of the metaslab
// table marked stale, so that the next opening for writing makes all bitmaps from what is in use (check/rebuild.h).
//
// All of it goes to free blocks, and a new group is committed that says so. Until its uberblock is durable the pool is what it was, so an
// interrupted repair has done nothing. After that, copies of nodes and labels that were damaged are written over from whole ones.
// The group before the damaged one may be written over: falling back twice is not to be had afterwards.
//
// The intent log is left alone: the uberblock says from which group on it has to be replayed (log_txg).
//
// What cannot be repaired: a pool whose pool tree is gone with every group that there is an uberblock of; whose devices are not all
// there. Memory: 3 bits per block, 72 bytes per object of the largest dataset, 16 per extent of files that share blocks.
//
// A part of the tools: it is in no kernel module.
#pragma once

#include "core/check/findings.h"
#include "core/host/vector.h"

namespace lcpfs {

// A file of which a part is lost, a directory that has lost names, or either that has lost attributes.
struct HurtObject {
    u64 dataset { 0 }, object { 0 };
};

struct RepairOutcome {
    u64 group { 0 };     // that was repaired
    u64 new_group { 0 }; // that holds the repaired pool
    Vector<HurtObject> hurt;
    bool lacks_log { false }; // a device did not give the log: what it makes again, when it does, may not fit
};

// `group`: 0 is the newest; an older one takes the pool back to what it was then, for good. What was wrong and what was lost is said to
// `findings`, line by line. An error: nothing was changed but damaged copies.
// no_uberblock, node_damaged (the pool tree), no_space, no_memory, device errors. Nobody else has the devices open.
Result<RepairOutcome> repair_pool(Span<host_bdev* const> bdevs, u64 group, Findings& findings);

}
