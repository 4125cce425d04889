// SPDX-License-Identifier: GPL-2.0-only
// Reading file data: holes are zeros, mapped blocks come straight into the caller's memory and are verified there.
//
// Cost of reading n blocks of one extent: a request for each 128 of them, one checksum per block; up to four blocks are verified where
// the request completes, more by one wake of the completion thread, or by who waits for them. A block that fails is read again by
// itself, at the place the file has it then; only blocks that stay bad are reported.
//
// Of a compressed unit all that is stored is read, into memory of its own, and it is decompressed once for all of its blocks that the
// request wants, in the same place. Damage costs all of its blocks.
#pragma once

#include "core/pool/pool.h"

namespace lcpfs {

// See core_read.
void read_blocks(Pool& pool, Object& object, u64 block, Span<const core_segment> segments,
    void (*done)(void* context, int error, const u64* bad), void* context);
// See core_read_wait.
void read_blocks_and_wait(Pool& pool, Object& object, u64 block, Span<const core_segment> segments,
    void (*done)(void* context, int error, const u64* bad), void* context);

// See core_read_once.
void read_blocks_once(Pool& pool, Object& object, u64 block, Span<const core_segment> segments,
    void (*done)(void* context, int error, const u64* bad), void* context);

// See core_read_waits.
bool read_waits(Object& object, u64 block, u64 count);

}
