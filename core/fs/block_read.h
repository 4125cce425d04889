// SPDX-License-Identifier: GPL-2.0-only
// One block of a file by itself: what a run of blocks falls back to when one of them does not verify, and what a cut
// inside a block begins with.
#pragma once

#include "core/pool/pool.h"

namespace lcpfs {

// Where a block's content came from.
struct BlockSource {
    bool mapped { false };                // neither a hole nor in the record
    Dva place;                            // one block; compressed: all of its unit
    u8 checksum[k_checksum_bytes] {};     // as the extent has it; compressed: of the first block stored
    bool is_compressed { false };
    TxgId birth;                          // compressed: no two units of one place were born in one group
    u32 unit_block { 0 };                 // compressed: which one of the unit's
    friend bool operator==(const BlockSource& a, const BlockSource& b)
    {
        return a.is_in_unit_of(b) && a.unit_block == b.unit_block;
    }
    // Both are stored as one, or are the same block.
    bool is_in_unit_of(const BlockSource& other) const
    {
        return mapped == other.mapped && place == other.place && is_compressed == other.is_compressed && birth == other.birth
            && compare_bytes(checksum, other.checksum, k_checksum_bytes) == 0;
    }
};

// Where the file has the block now, without reading it.
Result<BlockSource> find_block(Object& object, u64 file_block) REQUIRES_SHARED(object.m_lock);

// Reads a block from where the file has it, looking again when it does not verify: it may have been moved meanwhile, and
// its place be used anew. What stays bad is logged and counted. Sleepable, no core lock held.
Status read_block(Pool& pool, Object& object, u64 file_block, void* memory, BlockSource& source);

// Counts, traces and logs a block that cannot be read from its place.
void note_bad_block(Pool& pool, Object& object, u64 file_block, const Dva& place, Error error);

// Verifies one block.
bool block_matches(ChecksumKind kind, const void* block, const u8* expected);

}
