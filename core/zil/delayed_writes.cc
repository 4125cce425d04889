// SPDX-License-Identifier: GPL-2.0-only
#include "core/zil/delayed_writes.h"

namespace lcpfs {

namespace {

using Entry = DelayedWrites::Entry;
using EntryList = List<Entry, &Entry::link>;

bool is_before(const Dva& a, const Dva& b) { return a.vdev != b.vdev ? a.vdev.value() < b.vdev.value() : a.block < b.block; }

// `other` is empty then.
void merge_into(EntryList& list, EntryList& other)
{
    EntryList both;
    while (!list.is_empty() && !other.is_empty())
        both.push_back(is_before(other.first()->dva, list.first()->dva) ? *other.pop_front() : *list.pop_front());
    both.take_all(list);
    both.take_all(other);
    list.take_all(both);
}

// Adds `entry` to a row that is in order, if it belongs near its end. Places are given out in order, and entries come almost so.
bool join(EntryList& row, Entry& entry)
{
    constexpr u32 k_steps = 32;
    Entry* last = row.last();
    for (u32 step = 0; last && is_before(entry.dva, last->dva); step++) {
        if (step == k_steps)
            return false;
        last = row.previous(*last);
    }
    if (last)
        row.insert_after(*last, entry);
    else
        row.push_front(entry);
    return true;
}

// By place: makes rows, merges them two by two. Nothing is allocated.
void sort(EntryList& entries)
{
    constexpr u32 k_levels = 24;
    constexpr u32 k_most_in_row = 1024; // so that others get their turn
    EntryList sorted[k_levels]; // [i]: what 2^i rows have become
    while (Entry* first = entries.pop_front()) {
        EntryList row;
        row.push_back(*first);
        while (!entries.is_empty() && row.size() < k_most_in_row) {
            Entry& entry = *entries.pop_front();
            if (!join(row, entry)) {
                entries.push_front(entry);
                break;
            }
        }
        u32 level = 0;
        for (; level < k_levels - 1 && !sorted[level].is_empty(); level++)
            merge_into(row, sorted[level]);
        merge_into(sorted[level], row);
        host_yield();
    }
    for (EntryList& list : sorted)
        merge_into(entries, list);
}

}

Result<Box<DelayedWrites>> DelayedWrites::create(VdevSet& vdevs, u64 max_bytes)
{
    Box<DelayedWrites> writes = TRY(make_box<DelayedWrites>(vdevs, max_bytes));
    writes->m_memory.pages = host_pool_create("lcpfs_log_data", k_block_size, 0);
    writes->m_memory.singles = host_pool_create("lcpfs_log_single", LogData::single_bytes(), 0);
    writes->m_entry_pool = host_pool_create("lcpfs_log_delayed", sizeof(Entry), 0);
    if (!writes->m_memory.pages || !writes->m_memory.singles || !writes->m_entry_pool)
        return Error::no_memory;
    return writes;
}

DelayedWrites::~DelayedWrites()
{
    EntryList left;
    take(TxgId(~0ull), left);
    while (Entry* entry = left.pop_front())
        Box<Entry> gone(entry);
    host_pool_destroy(m_entry_pool);
    host_pool_destroy(m_memory.singles);
    host_pool_destroy(m_memory.pages);
}

Result<Box<Entry>> DelayedWrites::make_entry()
{
    void* memory = host_pool_alloc(m_entry_pool, 0);
    if (!memory)
        return Error::no_memory;
    return Box<Entry>(::new (memory) Entry(m_entry_pool));
}

void DelayedWrites::Entry::dispose(Entry* entry)
{
    host_pool* const home = entry->m_home;
    entry->~Entry();
    host_pool_free(home, entry);
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
        for (u32 taken = k_at_once; taken == k_at_once;) {
            SpinGuard guard(m_lock);
            for (taken = 0; taken < k_at_once && m_txg[i] <= txg; taken++) {
                Entry* entry = m_entries[i].pop_front();
                if (!entry)
                    break;
                m_by_place[bucket_of(entry->dva)].remove(*entry);
                out.push_back(*entry);
            }
        }
    }
}

Dva DelayedWrites::collect_piece(EntryList& entries, Entry*& entry)
{
    Dva piece = entry->dva;
    piece.length_blocks = 0;
    do {
        for (u32 i = 0; i < entry->dva.length_blocks; i++)
            m_segments[piece.length_blocks++] = { entry->data->page(i), k_block_size };
        entry = entries.next(*entry);
    } while (entry && entry->dva.vdev == piece.vdev && entry->dva.block == piece.block + piece.length_blocks
             && piece.length_blocks + entry->dva.length_blocks <= k_piece_blocks);
    return piece;
}

Status DelayedWrites::write_pieces(EntryList& entries)
{
    IoBatch windows[2];
    Status first;
    u32 count = 0;
    for (Entry* entry = entries.first(); entry; count++) {
        IoBatch& window = windows[count / k_window_pieces % 2];
        if (count % k_window_pieces == 0) {
            const Status status = window.wait();
            if (first.is_ok())
                first = status.error();
        }
        const Dva piece = collect_piece(entries, entry);
        window.begin();
        m_vdevs.write(piece, { m_segments, piece.length_blocks }, HOST_IO_SYNC, IoBatch::done, &window);
        host_yield();
    }
    for (IoBatch& window : windows) {
        const Status status = window.wait();
        if (first.is_ok())
            first = status.error();
    }
    return first;
}

Status DelayedWrites::write_out(TxgId txg)
{
    MutexGuard writing(m_writing);
    EntryList entries;
    take(txg, entries);
    if (entries.is_empty())
        return {};
    sort(entries);
    const Status status = write_pieces(entries);
    if (status.is_error()) {
        SpinGuard guard(m_lock);
        while (Entry* entry = entries.pop_front())
            put_locked(*entry);
        return status.error();
    }
    for (u32 count = 1; Entry* entry = entries.pop_front(); count++) {
        m_bytes.sub(u64(entry->dva.length_blocks) * k_block_size);
        entry->counter->sub(1);
        Box<Entry> gone(entry);
        if (count % ((k_at_once / 4)) == 0)
            host_yield();
    }
    return {};
}

}
