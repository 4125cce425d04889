// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/dataset_change.h"

#include "core/base/format_text.h"
#include "core/fs/log_records.h"

namespace lcpfs {

namespace {

Status wait_for(Pool& pool, TxgId txg) { return pool.space().is_replaying() ? Status() : pool.engine().wait_committed(txg); }

ObjectAttributes root_of(const NewDataset& how, u64 generation)
{
    ObjectAttributes root;
    root.mode = k_mode_directory | (how.mode & 07777);
    root.uid = how.uid;
    root.gid = how.gid;
    root.generation = generation;
    root.atime = root.mtime = root.ctime = root.btime = how.time;
    return root;
}

// The dataset into the list, its root directory and its record into the open group.
Result<TxgId> enter(Pool& pool, Box<Dataset>& dataset, Object& root, const NewDataset& how, Box<LogRecord>& record)
{
    Datasets& datasets = pool.datasets();
    WriteGuard list(datasets.lock());
    if (datasets.find(how.head.text()))
        return Error::exists;
    TRY(datasets.check_room(dataset->id()));
    // It may have gone, and its slot be another's, since the dataset was made.
    if (how.head.partition && pool.partitions().slot_of(PartitionId(how.head.partition)) != dataset->owner())
        return Error::not_found;
    WriteGuard guard(root.m_lock);
    TxgHold hold(pool.engine());
    TRY(dataset->fill_root(root, hold.txg(), root_of(how, how.generation)));
    datasets.add(lcpfs::move(dataset));
    pool.intent_log().append(hold.txg(), lcpfs::move(record));
    return hold.txg();
}

// Has the head of the dataset `name` changed by `change`, which says whether that can be.
template <typename Change> // Status(Dataset&, DatasetHead&)
Status change_head(Pool& pool, StringView name, Space::For what, Change change)
{
    TRY(pool.admit_change());
    ScopedPromise promise(pool.space());
    TRY(promise.take(pool.space().operation_units(), what));
    Box<LogRecord> record = record_of_dataset(pool, LogOpcode::change_dataset);
    TxgId txg;
    {
        Datasets& datasets = pool.datasets();
        WriteGuard list(datasets.lock());
        Dataset* const dataset = datasets.find(name);
        if (!dataset)
            return Error::not_found;
        if (dataset->damage() != Error::none)
            return dataset->damage();
        DatasetHead head = dataset->head();
        TRY(change(*dataset, head));
        TxgHold hold(pool.engine());
        if (pool.engine().refuses())
            return Error::read_only;
        dataset->set_head(head);
        dataset->touch(hold.txg());
        fill_record_of_dataset(record, dataset->id(), NewDataset { .head = head, .time = {}, .id = {} });
        pool.intent_log().append(hold.txg(), lcpfs::move(record));
        txg = hold.txg();
    }
    return wait_for(pool, txg);
}

}

Status create_dataset(Pool& pool, const NewDataset& wanted)
{
    TRY(pool.admit_change());
    if (!is_dataset_name(wanted.head.text()))
        return Error::invalid;
    if (!pool.space().is_replaying())
        TRY(pool.enable_compression(wanted.head.ways.compression));
    ScopedPromise promise(pool.space());
    TRY(promise.take(2 * pool.space().operation_units(), Space::For::growth));
    Box<Dataset> dataset = TRY(pool.datasets().make(wanted.id));
    NewDataset how = wanted;
    // Replayed after falling back, its partition may be lost with the group that made it.
    const bool has_partition = pool.partitions().slot_of(PartitionId(how.head.partition)) != k_nobody;
    if (how.head.partition == k_default_partition.value() || (!has_partition && pool.space().is_replaying()))
        how.head.partition = 0;
    if (how.head.partition && !has_partition)
        return Error::not_found;
    if (!how.id.value())
        host_random_bytes(how.hash_seed.bytes, sizeof(how.hash_seed.bytes));
    if (!how.generation)
        how.generation = dataset->generation_for(ObjectId(k_root_object));
    Ref<Object> root = TRY(dataset->start_new(how.head, how.hash_seed));
    Box<LogRecord> record = record_of_dataset(pool, LogOpcode::create_dataset);
    fill_record_of_dataset(record, dataset->id(), how);
    const TxgId txg = TRY(enter(pool, dataset, *root, how, record));
    root.reset();
    return wait_for(pool, txg);
}

Status rename_dataset(Pool& pool, StringView from, StringView to)
{
    if (!is_dataset_name(to))
        return Error::invalid;
    return change_head(pool, from, Space::For::change, [&](Dataset& dataset, DatasetHead& head) NO_THREAD_SAFETY_ANALYSIS -> Status {
        if (dataset.id().value() == k_default_dataset)
            return Error::not_permitted;
        if (pool.datasets().find(to))
            return Error::exists;
        head.set_name(to);
        return {};
    });
}

Status destroy_dataset(Pool& pool, StringView name)
{
    TRY(change_head(pool, name, Space::For::removal, [](Dataset& dataset, DatasetHead& head) -> Status {
        if (dataset.id().value() == k_default_dataset)
            return Error::not_permitted;
        if (dataset.users())
            return Error::busy;
        head.flags |= k_dataset_destroying;
        return {};
    }));
    if (pool.wake_background().is_error())
        pool.log(HOST_LOG_WARNING, "no thread can be had to free the destroyed dataset; its space comes back after the next mount");
    return {};
}

Status set_dataset_sync(Pool& pool, StringView name, SyncMode sync)
{
    return change_head(pool, name, Space::For::change, [&](Dataset&, DatasetHead& head) -> Status {
        head.sync = sync;
        return {};
    });
}

Status set_dataset_log_bias(Pool& pool, StringView name, LogBias bias)
{
    return change_head(pool, name, Space::For::change, [&](Dataset&, DatasetHead& head) -> Status {
        head.log_bias = bias;
        return {};
    });
}

Status set_dataset_compression(Pool& pool, StringView name, CompressionChoice choice)
{
    if (!is_choice(choice.encoding, choice.level))
        return Error::invalid;
    TRY(pool.enable_compression(choice));
    return change_head(pool, name, Space::For::change, [&](Dataset&, DatasetHead& head) -> Status {
        head.ways.compression = choice;
        return {};
    });
}

Status set_dataset_checksum(Pool& pool, StringView name, ChecksumKind kind)
{
    if (kind > ChecksumKind::sha256)
        return Error::invalid;
    return change_head(pool, name, Space::For::change, [&](Dataset&, DatasetHead& head) -> Status {
        head.ways.checksum = kind;
        return {};
    });
}

Status replay_dataset_head(Pool& pool, DatasetId id, const DatasetHead& head)
{
    Datasets& datasets = pool.datasets();
    WriteGuard list(datasets.lock());
    Dataset* const dataset = datasets.find(id);
    if (!dataset || dataset->damage() != Error::none)
        return Error::not_found;
    const Dataset* const named = datasets.find(head.text());
    const bool is_first = id.value() == k_default_dataset;
    const bool keeps_name = dataset->head().text() == head.text();
    VERIFY_DISK(!head.is_destroying() || !is_first, log_damaged);
    VERIFY_DISK(keeps_name || (!is_first && !named && !head.is_destroying()), log_damaged);
    TxgHold hold(pool.engine());
    const u64 partition = dataset->head().partition; // never changes
    DatasetHead changed = head;
    changed.partition = partition;
    dataset->set_head(changed);
    dataset->touch(hold.txg());
    return {};
}

}
