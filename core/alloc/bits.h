// SPDX-License-Identifier: GPL-2.0-only
// Words of a bitmap. On disk bit i is bit i % 8 of byte i / 8; a bitmap stays in that form in memory, so that it goes
// out without a copy, and a word is turned only where bits are looked at by place.
#pragma once

#include "core/base/types.h"

namespace lcpfs {

constexpr u64 k_all_bits = ~0ull;

inline u64 to_cpu(u64 stored)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(stored);
#else
    return stored;
#endif
}
inline u64 to_disk(u64 word) { return to_cpu(word); }

// The compiler would call a library function the kernel lacks.
constexpr u32 count_bits(u64 x)
{
    x = x - (x >> 1 & 0x5555555555555555ull);
    x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
    return static_cast<u32>(x * 0x0101010101010101ull >> 56);
}

// `count` bits from `first`, both within one word.
constexpr u64 bit_range(u32 first, u32 count) { return (count == 64 ? k_all_bits : (1ull << count) - 1) << first; }

// The first bit of each aligned group of `group` (a power of two, at most 16) set bits of x.
constexpr u64 full_groups(u64 x, u32 group)
{
    constexpr u64 k_starts[] = { k_all_bits, 0x5555555555555555ull, 0x1111111111111111ull, 0x0101010101010101ull, 0x0001000100010001ull };
    u32 shift = 0;
    for (; 1u << shift < group; shift++)
        x &= x >> (1u << shift);
    return x & k_starts[shift];
}
// All bits of the groups that full_groups gave.
constexpr u64 cover_groups(u64 starts, u32 group) { return starts * ((1ull << group) - 1); }

static_assert(full_groups(0xff0e, 4) == 0x1100 && cover_groups(0x1100, 4) == 0xff00);

}
