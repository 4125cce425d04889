// SPDX-License-Identifier: GPL-2.0-only
// The options of mount(8) in the three kinds that the kernel takes them in.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lcpfs::tool {

struct MountOptions {
    bool remount { false };
    std::vector<std::pair<std::string, std::string>> keys; // of the filesystem: fsconfig(2); empty value: a flag
    uint64_t set { 0 }, cleared { 0 };                     // MOUNT_ATTR_*: of the mount
    bool has(const std::string& key) const;
};

// "ro,noatime,txg_interval=10", as -o gives them. What is meant for mount(8) itself (noauto, user, x-...) is left out.
void add_options(const std::string& text, MountOptions& options);

}
