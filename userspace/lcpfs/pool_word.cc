// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/lcpfs/pool_word.h"

#include <limits.h>
#include <stdlib.h>

#include <fstream>
#include <sstream>

#include "userspace/common/guid.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

namespace {

// The device that the filesystem at `path` was mounted from. Empty: not one of ours.
std::string device_at(const std::string& path)
{
    char resolved[PATH_MAX];
    if (!realpath(path.c_str(), resolved))
        return {};
    const std::string wanted = resolved;
    std::ifstream mounts("/proc/self/mounts");
    std::string line, best, source;
    while (std::getline(mounts, line)) {
        std::istringstream fields(line);
        std::string device, point, type;
        fields >> device >> point >> type;
        const bool is_above = wanted == point || point == "/" || wanted.compare(0, point.size() + 1, point + "/") == 0;
        if (is_above && point.size() >= best.size()) {
            best = point;
            source = type == "lcpfs" ? device : "";
        }
    }
    return source;
}

}

std::string pool_word(const std::string& word)
{
    if (word.empty() || word[0] != '/')
        return word;
    const std::string device = device_at(word);
    const std::vector<FoundDevice> found = find_devices({ device.empty() ? word : device });
    return found.empty() ? word : guid_text(found[0].label.pool_guid);
}

}
