// SPDX-License-Identifier: GPL-2.0-only
#include "core/object/record.h"

namespace lcpfs {

namespace {

void encode_time(const Time& time, DiskTime& disk)
{
    disk.seconds.set(static_cast<u64>(time.seconds));
    disk.nanoseconds.set(time.nanoseconds);
}

Status decode_time(const DiskTime& disk, Time& time)
{
    time.seconds = static_cast<i64>(disk.seconds.get());
    time.nanoseconds = disk.nanoseconds.get();
    VERIFY_DISK(time.nanoseconds < 1000000000u, record_damaged);
    return {};
}

bool is_known_type(u32 mode)
{
    switch (mode & k_mode_type) {
    case k_mode_fifo:
    case k_mode_character:
    case k_mode_directory:
    case k_mode_block:
    case k_mode_regular:
    case k_mode_symlink:
    case k_mode_socket:
        return true;
    default:
        return false;
    }
}

}

TreeKind tree_kind_of(u32 mode)
{
    return (mode & k_mode_type) == k_mode_directory ? TreeKind::directory : TreeKind::extents;
}

u32 encode_record(const ObjectAttributes& from, const RecordRoot& root, MutableBytes out)
{
    DiskObject disk;
    disk.generation.set(from.generation);
    disk.size_bytes.set(from.size_bytes);
    disk.blocks.set(from.blocks);
    disk.change.set(from.change);
    disk.parent.set(from.parent);
    disk.mode.set(from.mode);
    disk.uid.set(from.uid);
    disk.gid.set(from.gid);
    disk.project.set(from.project);
    disk.links.set(from.links);
    disk.flags.set(from.flags);
    disk.state.set(from.state);
    disk.rdev.set(from.rdev);
    encode_time(from.atime, disk.atime);
    encode_time(from.mtime, disk.mtime);
    encode_time(from.ctime, disk.ctime);
    encode_time(from.btime, disk.btime);
    disk.reserved.set(0);
    disk.header_bytes.set(sizeof(DiskObject));
    disk.root_count.set(1);
    DiskRoot head;
    head.form = static_cast<u8>(root.form);
    head.kind = static_cast<u8>(root.kind);
    u32 payload = root.form == RootForm::node ? static_cast<u32>(sizeof(DiskNodePointer))
        : root.form == RootForm::inlined      ? static_cast<u32>(root.items.size())
                                              : 0;
    head.bytes.set(static_cast<u16>(payload));
    u8* at = out.data();
    copy_bytes(at, &disk, sizeof(disk));
    copy_bytes(at + sizeof(disk), &head, sizeof(head));
    at += sizeof(disk) + sizeof(head);
    if (root.form == RootForm::node) {
        DiskNodePointer pointer;
        root.pointer.encode(pointer);
        copy_bytes(at, &pointer, sizeof(pointer));
    } else if (root.form == RootForm::inlined && root.items.data() != at) {
        move_bytes(at, root.items.data(), root.items.size());
    }
    return static_cast<u32>(sizeof(disk) + sizeof(head)) + payload;
}

Status decode_record(Bytes record, ObjectAttributes& to, RecordRoot& root)
{
    VERIFY_DISK(record.size() >= sizeof(DiskObject) + sizeof(DiskRoot) && record.size() <= k_max_record_bytes, record_damaged);
    DiskObject disk;
    DiskRoot head;
    copy_bytes(&disk, record.data(), sizeof(disk));
    copy_bytes(&head, record.data() + sizeof(disk), sizeof(head));
    VERIFY_DISK(disk.header_bytes.get() == sizeof(DiskObject) && disk.root_count.get() == 1, record_damaged);
    to.generation = disk.generation.get();
    to.size_bytes = disk.size_bytes.get();
    to.blocks = disk.blocks.get();
    to.change = disk.change.get();
    to.parent = disk.parent.get();
    to.mode = disk.mode.get();
    to.uid = disk.uid.get();
    to.gid = disk.gid.get();
    to.project = disk.project.get();
    to.links = disk.links.get();
    to.flags = disk.flags.get();
    to.state = disk.state.get();
    to.rdev = disk.rdev.get();
    TRY(decode_time(disk.atime, to.atime));
    TRY(decode_time(disk.mtime, to.mtime));
    TRY(decode_time(disk.ctime, to.ctime));
    TRY(decode_time(disk.btime, to.btime));
    VERIFY_DISK(is_known_type(to.mode) && (to.mode >> 16) == 0, record_damaged);
    VERIFY_DISK((to.state & ~k_object_truncating) == 0, record_damaged);
    VERIFY_DISK(to.size_bytes <= 0x7fffffffffffffffull && to.links <= 0x7fffffffu, record_damaged);

    root = RecordRoot();
    VERIFY_DISK(head.form <= static_cast<u8>(RootForm::node), record_damaged);
    root.form = static_cast<RootForm>(head.form);
    root.kind = static_cast<TreeKind>(head.kind);
    VERIFY_DISK(root.kind == tree_kind_of(to.mode), record_damaged);
    Bytes payload = record.slice(sizeof(disk) + sizeof(head), record.size() - sizeof(disk) - sizeof(head));
    VERIFY_DISK(payload.size() == head.bytes.get(), record_damaged);
    switch (root.form) {
    case RootForm::empty:
        VERIFY_DISK(payload.is_empty(), record_damaged);
        break;
    case RootForm::inlined:
        root.items = payload;
        break;
    case RootForm::node: {
        VERIFY_DISK(payload.size() == sizeof(DiskNodePointer), record_damaged);
        DiskNodePointer pointer;
        copy_bytes(&pointer, payload.data(), sizeof(pointer));
        auto decoded = NodePointer::decode(pointer);
        VERIFY_DISK(decoded.is_ok() && !decoded.value().is_null(), record_damaged);
        root.pointer = decoded.value();
        break;
    }
    }
    return {};
}

}
