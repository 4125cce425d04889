// SPDX-License-Identifier: GPL-2.0-only
// Owners: who the metaslabs of a pool belong to, with what is counted of each.
//
// A partition has a slot while the pool is open; a metaslab names its owner by it. Slot 0 is nobody: its metaslabs are empty
// ("unassigned") or hold what all share: metadata, the intent log. The default partition is always slot 1. Ids stand on
// disk (DiskMetaslabEntry::partition), slots do not; a slot is used again once its partition is gone, which has then
// neither metaslabs nor datasets.
//
// Which metaslab may take an allocation says its standing with the one who asks:
//
//   own         of that partition, with something in it; for metadata one of nobody's
//   vacant      of that partition, and empty
//   leaving     of that partition, and being emptied so that it can be given back (metaslab_leave.cc): taken only when its
//               own and vacant ones do not do, which ends that
//   unassigned  nobody's and empty: becomes the asker's with the allocation
//   shared      for data: one of nobody's with something in it
//   foreign     another partition's. Metadata in it is nobody's business; data of another makes it `mixed`
//               (k_metaslab_is_mixed) until it is empty again
//
// Data goes to its partition's own metaslabs. What was promised has its place for certain somewhere in the pool (txg/space.h), not
// always there: metadata may have come in, or quads may be kept for it. So data that was promised and finds no room at home
// goes to the next standing, down to foreign. That is rare, and a full pool's; better than failing a write that was
// accepted.
//
// Counters. `free` and `size` follow the metaslabs under their locks; all can be read by anybody. A promise is made by raising
// `promised` and then looking at `free` again, a metaslab is taken away by lowering `free` and then looking at
// `promised`: when both happen at once, at least one of the two sees it, and takes back what it did.
#pragma once

#include "core/base/atomic.h"
#include "core/base/result.h"
#include "core/format/partition_format.h"

namespace lcpfs {

using OwnerSlot = Tagged<struct OwnerSlotTag, u8>;
constexpr OwnerSlot k_nobody { 0 };
constexpr OwnerSlot k_default_owner { 1 };
constexpr u32 k_owner_slots = 1 + k_max_partitions;

enum class Standing : u8 { own = 1, unassigned = 2, shared = 4, foreign = 8, vacant = 16, leaving = 32 };

// Who asks for blocks, and what standings will do.
struct Tenant {
    OwnerSlot slot;
    u8 standings; // Standing, ored
    bool allows(Standing standing) const { return standings & static_cast<u8>(standing); }
};

struct Owner {
    Atomic<u64> id;                  // PartitionId; 0: the slot is unused, or nobody's
    Atomic<u64> size_blocks;         // of its metaslabs, bitmap copies included
    Atomic<u64> free_blocks;         // in them, not busy
    Atomic<u64> empty_blocks;        // of its metaslabs that are empty, bitmap copies included
    Atomic<u64> empty_own_blocks;    // the bitmap copies of those
    Atomic<u64> deferred_blocks;     // busy until the next commits
    Atomic<u64> promised_blocks;     // data of dirty pages
    Atomic<u64> minimum_blocks;      // guaranteed; 0: nothing
    Atomic<u64> maximum_blocks;      // 0: it has none
    Atomic<u64> gains;               // rises when data of its metaslabs is freed
    Atomic<u64> known_gains;         // when a commit that a writer waited for did not help (txg/space.h)

    // Everything in use or promised; the bitmaps of a metaslab count with its first block.
    u64 used_blocks() const
    {
        const u64 busy = free_blocks.load() + empty_own_blocks.load();
        const u64 size = size_blocks.load();
        return size - min(size, busy) + promised_blocks.load();
    }
    // Raises `promised` when the free blocks and `besides` cover that, and it stays below the maximum.
    bool try_promise(u64 blocks, u64 besides)
    {
        const u64 promised = promised_blocks.add(blocks);
        const u64 maximum = maximum_blocks.load();
        if (promised <= free_blocks.load() + besides && (maximum == 0 || used_blocks() <= maximum))
            return true;
        promised_blocks.sub(blocks);
        return false;
    }
};

class Owners {
public:
    Owners();
    Owner& operator[](OwnerSlot slot) { return m_owners[slot.value() < k_owner_slots ? slot.value() : 0]; }
    const Owner& operator[](OwnerSlot slot) const { return m_owners[slot.value() < k_owner_slots ? slot.value() : 0]; }
    // The slot of a partition, given to it when it has none. no_space: there are as many as can be. One caller at a time.
    Result<OwnerSlot> open(PartitionId id);
    // It has gone. Same caller.
    void close(OwnerSlot slot);
    // The slot of a partition; nobody when there is none.
    OwnerSlot find(PartitionId id) const;
    // Blocks that must stay free for what others than `slot` are guaranteed and have not used.
    u64 owed_to_others(OwnerSlot slot) const;
    // What others than `slot` use or are guaranteed, whichever is more.
    u64 kept_by_others(OwnerSlot slot) const;
    void set_minimum(OwnerSlot slot, u64 blocks);

private:
    Owner m_owners[k_owner_slots];
    Atomic<u32> m_guaranteed { 0 }; // how many have a minimum
};

}
