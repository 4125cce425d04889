// SPDX-License-Identifier: GPL-2.0-only
// Filling a new pool from a folder.
#pragma once

#include <string>

#include "userspace/common/devices.h"

namespace lcpfs::tool {

// Everything below `folder`, and what the folder itself is, into the first dataset: contents with their holes, owners, modes, times,
// links, device nodes, extended attributes and ACLs. Other filesystems mounted below are not entered. False: said what failed; the
// pool is there, and holds what came before.
bool populate(const Devices& devices, const std::string& folder);

}
