// SPDX-License-Identifier: GPL-2.0-only
// Mounted pools as /sys/fs/lcpfs shows them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lcpfs::tool {

class MountedPool {
public:
    explicit MountedPool(std::string directory) : m_directory(std::move(directory)) {}
    const std::string& directory() const { return m_directory; }
    std::string uuid() const { return m_directory.substr(m_directory.rfind('/') + 1); }
    std::string name() const { return text("name"); }
    // The first line of a file, and as a number; empty and 0: there is none.
    std::string text(const std::string& file) const;
    uint64_t number(const std::string& file) const;

private:
    std::string m_directory;
};

// All, or the one that `pool` means (pool_word.h); sorted by name. Says so when there is none of those.
std::vector<MountedPool> mounted_pools(const std::string& pool);

}
