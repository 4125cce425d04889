// SPDX-License-Identifier: GPL-2.0-only
// An object (inode) as it stands in its dataset's object table: key BigEndian64(object id), value
// DiskObject, then DiskRoot and root bytes for its tree, then, if it has extended attributes, the same for their tree (xattr_format.h).
//
//   files: tree of extents (extent_format.h)      directories: tree of names (directory_format.h)
//   symlinks: an extents tree with one or two inline extents, the target
#pragma once

#include "core/base/little_endian.h"
#include "core/format/node_format.h"

namespace lcpfs {

struct DiskTime {
    le64 seconds; // two's complement, since the epoch
    le32 nanoseconds;
};
static_assert(sizeof(DiskTime) == 12);

struct DiskObject {
    le64 generation;
    le64 size_bytes;
    le64 blocks;       // data blocks allocated
    le64 change;
    le64 parent;       // directories: object id of the directory that holds it; else 0
    le32 mode;
    le32 uid, gid, project;
    le32 links;
    le32 flags;        // FS_*_FL bits
    le32 state;        // k_object_* bits
    le32 rdev;
    DiskTime atime, mtime, ctime, btime;
    le32 reserved;
    le16 header_bytes; // sizeof(DiskObject)
    le16 root_count;   // 1, or 2 with extended attributes
};
static_assert(sizeof(DiskObject) == 128);
static_assert(offsetof(DiskObject, mode) == 40);
static_assert(offsetof(DiskObject, atime) == 72);
static_assert(offsetof(DiskObject, header_bytes) == 124);

constexpr u32 k_object_truncating = 1; // extents past the size are still being freed: mount goes on with it
constexpr u32 k_object_has_shares = 2; // its extents may have blocks that others have too: share_format.h. Regular files only
constexpr u32 k_object_has_unwritten = 4; // its extents may be unwritten ones: extent_format.h. Regular files only

struct DiskRoot {
    u8 form;           // RootForm
    u8 kind;           // TreeKind
    le16 bytes;        // that follow: 0, the inline items, or a DiskNodePointer
};
static_assert(sizeof(DiskRoot) == 4);

}
