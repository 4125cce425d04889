// SPDX-License-Identifier: GPL-2.0-only
// A directory's names. Key: BigEndian64(cookie), value DiskName then the name's bytes.
//
// cookie = (hash of the name, 56 bits, at least 1) << 7 | n, n counting names of equal hash from 0. The cookie is
// also what readdir gives out: it belongs to a name for the name's whole life, so positions stay valid
// whatever else changes. Below 2^63, never under 128.
#pragma once

#include "core/base/little_endian.h"

namespace lcpfs {

struct DiskName {
    le64 object;
    u8 type;      // DT_* of dirent(3)
    u8 reserved;
    le16 length;  // of the name that follows, 1..255
};
static_assert(sizeof(DiskName) == 12);

constexpr u32 k_max_name_bytes = 255;
constexpr u32 k_cookie_collision_bits = 7;
constexpr u32 k_cookie_collisions = 1u << k_cookie_collision_bits;

}
