// SPDX-License-Identifier: GPL-2.0-only
// Free space on disk. A vdev is cut into metaslabs of equal, power-of-two size, starting behind the front
// labels; what is left over before the end labels is not used. A metaslab begins with two copies of
// its own bitmap, used in turn: the table entry says which is current and carries its checksum. So committing
// free space needs no allocation of its own, and the previous group's bitmap stands untouched.
//
// The table is a tree (TreeKind::metaslabs), key: BigEndian64 of (vdev << 32 | metaslab index), one entry for
// every metaslab from mkfs on, so that an update never splits a node.
#pragma once

#include "core/format/label_format.h"

namespace lcpfs {

constexpr u32 k_bitmap_magic = 0x4250434c; // "LCPB"

enum class MetaslabClass : u8 { unassigned = 0, metadata = 1, data = 2, log = 3 };

struct DiskBitmapHeader {
    le32 magic;
    le16 vdev;
    le16 reserved;
    le32 metaslab;
    le32 block_count;  // bits that follow the header; set = allocated
    le64 txg;
    DiskGuid pool_guid;
    le32 used_blocks;
    u8 padding[12];
    le64 checksum;     // xxh64 of the copy block by block, each seeded with the sum before (first 0), this field 0
};
static_assert(sizeof(DiskBitmapHeader) == 64);
static_assert(offsetof(DiskBitmapHeader, checksum) == 56);

// Blocks of one bitmap copy.
constexpr u32 bitmap_blocks(u64 metaslab_blocks)
{
    return static_cast<u32>(blocks_for_bytes(sizeof(DiskBitmapHeader) + metaslab_blocks / 8));
}

// The bitmap could not be read when blocks of its metaslab were freed: it says of them that they are in use. Nobody reads it any more;
// it is made anew from what is in use by the next mount for writing that finds all of that readable.
constexpr u16 k_metaslab_is_stale = 1;
// Data of other partitions than its owner stands in it too, or did since it was empty last: it had no place at home
// (alloc/owners.h).
constexpr u16 k_metaslab_is_mixed = 2;

struct DiskMetaslabEntry {
    le64 txg;          // group that wrote the current bitmap copy; 0: never written, all free but the bitmaps
    le64 checksum;     // equals DiskBitmapHeader::checksum of that copy
    le32 free_blocks;
    u8 copy;           // 0 or 1
    u8 metaslab_class; // MetaslabClass
    le16 flags;        // k_metaslab_is_*
    le64 partition;    // owning partition; 0: unassigned when it is empty, else shared (metadata, log)
};
static_assert(sizeof(DiskMetaslabEntry) == 32);

constexpr u64 metaslab_key(u16 vdev, u32 index) { return u64(vdev) << 32 | index; }

constexpr u32 k_min_metaslab_blocks = 1024;     // 4 MiB
constexpr u32 k_max_metaslab_blocks = 1u << 18; // 1 GiB

}
