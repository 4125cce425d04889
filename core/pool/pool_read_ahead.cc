// SPDX-License-Identifier: GPL-2.0-only
// Pool: what a mount reads of every pool, a few goes rather than node by node. What is wrong with any of it is found by who asks for it.
#include "core/pool/pool.h"

namespace lcpfs {

constexpr u32 k_rows_ahead = 32; // nodes of the metaslab table
constexpr u32 k_edges_deep = 4;  // levels below the roots of tables of objects

// The records of all datasets, as far as the pool tree is in memory.
template <typename Visit>
Status Pool::visit_records(Visit visit)
{
    ReadGuard guard(m_pool_tree_lock);
    TreeCursor cursor;
    const PoolTreeKey first(PoolKey::dataset, k_default_dataset);
    bool found = m_pool_tree->is_in_memory(first.bytes()) && TRY(m_pool_tree->find(first.bytes(), cursor));
    while (found && cursor.key().size() == 9 && cursor.key()[0] == static_cast<u8>(PoolKey::dataset)) {
        VERIFY_DISK(cursor.value().size() == sizeof(DiskDataset), dataset_damaged);
        BigEndianKey id;
        copy_bytes(&id, cursor.key().data() + 1, 8);
        TRY(visit(id.get(), *reinterpret_cast<const DiskDataset*>(cursor.value().data())));
        found = TRY(m_pool_tree->next(cursor));
    }
    return {};
}

// Where the tables of datasets are, and the rows of metaslabs.
Status Pool::add_tables(Vector<NodeCache::Wanted>& wanted)
{
    {
        ReadGuard guard(m_metaslab_lock);
        m_metaslab_table->start_from(m_uberblock.metaslab_table);
        TRY(m_metaslab_table->add_below_root(wanted, k_rows_ahead));
    }
    return visit_records([&wanted](u64 id, const DiskDataset& record) -> Status {
        TRY(wanted.push_back({ TRY(NodePointer::decode(record.objects)), { TreeKind::objects, id, 0 } }));
        return wanted.push_back({ TRY(NodePointer::decode(record.orphans)), { TreeKind::orphans, id, 0 } });
    });
}

// Every dataset's last objects are looked at; and whoever mounts the first one asks for its root directory.
Status Pool::add_edges(Vector<NodeCache::Wanted>& wanted)
{
    return visit_records([this, &wanted](u64 id, const DiskDataset& record) -> Status {
        const NodePointer objects = TRY(NodePointer::decode(record.objects));
        const TreeOwner owner { TreeKind::objects, id, 0 };
        const size_t others = wanted.size();
        TRY(m_cache->add_edge(objects, owner, true, wanted));
        if (id == k_default_dataset)
            TRY(m_cache->add_edge(objects, owner, false, wanted));
        if (wanted.size() == others + 2 && wanted[others].pointer.dva[0] == wanted[others + 1].pointer.dva[0])
            wanted.pop_back();
        return {};
    });
}

void Pool::start_roots_ahead(NodeCache::Ahead& ahead, const Uberblock& uberblock)
{
    const NodeCache::Wanted roots[] = { { uberblock.pool_tree, { TreeKind::pool, 0, 0 } },
                                        { uberblock.metaslab_table, { TreeKind::metaslabs, 0, 0 } } };
    ahead.start(Span<const NodeCache::Wanted>(roots));
}

void Pool::start_tables_ahead(NodeCache::Ahead& ahead)
{
    Vector<NodeCache::Wanted> tables;
    (void)add_tables(tables).is_ok();
    const size_t first = min(tables.size(), NodeCache::Ahead::k_most);
    m_cache->read_ahead(tables.span().slice(first, tables.size() - first));
    ahead.start(tables.span());
}

void Pool::start_edges_ahead(NodeCache::Ahead& ahead)
{
    Vector<NodeCache::Wanted> edges;
    (void)add_edges(edges).is_ok();
    ahead.start(edges.span());
}

void Pool::read_edges_ahead()
{
    for (u32 deep = 0; deep < k_edges_deep; deep++) {
        Vector<NodeCache::Wanted> edges;
        (void)add_edges(edges).is_ok();
        if (edges.is_empty())
            break;
        m_cache->read_ahead(edges.span());
    }
}

}
