// SPDX-License-Identifier: GPL-2.0-only
// The label: who a device is. 256 KiB, four on every device: two at the front, two at the end.
//
//   offset    size      content
//   0         4 KiB     left alone (boot sectors of others)
//   4 KiB     4 KiB     DiskLabelHeader
//   8 KiB     8 KiB     DiskVdevTable: every device of the pool
//   16 KiB    4 KiB     probe block (multipath identity check: a nonce written here is read by another path)
//   20 KiB    108 KiB   reserved, zero
//   128 KiB   128 KiB   uberblock ring: 64 slots of 2 KiB (uberblock_format.h)
//
// Labels are written by mkfs, when the set of devices changes, and when a feature comes into use, never by a commit. The four are written
// front pair first, flushed, then the end pair, so that one valid pair always exists.
#pragma once

#include "core/base/little_endian.h"
#include "core/format/address_format.h"

namespace lcpfs {

constexpr u64 k_label_magic = 0x314c53465043'4c00ull; // "\0LCPFSL1"
constexpr u32 k_label_version = 1;
constexpr u32 k_label_bytes = 256 * 1024;
constexpr u32 k_label_count = 4;
constexpr u32 k_label_blocks = k_label_bytes / k_block_size;
constexpr u32 k_label_header_offset = 4 * 1024;
constexpr u32 k_label_vdevs_offset = 8 * 1024;
constexpr u32 k_label_vdevs_bytes = 8 * 1024;
constexpr u32 k_label_probe_offset = 16 * 1024;
constexpr u32 k_label_ring_offset = 128 * 1024;
constexpr u32 k_max_vdevs = 64;
constexpr u32 k_pool_name_bytes = 64;

// Features. A set bit not in k_known_* : compat is ignored, ro_compat mounts read-only, incompat refuses.
constexpr u64 k_known_compat = 0;
constexpr u64 k_known_ro_compat = 0;
constexpr u64 k_incompat_log_device = 1; // the vdev table has entries of VdevRole::log
constexpr u64 k_incompat_log_mirror = 2; // the ring on log devices may have several members (DiskLogRing)
constexpr u64 k_incompat_compression = 4; // extents may be compressed: set before the first one is
constexpr u64 k_incompat_log_sums = 8;  // frames of the log may be k_log_plain_frame_magic
constexpr u64 k_incompat_log_data = 16; // frames of the log may be k_log_frame_magic: set before the first one is
constexpr u64 k_known_incompat = k_incompat_log_device | k_incompat_log_mirror | k_incompat_compression | k_incompat_log_sums
    | k_incompat_log_data;

struct DiskGuid {
    u8 bytes[16];
};

struct DiskLabelHeader {
    le64 magic;
    le32 version;
    le32 header_bytes;         // sizeof(DiskLabelHeader)
    le64 compat, ro_compat, incompat;
    DiskGuid pool_guid;
    DiskGuid vdev_guid;
    u8 name[k_pool_name_bytes]; // NUL-padded
    le16 vdev_index;
    le16 vdev_count;
    u8 block_shift;            // 12
    u8 node_shift;             // 14 or 15
    u8 metadata_copies;        // 1..3
    u8 data_checksum;          // ChecksumKind of new extents
    u8 node_checksum;          // ChecksumKind of new nodes
    u8 reserved[7];
    le64 created_ns;           // realtime of mkfs
    le64 label_generation;     // rises with each rewrite of the labels
    DiskGuid table_guid;       // seed of name hashes: secret to the pool, not to its owner
    le64 vdevs_checksum;       // xxh64 of the 8 KiB vdev table, seed 0
    u8 padding[304];
    le64 checksum;             // xxh64 of all before, seed = label_version
};
static_assert(offsetof(DiskLabelHeader, pool_guid) == 40);
static_assert(offsetof(DiskLabelHeader, name) == 72);
static_assert(offsetof(DiskLabelHeader, vdev_index) == 136);
static_assert(offsetof(DiskLabelHeader, block_shift) == 140);
static_assert(offsetof(DiskLabelHeader, created_ns) == 152);
static_assert(offsetof(DiskLabelHeader, vdevs_checksum) == 184);
static_assert(sizeof(DiskLabelHeader) == 504);

enum class VdevKind : u8 { device = 1, mirror = 2, raidz1 = 3, raidz2 = 4, raidz3 = 5 }; // 2..5 reserved
// A log device has its labels and, between them, a ring of the intent log (zil_format.h); no metaslabs, and no uberblocks: its
// rings of those stay zero, so that what a pool has committed never depends on it. It is of use while the pool tree has
// its ring; the label names it for good.
enum class VdevRole : u8 { data = 1, log = 2 };

struct DiskVdevEntry {
    DiskGuid guid;
    le64 capacity_blocks;      // of the device, labels included
    le32 metaslab_blocks;      // size of a metaslab; a power of two; role log: 0
    le32 metaslab_count;       // role log: 0
    le16 parent;               // index of the mirror or raidz it belongs to; 0xffff: top level
    u8 kind;                   // VdevKind
    u8 role;                   // VdevRole
    u8 reserved[28];
};
static_assert(sizeof(DiskVdevEntry) == 64);
static_assert(offsetof(DiskVdevEntry, parent) == 32);

struct DiskVdevTable {
    DiskVdevEntry entries[k_max_vdevs];
    u8 reserved[k_label_vdevs_bytes - k_max_vdevs * sizeof(DiskVdevEntry)];
};
static_assert(sizeof(DiskVdevTable) == k_label_vdevs_bytes);

// Byte offset of label `index` on a device of `capacity_blocks` (rounded down to blocks).
constexpr u64 label_offset(u32 index, u64 capacity_blocks)
{
    return index < 2 ? u64(index) * k_label_bytes
                     : capacity_blocks * k_block_size - u64(k_label_count - index) * k_label_bytes;
}
// First block after the front labels; metaslab 0 starts here, or the ring of a log device.
constexpr u64 k_first_metaslab_block = 2 * k_label_blocks;
constexpr u64 k_min_log_device_bytes = 4ull << 20; // the labels take a quarter of it

}
