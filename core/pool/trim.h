// SPDX-License-Identifier: GPL-2.0-only
// Trimming: telling the devices of everything that is free, as FITRIM asks for.
//
// Addresses are bytes of the pool's devices put one behind the other, log devices left out.
#pragma once

#include "core/pool/pool.h"

namespace lcpfs {

struct TrimRange {
    u64 begin_bytes { 0 };
    u64 length_bytes { ~0ull };
    u64 min_bytes { 0 };     // of a run worth telling
    bool (*is_interrupted)(void* context) { nullptr }; // asked between metaslabs; may be null
    void* context { nullptr };
};

// Gives the bytes that the devices were told of. Loads every bitmap in the range. invalid: begins behind the end, or is less than a
// block; io_not_supported: no device has a use for it; busy: interrupted. Sleepable.
Result<u64> trim_pool(Pool& pool, const TrimRange& range);

}
