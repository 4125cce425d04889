// SPDX-License-Identifier: GPL-2.0-only
// LearnedThreshold: a number that begins at a prior and is moved by measured outcomes (spec/partition.md, "Numbers").
//
//     mean, variance     of the improvements seen, by Welford's method (variance of a sample: n - 1 below)
//     uncertainty        sqrt(variance / n)
//     learning rate      1 / (1 + 0.1 sqrt(n))
//     confidence         (1 - 1 / (1 + 0.01 n)) / (1 + uncertainty)
//
// One observation says nothing of variance; with fewer than two the uncertainty is 0, and what acts is the prior (it starts).
// An outcome moves the value by the learning rate towards a target that its caller knows: where it acted when that helped, a
// place where it would act less when it hurt. At most to a quarter or four times of itself at once: a pressure may be
// anything, and one outcome is one outcome. The value stays within its bounds always, whatever is read from a disk.
// An improvement of less than k_no_change is no evidence: it moves nothing and is not counted, so that a hundred actions which
// changed nothing do not look like certainty.
#pragma once

#include "core/partition/fixed_point.h"

namespace lcpfs {

struct ThresholdBounds {
    Fixed low, high;
};

class LearnedThreshold {
public:
    LearnedThreshold(Fixed prior, ThresholdBounds bounds) : m_bounds(bounds), m_value(prior) {}

    Fixed value() const { return m_value; }
    u64 observations() const { return m_observations; }
    Fixed mean() const { return m_mean; }
    Fixed squares() const { return m_squares; } // sum of the squared distances from the mean
    const ThresholdBounds& bounds() const { return m_bounds; }
    Fixed variance() const;
    Fixed uncertainty() const;
    Fixed rate() const;
    Fixed confidence() const;
    // benefit / (uncertainty + 1e-10) > 1
    bool allows(Fixed benefit) const;

    static bool is_evidence(Fixed improvement) { return improvement.magnitude() >= no_change(); }
    // False when it was no evidence.
    bool learn(Fixed improvement, Fixed target);

    // What was stored. False, and nothing changed, when it cannot be of this threshold.
    [[nodiscard]] bool restore(Fixed value, u64 observations, Fixed mean, Fixed squares);

private:
    static Fixed no_change() { return Fixed::from_ratio(1, 100); } // percent
    ThresholdBounds m_bounds;
    Fixed m_value;
    u64 m_observations { 0 };
    Fixed m_mean, m_squares;
};

}
