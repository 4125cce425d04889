// SPDX-License-Identifier: GPL-2.0-only
// PathLatency: how long requests take on one path. Written by completions on any CPU without a lock; a sample lost to a
// race is lost.
//
// A request that shared its path with others waited for them too: how long says as much about the load as about the path, and
// a path that once had a burst would look slow for as long as nobody chooses it. So the time of those that were alone on the
// path from begin to end is kept apart: it is what the path itself takes, by size class.
//
// The cost of one queued is the time between two ends on a path that has something to do, of the size of the one that ended. That
// is so whether a path does one after the other, all of them in turns, or many at once; and where the costs of a mixture of
// sizes are laid to the wrong ones, their sum is still the time that the mixture took.
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
    static constexpr u32 k_cost_memory = 16; // samples that the cost is an average of

    // One that was alone. The first sample is the average, each further one a fifth of it. A sample of 0 counts.
    void note(SizeClass size, u32 latency_us);
    // One that was not; `interval_us` since the end before its own, or since the path got something to do.
    void note_among(SizeClass size, u32 latency_us, u32 interval_us);
    void forget_average();

    bool has_samples() const { return m_average.load_relaxed() != k_none; }
    u32 average_us() const
    {
        const u32 average = m_average.load_relaxed();
        return average == k_none ? 0 : average;
    }
    // Of those that were alone; of all while there are none of this size.
    u32 idle_us(SizeClass size) const { return knows_idle(size) ? of(size).idle_us.load_relaxed() : average_us(); }
    // Until it is learned: as if the path did one after the other, for which it is never too low.
    u32 cost_us(SizeClass size) const
    {
        return knows_cost(size) ? of(size).cost_us.load_relaxed() : max(k_default_cost_us, knows_idle(size) ? idle_us(size) : 0u);
    }
    // Of the smallest of which it is known: the way there and back.
    u32 base_us() const
    {
        for (const Class& known : m_classes)
            if (const u32 alone_us = known.idle_us.load_relaxed(); alone_us != k_none)
                return alone_us;
        return average_us();
    }
    bool knows_idle(SizeClass size) const { return of(size).idle_us.load_relaxed() != k_none; }
    bool knows_cost(SizeClass size) const { return of(size).cost_samples.load_relaxed() >= k_samples_for_cost; }
    // The 99th percentile as of the last refresh, of all and of those that were alone; 0: not known yet.
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
