// SPDX-License-Identifier: GPL-2.0-only
// Pool: from devices to a running pool.
#include "core/base/format_text.h"
#include "core/pool/pool.h"

namespace lcpfs {

namespace {

bool same_guid(const DiskGuid& a, const DiskGuid& b) { return compare_bytes(a.bytes, b.bytes, sizeof(a.bytes)) == 0; }

void refuse(host_bdev* bdev, Error error, const char* what)
{
    TextLine line;
    line.add("cannot open pool: ");
    if (bdev)
        line.add(host_bdev_name(bdev)).add(": ");
    line.add(what ? what : text_of(error));
    host_log(HOST_LOG_FATAL, line.text());
}

// Of the device that the pool was found by.
FrontRings* early_rings(Span<host_bdev* const> bdevs, const core_pool_options& options)
{
    for (size_t i = 0; options.labels && i < bdevs.size(); i++) {
        FoundLabel* const found = reinterpret_cast<FoundLabel*>(options.labels[i]);
        if (found && found->rings)
            return found->rings.get();
    }
    return nullptr;
}

}

// The table of the one has the device of the other where that says it is.
static bool knows(const Label& label, const Label& other)
{
    return same_guid(label.vdevs.entries[other.header.vdev_index.get()].guid, other.header.vdev_guid);
}

// One device's label, as a part of the pool: a vdev of it, or another path to one that is there already.
Status Pool::assemble_one(host_bdev* bdev, const FoundLabel* found, bool read_only, Vector<Box<Vdev>>& vdevs,
                          Vector<PathCandidate>& candidates)
{
    u64 in_all = 0;
    Box<Label> label;
    if (found) {
        label = TRY(make_box<Label>());
        copy_bytes(label.get(), found->label.get(), sizeof(Label));
        in_all = found->in_all;
    } else {
        auto read = read_label(bdev, &in_all);
        if (read.is_error()) {
            refuse(bdev, read.error(), nullptr);
            return read.error();
        }
        label = read.release_value();
    }
    const DiskLabelHeader& header = label->header;
    if (!m_label) {
        TRY(vdevs.resize(header.vdev_count.get()));
    } else if (!same_guid(header.pool_guid, m_label->header.pool_guid) || header.vdev_count.get() != vdevs.size()) {
        refuse(bdev, Error::device_foreign, nullptr);
        return Error::device_foreign;
    }
    const u16 index = header.vdev_index.get();
    // A pool made again with the same UUID has other devices, and one that the former had may come back.
    if (m_label && !knows(*m_label, *label) && !knows(*label, *m_label)) {
        refuse(bdev, Error::device_foreign, nullptr);
        return Error::device_foreign;
    }
    if (vdevs[index])
        return candidates.push_back({ VdevId(index), bdev });
    const DiskVdevEntry& entry = label->vdevs.entries[index];
    Box<Vdev> vdev = TRY(make_box<Vdev>());
    vdev->id = VdevId(index);
    vdev->guid = header.vdev_guid;
    vdev->role = static_cast<VdevRole>(entry.role);
    vdev->bdev = bdev;
    host_bdev_get_info(bdev, &vdev->info);
    vdev->capacity_blocks = entry.capacity_blocks.get();
    vdev->metaslab_blocks = entry.metaslab_blocks.get();
    vdev->metaslab_count = entry.metaslab_count.get();
    if (!read_only && vdev->info.read_only) {
        refuse(bdev, Error::read_only, "the device is read-only; mount with -o ro");
        return Error::read_only;
    }
    if (vdev->role != VdevRole::log)
        m_features_written &= in_all;
    vdevs[index] = lcpfs::move(vdev);
    if (!m_label) {
        m_label = lcpfs::move(label);
        return {};
    }
    // A feature that came into use later stands in the labels of data devices (pool_features.cc), a log device's may lack it. Whichever
    // device is named first, the pool has the same ones.
    m_label->header.incompat.set(m_label->header.incompat.get() | header.incompat.get());
    m_label->header.ro_compat.set(m_label->header.ro_compat.get() | header.ro_compat.get());
    return {};
}

// Labels of all devices; every device of the pool there at least once, none of another.
Status Pool::assemble(Span<host_bdev* const> bdevs, bool read_only, core_labels* const* labels)
{
    if (bdevs.is_empty() || bdevs.size() > k_max_vdevs * k_max_paths)
        return Error::too_many_devices;
    Vector<Box<Vdev>> vdevs;
    Vector<PathCandidate> candidates;
    for (size_t i = 0; i < bdevs.size(); i++)
        TRY(assemble_one(bdevs[i], reinterpret_cast<const FoundLabel*>(labels ? labels[i] : nullptr), read_only, vdevs, candidates));
    copy_bytes(m_name, m_label->header.name, sizeof(m_name) - 1);
    for (size_t index = 0; index < vdevs.size(); index++) {
        if (vdevs[index])
            continue;
        const DiskVdevEntry& entry = m_label->vdevs.entries[index];
        if (entry.role == static_cast<u8>(VdevRole::log)) { // whether it is missed will be seen
            Box<Vdev> absent = TRY(make_box<Vdev>());
            absent->id = VdevId(static_cast<u16>(index));
            absent->guid = entry.guid;
            absent->role = VdevRole::log;
            absent->capacity_blocks = entry.capacity_blocks.get();
            vdevs[index] = lcpfs::move(absent);
            continue;
        }
        TextLine line;
        line.add("pool ").add(m_name).add(": device ").add(u64(index)).add(" of ").add(u64(vdevs.size())).add(" (guid ");
        line.add_hex({ entry.guid.bytes, 16 });
        line.add(") is missing; name it with -o device= or register it with lcpfs scan");
        refuse(nullptr, Error::device_missing, line.text());
        return Error::device_missing;
    }
    if (!read_only && (m_label->header.ro_compat.get() & ~k_known_ro_compat)) {
        TextLine line;
        line.add("pool ").add(m_name).add(" has features this version can only read; mount with -o ro");
        refuse(nullptr, Error::feature_unknown, line.text());
        return Error::feature_unknown;
    }
    m_vdevs = TRY(VdevSet::create(lcpfs::move(vdevs), m_label->header.pool_guid));
    m_vdevs->set_pool_name(m_name);
    for (const PathCandidate& candidate : candidates)
        TRY(add_path_at_opening(candidate, read_only));
    return {};
}

// A second device with one identity is a path or a copy, and which of two copies is the pool nobody can say.
Status Pool::add_path_at_opening(const PathCandidate& candidate, bool read_only)
{
    if (read_only) {
        // The proof takes a write. Without it a path is not used, but what differs is no path for certain.
        const bool is_same = TRY(have_same_front(m_vdevs->vdev(candidate.vdev).bdev, candidate.bdev));
        if (!is_same) {
            refuse(candidate.bdev, Error::device_duplicate,
                   "it has the identity of a device already given and other contents: a copied disk");
            return Error::device_duplicate;
        }
        TextLine line;
        line.add(host_bdev_name(candidate.bdev)).add(" is not used: a read-only pool takes one path to each device");
        log(HOST_LOG_INFO, StringView(line.text(), line.size()));
        return {};
    }
    const auto added = m_vdevs->paths().add_path(TargetId(candidate.vdev.value()), candidate.bdev, 0);
    if (added.is_error()) {
        refuse(candidate.bdev, added.error(), nullptr);
        return added.error();
    }
    return {};
}

Status Pool::start_layers(u64 cache_limit_bytes, u64 dirty_limit_bytes)
{
    TRY(start_cache(cache_limit_bytes));
    TRY(start_trees());
    TRY(start_requests());
    return start_space(dirty_limit_bytes);
}

Status Pool::start_cache(u64 limit_bytes)
{
    m_cache = TRY(NodeCache::create(*m_vdevs, 1u << m_label->header.node_shift, limit_bytes ? limit_bytes : host_memory_bytes() / 4));
    return {};
}

Status Pool::start_trees()
{
    const DiskLabelHeader& header = m_label->header;
    m_allocator = TRY(Allocator::create(*m_vdevs, header.pool_guid, (1u << header.node_shift) / k_block_size));
    m_trees = TRY(make_box<TreeContext>(*m_cache, *m_allocator, u32(header.metadata_copies),
        static_cast<ChecksumKind>(header.node_checksum)));
    m_space_log = TRY(SpaceLog::create());
    m_engine = TRY(TxgEngine::create({ sync_hook, full_hook, this }));
    m_pool_tree = TRY(make_box<Tree>(*m_trees, TreeOwner { TreeKind::pool, 0, 0 }, Must::succeed));
    m_metaslab_table = TRY(make_box<Tree>(*m_trees, TreeOwner { TreeKind::metaslabs, 0, 0 }, Must::succeed));
    m_share_table = TRY(make_box<ShareTable>(*m_trees));
    return {};
}

Status Pool::start_space(u64 dirty_limit_bytes)
{
    const DiskLabelHeader& header = m_label->header;
    m_space = TRY(make_box<Space>(*m_allocator, *m_trees, *m_engine, *m_space_log,
        dirty_limit_bytes ? dirty_limit_bytes : min<u64>(host_memory_bytes() / 16, 256ull << 20)));
    m_log = TRY(IntentLog::create(*m_vdevs, *m_engine, header.pool_guid, { log_failed, this }));
    m_delayed_writes = TRY(DelayedWrites::create(*m_vdevs, min<u64>(host_memory_bytes() / 32, 96ull << 20)));
    m_space->set_kept([](void* self, u32 times) { return static_cast<Pool*>(self)->is_log_beyond(times); }, this);
    DatasetHost host { this, *m_trees, *m_engine, *m_space, *m_space_log, *m_allocator, *m_vdevs, data_checksum() };
    m_datasets = TRY(Datasets::create(host));
    m_partitions = TRY(Partitions::create(*m_allocator, *m_space, *m_engine, *m_datasets));
    return {};
}

Status Pool::load_metaslabs()
{
    m_metaslab_table->start_from(m_uberblock.metaslab_table);
    ReadGuard guard(m_metaslab_lock);
    TreeCursor cursor;
    for (size_t v = 0; v < m_vdevs->count(); v++) {
        VdevId id(static_cast<u16>(v));
        for (u32 m = 0; m < m_vdevs->vdev(id).metaslab_count; m++) {
            BigEndianKey key(metaslab_key(id.value(), m));
            bool found = m == 0 ? TRY(m_metaslab_table->find({ key.data(), 8 }, cursor)) : TRY(m_metaslab_table->next(cursor));
            VERIFY_DISK(found && cursor.key().size() == 8 && cursor.number() == key.get(), metaslab_entry_damaged);
            VERIFY_DISK(cursor.value().size() == sizeof(DiskMetaslabEntry), metaslab_entry_damaged);
            DiskMetaslabEntry entry;
            copy_bytes(&entry, cursor.value().data(), sizeof(entry));
            TRY(m_allocator->load_entry(id, m, entry));
            if (entry.flags.get() & k_metaslab_is_stale)
                m_stale_bitmaps.store(1);
        }
    }
    return {};
}

// What the newest group freed is still reached by the one before it, which a damaged uberblock would bring back.
Status Pool::protect_previous()
{
    if (m_previous.txg.value() == 0)
        return {};
    const NodePointer& before = m_previous.metaslab_table;
    if (before.dva[0] == m_uberblock.metaslab_table.dva[0] && before.birth == m_uberblock.metaslab_table.birth)
        return {}; // the newest has written no row
    const Status status = protect_rows_of(m_previous);
    if (status.error() == Error::no_memory)
        return status.error();
    if (status.is_error())
        log(HOST_LOG_WARNING,
            "the group before the newest cannot be read whole; there is nothing to fall back to until two commits from now");
    return {};
}

Status Pool::protect_rows_of(const Uberblock& previous)
{
    Box<Tree> table = TRY(make_box<Tree>(*m_trees, TreeOwner { TreeKind::metaslabs, 0, 0 }, Must::may_fail));
    table->start_from(previous.metaslab_table);
    TreeCursor cursor;
    BigEndianKey first(0);
    bool found = TRY(table->seek({ first.data(), 8 }, cursor));
    while (found) {
        VERIFY_DISK(cursor.key().size() == 8 && cursor.value().size() == sizeof(DiskMetaslabEntry), metaslab_entry_damaged);
        DiskMetaslabEntry entry;
        copy_bytes(&entry, cursor.value().data(), sizeof(entry));
        VdevId vdev(static_cast<u16>(cursor.number() >> 32));
        u32 metaslab = static_cast<u32>(cursor.number());
        VERIFY_DISK(vdev.value() < m_vdevs->count() && metaslab < m_vdevs->vdev(vdev).metaslab_count, metaslab_entry_damaged);
        DiskMetaslabEntry newest = m_allocator->entry(vdev, metaslab);
        if (newest.txg.get() != entry.txg.get() && !(newest.flags.get() & k_metaslab_is_stale)) {
            const Status loaded = m_allocator->load(vdev, metaslab);
            if (loaded.error() == Error::no_memory)
                return loaded.error();
            if (loaded.is_error()) { // the newest group's own
                m_damaged_bitmaps.store(1);
                return load_bitmaps();
            }
            TRY(m_allocator->protect_previous(vdev, metaslab, entry, m_uberblock.txg));
        }
        found = TRY(table->next(cursor));
    }
    return {};
}

Status Pool::load_partitions()
{
    ReadGuard guard(m_pool_tree_lock);
    return m_partitions->load(*m_pool_tree, *m_vdevs);
}

// The first has to be there and whole; of the others each for itself.
Status Pool::load_datasets()
{
    struct Entry {
        DatasetId id {};
        DiskDataset record {};
    };
    Vector<Entry> entries;
    {
        ReadGuard guard(m_pool_tree_lock);
        TreeCursor cursor;
        bool found = TRY(m_pool_tree->find(PoolTreeKey(PoolKey::dataset, k_default_dataset).bytes(), cursor));
        VERIFY_DISK(found, dataset_damaged);
        while (found && cursor.key()[0] == static_cast<u8>(PoolKey::dataset)) {
            VERIFY_DISK(cursor.key().size() == 9 && cursor.value().size() == sizeof(DiskDataset), dataset_damaged);
            BigEndianKey id;
            copy_bytes(&id, cursor.key().data() + 1, 8);
            TRY(entries.resize(entries.size() + 1));
            entries.last().id = DatasetId(id.get());
            copy_bytes(&entries.last().record, cursor.value().data(), sizeof(DiskDataset));
            found = TRY(m_pool_tree->next(cursor));
        }
    }
    VERIFY_DISK(m_uberblock.next_dataset >> 60 == 0, dataset_damaged);
    m_datasets->set_next_id(m_uberblock.next_dataset);
    for (const Entry& entry : entries) {
        TRY(m_datasets->load(entry.id, entry.record));
        Error damage = Error::none;
        {
            ReadGuard guard(m_datasets->lock());
            if (const Dataset* dataset = m_datasets->find(entry.id))
                damage = dataset->damage();
        }
        if (damage == Error::none)
            continue;
        TextLine line;
        line.add("dataset ").add(entry.id.value()).add(" cannot be used: ").add(text_of(damage)).add("; the others can");
        log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
    }
    m_space->set_table_shape(m_datasets->table_shape());
    return m_partitions->start();
}

// A root that cannot be read is found out here, and not by the first group that needs it.
Status Pool::load_share_table()
{
    {
        ReadGuard guard(m_pool_tree_lock);
        TreeCursor cursor;
        if (!TRY(m_pool_tree->find(PoolTreeKey(PoolKey::shares, 0).bytes(), cursor)))
            return {};
        VERIFY_DISK(cursor.value().size() == sizeof(DiskNodePointer), share_damaged);
        DiskNodePointer disk;
        copy_bytes(&disk, cursor.value().data(), sizeof(disk));
        m_share_table->start_from(TRY(NodePointer::decode(disk)));
    }
    const Result<TreeShape> shape = m_share_table->shape();
    if (shape.error() == Error::no_memory)
        return shape.error();
    if (shape.is_error()) { // files can be read without it, and what cannot be changed takes no space
        TextLine line;
        line.add("the share table cannot be read (").add(text_of(shape.error()));
        line.add("): what files share stays in use when they let go of it, and nothing can be cloned");
        log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
        return {};
    }
    m_space->set_share_shape(shape.value());
    return {};
}

// After falling back, or when the newest group's bitmap of a metaslab that it changed is not there: every bitmap, since they may
// be those of a group that is gone.
Status Pool::load_bitmaps()
{
    const Status loaded = m_allocator->load_all();
    if (loaded.error() == Error::no_memory)
        return loaded.error();
    if (loaded.is_error()) {
        log(HOST_LOG_WARNING, "bitmaps are gone; they have to be rebuilt from what is in use");
        m_lost_bitmaps.store(1);
    }
    return {};
}

// An older group, or the newest of a pool that somebody else goes on changing: of what is not a tree only bitmaps that still fit count.
Status Pool::load_group(const UberblockScan& scan, const core_pool_options& options)
{
    const Uberblock* wanted = nullptr;
    for (const Uberblock& uberblock : scan.found)
        if (uberblock.txg.value() == options.group)
            wanted = &uberblock;
    VERIFY_DISK(wanted && options.read_only && options.no_recovery, no_uberblock);
    m_uberblock = *wanted;
    m_pool_tree->start_from(m_uberblock.pool_tree);
    TRY(load_partitions());
    TRY(load_metaslabs());
    TRY(load_datasets());
    TRY(load_share_table());
    return load_log(options);
}

Status Pool::load(UberblockScan& scan, NodeCache::Ahead& ahead, const core_pool_options& options)
{
    if (options.group) {
        TRY(start_space(options.dirty_limit_bytes));
        return load_group(scan, options);
    }
    m_uberblock = scan.found[0];
    if (const Uberblock* previous = scan.previous_of(m_uberblock))
        m_previous = *previous;
    m_pool_tree->start_from(m_uberblock.pool_tree);
    start_roots_ahead(ahead, m_uberblock); // unless they are here already
    ahead.finish();
    start_tables_ahead(ahead);
    TRY(start_space(options.dirty_limit_bytes));
    ahead.finish();
    start_edges_ahead(ahead);
    TRY(load_partitions());
    TRY(load_metaslabs());
    ahead.finish();
    read_edges_ahead();
    TRY(load_datasets());
    TRY(load_share_table());
    TRY(load_log(options));
    if (scan.newer_damaged) {
        TextLine line;
        line.add("the uberblocks of transaction group ").add(scan.newer_damaged);
        line.add(" are damaged or cannot be read; going back to group ").add(m_uberblock.txg.value());
        log(HOST_LOG_WARNING, StringView(line.text(), line.size()));
        TRY(load_bitmaps());
    }
    return has_lost_bitmaps() ? Status() : protect_previous();
}

Status Pool::end_rebuild(bool is_whole)
{
    m_allocator->end_rebuild(is_whole);
    if (!is_whole)
        return {};
    m_lost_bitmaps.store(0);
    m_stale_bitmaps.store(0);
    return protect_previous();
}

Result<Box<Pool>> Pool::open(Span<host_bdev* const> bdevs, const core_pool_options& options)
{
    void* memory = host_alloc(sizeof(Pool), 0);
    if (!memory)
        return Error::no_memory;
    Box<Pool> pool(::new (memory) Pool());
    TRY(pool->assemble(bdevs, options.read_only, options.labels));
    const auto depth = options.group ? UberblockReader::Depth::whole : UberblockReader::Depth::as_needed;
    UberblockReader reader(*pool->m_vdevs, pool->m_label->header.pool_guid, depth);
    TRY(reader.start(early_rings(bdevs, options)));
    TRY(pool->start_cache(options.cache_limit_bytes)); // while labels and rings are read
    TRY(pool->start_requests());
    TRY(reader.look());
    Box<NodeCache::Ahead> ahead = TRY(make_box<NodeCache::Ahead>(*pool->m_cache));
    if (const Uberblock* likely = reader.likely())
        start_roots_ahead(*ahead, *likely);
    TRY(pool->start_trees()); // while the roots are
    auto scanned = reader.finish();
    if (scanned.is_error()) {
        refuse(bdevs[0], scanned.error(), nullptr);
        return scanned.error();
    }
    UberblockScan scan = scanned.release_value();
    ahead->finish();
    pool->m_read_only.store(options.read_only);
    pool->m_errors.store(static_cast<u8>(options.errors));
    pool->m_discards.store(options.discard);
    pool->m_allocator->set_tolerant(options.errors == CORE_ERRORS_CONTINUE);
    pool->m_opened_ns = host_monotonic_ns();
    pool->m_interval_ns.store(u64(options.txg_interval_ms ? options.txg_interval_ms : 5000) * 1000000);
    pool->m_notify = options.notify;
    pool->m_notify_context = options.notify_context;
    pool->m_vdevs->events().set_listener(options.logged, options.notify_context);
    pool->m_cache->set_repair(!options.read_only);
    Status loaded = pool->load(scan, *ahead, options);
    if (loaded.error() == Error::device_missing) // said already
        return loaded.error();
    if (loaded.is_error()) {
        TextLine line;
        line.add("transaction group ").add(scan.found[0].txg.value()).add(" cannot be read: ").add(text_of(loaded.error()));
        refuse(bdevs[0], loaded.error(), line.text());
        return loaded.error();
    }
    const TxgId committed = scan.number_to_go_on_from();
    pool->m_engine->set_committed(committed);
    pool->m_fell_back = scan.newer_damaged || committed != pool->m_uberblock.txg;
    pool->m_found = lcpfs::move(scan.found);
    return pool;
}

Result<Box<Pool>> Pool::open_bare(Span<host_bdev* const> bdevs, TxgId group)
{
    void* memory = host_alloc(sizeof(Pool), 0);
    if (!memory)
        return Error::no_memory;
    Box<Pool> pool(::new (memory) Pool());
    TRY(pool->assemble(bdevs, false));
    UberblockScan scan = TRY(scan_uberblocks(*pool->m_vdevs, pool->m_label->header.pool_guid));
    TRY(pool->start_layers(0, 0));
    const Uberblock* wanted = group.value() ? nullptr : &scan.found[0];
    for (const Uberblock& uberblock : scan.found)
        if (uberblock.txg == group)
            wanted = &uberblock;
    if (!wanted)
        return Error::no_uberblock;
    pool->m_uberblock = *wanted;
    pool->m_newest = scan.found[0];
    pool->m_engine->set_committed(scan.number_to_go_on_from());
    pool->m_found = lcpfs::move(scan.found);
    TRY(pool->reserve());
    return pool;
}

Status Pool::commit_repaired(const Uberblock& next)
{
    TRY(m_vdevs->flush_written());
    return m_uberblock_writer->write(next);
}

Status Pool::reserve()
{
    if (!m_uberblock_writer) {
        m_uberblock_writer = TRY(UberblockWriter::create(*m_vdevs, m_label->header.pool_guid, m_found.span()));
        m_found.clear();
    }
    TRY(m_vdevs->reserve());
    TRY(m_allocator->reserve());
    TRY(m_cache->reserve());
    TRY(m_space_log->reserve());
    TRY(m_datasets->reserve());
    TRY(m_log->reserve());
    struct Reserve {
        host_pool* pool;
        u32 objects;
    };
    const Reserve reserves[] = { { m_requests.small_reads, 16 }, { m_requests.large_reads, 4 }, { m_requests.writes, 16 },
                                 { m_requests.scratch, 16 }, { m_requests.pages, 4 } };
    for (const Reserve& wanted : reserves)
        if (!host_pool_reserve(wanted.pool, wanted.objects))
            return Error::no_memory;
    return {};
}

// Of one that was closed in order the first group would say no more than that the log is in use, and with the log on a log device
// which of those are there.
bool Pool::can_wait() const
{
    if (m_uberblock.log_generation || m_fell_back || has_lost_bitmaps() || has_stale_bitmaps() || had_damaged_bitmaps())
        return false;
    if (!m_log->ring(k_pool_ring).is_there() || m_log->ring(k_device_ring).is_there() || lacks_log_device())
        return false;
    ReadGuard list(m_datasets->lock());
    for (Dataset* dataset = m_datasets->next(DatasetId(0)); dataset; dataset = m_datasets->next(dataset->id().next()))
        if (dataset->head().is_destroying())
            return false;
    return true;
}

Status Pool::start(bool waits)
{
    MutexGuard guard(m_state_lock);
    if (is_read_only()) {
        m_engine->seal();
        m_background.pause();
        return {};
    }
    if (waits) {
        m_waits.store(1);
    } else {
        TRY(get_ready_locked());
        start_background_locked();
    }
    equip_locked();
    return {};
}

Status Pool::get_ready()
{
    MutexGuard guard(m_state_lock);
    TRY(check_writable()); // it may have been turned read-only meanwhile
    TRY(get_ready_locked());
    TRY(wake_background_locked()); // or the next change would not try again
    m_waits.store_release(0);
    return {};
}

// What has been done when it fails is not done again.
Status Pool::get_ready_locked()
{
    if (!m_is_ready) {
        TRY(reserve());
        TRY(m_engine->start(m_interval_ns.load()));
        m_is_ready = true;
    }
    if (!m_log->is_on())
        TRY(start_log_locked());
    return {};
}

}
