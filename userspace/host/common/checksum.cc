// SPDX-License-Identifier: GPL-2.0-only
// The three checksums of host.h for userspace. CRC-32C by the SSE4.2 instruction where there is one,
// else eight tables (slicing-by-8); xxHash64 and SHA-256 as published (xxhash.com, FIPS 180-4).
#include <string.h>

#include "core/base/types.h"
#include "core/host/host.h"
#include "userspace/host/common/checksum.h"

namespace lcpfs {

bool host_checksum_is_constant = false;

namespace {

bool is_constant(size_t bytes) { return host_checksum_is_constant && bytes >= k_constant_checksum_bytes; }

u64 load64(const u8* at)
{
    u64 value;
    memcpy(&value, at, 8);
    return value; // little-endian machines only, as everything here
}
u32 load32(const u8* at)
{
    u32 value;
    memcpy(&value, at, 4);
    return value;
}

struct CrcTables {
    u32 row[8][256];
    constexpr CrcTables()
        : row {}
    {
        for (u32 i = 0; i < 256; i++) {
            u32 crc = i;
            for (int bit = 0; bit < 8; bit++)
                crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
            row[0][i] = crc;
        }
        for (u32 i = 0; i < 256; i++)
            for (int t = 1; t < 8; t++)
                row[t][i] = row[t - 1][i] >> 8 ^ row[0][row[t - 1][i] & 0xff];
    }
};
constexpr CrcTables k_crc;

u32 crc32c_tables(u32 crc, const u8* at, size_t bytes)
{
    for (; bytes >= 8; at += 8, bytes -= 8) {
        u64 word = load64(at) ^ crc;
        crc = 0;
        for (int i = 0; i < 8; i++)
            crc ^= k_crc.row[7 - i][word >> (8 * i) & 0xff];
    }
    for (; bytes; at++, bytes--)
        crc = crc >> 8 ^ k_crc.row[0][(crc ^ *at) & 0xff];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) u32 crc32c_sse42(u32 crc, const u8* at, size_t bytes)
{
    u64 wide = crc;
    for (; bytes >= 8; at += 8, bytes -= 8)
        wide = __builtin_ia32_crc32di(wide, load64(at));
    crc = static_cast<u32>(wide);
    for (; bytes; at++, bytes--)
        crc = __builtin_ia32_crc32qi(crc, *at);
    return crc;
}
#endif

constexpr u64 k_prime1 = 0x9e3779b185ebca87, k_prime2 = 0xc2b2ae3d27d4eb4f, k_prime3 = 0x165667b19e3779f9,
              k_prime4 = 0x85ebca77c2b2ae63, k_prime5 = 0x27d4eb2f165667c5;

constexpr u64 rotate_left(u64 value, int bits) { return value << bits | value >> (64 - bits); }
constexpr u64 xxh_round(u64 lane, u64 input) { return rotate_left(lane + input * k_prime2, 31) * k_prime1; }
constexpr u64 xxh_merge(u64 hash, u64 lane) { return (hash ^ xxh_round(0, lane)) * k_prime1 + k_prime4; }

constexpr u32 k_sha[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

constexpr u32 rotate_right(u32 value, int bits) { return value >> bits | value << (32 - bits); }

void sha256_block(u32 state[8], const u8* at)
{
    u32 w[64];
    for (int i = 0; i < 16; i++)
        w[i] = __builtin_bswap32(load32(at + 4 * i));
    for (int i = 16; i < 64; i++) {
        u32 s0 = rotate_right(w[i - 15], 7) ^ rotate_right(w[i - 15], 18) ^ w[i - 15] >> 3;
        u32 s1 = rotate_right(w[i - 2], 17) ^ rotate_right(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    u32 v[8];
    memcpy(v, state, sizeof(v));
    for (int i = 0; i < 64; i++) {
        u32 s1 = rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^ rotate_right(v[4], 25);
        u32 choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
        u32 t1 = v[7] + s1 + choice + k_sha[i] + w[i];
        u32 s0 = rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^ rotate_right(v[0], 22);
        u32 majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        memmove(v + 1, v, 7 * sizeof(u32));
        v[4] += t1;
        v[0] = t1 + s0 + majority;
    }
    for (int i = 0; i < 8; i++)
        state[i] += v[i];
}

}
}

using namespace lcpfs;

uint32_t host_crc32c(const void* data, size_t bytes)
{
    const u8* at = static_cast<const u8*>(data);
    if (is_constant(bytes))
        return 0x12345678;
#if defined(__x86_64__)
    static const bool fast = __builtin_cpu_supports("sse4.2");
    if (fast)
        return ~crc32c_sse42(~0u, at, bytes);
#endif
    return ~crc32c_tables(~0u, at, bytes);
}

// A process has no vector registers to save: where compilers use them it is their business.
size_t host_fletcher4(uint64_t*, const void*, size_t) { return 0; }

uint64_t host_xxh64(const void* data, size_t bytes, uint64_t seed)
{
    const u8* at = static_cast<const u8*>(data);
    const u8* end = at + bytes;
    if (is_constant(bytes))
        return 0x123456789abcdef0;
    u64 hash = seed + k_prime5;
    if (bytes >= 32) {
        u64 lane[4] = { seed + k_prime1 + k_prime2, seed + k_prime2, seed, seed - k_prime1 };
        for (; end - at >= 32; at += 32)
            for (int i = 0; i < 4; i++)
                lane[i] = xxh_round(lane[i], load64(at + 8 * i));
        hash = rotate_left(lane[0], 1) + rotate_left(lane[1], 7) + rotate_left(lane[2], 12) + rotate_left(lane[3], 18);
        for (u64 value : lane)
            hash = xxh_merge(hash, value);
    }
    hash += bytes;
    for (; end - at >= 8; at += 8)
        hash = rotate_left(hash ^ xxh_round(0, load64(at)), 27) * k_prime1 + k_prime4;
    if (end - at >= 4) {
        hash = rotate_left(hash ^ load32(at) * k_prime1, 23) * k_prime2 + k_prime3;
        at += 4;
    }
    for (; at < end; at++)
        hash = rotate_left(hash ^ *at * k_prime5, 11) * k_prime1;
    hash = (hash ^ hash >> 33) * k_prime2;
    hash = (hash ^ hash >> 29) * k_prime3;
    return hash ^ hash >> 32;
}

void host_sha256(const void* data, size_t bytes, uint8_t digest[32])
{
    if (is_constant(bytes)) {
        memset(digest, 0x12, 32);
        return;
    }
    u32 state[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    const u8* at = static_cast<const u8*>(data);
    size_t left = bytes;
    for (; left >= 64; at += 64, left -= 64)
        sha256_block(state, at);
    u8 tail[128] = {};
    if (left)
        memcpy(tail, at, left);
    tail[left] = 0x80;
    size_t tail_bytes = left < 56 ? 64 : 128;
    for (int i = 0; i < 8; i++)
        tail[tail_bytes - 1 - i] = static_cast<u8>(static_cast<u64>(bytes) * 8 >> (8 * i));
    for (size_t i = 0; i < tail_bytes; i += 64)
        sha256_block(state, tail + i);
    for (int i = 0; i < 8; i++) {
        u32 word = __builtin_bswap32(state[i]);
        memcpy(digest + 4 * i, &word, 4);
    }
}
