// SPDX-License-Identifier: GPL-2.0-only
#include "core/check/rebuild.h"

#include "core/base/format_text.h"
#include "core/check/findings.h"
#include "core/check/tree_walk.h"
#include "core/object/extent.h"
#include "core/object/record.h"
#include "core/object/shared_run.h"

namespace lcpfs {

namespace {

struct Rebuild {
    Pool& pool;
    Box<TreeWalk> tables; // walks tables
    Box<TreeWalk> bodies; // walks objects' trees meanwhile
    Error failure { Error::none };
    u64 runs { 0 };

    explicit Rebuild(Pool& pool_) : pool(pool_) {}
    void fail(Error error)
    {
        if (failure == Error::none)
            failure = error;
    }
    Status reached(const Dva& dva)
    {
        runs++;
        return pool.allocator().mark_reached(dva);
    }
    Status reached_by_extent(Dva dva, bool may_be_shared);
    Status walk_shares(const NodePointer& root);
    Status walk_dataset(u64 id, const DiskDataset& dataset);
    Status walk_object(u64 dataset, u64 id, Bytes record);
    Status run();
};

class Nodes : public TreeVisitor {
public:
    explicit Nodes(Rebuild& rebuild) : m_rebuild(rebuild) {}
    bool node(const NodePointer& pointer, const TreeOwner&) override
    {
        if (m_rebuild.failure != Error::none)
            return false;
        if (pointer.birth > m_rebuild.pool.uberblock().txg)
            m_rebuild.fail(Error::node_damaged);
        for (u32 copy = 0; copy < pointer.copies; copy++) {
            const Status status = m_rebuild.reached(pointer.dva[copy]);
            if (status.is_error())
                m_rebuild.fail(status.error());
        }
        return m_rebuild.failure == Error::none;
    }
    void damage(const NodePointer& pointer, const TreeOwner& owner, u32 copy, Error error) override
    {
        if (copy < k_max_copies)
            return;
        m_rebuild.fail(error);
        TextLine line;
        Findings::add_owner(line, owner);
        line.add("node at device ").add(u64(pointer.dva[0].vdev.value())).add(" block ").add(pointer.dva[0].block).add(": ");
        line.add(text_of(error));
        host_log(HOST_LOG_ERROR, line.text());
    }
    Status item(Bytes, Bytes) override { return m_rebuild.failure; }

protected:
    ~Nodes() = default;
    Rebuild& m_rebuild;
};

class Extents final : public Nodes {
public:
    Extents(Rebuild& rebuild, bool may_be_shared) : Nodes(rebuild), m_may_be_shared(may_be_shared) {}
    Status item(Bytes key, Bytes value) override
    {
        const Extent extent = TRY(Extent::decode(key, value));
        const bool may_be_shared = m_may_be_shared || extent.is_compressed();
        return extent.has_blocks() ? m_rebuild.reached_by_extent(extent.dva, may_be_shared) : Status();
    }

private:
    bool m_may_be_shared;
};

// Each run of the table is in use, however often it is reached.
class Shares final : public Nodes {
public:
    using Nodes::Nodes;
    Status item(Bytes key, Bytes value) override
    {
        TRY(Nodes::item(key, value));
        const SharedRun run = TRY(SharedRun::decode(key, value));
        return m_rebuild.reached(run.dva);
    }
};

class Plain final : public Nodes {
public:
    using Nodes::Nodes;
};

class Objects final : public Nodes {
public:
    Objects(Rebuild& rebuild, u64 dataset) : Nodes(rebuild), m_dataset(dataset) {}
    Status item(Bytes key, Bytes value) override
    {
        TRY(Nodes::item(key, value));
        VERIFY_DISK(key.size() == 8, record_damaged);
        BigEndianKey id;
        copy_bytes(&id, key.data(), 8);
        const Status status = m_rebuild.walk_object(m_dataset, id.get(), value);
        if (status.is_error()) {
            TextLine line;
            line.add("object ").add(id.get()).add(" in dataset ").add(m_dataset).add(": ").add(text_of(status.error()));
            host_log(HOST_LOG_ERROR, line.text());
        }
        return status.error();
    }

private:
    u64 m_dataset;
};

class DatasetEntries final : public Nodes {
public:
    using Nodes::Nodes;
    Status item(Bytes key, Bytes value) override
    {
        TRY(Nodes::item(key, value));
        if (key.size() == 9 && key[0] == static_cast<u8>(PoolKey::log))
            return reach_log(value);
        if (key.size() == 9 && key[0] == static_cast<u8>(PoolKey::shares)) {
            VERIFY_DISK(value.size() == sizeof(DiskNodePointer), share_damaged);
            DiskNodePointer disk;
            copy_bytes(&disk, value.data(), sizeof(disk));
            m_shares = TRY(NodePointer::decode(disk));
            return {};
        }
        if (key.size() == 9 && key[0] == static_cast<u8>(PoolKey::partition))
            return {};
        // What is not known may hold blocks that are not known.
        VERIFY_DISK(key.size() == 9 && key[0] == static_cast<u8>(PoolKey::dataset), dataset_damaged);
        VERIFY_DISK(value.size() == sizeof(DiskDataset), dataset_damaged);
        BigEndianKey id;
        copy_bytes(&id, key.data() + 1, 8);
        TRY(m_found.resize(m_found.size() + 1));
        m_found.last().id = id.get();
        copy_bytes(&m_found.last().dataset, value.data(), sizeof(DiskDataset));
        return {};
    }
    struct Found {
        u64 id { 0 };
        DiskDataset dataset {};
    };
    const Vector<Found>& found() const { return m_found; }
    const NodePointer& shares() const { return m_shares; }

private:
    Status reach_log(Bytes value)
    {
        const LogRing ring = TRY(LogRing::decode(m_rebuild.pool.vdevs(), value));
        for (size_t i = 0; i < ring.segments().size() && !ring.is_on_log_device(); i++)
            TRY(m_rebuild.reached(ring.segments()[i]));
        return {};
    }
    Vector<Found> m_found;
    NodePointer m_shares;
};

// What the share table has is in use for its sake.
Status Rebuild::reached_by_extent(Dva dva, bool may_be_shared)
{
    if (!may_be_shared)
        return reached(dva);
    while (dva.length_blocks) {
        VERIFY_DISK(pool.vdevs().is_valid(dva), address_out_of_range);
        const ShareTable::Part part = TRY(pool.share_table().read(dva));
        if (part.references == 1)
            TRY(reached({ dva.block, part.length_blocks, dva.vdev }));
        dva.block += part.length_blocks;
        dva.length_blocks -= part.length_blocks;
    }
    return {};
}

Status Rebuild::walk_shares(const NodePointer& root)
{
    Shares shares(*this);
    TRY(tables->walk(root, { TreeKind::shares, 0, 0 }, shares));
    return failure;
}

Status Rebuild::walk_object(u64 dataset, u64 id, Bytes record)
{
    ObjectAttributes attributes;
    RecordRoots roots;
    TRY(decode_record(record, attributes, roots));
    const RecordRoot& root = roots.body;
    const TreeOwner owner { root.kind, dataset, id };
    Extents extents(*this, attributes.has_shares());
    Plain names(*this);
    if (root.form == RootForm::node) {
        if (root.kind == TreeKind::extents)
            TRY(bodies->walk(root.pointer, owner, extents));
        else
            TRY(bodies->walk(root.pointer, owner, names));
    } else if (root.form == RootForm::inlined && root.kind == TreeKind::extents) {
        TRY(walk_inline(root.items, [&](Bytes key, Bytes value) { return extents.item(key, value); }));
    }
    Plain xattrs(*this);
    if (roots.xattrs.form == RootForm::node)
        TRY(bodies->walk(roots.xattrs.pointer, { TreeKind::xattrs, dataset, id }, xattrs));
    return failure;
}

Status Rebuild::walk_dataset(u64 id, const DiskDataset& dataset)
{
    const NodePointer objects = TRY(NodePointer::decode(dataset.objects));
    const NodePointer orphans = TRY(NodePointer::decode(dataset.orphans));
    Objects table(*this, id);
    TRY(tables->walk(objects, { TreeKind::objects, id, 0 }, table));
    Plain listed(*this);
    TRY(tables->walk(orphans, { TreeKind::orphans, id, 0 }, listed));
    return failure;
}

Status Rebuild::run()
{
    tables = TRY(TreeWalk::create(pool.vdevs(), pool.cache().node_bytes()));
    bodies = TRY(TreeWalk::create(pool.vdevs(), pool.cache().node_bytes()));
    const Uberblock& uberblock = pool.uberblock();
    Plain metaslabs(*this);
    TRY(tables->walk(uberblock.metaslab_table, { TreeKind::metaslabs, 0, 0 }, metaslabs));
    Box<DatasetEntries> datasets = TRY(make_box<DatasetEntries>(*this));
    TRY(tables->walk(uberblock.pool_tree, { TreeKind::pool, 0, 0 }, *datasets));
    TRY(Status(failure));
    TRY(walk_shares(datasets->shares()));
    for (const DatasetEntries::Found& found : datasets->found())
        TRY(walk_dataset(found.id, found.dataset));
    return failure;
}

}

Status rebuild_bitmaps(Pool& pool)
{
    Box<Rebuild> rebuild = TRY(make_box<Rebuild>(pool));
    Status status = pool.start_rebuild();
    if (status.is_ok())
        status = rebuild->run();
    const Status ended = pool.end_rebuild(status.is_ok());
    if (status.is_ok())
        status = ended.error();
    TextLine line;
    const host_log_level level = status.is_ok() ? HOST_LOG_INFO : pool.has_lost_bitmaps() ? HOST_LOG_FATAL : HOST_LOG_WARNING;
    if (status.is_ok())
        line.add("bitmaps rebuilt: ").add(rebuild->runs).add(" runs of blocks are in use");
    else
        line.add("bitmaps cannot be rebuilt (").add(text_of(status.error())).add("): ")
            .add(pool.has_lost_bitmaps() ? "the pool can only be read; mount with -o ro" : "what is free there is not used");
    pool.log(level, StringView(line.text(), line.size()));
    return status.error();
}

}
