// SPDX-License-Identifier: GPL-2.0-only
// Extended attributes of an object, lists of POSIX ACLs among them: getting, setting, removing, listing.
//
// A change is one operation in one group, with what it changes of the object's attributes besides: the times, and for a list
// the mode that is kept in step with it. So no crash shows the one without the other. It has one record in the log, with the
// whole value in it. What it takes is promised before anything changes; removing works on a full pool.
//
// What the tree takes is metadata: it does not count in the object's blocks.
#pragma once

#include "core/fs/xattr_tree.h"
#include "core/pool/pool.h"

namespace lcpfs {

struct XattrChange {
    Bytes name, value;
    bool removes { false };
    unsigned flags { 0 };   // CORE_XATTR_*
    const core_attr* attributes { nullptr };
    unsigned mask { 0 };    // CORE_SET_*: of the object, in the same breath
};

// exists and no_data as `flags` has it; no_data also: to be removed, and not there. What check_xattr says.
Status change_xattr(Pool& pool, Object& object, const XattrChange& change);
// Gives the value's length; the value as well if `out` has room for anything. range: not enough of it. no_data.
Result<u32> get_xattr(Object& object, Bytes name, MutableBytes out);
// Names that `wanted` says yes to, each with a zero byte behind it, in their order; gives the bytes, as get_xattr.
Result<u32> list_xattrs(Object& object, bool (*wanted)(void* context, const char* name, u32 length), void* context, MutableBytes out);

// What a new object begins with: checked, and entered while nobody else knows it. Names differ.
struct NewXattr {
    Bytes name, value;
};
Status check_new_xattrs(Span<const NewXattr> xattrs);
Status fill_new_xattrs(Object& object, TxgId txg, Span<const NewXattr> xattrs, XattrScratch& scratch);

// The worst case of entering values that come to so many parts.
u64 xattr_units(Pool& pool, u32 parts);
u32 parts_of(Span<const NewXattr> xattrs);

}
