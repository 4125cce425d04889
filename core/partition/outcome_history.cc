// SPDX-License-Identifier: GPL-2.0-only
#include "core/partition/outcome_history.h"

namespace lcpfs {

namespace {

bool alike(Fixed a, Fixed b)
{
    const Fixed larger = max(a, b);
    return larger < Fixed(1) || (a - b).magnitude() <= larger / Fixed(10) * Fixed(3);
}

}

void OutcomeHistory::add(const StepOutcome& outcome)
{
    if (m_size < k_capacity) {
        m_outcomes[(m_first + m_size++) % k_capacity] = outcome;
        return;
    }
    m_outcomes[m_first] = outcome;
    m_first = (m_first + 1) % k_capacity;
}

Fixed OutcomeHistory::benefit(ActionKind action, Fixed pressure, Fixed prior) const
{
    Fixed sum;
    u32 count = 0;
    for (u32 i = 0; i < m_size; i++) {
        const StepOutcome& outcome = at(i);
        if (outcome.action != action || !alike(outcome.pressure, pressure))
            continue;
        sum += outcome.improvement;
        count++;
    }
    if (count == 0)
        return prior;
    return sum.is_negative() ? Fixed() : sum / Fixed(count);
}

}
