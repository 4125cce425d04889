// SPDX-License-Identifier: GPL-2.0-only
// Moving one extent of a file to other blocks, as it is stored.
#pragma once

#include "core/fs/extents.h"

namespace lcpfs {

// Room for the move of one extent at a time: it is large.
class ExtentMover {
public:
    explicit ExtentMover(Pool& pool) : m_pool(pool) {}
    ~ExtentMover() { drop_pages(); }
    ExtentMover(const ExtentMover&) = delete;

    // Takes this extent of a file; the file's lock at least shared.
    void take(const Extent& extent);
    const Extent& extent() const { return m_extent; }
    // Moves it, or as much of its front as fits into one place, and no more than `most` of what is stored block by block: gives how many
    // blocks of the file that is; 0: it is not what it was, and stays. no_space, no_memory; data_checksum and what a device gives when it
    // cannot be read, which has been told. Sleepable, waits for commits: no core lock, no hold.
    Result<u32> move(Object& object, u32 most = ~0u);
    // The same to where `first` has what was moved from the same blocks, as much of its front as that is: they go on sharing.
    Result<u32> follow(Object& object, Object& first, const Evacuation::Moved& moved);
    // Where its blocks are now, and since when: of the last move that did something.
    const Dva& place() const { return m_place; }
    TxgId moved_in() const { return m_moved_in; }

private:
    Status get_pages();
    void drop_pages();
    Status read();
    bool is_right() const;
    Result<bool> is_still_there(Object& object) REQUIRES_SHARED(object.m_lock);
    Status read_verified(Object& object, bool& is_there);
    Result<Dva> write(OwnerSlot owner, u32 most);
    Result<bool> enter(Object& object, const Dva& place);
    Status replace(Object& object, TxgId txg, NewBlocks blocks, ExtentScratch& scratch) REQUIRES(object.m_lock);
    Result<Dva> find_moved(Object& first, const Evacuation::Moved& moved) REQUIRES_SHARED(first.m_lock);

    Pool& m_pool;
    Dva m_place;
    TxgId m_moved_in;
    Extent m_extent;               // its payload is in m_item
    u32 m_item_bytes { 0 };
    u32 m_page_count { 0 };
    u8 m_served_by { 0 };
    core_segment m_pages[k_max_extent_blocks];
    u8 m_item[k_max_extent_bytes]; // as the file has it
    u8 m_moved[k_max_extent_bytes];
};

}
