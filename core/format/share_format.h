// SPDX-License-Identifier: GPL-2.0-only
// The share table: runs of file data that extents reach more than once (clones, deduplication). One for the pool; its root is in the
// pool tree (PoolKey::shares). Key: ShareKey. Value: DiskShare.
//
// Runs do not overlap, and none leaves its metaslab. What no run covers is reached once, by one extent, or not at all. Only objects
// marked k_object_has_shares have extents whose blocks stand here.
#pragma once

#include "core/format/address.h"

namespace lcpfs {

struct DiskShare {
    le32 length_blocks;
    le32 reserved;
    le64 references;   // how often each block is reached: 2 at least
};
static_assert(sizeof(DiskShare) == 16);
static_assert(offsetof(DiskShare, references) == 8);

constexpr u32 k_share_block_bits = 48;

// The device and its block, in one number.
constexpr u64 share_key(VdevId vdev, u64 block) { return u64(vdev.value()) << k_share_block_bits | block; }
constexpr Dva dva_of_share(u64 key, u32 length_blocks)
{
    return { key & ((1ull << k_share_block_bits) - 1), length_blocks, VdevId(static_cast<u16>(key >> k_share_block_bits)) };
}

}
