// SPDX-License-Identifier: GPL-2.0-only
// Writing to blocks that the file has already, unwritten: the one case in which data is not written to a new place.
//
// Safe against a crash: every committed state that reaches these blocks has them as unwritten, and reads zeros whatever is in
// them, until the group commits whose tree has them as written. That is entered when they are on disk, like any write.
//
// Nobody else may write to them, so a write takes them under the object's lock (`take_in_place`) and they stand in the object's list
// until it has been entered or has failed; who finds them there goes to a new place instead. They may leave the file
// meanwhile: punched, cut off, replaced by a clone or by somebody else's write. Then the write was before that, and what is gone of it
// need not be entered. What was freed so is not handed out before the data is out of the way (InPlaceWrites). Moving them within the file
// waits for the write.
#pragma once

#include "core/fs/extents.h"

namespace lcpfs {

// Whether all of blocks [first, first + count) are there and unwritten, and nobody is writing to them: then they will be there for whoever
// writes them next.
Result<bool> is_preallocated(Object& object, u64 first, u64 count) REQUIRES_SHARED(object.m_lock);

// The first piece of [first, first + count) that can be written in place: none when length_blocks is 0.
struct InPlacePiece {
    u64 file_block { 0 };
    Dva dva;
};
Result<InPlacePiece> find_in_place(Object& object, u64 first, u32 count) REQUIRES_SHARED(object.m_lock);

// Takes up to `count` blocks from run.file_block on for `run`, when they can be written in place. Otherwise gives how many blocks
// from there on need a new place before others can.
Result<u32> take_in_place(Pool& pool, Object& object, WriteRun& run, u32 count) EXCLUDES(object.m_lock);
// The run has been entered, or will not be.
void drop_in_place(Pool& pool, Object& object, WriteRun& run) REQUIRES(object.m_lock);

// What of the blocks of `written` the file still has in that place, unwritten, becomes written: gives how many. On failure none or
// some have; again is harmless.
Result<u32> convert_range(Object& object, TxgId txg, const Extent& written, ExtentScratch& scratch) REQUIRES(object.m_lock);

}
