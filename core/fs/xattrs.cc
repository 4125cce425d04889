// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/xattrs.h"

#include "core/fs/attributes.h"
#include "core/fs/log_records.h"

namespace lcpfs {

namespace {

// Parts whose insertion an operation's own promise covers.
constexpr u32 k_parts_per_operation = 8;

Status change_locked(Object& object, TxgId txg, const XattrChange& change, XattrScratch* scratch) REQUIRES(object.m_lock)
{
    XattrSpot spot;
    if (object.m_xattrs)
        TRY(find_xattr(object.m_xattrs->tree, change.name, spot));
    if (change.removes && !spot.found)
        return change.flags & CORE_XATTR_IF_ANY ? object.prepare_change(txg) : Status(Error::no_data);
    if (!spot.found && (change.flags & CORE_XATTR_REPLACE))
        return Error::no_data;
    if (spot.found && (change.flags & CORE_XATTR_CREATE))
        return Error::exists;
    Tree& tree = *TRY(object.make_xattrs());
    TRY(object.prepare_change(txg));
    return change.removes ? remove_xattr(tree, txg, change.name, spot)
                          : replace_xattr(tree, txg, change.name, spot, change.value, *scratch);
}

}

u64 xattr_units(Pool& pool, u32 parts) { return pool.space().operation_units() * (1 + parts / k_parts_per_operation); }

Status change_xattr(Pool& pool, Object& object, const XattrChange& change)
{
    TRY(pool.admit_change());
    TRY(change.removes ? check_xattr_name(change.name) : check_xattr(change.name, change.value));
    if (change.attributes)
        TRY(check_attributes(*change.attributes, change.mask));
    ScopedPromise promise(pool.space(), object.dataset().owner());
    const u32 parts = change.removes ? 0 : xattr_parts(static_cast<u32>(change.value.size()));
    // A change of the mode has to be possible as it is without a list, whose size stays.
    const Space::For what = change.removes ? Space::For::removal
        : change.flags & CORE_XATTR_SAME_SIZE ? Space::For::change
                                              : Space::For::growth;
    TRY(promise.take(xattr_units(pool, parts), what));
    Box<XattrScratch> scratch;
    if (!change.removes)
        scratch = TRY(make_box<XattrScratch>());
    Box<LogRecord> record = record_of_xattr(pool, object, change);
    WriteGuard guard(object.m_lock);
    if (object.m_deleted)
        return Error::not_found;
    TxgHold hold(pool.engine());
    TRY(change_locked(object, hold.txg(), change, scratch.get()));
    if (change.attributes)
        (void)apply_attributes(object.m_attributes, *change.attributes, change.mask);
    pool.intent_log().append(hold.txg(), lcpfs::move(record));
    return {};
}

Result<u32> get_xattr(Object& object, Bytes name, MutableBytes out)
{
    TRY(check_xattr_name(name));
    ReadGuard guard(object.m_lock);
    if (!object.m_xattrs)
        return Error::no_data;
    Tree& tree = object.m_xattrs->tree;
    XattrSpot spot;
    TRY(find_xattr(tree, name, spot));
    if (!spot.found)
        return Error::no_data;
    if (out.is_empty())
        return spot.value_bytes;
    if (out.size() < spot.value_bytes)
        return Error::range;
    TRY(read_xattr(tree, name, spot, out.data()));
    VERIFY_DISK(acl_kind_of(name) == AclKind::none || is_acl({ out.data(), spot.value_bytes }), xattr_damaged);
    return spot.value_bytes;
}

Result<u32> list_xattrs(Object& object, bool (*wanted)(void* context, const char* name, u32 length), void* context, MutableBytes out)
{
    ReadGuard guard(object.m_lock);
    if (!object.has_xattrs())
        return 0u;
    u32 bytes = 0;
    TreeCursor cursor;
    const u8 lowest[1] = { 0 };
    for (bool more = TRY(object.m_xattrs->tree.seek({ lowest, 1 }, cursor)); more; more = TRY(object.m_xattrs->tree.next(cursor))) {
        const XattrPart part = TRY(XattrPart::decode(cursor.key(), cursor.value()));
        const u32 length = static_cast<u32>(part.name.size());
        if (part.part != 0 || !wanted(context, reinterpret_cast<const char*>(part.name.data()), length))
            continue;
        if (!out.is_empty() && out.size() - bytes < length + 1)
            return Error::range;
        if (!out.is_empty()) {
            copy_bytes(out.data() + bytes, part.name.data(), length);
            out[bytes + length] = 0;
        }
        // More than fits into the number is more than anybody has room for.
        bytes = bytes > 0x7fffffff - length - 1 ? 0x7fffffff : bytes + length + 1;
    }
    return bytes;
}

Status check_new_xattrs(Span<const NewXattr> xattrs)
{
    for (size_t i = 0; i < xattrs.size(); i++) {
        TRY(check_xattr(xattrs[i].name, xattrs[i].value));
        for (size_t other = 0; other < i; other++)
            if (equal(xattrs[i].name, xattrs[other].name))
                return Error::exists;
    }
    return {};
}

u32 parts_of(Span<const NewXattr> xattrs)
{
    u32 parts = 0;
    for (const NewXattr& xattr : xattrs)
        parts += xattr_parts(static_cast<u32>(xattr.value.size()));
    return parts;
}

Status fill_new_xattrs(Object& object, TxgId txg, Span<const NewXattr> xattrs, XattrScratch& scratch) NO_THREAD_SAFETY_ANALYSIS
{
    Tree& tree = *TRY(object.make_xattrs());
    for (const NewXattr& xattr : xattrs)
        TRY(replace_xattr(tree, txg, xattr.name, XattrSpot(), xattr.value, scratch));
    return {};
}

}
