// SPDX-License-Identifier: GPL-2.0-only
// Pool: making an empty one. The first group is written by the same commit as every later one.
#include "core/pool/pool.h"

namespace lcpfs {

namespace {

Status check_options(const core_format_options& options, u32& node_bytes, u32& copies, u32& checksum)
{
    node_bytes = options.node_bytes ? options.node_bytes : k_min_node_bytes;
    copies = options.metadata_copies ? options.metadata_copies : 2;
    checksum = options.data_checksum ? options.data_checksum : u32(CORE_CHECKSUM_CRC32C);
    bool sound = is_power_of_two(node_bytes) && node_bytes >= k_min_node_bytes && node_bytes <= k_max_node_bytes;
    sound = sound && copies <= k_max_copies && checksum <= CORE_CHECKSUM_SHA256;
    StringView name(options.name ? options.name : "");
    sound = sound && name.size() > 0 && name.size() < k_pool_name_bytes;
    for (size_t i = 0; i < name.size(); i++)
        sound = sound && name.data()[i] > 0x20 && name.data()[i] < 0x7f && name.data()[i] != '/';
    return sound ? Status() : Status(Error::invalid);
}

Status make_label(Span<host_bdev* const> bdevs, const core_format_options& options, Label& label)
{
    u32 node_bytes, copies, checksum;
    TRY(check_options(options, node_bytes, copies, checksum));
    zero_bytes(&label, sizeof(label));
    DiskLabelHeader& header = label.header;
    header.magic.set(k_label_magic);
    header.version.set(k_label_version);
    header.header_bytes.set(sizeof(header));
    if (options.guid)
        copy_bytes(header.pool_guid.bytes, options.guid, 16);
    else
        host_random_bytes(header.pool_guid.bytes, 16);
    StringView name(options.name);
    copy_bytes(header.name, name.data(), name.size());
    // Several log devices are mirrors of each other.
    if (options.log_devices >= bdevs.size() || options.log_devices > k_max_log_members)
        return Error::invalid;
    header.incompat.set(k_incompat_log_data | (options.log_devices ? k_incompat_log_device : 0)
                        | (options.log_devices > 1 ? k_incompat_log_mirror : 0));
    header.vdev_count.set(static_cast<u16>(bdevs.size()));
    header.block_shift = k_block_shift;
    header.node_shift = static_cast<u8>(__builtin_ctz(node_bytes));
    header.metadata_copies = static_cast<u8>(copies);
    header.data_checksum = static_cast<u8>(checksum);
    header.node_checksum = static_cast<u8>(ChecksumKind::xxh64);
    header.created_ns.set(static_cast<u64>(host_realtime_ns()));
    header.label_generation.set(1);
    host_random_bytes(header.table_guid.bytes, 16);
    for (size_t i = 0; i < bdevs.size(); i++) {
        host_bdev_info info;
        host_bdev_get_info(bdevs[i], &info);
        if (info.read_only)
            return Error::read_only;
        DiskVdevEntry& entry = label.vdevs.entries[i];
        host_random_bytes(entry.guid.bytes, 16);
        entry.parent.set(0xffff);
        entry.kind = static_cast<u8>(VdevKind::device);
        const bool is_log = i + options.log_devices >= bdevs.size();
        entry.role = static_cast<u8>(is_log ? VdevRole::log : VdevRole::data);
        TRY(is_log ? choose_log_geometry(info.capacity_bytes, entry)
                   : choose_geometry(info.capacity_bytes, options.metaslab_bytes, entry));
    }
    return {};
}

}

Status Pool::enter_ring(const LogRing& ring, u32 id)
{
    Vector<u8> item;
    static_assert(sizeof(DiskLogRing) + k_max_log_segments * sizeof(DiskDva) <= max_item_bytes(k_min_node_bytes) - 9);
    TRY(item.resize(ring.encoded_bytes()));
    const u32 bytes = ring.encode(item.span(), ring.members());
    const PoolTreeKey key(PoolKey::log, id);
    WriteGuard guard(m_pool_tree_lock);
    TRY(m_pool_tree->prepare_insert(TxgId(1), key.bytes(), bytes));
    m_pool_tree->insert(key.bytes(), { item.begin(), bytes });
    return {};
}

// As much of the log device as is wanted, or all of it. Of several what the smallest has.
Status Pool::format_device_ring(u64 wanted_bytes)
{
    u64 length = max<u64>(wanted_bytes ? wanted_bytes : k_max_log_ring_bytes, k_max_log_frame_bytes) / k_block_size;
    for (u16 i = 0; i < m_vdevs->count(); i++)
        if (const Vdev& vdev = m_vdevs->vdev(VdevId(i)); vdev.role == VdevRole::log)
            length = min(length, vdev.capacity_blocks - k_label_count * k_label_blocks);
    LogRing ring;
    for (u16 i = 0; i < m_vdevs->count(); i++) {
        if (m_vdevs->vdev(VdevId(i)).role != VdevRole::log)
            continue;
        const Dva segment { k_first_metaslab_block, static_cast<u32>(length), VdevId(i) };
        TRY(ring.is_there() ? ring.add_member(*m_vdevs, Span<const Dva>(&segment, 1)) : ring.add(*m_vdevs, segment));
    }
    return ring.is_there() ? enter_ring(ring, k_device_ring) : Status();
}

// In metaslabs that all share. Takes the blocks of the ring in the pool, in as few runs as free space allows.
Status Pool::format_pool_ring(u64 wanted_bytes)
{
    TxgId first(1);
    const u64 share = align_down(m_allocator->counts().total_blocks * k_block_size / 16, k_min_log_ring_bytes);
    u64 left = blocks_for_bytes(min(wanted_bytes ? wanted_bytes : k_max_log_ring_bytes, max(share, k_min_log_ring_bytes)));
    LogRing ring;
    SpaceLog::Batch batch(*m_space_log);
    TRY(batch.prepare(k_max_log_segments));
    while (left >= k_min_log_segment_blocks && ring.segments().size() < k_max_log_segments) {
        Dva dva = TRY(m_allocator->allocate(AllocClass::metadata, static_cast<u32>(min<u64>(left, 1u << 16)), k_min_log_segment_blocks));
        TRY(ring.add(*m_vdevs, dva));
        batch.add(dva, SpaceUse::used);
        left -= dva.length_blocks;
    }
    batch.commit(first);
    return enter_ring(ring, k_pool_ring);
}

Status Pool::format_first_group(const core_format_options& options)
{
    TxgId first(1);
    m_allocator->format_all();
    {
        WriteGuard guard(m_metaslab_lock);
        for (size_t v = 0; v < m_vdevs->count(); v++) {
            VdevId id(static_cast<u16>(v));
            for (u32 m = 0; m < m_vdevs->vdev(id).metaslab_count; m++) {
                BigEndianKey key(metaslab_key(id.value(), m));
                DiskMetaslabEntry entry = m_allocator->entry(id, m);
                TRY(m_metaslab_table->prepare_insert(first, { key.data(), 8 }, sizeof(entry)));
                m_metaslab_table->insert({ key.data(), 8 }, bytes_of(entry));
            }
        }
    }
    TRY(format_pool_ring(options.log_bytes));
    TRY(format_device_ring(options.log_bytes));
    ObjectAttributes root;
    root.mode = k_mode_directory | (options.root_mode ? options.root_mode & 07777 : 0755);
    root.uid = options.root_uid;
    root.gid = options.root_gid;
    root.generation = 1;
    i64 now = host_realtime_ns();
    root.btime = Time { now / 1000000000, static_cast<u32>(now % 1000000000) };
    root.atime = root.mtime = root.ctime = root.btime;
    DatasetHead head;
    head.set_name("default");
    DiskGuid seed;
    host_random_bytes(seed.bytes, sizeof(seed.bytes));
    Ref<Object> object = TRY(dataset().start_new(head, seed));
    {
        WriteGuard guard(object->m_lock);
        TRY(dataset().fill_root(*object, first, root));
    }
    object.reset();
    TRY(write_txg(first));
    settle_txg(first);
    return {};
}

Status Pool::format(Span<host_bdev* const> bdevs, const core_format_options& options)
{
    if (bdevs.is_empty() || bdevs.size() > k_max_vdevs)
        return Error::too_many_devices;
    Box<Label> label = TRY(make_box<Label>());
    TRY(make_label(bdevs, options, *label));
    for (size_t i = 0; i < bdevs.size(); i++) {
        label->header.vdev_index.set(static_cast<u16>(i));
        label->header.vdev_guid = label->vdevs.entries[i].guid;
        seal_label(*label);
        TRY(write_labels(bdevs[i], *label, true));
    }
    void* memory = host_alloc(sizeof(Pool), 0);
    if (!memory)
        return Error::no_memory;
    Box<Pool> pool(::new (memory) Pool());
    TRY(pool->assemble(bdevs, false));
    TRY(pool->start_layers(64ull << 20, 0));
    TRY(pool->reserve());
    TRY(pool->format_first_group(options));
    return {};
}

}
