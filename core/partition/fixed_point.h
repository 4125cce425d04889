// SPDX-License-Identifier: GPL-2.0-only
// Fixed: the numbers of the partition controller. Signed Q63.64 in 128 bits: the kernel has no floating point, and Q32.32
// could not hold what the controller is made of: epsilon (microseconds x share x accesses per second) passes 2^31 on one fast
// device, and the 1e-10 that keeps a division by the uncertainty defined is less than 2^-32.
//
// Range: -(2^63 - 2^-64) .. 2^63 - 2^-64, symmetric, so negation never overflows. Resolution: 2^-64.
// Everything saturates at the ends of the range; nothing wraps, nothing traps.
// Rounding: add, sub and negation are exact; multiply, divide, square root and from_ratio round to the nearest multiple
// of the resolution, halves away from zero (a square root is never a half).
// Division by zero gives the end of the range of the dividend's sign, and zero for 0 / 0. The square root of a negative
// number is zero.
// Useful range: a result of one operation whose magnitude is in 2^-44 .. 2^63 (5.7e-14 .. 9.2e18) has a relative error below
// 2^-21 (4.8e-7), from 2^-24 on below 2^-41.
//
// Integer arithmetic throughout, and no operation that the compiler would turn into a library call (the kernel has no
// __udivti3): the same numbers come out in every host, so decisions replay.
#pragma once

#include "core/base/types.h"

namespace lcpfs {

using i128 = __int128;
using u128 = unsigned __int128;

class Fixed {
public:
    static constexpr u32 k_fraction_bits = 64;

    constexpr Fixed() = default;
    constexpr Fixed(i64 integer) : m_raw(clamp(static_cast<i128>(integer) * (static_cast<i128>(1) << k_fraction_bits))) {}
    static constexpr Fixed from_unsigned(u64 integer)
    {
        return integer >> 63 ? maximum() : Fixed(static_cast<i64>(integer));
    }
    static Fixed from_ratio(i64 numerator, i64 denominator) { return Fixed(numerator) / Fixed(denominator); }
    static Fixed from_ratio_unsigned(u64 numerator, u64 denominator);
    // The two halves of the number as it stands on disk; the one pattern beyond the range reads as its end.
    static constexpr Fixed from_halves(u64 high, u64 low) { return from_raw(static_cast<i128>(static_cast<u128>(high) << 64 | low)); }
    constexpr u64 high_half() const { return static_cast<u64>(static_cast<u128>(m_raw) >> 64); }
    constexpr u64 low_half() const { return static_cast<u64>(m_raw); }

    static constexpr Fixed maximum() { return from_raw(k_largest); }
    static constexpr Fixed minimum() { return from_raw(-k_largest); }
    constexpr bool is_saturated() const { return m_raw == k_largest || m_raw == -k_largest; }

    friend constexpr Fixed operator+(Fixed a, Fixed b)
    {
        i128 sum;
        if (__builtin_add_overflow(a.m_raw, b.m_raw, &sum))
            return a.m_raw < 0 ? minimum() : maximum();
        return from_raw(sum);
    }
    friend constexpr Fixed operator-(Fixed a) { return from_raw(-a.m_raw); }
    friend constexpr Fixed operator-(Fixed a, Fixed b) { return a + -b; }
    friend Fixed operator*(Fixed a, Fixed b);
    friend Fixed operator/(Fixed a, Fixed b);
    Fixed& operator+=(Fixed other) { return *this = *this + other; }
    Fixed& operator-=(Fixed other) { return *this = *this - other; }
    friend constexpr bool operator==(Fixed a, Fixed b) = default;
    friend constexpr bool operator<(Fixed a, Fixed b) { return a.m_raw < b.m_raw; }
    friend constexpr bool operator>(Fixed a, Fixed b) { return a.m_raw > b.m_raw; }
    friend constexpr bool operator<=(Fixed a, Fixed b) { return a.m_raw <= b.m_raw; }
    friend constexpr bool operator>=(Fixed a, Fixed b) { return a.m_raw >= b.m_raw; }

    Fixed square_root() const;
    // A quarter and the like: exact but for what falls below the resolution (towards minus infinity).
    constexpr Fixed shifted_down(u32 bits) const { return from_raw(m_raw >> bits); }

    // Towards minus infinity.
    constexpr i64 floor() const { return static_cast<i64>(m_raw >> k_fraction_bits); }
    // As a count: negative is 0, fractions are dropped.
    constexpr u64 whole() const { return m_raw < 0 ? 0 : static_cast<u64>(m_raw >> k_fraction_bits); }
    // Magnitude in thousandths, for messages and files: rounded down, saturating.
    u64 thousandths() const;
    constexpr bool is_negative() const { return m_raw < 0; }
    constexpr Fixed magnitude() const { return m_raw < 0 ? from_raw(-m_raw) : *this; }

private:
    static constexpr i128 k_largest = static_cast<i128>(~static_cast<u128>(0) >> 1);
    static constexpr i128 clamp(i128 raw) { return raw < -k_largest ? -k_largest : raw; }
    static constexpr Fixed from_raw(i128 raw)
    {
        Fixed value;
        value.m_raw = clamp(raw);
        return value;
    }
    static Fixed from_magnitude(u128 magnitude, bool negative);
    constexpr u128 absolute() const { return static_cast<u128>(m_raw < 0 ? -m_raw : m_raw); }

    i128 m_raw { 0 };
};

inline constexpr Fixed clamped(Fixed value, Fixed low, Fixed high) { return value < low ? low : value > high ? high : value; }

}
