// SPDX-License-Identifier: GPL-2.0-only
#include "core/partition/meter.h"

namespace lcpfs {

void DecayedWindow::fold(Fixed sample, u64 elapsed_ms, u64 time_constant_ms)
{
    if (!m_has_samples) {
        m_value = sample;
        m_has_samples = true;
        return;
    }
    m_value += (sample - m_value) * Fixed::from_ratio_unsigned(elapsed_ms, elapsed_ms + time_constant_ms);
}

PartitionMeter::Sample PartitionMeter::collect()
{
    Sample now;
    for (const Stripe& stripe : m_stripes) {
        now.accesses += stripe.accesses.load_relaxed();
        now.timed += stripe.timed.load_relaxed();
        now.latency_us += stripe.latency_us.load_relaxed();
    }
    const Sample risen { now.accesses - m_collected.accesses, now.timed - m_collected.timed, now.latency_us - m_collected.latency_us };
    m_collected = now;
    return risen;
}

}
