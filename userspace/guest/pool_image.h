// SPDX-License-Identifier: GPL-2.0-only
// A pool that nobody has open, node by node: where each stands and what points at it, so that a test can damage a
// chosen place, or change it and make every checksum above right again.
#pragma once

#include "core/cache/node_page.h"
#include "core/format/address.h"
#include "core/vdev/label.h"
#include "core/vdev/uberblock.h"
#include "userspace/guest/raw_device.h"

namespace lcpfs::guest {

struct NodeAt {
    static constexpr size_t k_pool_root = ~size_t(0);     // parent: the uberblock's pool tree
    static constexpr size_t k_metaslab_root = ~size_t(1); // parent: the uberblock's metaslab table

    NodePointer pointer;
    TreeOwner owner;
    size_t parent;       // index of the node that holds the pointer
    u32 offset_in_parent;
    std::vector<u8> bytes;
};

class PoolImage {
public:
    // Opens the devices and reads the newest group whole. False: said why.
    bool open(const std::vector<std::string>& paths, bool read_only);

    const std::vector<NodeAt>& nodes() const { return m_nodes; }
    std::vector<u8>& bytes_of(size_t node) { return m_nodes[node].bytes; }
    RawDevice& device(size_t index) { return m_devices[index]; }
    size_t device_count() const { return m_devices.size(); }
    DiskUberblock& uberblock() { return m_uberblock; }

    // Writes a node's bytes to all its copies, and the checksums of all above it up to the uberblock.
    bool write_sealed(size_t node);
    // The uberblock with its checksum right, to every slot where it stands.
    bool write_uberblock();
    // One label of one device, with its checksums right.
    bool read_label(size_t device, u32 index, Label& label);
    bool write_label(size_t device, u32 index, Label& label);

private:
    bool open_devices(const std::vector<std::string>& paths, bool read_only);
    bool find_uberblock();
    bool walk(const DiskNodePointer& disk, const TreeOwner& owner, size_t parent, u32 offset);
    bool walk_items(size_t index);
    bool walk_record(size_t index, u32 item);
    u64 label_at(size_t device, u32 index) const { return label_offset(index, m_devices[device].bytes() / k_block_size); }

    std::vector<RawDevice> m_devices; // in the pool's order
    std::vector<NodeAt> m_nodes;
    DiskUberblock m_uberblock {};
};

}
