// SPDX-License-Identifier: GPL-2.0-only
// An object's extended attributes: a tree of its own, the second root of its record, which an object without any does not have.
//
// Key: the name, a zero byte, then one byte: the generation (bit 7) and the number of the part. Value: DiskXattr, then the part's
// bytes. Names sort as their bytes do, and the parts of one value follow each other.
//
// A leaf holds items of a quarter of a node, so a value is cut into parts of 3584 bytes, 19 at most; each but the last is whole, and
// an empty value has one, of no bytes. Each says how long the whole is. One generation of a name is there at a time: a value of
// several parts is replaced by entering the new one under the other generation and then taking out the old one, which
// is what lets the replacement fail without a trace when memory runs out in the middle of it.
//
// Names are 1 to 255 bytes with their namespace ("user.", "trusted.", "security.", and the two lists of POSIX ACLs), no zero byte.
// The lists have the form that Linux gives programs, described below, with ids as the disk has them.
#pragma once

#include "core/base/little_endian.h"
#include "core/format/node_format.h"

namespace lcpfs {

struct DiskXattr {
    le32 value_bytes; // of the whole value
};
static_assert(sizeof(DiskXattr) == 4);

constexpr u32 k_max_xattr_name_bytes = 255;
constexpr u32 k_max_xattr_value_bytes = 65536;
constexpr u32 k_xattr_part_bytes = 3584;
constexpr u32 k_max_xattr_parts = (k_max_xattr_value_bytes + k_xattr_part_bytes - 1) / k_xattr_part_bytes;
constexpr u8 k_xattr_generation = 0x80; // bit of a key's last byte
constexpr u32 k_max_xattr_item_bytes = sizeof(DiskXattr) + k_xattr_part_bytes;
static_assert(k_max_xattr_parts < k_xattr_generation);
static_assert(k_max_xattr_name_bytes + 2 <= k_max_key_bytes);

// What the tree takes in the record at most; beyond it is a tree of nodes.
constexpr u32 k_inline_xattr_bytes = 1024;

// "system.posix_acl_access", "system.posix_acl_default": the header, then entries in the order of their tags.
struct DiskAcl {
    le32 version;      // k_acl_version
};
static_assert(sizeof(DiskAcl) == 4);
struct DiskAclEntry {
    le16 tag;          // AclTag
    le16 permissions;  // 0..7
    le32 id;           // user and group
};
static_assert(sizeof(DiskAclEntry) == 8);
constexpr u32 k_acl_version = 2;
enum class AclTag : u16 { owner = 1, user = 2, owning_group = 4, group = 8, mask = 16, other = 32 };

}
