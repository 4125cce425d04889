// SPDX-License-Identifier: GPL-2.0-only
// The object is private until its name is there: its lock is not needed.
#include "core/fs/new_object.h"

namespace lcpfs {

namespace {

// A symlink's target as one or two inline items of a fresh, private object.
Status store_target(Object& object, TxgId txg, Bytes target, ExtentScratch& scratch) NO_THREAD_SAFETY_ANALYSIS
{
    for (u64 part = 0; part * k_max_inline_data_bytes < target.size(); part++) {
        size_t offset = part * k_max_inline_data_bytes;
        Extent extent;
        extent.kind = ExtentKind::inlined;
        extent.length_blocks = 1;
        extent.birth = txg;
        extent.payload = target.slice(offset, min<size_t>(target.size() - offset, k_max_inline_data_bytes));
        u32 bytes = extent.encode({ scratch.first, sizeof(scratch.first) });
        BigEndianKey key = extent_key(part);
        TRY(object.m_tree.prepare_insert(txg, { key.data(), 8 }, bytes));
        object.m_tree.insert({ key.data(), 8 }, { scratch.first, bytes });
    }
    return {};
}

ObjectAttributes attributes_of(const NewObject& how, u64 generation, const Object& directory)
{
    ObjectAttributes attributes;
    attributes.generation = generation;
    attributes.mode = how.mode;
    attributes.uid = how.uid;
    attributes.gid = how.gid;
    attributes.project = how.project;
    attributes.flags = how.flags;
    attributes.rdev = how.rdev;
    attributes.links = attributes.is_directory() ? 2 : 1;
    attributes.parent = attributes.is_directory() ? directory.id().value() : 0;
    attributes.size_bytes = attributes.is_symlink() ? how.target.size() : 0;
    attributes.atime = attributes.mtime = attributes.ctime = attributes.btime = how.time;
    return attributes;
}

}

Status fill_new(Object& object, Object& directory, const NewObject& how, TxgId txg, NewScratch& scratch) NO_THREAD_SAFETY_ANALYSIS
{
    if (!how.target.is_empty())
        TRY(store_target(object, txg, how.target, *scratch.target));
    if (scratch.xattrs)
        TRY(fill_new_xattrs(object, txg, how.xattrs, *scratch.xattrs));
    TRY(object.prepare_change(txg));
    object.m_attributes = attributes_of(how, generation_of_new(object, how), directory);
    return {};
}

}
