// SPDX-License-Identifier: GPL-2.0-only
// Punching a hole: whole blocks inside a file are unmapped and read as zeros from then on; its size stays.
//
// Frees space, so it works on a full pool: it promises from the reserve for removals. A range of many extents is freed over
// several groups, from its front, as much at a time as removal_of says, each with a log record of its own part: after a crash a front of
// the range may be a hole already. Once core_object_sync has returned all of it is.
#pragma once

#include "core/fs/extents.h"

namespace lcpfs {

// Blocks [first, first + count), at least one. invalid: not blocks that a file can have, or not a file.
Status punch_object(Pool& pool, Object& object, u64 first, u64 count, Time time);

}
