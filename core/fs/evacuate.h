// SPDX-License-Identifier: GPL-2.0-only
// Emptying metaslabs of a partition, so that it can give them back (spec: shrinking).
//
// The pool chooses those that hold least (Allocator::start_leaving); from then on nothing is allocated there that can stand
// elsewhere. Nothing says whose a block is, so the files are walked: those of the partition's datasets, and if that was not all,
// those of the others. An extent found there is moved: its stored blocks are read, verified by the checksums in the extent, written to
// a place in one of the partition's other metaslabs that hold data, and the extent with its new address replaces the old one in the
// file's tree, if it is still the same then. To the file that is a change like an overwrite: the old blocks are freed in that group,
// and may be used again only after the next.
//
// It is no change of what anybody sees. So there is no log record of it, no time changes, and a crash before the group's commit leaves
// the extent where it was. Log records of the group that name the old blocks stay right, since these are not used again before.
//
//   written, cut, removed meanwhile  the extent is not the same any more: the copy is dropped; the next pass finds what is left
//   data that only the log has       is written first (DelayedWrites), as for a clone
//   shared blocks                    whose extent is found first moves them; the others, who may reach more of them or less, follow to
//                                    where they are then, block by block, and go on sharing; the last one frees them. A pass moves as
//                                    many of these as can be remembered; the rest is the next one's
//   compressed units                 are moved as they are stored, as one, by whichever part is found first
//   a block that is damaged          ends it for its metaslab, which stays as it is: what cannot be verified is not moved
//   too little space                 ends it, without growing the partition for it
//   preallocated, unwritten          is not moved, since what is written goes to these blocks and no others; keeps its metaslab
//   metadata                         stands in metaslabs of partitions only on pools that were full; it is not moved, and keeps its
//                                    metaslab
//
// Passes go on while they move something, each after a commit, so that every object is in its table, and what the pass before freed
// is seen. When nothing reaches the metaslabs any more, commits make them empty; they are discarded, if the pool does that, and the
// controller gives them back. What could not be emptied is left alone for an hour.
//
// Cost: the walk reads the metadata of all files of the partition once a pass; each share of work looks at some hundred
// extents and moves some, then the background thread sees to other things.
#pragma once

#include "core/pool/pool.h"

namespace lcpfs {

// One share of work, by the pool's background thread alone. False: there is nothing more to do at the moment.
bool evacuate_some(Pool& pool);

}
