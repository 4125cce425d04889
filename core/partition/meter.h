// SPDX-License-Identifier: GPL-2.0-only
// PartitionMeter: what a partition's own I/O says of it, noted on the I/O path and folded once per tick.
//
// The hot path is note(): which CPU we are on, then two relaxed additions to a stripe of that CPU's own: 13 instructions beside
// the host's call that tells the CPU. No lock, no loop, no division, and a cache line that no other CPU writes. Sixteen
// stripes: where there are more CPUs two share one, which is slower but right. The sums only rise; collect() gives what they
// rose by, so it writes nothing that the hot path reads. An access whose two halves fall into different ticks is off by
// one in both, for one tick.
//
// A window is an average that forgets: each tick of length dt moves it by dt / (dt + tau) of the way to what that tick saw
// (backward Euler of exponential decay with the time constant tau: stable for any dt).
#pragma once

#include "core/base/atomic.h"
#include "core/host/host.h"
#include "core/partition/fixed_point.h"

namespace lcpfs {

class DecayedWindow {
public:
    // The first sample is the average.
    void fold(Fixed sample, u64 elapsed_ms, u64 time_constant_ms);
    Fixed value() const { return m_value; }

private:
    Fixed m_value;
    bool m_has_samples { false };
};

class PartitionMeter {
public:
    static constexpr u32 k_stripes = 16;

    // One access (read, write or flush of the partition's data) that took so long. Any context.
    void note(u32 latency_us) { note_many(1, latency_us); }
    // Several at once, which took so long together.
    void note_many(u64 accesses, u64 latency_us)
    {
        Stripe& stripe = m_stripes[host_cpu_index() % k_stripes];
        stripe.accesses.add_relaxed(accesses);
        stripe.latency_us.add_relaxed(latency_us);
    }

    struct Sample {
        u64 accesses { 0 };
        u64 latency_us { 0 }; // the sum of theirs
    };
    // What was noted since the last call. One caller at a time.
    Sample collect();

private:
    struct Stripe {
        Atomic<u64> accesses { 0 }, latency_us { 0 };
        u8 apart[48]; // 64 in all: memory is aligned to 16, so no two stripes' counters share a cache line
    };
    Stripe m_stripes[k_stripes];
    Sample m_collected;
};

}
