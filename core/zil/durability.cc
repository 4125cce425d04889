// SPDX-License-Identifier: GPL-2.0-only
#include "core/zil/durability.h"

#include "core/test/breakage.h"

namespace lcpfs {

namespace {

// The last position in [from, end) at which a block lies within `segment`, whose first byte is at `start` of the ring. False: none.
bool last_block_in(const LogRing& ring, const Dva& segment, u64 start, u64 from, u64 end, u64& position)
{
    if (end < from + k_block_size)
        return false;
    const u64 latest = end - k_block_size, at = latest % ring.bytes();
    const u64 last = start + u64(segment.length_blocks - 1) * k_block_size;
    const u64 back = at >= start && at <= last ? 0 : (at + ring.bytes() - last) % ring.bytes();
    if (back > latest || latest - back < from)
        return false;
    position = latest - back;
    return true;
}

u64 median(u64* samples, u32 count)
{
    for (u32 i = 1; i < count; i++)
        for (u32 j = i; j && samples[j] < samples[j - 1]; j--) {
            const u64 greater = samples[j - 1];
            samples[j - 1] = samples[j];
            samples[j] = greater;
        }
    return samples[count / 2];
}

}

Durable LogDurability::of(VdevId vdev) const
{
    if (!m_vdevs.vdev(vdev).info.volatile_cache || breakage::log_skip_flush)
        return Durable::by_write;
    return m_choices[vdev.value()].by;
}

Result<u64> LogDurability::time_of(VdevId vdev, u64 offset_bytes, u8* page, Durable by)
{
    const u64 started = host_monotonic_ns();
    const unsigned flags = HOST_IO_SYNC | HOST_IO_META | (by == Durable::by_fua ? unsigned(HOST_IO_FUA) : 0u);
    IoBatch batch;
    batch.begin();
    m_vdevs.transfer(HOST_IO_WRITE, vdev, offset_bytes, page, k_block_size, flags, IoBatch::done, &batch);
    TRY(batch.wait());
    if (by == Durable::by_flush)
        TRY(m_vdevs.flush_written(vdev));
    return host_monotonic_ns() - started;
}

Status LogDurability::measure_one(VdevId vdev, u64 offset_bytes, u8* page, Choice& choice)
{
    u64 fua[k_samples], flush[k_samples];
    for (u32 i = 0; i < k_samples; i++) {
        fua[i] = TRY(time_of(vdev, offset_bytes, page, Durable::by_fua));
        flush[i] = TRY(time_of(vdev, offset_bytes, page, Durable::by_flush));
    }
    choice.fua_ns = median(fua, k_samples);
    choice.flush_ns = median(flush, k_samples);
    choice.by = faster(choice.fua_ns, choice.flush_ns);
    return {};
}

void LogDurability::measure(const LogRing& ring, u64 from, u64 end)
{
    for (Choice& choice : m_choices)
        choice = {};
    host_pool* pages = host_pool_create("lcpfs_log_probe", k_block_size, 0);
    u8* page = pages ? static_cast<u8*>(host_pool_alloc(pages, 0)) : nullptr;
    for (u32 member = 0; page && member < ring.member_count(); member++)
        if (ring.uses(member))
            measure_member(ring, member, from, end, page);
    if (page)
        host_pool_free(pages, page);
    if (pages)
        host_pool_destroy(pages);
}

void LogDurability::measure_member(const LogRing& ring, u32 member, u64 from, u64 end, u8* page)
{
    u64 start = 0, seen = 0;
    static_assert(k_max_vdevs <= 64);
    for (const Dva& segment : ring.segments(member)) {
        const host_bdev_info& info = m_vdevs.vdev(segment.vdev).info;
        Choice& choice = m_choices[segment.vdev.value()];
        const u64 bit = 1ull << segment.vdev.value();
        u64 position;
        if (info.volatile_cache && info.fua && !(seen & bit) && last_block_in(ring, segment, start, from, end, position)) {
            seen |= bit;
            zero_bytes(page, k_block_size);
            if (measure_one(segment.vdev, ring.place(position, member).offset_bytes, page, choice).is_error())
                choice = {}; // the frames will meet it
        }
        start += u64(segment.length_blocks) * k_block_size;
    }
}

}
