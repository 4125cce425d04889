// SPDX-License-Identifier: GPL-2.0-only
// File data. Key: BigEndian64(file block). Value: DiskExtent, then
//   mapped: one checksum per 4 KiB block stored (4, 8 or 32 bytes by kind);
//   unwritten: nothing. Blocks are allocated, what they hold means nothing, and reads give zeros (core/fs/allocate.h).
//   inlined: the bytes themselves, 1 to 2048. In a file only at file block 0, the rest of which is zeros; in a
//   symlink the target: its first 2048 bytes under key 0, the rest under key 1.
//
// Extents do not overlap. A gap is a hole. Overwriting part of an extent cuts it: each part keeps its own
// blocks and checksums, so a 4 KiB overwrite or read never touches its neighbours.
//
// Compressed: a mapped extent with an encoding is a part of a unit, up to 128 KiB of file data that was compressed as one and takes at
// least one block less than it would as it is. Each part of a unit that was cut says where all of the unit is stored, with the
// checksums of all of it, and which of its blocks the part's are (unit_offset). How many parts reach a unit stands in the share table
// (share_format.h): the last one frees it. So an object with such an extent is one that has shares. Checksums are of the bytes as they
// are stored: what does not verify is never decompressed.
#pragma once

#include "core/format/address_format.h"

namespace lcpfs {

enum class ExtentKind : u8 { mapped = 1, inlined = 2, unwritten = 3 };

struct DiskExtent {
    le64 device_block;
    le32 length_blocks;
    le16 vdev;
    u8 kind;           // ExtentKind
    u8 encoding;       // Encoding; mapped only
    le64 birth_txg;
    le32 stored_bytes; // inlined: behind this; compressed: of the unit, which zeros fill up to whole blocks; else 0
    u8 checksum_kind;  // of the blocks; mapped only
    u8 unit_blocks;    // compressed: of file data, in the unit; else 0
    u8 unit_offset;    // compressed: which of these is the extent's first; else 0
    u8 flags;          // k_extent_* bits
};
static_assert(sizeof(DiskExtent) == 32);
static_assert(offsetof(DiskExtent, birth_txg) == 16);
static_assert(offsetof(DiskExtent, stored_bytes) == 24);
static_assert(offsetof(DiskExtent, checksum_kind) == 28);
static_assert(offsetof(DiskExtent, unit_blocks) == 29);
static_assert(offsetof(DiskExtent, unit_offset) == 30);
static_assert(offsetof(DiskExtent, flags) == 31);

// In a log record only: the blocks were the file's before, unwritten.
constexpr u8 k_extent_in_place = 1;

constexpr u32 k_max_extent_blocks = 256;           // 1 MiB
constexpr u32 k_max_unwritten_blocks = 4096;       // 16 MiB
constexpr u32 k_max_extent_checksum_bytes = 2048;  // bounds the item: 64 blocks with sha256
constexpr u32 k_max_unit_blocks = 32;              // 128 KiB

constexpr u32 checksum_bytes_of(ChecksumKind kind)
{
    return kind == ChecksumKind::crc32c ? 4 : kind == ChecksumKind::xxh64 ? 8 : kind == ChecksumKind::sha256 ? 32 : 0;
}
// Longest extent with this checksum.
constexpr u32 max_extent_blocks(ChecksumKind kind)
{
    u32 by_bytes = checksum_bytes_of(kind) ? k_max_extent_checksum_bytes / checksum_bytes_of(kind) : k_max_extent_blocks;
    return by_bytes < k_max_extent_blocks ? by_bytes : k_max_extent_blocks;
}

// Highest file block + 1: 2^63 bytes.
constexpr u64 k_max_file_blocks = 1ull << 51;

}
