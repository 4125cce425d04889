// SPDX-License-Identifier: GPL-2.0-only
// Fixed where every bit of the result is known. Against a double-precision model: userspace/test/fixed_point_model.cc.
#include "core/partition/fixed_point.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr Fixed raw(u64 high, u64 low) { return Fixed::from_halves(high, low); }
constexpr u64 k_half = 1ull << 63;
constexpr Fixed k_tiny = raw(0, 1);

bool same(Fixed a, Fixed b) { return a == b; }

void integers(Test& test)
{
    CHECK(same(Fixed(7) + Fixed(-9), Fixed(-2)));
    CHECK(same(Fixed(7) * Fixed(-9), Fixed(-63)));
    CHECK(same(Fixed(-63) / Fixed(-9), Fixed(7)));
    CHECK(same(Fixed(1ll << 40) * Fixed(1ll << 22), Fixed(1ll << 62)));
    CHECK(same(Fixed(144).square_root(), Fixed(12)));
    CHECK(same(Fixed(1ll << 62).square_root(), Fixed(1ll << 31)));
    CHECK_EQ(Fixed(5).floor(), 5);
    CHECK_EQ(raw(~0ull, k_half).floor(), -1); // -0.5
    CHECK_EQ(Fixed(-5).whole(), 0u);
    CHECK_EQ((Fixed(10) / Fixed(4)).whole(), 2u);
    CHECK_EQ(Fixed::from_ratio(-1, 8).thousandths(), 125u);
    CHECK_EQ(Fixed::maximum().thousandths(), ~0ull);
    CHECK(Fixed(-3) < Fixed(2) && Fixed(2) > Fixed(-3) && Fixed(2) <= Fixed(2) && Fixed(-3) >= Fixed(-3));
}

void saturates(Test& test)
{
    const Fixed most = Fixed::maximum(), least = Fixed::minimum();
    CHECK(same(most + k_tiny, most));
    CHECK(same(least - k_tiny, least));
    CHECK(same(most + least, Fixed()));
    CHECK(same(-least, most));
    CHECK(same(raw(1ull << 63, 0), least)); // the pattern beyond the range
    CHECK(same(most * most, most));
    CHECK(same(most * least, least));
    CHECK(same(most * Fixed(1), most));
    CHECK(same(least * Fixed(-1), most));
    CHECK(same(Fixed(1ll << 32) * Fixed(1ll << 31), most));
    CHECK(same(most / k_tiny, most));
    CHECK(same(least / k_tiny, least));
    CHECK(same(Fixed(1) / k_tiny, most));
    CHECK(same(Fixed(5) / Fixed(0), most));
    CHECK(same(Fixed(-5) / Fixed(0), least));
    CHECK(same(Fixed(0) / Fixed(0), Fixed()));
    CHECK(same(most / most, Fixed(1)));
    CHECK(same(Fixed::from_unsigned(~0ull), most));
    CHECK(same(Fixed(INT64_MIN), least));
    CHECK(same(Fixed(-4).square_root(), Fixed()));
    CHECK(same(Fixed::from_ratio_unsigned(~0ull, ~0ull), Fixed(1)));
}

void rounding(Test& test)
{
    CHECK(same(k_tiny * raw(0, k_half), k_tiny));               // half of the resolution: away from zero
    CHECK(same(-k_tiny * raw(0, k_half), -k_tiny));
    CHECK(same(k_tiny * raw(0, k_half - 1), Fixed()));
    CHECK(same(k_tiny / Fixed(2), k_tiny));
    CHECK(same(k_tiny / Fixed(3), Fixed()));
    CHECK(same(Fixed(1) / Fixed(3), raw(0, 0x5555555555555555)));
    CHECK(same(Fixed(2) / Fixed(3), raw(0, 0xaaaaaaaaaaaaaaab)));
    CHECK(same(Fixed(-2) / Fixed(3), -raw(0, 0xaaaaaaaaaaaaaaab)));
    CHECK(same(Fixed(2).square_root(), raw(1, 0x6a09e667f3bcc909))); // 0.7 of the last place is rounded up
    CHECK(same(k_tiny.square_root(), raw(0, 1ull << 32)));
    CHECK(same(Fixed(-1).shifted_down(1), raw(~0ull, k_half)));
}

// a * b / b gives a back, and the root of a square is the number, whatever the number.
void inverses(Test& test)
{
    u64 seed = 88172645463325252ull;
    for (int i = 0; i < 20000; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        const Fixed a = raw(seed >> 40, seed);
        const Fixed b = raw(seed >> 60, ~seed * 3) + Fixed(1);
        const Fixed back = a * b / b, root = (a * a).square_root();
        if (!CHECK((back - a).magnitude() <= k_tiny) || !CHECK((root - a).magnitude() <= k_tiny))
            return;
        CHECK(same(a * b, b * a));
        CHECK(same(-a * b, -(a * b)));
        CHECK(same(Fixed::from_halves(a.high_half(), a.low_half()), a));
    }
}

constexpr TestCase k_cases[] = {
    { "integers", integers },
    { "saturates", saturates },
    { "rounding", rounding },
    { "inverses", inverses },
};

}

LCPFS_SUITE(fixed_point, k_cases);

}
