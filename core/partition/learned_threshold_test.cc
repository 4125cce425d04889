// SPDX-License-Identifier: GPL-2.0-only
// The formulas of LearnedThreshold and OutcomeHistory on numbers worked out by hand.
#include "core/partition/learned_threshold.h"

#include "core/host/memory.h"
#include "core/partition/meter.h"
#include "core/partition/outcome_history.h"
#include "core/partition/partition.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr ThresholdBounds k_bounds { Fixed(1), Fixed(1000) };

bool near(Fixed a, Fixed b) { return (a - b).magnitude() < Fixed::from_ratio(1, 1000000); }

void starts(Test& test)
{
    const LearnedThreshold fresh(Fixed(100), k_bounds);
    CHECK(fresh.value() == Fixed(100));
    CHECK(fresh.uncertainty() == Fixed());
    CHECK(fresh.rate() == Fixed(1));
    CHECK(fresh.confidence() == Fixed());
    CHECK(fresh.allows(Fixed::from_ratio(1, 1000)));  // it starts
    CHECK(!fresh.allows(Fixed()));
    CHECK(!fresh.allows(Fixed(-1)));
}

void statistics(Test& test)
{
    LearnedThreshold threshold(Fixed(100), k_bounds);
    constexpr i64 k_improvements[] = { 2, 4, 4, 4, 5, 5, 7, 9 };
    for (i64 improvement : k_improvements)
        CHECK(threshold.learn(Fixed(improvement), Fixed(100)));
    CHECK_EQ(threshold.observations(), 8u);
    CHECK(near(threshold.mean(), Fixed(5)));
    CHECK(near(threshold.variance(), Fixed::from_ratio(32, 7)));
    CHECK(near(threshold.uncertainty(), Fixed::from_ratio(755928946, 1000000000)));   // sqrt(32 / 7 / 8)
    CHECK(near(threshold.rate(), Fixed::from_ratio(779518791, 1000000000)));                // 1 / (1 + 0.1 sqrt 8)
    CHECK(near(threshold.confidence(), Fixed::from_ratio(42185120, 1000000000)));           // (1 - 1 / 1.08) / 1.755929
    CHECK(threshold.allows(Fixed::from_ratio(76, 100)));
    CHECK(!threshold.allows(Fixed::from_ratio(75, 100)));
}

// Drawn towards its target, never past it, by four times at most, never beyond its bounds; no change is no evidence.
void moves(Test& test)
{
    LearnedThreshold threshold(Fixed(100), k_bounds);
    CHECK(!threshold.learn(Fixed::from_ratio(9, 1000), Fixed(1)));
    CHECK(!threshold.learn(-Fixed::from_ratio(9, 1000), Fixed(1)));
    CHECK(threshold.value() == Fixed(100));
    CHECK_EQ(threshold.observations(), 0u);
    CHECK(threshold.learn(Fixed(5), Fixed(50)));
    CHECK(threshold.value() < Fixed(100) && threshold.value() > Fixed(50));
    const Fixed before = threshold.value();
    CHECK(threshold.learn(Fixed(5), Fixed(1000000)));
    CHECK(threshold.value() > before && threshold.value() <= before * Fixed(4));
    for (int i = 0; i < 100; i++)
        CHECK(threshold.learn(Fixed(5), Fixed::maximum()));
    CHECK(threshold.value() == Fixed(1000));
    for (int i = 0; i < 200; i++)
        CHECK(threshold.learn(Fixed(5), Fixed::minimum()));
    CHECK(threshold.value() == Fixed(1));
}

void restores(Test& test)
{
    LearnedThreshold threshold(Fixed(100), k_bounds);
    CHECK(!threshold.restore(Fixed(0), 5, Fixed(1), Fixed(1)));
    CHECK(!threshold.restore(Fixed(1001), 5, Fixed(1), Fixed(1)));
    CHECK(!threshold.restore(Fixed(10), 5, Fixed(1), Fixed(-1)));
    CHECK(!threshold.restore(Fixed(10), 0, Fixed(1), Fixed(0)));
    CHECK(!threshold.restore(Fixed(10), ~0ull, Fixed(1), Fixed(1)));
    CHECK(threshold.value() == Fixed(100) && threshold.observations() == 0);
    CHECK(threshold.restore(Fixed(10), 5, Fixed(1), Fixed(1)));
    CHECK(threshold.value() == Fixed(10) && threshold.observations() == 5);
}

