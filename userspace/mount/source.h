// SPDX-License-Identifier: GPL-2.0-only
// What is to be mounted: a device, or a pool by its name or its UUID, and a dataset of it.
#pragma once

#include <string>
#include <vector>

namespace lcpfs::tool {

struct Source {
    std::string device;               // one of the pool's
    std::string dataset;              // empty: as the options say, or the first
    std::vector<std::string> others;  // further devices of the pool and further ways to them, when it is not in use yet
};

// DEVICE, POOL, POOL/DATASET, UUID=... or LABEL=... (the pool's name), both also with /DATASET. False: said why.
bool find_source(const std::string& text, Source& source);

}
