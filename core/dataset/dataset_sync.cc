// SPDX-License-Identifier: GPL-2.0-only
// Dataset: what a commit does to it.
#include "core/dataset/dataset.h"

namespace lcpfs {

// Objects in a row before others get their turn at the processor.
constexpr u32 k_at_once = 8;

static_assert(8 + k_max_record_bytes <= max_item_bytes(k_min_node_bytes), "a record is an item of the object table");

Status Dataset::update_orphans(Object& object, TxgId txg, bool is_orphan)
{
    if (is_orphan == object.m_is_orphan)
        return {};
    BigEndianKey id(object.m_id.value());
    Bytes key { id.data(), 8 };
    WriteGuard table(m_table_lock);
    if (is_orphan) {
        u8 mark = 1;
        TRY(m_orphans.prepare_insert(txg, key, 1));
        (void)m_orphans.insert(key, { &mark, 1 });
    } else {
        TRY(m_orphans.prepare_change(txg, key));
        (void)m_orphans.remove(txg, key);
    }
    object.m_is_orphan = is_orphan;
    return {};
}

// The sums in the dataset's record. What damaged records add up to may be less than what goes: no less than nothing is left.
void Dataset::count_object(int more, Object& object, u64 blocks)
{
    const u64 objects = m_object_count.load();
    m_object_count.store(more < 0 && objects == 0 ? 0 : objects + static_cast<u64>(i64(more)));
    const u64 used = m_used_blocks.load() + blocks;
    m_used_blocks.store(used > object.m_table_blocks ? used - object.m_table_blocks : 0);
    object.m_table_blocks = blocks;
}

// What the record says of a tree; the items of one that stands in it go into `room`.
RecordRoot Dataset::record_root(TreeKind kind, const TreeVersion& version, const NodePointer& pointer, MutableBytes room)
{
    RecordRoot root;
    root.kind = kind;
    if (!pointer.is_null()) {
        root.form = RootForm::node;
        root.pointer = pointer;
    } else if (version.root && version.root->page().count() > 0) {
        root.form = RootForm::inlined;
        root.items = Bytes(room.data(), TreeWriter::encode_inline(version, room));
    }
    return root;
}

Status Dataset::update_table(Object& object, TxgId txg, const ObjectVersion& version, const WrittenRoots& written)
{
    BigEndianKey id(object.m_id.value());
    Bytes key { id.data(), 8 };
    if (version.deleted) {
        if (!object.m_in_table)
            return {};
        WriteGuard table(m_table_lock);
        TRY(m_objects.prepare_change(txg, key));
        count_object(m_objects.remove(txg, key) ? -1 : 0, object, 0);
        object.m_in_table = false;
        return {};
    }
    u8* const buffer = m_host.record_buffer;
    RecordRoots roots;
    roots.body = record_root(tree_kind_of(version.attributes.mode), version.tree, written.body,
                             { buffer + k_record_body_offset, k_inline_root_bytes });
    roots.xattrs = record_root(TreeKind::xattrs, version.xattrs, written.xattrs,
                               { buffer + k_record_xattr_offset, k_inline_xattr_bytes });
    u32 bytes = encode_record(version.attributes, roots, { buffer, k_max_record_bytes });
    WriteGuard table(m_table_lock);
    // A record of the same size needs no room, so no split of a leaf that is full.
    if (object.m_in_table && object.m_table_bytes == bytes) {
        TRY(m_objects.prepare_update(txg, key));
        if (!m_objects.update(key, { m_host.record_buffer, bytes }))
            return Error::contradiction;
        count_object(0, object, version.attributes.blocks);
    } else {
        TRY(m_objects.prepare_insert(txg, key, bytes));
        count_object(m_objects.insert(key, { m_host.record_buffer, bytes }) ? 1 : 0, object, version.attributes.blocks);
    }
    object.m_in_table = true;
    object.m_table_bytes = bytes;
    return {};
}

// m_tree is used without its lock here: free_dead works on the list of a closed group, owner() never changes.
Status Dataset::sync_object(Object& object, TxgId txg, TreeWriter& writer) NO_THREAD_SAFETY_ANALYSIS
{
    ObjectVersion version = object.take_version(txg);
    WrittenRoots roots;
    roots.body = TRY(writer.write(version.tree, k_inline_root_bytes, object.m_written));
    TRY(object.m_tree.free_dead(txg));
    if (version.xattrs_of) {
        roots.xattrs = TRY(writer.write(version.xattrs, k_inline_xattr_bytes, version.xattrs_of->written));
        TRY(version.xattrs_of->tree.free_dead(txg));
    }
    TRY(update_table(object, txg, version, roots));
    return update_orphans(object, txg, !version.deleted && version.attributes.is_orphan());
}

Status Dataset::sync(TxgId txg, TreeWriter& writer, DiskDataset& record, bool& changed, bool& ends)
{
    DirtyList& dirty = m_dirty[txg.value() & 3];
    const bool has_objects = !dirty.is_empty();
    const bool was_touched = take_touch(txg);
    changed = has_objects || was_touched;
    for (u32 count = 1; Object::DirtyEntry* entry = dirty.pop_front(); count++) {
        m_syncing.push_back(*entry);
        TRY(sync_object(*entry->object, txg, writer));
        m_host.space.object_entered(txg, entry->is_new);
        if (count % k_at_once == 0)
            host_yield();
    }
    if (has_objects)
        m_host.space.dataset_entered(txg);
    if (changed)
        TRY(write_tables(txg, writer, record));
    ends = m_ends = changed && (record.flags.get() & k_dataset_destroying) && m_objects.is_empty() && m_orphans.is_empty();
    return {};
}

// What a damaged orphan tree lists beyond the objects that there were.
Status Dataset::drop_orphan_list(TxgId txg)
{
    WriteGuard table(m_table_lock);
    TreeCursor cursor;
    const u8 lowest[1] = { 0 };
    while (TRY(m_orphans.seek({ lowest, 1 }, cursor))) {
        u8 key[k_max_key_bytes];
        const u32 bytes = static_cast<u32>(cursor.key().size());
        copy_bytes(key, cursor.key().data(), bytes);
        cursor.reset();
        TRY(m_orphans.prepare_change(txg, { key, bytes }));
        if (!m_orphans.remove(txg, { key, bytes }))
            return Error::contradiction;
    }
    return {};
}

Status Dataset::write_tables(TxgId txg, TreeWriter& writer, DiskDataset& record)
{
    DatasetHead head;
    {
        ReadGuard heads(*m_host.head_lock);
        head = m_head;
    }
    // What cannot be read of it keeps the dataset, not the group.
    if (head.is_destroying() && m_objects.is_empty() && drop_orphan_list(txg).is_error())
        host_log(HOST_LOG_WARNING, "a dataset being destroyed has an orphan tree that cannot be read; it stays");
    TreeVersion objects;
    TreeVersion orphans;
    {
        ReadGuard table(m_table_lock);
        objects = m_objects.version();
        orphans = m_orphans.version();
        m_shape = TRY(m_objects.shape());
    }
    NodePointer objects_root = TRY(writer.write(objects, 0, m_objects_written));
    NodePointer orphans_root = TRY(writer.write(orphans, 0, m_orphans_written));
    TRY(m_objects.free_dead(txg));
    TRY(m_orphans.free_dead(txg));
    describe(record, head);
    objects_root.encode(record.objects);
    orphans_root.encode(record.orphans);
    return {};
}

void Dataset::describe(DiskDataset& record, const DatasetHead& head) const
{
    zero_bytes(&record, sizeof(record));
    m_objects.version().pointer.encode(record.objects);
    m_orphans.version().pointer.encode(record.orphans);
    record.next_object.set(m_next_object.load());
    record.object_count.set(m_object_count.load());
    record.used_blocks.set(m_used_blocks.load());
    record.created_txg.set(m_created_txg);
    record.hash_seed = m_hash_seed;
    head.encode(record);
}

void Dataset::settle(TxgId)
{
    for (u32 count = 1; Object::DirtyEntry* entry = m_syncing.pop_front(); count++) {
        Object& object = *entry->object;
        {
            WriteGuard guard(object.m_lock);
            object.m_tree.settle(object.m_written);
            if (object.m_xattrs)
                object.m_xattrs->tree.settle(object.m_xattrs->written);
        }
        object.unreference();
        if (count % k_at_once == 0)
            host_yield();
    }
    WriteGuard table(m_table_lock);
    m_objects.settle(m_objects_written);
    m_orphans.settle(m_orphans_written);
    if (m_ends)
        m_is_gone.store(1);
}

}
