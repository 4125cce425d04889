// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/guest/pool_image.h"

#include <algorithm>

#include "core/codec/checksum.h"
#include "core/format/dataset_format.h"
#include "core/object/record.h"

namespace lcpfs::guest {

bool PoolImage::open(const std::vector<std::string>& paths, bool read_only)
{
    if (!open_devices(paths, read_only) || !find_uberblock())
        return false;
    return walk(m_uberblock.pool_tree, { TreeKind::pool, 0, 0 }, NodeAt::k_pool_root, 0)
        && walk(m_uberblock.metaslab_table, { TreeKind::metaslabs, 0, 0 }, NodeAt::k_metaslab_root, 0);
}

bool PoolImage::open_devices(const std::vector<std::string>& paths, bool read_only)
{
    m_devices.resize(paths.size());
    for (const std::string& path : paths) {
        RawDevice device;
        Label label;
        if (!device.open(path, read_only))
            return false;
        if (!device.read(k_label_header_offset, &label.header, sizeof(label.header)))
            return false;
        const u16 index = label.header.vdev_index.get();
        if (label.header.magic.get() != k_label_magic || index >= paths.size()) {
            fprintf(stderr, "guestkit: %s: not one of %zu devices of a pool\n", path.c_str(), paths.size());
            return false;
        }
        m_devices[index] = std::move(device);
    }
    return true;
}

bool PoolImage::find_uberblock()
{
    for (size_t device = 0; device < m_devices.size(); device++)
        for (u32 label = 0; label < k_label_count; label++)
            for (u32 slot = 0; slot < k_uberblock_slots; slot++) {
                DiskUberblock disk;
                const u64 offset = label_at(device, label) + k_label_ring_offset + slot * k_uberblock_slot_bytes;
                if (!m_devices[device].read(offset, &disk, sizeof(disk)))
                    return false;
                if (disk.txg.get() > m_uberblock.txg.get() && Uberblock::decode(disk, disk.pool_guid).is_ok())
                    m_uberblock = disk;
            }
    if (m_uberblock.txg.get() == 0)
        fprintf(stderr, "guestkit: no uberblock\n");
    return m_uberblock.txg.get() != 0;
}

bool PoolImage::walk(const DiskNodePointer& disk, const TreeOwner& owner, size_t parent, u32 offset)
{
    const Result<NodePointer> decoded = NodePointer::decode(disk);
    if (decoded.is_error() || (!decoded.value().is_null() && decoded.value().dva[0].vdev.value() >= m_devices.size())) {
        fprintf(stderr, "guestkit: a pointer in object %llu is malformed\n", static_cast<unsigned long long>(owner.object));
        return false;
    }
    const NodePointer& pointer = decoded.value();
    if (pointer.is_null())
        return true;
    NodeAt node { pointer, owner, parent, offset, std::vector<u8>(pointer.size_bytes) };
    const Dva& first = pointer.dva[0];
    if (!m_devices[first.vdev.value()].read(first.block * k_block_size, node.bytes.data(), node.bytes.size()))
        return false;
    if (NodePage(node.bytes.data(), pointer.size_bytes).verify(owner, pointer.level, pointer.birth.value()).is_error()) {
        fprintf(stderr, "guestkit: the node at %u:%llu is damaged already\n", first.vdev.value(),
                static_cast<unsigned long long>(first.block));
        return false;
    }
    m_nodes.push_back(std::move(node));
    return walk_items(m_nodes.size() - 1);
}

bool PoolImage::walk_items(size_t index)
{
    // No reference to the node: the vector grows below. Its bytes stay where they are.
    const TreeOwner owner = m_nodes[index].owner;
    const u32 level = m_nodes[index].pointer.level;
    u8* const buffer = m_nodes[index].bytes.data();
    const NodePage page(buffer, m_nodes[index].pointer.size_bytes);
    for (u32 i = 0; i < page.count(); i++) {
        const Bytes value = page.value(i);
        const u32 offset = static_cast<u32>(value.data() - buffer);
        const auto pointer_at = [buffer](u32 where) -> const DiskNodePointer& {
            return *reinterpret_cast<const DiskNodePointer*>(buffer + where);
        };
        if (level > 0) {
            if (!walk(pointer_at(offset), owner, index, offset))
                return false;
        } else if (owner.kind == TreeKind::pool && page.key(i)[0] == static_cast<u8>(PoolKey::dataset)) {
            const u32 orphans = offset + offsetof(DiskDataset, orphans);
            if (!walk(pointer_at(offset), { TreeKind::objects, k_default_dataset, 0 }, index, offset)
                || !walk(pointer_at(orphans), { TreeKind::orphans, k_default_dataset, 0 }, index, orphans))
                return false;
        } else if (owner.kind == TreeKind::objects && !walk_record(index, i)) {
            return false;
        }
    }
    return true;
}

bool PoolImage::walk_record(size_t index, u32 item)
{
    u8* const buffer = m_nodes[index].bytes.data();
    const NodePage page(buffer, m_nodes[index].pointer.size_bytes);
    const Bytes value = page.value(item);
    const DiskRoot& root = *reinterpret_cast<const DiskRoot*>(value.data() + sizeof(DiskObject));
    if (root.form != static_cast<u8>(RootForm::node))
        return true;
    u64 object = 0;
    for (u8 byte : page.key(item))
        object = object << 8 | byte;
    const u32 offset = static_cast<u32>(value.data() - buffer) + sizeof(DiskObject) + sizeof(DiskRoot);
    const TreeOwner owner { static_cast<TreeKind>(root.kind), k_default_dataset, object };
    return walk(*reinterpret_cast<const DiskNodePointer*>(buffer + offset), owner, index, offset);
}

bool PoolImage::write_sealed(size_t index)
{
    for (;;) {
        NodeAt& node = m_nodes[index];
        for (u32 copy = 0; copy < node.pointer.copies; copy++) {
            const Dva& dva = node.pointer.dva[copy];
            if (!m_devices[dva.vdev.value()].write(dva.block * k_block_size, node.bytes.data(), node.bytes.size()))
                return false;
        }
        node.pointer.checksum = checksum_of(node.pointer.checksum_kind, { node.bytes.data(), node.bytes.size() });
        const bool at_root = node.parent == NodeAt::k_pool_root || node.parent == NodeAt::k_metaslab_root;
        DiskNodePointer* above = node.parent == NodeAt::k_pool_root ? &m_uberblock.pool_tree
            : at_root ? &m_uberblock.metaslab_table
                      : reinterpret_cast<DiskNodePointer*>(m_nodes[node.parent].bytes.data() + node.offset_in_parent);
        copy_bytes(above->checksum, node.pointer.checksum.bytes, k_checksum_bytes);
        if (at_root)
            return write_uberblock();
        index = node.parent;
    }
}

bool PoolImage::write_uberblock()
{
    m_uberblock.checksum.set(host_xxh64(&m_uberblock, offsetof(DiskUberblock, checksum), m_uberblock.txg.get()));
    const u64 slot = k_label_ring_offset + uberblock_slot_of(m_uberblock.txg.get()) * k_uberblock_slot_bytes;
    for (size_t device = 0; device < m_devices.size(); device++)
        for (u32 label = 0; label < k_label_count; label++) {
            DiskUberblock there;
            if (!m_devices[device].read(label_at(device, label) + slot, &there, sizeof(there)))
                return false;
            if (there.txg.get() == m_uberblock.txg.get()
                && !m_devices[device].write(label_at(device, label) + slot, &m_uberblock, sizeof(m_uberblock)))
                return false;
        }
    return true;
}

bool PoolImage::read_label(size_t device, u32 index, Label& label)
{
    return m_devices[device].read(label_at(device, index) + k_label_header_offset, &label.header, sizeof(label.header))
        && m_devices[device].read(label_at(device, index) + k_label_vdevs_offset, &label.vdevs, sizeof(label.vdevs));
}

bool PoolImage::write_label(size_t device, u32 index, Label& label)
{
    seal_label(label);
    return m_devices[device].write(label_at(device, index) + k_label_header_offset, &label.header, sizeof(label.header))
        && m_devices[device].write(label_at(device, index) + k_label_vdevs_offset, &label.vdevs, sizeof(label.vdevs));
}

}
