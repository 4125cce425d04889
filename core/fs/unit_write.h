// SPDX-License-Identifier: GPL-2.0-only
// Writing compressed: which blocks of a write become units (format/extent_format.h), and what is stored of them.
//
// Units are aligned in the file to their largest size, so that writing again what was written before replaces whole ones. What does not
// save a block stays as it is and goes to disk in runs as long as without compression. The data is copied before it is compressed: a
// caller's memory may change meanwhile (mapped or direct I/O), and no codec has to bear that.
#pragma once

#include "core/pool/pool.h"
#include "core/pool/requests.h"

namespace lcpfs {

// Looks at the blocks from `started_blocks` on, which nothing is known of: moves `plain_until` to where the next unit begins, which is
// `packed` then, or to the end. Without memory for a unit its blocks are plain. No lock, no hold.
void find_next_unit(WriteOperation& operation);

// Its place is known: writes the extent item, but for its birth.
void seal_unit(WriteRun& run, ChecksumKind kind);

// The pages of a run of a unit; none of another.
void free_pages(Pool& pool, WriteRun& run);

}
