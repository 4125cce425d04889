// SPDX-License-Identifier: GPL-2.0-only
#include "core/zil/ring.h"

namespace lcpfs {

Status LogRing::add(VdevSet& vdevs, const Dva& segment)
{
    const bool is_on_log_device = vdevs.is_valid_log(segment);
    if (m_bytes && is_on_log_device != m_is_on_log_device)
        return Error::address_out_of_range;
    if (!(is_on_log_device || vdevs.is_valid(segment)) || segment.length_blocks < k_min_log_segment_blocks
        || m_segments.size() == k_max_log_segments)
        return Error::address_out_of_range;
    TRY(m_segments.push_back(segment));
    m_is_on_log_device = is_on_log_device;
    m_bytes += u64(segment.length_blocks) * k_block_size;
    m_alignment = max(m_alignment, vdevs.vdev(segment.vdev).info.logical_block_bytes);
    return {};
}

Result<LogRing> LogRing::decode(VdevSet& vdevs, Bytes item)
{
    DiskLogRing head;
    VERIFY_DISK(item.size() >= sizeof(head), log_damaged);
    copy_bytes(&head, item.data(), sizeof(head));
    const u32 count = head.segment_count.get();
    VERIFY_DISK(count >= 1 && count <= k_max_log_segments && item.size() == sizeof(head) + count * sizeof(DiskDva), log_damaged);
    LogRing ring;
    for (u32 i = 0; i < count; i++) {
        DiskDva disk;
        copy_bytes(&disk, item.data() + sizeof(head) + i * sizeof(disk), sizeof(disk));
        TRY(ring.add(vdevs, Dva::decode(disk)));
    }
    return ring;
}

u32 LogRing::encode(MutableBytes out) const
{
    DiskLogRing head;
    head.segment_count.set(static_cast<u32>(m_segments.size()));
    head.reserved.set(0);
    copy_bytes(out.data(), &head, sizeof(head));
    for (size_t i = 0; i < m_segments.size(); i++) {
        DiskDva disk;
        m_segments[i].encode(disk);
        copy_bytes(out.data() + sizeof(head) + i * sizeof(disk), &disk, sizeof(disk));
    }
    return encoded_bytes();
}

LogRing::Place LogRing::place(u64 position) const
{
    u64 offset = position % m_bytes;
    for (const Dva& segment : m_segments) {
        const u64 bytes = u64(segment.length_blocks) * k_block_size;
        if (offset < bytes)
            return { segment.vdev, segment.block * k_block_size + offset };
        offset -= bytes;
    }
    return {}; // not reached: the offset is below the sum
}

u64 LogRing::left_in_run(u64 position) const
{
    u64 offset = position % m_bytes;
    for (const Dva& segment : m_segments) {
        const u64 bytes = u64(segment.length_blocks) * k_block_size;
        if (offset < bytes)
            return bytes - offset;
        offset -= bytes;
    }
    return 0;
}

}
