// SPDX-License-Identifier: GPL-2.0-only
// PathLatency: how long requests take on one path. Written by completions on any CPU without a lock; a sample lost to a
// race is lost.
//
// A request that found others on its path waited for them too: how long says as much about the load as about the path, and
// a path that once had a burst would look slow for as long as nobody chooses it. So the time of those that found the path
// idle is kept apart: it is what the path itself takes, by size class. What the others took beyond it, divided by how
// many they found, is the cost of each one queued.
#pragma once

#include "core/base/atomic.h"
#include "core/mpio/mpio.h"

namespace lcpfs {

class PathLatency {
public:
    // Half steps of powers of two of microseconds; the last holds everything from 2^23 us (8 s) on.
    static constexpr u32 k_buckets = 48;
    static constexpr u32 k_samples_for_tail = 100;
    static constexpr u32 k_samples_for_cost = 4;

    // The first sample is the average, each further one a fifth of it. A sample of 0 counts. `ahead`: how many were under
    // way on the path when it was sent.
    void note(SizeClass size, u32 latency_us, u32 ahead = 0);
    void forget_average();

    bool has_samples() const { return m_average.load_relaxed() != k_none; }
    u32 average_us() const
    {
        const u32 average = m_average.load_relaxed();
        return average == k_none ? 0 : average;
    }
    // Of those that found the path idle; of all while there are none of this size.
    u32 idle_us(SizeClass size) const { return knows_idle(size) ? of(size).idle_us.load_relaxed() : average_us(); }
    u32 cost_us(SizeClass size) const { return knows_cost(size) ? of(size).cost_us.load_relaxed() : k_default_cost_us; }
    bool knows_idle(SizeClass size) const { return of(size).idle_us.load_relaxed() != k_none; }
    bool knows_cost(SizeClass size) const { return of(size).cost_samples.load_relaxed() >= k_samples_for_cost; }
    u64 service_us(u32 depth, SizeClass size) const { return idle_us(size) + u64(depth) * cost_us(size); }
    // The 99th percentile as of the last refresh, of all and of those that found the path idle; 0: not known yet.
    u32 tail_us(SizeClass size) const { return of(size).all.tail_us.load_relaxed(); }
    u32 idle_tail_us(SizeClass size) const { return of(size).idle.tail_us.load_relaxed(); }

    // Upper end of the bucket in which `thousandths` of the samples end; 0 when there are none.
    u32 percentile_us(SizeClass size, u32 thousandths) const { return of(size).all.percentile_us(thousandths); }
    u64 samples(SizeClass size) const { return of(size).all.samples(); }
    // Computes the tails anew and halves the histograms: once per health interval.
    void refresh();

    static u32 bucket_of(u32 latency_us);
    static u32 bucket_end_us(u32 bucket);

private:
    static constexpr u32 k_none = ~0u;
    struct Histogram {
        Atomic<u32> tail_us { 0 };
        Atomic<u32> buckets[k_buckets];
        u64 remembered { 0 }; // samples left by the last refresh

        u64 samples() const;
        u32 percentile_us(u32 thousandths) const;
        void refresh();
    };
    struct Class {
        Atomic<u32> idle_us { k_none }, cost_us { 0 }, cost_samples { 0 };
        Histogram all, idle;
    };
    const Class& of(SizeClass size) const { return m_classes[static_cast<u32>(size)]; }
    static void add_sample(Atomic<u32>& average, u32 latency_us);

    Atomic<u32> m_average { k_none };
    Class m_classes[k_size_classes];
};

}
