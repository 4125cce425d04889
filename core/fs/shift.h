// SPDX-License-Identifier: GPL-2.0-only
// Taking blocks out of a file, and putting a hole into it: what follows moves, by its extents alone; no data is read or written.
//
// A group moves a limited number of extents, each group with a log record of its own part. What fits into one, as almost
// all does, is one change. Otherwise a crash, or running out of memory, leaves a file of which a part has moved (from the front
// where blocks are taken out, from the end where they are put in) with a hole between the parts, and the larger of the two
// sizes: nothing is lost, as in XFS, but the caller has to repeat from there.
//
// A write in place that is under way (in_place.h) is waited for.
//
// Data in the record stands at block 0 and cannot move: a hole put in front of it has it written to a block first.
#pragma once

#include "core/fs/extents.h"

namespace lcpfs {

// invalid: not within the file, all of it included; not a file. file_too_large.
Status collapse_object(Pool& pool, Object& object, u64 first, u64 count, Time time);
Status insert_object(Pool& pool, Object& object, u64 first, u64 count, Time time);

// Data in the record gets a block.
Status write_out_inline(Pool& pool, Object& object);

constexpr u64 k_same_size = ~0ull;

// Extents of blocks [first, end) to where `to` is; going to the front, what is between is unmapped.
struct BlockMove {
    u64 first, end, to;
    u64 size_bytes; // of the file from then on, or k_same_size
    Time time;
};
// All of it in one group: what a log record says was done in one.
Status replay_move(Pool& pool, Object& object, const BlockMove& move);

}
