// SPDX-License-Identifier: GPL-2.0-only
// The verbs of lcpfs(8): each takes its own arguments, its name first, and gives the exit code.
#pragma once

#include <string>
#include <vector>

#include "userspace/common/devices.h"

namespace lcpfs::tool {

enum Exit { k_success = 0, k_failure = 1, k_usage_error = 2 };

int scan_verb(int argc, char** argv);
int status_verb(int argc, char** argv);
int dump_verb(int argc, char** argv);
int dataset_verb(int argc, char** argv);
int partition_verb(int argc, char** argv);
int path_verb(int argc, char** argv);
int version_verb(int argc, char** argv);

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
