// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/attributes.h"

#include "core/fs/log_records.h"

namespace lcpfs {

namespace {
core_time to_api(const Time& time) { return core_time { time.seconds, time.nanoseconds }; }
Time from_api(const core_time& time) { return Time { time.seconds, time.nanoseconds }; }
}

void get_attributes(Object& object, core_attr& out)
{
    ReadGuard guard(object.m_lock);
    out.id = object.id().value();
    out.generation = object.m_attributes.generation;
    out.size_bytes = object.m_attributes.size_bytes;
    out.blocks = object.m_attributes.blocks;
    out.change = object.m_attributes.change;
    out.mode = object.m_attributes.mode;
    out.uid = object.m_attributes.uid;
    out.gid = object.m_attributes.gid;
    out.project = object.m_attributes.project;
    out.links = object.m_attributes.links;
    out.flags = object.m_attributes.flags;
    out.rdev = object.m_attributes.rdev;
    out.atime = to_api(object.m_attributes.atime);
    out.mtime = to_api(object.m_attributes.mtime);
    out.ctime = to_api(object.m_attributes.ctime);
    out.btime = to_api(object.m_attributes.btime);
}

Status set_attributes(Pool& pool, Object& object, const core_attr& from, unsigned mask)
{
    TRY(pool.check_writable());
    const core_time* const times[] = { &from.atime, &from.mtime, &from.ctime };
    for (const core_time* time : times)
        if (time->nanoseconds >= 1000000000u && (mask & (CORE_SET_ATIME | CORE_SET_MTIME | CORE_SET_CTIME)))
            return Error::invalid;
    ScopedPromise promise(pool.space());
    TRY(promise.take(pool.space().operation_units(), Space::For::change));
    Box<LogRecord> record = record_of_attributes(pool, object, from, mask);
    WriteGuard guard(object.m_lock);
    if (object.m_deleted)
        return Error::not_found;
    TxgHold hold(pool.engine());
    TRY(object.prepare_change(hold.txg()));
    if (mask & CORE_SET_MODE)
        object.m_attributes.mode = (object.m_attributes.mode & k_mode_type) | (from.mode & 07777);
    if (mask & CORE_SET_UID)
        object.m_attributes.uid = from.uid;
    if (mask & CORE_SET_GID)
        object.m_attributes.gid = from.gid;
    if (mask & CORE_SET_PROJECT)
        object.m_attributes.project = from.project;
    if (mask & CORE_SET_FLAGS)
        object.m_attributes.flags = from.flags;
    if (mask & CORE_SET_CHANGE)
        object.m_attributes.change = from.change;
    if (mask & CORE_SET_ATIME)
        object.m_attributes.atime = from_api(from.atime);
    if (mask & CORE_SET_MTIME)
        object.m_attributes.mtime = from_api(from.mtime);
    if (mask & CORE_SET_CTIME)
        object.m_attributes.ctime = from_api(from.ctime);
    pool.intent_log().append(hold.txg(), lcpfs::move(record));
    return {};
}

Status sync_object(Pool& pool, Object& object)
{
    if (pool.intent_log().is_on())
        return pool.intent_log().commit();
    // Also when the pool is read-only by now: it may be so because this very change could not be committed.
    return pool.engine().wait_committed(object.newest_change());
}

bool is_live(Object& object)
{
    ReadGuard guard(object.m_lock);
    return !object.m_deleted;
}

}
