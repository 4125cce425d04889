// SPDX-License-Identifier: GPL-2.0-only
// Pool: committing a transaction group. The order of steps is in pool.h.
//
// Costs of a commit with anything in it: one write per dirty node and copy, one per changed metaslab, a flush per written
// device with a volatile cache, and two uberblock writes (FUA) on each of up to three devices.
#include "core/pool/pool.h"

namespace lcpfs {

Status Pool::write_dataset(TxgId txg, TreeWriter& writer, Dataset& dataset)
{
    DiskDataset record;
    bool changed = false;
    bool ends = false;
    TRY(dataset.sync(txg, writer, record, changed, ends));
    if (!changed)
        return {};
    const PoolTreeKey key(PoolKey::dataset, dataset.id().value());
    WriteGuard guard(m_pool_tree_lock);
    if (ends) {
        TRY(m_pool_tree->prepare_change(txg, key.bytes()));
        (void)m_pool_tree->remove(txg, key.bytes());
        return {};
    }
    TRY(m_pool_tree->prepare_insert(txg, key.bytes(), sizeof(record)));
    (void)m_pool_tree->insert(key.bytes(), bytes_of(record));
    return {};
}

// What the group's operations did with blocks, one by one.
Status Pool::apply_space_log(TxgId txg)
{
    return m_space_log->drain(txg, [&](const Dva& dva, SpaceUse use) -> Status {
        switch (use) {
        case SpaceUse::used:
            return m_allocator->mark_used(dva);
        case SpaceUse::freed:
            return m_allocator->mark_free(dva, txg);
        case SpaceUse::shared:
            return m_share_table->share(txg, dva);
        case SpaceUse::dropped:
            return m_share_table->drop(txg, dva);
        }
        return Error::contradiction;
    });
}

// Into the pool tree, or out of it when nothing is shared any more.
Status Pool::write_share_table(TxgId txg, TreeWriter& writer)
{
    bool changed = false;
    const NodePointer root = TRY(m_share_table->write(txg, writer, changed));
    if (!changed)
        return {};
    m_space->set_share_shape(TRY(m_share_table->shape()));
    const PoolTreeKey key(PoolKey::shares, 0);
    WriteGuard guard(m_pool_tree_lock);
    if (root.is_null()) {
        TRY(m_pool_tree->prepare_change(txg, key.bytes()));
        (void)m_pool_tree->remove(txg, key.bytes());
        return {};
    }
    DiskNodePointer disk;
    root.encode(disk);
    TRY(m_pool_tree->prepare_insert(txg, key.bytes(), sizeof(disk)));
    (void)m_pool_tree->insert(key.bytes(), bytes_of(disk));
    return {};
}

Status Pool::write_trees(TxgId txg, TreeWriter& writer, const LogMembers& members, Uberblock& next)
{
    TRY(m_datasets->for_each([&](Dataset& dataset) { return write_dataset(txg, writer, dataset); }));
    m_space->set_table_shape(m_datasets->table_shape());
    TRY(write_share_table(txg, writer));
    next.next_dataset = m_datasets->next_id();
    m_partitions->begin_write();
    {
        WriteGuard guard(m_pool_tree_lock);
        TRY(m_partitions->write(txg, *m_pool_tree));
    }
    if (!(members == m_log_members)) {
        WriteGuard guard(m_pool_tree_lock);
        TRY(write_log_members(txg, members));
    }
    next.pool_tree = TRY(writer.write(m_pool_tree->version(), 0, m_pool_tree_written));
    return m_pool_tree->free_dead(txg);
}

// Makes a table row's path writable and gives its nodes places, so that writing the row later allocates nothing.
Status Pool::touch_metaslab(TxgId txg, TreeWriter& writer, VdevId vdev, u32 metaslab)
{
    BigEndianKey key(metaslab_key(vdev.value(), metaslab));
    TRY(m_metaslab_table->prepare_change(txg, { key.data(), 8 }));
    TRY(m_metaslab_table->free_dead(txg));
    return writer.assign(m_metaslab_table->version());
}

Status Pool::write_metaslabs(TxgId txg, TreeWriter& writer, IoBatch& batch, Uberblock& next)
{
    WriteGuard guard(m_metaslab_lock);
    TRY(m_allocator->visit_changed([&](VdevId vdev, u32 metaslab) NO_THREAD_SAFETY_ANALYSIS {
        return touch_metaslab(txg, writer, vdev, metaslab);
    }));
    TRY(m_allocator->write_changed(txg, batch, [&](VdevId vdev, u32 metaslab, const DiskMetaslabEntry& entry) -> Status {
        BigEndianKey key(metaslab_key(vdev.value(), metaslab));
        return m_metaslab_table->update({ key.data(), 8 }, bytes_of(entry)) ? Status() : Status(Error::metaslab_entry_damaged);
    }));
    next.metaslab_table = TRY(writer.write(m_metaslab_table->version(), 0, m_metaslabs_written));
    return {};
}

Status Pool::write_txg(TxgId txg)
{
    IoBatch batch;
    TreeWriter writer(*m_trees, batch);
    Uberblock next = m_uberblock;
    next.txg = txg;
    next.previous = m_uberblock.txg;
    next.log_txg = TxgId();
    next.time_ns = host_realtime_ns();
    TRY(m_delayed_writes->write_out(txg));
    const LogTail tail = m_log->tail_for(txg);
    const u64 closing = m_closing_txg.load();
    next.log_generation = closing && txg.value() >= closing ? 0 : tail.generation;
    next.log_tail = tail.position;
    next.log_sequence = tail.sequence;
    next.log_record = tail.record;
    next.log_ring = tail.ring;
    Status written = apply_space_log(txg);
    if (written.is_ok())
        written = write_trees(txg, writer, tail.members, next);
    if (written.is_ok())
        written = write_metaslabs(txg, writer, batch, next);
    // Whatever failed, what was started must end before its memory goes.
    Status completed = batch.wait();
    TRY(written);
    TRY(completed);
    TRY(m_vdevs->flush_written());
    AllocatorCounts counts = m_allocator->counts();
    next.total_blocks = counts.total_blocks;
    next.used_blocks = counts.total_blocks - min(counts.total_blocks, counts.free_blocks + counts.deferred_blocks);
    TRY(m_uberblock_writer->write(next));
    m_uberblock = next;
    m_log->committed(txg, tail);
    m_commits.add_relaxed(1);
    return {};
}

void Pool::settle_txg(TxgId txg)
{
    m_in_place_writes.wait(txg.previous());
    if (m_discards.load_relaxed())
        (void)m_allocator->discard_released(txg, k_min_discard_blocks);
    m_allocator->after_commit(txg);
    m_space->committed();
    m_datasets->settle(txg);
    {
        WriteGuard guard(m_pool_tree_lock);
        m_pool_tree->settle(m_pool_tree_written);
    }
    m_share_table->settle();
    WriteGuard guard(m_metaslab_lock);
    m_metaslab_table->settle(m_metaslabs_written);
}

void Pool::trace_sync(TxgId txg, host_trace_stage stage, Error error) const
{
    if (!(host_tracing & HOST_TRACE_TXG))
        return;
    const host_txg_trace what { m_name, txg.value(), stage, static_cast<u32>(error) };
    host_trace_txg(&what);
}

Status Pool::sync_txg(TxgId txg)
{
    if (m_shut_down.load())
        return Error::shut_down;
    trace_sync(txg, HOST_TRACE_SYNCING, Error::none);
    Status status = write_txg(txg);
    trace_sync(txg, status.is_ok() ? HOST_TRACE_COMMITTED : HOST_TRACE_FAILED, status.error());
    if (status.is_error()) {
        freeze(status.error(), "committing a transaction group");
        return status;
    }
    settle_txg(txg);
    return {};
}

}
