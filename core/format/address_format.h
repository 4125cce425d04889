// SPDX-License-Identifier: GPL-2.0-only
// Addresses on disk: Dva (a run of blocks on one vdev), DiskChecksum, NodePointer.
//
// Everything is reached from an uberblock through NodePointers, each of which carries the checksum,
// the birth group and the size of what it points at: nothing on disk vouches for itself.
#pragma once

#include "core/base/little_endian.h"

namespace lcpfs {

// A run of 4 KiB blocks. length_blocks == 0: unused.
struct DiskDva {
    le64 block;
    le32 length_blocks;
    le16 vdev;
    le16 reserved;
};
static_assert(sizeof(DiskDva) == 16);

enum class ChecksumKind : u8 { none = 0, crc32c = 1, xxh64 = 2, sha256 = 3 };
enum class Encoding : u8 { none = 0, lz4 = 1, zstd = 2 }; // numbers above 2 are reserved (encryption)

constexpr u32 k_checksum_bytes = 32;
constexpr u32 k_max_copies = 3;
constexpr u32 k_min_node_bytes = 16384; // an item holds 2 KiB of checksums, a node at least four items
constexpr u32 k_max_node_bytes = 32768; // offsets in a node are 16 bits

// Up to three copies of one tree node. `copies` of the dva are used, the rest are zero.
struct DiskNodePointer {
    DiskDva dva[k_max_copies];
    le64 birth_txg;
    le32 size_bytes;
    u8 checksum_kind;
    u8 encoding;
    u8 level;   // 0: leaf
    u8 copies;
    u8 checksum[k_checksum_bytes]; // over the stored bytes; unused bytes zero
};
static_assert(sizeof(DiskNodePointer) == 96);
static_assert(offsetof(DiskNodePointer, birth_txg) == 48);
static_assert(offsetof(DiskNodePointer, size_bytes) == 56);
static_assert(offsetof(DiskNodePointer, checksum_kind) == 60);
static_assert(offsetof(DiskNodePointer, checksum) == 64);

}
