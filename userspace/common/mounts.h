// SPDX-License-Identifier: GPL-2.0-only
// Mounts of lcpfs, as this process sees them.
#pragma once

#include <string>
#include <vector>

namespace lcpfs::tool {

struct Mount {
    std::string directory;
    std::string device;  // that it was mounted from: one of the pool's, which another may have joined or replaced since
    std::string dataset;
};
std::vector<Mount> lcpfs_mounts();

}
