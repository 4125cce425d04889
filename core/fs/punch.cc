// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/punch.h"

#include "core/fs/log_records.h"

namespace lcpfs {

namespace {

// One group's share: gives where the rest begins.
Result<u64> punch_front(Pool& pool, Object& object, u64 first, u64 end, Time time)
{
    ScopedPromise promise(pool.space());
    const Removal removal = removal_of(pool, object);
    TRY(promise.take(removal.units, removal.cut));
    Scratch scratch(pool);
    Box<LogRecord> record = record_of_punch(pool, object, time);
    WriteGuard guard(object.m_lock);
    if (object.m_deleted)
        return Error::stale_handle;
    if (!object.m_attributes.is_regular())
        return object.m_attributes.is_directory() ? Error::is_directory : Error::invalid;
    TxgHold hold(pool.engine());
    TRY(object.prepare_change(hold.txg()));
    SpaceLog::Batch batch(pool.space_log());
    SpaceLog::CommitScope commit(batch, hold.txg());
    u64 next = first;
    TRY(unmap_range(pool, object, hold.txg(), first, end, removal.items, next, *scratch, batch));
    object.m_attributes.mtime = object.m_attributes.ctime = time;
    object.m_attributes.change++;
    set_punched(record, first, next - first);
    pool.intent_log().append(hold.txg(), lcpfs::move(record));
    return next;
}

}

Status punch_object(Pool& pool, Object& object, u64 first, u64 count, Time time)
{
    if (count == 0 || !is_in_file(first, count))
        return Error::invalid;
    const u64 end = first + count;
    while (first < end) {
        TRY(pool.admit_change());
        first = TRY(punch_front(pool, object, first, end, time));
    }
    return {};
}

}
