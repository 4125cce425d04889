// SPDX-License-Identifier: GPL-2.0-only
// The two things fsck.lcpfs does with a pool: looking at all of it, and putting it right.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/api/core.h"

namespace lcpfs::tool {

enum Exit { k_clean = 0, k_corrected = 1, k_uncorrected = 4, k_operational = 8, k_usage_error = 16 };

struct Options {
    bool data { false };     // read every block of file data, too
    bool quiet { false };
    uint64_t group { 0 };    // go back to it; 0: the newest
    std::vector<std::string> paths;
};

// Changes nothing. k_clean, k_uncorrected, k_operational.
int check(const Options& options);
// Of a pool that is open. What is found counts as long as `counts` says so; else k_operational.
int check_pool(core_pool* pool, const Options& options, const std::function<bool()>& counts);
// Replays the log, checks, and repairs what is wrong. k_clean, k_corrected, k_uncorrected, k_operational.
int repair(const Options& options);

}
