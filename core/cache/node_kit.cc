// SPDX-License-Identifier: GPL-2.0-only
#include "core/cache/node_kit.h"

namespace lcpfs {

Result<Box<NodeKit>> NodeKit::create(const Sizes& sizes)
{
    Box<NodeKit> kit = TRY(make_box<NodeKit>());
    kit->m_nodes = host_pool_create("lcpfs_kit_node", sizes.node, 0);
    kit->m_pages = host_pool_create("lcpfs_kit_page", sizes.page, 0);
    kit->m_children = host_pool_create("lcpfs_kit_children", sizes.children, 0);
    if (!kit->m_nodes || !kit->m_pages || !kit->m_children)
        return Error::no_memory;
    return kit;
}

Status NodeKit::reserve()
{
    const bool is_there = host_pool_reserve(m_nodes, k_nodes) && host_pool_reserve(m_pages, k_nodes)
        && host_pool_reserve(m_children, k_nodes / 2);
    return is_there ? Error::none : Error::no_memory;
}

NodeKit::~NodeKit()
{
    host_pool* const pools[] = { m_nodes, m_pages, m_children };
    for (host_pool* pool : pools)
        host_pool_destroy(pool);
}

bool NodeKit::has_enough() const
{
    return host_pool_live(m_nodes) + k_needed <= k_nodes && host_pool_live(m_pages) + k_needed <= k_nodes
        && host_pool_live(m_children) + k_needed / 2 <= k_nodes / 2;
}

}
