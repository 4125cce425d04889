// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/log_records.h"

#include "core/fs/new_object.h"

namespace lcpfs {

namespace {

DiskTime disk_time(Time time)
{
    DiskTime disk;
    disk.seconds.set(static_cast<u64>(time.seconds));
    disk.nanoseconds.set(time.nanoseconds);
    return disk;
}

DiskTime disk_time(const core_time& time) { return disk_time(Time { time.seconds, time.nanoseconds }); }

Box<LogRecord> prepare(Pool& pool, LogOpcode opcode, Object& object, size_t payload_bytes)
{
    Box<LogRecord> record = pool.intent_log().prepare(opcode, object.id().value(), static_cast<u32>(payload_bytes));
    if (record)
        record->header.dataset.set(object.dataset().id().value());
    return record;
}

// The fixed part, then up to two strings.
template <typename Head>
void fill(LogRecord& record, const Head& head, Bytes first, Bytes second = {})
{
    copy_bytes(record.payload(), &head, sizeof(head));
    copy_bytes(record.payload() + sizeof(head), first.data(), first.size());
    copy_bytes(record.payload() + sizeof(head) + first.size(), second.data(), second.size());
}

size_t logged_bytes(Bytes name, Bytes value) { return sizeof(DiskLogXattr) + name.size() + value.size(); }

// Gives what is behind it.
u8* put_xattr(u8* at, Bytes name, Bytes value)
{
    DiskLogXattr head {};
    head.value_bytes.set(static_cast<u32>(value.size()));
    head.name_bytes.set(static_cast<u16>(name.size()));
    copy_bytes(at, &head, sizeof(head));
    copy_bytes(at + sizeof(head), name.data(), name.size());
    copy_bytes(at + sizeof(head) + name.size(), value.data(), value.size());
    return at + logged_bytes(name, value);
}

size_t new_bytes(Bytes text, const NewObject& how)
{
    size_t bytes = sizeof(DiskLogCreate) + text.size() + how.target.size();
    for (const NewXattr& xattr : how.xattrs)
        bytes += logged_bytes(xattr.name, xattr.value);
    return bytes;
}

void put_new(u8* at, Bytes text, const NewObject& how, const Object& made)
{
    DiskLogCreate head;
    head.object.set(made.id().value());
    head.generation.set(generation_of_new(made, how));
    head.mode.set(how.mode);
    head.uid.set(how.uid);
    head.gid.set(how.gid);
    head.project.set(how.project);
    head.flags.set(how.flags);
    head.rdev.set(how.rdev);
    head.time = disk_time(how.time);
    head.name_bytes.set(static_cast<u16>(text.size()));
    head.target_bytes.set(static_cast<u16>(how.target.size()));
    copy_bytes(at, &head, sizeof(head));
    copy_bytes(at + sizeof(head), text.data(), text.size());
    copy_bytes(at + sizeof(head) + text.size(), how.target.data(), how.target.size());
    at += sizeof(head) + text.size() + how.target.size();
    for (const NewXattr& xattr : how.xattrs)
        at = put_xattr(at, xattr.name, xattr.value);
}

DiskLogAttributes log_attributes(const core_attr& attributes, unsigned mask)
{
    DiskLogAttributes head {};
    head.mask.set(mask);
    head.mode.set(attributes.mode);
    head.uid.set(attributes.uid);
    head.gid.set(attributes.gid);
    head.project.set(attributes.project);
    head.flags.set(attributes.flags);
    head.change.set(attributes.change);
    head.atime = disk_time(attributes.atime);
    head.mtime = disk_time(attributes.mtime);
    head.ctime = disk_time(attributes.ctime);
    return head;
}

LogOpcode opcode_of(u32 mode, bool named)
{
    if (!named)
        return LogOpcode::create_unnamed;
    switch (mode & k_mode_type) {
    case k_mode_directory:
        return LogOpcode::make_directory;
    case k_mode_symlink:
        return LogOpcode::symlink;
    default:
        return LogOpcode::create;
    }
}

Box<LogRecord> record_of_name(Pool& pool, LogOpcode opcode, Object& directory, Bytes text, Object& object, Time time)
{
    Box<LogRecord> record = prepare(pool, opcode, directory, sizeof(DiskLogName) + text.size());
    if (!record)
        return {};
    DiskLogName head;
    head.object.set(object.id().value());
    head.time = disk_time(time);
    head.name_bytes.set(static_cast<u16>(text.size()));
    head.reserved.set(0);
    fill(*record, head, text);
    return record;
}

}

Box<LogRecord> record_of_dataset(Pool& pool, LogOpcode opcode)
{
    return pool.intent_log().prepare(opcode, 0, sizeof(DiskLogDataset));
}

void fill_record_of_dataset(const Box<LogRecord>& record, DatasetId id, const NewDataset& how)
{
    if (!record)
        return;
    record->header.dataset.set(id.value());
    DiskLogDataset head;
    zero_bytes(&head, sizeof(head));
    how.head.encode(head);
    head.hash_seed = how.hash_seed;
    head.generation.set(how.generation);
    head.mode.set(how.mode);
    head.uid.set(how.uid);
    head.gid.set(how.gid);
    head.time = disk_time(how.time);
    fill(*record, head, {});
}

Box<LogRecord> record_of_create(Pool& pool, Object& directory, Bytes text, const NewObject& how, const Object& made)
{
    const size_t bytes = new_bytes(text, how);
    // What no frame could take stands as a barrier, as if memory had been short.
    if (log_record_bytes(bytes) > k_max_log_record_bytes)
        return {};
    Box<LogRecord> record = prepare(pool, opcode_of(how.mode, !text.is_empty()), directory, bytes);
    if (record)
        put_new(record->payload(), text, how, made);
    return record;
}

Box<LogRecord> record_of_link(Pool& pool, Object& directory, Bytes text, Object& object, Time time)
{
    return record_of_name(pool, LogOpcode::link, directory, text, object, time);
}

Box<LogRecord> record_of_unlink(Pool& pool, Object& directory, Bytes text, Object& object, bool is_directory, Time time)
{
    return record_of_name(pool, is_directory ? LogOpcode::remove_directory : LogOpcode::remove, directory, text, object, time);
}

Box<LogRecord> record_of_rename(Pool& pool, const Rename& rename, const Object* whiteout)
{
    const size_t named_bytes = sizeof(DiskLogRename) + rename.from_text.size() + rename.to_text.size();
    const size_t bytes = named_bytes + (whiteout ? new_bytes({}, *rename.whiteout) : 0);
    if (log_record_bytes(bytes) > k_max_log_record_bytes)
        return {};
    Box<LogRecord> record = prepare(pool, LogOpcode::rename, rename.from_directory, bytes);
    if (!record)
        return {};
    DiskLogRename head;
    zero_bytes(&head, sizeof(head));
    head.to_directory.set(rename.to_directory.id().value());
    head.object.set(rename.object.id().value());
    head.victim.set(rename.victim ? rename.victim->id().value() : 0);
    head.time = disk_time(rename.time);
    head.from_bytes.set(static_cast<u16>(rename.from_text.size()));
    head.to_bytes.set(static_cast<u16>(rename.to_text.size()));
    head.exchange = rename.exchange;
    head.whiteout = whiteout != nullptr;
    fill(*record, head, rename.from_text, rename.to_text);
    if (whiteout)
        put_new(record->payload() + named_bytes, {}, *rename.whiteout, *whiteout);
    return record;
}

Box<LogRecord> record_of_attributes(Pool& pool, Object& object, const core_attr& attributes, unsigned mask)
{
    Box<LogRecord> record = prepare(pool, LogOpcode::set_attributes, object, sizeof(DiskLogAttributes));
    if (!record)
        return {};
    fill(*record, log_attributes(attributes, mask), {});
    return record;
}

Box<LogRecord> record_of_xattr(Pool& pool, Object& object, const XattrChange& change)
{
    const AclKind acl = acl_kind_of(change.name);
    const Bytes value = change.removes ? Bytes() : change.value;
    const LogOpcode opcode = acl == AclKind::none ? (change.removes ? LogOpcode::remove_xattr : LogOpcode::set_xattr)
                                                  : (change.removes ? LogOpcode::acl_v0 : LogOpcode::acl_v1);
    const size_t bytes = acl == AclKind::none ? logged_bytes(change.name, value) : sizeof(DiskLogAcl) + value.size();
    Box<LogRecord> record = prepare(pool, opcode, object, sizeof(DiskLogAttributes) + bytes);
    if (!record)
        return {};
    const core_attr nothing {};
    fill(*record, log_attributes(change.attributes ? *change.attributes : nothing, change.attributes ? change.mask : 0), {});
    u8* const at = record->payload() + sizeof(DiskLogAttributes);
    if (acl == AclKind::none) {
        put_xattr(at, change.name, value);
        return record;
    }
    DiskLogAcl head {};
    head.list_bytes.set(static_cast<u32>(value.size()));
    head.kind = static_cast<u8>(acl);
    copy_bytes(at, &head, sizeof(head));
    copy_bytes(at + sizeof(head), value.data(), value.size());
    return record;
}

Box<LogRecord> record_of_truncate(Pool& pool, Object& object, u64 size_bytes, Time time)
{
    Box<LogRecord> record = prepare(pool, LogOpcode::truncate, object, sizeof(DiskLogTruncate));
    if (!record)
        return {};
    DiskLogTruncate head;
    head.size_bytes.set(size_bytes);
    head.time = disk_time(time);
    head.reserved.set(0);
    fill(*record, head, {});
    return record;
}

Box<LogRecord> record_of_write_truncate(Pool& pool, Object& object, u64 size_bytes, Time time, Bytes stays)
{
    Box<LogRecord> record = prepare(pool, LogOpcode::write_truncate, object, sizeof(DiskLogWriteTruncate) + stays.size());
    if (!record)
        return {};
    record->header.offset.set(align_down(size_bytes, k_block_size));
    DiskLogWriteTruncate head {};
    head.truncate.size_bytes.set(size_bytes);
    head.truncate.time = disk_time(time);
    head.write.file_bytes.set(align_down(size_bytes, k_block_size) + k_block_size);
    head.write.block_count.set(1);
    head.write.data_bytes.set(static_cast<u32>(stays.size()));
    head.write.form = static_cast<u8>(LogWriteForm::data);
    fill(*record, head, stays);
    return record;
}

void drop_write(const Box<LogRecord>& record)
{
    static_assert(offsetof(DiskLogWriteTruncate, truncate) == 0);
    if (!record || record->header.opcode.get() != static_cast<u32>(LogOpcode::write_truncate))
        return;
    record->header.opcode.set(static_cast<u32>(LogOpcode::truncate));
    record->header.offset.set(0);
    record->payload_bytes = sizeof(DiskLogTruncate);
}

Box<LogRecord> record_of_punch(Pool& pool, Object& object, Time time)
{
    Box<LogRecord> record = prepare(pool, LogOpcode::punch, object, sizeof(DiskLogPunch));
    if (!record)
        return {};
    DiskLogPunch head {};
    head.time = disk_time(time);
    fill(*record, head, {});
    return record;
}

void set_punched(const Box<LogRecord>& record, u64 first, u64 count)
{
    if (!record)
        return;
    record->header.offset.set(first << k_block_shift);
    le64 disk(count);
    copy_bytes(record->payload() + offsetof(DiskLogPunch, block_count), &disk, sizeof(disk));
}

Box<LogRecord> record_of_allocate(Pool& pool, Object& object)
{
    return prepare(pool, LogOpcode::allocate, object, sizeof(DiskExtent));
}

void set_allocated(const Box<LogRecord>& record, u64 file_block, Bytes item)
{
    if (!record)
        return;
    record->header.offset.set(file_block << k_block_shift);
    copy_bytes(record->payload(), item.data(), item.size());
}

Box<LogRecord> record_of_clone(Pool& pool, const CloneRange& range)
{
    Box<LogRecord> record = prepare(pool, LogOpcode::clone_range, range.target, sizeof(DiskLogCloneRange));
    if (!record)
        return {};
    DiskLogCloneRange head {};
    head.source.set(range.source.id().value());
    head.time = disk_time(range.time);
    head.keeps_times.set(range.keeps_times);
    fill(*record, head, {});
    return record;
}

void set_cloned(const Box<LogRecord>& record, const CloneRange& range, u64 first, u64 count)
{
    if (!record)
        return;
    record->header.offset.set((range.target_block + first) << k_block_shift);
    DiskLogCloneRange head;
    copy_bytes(&head, record->payload(), sizeof(head));
    head.source_offset.set((range.source_block + first) << k_block_shift);
    head.length_bytes.set(count << k_block_shift);
    head.target_bytes.set(range.target_bytes);
    fill(*record, head, {});
}

Box<LogRecord> record_of_move(Pool& pool, Object& object, Time time)
{
    Box<LogRecord> record = prepare(pool, LogOpcode::move, object, sizeof(DiskLogMove));
    if (!record)
        return {};
    DiskLogMove head {};
    head.time = disk_time(time);
    fill(*record, head, {});
    return record;
}

void set_moved(const Box<LogRecord>& record, const BlockMove& move)
{
    if (!record)
        return;
    record->header.offset.set(move.first << k_block_shift);
    DiskLogMove head;
    copy_bytes(&head, record->payload(), sizeof(head));
    head.block_count.set(move.end - move.first);
    head.to.set(move.to);
    head.size_bytes.set(move.size_bytes);
    copy_bytes(record->payload(), &head, sizeof(head));
}

Box<LogRecord> record_of_write(Pool& pool, Object& object, const LoggedWrite& write, LogWriteForm form, u32 payload_bytes)
{
    Box<LogRecord> record = prepare(pool, LogOpcode::write, object, sizeof(DiskLogWrite) + payload_bytes);
    if (!record)
        return {};
    record->header.offset.set(write.block << k_block_shift);
    DiskLogWrite head {};
    head.file_bytes.set(write.file_bytes);
    head.block_count.set(write.block_count);
    head.form = static_cast<u8>(form);
    fill(*record, head, {});
    record->payload_bytes = sizeof(DiskLogWrite); // grows as it is filled
    return record;
}

void add_extent(LogRecord& record, Bytes item, bool is_in_place)
{
    DiskLogWrite head;
    copy_bytes(&head, record.payload(), sizeof(head));
    head.extent_count.set(head.extent_count.get() + 1);
    copy_bytes(record.payload(), &head, sizeof(head));
    copy_bytes(record.payload() + record.payload_bytes, item.data(), item.size());
    record.payload()[record.payload_bytes + offsetof(DiskExtent, flags)] = is_in_place ? k_extent_in_place : 0;
    record.payload_bytes += static_cast<u32>(item.size());
    record.needs_flush = true;
}

static void set_data_bytes(LogRecord& record, u32 bytes)
{
    le32 disk(bytes);
    copy_bytes(record.payload() + offsetof(DiskLogWrite, data_bytes), &disk, sizeof(disk));
}

void set_data(LogRecord& record, const Ref<LogData>& data, u32 data_bytes)
{
    set_data_bytes(record, data_bytes);
    record.data = data;
    record.data_bytes = data_bytes;
}

void set_blocks(LogRecord& record, const Ref<LogData>& data, ChecksumKind kind, Bytes checksums)
{
    record.payload()[offsetof(DiskLogWrite, checksum)] = static_cast<u8>(kind);
    copy_bytes(record.payload() + record.payload_bytes, checksums.data(), checksums.size());
    record.payload_bytes += static_cast<u32>(checksums.size());
    record.data = data;
    record.data_blocks = data->page_count();
}

void set_data(LogRecord& record, Bytes inline_bytes)
{
    set_data_bytes(record, static_cast<u32>(inline_bytes.size()));
    copy_bytes(record.payload() + record.payload_bytes, inline_bytes.data(), inline_bytes.size());
    record.payload_bytes += static_cast<u32>(inline_bytes.size());
}

}
