// SPDX-License-Identifier: GPL-2.0-only
#include "core/pool/partitions.h"

#include "core/partition/partition_codec.h"

namespace lcpfs {

Partitions::Partitions(Allocator& allocator, Space& space, TxgEngine& engine, Datasets& datasets)
    : m_allocator(allocator), m_space(space), m_engine(engine), m_datasets(datasets), m_allocator_space(allocator, space.slop_blocks())
{
}

Result<Box<Partitions>> Partitions::create(Allocator& allocator, Space& space, TxgEngine& engine, Datasets& datasets)
{
    Box<Partitions> partitions = TRY(make_box<Partitions>(allocator, space, engine, datasets));
    partitions->m_controller = TRY(PartitionController::create(partitions->m_allocator_space));
    partitions->m_encoded = TRY(make_box<Encoded>());
    TRY(partitions->m_stored.reserve(k_max_partitions + 1));
    space.set_grow(grow, partitions.get());
    partitions->m_allocator_space.set_evacuate(evacuate, partitions.get());
    return partitions;
}

// As the controller counts, what is used less what it has may be less than what a promise lacks.
Status Partitions::grow(void* self, OwnerSlot slot, u64 blocks)
{
    Partitions& partitions = *static_cast<Partitions*>(self);
    const Owner& owner = partitions.m_allocator.owners()[slot];
    const u64 size = owner.size_blocks.load();
    const u64 wanted = size - min(size, owner.used_blocks()) + blocks;
    return partitions.m_controller->make_room(PartitionId(owner.id.load()), wanted, now());
}

void Partitions::set_limits(OwnerSlot slot, PartitionLimits limits)
{
    m_allocator.owners().set_minimum(slot, limits.minimum_blocks);
    m_allocator.owners()[slot].maximum_blocks.store(limits.maximum_blocks);
}

Status Partitions::restore(Box<Partition> partition)
{
    const OwnerSlot slot = TRY(m_allocator.owners().open(partition->id));
    set_limits(slot, partition->limits);
    const PartitionId id = partition->id;
    const Status restored = m_controller->restore(lcpfs::move(partition));
    if (restored.is_ok()) {
        m_meters[slot.value()].store(m_controller->meter(id));
        return m_stored.push_back(id.value());
    }
    set_limits(slot, {});
    m_allocator.owners().close(slot);
    return restored.error();
}

// The entry of one partition and its history.
Status Partitions::load_one(Tree& pool_tree, PartitionId id, Bytes value)
{
    Box<Partition> partition = TRY(make_box<Partition>());
    const DecodedPartition decoded = TRY(decode_partition(value, id, *partition));
    for (u32 part = 1; part <= k_partition_history_parts && partition->history.size() < decoded.history_count; part++) {
        TreeCursor cursor;
        const PoolTreeKey key(PoolKey::partition, partition_item_key(id.value(), part));
        if (!TRY(pool_tree.find(key.bytes(), cursor)) || decode_history(cursor.value(), partition->history).is_error())
            break; // it works without, and learns again
    }
    return restore(lcpfs::move(partition));
}

// Gives the next id.
Result<u64> Partitions::load_entries(Tree& pool_tree, VdevSet& log)
{
    u64 next = m_next_id;
    TreeCursor cursor;
    bool found = TRY(pool_tree.seek(PoolTreeKey(PoolKey::partition, 0).bytes(), cursor));
    while (found && cursor.key()[0] == static_cast<u8>(PoolKey::partition)) {
        VERIFY_DISK(cursor.key().size() == 9, partition_damaged);
        BigEndianKey number;
        copy_bytes(&number, cursor.key().data() + 1, 8);
        const PartitionId id(partition_of_item_key(number.get()));
        if (number.get() == 0) {
            DiskPartitionTable table;
            VERIFY_DISK(cursor.value().size() == sizeof(table), partition_damaged);
            copy_bytes(&table, cursor.value().data(), sizeof(table));
            VERIFY_DISK(table.version.get() == k_partition_version && table.next_id.get() <= k_most_partition_id, partition_damaged);
            next = max(next, table.next_id.get());
        } else if (part_of_item_key(number.get()) == 0) {
            next = max(next, id.value() + 1);
            const Status loaded = load_one(pool_tree, id, cursor.value());
            if (loaded.error() == Error::no_memory)
                return Error::no_memory;
            if (loaded.is_error()) {
                TRY(m_stored.push_back(id.value())); // so that it is taken out when the table is written
                TextLine line;
                line.add("partition ").add(id.value()).add(" cannot be used: ").add(text_of(loaded.error()));
                line.add("; what is in it belongs to the default partition");
                log.log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
            }
        }
        found = TRY(pool_tree.next(cursor));
    }
    return next;
}

Status Partitions::load(Tree& pool_tree, VdevSet& log)
{
    m_controller->set_pool_name(log.pool_name());
    const Result<u64> next = load_entries(pool_tree, log);
    if (next.is_error() && next.error() != Error::partition_damaged)
        return next.error();
    if (next.is_error())
        log.log(HOST_LOG_ERROR, "the table of partitions is damaged; those that could not be read belong to the default partition");
    else
        m_next_id = next.value();
    if (!m_controller->find(StringView("default")).value()) {
        Box<Partition> partition = TRY(make_box<Partition>());
        const StringView name("default");
        partition->id = k_default_partition;
        copy_bytes(partition->name, name.data(), name.size());
        partition->name_length = static_cast<u8>(name.size());
        TRY(restore(lcpfs::move(partition)));
        m_stored.pop_back();
    }
    m_stored_changes = m_controller->changes();
    note_entries();
    return {};
}

void Partitions::note_entries()
{
    const u64 bytes = sizeof(DiskPartition) + k_partition_history_parts * sizeof(DiskPartitionHistory);
    m_space.set_partition_entries(m_controller->view().partitions * bytes);
}

Status Partitions::start()
{
    return m_datasets.for_each([this](Dataset& dataset) NO_THREAD_SAFETY_ANALYSIS -> Status {
        m_next_id = max(m_next_id, min(dataset.head().partition, k_most_partition_id - 1) + 1);
        return {};
    });
}

Result<PartitionId> Partitions::find(StringView name) const
{
    const PartitionId id = m_controller->find(name);
    if (id == k_unassigned)
        return Error::not_found;
    return id;
}

static Error unknown(StringView name, TextLine& message)
{
    message = TextLine();
    message.add("partition \"").add_name(name.bytes()).add("\": there is none of this name");
    return Error::not_found;
}

Result<TxgId> Partitions::make(StringView name, PartitionLimits limits, TextLine& message)
{
    WriteGuard list(m_datasets.lock());
    const PartitionId id(m_next_id);
    if (id.value() >= k_most_partition_id)
        return Error::no_space;
    TxgHold hold(m_engine);
    if (m_engine.refuses())
        return Error::read_only;
    const auto opened = m_allocator.owners().open(id);
    if (opened.is_error()) {
        message = TextLine();
        message.add("partition \"").add_name(name.bytes()).add("\": a pool has at most ").add(u64(k_max_partitions));
        message.add("; remove one first");
        return opened.error();
    }
    const OwnerSlot slot = opened.value();
    const Status added = m_controller->add({ id, name, limits }, message);
    if (added.is_error()) {
        m_allocator.owners().close(slot);
        return added.error();
    }
    set_limits(slot, limits);
    m_meters[slot.value()].store(m_controller->meter(id));
    m_next_id++;
    note_entries();
    return hold.txg();
}

Result<TxgId> Partitions::change(StringView name, const PartitionChange& change, TextLine& message)
{
    WriteGuard list(m_datasets.lock());
    const PartitionId id = m_controller->find(name);
    PartitionView view;
    if (id == k_unassigned || !m_controller->view(id, view))
        return unknown(name, message);
    const OwnerSlot slot = slot_of(id);
    PartitionLimits limits { m_allocator.owners()[slot].minimum_blocks.load(), m_allocator.owners()[slot].maximum_blocks.load() };
    if (change.has_minimum)
        limits.minimum_blocks = change.limits.minimum_blocks;
    if (change.has_maximum)
        limits.maximum_blocks = change.limits.maximum_blocks;
    TxgHold hold(m_engine);
    if (m_engine.refuses())
        return Error::read_only;
    if (change.name.size())
        TRY(m_controller->rename(id, change.name, message));
    if (!change.has_minimum && !change.has_maximum)
        return hold.txg();
    const Status changed = m_controller->set_limits(id, limits, message);
    if (changed.is_ok()) {
        set_limits(slot, limits);
        return hold.txg();
    }
    TextLine other;
    if (change.name.size())
        (void)m_controller->rename(id, name, other).is_ok();
    return changed.error();
}

u64 Partitions::datasets_in(PartitionId id) NO_THREAD_SAFETY_ANALYSIS // the caller has the lock
{
    const OwnerSlot slot = slot_of(id);
    u64 count = 0;
    for (Dataset* dataset = m_datasets.next(DatasetId(0)); dataset; dataset = m_datasets.next(dataset->id().next()))
        count += dataset->head().partition == id.value() || dataset->owner() == slot;
    return count;
}

Result<TxgId> Partitions::remove(StringView name, TextLine& message)
{
    WriteGuard list(m_datasets.lock());
    const PartitionId id = m_controller->find(name);
    if (id == k_unassigned)
        return unknown(name, message);
    const OwnerSlot slot = slot_of(id);
    TxgHold hold(m_engine);
    if (m_engine.refuses())
        return Error::read_only;
    // Nobody notes who has no dataset in it.
    TRY(m_controller->remove(id, datasets_in(id), message));
    m_meters[slot.value()].store(nullptr);
    set_limits(slot, {});
    m_allocator.owners().close(slot);
    return hold.txg();
}

void Partitions::tick_if_due()
{
    const u64 now_ms = now().monotonic_ms;
    if (m_ticked_ms.load() == 0 || now_ms - m_ticked_ms.load() >= k_partition_tick_ms)
        tick();
}

void Partitions::tick()
{
    m_ticked_ms.store(max(now().monotonic_ms, u64(1)));
    const u64 before = m_controller->changes();
    m_controller->tick(now());
    if (m_controller->changes() != before)
        TxgHold hold(m_engine); // so that there is a group to store it with
}

void Partitions::begin_write()
{
    ReadGuard list(m_datasets.lock());
    m_known_ids = m_next_id;
    m_known_changes = m_controller->changes();
    m_allocator.set_known_partitions(m_known_ids);
}

void Partitions::encode(u32 slot)
{
    Encoded& encoded = *m_encoded;
    encoded.parts = 0;
    m_controller->visit(slot, [&](const Partition& partition) {
        encode_partition(partition, encoded.partition);
        encoded.parts = 1;
        while (encoded.parts <= k_partition_history_parts
               && encode_history(partition.history, encoded.parts - 1, encoded.history[encoded.parts - 1]))
            encoded.parts++;
    });
}

// What stands there already is not written again.
Status Partitions::store(TxgId txg, Tree& pool_tree, u64 key, Bytes value)
{
    const PoolTreeKey full(PoolKey::partition, key);
    {
        TreeCursor cursor;
        if (TRY(pool_tree.find(full.bytes(), cursor)) && equal(cursor.value(), value))
            return {};
    }
    TRY(pool_tree.prepare_insert(txg, full.bytes(), static_cast<u32>(value.size())));
    (void)pool_tree.insert(full.bytes(), value);
    return {};
}

// Parts that are not there are no matter.
Status Partitions::erase(TxgId txg, Tree& pool_tree, u64 id, u32 first_part)
{
    for (u32 part = first_part; part <= k_partition_history_parts; part++) {
        const PoolTreeKey key(PoolKey::partition, partition_item_key(id, part));
        {
            TreeCursor cursor;
            if (!TRY(pool_tree.find(key.bytes(), cursor)))
                continue;
        }
        TRY(pool_tree.prepare_change(txg, key.bytes()));
        (void)pool_tree.remove(txg, key.bytes());
    }
    return {};
}

Status Partitions::remove_gone(TxgId txg, Tree& pool_tree)
{
    for (size_t i = 0; i < m_stored.size();) {
        PartitionView view;
        if (m_controller->view(PartitionId(m_stored[i]), view)) {
            i++;
            continue;
        }
        TRY(erase(txg, pool_tree, m_stored[i], 0));
        m_stored[i] = m_stored.last();
        m_stored.pop_back();
    }
    return {};
}

Status Partitions::write(TxgId txg, Tree& pool_tree)
{
    if (m_known_changes == m_stored_changes)
        return {};
    DiskPartitionTable table {};
    table.version.set(k_partition_version);
    table.next_id.set(m_known_ids);
    TRY(store(txg, pool_tree, 0, bytes_of(table)));
    TRY(remove_gone(txg, pool_tree));
    for (u32 slot = 0; slot < k_max_partitions; slot++) {
        encode(slot);
        if (!m_encoded->parts)
            continue;
        const u64 id = m_encoded->partition.id.get();
        if (id >= m_known_ids) // made since: the next group's
            continue;
        bool is_stored = false;
        for (const u64 stored : m_stored)
            is_stored = is_stored || stored == id;
        if (!is_stored)
            TRY(m_stored.push_back(id));
        TRY(store(txg, pool_tree, partition_item_key(id, 0), bytes_of(m_encoded->partition)));
        for (u32 part = 1; part < m_encoded->parts; part++)
            TRY(store(txg, pool_tree, partition_item_key(id, part), bytes_of(m_encoded->history[part - 1])));
        if (is_stored)
            TRY(erase(txg, pool_tree, id, m_encoded->parts));
    }
    m_stored_changes = m_known_changes;
    return {};
}

}
