// SPDX-License-Identifier: GPL-2.0-only
#include "core/check/dump.h"

namespace lcpfs {

static const char* name_of(ChecksumKind kind)
{
    switch (kind) {
    case ChecksumKind::crc32c:
        return "crc32c";
    case ChecksumKind::xxh64:
        return "xxh64";
    case ChecksumKind::sha256:
        return "sha256";
    case ChecksumKind::none:
        break;
    }
    return "none";
}

void dump_pointer(const char* what, const NodePointer& pointer, const Lines& lines)
{
    if (pointer.is_null())
        return lines.put("  ", what, ": none");
    TextLine text;
    text.add("  ").add(what).add(": level ").add(u64(pointer.level)).add(", born ").add(pointer.birth.value()).add(", ");
    text.add(u64(pointer.size_bytes)).add(" bytes, ").add(name_of(pointer.checksum_kind)).add(", at");
    for (u32 i = 0; i < pointer.copies; i++)
        text.add(" ").add(u64(pointer.dva[i].vdev.value())).add(":").add(pointer.dva[i].block);
    lines.put_line(text);
}

static void dump_guid(const char* what, const DiskGuid& guid, const Lines& lines)
{
    TextLine text;
    text.add("  ").add(what).add(": ").add_hex({ guid.bytes, sizeof(guid.bytes) });
    lines.put_line(text);
}

void dump_label(const Label& label, const Lines& lines)
{
    const DiskLabelHeader& header = label.header;
    TextLine name;
    u32 length = 0;
    while (length < k_pool_name_bytes && header.name[length])
        length++;
    name.add("  name: ").add_name({ header.name, length });
    lines.put_line(name);
    dump_guid("pool", header.pool_guid, lines);
    dump_guid("device", header.vdev_guid, lines);
    lines.put("  version: ", u64(header.version.get()), ", generation ", header.label_generation.get(), ", created ",
              header.created_ns.get() / 1000000000);
    lines.put("  features: compatible ", header.compat.get(), ", read-only ", header.ro_compat.get(), ", incompatible ",
              header.incompat.get());
    lines.put("  nodes: ", u64(1u << (header.node_shift & 31)), " bytes, ", u64(header.metadata_copies), " copies, checksum ",
              name_of(static_cast<ChecksumKind>(header.node_checksum)), "; data checksum ",
                  name_of(static_cast<ChecksumKind>(header.data_checksum)));
    lines.put("  this is device ", u64(header.vdev_index.get()), " of ", u64(header.vdev_count.get()));
    for (u32 i = 0; i < header.vdev_count.get() && i < k_max_vdevs; i++) {
        const DiskVdevEntry& entry = label.vdevs.entries[i];
        TextLine text;
        text.add("  device ").add(u64(i)).add(": ").add_hex({ entry.guid.bytes, sizeof(entry.guid.bytes) });
        text.add(", ").add(entry.capacity_blocks.get()).add(" blocks, ");
        if (entry.role == static_cast<u8>(VdevRole::log))
            text.add("log device");
        else
            text.add(u64(entry.metaslab_count.get())).add(" metaslabs of ").add(u64(entry.metaslab_blocks.get())).add(" blocks");
        lines.put_line(text);
    }
}

void dump_uberblock(const Uberblock& uberblock, const Lines& lines)
{
    lines.put("group ", uberblock.txg.value(), ", made from ", uberblock.previous.value(), ", committed ",
              static_cast<u64>(uberblock.time_ns / 1000000000));
    dump_pointer("pool tree", uberblock.pool_tree, lines);
    dump_pointer("metaslab table", uberblock.metaslab_table, lines);
    lines.put("  blocks: ", uberblock.used_blocks, " of ", uberblock.total_blocks, " in use");
    if (uberblock.log_generation == 0)
        return lines.put("  intent log: empty");
    lines.put("  intent log: on ", uberblock.log_ring == k_device_ring ? "the log device" : "the pool's ring", " from position ",
              uberblock.log_tail, ", frame ", uberblock.log_sequence, ", behind record ", uberblock.log_record);
}

static Status dump_labels(host_bdev* bdev, const Lines& lines)
{
    host_bdev_info info;
    host_bdev_get_info(bdev, &info);
    Box<Label> label = TRY(make_box<Label>());
    if (info.capacity_bytes < 2ull * k_label_count * k_label_bytes)
        return Error::label_not_lcpfs;
    u32 found = 0;
    for (u32 i = 0; i < k_label_count; i++) {
        Status status = read_label_copy(bdev, i, info.capacity_bytes / k_block_size, *label);
        if (status.is_ok())
            status = verify_label(*label).error();
        lines.put("label ", u64(i), " at byte ", label_offset(i, info.capacity_bytes / k_block_size), ": ",
                  status.is_ok() ? "good" : text_of(status.error()));
        if (status.is_ok())
            dump_label(*label, lines);
        found += status.is_ok();
    }
    return found ? Error::none : Error::label_not_lcpfs;
}

// The rings of one device, read as if it were all of its pool.
static Status dump_uberblocks(host_bdev* bdev, const Lines& lines)
{
    Box<Label> label = TRY(read_label(bdev));
    const DiskVdevEntry& entry = label->vdevs.entries[label->header.vdev_index.get()];
    if (entry.role == static_cast<u8>(VdevRole::log)) {
        lines.put("a log device: it holds no uberblocks");
        return {};
    }
    Box<Vdev> vdev = TRY(make_box<Vdev>());
    vdev->bdev = bdev;
    vdev->capacity_blocks = entry.capacity_blocks.get();
    vdev->metaslab_blocks = entry.metaslab_blocks.get();
    vdev->metaslab_count = entry.metaslab_count.get();
    Vector<Box<Vdev>> vdevs;
    TRY(vdevs.push_back(lcpfs::move(vdev)));
    Box<VdevSet> set = TRY(VdevSet::create(lcpfs::move(vdevs)));
    UberblockScan scan = TRY(scan_uberblocks(*set, label->header.pool_guid));
    for (const Uberblock& uberblock : scan.found)
        dump_uberblock(uberblock, lines);
    lines.put("damaged copies: ", scan.damaged_copies, scan.newer_damaged ? ", among them a newer group" : "");
    return {};
}

Status dump_device(host_bdev* bdev, StringView what, const Lines& lines)
{
    if (what == StringView("labels"))
        return dump_labels(bdev, lines);
    if (what == StringView("uberblocks"))
        return dump_uberblocks(bdev, lines);
    return Error::invalid;
}

}
