// SPDX-License-Identifier: GPL-2.0-only
// The uberblock: one committed transaction group. Its durable write is the commit.
//
// The ring of a label has 64 slots of 2 KiB. Group t goes to slot_of(t), which puts consecutive groups into
// different 4 KiB sectors, so that a torn sector can never take two groups that follow each other.
// Even groups are written to labels 0 and 2, odd ones to 1 and 3, on up to three devices: a device that
// garbles a region while writing it garbles one group's copies in one pair of labels, not both groups'.
#pragma once

#include "core/format/address_format.h"
#include "core/format/label_format.h"

namespace lcpfs {

constexpr u64 k_uberblock_magic = 0x55'53465043'4c00ull; // "\0LCPFSU"
constexpr u32 k_uberblock_slot_bytes = 2048;
constexpr u32 k_uberblock_slots = 64;
static_assert(k_label_ring_offset + k_uberblock_slots * k_uberblock_slot_bytes == k_label_bytes);

constexpr u32 uberblock_slot_of(u64 txg) { return (txg % 32) * 2 + (txg / 32) % 2; }

struct DiskUberblock {
    le64 magic;
    le64 txg;
    DiskGuid pool_guid;
    le64 time_ns;                    // realtime of the commit
    DiskNodePointer pool_tree;       // datasets and properties (dataset_format.h)
    DiskNodePointer metaslab_table;  // metaslab_format.h
    le64 log_tail;                   // intent log (zil_format.h): position of the first frame that may need replay
    le64 log_generation;             // 0: nothing is in it: never used, or the pool was closed with this group
    le64 total_blocks;               // in metaslabs, less their bitmaps
    le64 used_blocks;                // allocated as of this group
    le64 next_dataset;
    le64 log_sequence;               // of the frame at log_tail
    le64 log_record;                 // number of the last record before it
    le64 previous_txg;               // the committed group that this one was made from; numbers between were given up; 0: none
    le64 log_ring;                   // id of the ring (PoolKey::log) that log_tail is a position of
    le64 log_txg;                    // records of groups above it are replayed; 0: above txg. A repair has made a group that holds no more
    u8 reserved[2048 - 312 - 8];
    le64 checksum;                   // xxh64 of all before, seed = txg
    // TxgId 0 never commits: a zeroed slot is not an uberblock.
};
static_assert(offsetof(DiskUberblock, pool_tree) == 40);
static_assert(offsetof(DiskUberblock, metaslab_table) == 136);
static_assert(offsetof(DiskUberblock, log_tail) == 232);
static_assert(offsetof(DiskUberblock, previous_txg) == 288);
static_assert(offsetof(DiskUberblock, log_ring) == 296);
static_assert(offsetof(DiskUberblock, log_txg) == 304);
static_assert(sizeof(DiskUberblock) == k_uberblock_slot_bytes);

}
