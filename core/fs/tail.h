// SPDX-License-Identifier: GPL-2.0-only
// The last block of a file that is cut inside it.
//
// Invariant: in every committed state, what is stored of a file's last block behind the file's end is zeros. So a file may grow
// at any time, by truncate or by a block written further on, and nothing of what it once held comes back; the page cache need
// not write anything for that. Writes keep it because the caller of core_write gives zeros behind the size it gives;
// cutting a file inside a block keeps it by this: a copy of the block with its rest zeroed is written to a new
// place before the cut, and enters the file in the group of the new size.
//
// Cost of such a cut: one block read and one written, only the read when the rest is zeros already.
#pragma once

#include "core/fs/block_read.h"
#include "core/fs/extents.h"

namespace lcpfs {

class TailCut {
public:
    explicit TailCut(Pool& pool); // waits for a page and a scratch: no core lock, no hold
    ~TailCut();
    TailCut(const TailCut&) = delete;

    // For a cut to `size_bytes`: has the block, its rest zeroed, on disk when one is needed. May be called again after `enter`
    // gave false. Sleepable, no core lock held; a block promised.
    Status prepare(Object& object, u64 size_bytes);
    // Puts the copy into the file. False, nothing changed: the file's last block is not the one that was prepared.
    Result<bool> enter(Object& object, TxgId txg, SpaceLog::Batch& batch) REQUIRES(object.m_lock);

    // What stays of the block, when it has been copied, and the copy has not gone into a file; else nothing.
    Bytes copied() const { return { m_page, m_copy.is_used() ? size_t(m_size_bytes & (k_block_size - 1)) : 0 }; }

    // For the rest of the cut.
    ExtentScratch& scratch() { return *m_scratch; }

private:
    bool is_needed(const ObjectAttributes& attributes) const;
    void drop_copy();
    Result<Dva> allocate_block(OwnerSlot owner);

    Pool& m_pool;
    u8* m_page;
    Scratch m_scratch;
    u64 m_size_bytes { 0 };
    BlockSource m_source; // what the page was read from
    Dva m_copy;           // where its zeroed copy is; not used: none was needed
};

}
