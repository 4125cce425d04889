// SPDX-License-Identifier: GPL-2.0-only
// The pools among devices that were found.
#pragma once

#include <string>
#include <vector>

#include "userspace/common/devices.h"

namespace lcpfs::tool {

// Devices of one pool, in their order.
struct FoundPool {
    core_label label;
    std::vector<FoundDevice> devices;
    bool is_complete() const { return devices.size() == label.device_count; }
    // Enough to look at what was committed: a log device may be missing, or be missed no longer.
    bool has_data() const;
    std::vector<std::string> paths() const;
};
std::vector<FoundPool> group_by_pool(const std::vector<FoundDevice>& devices);

}
