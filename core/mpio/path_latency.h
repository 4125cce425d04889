// SPDX-License-Identifier: GPL-2.0-only
// PathLatency: how long requests take on one path: the running average, the cost of each one queued, and a
// histogram per size class from which the tail is read. Written by completions on any CPU without a lock; a sample
// lost to a race is lost.
#pragma once

#include "core/base/atomic.h"
#include "core/mpio/mpio.h"

namespace lcpfs {

class PathLatency {
public:
    // Half steps of powers of two of microseconds; the last holds everything from 2^23 us (8 s) on.
    static constexpr u32 k_buckets = 48;
    static constexpr u32 k_samples_for_tail = 100;
    static constexpr u32 k_samples_for_cost = 16;

    // The first sample is the average, each further one a fifth of it. A sample of 0 counts.
    void note(SizeClass size, u32 latency_us);
    // Between the ends of two requests of this size, with more queued: what one more costs.
    void note_busy_gap(SizeClass size, u32 gap_us);
    void forget_average() { m_average.store_relaxed(k_none); }

    bool has_samples() const { return m_average.load_relaxed() != k_none; }
    u32 average_us() const
    {
        const u32 average = m_average.load_relaxed();
        return average == k_none ? 0 : average;
    }
    u32 cost_us(SizeClass size) const
    {
        const Class& known = m_classes[static_cast<u32>(size)];
        return known.gap_samples.load_relaxed() < k_samples_for_cost ? k_default_cost_us : known.gap_us.load_relaxed();
    }
    u64 service_us(u32 depth, SizeClass size) const { return average_us() + u64(depth) * cost_us(size); }
    // The 99th percentile as of the last refresh; 0: not known yet.
    u32 tail_us(SizeClass size) const { return m_classes[static_cast<u32>(size)].tail_us.load_relaxed(); }

    // Upper end of the bucket in which `thousandths` of the samples end; 0 when there are none.
    u32 percentile_us(SizeClass size, u32 thousandths) const;
    u64 samples(SizeClass size) const;
    // Computes the tails anew and halves the histograms: once per health interval.
    void refresh();

    static u32 bucket_of(u32 latency_us);
    static u32 bucket_end_us(u32 bucket);

private:
    static constexpr u32 k_none = ~0u;
    struct Class {
        Atomic<u32> gap_us { 0 }, gap_samples { 0 }, tail_us { 0 };
        Atomic<u32> buckets[k_buckets];
        u64 remembered { 0 }; // samples left by the last refresh
    };
    Atomic<u32> m_average { k_none };
    Class m_classes[k_size_classes];
};

}
