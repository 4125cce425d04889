// SPDX-License-Identifier: GPL-2.0-only
// How a user names a mounted pool: by name, uuid, a device of it, or a directory on it.
#pragma once

#include <string>

namespace lcpfs::tool {

// As the kernel knows it: to its uuid where that takes looking at a device.
std::string pool_word(const std::string& word);

}
