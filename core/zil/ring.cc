// SPDX-License-Identifier: GPL-2.0-only
#include "core/zil/ring.h"

namespace lcpfs {

Status LogRing::append(VdevSet& vdevs, u32 member, const Dva& segment)
{
    const bool is_on_log_device = vdevs.is_valid_log(segment);
    if (m_bytes && is_on_log_device != m_is_on_log_device)
        return Error::address_out_of_range;
    if (!(is_on_log_device || vdevs.is_valid(segment)) || segment.length_blocks < k_min_log_segment_blocks
        || m_segments.size() == k_max_log_segments)
        return Error::address_out_of_range;
    TRY(m_segments.push_back(segment));
    m_is_on_log_device = is_on_log_device;
    // Of a device that is not there it is not known: 0.
    m_alignments[member] = max(m_alignments[member], vdevs.vdev(segment.vdev).info.logical_block_bytes);
    return {};
}

Status LogRing::add(VdevSet& vdevs, const Dva& segment)
{
    if (m_member_count > 1)
        return Error::address_out_of_range;
    TRY(append(vdevs, 0, segment));
    if (m_member_count == 0 || !vdevs.vdev(segment.vdev).is_there())
        m_attached = vdevs.vdev(segment.vdev).is_there();
    m_member_count = 1;
    m_run_count++;
    m_bytes += u64(segment.length_blocks) * k_block_size;
    m_members.in_use = m_attached;
    return {};
}

Status LogRing::add_member(VdevSet& vdevs, Span<const Dva> added)
{
    if (!m_is_on_log_device || m_member_count == k_max_log_members || added.size() != m_run_count)
        return Error::address_out_of_range;
    bool is_there = true;
    for (u32 i = 0; i < m_run_count; i++) {
        if (added[i].length_blocks != segments()[i].length_blocks)
            return Error::address_out_of_range;
        for (u32 member = 0; member < m_member_count; member++)
            for (const Dva& other : segments(member))
                if (other.vdev == added[i].vdev)
                    return Error::address_out_of_range;
    }
    for (u32 i = 0; i < m_run_count; i++) {
        TRY(append(vdevs, m_member_count, added[i]));
        is_there = is_there && vdevs.vdev(added[i].vdev).is_there();
    }
    m_attached |= u32(is_there) << m_member_count;
    m_member_count++;
    m_members.in_use = m_attached;
    return {};
}

Result<LogRing> LogRing::decode(VdevSet& vdevs, Bytes item)
{
    DiskLogRing head;
    VERIFY_DISK(item.size() >= sizeof(head), log_damaged);
    copy_bytes(&head, item.data(), sizeof(head));
    const u32 count = head.segment_count.get();
    const u32 members = head.member_count ? head.member_count : 1;
    VERIFY_DISK(members <= k_max_log_members && count >= 1 && count <= k_max_log_segments / members, log_damaged);
    VERIFY_DISK(item.size() == sizeof(head) + count * members * sizeof(DiskDva), log_damaged);
    VERIFY_DISK(head.stale < (1u << members) - 1, log_damaged);
    LogRing ring;
    Vector<Dva> mirror;
    for (u32 i = 0; i < count * members; i++) {
        DiskDva disk;
        copy_bytes(&disk, item.data() + sizeof(head) + i * sizeof(disk), sizeof(disk));
        if (i < count) {
            TRY(ring.add(vdevs, Dva::decode(disk)));
            continue;
        }
        TRY(mirror.push_back(Dva::decode(disk)));
        if (mirror.size() < count)
            continue;
        TRY(ring.add_member(vdevs, mirror.span()));
        mirror.clear();
    }
    ring.m_members.stale = head.stale;
    return ring;
}

u32 LogRing::encode(MutableBytes out, const LogMembers& members) const
{
    DiskLogRing head {};
    head.segment_count.set(m_run_count);
    u32 at = sizeof(head);
    for (u32 member = 0; member < m_member_count; member++) {
        if (members.gone >> member & 1)
            continue;
        head.stale |= static_cast<u8>((members.stale >> member & 1) << head.member_count++);
        for (const Dva& segment : segments(member)) {
            DiskDva disk;
            segment.encode(disk);
            copy_bytes(out.data() + at, &disk, sizeof(disk));
            at += sizeof(disk);
        }
    }
    if (head.stale == (1u << head.member_count) - 1) // the log is in the pool's ring, and nobody has anything that counts
        head.stale = 0;
    if (head.member_count == 1) // as before there were members
        head.member_count = 0;
    head.reserved.set(0);
    copy_bytes(out.data(), &head, sizeof(head));
    return at;
}

Status LogRing::offer(VdevSet& vdevs, VdevId device, u32 length_blocks)
{
    const Dva segment { k_first_metaslab_block, m_bytes ? segments()[0].length_blocks : length_blocks, device };
    const LogMembers before = m_members;
    const bool fits = m_run_count <= 1 && m_member_count < k_max_log_members && vdevs.is_valid_log(segment);
    if (!fits || segment.length_blocks < k_min_log_segment_blocks)
        return {};
    const u32 bit = 1u << m_member_count;
    TRY(m_bytes ? add_member(vdevs, Span<const Dva>(&segment, 1)) : add(vdevs, segment));
    m_members = before;
    m_members.gone |= bit;
    return {};
}

u32 LogRing::alignment_of(u32 members) const
{
    u32 alignment = 512;
    for (; members; members &= members - 1)
        alignment = max(alignment, m_alignments[__builtin_ctz(members)]);
    return alignment;
}

u32 LogRing::first_member() const
{
    const u32 wanted = m_members.in_use ? m_members.in_use : present();
    return wanted ? static_cast<u32>(__builtin_ctz(wanted)) : 0;
}

LogRing::Place LogRing::place(u64 position, u32 member) const
{
    u64 offset = position % m_bytes;
    for (const Dva& segment : segments(member)) {
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
    for (const Dva& segment : segments()) {
        const u64 bytes = u64(segment.length_blocks) * k_block_size;
        if (offset < bytes)
            return bytes - offset;
        offset -= bytes;
    }
    return 0;
}

}
