// SPDX-License-Identifier: GPL-2.0-only
// File data. Key: BigEndian64(file block). Value: DiskExtent, then
//   mapped: one checksum per 4 KiB block (4, 8 or 32 bytes by kind);
//   inlined: the bytes themselves, 1 to 2048. In a file only at file block 0, the rest of which is zeros; in a
//   symlink the target: its first 2048 bytes under key 0, the rest under key 1.
//
// Extents do not overlap. A gap is a hole. Overwriting part of an extent cuts it: each part keeps its own
// blocks and checksums, so a 4 KiB overwrite or read never touches its neighbours.
#pragma once

#include "core/format/address_format.h"

namespace lcpfs {

enum class ExtentKind : u8 { mapped = 1, inlined = 2 };

struct DiskExtent {
    le64 device_block;
    le32 length_blocks;
    le16 vdev;
    u8 kind;           // ExtentKind
    u8 encoding;       // Encoding; mapped only
    le64 birth_txg;
    le32 inline_bytes; // inlined only
    u8 checksum_kind;  // of the blocks; mapped only
    u8 reserved[3];
};
static_assert(sizeof(DiskExtent) == 32);
static_assert(offsetof(DiskExtent, birth_txg) == 16);

constexpr u32 k_max_extent_blocks = 256;           // 1 MiB
constexpr u32 k_max_extent_checksum_bytes = 2048;  // bounds the item: 64 blocks with sha256

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
