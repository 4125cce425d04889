// SPDX-License-Identifier: GPL-2.0-only
// What runs about log devices share.
#pragma once

#include <string>
#include <vector>

#include "userspace/sim/model.h"
#include "userspace/sim/run.h"

namespace lcpfs::sim {

// What a log device is like, whatever the others are.
struct LogDiskKind {
    u32 block_bytes { 512 };
    bool volatile_cache { true };
    void apply(Disk& disk) const
    {
        disk.info.logical_block_bytes = block_bytes;
        disk.info.volatile_cache = volatile_cache;
    }
};

// A fault that begins at some write and ends soon or never.
void fail_writes_now_and_then(Disk& disk, Random& random);
// Opens the pool with workers in `roots` that sync often.
void add_syncing_workers(Run& run, const std::vector<u64>& roots, Random& choice);
void same_trees(const char* what, const std::vector<Tree>& expected, const std::vector<Tree>& found);
// Where the power is cut, in order; the end is among them, but for one asked for.
std::vector<u64> points_of(const Options& options, u64 wanted, u64 end, Random& choice);

}
