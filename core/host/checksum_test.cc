// SPDX-License-Identifier: GPL-2.0-only
// Every host computes the same checksums: published vectors, and lengths that end in each tail loop.
#include "core/base/span.h"
#include "core/host/host.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {
struct Row {
    const char* name;
    const char* text; // nullptr: 32 zero bytes
    u32 crc32c;
    u64 xxh64;
    u8 sha256_first[4];
};
// crc32c: RFC 3720 B.4 and the check value of the catalogues; xxh64: seed 0; sha256: FIPS 180 examples.
constexpr Row k_rows[] = {
    { "empty", "", 0x00000000, 0xef46db3751d8e999, { 0xe3, 0xb0, 0xc4, 0x42 } },
    { "abc", "abc", 0x364b3fb7, 0x44bc2cf5ad770999, { 0xba, 0x78, 0x16, 0xbf } },
    { "digits", "123456789", 0xe3069283, 0x8cb841db40e6ae83, { 0x15, 0xe2, 0xb0, 0xd3 } },
    { "two_blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 0x071325f5, 0xf06103773e8585df,
      { 0x24, 0x8d, 0x6a, 0x61 } },
    { "zeros", nullptr, 0x8a9136aa, 0xf6e9be5d70632cf5, { 0x66, 0x68, 0x7a, 0xad } },
};
}

static void check_row(Test& test, const Row& row)
{
    u8 zeros[32] = {};
    const void* data = row.text ? static_cast<const void*>(row.text) : zeros;
    size_t bytes = row.text ? __builtin_strlen(row.text) : sizeof(zeros);
    u8 digest[32];
    CHECK_EQ(host_crc32c(data, bytes), row.crc32c);
    CHECK_EQ(host_xxh64(data, bytes, 0), row.xxh64);
    host_sha256(data, bytes, digest);
    CHECK(compare_bytes(digest, row.sha256_first, 4) == 0);
    if (bytes) {
        CHECK(host_xxh64(data, bytes, 1) != row.xxh64);
        CHECK(host_crc32c(data, bytes - 1) != row.crc32c);
    }
}

LCPFS_TABLE_SUITE(checksum, k_rows, check_row);

}
