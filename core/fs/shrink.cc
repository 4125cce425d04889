// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/shrink.h"

#include "core/fs/log_records.h"

#include "core/base/format_text.h"
#include "core/fs/tail.h"
#include "core/fs/xattr_tree.h"

namespace lcpfs {

namespace {

// An inline file cut inside its bytes. False, nothing changed: it is not one.
Result<bool> cut_inline(Pool& pool, Object& object, TxgId txg, u64 size_bytes, ExtentScratch& scratch, SpaceLog::Batch& batch)
    REQUIRES(object.m_lock)
{
    TreeCursor cursor;
    Extent extent;
    if (!TRY(find_extent(object.m_tree, 0, cursor, extent)) || extent.kind != ExtentKind::inlined || size_bytes == 0
        || size_bytes >= extent.payload.size())
        return false;
    extent.payload = extent.payload.slice(0, size_bytes);
    // The item may stand in the scratch: beside an inline extent no other is cut.
    u32 bytes = extent.encode({ scratch.first, sizeof(scratch.first) });
    cursor.reset();
    TRY(replace_range(pool, object, txg, 0, 1, { scratch.first, bytes }, nullptr, scratch, batch));
    return true;
}

// One group's share of freeing what lies behind `size_bytes`.
Status free_behind(Pool& pool, Object& object, u64 size_bytes, bool& finished)
{
    ScopedPromise promise(pool.space());
    const Removal removal = removal_of(pool, object);
    TRY(promise.take(removal.units, Space::For::removal));
    Scratch scratch(pool);
    WriteGuard guard(object.m_lock);
    if (object.m_deleted)
        return Error::stale_handle;
    TxgHold hold(pool.engine());
    TRY(object.prepare_change(hold.txg()));
    SpaceLog::Batch batch(pool.space_log());
    SpaceLog::CommitScope commit(batch, hold.txg());
    TRY(unmap_from(pool, object, hold.txg(), blocks_for_bytes(size_bytes), removal.items, finished, *scratch, batch));
    if (finished)
        object.m_attributes.state &= ~k_object_truncating;
    return {};
}

Status free_all_behind(Pool& pool, Object& object, u64 size_bytes)
{
    bool finished = false;
    while (!finished) {
        TRY(pool.admit_change());
        TRY(free_behind(pool, object, size_bytes, finished));
    }
    return {};
}

enum class Cut : u8 { again, begun, finished };

// The new size, and one group's share of what lies behind it. `again`: the last block is not what `tail` was prepared for.
Result<Cut> cut_object(Pool& pool, Object& object, u64 size_bytes, Time time, u32 most, TailCut& tail)
{
    Box<LogRecord> record = tail.copied().is_empty() ? record_of_truncate(pool, object, size_bytes, time)
                                                     : record_of_write_truncate(pool, object, size_bytes, time, tail.copied());
    WriteGuard guard(object.m_lock);
    if (object.m_deleted)
        return Error::stale_handle;
    if (!object.m_attributes.is_regular())
        return object.m_attributes.is_directory() ? Error::is_directory : Error::invalid;
    TxgHold hold(pool.engine());
    TRY(object.prepare_change(hold.txg()));
    SpaceLog::Batch batch(pool.space_log());
    SpaceLog::CommitScope commit(batch, hold.txg());
    // One of the two at most, and nothing between it and the new size fails.
    if (!TRY(cut_inline(pool, object, hold.txg(), size_bytes, tail.scratch(), batch)) && !TRY(tail.enter(object, hold.txg(), batch)))
        return Cut::again;
    if (!tail.copied().is_empty())
        drop_write(record);
    object.m_attributes.size_bytes = size_bytes;
    object.m_attributes.mtime = object.m_attributes.ctime = time;
    object.m_attributes.change++;
    // Also when the size stays or grows: writeback may have left extents behind an end that the page cache cut before.
    object.m_attributes.state |= k_object_truncating;
    // From here on it is done: what fails below only leaves blocks to be freed later.
    pool.intent_log().append(hold.txg(), lcpfs::move(record));
    bool finished = false;
    TRY(unmap_from(pool, object, hold.txg(), blocks_for_bytes(size_bytes), most, finished, tail.scratch(), batch));
    if (!finished)
        return Cut::begun;
    object.m_attributes.state &= ~k_object_truncating;
    return Cut::finished;
}

}

Status finish_cut(Pool& pool, Object& object)
{
    u64 size_bytes;
    {
        ReadGuard guard(object.m_lock);
        if (!object.m_attributes.is_regular() || !object.m_attributes.is_truncating())
            return {};
        size_bytes = object.m_attributes.size_bytes;
    }
    return free_all_behind(pool, object, size_bytes);
}

Status truncate_object(Pool& pool, Object& object, u64 size_bytes, Time time)
{
    TRY(pool.admit_change());
    if (size_bytes > 0x7fffffffffffffffull)
        return Error::file_too_large;
    // What a cut that failed left behind the end must not come into view again.
    u64 cut_bytes = 0;
    bool was_cut;
    {
        ReadGuard guard(object.m_lock);
        was_cut = object.m_attributes.is_regular() && object.m_attributes.is_truncating();
        cut_bytes = object.m_attributes.size_bytes;
    }
    if (was_cut && size_bytes > cut_bytes)
        TRY(free_all_behind(pool, object, cut_bytes));
    ScopedPromise promise(pool.space());
    const Removal removal = removal_of(pool, object);
    TRY(promise.take(removal.units + promise_for_data(1), size_bytes ? removal.cut : Space::For::removal));
    TailCut tail(pool);
    Cut cut = Cut::again;
    while (cut == Cut::again) {
        TRY(tail.prepare(object, size_bytes));
        cut = TRY(cut_object(pool, object, size_bytes, time, removal.items, tail));
    }
    return cut == Cut::begun ? free_all_behind(pool, object, size_bytes) : Status();
}

Status delete_object(Pool& pool, Object& object)
{
    TRY(pool.admit_change());
    {
        ReadGuard guard(object.m_lock);
        if (object.m_deleted)
            return {};
        if (object.m_attributes.links != 0)
            return Error::busy;
    }
    // A write that was under way may end between the last extent and the mark.
    for (bool empty = false; !empty;) {
        TRY(free_all_behind(pool, object, 0));
        ScopedPromise promise(pool.space());
        TRY(promise.take(pool.space().operation_units(), Space::For::removal));
        WriteGuard guard(object.m_lock);
        empty = object.m_tree.is_empty();
        if (!empty)
            continue;
        TxgHold hold(pool.engine());
        TRY(object.prepare_change(hold.txg()));
        TRY(erase_xattrs(object, hold.txg(), k_xattr_items_per_group, empty));
        object.m_deleted = empty;
    }
    return {};
}

namespace {

Status finish_orphan(Pool& pool, Dataset& dataset, ObjectId id, u64& finished)
{
    TRY(pool.admit_change());
    Ref<Object> object = TRY(dataset.get(id));
    u64 size_bytes;
    bool deletes, cuts;
    {
        ReadGuard guard(object->m_lock);
        size_bytes = object->m_attributes.size_bytes;
        deletes = object->m_attributes.links == 0;
        cuts = object->m_attributes.is_truncating();
    }
    if (deletes || cuts) {
        TRY(deletes ? delete_object(pool, *object) : free_all_behind(pool, *object, size_bytes));
        finished++;
        return {};
    }
    // Listed for nothing: the next sync of it takes it off the list.
    ScopedPromise promise(pool.space());
    TRY(promise.take(pool.space().operation_units(), Space::For::change));
    WriteGuard guard(object->m_lock);
    TxgHold hold(pool.engine());
    return object->prepare_change(hold.txg());
}

// What a damaged list names that never was ends it: ids rise. What cannot be finished for its own damage keeps nobody else.
Status finish_orphans_of(Pool& pool, Dataset& dataset, u64& finished)
{
    const u64 end = dataset.next_object();
    Error first = Error::none;
    ObjectId id;
    for (u64 at = 0; TRY(dataset.next_orphan(ObjectId(at), id)); at = id.value() + 1) {
        Status status = id.value() < end ? finish_orphan(pool, dataset, id, finished) : Status(Error::dataset_damaged);
        if (status.is_ok())
            continue;
        TextLine line;
        line.add("object ").add(id.value()).add(" of dataset ").add(dataset.id().value());
        line.add(" is to be removed or cut, but cannot be: ").add(text_of(status.error()));
        pool.log(HOST_LOG_WARNING, StringView(line.text(), line.size()));
        if (!is_damage(status.error()) && status.error() != Error::not_found)
            return status;
        first = first == Error::none ? status.error() : first;
        if (id.value() >= end)
            break;
    }
    return first;
}

}

// Those of datasets that are being destroyed go with these.
Status finish_orphans(Pool& pool)
{
    Datasets& datasets = pool.datasets();
    u64 finished = 0;
    Error first = Error::none;
    for (DatasetId id;;) {
        Dataset* dataset = nullptr;
        {
            // With a user it stays.
            ReadGuard list(datasets.lock());
            dataset = datasets.next(id);
            while (dataset && (dataset->head().is_destroying() || dataset->damage() != Error::none))
                dataset = datasets.next(dataset->id().next());
            if (dataset)
                dataset->add_user();
        }
        if (!dataset)
            break;
        id = dataset->id().next();
        const Status status = finish_orphans_of(pool, *dataset, finished);
        dataset->drop_user();
        if (status.is_error() && !is_damage(status.error()) && status.error() != Error::not_found)
            return status;
        first = first == Error::none ? status.error() : first;
    }
    if (finished) {
        TextLine line;
        line.add("finished ").add(finished).add(" removals that a crash had interrupted");
        pool.log(HOST_LOG_INFO, StringView(line.text(), line.size()));
    }
    return first;
}

}
