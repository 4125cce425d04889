// SPDX-License-Identifier: GPL-2.0-only
#include "core/repair/tables.h"

#include "core/fs/replay.h"
#include "core/repair/dataset.h"
#include "core/repair/keep.h"
#include "core/partition/partition_codec.h"

namespace lcpfs {

// Of a tree that is made anew in any case: its nodes only must not be written over.
class PoolTables::Kept : public TreeVisitor {
public:
    explicit Kept(PoolTables& tables) : m_context(tables.m_context), m_tables(tables) {}
    bool node(const NodePointer& pointer, const TreeOwner& owner) override
    {
        bool is_valid = pointer.size_bytes == m_context.pool.cache().node_bytes() && m_left-- > 0;
        for (u32 copy = 0; copy < pointer.copies; copy++) {
            is_valid = is_valid && m_context.pool.vdevs().is_valid(pointer.dva[copy]);
            if (is_valid && m_context.room->keep(pointer.dva[copy]).is_error())
                m_context.failure = Error::no_memory;
        }
        if (!is_valid)
            damage(pointer, owner, k_max_copies, Error::node_damaged);
        return is_valid;
    }
    void damage(const NodePointer& pointer, const TreeOwner& owner, u32 copy, Error error) override
    {
        if (copy < k_max_copies)
            return;
        m_is_damaged = true;
        m_context.findings.say_of(owner, "level ", u64(pointer.level), " node at device ", u64(pointer.dva[0].vdev.value()), " block ",
                                  pointer.dva[0].block, ": ", text_of(error));
    }
    Status item(Bytes, Bytes) override { return m_context.failure; }
    bool is_damaged() const { return m_is_damaged; }

protected:
    RepairContext& m_context;
    PoolTables& m_tables;

private:
    bool m_is_damaged { false };
    i64 m_left { 1ll << 32 };
};

class PoolTables::PoolTree final : public Kept {
public:
    using Kept::Kept;
    Status item(Bytes key, Bytes value) override { return m_tables.take_item(key, value); }
};

class PoolTables::MetaslabTable final : public Kept {
public:
    using Kept::Kept;
    Status item(Bytes key, Bytes value) override { return m_tables.take_row(key, value); }
};

Status PoolTables::Items::add(Bytes key, Bytes value)
{
    const size_t at = bytes.size();
    TRY(bytes.resize(at + key.size() + value.size()));
    copy_bytes(bytes.begin() + at, key.data(), key.size());
    copy_bytes(bytes.begin() + at + key.size(), value.data(), value.size());
    return sizes.push_back({ static_cast<u32>(key.size()), static_cast<u32>(value.size()) });
}

Status PoolTables::take_item(Bytes key, Bytes value)
{
    BigEndianKey number;
    if (key.size() == 9)
        copy_bytes(&number, key.data() + 1, 8);
    const u64 id = number.get();
    switch (key.size() == 9 ? static_cast<PoolKey>(key[0]) : PoolKey::property) {
    case PoolKey::dataset:
        if (value.size() != sizeof(DiskDataset) || id == 0 || id >> 60 || m_datasets.size() == k_max_datasets
            || (!m_datasets.is_empty() && m_datasets.last().id >= id))
            break;
        TRY(m_datasets.resize(m_datasets.size() + 1));
        m_datasets.last().id = id;
        copy_bytes(&m_datasets.last().record, value.data(), sizeof(DiskDataset));
        return {};
    case PoolKey::partition:
        return take_partition(id, value);
    case PoolKey::log:
        return take_ring(id, value);
    case PoolKey::shares: {
        DiskNodePointer disk;
        if (value.size() != sizeof(disk))
            break;
        copy_bytes(&disk, value.data(), sizeof(disk));
        if (const Result<NodePointer> root = NodePointer::decode(disk); root.is_ok())
            m_old_shares = root.value();
        return {};
    }
    case PoolKey::property:
        break;
    }
    m_context.findings.say("pool tree: an entry that is malformed: removed");
    return {};
}

Status PoolTables::take_partition(u64 number, Bytes value)
{
    const PoolTreeKey key(PoolKey::partition, number);
    const u64 id = partition_of_item_key(number);
    const u32 part = part_of_item_key(number);
    if (number == 0) {
        DiskPartitionTable table;
        if (value.size() == sizeof(table))
            copy_bytes(&table, value.data(), sizeof(table));
        if (value.size() == sizeof(table) && table.version.get() == k_partition_version && table.next_id.get() <= k_most_partition_id)
            m_next_partition = table.next_id.get();
        else
            m_context.findings.say("pool tree: the table of partitions is malformed: made anew");
        return {};
    }
    bool is_whole = false;
    if (part == 0) {
        Box<Partition> partition = TRY(make_box<Partition>());
        is_whole = id && id < k_most_partition_id && m_context.partitions.size() < k_max_partitions
            && decode_partition(value, PartitionId(id), *partition).is_ok();
        if (is_whole)
            TRY(m_context.partitions.push_back(id));
    } else if (!m_context.partitions.is_empty() && m_context.partitions.last() == id && part <= k_partition_history_parts) {
        Box<OutcomeHistory> history = TRY(make_box<OutcomeHistory>());
        is_whole = decode_history(value, *history).is_ok();
    }
    if (is_whole)
        return m_partitions.add(key.bytes(), value);
    m_context.findings.say("partition ", id, part ? ": a part of its history is malformed: removed"
                                                  : ": its entry is malformed: removed; its datasets live in the default one");
    return {};
}

Status PoolTables::take_ring(u64 id, Bytes value)
{
    Result<LogRing> ring = LogRing::decode(m_context.pool.vdevs(), value);
    if (ring.error() == Error::no_memory)
        return Error::no_memory;
    if (ring.is_error() || (id == k_pool_ring) == ring.value().is_on_log_device()) {
        m_context.findings.say("pool tree: where ring ", id, " of the intent log is, is malformed: removed");
        return {};
    }
    if (id == k_pool_ring)
        m_ring = ring.release_value();
    else if (id == m_context.pool.uberblock().log_ring)
        m_active_ring = ring.release_value();
    m_has_active_ring = m_has_active_ring || id == m_context.pool.uberblock().log_ring;
    const PoolTreeKey key(PoolKey::log, id);
    return m_rings.add(key.bytes(), value);
}

Status PoolTables::take_row(Bytes key, Bytes value)
{
    BigEndianKey number;
    if (key.size() == 8)
        copy_bytes(&number, key.data(), 8);
    const VdevId vdev(static_cast<u16>(number.get() >> 32));
    RepairContext::Row* const row = key.size() == 8 && number.get() >> 48 == 0 && value.size() == sizeof(DiskMetaslabEntry)
        ? m_context.row_of(vdev, number.get() & 0xffffffff) : nullptr;
    if (!row) {
        m_context.findings.say("metaslab table: a row of no metaslab: removed");
        return {};
    }
    DiskMetaslabEntry entry;
    copy_bytes(&entry, value.data(), sizeof(entry));
    if (entry.txg.get() > m_context.from.value()
        || m_context.pool.allocator().load_entry(vdev, static_cast<u32>(number.get()), entry).is_error()) {
        m_context.findings.say("metaslab table: the row of metaslab ", number.get() & 0xffffffff, " of device ", u64(vdev.value()),
                               " is malformed: made anew");
        return {};
    }
    if (!m_context.has_partition(entry.partition.get()) && entry.partition.get())
        entry.partition.set(0);
    row->entry = entry;
    m_rows++;
    return {};
}

Status PoolTables::make_default_dataset()
{
    if (!m_datasets.is_empty() && m_datasets[0].id == k_default_dataset)
        return {};
    m_context.findings.say("pool tree: the dataset that every pool has is lost; an empty one is made");
    Seen made;
    made.id = k_default_dataset;
    made.record.next_object.set(k_first_free_object);
    made.record.created_txg.set(m_context.txg.value());
    host_random_bytes(made.record.hash_seed.bytes, sizeof(made.record.hash_seed.bytes));
    DatasetHead head;
    head.set_name("default");
    head.encode(made.record);
    TRY(m_datasets.push_back(made));
    for (size_t i = m_datasets.size(); i-- > 1;)
        swap(m_datasets[i], m_datasets[i - 1]);
    return {};
}

// Names that are names and nobody else's; partitions that there are.
Status PoolTables::put_right_datasets()
{
    TRY(make_default_dataset());
    for (size_t i = 0; i < m_datasets.size(); i++) {
        Seen& seen = m_datasets[i];
        Result<DatasetHead> decoded = DatasetHead::decode(seen.record);
        DatasetHead head = decoded.is_ok() ? decoded.value() : DatasetHead();
        bool has_name = decoded.is_ok();
        for (size_t other = 0; other < i && has_name && !head.is_destroying(); other++) {
            Result<DatasetHead> before = DatasetHead::decode(m_datasets[other].record);
            has_name = before.is_error() || before.value().is_destroying() || before.value().text() != head.text();
        }
        if (!has_name) {
            TextBuffer<k_pool_name_bytes> name;
            name.add("recovered-").add(seen.id);
            head.set_name(seen.id == k_default_dataset ? StringView("default") : StringView(name.text(), name.size()));
            m_context.findings.say("dataset ", seen.id, ": its name is malformed or another's; it is called ", name.text());
        }
        if (seen.id == k_default_dataset)
            head.flags &= ~k_dataset_destroying;
        if (head.partition && !m_context.has_partition(head.partition)) {
            m_context.findings.say("dataset ", seen.id, ": lives in partition ", head.partition, ", which is gone: in the default one now");
            head.partition = 0;
        }
        head.encode(seen.record);
    }
    return {};
}

// What must not be written over: the newest group, by its bitmaps or, where they are lost, by all that it reaches; and the group that is
// gone back to. As long as that is not committed the newest is the one that is opened, with its log. (That of the other: keep_logged.)
Status PoolTables::keep_all()
{
    const Uberblock& from = m_context.pool.uberblock();
    const Uberblock& newest = m_context.pool.newest();
    if (newest.txg == from.txg && TRY(m_context.room->keep_bitmaps()))
        return {};
    TRY(keep_group(m_context.pool, *m_context.room, from, false));
    return newest.txg == from.txg ? Status() : keep_group(m_context.pool, *m_context.room, newest, true);
}

Status PoolTables::read_rows()
{
    for (RepairContext::Row& row : m_context.rows)
        row.entry = DiskMetaslabEntry {};
    for (u16 i = 0; i < m_context.pool.vdevs().count(); i++) {
        const Vdev& vdev = m_context.pool.vdevs().vdev(VdevId(i));
        for (u32 metaslab = 0; metaslab < vdev.metaslab_count; metaslab++)
            m_context.row_of(vdev.id, metaslab)->entry.free_blocks.set(vdev.metaslab_blocks - 2 * bitmap_blocks(vdev.metaslab_blocks));
    }
    MetaslabTable table(*this);
    TRY(m_context.tables->walk(m_context.pool.uberblock().metaslab_table, { TreeKind::metaslabs, 0, 0 }, table));
    TRY(keep_all());
    if (m_rows != m_context.rows.size())
        m_context.findings.say("metaslab table: ", m_rows, " rows for ", u64(m_context.rows.size()),
                               " metaslabs; the others are made anew");
    return {};
}

// A ring that lies upon something else is given up: what that is has still to be seen, so the ring is first.
Status PoolTables::claim_ring()
{
    bool is_whole = m_ring.is_there();
    for (size_t i = 0; i < m_ring.segments().size() && is_whole; i++)
        is_whole = TRY(m_context.claims->take(m_ring.segments()[i]));
    if (is_whole && !m_has_active_ring)
        m_context.findings.say("intent log: the ring that it was in is none; what only the log held is lost");
    if (is_whole)
        return {};
    m_has_new_ring = true;
    m_context.findings.say("intent log: the pool has lost the ring for it; a new one is made, and what only the log held is lost");
    return {};
}

// Another attempt takes nothing twice.
Status PoolTables::take_logged(LogReader& reader)
{
    const Uberblock& uberblock = m_context.pool.uberblock();
    const LogTail tail { uberblock.log_generation, uberblock.log_tail, uberblock.log_sequence, uberblock.log_record };
    const Status read = reader.read(tail, uberblock.replayed());
    while (const LogRecordView* record = TRY(reader.next())) {
        const Status kept = claims_of(*record, [](void* context, const Dva& dva) {
            RepairContext& self = *static_cast<RepairContext*>(context);
            return self.pool.vdevs().is_valid(dva) ? self.room->keep(dva) : Status();
        }, &m_context);
        if (kept.error() == Error::no_memory)
            return Error::no_memory;
        // What the repair makes has to have other numbers than what the log will make again.
        const u64 object = object_made_by(*record);
        for (Seen& seen : m_datasets)
            if (seen.id == record->header.dataset.get() && object < k_most_object - 1 && object >= seen.record.next_object.get())
                seen.record.next_object.set(object + 1);
    }
    return Error(read.error());
}

// What operations that only the log has wrote to its place is in use, and nothing but the log says so. A log that is damaged is for
// who opens the pool to speak of. One that a device does not give now it may give another time, when it does not fit any more: it is
// tried again, and then somebody has to decide about it.
Status PoolTables::keep_logged()
{
    constexpr u32 k_attempts = 3;
    const LogRing& ring = m_active_ring.is_there() ? m_active_ring : m_ring;
    if (m_context.pool.uberblock().log_generation == 0 || m_has_new_ring || !m_has_active_ring)
        return {};
    Status status = Error::io_error;
    for (u32 i = 0; i < k_attempts && is_of_device(status.error()); i++) {
        Box<LogReader> reader = TRY(make_box<LogReader>(m_context.pool.vdevs(), ring, m_context.pool.label().header.pool_guid));
        status = take_logged(*reader);
    }
    if (status.error() == Error::no_memory)
        return Error::no_memory;
    m_context.lacks_log = is_of_device(status.error());
    if (m_context.lacks_log)
        m_context.findings.say("intent log: cannot be read: ", text_of(status.error()),
                               "; what the repair makes may be in the way of what only the log holds");
    return {};
}

Status PoolTables::read()
{
    const Uberblock& uberblock = m_context.pool.uberblock();
    PoolTree pool_tree(*this);
    TRY(m_context.tables->walk(uberblock.pool_tree, { TreeKind::pool, 0, 0 }, pool_tree));
    TRY(Status(m_context.failure));
    if (m_datasets.is_empty() && pool_tree.is_damaged())
        return Error::node_damaged;
    TRY(read_rows());
    TRY(put_right_datasets());
    TRY(claim_ring());
    TRY(keep_logged());
    Kept shares(*this);
    TRY(m_context.tables->walk(m_old_shares, { TreeKind::shares, 0, 0 }, shares));
    return m_context.failure;
}

// In as few runs as there are. The pool may be full, and the tables that are to be written need room as well.
Status PoolTables::make_ring()
{
    const u64 total = m_context.pool.allocator().counts().total_blocks;
    const u64 share = align_down(total * k_block_size / 16, k_min_log_ring_bytes);
    u64 left = blocks_for_bytes(min(k_max_repaired_ring_bytes, max(share, k_min_log_ring_bytes)));
    LogRing ring;
    while (left >= k_min_log_segment_blocks && ring.segments().size() < k_max_log_segments) {
        const Result<Dva> run = m_context.room->take_run(static_cast<u32>(min<u64>(left, 1u << 16)), k_min_log_segment_blocks);
        if (run.error() == Error::no_space && ring.is_there())
            break;
        if (run.is_error())
            return run.error();
        TRY(ring.add(m_context.pool.vdevs(), run.value()));
        left -= run.value().length_blocks;
    }
    Vector<u8> item;
    TRY(item.resize(ring.encoded_bytes()));
    const u32 bytes = ring.encode(item.span(), ring.members());
    const PoolTreeKey key(PoolKey::log, k_pool_ring);
    return m_context.tables_builder->add(key.bytes(), { item.begin(), bytes }).error();
}

Status PoolTables::write_partition_table()
{
    u64 next = m_next_partition;
    for (const u64 id : m_context.partitions)
        next = max(next, id + 1);
    for (const RepairContext::Row& row : m_context.rows)
        next = max(next, min(row.entry.partition.get(), k_most_partition_id - 1) + 1);
    if (m_context.partitions.is_empty() && m_next_partition == 0)
        return {};
    DiskPartitionTable table {};
    table.version.set(k_partition_version);
    table.next_id.set(max(next, k_default_partition.value() + 1));
    const PoolTreeKey key(PoolKey::partition, 0);
    return m_context.tables_builder->add(key.bytes(), bytes_of(table)).error();
}

Status PoolTables::write_pool_tree(Uberblock& next, const NodePointer& shares)
{
    NodeBuilder& builder = *m_context.tables_builder;
    builder.begin({ TreeKind::pool, 0, 0 });
    for (const Seen& seen : m_datasets) {
        const PoolTreeKey key(PoolKey::dataset, seen.id);
        TRY(builder.add(key.bytes(), bytes_of(seen.record)));
        next.next_dataset = max(next.next_dataset, seen.id + 1);
    }
    TRY(write_partition_table());
    const auto add_all = [&](const Items& items, bool but_first_ring) -> Status {
        size_t at = 0;
        for (const Items::Size& size : items.sizes) {
            const Bytes key { items.bytes.begin() + at, size.key }, value { items.bytes.begin() + at + size.key, size.value };
            at += size.key + size.value;
            const PoolTreeKey first(PoolKey::log, k_pool_ring);
            if (!but_first_ring || !equal(key, first.bytes()))
                TRY(builder.add(key, value));
        }
        return {};
    };
    TRY(add_all(m_partitions, false));
    if (m_has_new_ring)
        TRY(make_ring());
    TRY(add_all(m_rings, m_has_new_ring));
    if (!shares.is_null()) {
        DiskNodePointer disk;
        shares.encode(disk);
        const PoolTreeKey key(PoolKey::shares, 0);
        TRY(builder.add(key.bytes(), bytes_of(disk)));
    }
    next.pool_tree = TRY(builder.finish());
    return {};
}

Status PoolTables::write_rows(Uberblock& next)
{
    NodeBuilder& builder = *m_context.tables_builder;
    builder.begin({ TreeKind::metaslabs, 0, 0 });
    for (u16 i = 0; i < m_context.pool.vdevs().count(); i++) {
        for (u32 metaslab = 0; metaslab < m_context.pool.vdevs().vdev(VdevId(i)).metaslab_count; metaslab++) {
            RepairContext::Row& row = *m_context.row_of(VdevId(i), metaslab);
            const u16 mixed = row.has_foreign_data ? k_metaslab_is_mixed : row.entry.flags.get() & k_metaslab_is_mixed;
            row.entry.flags.set(static_cast<u16>(k_metaslab_is_stale | mixed));
            const BigEndianKey key(metaslab_key(i, metaslab));
            TRY(builder.add({ key.data(), 8 }, bytes_of(row.entry)));
        }
    }
    next.metaslab_table = TRY(builder.finish());
    return {};
}

Status PoolTables::write(Uberblock& next)
{
    const NodePointer shares = TRY(m_context.claims->build_share_table(*m_context.tables_builder));
    TRY(write_pool_tree(next, shares));
    TRY(write_rows(next));
    if (m_has_new_ring || !m_has_active_ring) {
        next.log_generation = next.log_tail = next.log_sequence = next.log_record = 0;
        next.log_ring = k_pool_ring;
    }
    next.total_blocks = m_context.pool.allocator().counts().total_blocks;
    next.used_blocks = min(next.used_blocks, next.total_blocks);
    return {};
}

}
