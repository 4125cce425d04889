// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/mount/options.h"

#include <sys/mount.h>

#include <algorithm>
#include <cstring>

namespace lcpfs::tool {

namespace {

struct Attribute {
    const char* name;
    uint64_t set, cleared;
};
constexpr Attribute k_attributes[] = {
    { "suid", 0, MOUNT_ATTR_NOSUID },
    { "nosuid", MOUNT_ATTR_NOSUID, 0 },
    { "dev", 0, MOUNT_ATTR_NODEV },
    { "nodev", MOUNT_ATTR_NODEV, 0 },
    { "exec", 0, MOUNT_ATTR_NOEXEC },
    { "noexec", MOUNT_ATTR_NOEXEC, 0 },
    { "diratime", 0, MOUNT_ATTR_NODIRATIME },
    { "nodiratime", MOUNT_ATTR_NODIRATIME, 0 },
    { "symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW },
    { "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0 },
    { "atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
    { "relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
    { "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
    { "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
};
// Read by mount(8) and by whoever works with /etc/fstab.
constexpr const char* k_not_ours[] = { "defaults", "auto",   "noauto",  "user",    "nouser", "users",
                                       "owner",    "nofail", "_netdev", "noowner", "group",  "nogroup" };

void add_one(const std::string& option, MountOptions& options)
{
    const size_t equals = option.find('=');
    const std::string key = option.substr(0, equals);
    if (option.empty() || key.rfind("x-", 0) == 0 || key.rfind("X-", 0) == 0 || key == "comment" || key == "uhelper")
        return;
    if (std::any_of(std::begin(k_not_ours), std::end(k_not_ours), [&](const char* name) { return option == name; }))
        return;
    for (const Attribute& attribute : k_attributes) {
        if (option != attribute.name)
            continue;
        options.set = (options.set & ~attribute.cleared) | attribute.set;
        options.cleared |= attribute.cleared;
        return;
    }
    if (option == "remount") {
        options.remount = true;
    } else if (option == "ro" || option == "rw") {
        // Of the mount and of the filesystem, as mount(2) has it.
        options.set = (options.set & ~uint64_t(MOUNT_ATTR_RDONLY)) | (option == "ro" ? MOUNT_ATTR_RDONLY : 0);
        options.cleared |= MOUNT_ATTR_RDONLY;
        options.keys.emplace_back(option, "");
    } else if (key == "sync" && equals != std::string::npos) {
        options.keys.emplace_back("sync_mode", option.substr(equals + 1)); // fsconfig(2) takes "sync" for its own flag
    } else {
        options.keys.emplace_back(key, equals == std::string::npos ? "" : option.substr(equals + 1));
    }
}

}

bool MountOptions::has(const std::string& key) const
{
    return std::any_of(keys.begin(), keys.end(), [&](const auto& entry) { return entry.first == key; });
}

void add_options(const std::string& text, MountOptions& options)
{
    for (size_t at = 0; at <= text.size();) {
        const size_t comma = std::min(text.find(',', at), text.size());
        add_one(text.substr(at, comma - at), options);
        at = comma + 1;
    }
}

}
