// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/erase.h"

#include "core/base/format_text.h"
#include "core/fs/extents.h"
#include "core/fs/xattr_tree.h"
#include "core/object/name.h"

namespace lcpfs {

namespace {

// Names from the end of a directory.
Status remove_names(Object& directory, TxgId txg, u32 most, bool& finished) REQUIRES(directory.m_lock)
{
    const BigEndianKey last(~0ull);
    for (u32 i = 0; i < most; i++) {
        TreeCursor cursor;
        finished = !TRY(directory.m_tree.seek_at_most({ last.data(), 8 }, cursor));
        if (finished)
            return {};
        VERIFY_DISK(cursor.key().size() == 8, dirent_damaged);
        const BigEndianKey key(cursor.number());
        Result<Name> name = Name::decode(cursor.key(), cursor.value());
        const u64 bytes = name.is_ok() ? name_cost(name.value().text.size()) : 0;
        cursor.reset();
        TRY(directory.m_tree.prepare_change(txg, { key.data(), 8 }));
        if (!directory.m_tree.remove(txg, { key.data(), 8 }))
            return Error::contradiction;
        directory.m_attributes.drop_bytes(bytes);
    }
    return {};
}

// One group's share.
Status erase_some(Pool& pool, Object& object, bool& finished)
{
    ScopedPromise promise(pool.space());
    const Removal removal = removal_of(pool, object);
    TRY(promise.take(removal.units, Space::For::removal));
    Scratch scratch(pool);
    WriteGuard guard(object.m_lock);
    finished = object.m_deleted;
    if (finished)
        return {};
    TxgHold hold(pool.engine());
    TRY(object.prepare_change(hold.txg()));
    SpaceLog::Batch batch(pool.space_log());
    SpaceLog::CommitScope commit(batch, hold.txg());
    if (object.m_attributes.is_directory())
        TRY(remove_names(object, hold.txg(), removal.items, finished));
    else
        TRY(unmap_from(pool, object, hold.txg(), 0, removal.items, finished, *scratch, batch));
    if (finished)
        TRY(erase_xattrs(object, hold.txg(), k_xattr_items_per_group, finished));
    object.m_deleted = finished;
    return {};
}

Status erase_object(Pool& pool, Dataset& dataset, ObjectId id)
{
    auto found = dataset.get(id);
    if (found.is_error()) // by the pass before, and its group has not come to that yet
        return found.error() == Error::not_found ? Error::none : found.error();
    bool finished = false;
    while (!finished) {
        TRY(pool.admit_change());
        if (pool.background().is_interrupted())
            return Error::busy;
        TRY(erase_some(pool, *found.value(), finished));
    }
    return {};
}

void say(Pool& pool, host_log_level level, const Dataset& dataset, const char* what, u64 number, const char* then)
{
    TextLine line;
    line.add("dataset ").add(dataset.id().value()).add(what);
    if (number)
        line.add(number);
    line.add(then);
    pool.log(level, StringView(line.text(), line.size()));
}

// What ends the work, as against what is wrong with one object.
bool is_end(Error error)
{
    return error == Error::no_memory || error == Error::busy || error == Error::read_only || error == Error::frozen
        || error == Error::shut_down;
}

Status erase_dataset(Pool& pool, Dataset& dataset)
{
    TRY(pool.engine().wait_committed(pool.engine().newest_changed()));
    u64 damaged = 0;
    ObjectId id;
    for (u64 from = 0; TRY(dataset.next_object(ObjectId(from), id)); from = id.value() + 1) {
        const Status erased = erase_object(pool, dataset, id);
        if (is_end(erased.error()))
            return erased;
        damaged += erased.is_error();
        if (id.value() == ~0ull)
            break;
    }
    {
        // One that had nothing left when it was opened has its record still.
        TxgHold hold(pool.engine());
        if (pool.engine().refuses())
            return Error::read_only;
        dataset.touch(hold.txg());
    }
    TRY(pool.engine().wait_committed(pool.engine().newest_changed()));
    if (dataset.is_gone())
        say(pool, HOST_LOG_INFO, dataset, " is destroyed and its space is free", 0, "");
    else
        say(pool, HOST_LOG_WARNING, dataset, " cannot be freed whole: ", damaged, " objects are damaged; the next mount tries again");
    return {};
}

}

void erase_datasets(Pool& pool)
{
    Datasets& datasets = pool.datasets();
    for (DatasetId id;;) {
        Dataset* dataset = nullptr;
        {
            ReadGuard list(datasets.lock());
            dataset = datasets.next(id);
            while (dataset && (!dataset->head().is_destroying() || dataset->damage() != Error::none))
                dataset = datasets.next(dataset->id().next());
        }
        if (!dataset)
            return;
        id = dataset->id().next();
        const Status erased = erase_dataset(pool, *dataset);
        datasets.free_gone();
        if (erased.error() == Error::no_memory)
            pool.background().run_again_later();
        if (is_end(erased.error()))
            return;
        if (erased.is_error())
            say(pool, HOST_LOG_WARNING, *dataset, " cannot be freed: ", 0, text_of(erased.error()));
    }
}

}
