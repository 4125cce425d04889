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
    put_locked(*entry.release());
}

void DelayedWrites::put_locked(Entry& entry)
{
    m_entries[entry.txg.value() & 3].push_back(entry);
    m_by_place[bucket_of(entry.dva)].push_back(entry);
}

bool DelayedWrites::replace(TxgId txg, const Dva& dva, const Ref<LogData>& data)
{
    Ref<LogData> older = data; // goes when the lock is open
    SpinGuard guard(m_lock);
    Bucket& bucket = m_by_place[bucket_of(dva)];
    for (Entry* entry = bucket.first(); entry; entry = bucket.next(*entry)) {
        if (entry->txg != txg || entry->dva.vdev != dva.vdev || entry->dva.block != dva.block
            || entry->dva.length_blocks != dva.length_blocks)
            continue;
        swap(entry->data, older);
        return true;
    }
    return false;
}

void DelayedWrites::take(TxgId txg, EntryList& out)
{
    for (u32 i = 0; i < 4; i++) {
        for (u32 taken = k_take_at_once; taken == k_take_at_once;) {
            SpinGuard guard(m_lock);
            for (taken = 0; taken < k_take_at_once && m_txg[i] <= txg; taken++) {
                Entry* entry = m_entries[i].pop_front();
                if (!entry)
                    break;
                m_by_place[bucket_of(entry->dva)].remove(*entry);
                out.push_back(*entry);
            }
        }
    }
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
            put_locked(*entry);
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
