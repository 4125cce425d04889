// SPDX-License-Identifier: GPL-2.0-only
// What the module lists one by one over all mounted pools, each with the guid and the name of its pool: datasets, partitions, paths.
#pragma once

#include <string.h>

#include <string>
#include <vector>

#include "userspace/common/guid.h"
#include "userspace/common/message.h"
#include "userspace/lcpfs/control.h"
#include "userspace/lcpfs/pool_word.h"

namespace lcpfs::tool {

// Those of the pool that `pool` means (pool_word.h), or of all when it is empty. False: said why, also when there is no such pool.
template <typename Item>
bool list_of_pools(const Control& control, unsigned long command, const char* what, const std::string& pool, std::vector<Item>& items)
{
    const std::string word = pool_word(pool);
    for (uint32_t n = 0;; n++) {
        Item item {};
        item.n = n;
        const int error = control.call(command, &item);
        if (error && error != ENOENT) {
            complain("cannot list the {}: {}", what, strerror(error));
            return false;
        }
        if (error)
            break;
        if (word.empty() || word == item.pool_name || word == guid_text(item.pool_guid))
            items.push_back(item);
    }
    if (items.empty() && !pool.empty())
        complain("{}: no such pool is mounted", pool);
    return pool.empty() || !items.empty();
}

// The one pool that all of them are in. False: said why.
template <typename Item>
bool only_pool(const std::vector<Item>& items, uint8_t (&guid)[16])
{
    if (items.empty()) {
        complain("no pool is mounted");
        return false;
    }
    for (const Item& item : items) {
        if (memcmp(item.pool_guid, items[0].pool_guid, sizeof(guid)) != 0) {
            complain("more than one pool is mounted: choose with --pool");
            return false;
        }
    }
    memcpy(guid, items[0].pool_guid, sizeof(guid));
    return true;
}

}
