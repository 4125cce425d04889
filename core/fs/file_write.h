// SPDX-License-Identifier: GPL-2.0-only
// Writing file data: reserve, allocate, checksum, write, and enter the extents when the data is on disk. What has been
// preallocated is written in place: in_place.h.
//
// Compressed, it goes by units of 128 KiB at most (unit_write.h), which a thread of the completion queue makes when there is more than one.
//
// Cost of writing n contiguous blocks: one request per allocated run (one, while free space is not in pieces), one
// checksum per block, one wake of the completion thread, one tree insertion per run. Nothing waits for a group.
//
// One write is in one group: its runs are entered under one hold, so that a crash leaves all of it or nothing. (What the page
// cache makes of one write(2) may be several of these.) A write that gives an error may have stored a part, from its start.
#pragma once

#include "core/fs/extents.h"
#include "core/pool/pool.h"
#include "core/pool/requests.h"

namespace lcpfs {

// See core_write.
void write_blocks(Pool& pool, Object& object, u64 block, Span<const core_segment> segments, u64 file_bytes,
    void (*done)(void* context, int error), void* context);

// The same, waited for; the blocks are promised here. Sleepable, waits for commits: no core lock, no hold. no_space and no_memory, or
// io_error for whatever else was wrong.
Status write_blocks_and_wait(Pool& pool, Object& object, u64 block, Span<const core_segment> segments, u64 file_bytes,
                             bool may_be_inline = true);

// Enters one written run into the file, which grows to what of it lies within `file_bytes`; its blocks count as used. On
// failure the mapping is as before. False: what a cut that failed left behind the end goes first, and not all of it is gone: to be
// called again. The caller commits the batch to `txg` whatever comes of it.
struct Entering {
    ExtentScratch& scratch;
    SpaceLog::Batch& batch;
    CertainHook* certain { nullptr }; // see replace_range; not called when it is written in place
};
Result<bool> enter_run(Pool& pool, Object& object, TxgId txg, WriteRun& run, u64 file_bytes, const Entering& entering)
    REQUIRES(object.m_lock);

// See core_reserve, core_reserve_for, core_is_backed, core_unreserve.
Status reserve_blocks(Object& object, u64 blocks);
Status reserve_blocks_for(Object& object, u64 first, u64 count, u64 blocks, bool& backed);
Result<bool> is_backed(Object& object, u64 first, u64 count);
void unreserve_blocks(Object& object, u64 blocks);

}
