// SPDX-License-Identifier: GPL-2.0-only
#include "core/codec/checksum.h"

#include "core/host/host.h"

namespace lcpfs {

static void checksum_into(ChecksumKind kind, const void* data, size_t bytes, u8* out)
{
    switch (kind) {
    case ChecksumKind::crc32c: {
        le32 sum(host_crc32c(data, bytes));
        copy_bytes(out, &sum, sizeof(sum));
        break;
    }
    case ChecksumKind::xxh64: {
        le64 sum(host_xxh64(data, bytes, 0));
        copy_bytes(out, &sum, sizeof(sum));
        break;
    }
    case ChecksumKind::sha256:
        host_sha256(data, bytes, out);
        break;
    case ChecksumKind::none:
        break;
    }
}

Checksum checksum_of(ChecksumKind kind, Bytes data)
{
    Checksum checksum;
    checksum_into(kind, data.data(), data.size(), checksum.bytes);
    return checksum;
}

void block_checksum(ChecksumKind kind, const void* block, u8* out)
{
    checksum_into(kind, block, k_block_size, out);
}

bool block_checksum_matches(ChecksumKind kind, const void* block, const u8* expected)
{
    if (kind == ChecksumKind::crc32c) { // of every block that is read
        le32 sum;
        copy_bytes(&sum, expected, sizeof(sum));
        return host_crc32c(block, k_block_size) == sum.get();
    }
    u8 found[k_checksum_bytes];
    block_checksum(kind, block, found);
    return compare_bytes(found, expected, checksum_bytes_of(kind)) == 0;
}

}
