// SPDX-License-Identifier: GPL-2.0-only
// The intent log on disk: a ring of frames, each holding whole records.
//
// A pool has a ring in its metaslabs, and may have one on a log device; the uberblock says of which its tail is.
// A ring is the concatenation of the runs that DiskLogRing lists. A position counts bytes from the ring's first use and
// never wraps: position % ring size is the place. A frame begins at a position that is a multiple of the
// largest logical block of the ring's devices, and lies within one run; one that would not fit begins at the next run. Places on
// which a write may still land that a hanging path has are left out: a frame begins up to k_max_log_skip_bytes behind the end of
// the one before it.
//
// A frame belongs to the log when pool, generation, position and sequence are the expected ones and its checksum fits.
// The generation is random, new with each opening for writing, and stands in the uberblock: what an earlier time left
// behind never looks like a frame of this one.
//
// What a write puts into whole blocks stands behind the records, one 4 KiB block after the other, up to the frame's end: so it goes to
// the device from where it is, uncopied, and its checksums are those that it has at its place. Record after record has its own.
//
// Records are padded to 64 bytes. Numbers of records rise; where one is left out, its change had been committed by a group
// when the frame after it was built: `committed_txg` of that frame or an older one. Falling back to a group before that one, the
// log is of use only up to there.
#pragma once

#include "core/format/address_format.h"
#include "core/format/label_format.h"
#include "core/format/log_opcode.h"
#include "core/format/object_format.h"

