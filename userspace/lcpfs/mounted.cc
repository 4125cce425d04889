// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/lcpfs/mounted.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "userspace/common/message.h"
#include "userspace/lcpfs/pool_word.h"

namespace lcpfs::tool {

std::string MountedPool::text(const std::string& file) const
{
    std::ifstream stream(m_directory + "/" + file);
    std::string line;
    std::getline(stream, line);
    return line;
}

uint64_t MountedPool::number(const std::string& file) const { return strtoull(text(file).c_str(), nullptr, 10); }

std::vector<MountedPool> mounted_pools(const std::string& pool)
{
    const std::string word = pool_word(pool);
    std::vector<MountedPool> pools;
    std::error_code error; // no directory: the module is not loaded, and nothing is mounted
    for (const auto& entry : std::filesystem::directory_iterator("/sys/fs/lcpfs", error)) {
        const MountedPool one(entry.path().string());
        if (entry.is_directory() && !one.name().empty() && (word.empty() || word == one.name() || word == one.uuid()))
            pools.push_back(one);
    }
    std::sort(pools.begin(), pools.end(), [](const MountedPool& a, const MountedPool& b) { return a.name() < b.name(); });
    if (pools.empty() && !word.empty())
        complain("{}: no such pool is mounted", pool);
    else if (pools.empty())
        complain("no pool is mounted");
    return pools;
}

}
