// SPDX-License-Identifier: GPL-2.0-only
// How a pool is: what `lcpfs status` tells of it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "userspace/common/pools.h"

namespace lcpfs::tool {

enum class Health {
    healthy,
    degraded,   // it works, with less than it has: paths, log devices
    full,       // nothing is left for files
    damaged,    // something did not fit its checksum, or could not be read or written
    incomplete, // devices that it needs are missing
    stopped,    // it writes nothing any more
};
const char* name_of(Health health);

struct PoolPath {
    std::string name, state; // of the block device; active, degraded, failed, repairing
};

struct PoolState {
    Health health { Health::healthy };      // the worst of what is the matter
    std::vector<std::string> problems;      // each in words
    std::string word;                       // active, read-only, frozen, not in use, ...
    bool is_mounted { false };
    bool is_open { false };                 // not in use, and could be opened to look
    core_pool_status status {};             // what of it is known: all when open; space, objects, group when mounted
    std::vector<std::string> mounts;
    uint64_t seconds { 0 };                 // mounted for so long, and since then:
    uint64_t checksum_errors { 0 }, io_errors { 0 }, repaired_bytes { 0 };
    std::map<uint32_t, std::string> members;             // states of log devices, by their number
    std::map<uint32_t, std::vector<PoolPath>> paths;     // of devices that have several, by their number

    void add_problem(Health how, std::string what);
};

// Of a mounted pool by /sys/fs/lcpfs and /dev/lcpfs-control, of another by opening it read-only.
PoolState state_of(const FoundPool& pool);

}