namespace lcpfs {

constexpr u64 k_log_record_magic = 0x5a494c00; // "\0LIZ"
constexpr u64 k_log_frame_magic = 0x334c495a'53465043ull; // "CPFSZIL3"; only with k_incompat_log_data
// Read, not written: they have no data blocks, and their pieces of 4 KiB are counted from their start.
constexpr u64 k_log_plain_frame_magic = 0x324c495a'53465043ull; // "CPFSZIL2"; only with k_incompat_log_sums
// "CPFSZIL1". Its hash is of the whole frame, by those pieces, its checksum field 0.
constexpr u64 k_log_hashed_frame_magic = 0x314c495a'53465043ull;
constexpr u32 k_log_record_align = 64;
constexpr u32 k_max_log_frame_bytes = 128 * 1024;
constexpr u32 k_max_log_frame_records = 64;
constexpr u32 k_max_log_frames_in_flight = 8;
constexpr u32 k_max_log_data_bytes = 64 * 1024; // of one record
constexpr u64 k_max_log_ring_bytes = 256ull << 20; // unless asked for
constexpr u64 k_max_repaired_ring_bytes = 64ull << 20;
constexpr u64 k_most_log_ring_bytes = 1ull << 30; // that can be asked for
constexpr u64 k_max_log_skip_bytes = 2ull << 20; // nor more than a quarter of the ring
constexpr u64 k_min_log_ring_bytes = 1ull << 20;
constexpr u32 k_max_log_segments = 48;
constexpr u32 k_max_log_members = 4;

struct DiskLogRecord {
    le64 magic;
    le64 txg;
    le64 time_ns;           // realtime of the operation
    le32 opcode;            // LogOpcode
    le32 payload_bytes;
    le64 object;            // directory or file that it is done to
    le64 offset;            // in the file, bytes
    le64 checksum;          // Fletcher-4 of header (this field 0) and payload, folded; of data blocks, of their checksums in it
    le64 sequence;
    le64 previous_position; // of the frame with the record before this one
    le64 dataset;           // id of the dataset that the object is in
    le32 flags;             // none yet
    le32 data_blocks;       // that it has at the end of its frame
};
static_assert(sizeof(DiskLogRecord) == 88);
static_assert(offsetof(DiskLogRecord, time_ns) == 16);
static_assert(offsetof(DiskLogRecord, opcode) == 24);
static_assert(offsetof(DiskLogRecord, payload_bytes) == 28);
static_assert(offsetof(DiskLogRecord, object) == 32);
static_assert(offsetof(DiskLogRecord, offset) == 40);
static_assert(offsetof(DiskLogRecord, checksum) == 48);
static_assert(offsetof(DiskLogRecord, sequence) == 56);
static_assert(offsetof(DiskLogRecord, previous_position) == 64);
static_assert(offsetof(DiskLogRecord, dataset) == 72);
static_assert(offsetof(DiskLogRecord, data_blocks) == 84);

// create, make_directory, symlink, create_unnamed; record object: the directory. Then the name, then a symlink's target, then
// extended attributes (DiskLogXattr) to the end.
struct DiskLogCreate {
    le64 object;
    le64 generation;
    le32 mode;
    le32 uid, gid, project;
    le32 flags;
    le32 rdev;
    DiskTime time;
    le16 name_bytes;        // 0: unnamed
    le16 target_bytes;
};
static_assert(sizeof(DiskLogCreate) == 56);
static_assert(offsetof(DiskLogCreate, time) == 40);

// remove, remove_directory, link; record object: the directory. Then the name.
struct DiskLogName {
    le64 object;            // what the name names, or will
    DiskTime time;
    le16 name_bytes;
    le16 reserved;
};
static_assert(sizeof(DiskLogName) == 24);

// rename; record object: the directory the name is in. Then the old name, then the new one.
struct DiskLogRename {
    le64 to_directory;
    le64 object;
    le64 victim;            // what the new name named; 0: nothing
    DiskTime time;
    le16 from_bytes;
    le16 to_bytes;
    u8 exchange;            // 1: the two names change places
    u8 whiteout;            // 1: the old name stays, for an object made with it: DiskLogCreate without a name and its attributes follow
    u8 reserved[6];
};
static_assert(sizeof(DiskLogRename) == 48);
static_assert(offsetof(DiskLogRename, exchange) == 40);

enum class LogWriteForm : u8 {
    data = 1,               // the bytes follow; what they lack of the last block is zeros
    extents = 2,            // extent items follow (DiskExtent and its checksums), the data is in place and was flushed. Where
                            // k_extent_in_place the blocks were the file's before, unwritten
    blocks = 3,             // block_count data blocks at the end of the frame; their checksums follow. Zeros behind the file's end
};

// write; record offset: a multiple of the block size.
struct DiskLogWrite {
    le64 file_bytes;        // the file's size as the page cache had it: core_write
    le32 block_count;
    le32 extent_count;      // form extents
    le32 data_bytes;        // form data
    u8 form;                // LogWriteForm
    u8 checksum;            // form blocks: ChecksumKind
    u8 reserved[2];
};
static_assert(sizeof(DiskLogWrite) == 24);
static_assert(offsetof(DiskLogWrite, checksum) == 21);

struct DiskLogTruncate {
    le64 size_bytes;
    DiskTime time;
    le32 reserved;
};
static_assert(sizeof(DiskLogTruncate) == 24);

// Blocks unmapped; record offset: where they begin, a multiple of the block size.
struct DiskLogPunch {
    le64 block_count;
    DiskTime time;
    le32 reserved;
};
static_assert(sizeof(DiskLogPunch) == 24);

// Extents of blocks from the record's offset on, to another place of the file; going to its front, what is between is unmapped.
struct DiskLogMove {
    le64 block_count;
    le64 to;                // block
    le64 size_bytes;        // of the file from then on; all ones: as it was
    DiskTime time;
    le32 reserved;
};
static_assert(sizeof(DiskLogMove) == 40);

struct DiskLogAttributes {
    le32 mask;              // CORE_SET_*
    le32 mode;
    le32 uid, gid, project;
    le32 flags;
    le64 change;
    DiskTime atime, mtime, ctime;
    le32 reserved;
};
static_assert(sizeof(DiskLogAttributes) == 72);
static_assert(offsetof(DiskLogAttributes, atime) == 32);

// create_dataset, change_dataset; record dataset: its id, object 0. All of its head as it is from then on.
struct DiskLogDataset {
    DiskGuid hash_seed;     // from here on to the name as in DiskDataset
    le32 flags;
    u8 sync;
    u8 log_bias;
    u8 compression;
    u8 checksum;
    le64 partition;
    le64 generation;        // create_dataset: of its root directory, as the rest
    le32 mode;
    le32 uid, gid;
    DiskTime time;
    u8 name[k_pool_name_bytes];
};
static_assert(sizeof(DiskLogDataset) == 128);
static_assert(offsetof(DiskLogDataset, flags) == 16);
static_assert(offsetof(DiskLogDataset, sync) == 20);
static_assert(offsetof(DiskLogDataset, compression) == 22);
static_assert(offsetof(DiskLogDataset, checksum) == 23);
static_assert(offsetof(DiskLogDataset, partition) == 24);
static_assert(offsetof(DiskLogDataset, generation) == 32);
static_assert(offsetof(DiskLogDataset, mode) == 40);
static_assert(offsetof(DiskLogDataset, time) == 52);
static_assert(offsetof(DiskLogDataset, name) == 64);

// An extended attribute: its name and its value follow.
struct DiskLogXattr {
    le32 value_bytes;
    le16 name_bytes;        // 1..255
    le16 reserved;
};
static_assert(sizeof(DiskLogXattr) == 8);

// set_xattr, remove_xattr, acl_v0, acl_v1 begin with DiskLogAttributes: what of the object changes with it. Then
//   set_xattr, remove_xattr   DiskLogXattr, name, value (of a removal none)
//   acl_v0, acl_v1            DiskLogAcl, the list (xattr_format.h; version 0: none)
// create and its kin end with the attributes that the object begins with, each as DiskLogXattr, name, value.
struct DiskLogAcl {
    le32 list_bytes;
    u8 kind;                // 1: that of the object, 2: of what is made in a directory
    u8 reserved[3];
};
static_assert(sizeof(DiskLogAcl) == 8);

// A cut inside a block: the last block as it is from then on (form data, one block), and the new size behind it.
struct DiskLogWriteTruncate {
    DiskLogTruncate truncate;
    DiskLogWrite write;
};
static_assert(sizeof(DiskLogWriteTruncate) == 48);

// Blocks of one file come to be those of another too; record object and offset: where to. All offsets are multiples of the block size.
struct DiskLogCloneRange {
    le64 source;
    le64 source_offset;
    le64 length_bytes;
    le64 target_bytes;      // the target grows to what of the range lies within it
    DiskTime time;
    le32 keeps_times;       // 1: contents stay (deduplication)
};
static_assert(sizeof(DiskLogCloneRange) == 48);

// Says that groups up to this one had committed when it was written. Has no effect on replay.
struct DiskLogCommitMarker {
    le64 committed_txg;
};

// Its hash is xxh64 of the records' checksums, one after the other, then of this head, each seeded with the one before; its cyclic
// sum is of everything: crc32c of each 4 KiB, counted from the frame's end, the earlier ones' sum rotated left by 13 before it is put to
// it by exclusive or.
struct DiskLogFrame {
    le64 magic;
    DiskGuid pool_guid;
    le64 generation;
    le64 sequence;          // rises by one
    le64 position;
    le32 length_bytes;      // whole logical blocks, this header included
    le32 used_bytes;        // to the end of the last record
    le32 record_count;
    le32 data_blocks;       // of all records, at the end
    le64 acknowledged;      // every frame up to this sequence was durable when this one was sealed
    le64 first_record, last_record;
    le64 committed_txg;     // the newest group that had committed when this was sealed
    u8 padding[16];
    u8 checksum[16];        // le64 hash, le64 cyclic sum (FrameSum), this field 0 in both
};
static_assert(sizeof(DiskLogFrame) == 128);
static_assert(offsetof(DiskLogFrame, length_bytes) == 48);
static_assert(offsetof(DiskLogFrame, acknowledged) == 64);
static_assert(offsetof(DiskLogFrame, checksum) == 112);

constexpr u32 k_max_log_record_bytes = k_max_log_frame_bytes - sizeof(DiskLogFrame);
constexpr u32 log_record_bytes(u64 payload_bytes)
{
    return static_cast<u32>(align_up(sizeof(DiskLogRecord) + payload_bytes, k_log_record_align));
}

// The ring on a log device has the limit of the one in the pool: replay keeps in memory what it has to do again, and a
// machine that is short of memory has to be able to mount; and a group commits early once a quarter is full, which at 16 MiB
// costs the devices less than what was logged.
//
// Where a ring is: the pool tree's entry PoolKey::log. The segments follow.
//
// A ring on log devices may have several members, mirrors of each other: every frame stands on all of them at the same position,
// so any good copy of a frame is the frame. Members can end at different frames, since one that fails gets no more: it is
// `stale` from the group on that commits next, and before that group nothing is acknowledged by the others alone. So what
// the log holds is told by any member that is not stale, and by stale ones never: where no other is there, the log is missing.
enum LogRingId : u32 {
    k_pool_ring = 0,        // in metaslabs: every pool has it
    k_device_ring = 1,      // on log devices
    k_log_ring_ids
};
struct DiskLogRing {
    le32 segment_count;     // of each member; of all together 1..k_max_log_segments. Member after member follows, of like lengths
    u8 member_count;        // 0: one (older pools); more than one only with k_incompat_log_mirror
    u8 stale;               // bits of members; never all of them
    le16 reserved;
};
static_assert(sizeof(DiskLogRing) == 8);
static_assert(offsetof(DiskLogRing, stale) == 5);

}
