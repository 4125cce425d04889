// SPDX-License-Identifier: GPL-2.0-only
#include "core/vdev/uberblock.h"

#include "core/host/host.h"

namespace lcpfs {

static u64 uberblock_checksum(const DiskUberblock& disk)
{
    return host_xxh64(&disk, offsetof(DiskUberblock, checksum), disk.txg.get());
}

void Uberblock::encode(DiskUberblock& disk, const DiskGuid& pool_guid) const
{
    zero_bytes(&disk, sizeof(disk));
    disk.magic.set(k_uberblock_magic);
    disk.txg.set(txg.value());
    disk.pool_guid = pool_guid;
    disk.time_ns.set(static_cast<u64>(time_ns));
    pool_tree.encode(disk.pool_tree);
    metaslab_table.encode(disk.metaslab_table);
    disk.log_tail.set(log_tail);
    disk.log_generation.set(log_generation);
    disk.log_sequence.set(log_sequence);
    disk.log_record.set(log_record);
    disk.log_ring.set(log_ring);
    disk.total_blocks.set(total_blocks);
    disk.used_blocks.set(used_blocks);
    disk.next_dataset.set(next_dataset);
    disk.previous_txg.set(previous.value());
    disk.log_txg.set(log_txg.value());
    disk.checksum.set(uberblock_checksum(disk));
}

Result<Uberblock> Uberblock::decode(const DiskUberblock& disk, const DiskGuid& pool_guid)
{
    VERIFY_DISK(disk.magic.get() == k_uberblock_magic, no_uberblock);
    VERIFY_DISK(compare_bytes(disk.pool_guid.bytes, pool_guid.bytes, sizeof(pool_guid.bytes)) == 0, no_uberblock);
    VERIFY_DISK(disk.txg.get() != 0, no_uberblock);
    VERIFY_DISK(disk.checksum.get() == uberblock_checksum(disk), no_uberblock);
    Uberblock uberblock;
    uberblock.txg = TxgId(disk.txg.get());
    uberblock.time_ns = static_cast<i64>(disk.time_ns.get());
    uberblock.pool_tree = TRY(NodePointer::decode(disk.pool_tree));
    uberblock.metaslab_table = TRY(NodePointer::decode(disk.metaslab_table));
    VERIFY_DISK(!uberblock.pool_tree.is_null() && !uberblock.metaslab_table.is_null(), node_damaged);
    VERIFY_DISK(uberblock.pool_tree.birth <= uberblock.txg && uberblock.metaslab_table.birth <= uberblock.txg, node_damaged);
    uberblock.log_tail = disk.log_tail.get();
    uberblock.log_generation = disk.log_generation.get();
    uberblock.log_sequence = disk.log_sequence.get();
    uberblock.log_record = disk.log_record.get();
    uberblock.log_ring = disk.log_ring.get();
    uberblock.total_blocks = disk.total_blocks.get();
    uberblock.used_blocks = disk.used_blocks.get();
    VERIFY_DISK(uberblock.used_blocks <= uberblock.total_blocks, node_damaged);
    uberblock.next_dataset = disk.next_dataset.get();
    uberblock.previous = TxgId(disk.previous_txg.get());
    VERIFY_DISK(uberblock.previous < uberblock.txg, node_damaged);
    uberblock.log_txg = TxgId(disk.log_txg.get());
    VERIFY_DISK(uberblock.log_txg < uberblock.txg, node_damaged);
    return uberblock;
}

Result<Box<UberblockWriter>> UberblockWriter::create(VdevSet& vdevs, const DiskGuid& pool_guid)
{
    const Result<UberblockScan> scan = scan_uberblocks(vdevs, pool_guid);
    if (scan.is_error() && scan.error() != Error::no_uberblock)
        return scan.error();
    return create(vdevs, pool_guid, scan.is_ok() ? scan.value().found.span() : Span<const Uberblock>());
}

Result<Box<UberblockWriter>> UberblockWriter::create(VdevSet& vdevs, const DiskGuid& pool_guid, Span<const Uberblock> found)
{
    Box<UberblockWriter> writer = TRY(make_box<UberblockWriter>(vdevs, pool_guid));
    writer->m_page_pool = host_pool_create("lcpfs_uberblock", k_block_size, 0);
    if (!writer->m_page_pool)
        return Error::no_memory;
    for (u8*& page : writer->m_ring) {
        page = static_cast<u8*>(host_pool_alloc(writer->m_page_pool, HOST_ALLOC_ZERO));
        if (!page)
            return Error::no_memory;
    }
    for (size_t i = found.size(); i-- > 0;) // oldest first: a slot keeps the newest
        found[i].encode(writer->slot(found[i].txg.value()), pool_guid);
    return writer;
}

UberblockWriter::~UberblockWriter()
{
    for (u8* page : m_ring)
        if (page)
            host_pool_free(m_page_pool, page);
    host_pool_destroy(m_page_pool);
}

DiskUberblock& UberblockWriter::slot(u64 txg)
{
    const u32 offset = uberblock_slot_of(txg) * k_uberblock_slot_bytes;
    return *reinterpret_cast<DiskUberblock*>(m_ring[offset / k_block_size] + offset % k_block_size);
}

Status UberblockWriter::write(const Uberblock& uberblock)
{
    const u64 txg = uberblock.txg.value();
    const u64 previous = uberblock.previous.value();
    uberblock.encode(slot(txg), m_pool_guid);
    TRY(write_slot(txg));
    // Not before: damaged as they are, they tell that `previous` was fallen back to.
    for (u64 given_up = max(previous + 1, txg - min<u64>(txg, k_uberblock_slots / 2)); previous && given_up < txg; given_up++) {
        zero_bytes(&slot(given_up), sizeof(DiskUberblock));
        const Status erased = write_slot(given_up);
        (void)erased; // a device that does not take it has not taken the group either
    }
    return {};
}

Status UberblockWriter::write_slot(u64 txg)
{
    const u32 offset = uberblock_slot_of(txg) * k_uberblock_slot_bytes;
    u8* const page = m_ring[offset / k_block_size];

    IoBatch batches[k_uberblock_vdevs];
    size_t devices = 0;
    for (u16 id = 0; id < m_vdevs.count() && devices < k_uberblock_vdevs; id++) {
        const Vdev& vdev = m_vdevs.vdev(VdevId(id));
        if (vdev.role != VdevRole::data)
            continue;
        IoBatch& batch = batches[devices++];
        const bool whole = vdev.info.logical_block_bytes > k_uberblock_slot_bytes;
        const u32 from = whole ? offset / k_block_size * k_block_size : offset;
        for (u32 label = txg % 2; label < k_label_count; label += 2) {
            batch.begin();
            m_vdevs.transfer(HOST_IO_WRITE, vdev.id, label_offset(label, vdev.capacity_blocks) + k_label_ring_offset + from,
                             page + from % k_block_size, whole ? k_block_size : k_uberblock_slot_bytes,
                             HOST_IO_FUA | HOST_IO_SYNC | HOST_IO_META, IoBatch::done, &batch);
        }
    }
    bool committed = false;
    Error first = Error::none;
    for (size_t i = 0; i < devices; i++) {
        const Error error = batches[i].wait().error();
        committed = committed || error == Error::none;
        if (first == Error::none)
            first = error;
    }
    return committed ? Error::none : first;
}

}
