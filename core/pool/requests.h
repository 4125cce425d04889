// SPDX-License-Identifier: GPL-2.0-only
// Requests for file data in flight: what core/fs allocates, from pools with a reserve, so that writeback goes on without
// memory.
//
// The rule of reserves, which keeps them from being waited for in a circle. Waiting for one is allowed only without an object's
// lock and without a hold of a group, and a context takes at most one element of each pool that way, in this order: the
// operation (large_reads, small_reads, writes), a stored unit, a page, a scratch; in the second half of a write that found no
// memory the turn at the node kit, a version, a chunk of the space log. Whoever has one gives it back without waiting for one that
// stands before it, or for another of its kind.
//
// Last of all comes a workbench of the codecs (codec/compression.h), for as long as a computation takes. What is compressed in a write is
// had without waiting, or stored as it is.
//
// So an operation has its first run of blocks within it. Further runs are had as far as there is memory; without, the
// operation goes on with those it has, and does the rest in another round when they are done.
#pragma once

#include "core/codec/compression.h"
#include "core/dataset/object.h"
#include "core/object/extent.h"

namespace lcpfs {

constexpr u32 k_read_max_blocks = 1024;
constexpr u32 k_write_max_blocks = 256;
constexpr u32 k_small_read_segments = 16;

class Pool;

struct ReadOperation;

// All that is stored of a unit, as it is read. One object of a pool: contiguous, whole pages.
struct StoredUnit {
    u8 data[k_unit_bytes];
};

// What of a compressed extent a run reads.
struct UnitPart {
    Encoding encoding;
    u8 unit_blocks;
    u8 first;            // of the unit's blocks, the first that is wanted
    u32 stored_bytes;
    StoredUnit* stored;
};

// One contiguous piece of one extent being read.
struct ReadRun {
    host_work work;
    ReadOperation* operation;
    ReadRun* next; // in ReadWaiter
    u64 file_block;
    u32 block_count;
    u32 first_segment;
    u32 segment_count;
    Error error;
    Dva dva;
    ChecksumKind checksum_kind;
    u8 served_by; // the path it was read by
    bool is_of_unit; // of a compressed extent
    core_segment whole; // of a compressed one: unit.stored
    UnitPart unit; // of a run that is compressed: the blocks wanted are in the unit, `dva` and `checksums` are of all that is stored
    u8 checksums[k_max_extent_checksum_bytes];
};

// Who waits for a read: takes each piece as it arrives, so that no other thread is woken for it. On the stack; whoever brings something
// holds the lock until he is done with it.
struct ReadWaiter {
    SpinLock lock { LCPFS_RANK_io };
    Event event;
    Atomic<u8> has_news { 0 };
    ReadRun* arrived { nullptr };
    bool is_over { false };
};

// One core_read. The segments follow the struct; none spans two runs. The object is the caller's until `done`.
struct ReadOperation {
    host_work work;             // goes on with the next round
    Pool* pool;
    Object* object;
    u64 block;
    u32 block_count;
    u32 segment_count;
    u32 next_segment { 0 };     // the first one not given to a run
    u64 next_block;             // of the file: the first one not looked at
    u64 began_ns;               // 0: it is not timed
    u64 file_bytes;             // size when the read began: what lies behind it in the last block is zeroed
    Atomic<u32> remaining { 0 };
    Atomic<u32> error { 0 };    // Error
    void (*done)(void* context, int error, const u64* bad);
    void* context;
    ReadWaiter* waiter;         // null: nobody waits
    bool is_large;
    bool is_once;               // core_read_once
    Atomic<u32> own_run_busy { 0 };
    ReadRun own_run;
    Atomic<u64> bad[k_read_max_blocks / 64];

    core_segment* segments() { return reinterpret_cast<core_segment*>(this + 1); }
};

// Two extent items being cut.
struct ExtentScratch {
    u8 first[k_max_extent_bytes];
    u8 second[k_max_extent_bytes];
};

struct WriteOperation;

// One newly allocated piece being written.
struct WriteRun {
    WriteRun* next;
    WriteOperation* operation;
    u64 file_block;
    u32 block_count;             // of the file
    u32 page_count;              // of a compressed one: what is stored, in pages of its own; else 0
    Dva dva;
    bool is_in_place;           // the file's blocks before: fs/in_place.h
    bool is_overtaken;          // some of these have left the file meanwhile
    u32 group_slot;             // in place: InPlaceWrites
    InPlaceWrite place;         // in place
    u8 item[k_max_extent_bytes]; // the extent item, checksums in place
    core_segment pages[k_max_unit_blocks - 1];
};

// One core_write.
struct WriteOperation {
    host_work work;
    Pool* pool;
    Ref<Object> object;
    u64 block;
    u32 block_count;
    u32 segment_count;
    u32 started_blocks { 0 };        // given to runs, of this round and those before
    u32 next_segment { 0 };          // the first one not given to a run
    u32 entries { 0 };               // of the space log, at most, for the runs of this round
    u32 plain_until;                 // blocks up to here are stored as they are
    WriteRun* packed { nullptr };    // the compressed unit that begins there, to be started
    CompressionChoice compression;
    u64 began_ns;               // 0: it is not timed
    u64 file_bytes;             // the page cache's size of the file
    Atomic<u32> remaining { 0 };
    Atomic<u32> error { 0 };    // Error
    u64 promised_units;         // for entering it, besides what its blocks were promised before
    bool may_be_in_place { false }; // the file has, or had, unwritten extents
    bool may_be_inline { true };
    void (*done)(void* context, int error);
    void* context;
    WriteRun* first_run { nullptr }; // in file order
    WriteRun* last_run { nullptr };
    bool own_run_busy { false };
    WriteRun own_run;
    ExtentScratch scratch;
    WriteOperation* next_written;    // in Object::m_to_enter
    core_segment segments[k_write_max_blocks];
};

constexpr u32 k_small_read_bytes = sizeof(ReadOperation) + k_small_read_segments * sizeof(core_segment);
constexpr u32 k_large_read_bytes = sizeof(ReadOperation) + k_read_max_blocks * sizeof(core_segment);
constexpr u32 k_read_run_bytes = sizeof(ReadRun);
constexpr u32 k_write_bytes = sizeof(WriteOperation);
constexpr u32 k_write_run_bytes = sizeof(WriteRun);
constexpr u32 k_scratch_bytes = sizeof(ExtentScratch);
constexpr u32 k_stored_unit_bytes = sizeof(StoredUnit);
constexpr u32 k_stored_unit_reserve = 8;

}
