// SPDX-License-Identifier: GPL-2.0-only
// PartitionMeter: what a partition's own I/O says of it, noted on the I/O path and folded once per tick.
//
// The hot path is count(), or note() for one that was timed: which CPU we are on, then one relaxed addition or three to a stripe of that
// CPU's own. No lock, no loop, and a cache line that no other CPU writes. Sixteen stripes: where there are more CPUs two share one, which
// is slower but right. The sums only rise; collect() gives what they rose by, so it writes nothing that the hot path reads. An access whose
// parts fall into different ticks is off by one in both, for one tick.
//
// Asking the clock twice costs more than all this, so one access in seven of a stripe is timed. Seven: what alternates between kinds of
// access, by twos or fours, has all of them timed.
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
    static constexpr u32 k_timed_one_in = 7;

    // Whether an access that begins now is to be timed. Any context, as all that notes.
    bool is_timed() const { return stripe().accesses.load_relaxed() % k_timed_one_in == 0; }
    // One access (read, write or flush of the partition's data) that took so long.
    void note(u32 latency_us) { note_many(1, latency_us); }
    // Several at once, which took so long together.
    void note_many(u64 accesses, u64 latency_us)
    {
        Stripe& here = stripe();
        here.accesses.add_relaxed(accesses);
        here.timed.add_relaxed(accesses);
        here.latency_us.add_relaxed(latency_us);
    }
    // One that was not timed.
    void count() { stripe().accesses.add_relaxed(1); }

    struct Sample {
        u64 accesses { 0 };
        u64 timed { 0 };      // of these
        u64 latency_us { 0 }; // the sum of theirs
    };
    // What was noted since the last call. One caller at a time.
    Sample collect();

private:
    struct Stripe {
        Atomic<u64> accesses { 0 }, timed { 0 }, latency_us { 0 };
        u8 apart[40]; // 64 in all: memory is aligned to 16, so no two stripes' counters share a cache line
    };
    Stripe& stripe() { return m_stripes[host_cpu_index() % k_stripes]; }
    const Stripe& stripe() const { return m_stripes[host_cpu_index() % k_stripes]; }
    Stripe m_stripes[k_stripes];
    Sample m_collected;
};

}
