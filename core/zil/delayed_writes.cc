// SPDX-License-Identifier: GPL-2.0-only
#include "core/zil/delayed_writes.h"

namespace lcpfs {

Result<Box<DelayedWrites>> DelayedWrites::create(VdevSet& vdevs)
{
    Box<DelayedWrites> writes = TRY(make_box<DelayedWrites>(vdevs));
    writes->m_pages = host_pool_create("lcpfs_log_data", k_block_size, 0);
    if (!writes->m_pages)
        return Error::no_memory;
    return writes;
}

DelayedWrites::~DelayedWrites()
{
    EntryList left;
    take(TxgId(~0ull), left);
    while (Entry* entry = left.pop_front())
        Box<Entry> gone(entry);
    host_pool_destroy(m_pages);
}

void DelayedWrites::add(TxgId txg, Box<Entry> entry)
{
    entry->txg = txg;
    entry->counter->add(1);
    m_bytes.add(u64(entry->dva.length_blocks) * k_block_size);
    SpinGuard guard(m_lock);
    m_txg[txg.value() & 3] = txg;
    m_entries[txg.value() & 3].push_back(*entry.release());
}

void DelayedWrites::take(TxgId txg, EntryList& out)
{
    SpinGuard guard(m_lock);
    for (u32 i = 0; i < 4; i++)
        if (m_txg[i] <= txg)
            out.take_all(m_entries[i]);
}

Status DelayedWrites::write_out(TxgId txg)
{
    MutexGuard writing(m_writing);
    EntryList entries;
    take(txg, entries);
    if (entries.is_empty())
        return {};
    IoBatch batch;
    for (Entry* entry = entries.first(); entry; entry = entries.next(*entry)) {
        core_segment segments[k_max_log_data_bytes / k_block_size];
        for (u32 i = 0; i < entry->dva.length_blocks; i++)
            segments[i] = { entry->data->page(i), k_block_size };
        batch.begin();
        m_vdevs.write(entry->dva, { segments, entry->dva.length_blocks }, HOST_IO_SYNC, IoBatch::done, &batch);
    }
    const Status status = batch.wait();
    if (status.is_error()) {
        SpinGuard guard(m_lock);
        while (Entry* entry = entries.pop_front())
            m_entries[entry->txg.value() & 3].push_back(*entry);
        return status.error();
    }
    while (Entry* entry = entries.pop_front()) {
        m_bytes.sub(u64(entry->dva.length_blocks) * k_block_size);
        entry->counter->sub(1);
        Box<Entry> gone(entry);
    }
    return {};
}

}
