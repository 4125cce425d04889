// SPDX-License-Identifier: GPL-2.0-only
// One object's tree of extended attributes (xattr_format.h): finding, replacing, removing. Under the object's lock.
#pragma once

#include "core/dataset/object.h"
#include "core/object/xattr.h"

namespace lcpfs {

struct XattrSpot {
    bool found { false };
    u8 generation { 0 };
    u32 value_bytes { 0 };
    u32 parts() const { return found ? xattr_parts(value_bytes) : 0; }
};

// Room for one item on its way into the tree; had before any lock is taken.
struct XattrScratch {
    u8 item[k_max_xattr_item_bytes];
};

Status find_xattr(Tree& tree, Bytes name, XattrSpot& spot);
// Copies the value, which `spot` says is there, into `out` of at least its size. xattr_damaged.
Status read_xattr(Tree& tree, Bytes name, const XattrSpot& spot, u8* out);
// The value takes the place of what `spot` says is there. On failure everything is as before. The object is dirty in `txg`.
Status replace_xattr(Tree& tree, TxgId txg, Bytes name, const XattrSpot& spot, Bytes value, XattrScratch& scratch);
Status remove_xattr(Tree& tree, TxgId txg, Bytes name, const XattrSpot& spot);
// Items from the end, at most `most`, sound or not. `finished`: none is left.
Status erase_xattrs(Object& object, TxgId txg, u32 most, bool& finished) REQUIRES(object.m_lock);

}
