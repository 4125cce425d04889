// SPDX-License-Identifier: GPL-2.0-only
#include "core/cache/node_kit.h"

namespace lcpfs {

NodeKit::~NodeKit()
{
    for (Shelf& shelf : m_shelves)
        while (shelf.count)
            host_pool_free(shelf.pool, shelf.parts[--shelf.count]);
}

Status NodeKit::start(host_pool* const (&pools)[k_shelves])
{
    for (u32 i = 0; i < k_shelves; i++)
        m_shelves[i].pool = pools[i];
    return fill() ? Status() : Status(Error::no_memory);
}

bool NodeKit::fill()
{
    for (Shelf& shelf : m_shelves) {
        while (shelf.count < k_nodes) {
            void* part = host_pool_alloc(shelf.pool, 0);
            if (!part)
                return false;
            shelf.parts[shelf.count++] = part;
        }
    }
    return true;
}

void* NodeKit::take(const host_pool* pool)
{
    for (Shelf& shelf : m_shelves)
        if (shelf.pool == pool && shelf.count)
            return shelf.parts[--shelf.count];
    return nullptr;
}

}
