// SPDX-License-Identifier: GPL-2.0-only
// Requests for file data in flight: what core/fs allocates, once per operation and once per run of blocks, from pools
// with a reserve, so that writeback goes on without memory.
#pragma once

#include "core/dataset/object.h"
#include "core/object/extent.h"

namespace lcpfs {

constexpr u32 k_read_max_blocks = 1024;
constexpr u32 k_write_max_blocks = 256;
constexpr u32 k_small_read_segments = 16;

class Pool;

// One core_read. The segments follow the struct; none spans two runs. The object is the caller's until `done`.
struct ReadOperation {
    Pool* pool;
    Object* object;
    u64 block;
    u32 block_count;
    u32 segment_count;
    u32 next_segment { 0 };     // the first one not given to a run
    u64 file_bytes;             // size when the read began: what lies behind it in the last block is zeroed
    Atomic<u32> remaining { 0 };
    Atomic<u32> error { 0 };    // Error
    void (*done)(void* context, int error, const u64* bad);
    void* context;
    bool is_large;
    Atomic<u64> bad[k_read_max_blocks / 64];

    core_segment* segments() { return reinterpret_cast<core_segment*>(this + 1); }
};

// One contiguous piece of one extent being read.
struct ReadRun {
    host_work work;
    ReadOperation* operation;
    u64 file_block;
    u32 block_count;
    u32 first_segment;
    u32 segment_count;
    Error error;
    Dva dva;
    ChecksumKind checksum_kind;
    u8 checksums[k_max_extent_checksum_bytes];
};

// Two extent items being cut.
struct ExtentScratch {
    u8 first[k_max_extent_bytes];
    u8 second[k_max_extent_bytes];
};

struct WriteRun;

// One core_write.
struct WriteOperation {
    host_work work;
    Pool* pool;
    Ref<Object> object;
    u64 block;
    u32 block_count;
    u32 segment_count;
    u64 file_bytes;             // the page cache's size of the file
    Atomic<u32> remaining { 0 };
    Atomic<u32> error { 0 };    // Error
    u64 promised_units;         // for entering it, besides what its blocks were promised before
    void (*done)(void* context, int error);
    void* context;
    WriteRun* first_run { nullptr }; // in file order
    WriteRun* last_run { nullptr };
    ExtentScratch scratch;
    core_segment segments[k_write_max_blocks];
};

// One newly allocated piece being written.
struct WriteRun {
    WriteRun* next;
    WriteOperation* operation;
    u64 file_block;
    Dva dva;
    u8 item[k_max_extent_bytes]; // the extent item, checksums in place
};

constexpr u32 k_small_read_bytes = sizeof(ReadOperation) + k_small_read_segments * sizeof(core_segment);
constexpr u32 k_large_read_bytes = sizeof(ReadOperation) + k_read_max_blocks * sizeof(core_segment);
constexpr u32 k_read_run_bytes = sizeof(ReadRun);
constexpr u32 k_write_bytes = sizeof(WriteOperation);
constexpr u32 k_write_run_bytes = sizeof(WriteRun);
constexpr u32 k_scratch_bytes = sizeof(ExtentScratch);

}
