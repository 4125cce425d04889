// SPDX-License-Identifier: GPL-2.0-only
// A directory entry decoded, and the hash that places it (directory_format.h).
#pragma once

#include "core/base/result.h"
#include "core/base/span.h"
#include "core/format/directory_format.h"
#include "core/format/label_format.h"

namespace lcpfs {

struct Name {
    u64 cookie { 0 };
    u64 object { 0 };
    u8 type { 0 };
    Bytes text; // into the item

    // dirent_damaged for anything out of form.
    static Result<Name> decode(Bytes key, Bytes value);
};

constexpr u32 k_max_name_value_bytes = sizeof(DiskName) + k_max_name_bytes;

// Gives the bytes written into `out` (k_max_name_value_bytes).
u32 encode_name(u64 object, u8 type, Bytes text, u8* out);

// Cookie of the first entry with this name's hash: the next 127 follow it.
u64 name_cookie(Bytes text, const DiskGuid& seed);

// What a directory's size_bytes counts for one name.
constexpr u64 name_cost(size_t text_bytes) { return 24 + text_bytes; }

}
