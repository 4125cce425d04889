// SPDX-License-Identifier: GPL-2.0-only
// Truncating and deleting, and finishing what a crash interrupted.
//
// Both free space, so both must work on a full pool: they promise from the reserve for removals. (A cut of a file that shares blocks
// may free nothing: on a full pool it is refused once half of the reserve has gone for such.) A file of many extents
// is freed over several groups, as much at a time as removal_of says. Until it is done the object is an orphan (links 0, or marked
// truncating with its new size already in place), which the next mount finds and goes on with.
//
// A cut inside a block zeroes the rest of it in the same group: tail.h.
#pragma once

#include "core/fs/extents.h"

namespace lcpfs {

Status truncate_object(Pool& pool, Object& object, u64 size_bytes, Time time);
Status delete_object(Pool& pool, Object& object);
// Frees what a cut that failed left behind the end.
Status finish_cut(Pool& pool, Object& object);
// After a read-write open: deletes and truncates every orphan.
Status finish_orphans(Pool& pool);

}
