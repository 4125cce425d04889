// SPDX-License-Identifier: GPL-2.0-only
// Records of the intent log, one maker for each operation (format/zil_format.h says what is in them; replay.cc reads them).
//
// Made before the operation takes its locks; null when the log is off or memory is short, which IntentLog::append takes as well.
#pragma once

#include "core/fs/clone.h"
#include "core/fs/dataset_change.h"
#include "core/fs/names.h"
#include "core/fs/shift.h"

namespace lcpfs {

// A dataset's, to be filled when its head is settled.
Box<LogRecord> record_of_dataset(Pool& pool, LogOpcode opcode);
void fill_record_of_dataset(const Box<LogRecord>& record, DatasetId id, const NewDataset& how);
Box<LogRecord> record_of_create(Pool& pool, Object& directory, Bytes text, const NewObject& how, const Object& made);
Box<LogRecord> record_of_link(Pool& pool, Object& directory, Bytes text, Object& object, Time time);
Box<LogRecord> record_of_unlink(Pool& pool, Object& directory, Bytes text, Object& object, bool is_directory, Time time);
Box<LogRecord> record_of_rename(Pool& pool, const Rename& rename, const Object* whiteout);
Box<LogRecord> record_of_attributes(Pool& pool, Object& object, const core_attr& attributes, unsigned mask);
Box<LogRecord> record_of_xattr(Pool& pool, Object& object, const XattrChange& change);
Box<LogRecord> record_of_truncate(Pool& pool, Object& object, u64 size_bytes, Time time);
// Of a cut inside a block, with what stays of that: whoever replays it does not have to read the block.
Box<LogRecord> record_of_write_truncate(Pool& pool, Object& object, u64 size_bytes, Time time, Bytes stays);
// The block was not written after all.
void drop_write(const Box<LogRecord>& record);
// Of blocks that are known only when they have been unmapped.
Box<LogRecord> record_of_punch(Pool& pool, Object& object, Time time);
void set_punched(const Box<LogRecord>& record, u64 first, u64 count);

// Of a part of `range` that is known only when it has been cloned.
Box<LogRecord> record_of_clone(Pool& pool, const CloneRange& range);
void set_cloned(const Box<LogRecord>& record, const CloneRange& range, u64 first, u64 count);

// Of one unwritten extent, which is known only when it is there.
Box<LogRecord> record_of_allocate(Pool& pool, Object& object);
void set_allocated(const Box<LogRecord>& record, u64 file_block, Bytes item);

// Of a move that is known only when it has been made.
Box<LogRecord> record_of_move(Pool& pool, Object& object, Time time);
void set_moved(const Box<LogRecord>& record, const BlockMove& move);

struct LoggedWrite {
    u64 block;
    u32 block_count;
    u64 file_bytes;
};
// With room for `payload_bytes` behind the DiskLogWrite: the bytes, or extent items.
Box<LogRecord> record_of_write(Pool& pool, Object& object, const LoggedWrite& write, LogWriteForm form, u32 payload_bytes);
// Behind what is there: one extent item. Room for it was asked for.
void add_extent(LogRecord& record, Bytes item, bool is_in_place);
// The bytes follow in `data`, or stand in `inline_bytes`.
void set_data(LogRecord& record, const Ref<LogData>& data, u32 data_bytes);
// Form blocks: all of `data` goes to the end of the frame. Their checksums, for which there is room, and its sums are set.
void set_blocks(LogRecord& record, const Ref<LogData>& data, ChecksumKind kind, Bytes checksums);
void set_data(LogRecord& record, Bytes inline_bytes);

inline Time time_of(const DiskTime& disk) { return Time { static_cast<i64>(disk.seconds.get()), disk.nanoseconds.get() }; }

}
