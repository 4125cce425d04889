// SPDX-License-Identifier: GPL-2.0-only
// Fixed against double precision: every operation over random and extreme operands. Within the useful range of
// core/partition/fixed_point.h the relative error is below 1e-6; below it the absolute one is within the resolution; beyond the
// range the result is its end.
#include <math.h>
#include <stdio.h>

#include "core/partition/fixed_point.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr double k_resolution = 0x1p-64, k_useful = 0x1p-44, k_end = 0x1p63;

double to_double(Fixed value)
{
    const Fixed size = value.magnitude();
    const double result = static_cast<double>(size.high_half()) + static_cast<double>(size.low_half()) * k_resolution;
    return value.is_negative() ? -result : result;
}

struct Source {
    u64 state { 0x2545f4914f6cdd1d };
    u64 next()
    {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        return state * 0x9e3779b97f4a7c15;
    }
    // Magnitudes spread evenly over the exponents, and the extremes among them.
    Fixed number()
    {
        static const Fixed k_extremes[] = { Fixed(), Fixed(1), Fixed(-1), Fixed::maximum(), Fixed::minimum(), Fixed::from_halves(0, 1),
                                            -Fixed::from_halves(0, 1), Fixed::from_halves(0, 1844674407), Fixed(1ll << 62) };
        const u64 choice = next();
        if (choice % 16 == 0)
            return k_extremes[choice / 16 % (sizeof(k_extremes) / sizeof(k_extremes[0]))];
        u64 high = next(), low = next();
        const u32 bits = static_cast<u32>(choice / 16 % 127) + 1; // of the 127 that there are
        if (bits <= 64)
            high = 0, low >>= 64 - bits;
        else
            high >>= 128 - bits;
        const Fixed value = Fixed::from_halves(high, low);
        return choice >> 63 ? -value : value;
    }
};

// What stands for `exact` has to be this near.
bool near(double exact, Fixed result, double& worst)
{
    const double found = to_double(result);
    if (fabs(exact) > k_end)
        return result.is_saturated() && (found < 0) == (exact < 0);
    const double error = fabs(found - exact);
    if (fabs(exact) < k_useful)
        return error <= k_resolution * 1.001;
    // At the end itself the model has rounded, and so either is right.
    const double relative = error / fabs(exact);
    worst = fmax(worst, relative);
    return relative < 1e-6;
}

struct Row {
    const char* name;
    Fixed (*fixed)(Fixed a, Fixed b);
    double (*model)(double a, double b);
};
constexpr Row k_rows[] = {
    { "add", [](Fixed a, Fixed b) { return a + b; }, [](double a, double b) { return a + b; } },
    { "subtract", [](Fixed a, Fixed b) { return a - b; }, [](double a, double b) { return a - b; } },
    { "multiply", [](Fixed a, Fixed b) { return a * b; }, [](double a, double b) { return a * b; } },
    { "divide", [](Fixed a, Fixed b) { return a / b; },
      [](double a, double b) { return b != 0 ? a / b : a == 0 ? 0 : a < 0 ? -k_end : k_end; } },
    { "square_root", [](Fixed a, Fixed) { return a.square_root(); }, [](double a, double) { return a > 0 ? sqrt(a) : 0; } },
    { "from_integer", [](Fixed a, Fixed) { return Fixed(a.floor()); }, [](double a, double) { return floor(a); } },
};

bool exact_difference(const Row& row)
{
    return row.name[0] == 'a' || row.name[0] == 's';
}

void check_row(Test& test, const Row& row)
{
    Source source;
    double worst = 0;
    for (int i = 0; i < 200000; i++) {
        const Fixed a = source.number(), b = source.number();
        const double x = to_double(a), y = to_double(b), exact = row.model(x, y);
        // Where two large ones nearly cancel the model is the one that is wrong: by the rounding of its operands.
        if (exact_difference(row) && fabs(exact) < 1e-9 * fmax(fabs(x), fabs(y)) && row.name[1] != 'q')
            continue;
        // The integers next to a double of more than 53 bits are not in the model.
        if (row.name[0] == 'f' && fabs(x) < 1 && x != 0)
            continue;
        const Fixed result = row.fixed(a, b);
        if (!near(exact, result, worst)) {
            printf("%s(%.17g, %.17g): %.17g, not %.17g\n", row.name, x, y, to_double(result), exact);
            CHECK(false);
            return;
        }
    }
    CHECK(worst < 1e-6);
}

// The formulas as the controller uses them, over the range it meets: accesses from one in an hour to ten million a second,
// latencies from a microsecond to ten seconds, shares from nothing to all.
void formulas(Test& test)
{
    Source source;
    for (int i = 0; i < 100000; i++) {
        const u64 per_hour = 1 + source.next() % 36000000000, latency_us = 1 + source.next() % 10000000;
        const u64 size = 1 + source.next() % (1ull << 48), used = source.next() % (size + 1);
        const u64 most = size + size / 64 + source.next() % (1ull << 48);
        const Fixed frequency = Fixed::from_ratio_unsigned(per_hour, 3600), utilisation = Fixed::from_ratio_unsigned(used, size);
        const Fixed headroom = Fixed::from_ratio_unsigned(most - size, most);
        const double f = static_cast<double>(per_hour) / 3600, u = static_cast<double>(used) / static_cast<double>(size);
        const double h = static_cast<double>(most - size) / static_cast<double>(most);
        double worst = 0;
        if (!CHECK(near(static_cast<double>(latency_us) * u * f, Fixed::from_unsigned(latency_us) * utilisation * frequency, worst)) ||
            !CHECK(near(u * f / h, utilisation * frequency / headroom, worst)))
            return;
    }
}

void formulas_row(Test& test) { formulas(test); }

const char* case_name(unsigned index)
{
    constexpr unsigned rows = sizeof(k_rows) / sizeof(k_rows[0]);
    return index < rows ? k_rows[index].name : "formulas";
}
void run(unsigned index, Test& test)
{
    constexpr unsigned rows = sizeof(k_rows) / sizeof(k_rows[0]);
    if (index < rows)
        check_row(test, k_rows[index]);
    else
        formulas_row(test);
}

}

extern constinit const TestSuite fixed_point_model_suite = { "fixed_point_model", sizeof(k_rows) / sizeof(k_rows[0]) + 1, case_name, run };

}
