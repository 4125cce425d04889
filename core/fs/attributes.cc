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
    out.has_xattrs = object.has_xattrs();
    out.has_data = !object.m_tree.is_empty();
}

Status check_attributes(const core_attr& from, unsigned mask)
{
    const core_time* const times[] = { &from.atime, &from.mtime, &from.ctime };
    for (const core_time* time : times)
        if (time->nanoseconds >= 1000000000u && (mask & (CORE_SET_ATIME | CORE_SET_MTIME | CORE_SET_CTIME)))
            return Error::invalid;
    return {};
}

bool apply_attributes(ObjectAttributes& to, const core_attr& from, unsigned mask)
{
    bool is_other = false;
    auto set = [&](unsigned what, auto& value, const auto& wanted) {
        if (!(mask & what) || value == wanted)
            return;
        value = wanted;
        is_other = true;
    };
    set(CORE_SET_MODE, to.mode, (to.mode & k_mode_type) | (from.mode & 07777));
    set(CORE_SET_UID, to.uid, from.uid);
    set(CORE_SET_GID, to.gid, from.gid);
    set(CORE_SET_PROJECT, to.project, from.project);
    set(CORE_SET_FLAGS, to.flags, from.flags);
    set(CORE_SET_CHANGE, to.change, from.change);
    set(CORE_SET_ATIME, to.atime, from_api(from.atime));
    set(CORE_SET_MTIME, to.mtime, from_api(from.mtime));
    set(CORE_SET_CTIME, to.ctime, from_api(from.ctime));
    return is_other;
}

Status set_attributes(Pool& pool, Object& object, const core_attr& from, unsigned mask)
{
    TRY(pool.admit_change());
    TRY(check_attributes(from, mask));
    if ((mask & CORE_SET_FLAGS) && (from.flags & k_flag_compressed) && !pool.space().is_replaying())
        TRY(pool.enable_compression(k_choice_by_flag));
    ScopedPromise promise(pool.space());
    TRY(promise.take(pool.space().operation_units(), Space::For::change));
    Box<LogRecord> record = record_of_attributes(pool, object, from, mask);
    WriteGuard guard(object.m_lock);
    if (object.m_deleted)
        return Error::not_found;
    // The inode's writeback comes when its times are here already, by fsync: no other record of them, which would want a frame.
    ObjectAttributes wanted = object.m_attributes;
    if (!apply_attributes(wanted, from, mask))
        return {};
    TxgHold hold(pool.engine());
    TRY(object.prepare_change(hold.txg()));
    (void)apply_attributes(object.m_attributes, from, mask);
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
