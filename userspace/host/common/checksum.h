// SPDX-License-Identifier: GPL-2.0-only
// A switch for tests of what lies behind the checksums: with it every checksum of anything as long as a
// disk structure is the same number, so an image made under it may be changed anywhere and still passes.
// Short texts (names) keep their hashes.
#pragma once

#include "core/base/types.h"

namespace lcpfs {

constexpr u64 k_constant_checksum_bytes = 400;
extern bool host_checksum_is_constant;

}
