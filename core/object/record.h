// SPDX-License-Identifier: GPL-2.0-only
// ObjectAttributes: what an object table record says of an object, and the record's coding (object_format.h).
#pragma once

#include "core/base/result.h"
#include "core/base/span.h"
#include "core/format/address.h"
#include "core/format/object_format.h"
#include "core/format/xattr_format.h"

namespace lcpfs {

struct Time {
    i64 seconds { 0 };
    u32 nanoseconds { 0 };
    bool operator==(const Time&) const = default;
};

// File type bits of the mode, as stat(2) has them.
constexpr u32 k_mode_type = 0170000;
constexpr u32 k_mode_fifo = 0010000;
constexpr u32 k_mode_character = 0020000;
constexpr u32 k_mode_directory = 0040000;
constexpr u32 k_mode_block = 0060000;
constexpr u32 k_mode_regular = 0100000;
constexpr u32 k_mode_symlink = 0120000;
constexpr u32 k_mode_socket = 0140000;

constexpr u32 k_flag_compressed = 4; // of attribute flags: FS_COMPR_FL

struct ObjectAttributes {
    u64 generation { 0 };
    u64 size_bytes { 0 };
    u64 blocks { 0 };
    u64 change { 0 };
    u64 parent { 0 };
    u32 mode { 0 };
    u32 uid { 0 }, gid { 0 }, project { 0 };
    u32 links { 0 };
    u32 flags { 0 };
    u32 state { 0 };
    u32 rdev { 0 };
    Time atime, mtime, ctime, btime;

    u32 type() const { return mode & k_mode_type; }
    bool is_directory() const { return type() == k_mode_directory; }
    bool is_regular() const { return type() == k_mode_regular; }
    bool is_symlink() const { return type() == k_mode_symlink; }
    bool is_truncating() const { return state & k_object_truncating; }
    bool has_shares() const { return state & k_object_has_shares; }
    bool has_unwritten() const { return state & k_object_has_unwritten; }
    // A damaged record may count less than goes: no less than `least` is left.
    void drop_link(u32 least = 0) { links -= links > least; }
    void drop_blocks(u64 count) { blocks -= min(blocks, count); }
    void drop_bytes(u64 count) { size_bytes -= min(size_bytes, count); }
    // In the orphan tree while this holds.
    bool is_orphan() const { return links == 0 || is_truncating(); }
    // DT_* of dirent(3): the type bits shifted.
    u8 entry_type() const { return static_cast<u8>(type() >> 12); }
};

// A root as a record carries it.
struct RecordRoot {
    RootForm form { RootForm::empty };
    TreeKind kind {};
    NodePointer pointer; // form node
    Bytes items;         // form inlined; points into the record
};

// Of the object's own tree, and of its extended attributes: empty when it has none.
struct RecordRoots {
    RecordRoot body, xattrs;
};

constexpr u32 k_max_record_bytes = sizeof(DiskObject) + 2 * sizeof(DiskRoot) + k_inline_root_bytes + k_inline_xattr_bytes;
// Where a commit has the items put that go into the record, before it is encoded around them.
constexpr u32 k_record_body_offset = sizeof(DiskObject) + sizeof(DiskRoot);
constexpr u32 k_record_xattr_offset = k_max_record_bytes - k_inline_xattr_bytes;

// The kind of tree an object of this type has.
TreeKind tree_kind_of(u32 mode);

// Gives the number of bytes written into `out` (k_max_record_bytes).
u32 encode_record(const ObjectAttributes& attributes, const RecordRoots& roots, MutableBytes out);
// record_damaged for anything out of form.
Status decode_record(Bytes record, ObjectAttributes& attributes, RecordRoots& roots);

}
