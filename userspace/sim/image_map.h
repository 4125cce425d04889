// SPDX-License-Identifier: GPL-2.0-only
// ImageMap: what of a sound, closed pool lies where, so that it can be said what a damaged copy of its images must still have.
//
// An object is at risk when a node that leads to it, of the pool tree, of its dataset's object table or of its own trees, has no
// copy left as it was, or a block of its data has changed. What is not at risk has to be there after a repair, whole.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "core/format/address.h"
#include "core/format/node_format.h"
#include "userspace/sim/prepare.h"

namespace lcpfs::sim {

class ImageMap {
public:
    // Of the first dataset. The run is opened for it and closed.
    void read(Run& run);

    struct Place {
        u32 disk;
        u64 block;
        u32 blocks;
    };
    struct Node {
        TreeKind kind;
        std::vector<Place> copies;
    };
    const std::vector<Node>& nodes() const { return m_nodes; }
    const std::vector<Place>& data_of(u64 object) const { return m_data.at(object); }
    const std::set<u64>& objects() const { return m_objects; }
    // By what differs between the images and those that were read.
    std::set<u64> at_risk(const Images& original, const Images& damaged) const;
    // A node that every object needs is gone.
    bool lacks_pool_tree(const Images& original, const Images& damaged) const;

private:
    class Walker;
    bool is_lost(const Node& node, const Images& original, const Images& damaged) const;

    Place place_of(const Dva& dva) const;

    std::map<u16, u32> m_disks; // by vdev
    std::vector<Node> m_nodes;
    std::set<u64> m_objects;
    std::map<u64, std::set<size_t>> m_needs; // nodes by object
    std::map<u64, std::vector<Place>> m_data;
};

}
