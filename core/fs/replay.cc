// SPDX-License-Identifier: GPL-2.0-only
// One record applied again. What is wrong with a record's form is log_damaged, what does not fit the tree another error.
#include "core/fs/replay.h"

#include "core/codec/checksum.h"
#include "core/fs/allocate.h"
#include "core/fs/attributes.h"
#include "core/fs/dataset_change.h"
#include "core/fs/file_write.h"
#include "core/fs/log_records.h"
#include "core/fs/log_write.h"
#include "core/fs/punch.h"
#include "core/fs/shrink.h"

namespace lcpfs {

namespace {

core_time core_time_of(const DiskTime& disk) { return { static_cast<i64>(disk.seconds.get()), disk.nanoseconds.get() }; }

// The dataset that the record is of. While the log is replayed none goes.
Result<Dataset*> dataset_of(Pool& pool, const LogRecordView& record)
{
    Datasets& datasets = pool.datasets();
    ReadGuard list(datasets.lock());
    Dataset* const dataset = datasets.find(DatasetId(record.header.dataset.get()));
    if (!dataset)
        return Error::not_found;
    if (dataset->damage() != Error::none)
        return dataset->damage();
    return dataset;
}

Result<Ref<Object>> object_of(Pool& pool, const LogRecordView& record, u64 id)
{
    Dataset* const dataset = TRY(dataset_of(pool, record));
    return dataset->get(ObjectId(id));
}
Result<Ref<Object>> object_of(Pool& pool, const LogRecordView& record) { return object_of(pool, record, record.header.object.get()); }

Status replay_dataset(Pool& pool, const LogRecordView& record)
{
    LogPayload payload(record.payload);
    DiskLogDataset disk;
    TRY(payload.take(disk));
    TRY(payload.end());
    const DatasetId id(record.header.dataset.get());
    VERIFY_DISK(id.value() && id.value() >> 60 == 0 && record.header.object.get() == 0, log_damaged);
    NewDataset how;
    how.head = TRY(DatasetHead::decode(disk));
    if (record.opcode() == LogOpcode::change_dataset)
        return replay_dataset_head(pool, id, how.head);
    VERIFY_DISK(disk.generation.get() != 0 && !how.head.is_destroying(), log_damaged);
    how.id = id;
    how.generation = disk.generation.get();
    how.hash_seed = disk.hash_seed;
    how.mode = disk.mode.get();
    how.uid = disk.uid.get();
    how.gid = disk.gid.get();
    how.time = time_of(disk.time);
    return create_dataset(pool, how);
}

Status take_xattr(LogPayload& payload, NewXattr& xattr)
{
    DiskLogXattr head;
    TRY(payload.take(head));
    xattr.name = TRY(payload.take_bytes(head.name_bytes.get()));
    xattr.value = TRY(payload.take_bytes(head.value_bytes.get()));
    return {};
}

// What a DiskLogCreate says, to the end of the payload; the name into `text`.
Status take_new(LogPayload& payload, Bytes& text, NewObject& how, Vector<NewXattr>& xattrs)
{
    DiskLogCreate head;
    TRY(payload.take(head));
    text = TRY(payload.take_bytes(head.name_bytes.get()));
    how.mode = head.mode.get();
    how.uid = head.uid.get();
    how.gid = head.gid.get();
    how.project = head.project.get();
    how.flags = head.flags.get();
    how.rdev = head.rdev.get();
    how.time = time_of(head.time);
    how.target = TRY(payload.take_bytes(head.target_bytes.get()));
    how.id = ObjectId(head.object.get());
    how.generation = head.generation.get();
    while (payload.left()) {
        NewXattr xattr;
        TRY(take_xattr(payload, xattr));
        TRY(xattrs.push_back(xattr));
    }
    how.xattrs = xattrs.span();
    VERIFY_DISK(check_new_xattrs(how.xattrs).is_ok(), log_damaged);
    VERIFY_DISK(how.id.value() && how.generation, log_damaged);
    VERIFY_DISK(((how.mode & k_mode_type) == k_mode_symlink) == !how.target.is_empty(), log_damaged);
    return {};
}

Status replay_create(Pool& pool, const LogRecordView& record)
{
    LogPayload payload(record.payload);
    Bytes text;
    NewObject how;
    Vector<NewXattr> xattrs;
    TRY(take_new(payload, text, how, xattrs));
    Ref<Object> directory = TRY(object_of(pool, record));
    if (record.opcode() == LogOpcode::create_unnamed) {
        VERIFY_DISK(text.is_empty(), log_damaged);
        TRY(create_unnamed_object(pool, *directory, how));
        return {};
    }
    TRY(create_object(pool, *directory, text, how));
    return {};
}

Status replay_name(Pool& pool, const LogRecordView& record)
{
    LogPayload payload(record.payload);
    DiskLogName head;
    TRY(payload.take(head));
    Bytes text = TRY(payload.take_bytes(head.name_bytes.get()));
    TRY(payload.end());
    Ref<Object> directory = TRY(object_of(pool, record));
    Ref<Object> object = TRY(object_of(pool, record, head.object.get()));
    if (record.opcode() == LogOpcode::link)
        return link_object(pool, *directory, text, *object, time_of(head.time));
    return unlink_object(pool, *directory, text, *object, time_of(head.time));
}

Status replay_rename(Pool& pool, const LogRecordView& record)
{
    LogPayload payload(record.payload);
    DiskLogRename head;
    TRY(payload.take(head));
    Bytes from_text = TRY(payload.take_bytes(head.from_bytes.get()));
    Bytes to_text = TRY(payload.take_bytes(head.to_bytes.get()));
    NewObject whiteout;
    Vector<NewXattr> xattrs;
    if (head.whiteout) {
        Bytes no_text;
        TRY(take_new(payload, no_text, whiteout, xattrs));
        VERIFY_DISK(no_text.is_empty(), log_damaged);
    }
    TRY(payload.end());
    Ref<Object> from = TRY(object_of(pool, record));
    Ref<Object> to = TRY(object_of(pool, record, head.to_directory.get()));
    Ref<Object> object = TRY(object_of(pool, record, head.object.get()));
    Ref<Object> victim;
    if (head.victim.get())
        victim = TRY(object_of(pool, record, head.victim.get()));
    return rename_object(pool, { *from, *to, from_text, to_text, *object, victim.get(), head.exchange != 0, time_of(head.time),
                                 head.whiteout ? &whiteout : nullptr });
}

Status replay_truncate(Pool& pool, const LogRecordView& record)
{
    LogPayload payload(record.payload);
    DiskLogTruncate head;
    TRY(payload.take(head));
    TRY(payload.end());
    Ref<Object> object = TRY(object_of(pool, record));
    return truncate_object(pool, *object, head.size_bytes.get(), time_of(head.time));
}

Status replay_punch(Pool& pool, const LogRecordView& record)
{
    LogPayload payload(record.payload);
    DiskLogPunch head;
    TRY(payload.take(head));
    TRY(payload.end());
    const u64 offset = record.header.offset.get();
    VERIFY_DISK((offset & (k_block_size - 1)) == 0 && head.block_count.get() != 0, log_damaged);
    VERIFY_DISK(is_in_file(offset >> k_block_shift, head.block_count.get()), log_damaged);
    Ref<Object> object = TRY(object_of(pool, record));
    return punch_object(pool, *object, offset >> k_block_shift, head.block_count.get(), time_of(head.time));
}

Status replay_clone(Pool& pool, const LogRecordView& record)
{
    LogPayload payload(record.payload);
    DiskLogCloneRange head;
    TRY(payload.take(head));
    TRY(payload.end());
    const u64 from = head.source_offset.get();
    const u64 to = record.header.offset.get();
    VERIFY_DISK(((from | to | head.length_bytes.get()) & (k_block_size - 1)) == 0, log_damaged);
    Ref<Object> source = TRY(object_of(pool, record, head.source.get()));
    Ref<Object> target = TRY(object_of(pool, record));
    return clone_range(pool, { *source, from >> k_block_shift, *target, to >> k_block_shift, head.length_bytes.get() >> k_block_shift,
                               head.target_bytes.get(), time_of(head.time), head.keeps_times.get() != 0 });
}

Status replay_move(Pool& pool, const LogRecordView& record)
{
    LogPayload payload(record.payload);
    DiskLogMove head;
    TRY(payload.take(head));
    TRY(payload.end());
    const u64 offset = record.header.offset.get();
    const u64 first = offset >> k_block_shift, count = head.block_count.get(), to = head.to.get();
    const u64 size_bytes = head.size_bytes.get();
    VERIFY_DISK((offset & (k_block_size - 1)) == 0 && to != first && (count != 0 || to < first), log_damaged);
    VERIFY_DISK(is_in_file(first, count) && to < k_max_file_blocks, log_damaged);
    VERIFY_DISK(size_bytes == k_same_size || size_bytes >> 63 == 0, log_damaged);
    Ref<Object> object = TRY(object_of(pool, record));
    return replay_move(pool, *object, { first, first + count, to, size_bytes, time_of(head.time) });
}

core_attr attributes_of(const DiskLogAttributes& head)
{
    core_attr attributes {};
    attributes.mode = head.mode.get();
    attributes.uid = head.uid.get();
    attributes.gid = head.gid.get();
    attributes.project = head.project.get();
    attributes.flags = head.flags.get();
    attributes.change = head.change.get();
    attributes.atime = core_time_of(head.atime);
    attributes.mtime = core_time_of(head.mtime);
    attributes.ctime = core_time_of(head.ctime);
    return attributes;
}

Status replay_attributes(Pool& pool, const LogRecordView& record)
{
    LogPayload payload(record.payload);
    DiskLogAttributes head;
    TRY(payload.take(head));
    TRY(payload.end());
    Ref<Object> object = TRY(object_of(pool, record));
    return set_attributes(pool, *object, attributes_of(head), head.mask.get());
}

Status replay_xattr(Pool& pool, const LogRecordView& record)
{
    LogPayload payload(record.payload);
    DiskLogAttributes head;
    TRY(payload.take(head));
    NewXattr xattr;
    const bool is_list = record.opcode() == LogOpcode::acl_v0 || record.opcode() == LogOpcode::acl_v1;
    if (is_list) {
        DiskLogAcl acl;
        TRY(payload.take(acl));
        VERIFY_DISK(acl.kind == static_cast<u8>(AclKind::access) || acl.kind == static_cast<u8>(AclKind::fallback), log_damaged);
        xattr.name = acl_name(static_cast<AclKind>(acl.kind));
        xattr.value = TRY(payload.take_bytes(acl.list_bytes.get()));
    } else {
        TRY(take_xattr(payload, xattr));
        VERIFY_DISK(acl_kind_of(xattr.name) == AclKind::none, log_damaged);
    }
    TRY(payload.end());
    const core_attr attributes = attributes_of(head);
    XattrChange change { xattr.name, xattr.value, false, 0, &attributes, head.mask.get() };
    change.removes = record.opcode() == LogOpcode::acl_v0 || record.opcode() == LogOpcode::remove_xattr;
    VERIFY_DISK(change.removes ? xattr.value.is_empty() && check_xattr_name(xattr.name).is_ok()
                               : check_xattr(xattr.name, xattr.value).is_ok(), log_damaged);
    if (change.removes)
        change.flags = CORE_XATTR_IF_ANY;
    Ref<Object> object = TRY(object_of(pool, record));
    return change_xattr(pool, *object, change);
}

// The head of a write, checked, and what follows it.
Status take_write(const LogRecordView& record, LogPayload& payload, DiskLogWrite& head)
{
    TRY(payload.take(head));
    const u64 offset = record.header.offset.get();
    const u64 block = offset >> k_block_shift;
    const u32 count = head.block_count.get();
    VERIFY_DISK((offset & (k_block_size - 1)) == 0 && count >= 1 && count <= k_write_max_blocks, log_damaged);
    VERIFY_DISK(block < k_max_file_blocks && count <= k_max_file_blocks - block, log_damaged);
    VERIFY_DISK(head.file_bytes.get() >> 63 == 0, log_damaged);
    if (head.form == static_cast<u8>(LogWriteForm::extents)) {
        VERIFY_DISK(head.extent_count.get() >= 1 && head.data_bytes.get() == 0, log_damaged);
        return {};
    }
    VERIFY_DISK(head.extent_count.get() == 0, log_damaged);
    if (head.form == static_cast<u8>(LogWriteForm::blocks)) {
        VERIFY_DISK(head.checksum >= static_cast<u8>(ChecksumKind::crc32c) && head.checksum <= static_cast<u8>(ChecksumKind::sha256),
                    log_damaged);
        VERIFY_DISK(record.header.data_blocks.get() == count && record.data.size() == size_t(count) * k_block_size, log_damaged);
        VERIFY_DISK(payload.left() == size_t(count) * checksum_bytes_of(static_cast<ChecksumKind>(head.checksum)), log_damaged);
        return {};
    }
    VERIFY_DISK(head.form == static_cast<u8>(LogWriteForm::data), log_damaged);
    VERIFY_DISK(head.data_bytes.get() <= min<u64>(u64(count) * k_block_size, k_max_log_data_bytes), log_damaged);
    VERIFY_DISK(head.data_bytes.get() == payload.left(), log_damaged);
    return {};
}

// The next extent item of a write: the first begins at the write's block, each further one where the one before ended.
Result<Extent> take_extent(LogPayload& payload, u64 block, u64 end, Bytes& item)
{
    LogPayload ahead = payload;
    DiskExtent disk;
    TRY(ahead.take(disk));
    VERIFY_DISK(disk.kind == static_cast<u8>(ExtentKind::mapped), log_damaged);
    const bool is_compressed = disk.encoding != static_cast<u8>(Encoding::none);
    const u64 stored_blocks = is_compressed ? blocks_for_bytes(disk.stored_bytes.get()) : disk.length_blocks.get();
    const u64 checksums = stored_blocks * checksum_bytes_of(static_cast<ChecksumKind>(disk.checksum_kind));
    VERIFY_DISK(checksums <= k_max_extent_checksum_bytes, log_damaged);
    item = TRY(payload.take_bytes(sizeof(disk) + checksums));
    BigEndianKey key(block);
    Extent extent = TRY(Extent::decode({ key.data(), 8 }, item, k_extent_in_place));
    VERIFY_DISK(extent.end() <= end, log_damaged);
    // Nobody but its record reaches what was written: a unit is whole.
    VERIFY_DISK(!is_compressed || extent.length_blocks == extent.unit_blocks, log_damaged);
    return extent;
}

// Has `body` called with every extent of a write and its item.
template <typename Body> // Status(const Extent&, Bytes item)
Status for_extents(const LogRecordView& record, LogPayload& payload, const DiskLogWrite& head, Body body)
{
    u64 block = record.header.offset.get() >> k_block_shift;
    const u64 end = block + head.block_count.get();
    for (u32 i = 0; i < head.extent_count.get(); i++) {
        Bytes item;
        Extent extent = TRY(take_extent(payload, block, end, item));
        TRY(body(extent, item));
        block = extent.end();
    }
    return payload.end();
}

bool is_in_place(Bytes item) { return item.data()[offsetof(DiskExtent, flags)] & k_extent_in_place; }

Result<Extent> take_allocated(const LogRecordView& record)
{
    const u64 offset = record.header.offset.get();
    const BigEndianKey key(offset >> k_block_shift);
    const Extent extent = TRY(Extent::decode({ key.data(), 8 }, record.payload));
    VERIFY_DISK((offset & (k_block_size - 1)) == 0 && extent.is_unwritten(), log_damaged);
    return extent;
}

Status replay_allocate(Pool& pool, const LogRecordView& record)
{
    const Extent extent = TRY(take_allocated(record));
    Ref<Object> object = TRY(object_of(pool, record));
    pool.allocator().adopt(extent.dva, object->dataset().owner());
    return TRY(enter_allocated(pool, *object, extent)) ? Status() : Status(Error::extent_damaged);
}

Status replay_extents(Pool& pool, const LogRecordView& record, LogPayload& payload, const DiskLogWrite& head)
{
    Ref<Object> object = TRY(object_of(pool, record));
    WriteRun* run = static_cast<WriteRun*>(host_pool_alloc_reserved(pool.requests().write_runs));
    Status status;
    {
        Scratch scratch(pool);
        SpaceLog::Batch batch(pool.space_log());
        WriteGuard guard(object->m_lock);
        TxgHold hold(pool.engine());
        status = object->prepare_change(hold.txg()).error();
        SpaceLog::CommitScope commit(batch, hold.txg());
        if (status.is_ok())
            status = for_extents(record, payload, head, [&](const Extent& extent, Bytes item) NO_THREAD_SAFETY_ANALYSIS -> Status {
                run->is_in_place = is_in_place(item);
                run->is_overtaken = false;
                if (!run->is_in_place)
                    pool.allocator().adopt(extent.dva, object->dataset().owner());
                run->file_block = extent.file_block;
                run->block_count = extent.length_blocks;
                run->dva = extent.dva;
                copy_bytes(run->item, item.data(), item.size());
                run->item[offsetof(DiskExtent, flags)] = 0;
                while (!TRY(enter_run(pool, *object, hold.txg(), *run, head.file_bytes.get(), { *scratch, batch }))) { }
                return run->is_overtaken ? Error::extent_damaged : Error::none; // the log has all that came before
            }).error();
    }
    host_pool_free(pool.requests().write_runs, run);
    return status.error();
}

// What a write put there. Data blocks are those that were written: their own checksums say so.
Result<Bytes> data_of(const LogRecordView& record, LogPayload& payload, const DiskLogWrite& head)
{
    if (head.form == static_cast<u8>(LogWriteForm::data))
        return payload.take_bytes(head.data_bytes.get());
    const ChecksumKind kind = static_cast<ChecksumKind>(head.checksum);
    for (u32 i = 0; i < head.block_count.get(); i++) {
        const Bytes checksum = TRY(payload.take_bytes(checksum_bytes_of(kind)));
        VERIFY_DISK(block_checksum_matches(kind, record.data.data() + size_t(i) * k_block_size, checksum.data()), log_damaged);
    }
    return record.data;
}

// As it was written: to its place with the group, since one that waited for the device would do so once a record. What cannot go
// so, into the file's record for one, goes the ordinary way.
Status replay_data(Pool& pool, const LogRecordView& record, LogPayload& payload, const DiskLogWrite& head)
{
    const u32 count = head.block_count.get();
    VERIFY_DISK(count <= k_max_log_data_bytes / k_block_size, log_damaged);
    Bytes bytes = TRY(data_of(record, payload, head));
    Ref<Object> object = TRY(object_of(pool, record));
    Ref<LogData> data = TRY(LogData::create(pool.delayed_writes().memory(), count));
    core_segment segments[k_max_log_data_bytes / k_block_size];
    for (u32 i = 0; i < count; i++) {
        const size_t from = min<size_t>(size_t(i) * k_block_size, bytes.size());
        const size_t piece = min<size_t>(k_block_size, bytes.size() - from);
        copy_bytes(data->page(i), bytes.data() + from, piece);
        zero_bytes(data->page(i) + piece, k_block_size - piece);
        segments[i] = { data->page(i), k_block_size };
    }
    const LoggedWrite write { record.header.offset.get() >> k_block_shift, count, head.file_bytes.get() };
    if (!is_for_record(*object, write)) {
        const OwnerSlot owner = object->dataset().owner();
        TRY(pool.space().promise_data(owner, count));
        if (write_delayed(pool, *object, write, data, DelayedWrite::replayed).is_ok())
            return {};
        pool.space().release_data(owner, count);
    }
    return write_blocks_and_wait(pool, *object, write.block, { segments, count }, write.file_bytes);
}

Status replay_write(Pool& pool, const LogRecordView& record)
{
    LogPayload payload(record.payload);
    DiskLogWrite head;
    TRY(take_write(record, payload, head));
    if (head.form == static_cast<u8>(LogWriteForm::extents))
        return replay_extents(pool, record, payload, head);
    return replay_data(pool, record, payload, head);
}

// The block grows the file for a moment, if it has to, so that it does not go into the record of a small one.
Status replay_write_truncate(Pool& pool, const LogRecordView& record)
{
    LogPayload payload(record.payload);
    DiskLogTruncate cut;
    TRY(payload.take(cut));
    DiskLogWrite head;
    TRY(take_write(record, payload, head));
    VERIFY_DISK(head.form == static_cast<u8>(LogWriteForm::data) && head.block_count.get() == 1, log_damaged);
    VERIFY_DISK(record.header.offset.get() == align_down(cut.size_bytes.get(), k_block_size), log_damaged);
    TRY(replay_data(pool, record, payload, head));
    Ref<Object> object = TRY(object_of(pool, record));
    return truncate_object(pool, *object, cut.size_bytes.get(), time_of(cut.time));
}

}

Status claims_of(const LogRecordView& record, Status (*claim)(void* context, const Dva& dva), void* context)
{
    if (!find_log_opcode(record.opcode()))
        return Error::log_opcode;
    if (record.opcode() == LogOpcode::allocate)
        return claim(context, TRY(take_allocated(record)).dva);
    if (record.opcode() != LogOpcode::write)
        return {};
    LogPayload payload(record.payload);
    DiskLogWrite head;
    TRY(take_write(record, payload, head));
    if (head.form != static_cast<u8>(LogWriteForm::extents))
        return {};
    return for_extents(record, payload, head, [&](const Extent& extent, Bytes item) {
        return is_in_place(item) ? Status() : claim(context, extent.dva);
    });
}

u64 object_made_by(const LogRecordView& record)
{
    LogPayload payload(record.payload);
    switch (record.opcode()) {
    case LogOpcode::create:
    case LogOpcode::make_directory:
    case LogOpcode::symlink:
    case LogOpcode::create_unnamed:
        break;
    case LogOpcode::rename: {
        DiskLogRename head;
        const bool makes = payload.take(head).is_ok() && head.whiteout && payload.take_bytes(head.from_bytes.get()).is_ok()
            && payload.take_bytes(head.to_bytes.get()).is_ok();
        if (!makes)
            return 0;
        break;
    }
    default:
        return 0;
    }
    DiskLogCreate made;
    return payload.take(made).is_ok() ? made.object.get() : 0;
}

Status claim_record(Pool& pool, const LogRecordView& record)
{
    return claims_of(record, [](void* allocator, const Dva& dva) { return static_cast<Allocator*>(allocator)->claim(dva); },
                     &pool.allocator());
}

Status replay_record(Pool& pool, const LogRecordView& record)
{
    switch (record.opcode()) {
    case LogOpcode::create:
    case LogOpcode::make_directory:
    case LogOpcode::symlink:
    case LogOpcode::create_unnamed:
        return replay_create(pool, record);
    case LogOpcode::remove:
    case LogOpcode::remove_directory:
    case LogOpcode::link:
        return replay_name(pool, record);
    case LogOpcode::rename:
        return replay_rename(pool, record);
    case LogOpcode::write:
        return replay_write(pool, record);
    case LogOpcode::truncate:
        return replay_truncate(pool, record);
    case LogOpcode::punch:
        return replay_punch(pool, record);
    case LogOpcode::clone_range:
        return replay_clone(pool, record);
    case LogOpcode::move:
        return replay_move(pool, record);
    case LogOpcode::allocate:
        return replay_allocate(pool, record);
    case LogOpcode::set_attributes:
        return replay_attributes(pool, record);
    case LogOpcode::create_dataset:
    case LogOpcode::change_dataset:
        return replay_dataset(pool, record);
    case LogOpcode::set_xattr:
    case LogOpcode::remove_xattr:
    case LogOpcode::acl_v0:
    case LogOpcode::acl_v1:
        return replay_xattr(pool, record);
    case LogOpcode::commit_marker:
        return {};
    case LogOpcode::write_truncate:
        return replay_write_truncate(pool, record);
    }
    return Error::log_opcode;
}

}
