// SPDX-License-Identifier: GPL-2.0-only
// guestkit: what the guest cases (qemu/cases) do that no ordinary program does. A test program: never installed.
//
// Each verb takes its own arguments, its name first, and gives the exit code: 0 done, 1 failed, 2 usage.
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include <string>
#include <vector>

namespace lcpfs::guest {

enum Exit { k_done = 0, k_failed = 1, k_usage_error = 2 };

using Arguments = std::vector<std::string>;

// nodes DEVICE...: every metadata node as `TREE OBJECT LEVEL DEVICE:BLOCK...`, a line each.
int nodes_verb(const Arguments& arguments);
// flip PATH BLOCK BYTE BIT: turns one bit over.
int flip_verb(const Arguments& arguments);
// feature compat|ro-compat|incompat BIT DEVICE...: sets a feature flag in all labels, with their checksums right.
int feature_verb(const Arguments& arguments);
// mutate SEED PRISTINE DEVICE: the device as the file PRISTINE has it, then changed at random.
int mutate_verb(const Arguments& arguments);
// map PATH BYTES: a sparse file written by mmap, page by page; says how many pages went in before SIGBUS.
int map_verb(const Arguments& arguments);
// hog MIB: takes that much memory, page by page, and lets go.
int hog_verb(const Arguments& arguments);

inline bool parse_number(const std::string& text, unsigned long long& number)
{
    char* end = nullptr;
    number = strtoull(text.c_str(), &end, 0);
    return !text.empty() && *end == 0;
}

}
