// SPDX-License-Identifier: GPL-2.0-only
#include "core/repair/keep.h"

#include "core/fs/replay.h"
#include "core/object/extent.h"
#include "core/object/record.h"
#include "core/zil/reader.h"

namespace lcpfs {

namespace {

struct Keeper {
    Keeper(Pool& pool_, RepairRoom& room_) : pool(pool_), room(room_) {}
    Pool& pool;
    RepairRoom& room;
    Box<TreeWalk> tables, bodies;
    Error failure { Error::none };
    Vector<DiskDataset> datasets;
    Vector<u64> ids;
    NodePointer shares;
    u32 log_ring { 0 }; // the one that the group's log is in
    LogRing ring;

    void keep(const Dva& dva)
    {
        if (!pool.vdevs().is_valid(dva))
            return;
        const Status kept = room.keep(dva);
        if (kept.is_error())
            failure = kept.error();
    }
    Status walk_object(u64 dataset, u64 id, Bytes record);
    Status run(const Uberblock& group);
    Status keep_log(const Uberblock& group);
};

class KeptTree : public TreeVisitor {
public:
    explicit KeptTree(Keeper& keeper) : m_keeper(keeper) {}
    bool node(const NodePointer& pointer, const TreeOwner&) override
    {
        for (u32 copy = 0; copy < pointer.copies; copy++)
            m_keeper.keep(pointer.dva[copy]);
        return m_keeper.failure == Error::none && m_left-- > 0;
    }
    Status item(Bytes, Bytes) override { return m_keeper.failure; }

protected:
    ~KeptTree() = default;
    Keeper& m_keeper;

private:
    i64 m_left { 1ll << 32 }; // a tree whose nodes lead to each other ends too
};

class KeptNodes final : public KeptTree {
public:
    using KeptTree::KeptTree;
};

class KeptExtents final : public KeptTree {
public:
    using KeptTree::KeptTree;
    Status item(Bytes key, Bytes value) override
    {
        const Result<Extent> extent = Extent::decode(key, value);
        if (extent.is_ok() && extent.value().has_blocks())
            m_keeper.keep(extent.value().dva);
        return m_keeper.failure;
    }
};

class KeptObjects final : public KeptTree {
public:
    KeptObjects(Keeper& keeper, u64 dataset) : KeptTree(keeper), m_dataset(dataset) {}
    Status item(Bytes key, Bytes value) override
    {
        BigEndianKey id;
        if (key.size() != 8)
            return {};
        copy_bytes(&id, key.data(), 8);
        return m_keeper.walk_object(m_dataset, id.get(), value);
    }

private:
    u64 m_dataset;
};

class KeptPool final : public KeptTree {
public:
    using KeptTree::KeptTree;
    Status item(Bytes key, Bytes value) override
    {
        BigEndianKey id;
        if (key.size() != 9)
            return {};
        copy_bytes(&id, key.data() + 1, 8);
        if (key[0] == static_cast<u8>(PoolKey::dataset) && value.size() == sizeof(DiskDataset)) {
            TRY(m_keeper.ids.push_back(id.get()));
            TRY(m_keeper.datasets.resize(m_keeper.datasets.size() + 1));
            copy_bytes(&m_keeper.datasets.last(), value.data(), sizeof(DiskDataset));
        }
        if (key[0] == static_cast<u8>(PoolKey::shares) && value.size() == sizeof(DiskNodePointer)) {
            DiskNodePointer disk;
            copy_bytes(&disk, value.data(), sizeof(disk));
            const Result<NodePointer> root = NodePointer::decode(disk);
            m_keeper.shares = root.is_ok() ? root.value() : NodePointer();
        }
        if (key[0] == static_cast<u8>(PoolKey::log)) {
            Result<LogRing> ring = LogRing::decode(m_keeper.pool.vdevs(), value);
            for (size_t i = 0; ring.is_ok() && i < ring.value().segments().size(); i++)
                m_keeper.keep(ring.value().segments()[i]);
            if (ring.is_ok() && id.get() == m_keeper.log_ring)
                m_keeper.ring = ring.release_value();
        }
        return m_keeper.failure;
    }
};

Status Keeper::walk_object(u64 dataset, u64 id, Bytes record)
{
    ObjectAttributes attributes;
    RecordRoots roots;
    if (decode_record(record, attributes, roots).is_error())
        return failure;
    KeptExtents extents(*this);
    KeptNodes nodes(*this);
    const RecordRoot& body = roots.body;
    if (body.form == RootForm::node && body.kind == TreeKind::extents)
        TRY(bodies->walk(body.pointer, { body.kind, dataset, id }, extents));
    else if (body.form == RootForm::node)
        TRY(bodies->walk(body.pointer, { body.kind, dataset, id }, nodes));
    else if (body.form == RootForm::inlined && body.kind == TreeKind::extents)
        (void)walk_inline(body.items, [&](Bytes key, Bytes value) { return extents.item(key, value); }).is_ok();
    if (roots.xattrs.form == RootForm::node)
        TRY(bodies->walk(roots.xattrs.pointer, { TreeKind::xattrs, dataset, id }, nodes));
    return failure;
}

Status Keeper::run(const Uberblock& group)
{
    tables = TRY(TreeWalk::create(pool.vdevs(), pool.cache().node_bytes()));
    bodies = TRY(TreeWalk::create(pool.vdevs(), pool.cache().node_bytes()));
    log_ring = group.log_ring;
    KeptPool pool_tree(*this);
    TRY(tables->walk(group.pool_tree, { TreeKind::pool, 0, 0 }, pool_tree));
    KeptNodes nodes(*this);
    TRY(tables->walk(group.metaslab_table, { TreeKind::metaslabs, 0, 0 }, nodes));
    TRY(tables->walk(shares, { TreeKind::shares, 0, 0 }, nodes));
    for (size_t i = 0; i < datasets.size(); i++) {
        const Result<NodePointer> objects = NodePointer::decode(datasets[i].objects);
        const Result<NodePointer> orphans = NodePointer::decode(datasets[i].orphans);
        KeptObjects table(*this, ids[i]);
        if (objects.is_ok())
            TRY(tables->walk(objects.value(), { TreeKind::objects, ids[i], 0 }, table));
        if (orphans.is_ok())
            TRY(tables->walk(orphans.value(), { TreeKind::orphans, ids[i], 0 }, nodes));
    }
    return failure;
}

// What a record has that is damaged, and all behind one that cannot be read, is not there for whoever opens the group either.
Status Keeper::keep_log(const Uberblock& group)
{
    if (group.log_generation == 0 || !ring.is_there())
        return {};
    Box<LogReader> reader = TRY(make_box<LogReader>(pool.vdevs(), ring, pool.label().header.pool_guid));
    const Status read = reader->read({ group.log_generation, group.log_tail, group.log_sequence, group.log_record }, group.replayed());
    if (read.error() == Error::no_memory)
        return Error::no_memory;
    for (;;) {
        const auto record = reader->next();
        if (record.error() == Error::no_memory)
            return Error::no_memory;
        if (record.is_error() || !record.value())
            return failure;
        const Status kept = claims_of(*record.value(), [](void* context, const Dva& dva) {
            Keeper& self = *static_cast<Keeper*>(context);
            self.keep(dva);
            return Status(self.failure);
        }, this);
        if (kept.error() == Error::no_memory)
            return Error::no_memory;
    }
}

}

Status keep_group(Pool& pool, RepairRoom& room, const Uberblock& group, bool keeps_log)
{
    Box<Keeper> keeper = TRY(make_box<Keeper>(pool, room));
    TRY(keeper->run(group));
    return keeps_log ? keeper->keep_log(group) : Status();
}

}
