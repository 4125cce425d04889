// SPDX-License-Identifier: GPL-2.0-only
// A file's extents: looking up, cutting, replacing. Works on an object's tree under its lock.
//
// A change is made in two steps like every change of a tree: what can fail first, with the mapping of the file unchanged
// (cutting an extent in two changes nothing a reader could see), then what cannot.
#pragma once

#include "core/pool/pool.h"
#include "core/pool/requests.h"

namespace lcpfs {

// Cut at the ends of what an operation changes, and where it moves something to.
constexpr u32 k_cuts = 4;

// What one group frees of one object: the nodes that dirties stay within an operation's promise several times over, since items go
// side by side. In the share table they are anywhere: a file that has shares frees less at once, and promises for that.
struct Removal {
    u32 items { 256 }; // at most; two cuts go with them
    u64 units;         // to be promised
    Space::For cut { Space::For::removal }; // what for, when the file stays
};
// No lock held.
Removal removal_of(Pool& pool, Object& object);
// Items of extended attributes: these are larger.
constexpr u32 k_xattr_items_per_group = 64;

// Whether blocks [block, block + count) are ones that a file can have.
inline bool is_in_file(u64 block, u64 count) { return block <= k_max_file_blocks && count <= k_max_file_blocks - block; }

inline BigEndianKey extent_key(u64 file_block) { return BigEndianKey(file_block); }

// The extent that covers `block`, else the next after it, else false. The extent's payload lives in the cursor's leaf.
Result<bool> find_extent(Tree& tree, u64 block, TreeCursor& cursor, Extent& extent);

// Scratch from the pool for a scope. Waits (requests.h): no core lock, no hold, no other scratch.
class Scratch {
public:
    explicit Scratch(Pool& pool, bool wanted = true)
        : m_pool(pool), m_scratch(wanted ? static_cast<ExtentScratch*>(host_pool_alloc_reserved(pool.requests().scratch)) : nullptr)
    {
    }
    ~Scratch()
    {
        if (m_scratch)
            host_pool_free(m_pool.requests().scratch, m_scratch);
    }
    Scratch(const Scratch&) = delete;
    ExtentScratch& operator*() { return *m_scratch; }

private:
    Pool& m_pool;
    ExtentScratch* m_scratch;
};

// For an operation that writes so many blocks of a file of which something may be compressed; 0 for any other.
u64 units_for_cutting(Pool& pool, const Object& object, u32 blocks);

// Where the last of at most `most` extents ends that begin in [first, end) or reach into it; `end` when there are no more.
Result<u64> end_of_extents(Object& object, u64 first, u64 end, u32 most) REQUIRES_SHARED(object.m_lock);

// That the share table takes another reference to these blocks, as far as reading tells. `must`: as in ShareTable::read.
Status look_at_shares(Pool& pool, Dva dva, Must must = Must::may_fail);

// Makes an extent that spans `block` end there and another begin there. Both parts of a compressed one reach the whole unit, which is
// shared from then on; `batch` as below.
Status cut_extent(Pool& pool, Object& object, TxgId txg, u64 block, ExtentScratch& scratch, SpaceLog::Batch& batch)
    REQUIRES(object.m_lock);

// The same of one that is known not to be compressed: neither space nor shares change.
Status cut_plain_extent(Object& object, TxgId txg, u64 block, ExtentScratch& scratch) REQUIRES(object.m_lock);

// What a new extent brings along.
struct NewBlocks {
    Dva dva;
    SpaceUse use;       // used or shared
    u32 counted_blocks; // for the file
};
// Called by a change when nothing of it can fail any more and nothing has been changed yet.
struct CertainHook {
    void (*call)(CertainHook& hook);
};
// Replaces whatever is mapped in [first, first + count) by the extent item `item` (key `first`). Its blocks
// are added to `batch` with their use (null: it has none), those it replaces as free; the caller commits that to `txg` whatever comes
// of it. On failure the mapping is as before. `certain` may still set the bytes of `item`, not their number.
Status replace_range(Pool& pool, Object& object, TxgId txg, u64 first, u32 count, Bytes item, const NewBlocks* blocks,
                     ExtentScratch& scratch, SpaceLog::Batch& batch, CertainHook* certain = nullptr) REQUIRES(object.m_lock);

// Unmaps extents from `from` on, at most `most` of them. `finished` when nothing is left there. `batch` as above.
Status unmap_from(Pool& pool, Object& object, TxgId txg, u64 from, u32 most, bool& finished, ExtentScratch& scratch,
                  SpaceLog::Batch& batch) REQUIRES(object.m_lock);

// Unmaps what lies in [first, end), at most `most` extents of it, from the front. `next`: where what is left begins, `end` when
// nothing is. `batch` as above. On failure the mapping is as before.
Status unmap_range(Pool& pool, Object& object, TxgId txg, u64 first, u64 end, u32 most, u64& next, ExtentScratch& scratch,
                   SpaceLog::Batch& batch) REQUIRES(object.m_lock);

}
