// SPDX-License-Identifier: GPL-2.0-only
// OutcomeHistory: the last 100 measured outcomes of a partition's own actions, and what they promise for another one.
//
// benefit(action, pressure) = the mean improvement among this partition's outcomes of that action at pressures within 30 %
// (|a - b| <= 0.3 max(a, b), and all below 1 are alike); when there is none yet, 0.1 x pressure, the prior; when the mean is
// not above zero, 0. Improvements are in percent (controller_outcome.cc says of what).
#pragma once

#include "core/base/span.h"
#include "core/partition/fixed_point.h"

namespace lcpfs {

enum class ActionKind : u8 { grow = 1, shrink = 2 };

struct StepOutcome {
    ActionKind action { ActionKind::grow };
    Fixed pressure;
    Fixed improvement;
};

// What an improvement can be: a gain of -1000..100 percent, and at most the whole pool either way.
constexpr bool is_improvement(Fixed improvement) { return improvement >= Fixed(-1400) && improvement <= Fixed(500); }

class OutcomeHistory {
public:
    static constexpr u32 k_capacity = 100;

    void add(const StepOutcome& outcome);
    u32 size() const { return m_size; }
    // 0 is the oldest.
    const StepOutcome& at(u32 index) const { return m_outcomes[(m_first + index) % k_capacity]; }
    Fixed benefit(ActionKind action, Fixed pressure, Fixed prior) const;
    static Fixed prior_benefit(Fixed pressure) { return pressure / Fixed(10); }
    void clear() { m_size = m_first = 0; }

private:
    StepOutcome m_outcomes[k_capacity];
    u32 m_first { 0 }, m_size { 0 };
};

}
