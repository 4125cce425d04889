// SPDX-License-Identifier: GPL-2.0-only
// Rebuilding bitmaps that are gone from what is in use: a walk over every tree of the committed group (invariant 2).
//
// Needed after falling back to a group of which a later one, never committed, has written over bitmap copies; see pool.h.
// Bitmaps that are whole are held against the walk. Anything that keeps it from being whole (a node of which no copy can be
// read, a record or extent out of form, a block with two users) fails it: a block that only seems free must not be handed
// out. The pool can then be opened for reading.
//
// Every kind of tree or area that holds blocks must be walked here: the pool's tables, datasets' tables, files, directories.
#pragma once

#include "core/pool/pool.h"

namespace lcpfs {

// Nothing changes meanwhile. Logs what it did or what kept it from it. Memory: two walks' nodes.
Status rebuild_bitmaps(Pool& pool);

}
