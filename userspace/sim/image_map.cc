// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/image_map.h"

#include "core/api/handles.h"
#include "core/check/tree_walk.h"
#include "core/object/extent.h"
#include "core/object/record.h"
#include "userspace/sim/failure.h"

namespace lcpfs::sim {

namespace {

bool differs(const ImageMap::Place& place, const Images& original, const Images& damaged)
{
    std::vector<u8> before(4096), after(4096);
    for (u32 i = 0; i < place.blocks; i++) {
        original[place.disk]->read((place.block + i) * 4096, before.data(), 4096);
        damaged[place.disk]->read((place.block + i) * 4096, after.data(), 4096);
        if (before != after)
            return true;
    }
    return false;
}

}

// Keeps the way from the root to the leaf it is in.
class ImageMap::Walker : public TreeVisitor {
public:
    using Item = std::function<void(Bytes key, Bytes value, const std::vector<size_t>& way)>;
    Walker(ImageMap& map, Item item) : m_map(map), m_item(std::move(item)) {}
    bool node(const NodePointer& pointer, const TreeOwner& owner) override
    {
        Node node { owner.kind, {} };
        for (u32 i = 0; i < pointer.copies; i++)
            node.copies.push_back(m_map.place_of(pointer.dva[i]));
        if (m_way.empty())
            m_way.resize(pointer.level + 1u);
        m_way[m_way.size() - 1 - pointer.level] = m_map.m_nodes.size();
        all.push_back(m_map.m_nodes.size());
        m_map.m_nodes.push_back(node);
        return true;
    }
    void damage(const NodePointer&, const TreeOwner&, u32, Error) override { fail("a sound pool has a damaged node"); }
    Status item(Bytes key, Bytes value) override
    {
        m_item(key, value, m_way);
        return {};
    }
    std::vector<size_t> all;

private:
    ImageMap& m_map;
    Item m_item;
    std::vector<size_t> m_way;
};

ImageMap::Place ImageMap::place_of(const Dva& dva) const { return { m_disks.at(dva.vdev.value()), dva.block, dva.length_blocks }; }

void ImageMap::read(Run& run)
{
    run.open(true, true);
    Pool& pool = pool_of(reinterpret_cast<core_pool*>(run.pool()));
    for (u16 vdev = 0; vdev < pool.vdevs().count(); vdev++)
        for (u32 disk = 0; disk < run.disks().size(); disk++)
            if (run.disks()[disk].get() == pool.vdevs().vdev(VdevId(vdev)).bdev)
                m_disks[vdev] = disk; // they are opened in any order
    Box<TreeWalk> tables = TreeWalk::create(pool.vdevs(), pool.cache().node_bytes()).release_value();
    Box<TreeWalk> bodies = TreeWalk::create(pool.vdevs(), pool.cache().node_bytes()).release_value();
    NodePointer objects;
    std::vector<size_t> trunk;
    Walker pool_tree(*this, [&](Bytes key, Bytes value, const std::vector<size_t>& way) {
        BigEndianKey id;
        copy_bytes(&id, key.data() + 1, 8);
        if (key[0] != static_cast<u8>(PoolKey::dataset) || id.get() != k_default_dataset)
            return;
        DiskDataset record;
        copy_bytes(&record, value.data(), sizeof(record));
        objects = NodePointer::decode(record.objects).release_value();
        trunk = way;
    });
    (void)tables->walk(pool.uberblock().pool_tree, { TreeKind::pool, 0, 0 }, pool_tree).is_ok();
    Walker table(*this, [&](Bytes key, Bytes value, const std::vector<size_t>& way) {
        BigEndianKey number;
        copy_bytes(&number, key.data(), 8);
        const u64 id = number.get();
        m_objects.insert(id);
        std::set<size_t>& needs = m_needs[id];
        needs.insert(trunk.begin(), trunk.end());
        needs.insert(way.begin(), way.end());
        ObjectAttributes attributes;
        RecordRoots roots;
        if (decode_record(value, attributes, roots).is_error())
            fail("a sound pool has a malformed record");
        std::vector<Place>& data = m_data[id];
        auto take = [&](Bytes item_key, Bytes item_value) {
            const Result<Extent> extent = Extent::decode(item_key, item_value);
            if (!attributes.is_directory() && extent.is_ok() && extent.value().kind == ExtentKind::mapped)
                data.push_back(place_of(extent.value().dva));
        };
        Walker body(*this, [&](Bytes item_key, Bytes item_value, const std::vector<size_t>&) { take(item_key, item_value); });
        const TreeOwner owner { roots.body.kind, k_default_dataset, id };
        if (roots.body.form == RootForm::node)
            (void)bodies->walk(roots.body.pointer, owner, body).is_ok();
        if (roots.body.form == RootForm::inlined)
            (void)walk_inline(roots.body.items, [&](Bytes item_key, Bytes item_value) -> Status {
                take(item_key, item_value);
                return {};
            }).is_ok();
        needs.insert(body.all.begin(), body.all.end());
        Walker xattrs(*this, [](Bytes, Bytes, const std::vector<size_t>&) {});
        if (roots.xattrs.form == RootForm::node)
            (void)bodies->walk(roots.xattrs.pointer, { TreeKind::xattrs, k_default_dataset, id }, xattrs).is_ok();
        needs.insert(xattrs.all.begin(), xattrs.all.end());
    });
    (void)tables->walk(objects, { TreeKind::objects, k_default_dataset, 0 }, table).is_ok();
    Walker rest(*this, [](Bytes, Bytes, const std::vector<size_t>&) {});
    (void)tables->walk(pool.uberblock().metaslab_table, { TreeKind::metaslabs, 0, 0 }, rest).is_ok();
    tables.reset();
    bodies.reset();
    run.close();
}

bool ImageMap::is_lost(const Node& node, const Images& original, const Images& damaged) const
{
    for (const Place& place : node.copies)
        if (!differs(place, original, damaged))
            return false;
    return true;
}

std::set<u64> ImageMap::at_risk(const Images& original, const Images& damaged) const
{
    std::set<size_t> lost;
    for (size_t i = 0; i < m_nodes.size(); i++)
        if (is_lost(m_nodes[i], original, damaged))
            lost.insert(i);
    std::set<u64> risky;
    for (const u64 id : m_objects) {
        bool is_risky = false;
        for (const size_t node : m_needs.at(id))
            is_risky = is_risky || lost.count(node);
        for (const Place& place : m_data.at(id))
            is_risky = is_risky || differs(place, original, damaged);
        if (is_risky)
            risky.insert(id);
    }
    return risky;
}

bool ImageMap::lacks_pool_tree(const Images& original, const Images& damaged) const
{
    for (const Node& node : m_nodes)
        if (node.kind == TreeKind::pool && is_lost(node, original, damaged))
            return true;
    return false;
}

}
