// SPDX-License-Identifier: GPL-2.0-only
#include "core/dataset/datasets.h"

#include "core/base/format_text.h"

namespace lcpfs {

constexpr u32 k_version_reserve = 16;

Result<Box<Datasets>> Datasets::create(const DatasetHost& host)
{
    void* memory = host_alloc(sizeof(Datasets), 0);
    if (!memory)
        return Error::no_memory;
    Box<Datasets> datasets(::new (memory) Datasets(host));
    datasets->m_host.head_lock = &datasets->m_lock;
    datasets->m_host.record_buffer = static_cast<u8*>(host_alloc(k_max_record_bytes, 0));
    datasets->m_host.versions = host_pool_create("lcpfs_version", sizeof(ObjectVersion), 0);
    if (!datasets->m_host.record_buffer || !datasets->m_host.versions)
        return Error::no_memory;
    Box<Dataset> first = TRY(datasets->make(DatasetId(k_default_dataset)));
    datasets->m_first = first.get();
    {
        WriteGuard guard(datasets->m_lock);
        datasets->add(lcpfs::move(first));
    }
    return datasets;
}

Status Datasets::reserve()
{
    return host_pool_reserve(m_host.versions, k_version_reserve) ? Error::none : Error::no_memory;
}

Datasets::~Datasets()
{
    {
        WriteGuard guard(m_lock);
        while (Dataset* dataset = m_list.pop_front())
            m_gone.push_back(*dataset);
    }
    free_gone();
    host_free(m_host.record_buffer);
    host_pool_destroy(m_host.versions);
}

Result<Box<Dataset>> Datasets::make(DatasetId id)
{
    if (id.value())
        set_next_id(id.value() + 1);
    return Dataset::create(m_host, id.value() ? id : DatasetId(m_next_id.add(1) - 1));
}

Status Datasets::check_room(DatasetId id)
{
    if (m_count == k_max_datasets)
        return Error::no_space;
    return find(id) ? Status(Error::exists) : Status();
}

void Datasets::add(Box<Dataset> box)
{
    Dataset& dataset = *box.release();
    // Near the end, as a rule: ids rise.
    Dataset* before = m_list.last();
    while (before && before->id() > dataset.id())
        before = m_list.previous(*before);
    if (before)
        m_list.insert_after(*before, dataset);
    else
        m_list.push_front(dataset);
    m_count++;
}

Status Datasets::load(DatasetId id, const DiskDataset& record)
{
    VERIFY_DISK(id.value() != 0 && id.value() >> 60 == 0, dataset_damaged);
    if (id == m_first->id())
        return m_first->load(record);
    Box<Dataset> dataset = TRY(make(id));
    const Status loaded = dataset->load(record);
    if (loaded.error() == Error::no_memory)
        return Error::no_memory;
    dataset->set_damage(loaded.error());
    WriteGuard guard(m_lock);
    VERIFY_DISK(check_room(id).is_ok(), dataset_damaged);
    add(lcpfs::move(dataset));
    return {};
}

Dataset* Datasets::next(DatasetId id)
{
    Dataset* dataset = m_list.first();
    while (dataset && dataset->id() < id)
        dataset = m_list.next(*dataset);
    return dataset;
}

Dataset* Datasets::find(DatasetId id)
{
    Dataset* const dataset = next(id);
    return dataset && dataset->id() == id ? dataset : nullptr;
}

Dataset* Datasets::find(StringView name)
{
    Dataset* dataset = m_list.first();
    while (dataset && (dataset->head().is_destroying() || !(dataset->head().text() == name)))
        dataset = m_list.next(*dataset);
    return dataset;
}

Dataset* Datasets::after(Dataset* dataset)
{
    ReadGuard guard(m_lock);
    return dataset ? m_list.next(*dataset) : m_list.first();
}

u64 Datasets::object_count()
{
    u64 count = 0;
    ReadGuard guard(m_lock);
    for (Dataset* dataset = m_list.first(); dataset; dataset = m_list.next(*dataset))
        count += dataset->object_count();
    return count;
}

TreeShape Datasets::table_shape()
{
    TreeShape sum { 1, 0 };
    (void)for_each([&](Dataset& dataset) -> Status {
        sum.height = max(sum.height, dataset.table_shape().height);
        sum.root_count += dataset.table_shape().root_count;
        return {};
    }).is_ok();
    return sum;
}

void Datasets::settle(TxgId txg)
{
    Dataset* dataset = after(nullptr);
    while (dataset) {
        Dataset* const following = after(dataset);
        dataset->settle(txg);
        if (dataset->is_gone()) {
            WriteGuard guard(m_lock);
            m_list.remove(*dataset);
            m_gone.push_back(*dataset);
            m_count--;
        }
        dataset = following;
    }
}

void Datasets::free_gone()
{
    for (;;) {
        Box<Dataset> dataset;
        {
            WriteGuard guard(m_lock);
            dataset = Box<Dataset>(m_gone.pop_front());
        }
        if (!dataset)
            return;
    }
}

}
