// SPDX-License-Identifier: GPL-2.0-only
// Preallocation: holes get blocks before there is anything to write.
//
// An unwritten extent has blocks that belong to the file, count in its blocks, and read zeros. What is written there goes into these
// blocks (in_place.h). So the promise that fallocate(2) makes is kept for the first write to each block, however full the pool or its
// partition has become: nothing is allocated for data, and the nodes that entering it takes come from what the pool keeps for
// changes (txg/space.h). It is not made for writing over what is written, preallocated once or not: that is
// copied on write, needs a new block before it gives back the old one, and may be refused on a full pool.
//
// Space is promised for all of the range before anything changes. A range of many pieces is entered piece by piece, each with a log record
// that names its blocks: after a crash a front of it may be there. A clone has holes where its source has unwritten extents. Cutting a
// file frees what lies behind its new end, so preallocation behind the end lasts until then, as in XFS.
#pragma once

#include "core/fs/extents.h"

namespace lcpfs {

// See core_allocate.
Status allocate_object(Pool& pool, Object& object, u64 first, u64 count);

// Enters one unwritten extent, whose blocks are allocated; false, nothing changed: not all of that is a hole.
Result<bool> enter_allocated(Pool& pool, Object& object, const Extent& extent);

}
