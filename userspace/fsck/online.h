// SPDX-License-Identifier: GPL-2.0-only
// Checking a pool that is mounted: it keeps one committed group as it is on its devices, and that is what is checked.
#pragma once

#include <string>

#include "userspace/fsck/fsck.h"

namespace lcpfs::tool {

// A directory on a mount of the pool that `word` is a device of, the name of, or a directory on; empty: none.
std::string mount_of_pool(const std::string& word);

// Reads past the page cache. What is done to the pool meanwhile goes on, and is not what is checked. k_operational also when the pool
// needed the space in between.
int check_online(const Options& options, const std::string& directory);

}
