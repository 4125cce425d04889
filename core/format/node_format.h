// SPDX-License-Identifier: GPL-2.0-only
// A B+tree node on disk: header, slot array growing up, items growing down from the end.
//
// Items are (key, value) stored together, key first, one right below the other in the order of their slots. Slots are
// sorted by key (memcmp, shorter first).
// Level 0 holds user items; higher levels hold (lowest key of the child, DiskNodePointer); the first key
// of a level above 0 is empty: it stands for everything below the second.
#pragma once

#include "core/format/address_format.h"

namespace lcpfs {

constexpr u32 k_node_magic = 0x4e50434c; // "LCPN"

enum class TreeKind : u8 {
    pool = 1,          // pool tree: datasets and properties
    metaslabs = 2,     // metaslab table
    objects = 3,       // a dataset's object table
    orphans = 4,       // a dataset's objects to delete or truncate further at mount
    extents = 5,       // a file's data
    directory = 6,     // a directory's names
    xattrs = 7,        // an object's extended attributes
    shares = 8,        // blocks that are reached more than once
};

struct DiskNodeHeader {
    le32 magic;
    u8 kind;           // TreeKind
    u8 level;
    le16 item_count;
    le64 dataset;      // owner: with object, what misdirected reads are told by; 0 for pool trees
    le64 object;
    le64 birth_txg;
    le32 heap_start;   // lowest byte used by items
    le32 node_bytes;
    u8 reserved[8];
};
static_assert(sizeof(DiskNodeHeader) == 48);
static_assert(offsetof(DiskNodeHeader, heap_start) == 32);

struct DiskNodeSlot {
    le16 offset;       // of the key, from the start of the node
    le16 key_bytes;
    le16 value_bytes;
};
static_assert(sizeof(DiskNodeSlot) == 6);

constexpr u32 k_max_key_bytes = 264;
constexpr u32 k_max_tree_height = 12;

// Largest key + value of a leaf of `node_bytes`, so that a split always leaves room for one more.
constexpr u32 max_item_bytes(u32 node_bytes) { return node_bytes / 4 - 96; }

// An empty or small tree needs no node: it stands inline in its owner's record (object_format.h) as
//   le16 item_count, then per item le16 key_bytes, le16 value_bytes, key, value.
enum class RootForm : u8 { empty = 0, inlined = 1, node = 2 };
constexpr u32 k_inline_root_bytes = 2560; // at most; of extended attributes k_inline_xattr_bytes

}
