// SPDX-License-Identifier: GPL-2.0-only
// Dataset: objects in memory, loading, starting.
#include "core/dataset/dataset.h"

#include "core/base/format_text.h"

namespace lcpfs {

namespace {
constexpr u32 k_hash_buckets = 16384;
}

Dataset::Dataset(const DatasetHost& host, DatasetId id)
    : m_host(host), m_id(id), m_objects(host.trees, TreeOwner { TreeKind::objects, id.value(), 0 }, Must::succeed),
      m_orphans(host.trees, TreeOwner { TreeKind::orphans, id.value(), 0 }, Must::succeed)
{
}

Result<Box<Dataset>> Dataset::create(const DatasetHost& host, DatasetId id)
{
    void* memory = host_alloc(sizeof(Dataset), 0);
    if (!memory)
        return Error::no_memory;
    Box<Dataset> dataset(::new (memory) Dataset(host, id));
    dataset->m_buckets = static_cast<Object**>(host_alloc(k_hash_buckets * sizeof(Object*), HOST_ALLOC_ZERO));
    if (!dataset->m_buckets)
        return Error::no_memory;
    dataset->m_bucket_count = k_hash_buckets;
    host_random_bytes(&dataset->m_generation_seed, sizeof(dataset->m_generation_seed));
    return dataset;
}

Dataset::~Dataset()
{
    // After a failed sync objects are still listed.
    for (DirtyList& list : m_dirty)
        while (Object::DirtyEntry* entry = list.pop_front())
            entry->object->unreference();
    while (Object::DirtyEntry* entry = m_syncing.pop_front())
        entry->object->unreference();
    WrittenList* const lists[] = { &m_objects_written, &m_orphans_written };
    for (WrittenList* list : lists)
        while (Node* node = list->pop_front())
            node->unreference();
    host_free(m_buckets);
}

Result<Ref<Object>> Dataset::start_new(const DatasetHead& head, const DiskGuid& hash_seed)
{
    set_head(head);
    find_owner();
    m_hash_seed = hash_seed;
    m_next_object.store(k_root_object);
    Ref<Object> object = TRY(make(k_mode_directory));
    m_next_object.store(k_first_free_object);
    return object;
}

Status Dataset::fill_root(Object& object, TxgId txg, const ObjectAttributes& root)
{
    m_created_txg = txg.value();
    TRY(object.prepare_change(txg));
    object.m_attributes = root;
    object.m_attributes.links = 2;
    object.m_attributes.parent = k_root_object;
    return {};
}

// The last object must be below the next one to be given out, else that would be made over it. A table whose end cannot be
// read keeps nobody from the rest: its number is under the record's checksum.
Status Dataset::look_at_table()
{
    ReadGuard table(m_table_lock);
    m_shape = TRY(m_objects.shape());
    BigEndianKey key(~0ull);
    TreeCursor cursor;
    auto found = m_objects.seek_at_most({ key.data(), 8 }, cursor);
    if (found.is_error()) {
        if (found.error() == Error::no_memory)
            return found.error();
        TextLine line;
        line.add("the end of the object table of dataset ").add(m_id.value()).add(" cannot be read: ").add(text_of(found.error()));
        host_log(HOST_LOG_WARNING, line.text());
        return {};
    }
    VERIFY_DISK(found.value() && cursor.key().size() == 8 && cursor.number() < m_next_object.load(), dataset_damaged);
    return {};
}

Status Dataset::load(const DiskDataset& disk)
{
    // Of one that cannot be used the name tells which it is.
    DatasetHead named;
    copy_bytes(named.name, disk.name, sizeof(named.name) - 1);
    if (is_dataset_name(named.text()))
        m_head = named;
    auto objects = NodePointer::decode(disk.objects);
    auto orphans = NodePointer::decode(disk.orphans);
    VERIFY_DISK(objects.is_ok() && orphans.is_ok(), dataset_damaged);
    VERIFY_DISK(!objects.value().is_null() || (disk.flags.get() & k_dataset_destroying), dataset_damaged);
    VERIFY_DISK(disk.next_object.get() >= k_first_free_object && disk.next_object.get() >> 60 == 0, dataset_damaged);
    m_objects.start_from(objects.value());
    m_orphans.start_from(orphans.value());
    m_next_object.store(disk.next_object.get());
    m_object_count.store(disk.object_count.get());
    m_used_blocks.store(disk.used_blocks.get());
    m_created_txg = disk.created_txg.get();
    m_hash_seed = disk.hash_seed;
    set_head(TRY(DatasetHead::decode(disk)));
    find_owner();
    return look_at_table();
}

void Dataset::settle_ways()
{
    DataWays ways = m_head.ways;
    if (m_mount_ways.has_compression)
        ways.compression = m_mount_ways.ways.compression;
    if (m_mount_ways.has_checksum)
        ways.checksum = m_mount_ways.ways.checksum;
    if (ways.checksum == ChecksumKind::none)
        ways.checksum = m_host.data_checksum;
    m_ways.store(static_cast<u32>(ways.compression.encoding) | u32(ways.compression.level) << 8 | static_cast<u32>(ways.checksum) << 16);
}

// Of a partition that is not there (the group that made it is lost, or its entry is damaged) the data goes to the default one.
void Dataset::find_owner()
{
    const OwnerSlot slot = m_host.allocator.owners().find(PartitionId(m_head.partition));
    m_owner.store(slot == k_nobody ? k_default_owner.value() : slot.value());
}

Object* Dataset::find_locked(ObjectId id)
{
    for (Object* object = *bucket_of(id); object; object = object->m_hash_next)
        if (object->m_id == id && object->reference_unless_zero())
            return object;
    return nullptr;
}

Ref<Object> Dataset::find_in_memory(ObjectId id)
{
    SpinGuard guard(shard_of(id).m_lock);
    Object* object = find_locked(id);
    return object ? Ref<Object>::adopt(*object) : Ref<Object>();
}

Result<Ref<Object>> Dataset::get(ObjectId id)
{
    if (Ref<Object> found = find_in_memory(id))
        return found;
    auto loaded = load_object(id);
    if (loaded.is_error() && loaded.error() != Error::not_found && loaded.error() != Error::no_memory) {
        TextLine line;
        line.add("object ").add(id.value()).add(" of dataset ").add(m_id.value()).add(" cannot be loaded: ").add(text_of(loaded.error()));
        m_host.vdevs.log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
    }
    return loaded;
}

Result<Ref<Object>> Dataset::load_object(ObjectId id)
{
    ReadGuard table(m_table_lock);
    BigEndianKey key(id.value());
    TreeCursor cursor;
    if (!TRY(m_objects.find({ key.data(), 8 }, cursor))) {
        // It may have been made since the look in the hash, and synced, and be in use: look once more.
        if (Ref<Object> found = find_in_memory(id))
            return found;
        return Error::not_found;
    }
    ObjectAttributes attributes;
    RecordRoots roots;
    TRY(decode_record(cursor.value(), attributes, roots));
    Box<Object> box = TRY(make_box<Object>(*this, id, m_host.trees, roots.body.kind));
    TRY(box->start(attributes, roots));
    box->m_in_table = true;
    box->m_table_bytes = static_cast<u32>(cursor.value().size());
    cursor.reset();
    auto listed = m_orphans.find({ key.data(), 8 }, cursor);
    box->m_is_orphan = listed.is_ok() ? listed.value() : attributes.is_orphan();
    box->m_table_blocks = attributes.blocks;

    // The loser of a race goes after the lock.
    SpinGuard guard(shard_of(id).m_lock);
    if (Object* present = find_locked(id))
        return Ref<Object>::adopt(*present);
    Object* object = box.release();
    object->m_hash_next = *bucket_of(id);
    *bucket_of(id) = object;
    return Ref<Object>::adopt(*object);
}

Ref<Object> Dataset::add_to_hash(Box<Object> box)
{
    SpinGuard guard(shard_of(box->m_id).m_lock);
    Object* object = box.release();
    Object** bucket = bucket_of(object->m_id);
    object->m_hash_next = *bucket;
    *bucket = object;
    return Ref<Object>::adopt(*object);
}

Result<Ref<Object>> Dataset::make(u32 mode)
{
    ObjectId id(m_next_object.add(1) - 1);
    return add_to_hash(TRY(make_box<Object>(*this, id, m_host.trees, tree_kind_of(mode))));
}

Result<Ref<Object>> Dataset::make_again(u32 mode, ObjectId id)
{
    if (id.value() < k_first_free_object || id.value() >> 60)
        return Error::invalid;
    auto present = get(id);
    if (present.is_ok())
        return Error::exists;
    if (present.error() != Error::not_found)
        return present.error();
    m_next_object.store(max(m_next_object.load(), id.value() + 1));
    return add_to_hash(TRY(make_box<Object>(*this, id, m_host.trees, tree_kind_of(mode))));
}

void Dataset::drop(Object& object)
{
    {
        SpinGuard guard(shard_of(object.m_id).m_lock);
        Object** link = bucket_of(object.m_id);
        while (*link && *link != &object)
            link = &(*link)->m_hash_next;
        if (*link)
            *link = object.m_hash_next;
    }
    Box<Object> gone(&object);
}

void Dataset::add_dirty(Object& object, TxgId txg, bool is_new)
{
    object.reference();
    m_host.space.object_dirtied(txg, is_new);
    Object::DirtyEntry& entry = object.m_dirty[txg.value() & 3];
    entry.is_new = is_new;
    SpinGuard guard(m_dirty_lock);
    if (m_dirty[txg.value() & 3].is_empty())
        m_host.space.dataset_dirtied(txg);
    m_dirty[txg.value() & 3].push_back(entry);
}

// Counts as an object, though it takes less: the record's leaf of the pool tree.
void Dataset::touch(TxgId txg)
{
    if (m_touched[txg.value() & 3].exchange(1) == 0)
        m_host.space.object_dirtied(txg, false);
}

bool Dataset::take_touch(TxgId txg)
{
    if (m_touched[txg.value() & 3].exchange(0) == 0)
        return false;
    m_host.space.object_entered(txg, false);
    return true;
}

u64 Dataset::generation_for(ObjectId id) const
{
    const u64 number = id.value();
    const u64 mixed = host_xxh64(&number, sizeof(number), m_generation_seed) >> 32;
    return mixed ? mixed : 1;
}

Result<bool> Dataset::next_orphan(ObjectId from, ObjectId& found)
{
    ReadGuard table(m_table_lock);
    return next_key(m_orphans, from, found);
}

Result<bool> Dataset::next_object(ObjectId from, ObjectId& found)
{
    ReadGuard table(m_table_lock);
    return next_key(m_objects, from, found);
}

Result<bool> Dataset::next_key(Tree& tree, ObjectId from, ObjectId& found)
{
    BigEndianKey key(from.value());
    TreeCursor cursor;
    if (!TRY(tree.seek({ key.data(), 8 }, cursor)))
        return false;
    VERIFY_DISK(cursor.key().size() == 8, dataset_damaged);
    found = ObjectId(cursor.number());
    return true;
}

}
