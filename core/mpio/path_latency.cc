// SPDX-License-Identifier: GPL-2.0-only
#include "core/mpio/path_latency.h"

namespace lcpfs {

u32 PathLatency::bucket_of(u32 latency_us)
{
    if (latency_us < 2)
        return latency_us;
    const u32 log = 31 - static_cast<u32>(__builtin_clz(latency_us));
    const u32 half = latency_us >> (log - 1) & 1;
    return min(2 * log + half, k_buckets - 1);
}

u32 PathLatency::bucket_end_us(u32 bucket)
{
    if (bucket < 2)
        return bucket;
    const u32 log = bucket / 2;
    return bucket % 2 ? (2u << log) - 1 : (3u << (log - 1)) - 1;
}

void PathLatency::add_sample(Atomic<u32>& average, u32 latency_us)
{
    const u32 before = average.load_relaxed();
    const u64 next = before == k_none ? latency_us : (4 * u64(before) + latency_us) / 5;
    average.store_relaxed(static_cast<u32>(min<u64>(next, k_none - 1)));
}

void PathLatency::note(SizeClass size, u32 latency_us)
{
    Class& known = m_classes[static_cast<u32>(size)];
    add_sample(m_average, latency_us);
    add_sample(known.idle_us, latency_us);
    known.all.buckets[bucket_of(latency_us)].add_relaxed(1);
    known.idle.buckets[bucket_of(latency_us)].add_relaxed(1);
}

void PathLatency::note_among(SizeClass size, u32 latency_us, u32 interval_us)
{
    Class& known = m_classes[static_cast<u32>(size)];
    add_sample(m_average, latency_us);
    known.all.buckets[bucket_of(latency_us)].add_relaxed(1);
    const u32 samples = min(known.cost_samples.load_relaxed(), k_cost_memory - 1);
    const u64 sum_us = u64(samples) * known.cost_us.load_relaxed() + interval_us;
    known.cost_us.store_relaxed(static_cast<u32>((sum_us + samples / 2) / (samples + 1)));
    known.cost_samples.store_relaxed(samples + 1);
}

void PathLatency::forget_average()
{
    m_average.store_relaxed(k_none);
    for (Class& known : m_classes)
        known.idle_us.store_relaxed(k_none);
}

u64 PathLatency::Histogram::samples() const
{
    u64 sum = 0;
    for (const Atomic<u32>& bucket : buckets)
        sum += bucket.load_relaxed();
    return sum;
}

u32 PathLatency::Histogram::percentile_us(u32 thousandths) const
{
    const u64 total = samples();
    if (total == 0)
        return 0;
    u64 seen = 0;
    for (u32 bucket = 0; bucket < k_buckets; bucket++) {
        seen += buckets[bucket].load_relaxed();
        if (seen * 1000 >= total * thousandths)
            return bucket_end_us(bucket);
    }
    return bucket_end_us(k_buckets - 1);
}

void PathLatency::Histogram::refresh()
{
    // Halving alone rounds the rare ones away: without new samples the tail stays.
    if (samples() >= remembered + k_samples_for_tail)
        tail_us.store_relaxed(max(percentile_us(990), 1u)); // 0 is: not known
    for (Atomic<u32>& bucket : buckets)
        bucket.store_relaxed(bucket.load_relaxed() / 2);
    remembered = samples();
}

void PathLatency::refresh()
{
    for (Class& known : m_classes) {
        known.all.refresh();
        known.idle.refresh();
    }
}

}
