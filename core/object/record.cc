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

// Gives the bytes written.
u32 encode_root(const RecordRoot& root, u8* at)
{
    const u32 payload = root.form == RootForm::node ? static_cast<u32>(sizeof(DiskNodePointer))
        : root.form == RootForm::inlined            ? static_cast<u32>(root.items.size())
                                                    : 0;
    // The items first: they may stand where the head goes, or behind.
    if (root.form == RootForm::inlined && root.items.data() != at + sizeof(DiskRoot))
        move_bytes(at + sizeof(DiskRoot), root.items.data(), root.items.size());
    DiskRoot head;
    head.form = static_cast<u8>(root.form);
    head.kind = static_cast<u8>(root.kind);
    head.bytes.set(static_cast<u16>(payload));
    copy_bytes(at, &head, sizeof(head));
    if (root.form == RootForm::node) {
        DiskNodePointer pointer;
        root.pointer.encode(pointer);
        copy_bytes(at + sizeof(head), &pointer, sizeof(pointer));
    }
    return static_cast<u32>(sizeof(head)) + payload;
}

// Takes the root off the front of `rest`.
Status decode_root(Bytes& rest, TreeKind kind, RecordRoot& root)
{
    root = RecordRoot();
    DiskRoot head;
    VERIFY_DISK(rest.size() >= sizeof(head), record_damaged);
    copy_bytes(&head, rest.data(), sizeof(head));
    VERIFY_DISK(head.form <= static_cast<u8>(RootForm::node), record_damaged);
    root.form = static_cast<RootForm>(head.form);
    root.kind = static_cast<TreeKind>(head.kind);
    VERIFY_DISK(root.kind == kind && head.bytes.get() <= rest.size() - sizeof(head), record_damaged);
    const Bytes payload = rest.slice(sizeof(head), head.bytes.get());
    rest = rest.slice(sizeof(head) + payload.size(), rest.size() - sizeof(head) - payload.size());
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

TreeKind tree_kind_of(u32 mode)
{
    return (mode & k_mode_type) == k_mode_directory ? TreeKind::directory : TreeKind::extents;
}

u32 encode_record(const ObjectAttributes& from, const RecordRoots& roots, MutableBytes out)
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
    disk.root_count.set(roots.xattrs.form == RootForm::empty ? 1 : 2);
    copy_bytes(out.data(), &disk, sizeof(disk));
    u32 bytes = sizeof(disk) + encode_root(roots.body, out.data() + sizeof(disk));
    if (roots.xattrs.form != RootForm::empty)
        bytes += encode_root(roots.xattrs, out.data() + bytes);
    return bytes;
}

Status decode_record(Bytes record, ObjectAttributes& to, RecordRoots& roots)
{
    VERIFY_DISK(record.size() >= sizeof(DiskObject) + sizeof(DiskRoot) && record.size() <= k_max_record_bytes, record_damaged);
    DiskObject disk;
    copy_bytes(&disk, record.data(), sizeof(disk));
    VERIFY_DISK(disk.header_bytes.get() == sizeof(DiskObject), record_damaged);
    VERIFY_DISK(disk.root_count.get() == 1 || disk.root_count.get() == 2, record_damaged);
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
    VERIFY_DISK((to.state & ~(k_object_truncating | k_object_has_shares | k_object_has_unwritten)) == 0, record_damaged);
    VERIFY_DISK(to.is_regular() || (!to.has_shares() && !to.has_unwritten()), record_damaged);
    VERIFY_DISK(to.size_bytes <= 0x7fffffffffffffffull && to.links <= 0x7fffffffu, record_damaged);

    Bytes rest = record.slice(sizeof(disk), record.size() - sizeof(disk));
    TRY(decode_root(rest, tree_kind_of(to.mode), roots.body));
    roots.xattrs = RecordRoot();
    if (disk.root_count.get() == 2) {
        TRY(decode_root(rest, TreeKind::xattrs, roots.xattrs));
        VERIFY_DISK(roots.xattrs.form != RootForm::empty, record_damaged);
    }
    VERIFY_DISK(rest.is_empty(), record_damaged);
    return {};
}

}
