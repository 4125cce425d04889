// SPDX-License-Identifier: GPL-2.0-only
// Locks are taken through ObjectLocks, whose set is only known at run time: the analysis is off for this file's functions.
#include "core/fs/names.h"

#include "core/fs/log_records.h"
#include "core/fs/name_tree.h"
#include "core/fs/new_object.h"

namespace lcpfs {

void ObjectLocks::add(Object* object)
{
    if (!object)
        return;
    u32 at = 0;
    while (at < m_count && m_objects[at]->id() < object->id())
        at++;
    if (at < m_count && m_objects[at] == object)
        return;
    for (u32 i = m_count; i > at; i--)
        m_objects[i] = m_objects[i - 1];
    m_objects[at] = object;
    m_count++;
}

void ObjectLocks::lock() NO_THREAD_SAFETY_ANALYSIS
{
    for (u32 i = 0; i < m_count; i++)
        m_objects[i]->m_lock.lock(i);
    m_locked = true;
}

ObjectLocks::~ObjectLocks() NO_THREAD_SAFETY_ANALYSIS
{
    for (u32 i = m_count; m_locked && i > 0; i--)
        m_objects[i - 1]->m_lock.unlock();
}

namespace {

Status check_name(Bytes text)
{
    if (text.is_empty())
        return Error::invalid;
    return text.size() > k_max_name_bytes ? Status(Error::name_too_long) : Status();
}

void touch_directory(Object& directory, Time time) NO_THREAD_SAFETY_ANALYSIS
{
    directory.m_attributes.mtime = directory.m_attributes.ctime = time;
    directory.m_attributes.change++;
}

void touch_object(Object& object, Time time) NO_THREAD_SAFETY_ANALYSIS
{
    object.m_attributes.ctime = time;
    object.m_attributes.change++;
}

}

Result<FoundName> lookup_name(Object& directory, Bytes text)
{
    TRY(check_name(text));
    ReadGuard guard(directory.m_lock);
    NameSpot spot;
    TRY(find_name(directory, text, spot));
    if (!spot.found)
        return Error::not_found;
    return FoundName { spot.object, spot.type };
}

Result<Ref<Object>> create_object(Pool& pool, Object& directory, Bytes text, const NewObject& how) NO_THREAD_SAFETY_ANALYSIS
{
    TRY(pool.admit_change());
    TRY(check_name(text));
    TRY(check_new_xattrs(how.xattrs));
    ScopedPromise promise(pool.space(), directory.dataset().owner());
    TRY(promise.take(units_of_new(pool, how), Space::For::growth));
    Ref<Object> object = TRY(make_object(directory.dataset(), how));
    NewScratch scratch(pool, how);
    TRY(scratch.make(how));
    Box<LogRecord> record = record_of_create(pool, directory, text, how, *object);
    ObjectLocks locks;
    locks.add(&directory);
    locks.lock();
    if (directory.m_deleted || directory.m_attributes.links == 0)
        return Error::not_found;
    TxgHold hold(pool.engine());
    bool is_directory = (how.mode & k_mode_type) == k_mode_directory;
    if (is_directory && directory.m_attributes.links >= CORE_LINK_MAX)
        return Error::too_many_links;
    NameSpot spot;
    TRY(find_name(directory, text, spot));
    if (spot.found)
        return Error::exists;
    TRY(directory.prepare_change(hold.txg()));
    TRY(prepare_add_name(directory, hold.txg(), spot, text));
    // Dirty from here on: with links == 0 and no name it would be an orphan; nothing after this fails.
    TRY(fill_new(*object, directory, how, hold.txg(), scratch));
    add_name(directory, spot, text, object->id(), object->m_attributes.entry_type());
    directory.m_attributes.links += is_directory;
    touch_directory(directory, how.time);
    pool.intent_log().append(hold.txg(), lcpfs::move(record));
    return object;
}

Result<Ref<Object>> create_unnamed_object(Pool& pool, Object& directory, const NewObject& how) NO_THREAD_SAFETY_ANALYSIS
{
    TRY(pool.admit_change());
    TRY(check_new_xattrs(how.xattrs));
    ScopedPromise promise(pool.space(), directory.dataset().owner());
    TRY(promise.take(units_of_new(pool, how), Space::For::growth));
    Ref<Object> object = TRY(make_object(directory.dataset(), how));
    NewScratch scratch(pool, how);
    TRY(scratch.make(how));
    Box<LogRecord> record = record_of_create(pool, directory, {}, how, *object);
    TxgHold hold(pool.engine());
    TRY(fill_new(*object, directory, how, hold.txg(), scratch));
    object->m_attributes.links = 0;
    pool.intent_log().append(hold.txg(), lcpfs::move(record));
    return object;
}

Status link_object(Pool& pool, Object& directory, Bytes text, Object& object, Time time) NO_THREAD_SAFETY_ANALYSIS
{
    TRY(pool.admit_change());
    TRY(check_name(text));
    ScopedPromise promise(pool.space(), directory.dataset().owner());
    TRY(promise.take(pool.space().operation_units(), Space::For::growth));
    Box<LogRecord> record = record_of_link(pool, directory, text, object, time);
    ObjectLocks locks;
    locks.add(&directory);
    locks.add(&object);
    locks.lock();
    if (object.m_attributes.is_directory())
        return Error::not_permitted;
    if (object.m_deleted || directory.m_deleted || directory.m_attributes.links == 0)
        return Error::not_found;
    if (object.m_attributes.links >= CORE_LINK_MAX)
        return Error::too_many_links;
    TxgHold hold(pool.engine());
    NameSpot spot;
    TRY(find_name(directory, text, spot));
    if (spot.found)
        return Error::exists;
    TRY(directory.prepare_change(hold.txg()));
    TRY(prepare_add_name(directory, hold.txg(), spot, text));
    TRY(object.prepare_change(hold.txg()));
    add_name(directory, spot, text, object.id(), object.m_attributes.entry_type());
    object.m_attributes.links++;
    touch_object(object, time);
    touch_directory(directory, time);
    pool.intent_log().append(hold.txg(), lcpfs::move(record));
    return {};
}

Status unlink_object(Pool& pool, Object& directory, Bytes text, Object& object, Time time) NO_THREAD_SAFETY_ANALYSIS
{
    TRY(pool.admit_change());
    TRY(check_name(text));
    ScopedPromise promise(pool.space());
    TRY(promise.take(pool.space().operation_units(), Space::For::removal));
    // The type is part of the mode that never changes, so the lock is not needed for it.
    Box<LogRecord> record = record_of_unlink(pool, directory, text, object, object.m_attributes.is_directory(), time);
    ObjectLocks locks;
    locks.add(&directory);
    locks.add(&object);
    locks.lock();
    TxgHold hold(pool.engine());
    NameSpot spot;
    TRY(find_name(directory, text, spot));
    if (!spot.found || spot.object != object.id())
        return Error::not_found;
    bool is_directory = object.m_attributes.is_directory();
    if (is_directory && !object.m_tree.is_empty())
        return Error::not_empty;
    TRY(directory.prepare_change(hold.txg()));
    TRY(object.prepare_change(hold.txg()));
    TRY(prepare_remove_name(directory, hold.txg(), spot));
    remove_name(directory, hold.txg(), spot, text);
    if (is_directory) {
        object.m_attributes.links = 0;
        directory.m_attributes.drop_link(2);
    } else {
        object.m_attributes.drop_link();
    }
    touch_object(object, time);
    touch_directory(directory, time);
    pool.intent_log().append(hold.txg(), lcpfs::move(record));
    return {};
}

Result<u32> list_names(Object& directory, u64 from, ListedName* out, u32 most)
{
    ReadGuard guard(directory.m_lock);
    if (!directory.m_attributes.is_directory())
        return Error::not_directory;
    BigEndianKey key(from);
    TreeCursor cursor;
    u32 count = 0;
    bool found = TRY(directory.m_tree.seek({ key.data(), 8 }, cursor));
    while (found && count < most) {
        Name name = TRY(Name::decode(cursor.key(), cursor.value()));
        ListedName& entry = out[count++];
        entry.cookie = name.cookie;
        entry.object = name.object;
        entry.type = name.type;
        entry.text_bytes = static_cast<u8>(name.text.size());
        copy_bytes(entry.text, name.text.data(), name.text.size());
        found = TRY(directory.m_tree.next(cursor));
    }
    return count;
}

Result<u32> read_symlink(Object& symlink, u8* out, u32 capacity)
{
    ReadGuard guard(symlink.m_lock);
    if (!symlink.m_attributes.is_symlink())
        return Error::invalid;
    u32 length = 0;
    TreeCursor cursor;
    BigEndianKey first(0);
    bool found = TRY(symlink.m_tree.seek({ first.data(), 8 }, cursor));
    while (found) {
        Extent extent = TRY(Extent::decode(cursor.key(), cursor.value()));
        VERIFY_DISK(extent.kind == ExtentKind::inlined, extent_damaged);
        if (extent.payload.size() > capacity - length)
            return Error::range;
        copy_bytes(out + length, extent.payload.data(), extent.payload.size());
        length += static_cast<u32>(extent.payload.size());
        found = TRY(symlink.m_tree.next(cursor));
    }
    VERIFY_DISK(length > 0 && length == symlink.m_attributes.size_bytes, record_damaged);
    return length;
}

}
