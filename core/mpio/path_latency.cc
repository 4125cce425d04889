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

void PathLatency::note(SizeClass size, u32 latency_us)
{
    const u32 average = m_average.load_relaxed();
    const u64 next = average == k_none ? latency_us : (4 * u64(average) + latency_us) / 5;
    m_average.store_relaxed(static_cast<u32>(min<u64>(next, k_none - 1)));
    m_classes[static_cast<u32>(size)].buckets[bucket_of(latency_us)].add_relaxed(1);
}

void PathLatency::note_busy_gap(SizeClass size, u32 gap_us)
{
    Class& known = m_classes[static_cast<u32>(size)];
    const u32 samples = known.gap_samples.load_relaxed();
    const u64 gap = known.gap_us.load_relaxed();
    known.gap_us.store_relaxed(samples == 0 ? gap_us : static_cast<u32>((15 * gap + gap_us + 8) / 16));
    if (samples < k_samples_for_cost)
        known.gap_samples.store_relaxed(samples + 1);
}

u64 PathLatency::samples(SizeClass size) const
{
    u64 sum = 0;
    for (const Atomic<u32>& bucket : m_classes[static_cast<u32>(size)].buckets)
        sum += bucket.load_relaxed();
    return sum;
}

u32 PathLatency::percentile_us(SizeClass size, u32 thousandths) const
{
    const u64 total = samples(size);
    if (total == 0)
        return 0;
    u64 seen = 0;
    for (u32 bucket = 0; bucket < k_buckets; bucket++) {
        seen += m_classes[static_cast<u32>(size)].buckets[bucket].load_relaxed();
        if (seen * 1000 >= total * thousandths)
            return bucket_end_us(bucket);
    }
    return bucket_end_us(k_buckets - 1);
}

void PathLatency::refresh()
{
    for (u32 i = 0; i < k_size_classes; i++) {
        const SizeClass size = static_cast<SizeClass>(i);
        Class& known = m_classes[i];
        // Halving alone rounds the rare ones away: without new samples the tail stays.
        if (samples(size) >= known.remembered + k_samples_for_tail)
            known.tail_us.store_relaxed(max(percentile_us(size, 990), 1u)); // 0 is: not known
        for (Atomic<u32>& bucket : known.buckets)
            bucket.store_relaxed(bucket.load_relaxed() / 2);
        known.remembered = samples(size);
    }
}

}
