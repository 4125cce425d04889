// SPDX-License-Identifier: GPL-2.0-only
// Partitions on disk: items of the pool tree, key (PoolKey::partition, PartitionItemKey). What a partition owns stands in the
// metaslab table (DiskMetaslabEntry::partition), nowhere else: a size is the sum of what is owned, and is not stored.
//
// One partition is five items, since a history does not fit an item of the smallest nodes:
//
//     part 0       DiskPartition: identity, limits, the four learned numbers
//     part 1..4    DiskPartitionHistory: 25 outcomes each, oldest first, so outcome n is in part 1 + n / 25
//
// The key of partition 0, which there is none of, has one item, part 0: DiskPartitionTable. A pool without it has the default
// partition alone, without limits, and nothing learned.
//
// Parts 1.. that are not there are empty. What is damaged in the learned state costs what was learned, never the
// partition: decode_partition and decode_history (core/partition/partition_codec.h) are apart.
//
// A Fixed (core/partition/fixed_point.h) is Q63.64 in 16 bytes, low half first: the exact number, so that what a pool decides
// after a mount is what it would have decided without.
#pragma once

#include "core/format/label_format.h"

namespace lcpfs {

using PartitionId = Tagged<struct PartitionIdTag>; // never reused; 0: unassigned
constexpr PartitionId k_unassigned {};
constexpr PartitionId k_default_partition { 1 };   // every pool has it, stored or not
constexpr u32 k_max_partitions = 64;

constexpr u32 k_partition_name_bytes = 64;
constexpr u32 k_partition_history_parts = 4;
constexpr u32 k_outcomes_per_part = 25;
constexpr u32 k_partition_version = 1;

constexpr u64 k_most_partition_id = (1ull << 56) - 1;
constexpr u64 partition_item_key(u64 id, u32 part) { return id << 3 | part; }
constexpr u64 partition_of_item_key(u64 key) { return key >> 3; }
constexpr u32 part_of_item_key(u64 key) { return static_cast<u32>(key & 7); }

struct DiskPartitionTable {
    le32 version;        // k_partition_version
    le32 reserved;       // 0
    le64 next_id;        // of the next partition to be made
    u8 padding[16];      // 0
};
static_assert(sizeof(DiskPartitionTable) == 32);
static_assert(offsetof(DiskPartitionTable, next_id) == 8);

struct DiskFixed {
    le64 low, high;
};
static_assert(sizeof(DiskFixed) == 16);
static_assert(offsetof(DiskFixed, high) == 8);

struct DiskLearned {
    DiskFixed value;    // within the bounds that core/partition/partition.h declares
    DiskFixed mean;     // of the improvements, percent
    DiskFixed squares;  // sum of the squared distances from it; not negative
    le64 observations;
    le64 reserved;      // 0
};
static_assert(sizeof(DiskLearned) == 64);
static_assert(offsetof(DiskLearned, mean) == 16);
static_assert(offsetof(DiskLearned, squares) == 32);
static_assert(offsetof(DiskLearned, observations) == 48);
static_assert(offsetof(DiskLearned, reserved) == 56);

struct DiskPartition {
    le64 id;             // 1..k_most_partition_id; 1 is the default partition
    le32 version;        // of this layout: k_partition_version
    le16 name_bytes;     // 1..64
    le16 history_count;  // outcomes in parts 1..: at most 100
    le64 minimum_blocks;
    le64 maximum_blocks; // 0: the pool
    le64 last_resize_s;  // realtime; 0: never
    DiskLearned pressure, cooldown, growth, shrink;
    u8 name[k_partition_name_bytes];
    u8 reserved[24];     // 0
};
static_assert(sizeof(DiskPartition) == 384);
static_assert(offsetof(DiskPartition, version) == 8);
static_assert(offsetof(DiskPartition, name_bytes) == 12);
static_assert(offsetof(DiskPartition, history_count) == 14);
static_assert(offsetof(DiskPartition, minimum_blocks) == 16);
static_assert(offsetof(DiskPartition, maximum_blocks) == 24);
static_assert(offsetof(DiskPartition, last_resize_s) == 32);
static_assert(offsetof(DiskPartition, pressure) == 40);
static_assert(offsetof(DiskPartition, cooldown) == 104);
static_assert(offsetof(DiskPartition, growth) == 168);
static_assert(offsetof(DiskPartition, shrink) == 232);
static_assert(offsetof(DiskPartition, name) == 296);
static_assert(offsetof(DiskPartition, reserved) == 360);

struct DiskOutcome {
    DiskFixed pressure;    // not negative
    DiskFixed improvement; // percent
};
static_assert(sizeof(DiskOutcome) == 32);
static_assert(offsetof(DiskOutcome, improvement) == 16);

struct DiskPartitionHistory {
    le16 count;            // 1..25
    u8 actions[6];         // bit n: outcome n was a shrink
    DiskOutcome outcomes[k_outcomes_per_part]; // those beyond `count` are zeros
};
static_assert(sizeof(DiskPartitionHistory) == 808);
static_assert(offsetof(DiskPartitionHistory, actions) == 2);
static_assert(offsetof(DiskPartitionHistory, outcomes) == 8);

}
