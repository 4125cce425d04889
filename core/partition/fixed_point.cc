// SPDX-License-Identifier: GPL-2.0-only
#include "core/partition/fixed_point.h"

namespace lcpfs {

namespace {

constexpr u64 low(u128 x) { return static_cast<u64>(x); }
constexpr u64 high(u128 x) { return static_cast<u64>(x >> 64); }

u32 bits_of(u128 x)
{
    if (high(x))
        return 128 - static_cast<u32>(__builtin_clzll(high(x)));
    return low(x) ? 64 - static_cast<u32>(__builtin_clzll(low(x))) : 0;
}

// Shifts of 128 bits by a variable amount, from those of 64.
u128 shifted_up(u128 x, u32 bits)
{
    if (bits == 0)
        return x;
    if (bits >= 64)
        return static_cast<u128>(low(x) << (bits - 64)) << 64;
    return static_cast<u128>(high(x) << bits | low(x) >> (64 - bits)) << 64 | low(x) << bits;
}

}

Fixed Fixed::from_magnitude(u128 magnitude, bool negative)
{
    const i128 raw = magnitude > static_cast<u128>(k_largest) ? k_largest : static_cast<i128>(magnitude);
    return from_raw(negative ? -raw : raw);
}

Fixed Fixed::from_ratio_unsigned(u64 numerator, u64 denominator)
{
    // Both halved when one has the top bit: they are counts of blocks, and this keeps them in range.
    const u32 shift = (numerator | denominator) >> 63 ? 1 : 0;
    return from_unsigned(numerator >> shift) / from_unsigned(denominator >> shift);
}

Fixed operator*(Fixed a, Fixed b)
{
    const u128 x = a.absolute(), y = b.absolute();
    const bool negative = a.is_negative() != b.is_negative();
    // (x * y) >> 64 of the four partial products, rounded by the bit below.
    const u128 lowest = static_cast<u128>(low(x)) * low(y);
    const u128 middle = static_cast<u128>(high(x)) * low(y), other_middle = static_cast<u128>(low(x)) * high(y);
    const u128 highest = static_cast<u128>(high(x)) * high(y);
    if (high(highest) != 0 || low(highest) >> 63)
        return Fixed::from_magnitude(~static_cast<u128>(0), negative);
    u128 sum = highest << 64;
    const u128 parts[] = { middle, other_middle, static_cast<u128>(high(lowest)) + (low(lowest) >> 63) };
    for (u128 part : parts)
        if (__builtin_add_overflow(sum, part, &sum))
            return Fixed::from_magnitude(~static_cast<u128>(0), negative);
    return Fixed::from_magnitude(sum, negative);
}

Fixed operator/(Fixed a, Fixed b)
{
    if (b.m_raw == 0)
        return a.m_raw == 0 ? Fixed() : a.is_negative() ? Fixed::minimum() : Fixed::maximum();
    const u128 divisor = b.absolute();
    const bool negative = a.is_negative() != b.is_negative();
    u128 rest = a.absolute(), quotient = 0;
    // The integer part, by shift and subtract. Both are below 2^127, so nothing shifted below is lost.
    if (rest >= divisor) {
        for (u32 shift = bits_of(rest) - bits_of(divisor) + 1; shift-- > 0;) {
            const u128 part = shifted_up(divisor, shift);
            quotient <<= 1;
            if (rest >= part) {
                rest -= part;
                quotient |= 1;
            }
        }
    }
    if (bits_of(quotient) > 63)
        return Fixed::from_magnitude(~static_cast<u128>(0), negative);
    // 64 bits of fraction, then the nearest.
    for (u32 i = 0; i < Fixed::k_fraction_bits; i++) {
        rest <<= 1;
        quotient <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            quotient |= 1;
        }
    }
    if (rest >= divisor - rest)
        quotient++;
    return Fixed::from_magnitude(quotient, negative);
}

Fixed Fixed::square_root() const
{
    if (m_raw <= 0)
        return {};
    // The root of raw * 2^64 (so 192 bits under the root), two bits at a time from the top. The rest stays below 2^98.
    const u128 radicand = absolute();
    u128 root = 0, rest = 0;
    for (u32 pair = 96; pair-- > 0;) {
        const u64 half = pair >= 64 ? high(radicand) : pair >= 32 ? low(radicand) : 0;
        rest = rest << 2 | (half >> (2 * (pair % 32)) & 3);
        const u128 trial = root << 2 | 1;
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1;
        }
    }
    if (rest > root)
        root++;
    return from_magnitude(root, false);
}

u64 Fixed::thousandths() const
{
    const u128 scaled = static_cast<u128>(low(absolute())) * 1000;
    const u128 whole_part = static_cast<u128>(high(absolute())) * 1000 + high(scaled);
    return high(whole_part) ? ~0ull : low(whole_part);
}

}
