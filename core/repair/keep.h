// SPDX-License-Identifier: GPL-2.0-only
// Keeping out of the way of a committed group: everything that can be reached from its uberblock is kept in the RepairRoom.
//
// Before anything is written, for a group whose bitmaps cannot all be read: while one dataset is being repaired nothing else knows what
// the next one has.
#pragma once

#include "core/check/tree_walk.h"
#include "core/repair/room.h"

namespace lcpfs {

// Reads all metadata of the group, and what its log has if asked to. What is damaged is passed over.
Status keep_group(Pool& pool, RepairRoom& room, const Uberblock& group, bool keeps_log);

}
