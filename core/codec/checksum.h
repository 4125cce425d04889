// SPDX-License-Identifier: GPL-2.0-only
// Checksums of nodes and data blocks, by kind. The algorithms are the host's.
#pragma once

#include "core/base/span.h"
#include "core/format/address.h"
#include "core/format/extent_format.h"

namespace lcpfs {

// Little-endian result in the first checksum_bytes_of(kind) bytes, the rest zero.
Checksum checksum_of(ChecksumKind kind, Bytes data);
// The same into `out`, which has checksum_bytes_of(kind) bytes: one data block of an extent.
void block_checksum(ChecksumKind kind, const void* block, u8* out);
bool block_checksum_matches(ChecksumKind kind, const void* block, const u8* expected);

}
