// SPDX-License-Identifier: GPL-2.0-only
#include "core/partition/learned_threshold.h"

namespace lcpfs {

namespace {

constexpr u64 k_most_observations = 1ull << 40; // an outcome a second for 30000 years

}

Fixed LearnedThreshold::variance() const
{
    return m_observations < 2 ? Fixed() : m_squares / Fixed::from_unsigned(m_observations - 1);
}

Fixed LearnedThreshold::uncertainty() const
{
    return m_observations < 2 ? Fixed() : (variance() / Fixed::from_unsigned(m_observations)).square_root();
}

Fixed LearnedThreshold::rate() const
{
    return Fixed(1) / (Fixed(1) + Fixed::from_unsigned(m_observations).square_root() / Fixed(10));
}

Fixed LearnedThreshold::confidence() const
{
    const Fixed known = Fixed(1) - Fixed(1) / (Fixed(1) + Fixed::from_unsigned(m_observations) / Fixed(100));
    return known / (Fixed(1) + uncertainty());
}

bool LearnedThreshold::allows(Fixed benefit) const
{
    return benefit / (uncertainty() + Fixed::from_ratio(1, 10000000000)) > Fixed(1);
}

bool LearnedThreshold::learn(Fixed improvement, Fixed target)
{
    if (!is_evidence(improvement))
        return false;
    if (m_observations < k_most_observations)
        m_observations++;
    const Fixed from_old_mean = improvement - m_mean;
    m_mean += from_old_mean / Fixed::from_unsigned(m_observations);
    m_squares += from_old_mean * (improvement - m_mean);
    const Fixed nearer = clamped(target, m_value.shifted_down(2), m_value * Fixed(4));
    m_value = clamped(m_value + (nearer - m_value) * rate(), m_bounds.low, m_bounds.high);
    return true;
}

bool LearnedThreshold::restore(Fixed value, u64 observations, Fixed mean, Fixed squares)
{
    if (value < m_bounds.low || value > m_bounds.high || observations > k_most_observations || squares.is_negative())
        return false;
    if (observations == 0 && (mean != Fixed() || squares != Fixed()))
        return false;
    m_value = value;
    m_observations = observations;
    m_mean = mean;
    m_squares = squares;
    return true;
}

}