void benefit(Test& test)
{
    auto made = make_box<OutcomeHistory>();
    REQUIRE_OK(made);
    OutcomeHistory& history = *made.value();
    const Fixed prior(7);
    CHECK(history.benefit(ActionKind::grow, Fixed(100), prior) == prior);
    history.add({ ActionKind::grow, Fixed(100), Fixed(4) });
    history.add({ ActionKind::grow, Fixed(130), Fixed(8) });
    history.add({ ActionKind::shrink, Fixed(100), Fixed(-50) });
    CHECK(history.benefit(ActionKind::grow, Fixed(110), prior) == Fixed(6));
    CHECK(history.benefit(ActionKind::grow, Fixed(143), prior) == Fixed(8)); // 100 is 30.07 % below
    CHECK(history.benefit(ActionKind::grow, Fixed(60), prior) == prior);     // nothing within 30 %
    CHECK(history.benefit(ActionKind::shrink, Fixed(100), prior) == Fixed()); // none good
    history.add({ ActionKind::grow, Fixed::from_ratio(1, 1000), Fixed(3) });
    CHECK(history.benefit(ActionKind::grow, Fixed(), prior) == Fixed(3));    // all below 1 are alike
    for (u32 i = 0; i < OutcomeHistory::k_capacity; i++)
        history.add({ ActionKind::grow, Fixed(1000), Fixed(static_cast<i64>(i)) });
    CHECK_EQ(history.size(), OutcomeHistory::k_capacity);
    CHECK(history.at(0).improvement == Fixed(0));
    CHECK(history.at(99).improvement == Fixed(99));
    CHECK(history.benefit(ActionKind::shrink, Fixed(100), prior) == prior); // forgotten
}

void pressure(Test& test)
{
    CHECK(headroom_of(100, 75) == Fixed::from_ratio(1, 4));
    CHECK(headroom_of(100, 100) == Fixed());
    CHECK(headroom_of(100, 200) == Fixed());
    CHECK(pressure_of(Fixed::from_ratio(1, 2), Fixed(200), Fixed::from_ratio(1, 4)) == Fixed(400));
    CHECK(pressure_of(Fixed(), Fixed(), headroom_of(1000, 995)) == Fixed::maximum());
}

void windows(Test& test)
{
    DecayedWindow window;
    window.fold(Fixed(8), 10000, 30000);
    CHECK(window.value() == Fixed(8));
    window.fold(Fixed(0), 10000, 30000);
    CHECK(window.value() == Fixed(6)); // a quarter of the way
    window.fold(Fixed(0), 30000, 30000);
    CHECK(window.value() == Fixed(3));

    auto made = make_box<PartitionMeter>();
    REQUIRE_OK(made);
    PartitionMeter& meter = *made.value();
    meter.note(100);
    meter.note(300);
    PartitionMeter::Sample sample = meter.collect();
    CHECK_EQ(sample.accesses, 2u);
    CHECK_EQ(sample.timed, 2u);
    CHECK_EQ(sample.latency_us, 400u);
    sample = meter.collect();
    CHECK_EQ(sample.accesses, 0u);
    CHECK_EQ(sample.timed, 0u);
    CHECK_EQ(sample.latency_us, 0u);

    // Of two kinds of access in turn, both are timed, about as often as each other.
    u32 timed[2] = {};
    for (u32 i = 0; i < 1400; i++) {
        if (meter.is_timed()) {
            meter.note(1);
            timed[i % 2]++;
        } else {
            meter.count();
        }
    }
    sample = meter.collect();
    CHECK_EQ(sample.accesses, 1400u);
    CHECK_EQ(sample.timed, timed[0] + timed[1]);
    CHECK(timed[0] >= 80 && timed[1] >= 80); // 100 if it all ran on one CPU
    CHECK(sample.timed <= 200 + PartitionMeter::k_stripes);
}

constexpr TestCase k_cases[] = {
    { "starts", starts },   { "statistics", statistics }, { "moves", moves },     { "restores", restores },
    { "benefit", benefit }, { "pressure", pressure },     { "windows", windows },
};

}

LCPFS_SUITE(learned_threshold, k_cases);

}
