// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/common/pools.h"

#include <string.h>

#include <algorithm>

namespace lcpfs::tool {

std::vector<std::string> FoundPool::paths() const
{
    std::vector<std::string> paths;
    for (const FoundDevice& device : devices)
        paths.push_back(device.path);
    return paths;
}

bool FoundPool::has_data() const
{
    const auto data = std::count_if(devices.begin(), devices.end(), [](const FoundDevice& device) { return !device.label.is_log; });
    return static_cast<uint32_t>(data) == label.device_count - label.log_device_count;
}

std::vector<FoundPool> group_by_pool(const std::vector<FoundDevice>& devices)
{
    std::vector<FoundPool> pools;
    for (const FoundDevice& device : devices) {
        auto pool = std::find_if(pools.begin(), pools.end(), [&](const FoundPool& other) {
            return memcmp(other.label.pool_guid, device.label.pool_guid, sizeof(device.label.pool_guid)) == 0;
        });
        if (pool == pools.end())
            pool = pools.insert(pool, FoundPool { device.label, {} });
        // A second way to the same device (a partition's whole disk, a path of several) adds nothing.
        const bool known = std::any_of(pool->devices.begin(), pool->devices.end(), [&](const FoundDevice& other) {
            return other.label.device_index == device.label.device_index;
        });
        if (!known)
            pool->devices.push_back(device);
    }
    for (FoundPool& pool : pools)
        std::sort(pool.devices.begin(), pool.devices.end(), [](const FoundDevice& a, const FoundDevice& b) {
            return a.label.device_index < b.label.device_index;
        });
    return pools;
}

}
