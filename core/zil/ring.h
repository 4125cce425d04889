// SPDX-License-Identifier: GPL-2.0-only
// LogRing: the runs of blocks that make up the log, as one row of positions (format/zil_format.h). The runs never change.
//
// On log devices it may have several members: each has the whole row. Which of them count changes with groups: LogMembers is
// replaced while no frame is being made.
#pragma once

#include "core/format/zil_format.h"
#include "core/host/vector.h"
#include "core/vdev/vdev_set.h"

namespace lcpfs {

// Bits of a ring's members.
struct LogMembers {
    u32 in_use { 0 }; // frames go there
    u32 stale { 0 };  // frames are missing there: as the pool tree has it
    u32 gone { 0 };   // taken out: the pool tree does not have it any more
    bool operator==(const LogMembers& other) const
    {
        return in_use == other.in_use && stale == other.stale && gone == other.gone;
    }
};

class LogRing {
public:
    LogRing() = default;
    LogRing(LogRing&&) = default;
    LogRing& operator=(LogRing&&) = default;
    // To the first member. In metaslabs, or on a log device; one ring is not of both. address_out_of_range
    Status add(VdevSet& vdevs, const Dva& segment);
    // A mirror of what has been added, on another log device. address_out_of_range
    Status add_member(VdevSet& vdevs, Span<const Dva> segments);
    static Result<LogRing> decode(VdevSet& vdevs, Bytes item);
    // Without the members that are gone, of which some must be left. Bytes written into `out` of at least encoded_bytes().
    u32 encoded_bytes() const { return static_cast<u32>(sizeof(DiskLogRing) + m_segments.size() * sizeof(DiskDva)); }
    u32 encode(MutableBytes out, const LogMembers& members) const;

    bool is_there() const { return named() != 0; }
    bool is_on_log_device() const { return m_is_on_log_device; }
    u64 bytes() const { return m_bytes; }
    // Of frames: what every member in use can write.
    u32 alignment() const { return alignment_of(m_members.in_use); }
    u32 alignment_of(u32 members) const;
    u32 member_count() const { return m_member_count; }
    Span<const Dva> segments(u32 member = 0) const { return { m_segments.begin() + member * m_run_count, m_run_count }; }
    VdevId device_of(u32 member) const { return segments(member)[0].vdev; }
    u32 all() const { return (1u << m_member_count) - 1; }
    u32 named() const { return all() & ~m_members.gone; }
    u32 attached() const { return m_attached; } // whose devices are there
    u32 present() const { return m_attached & ~m_members.gone; }
    const LogMembers& members() const { return m_members; }
    void set_members(const LogMembers& members) { m_members = members; }
    bool uses(u32 member) const { return m_members.in_use >> member & 1; }
    // A further one that is gone, if the device can have it. no_memory
    Status offer(VdevSet& vdevs, VdevId device, u32 length_blocks);
    // The first that is in use, or else there.
    u32 first_member() const;

    struct Place {
        VdevId vdev;
        u64 offset_bytes;
    };
    Place place(u64 position, u32 member = 0) const;
    // Bytes from `position` to the end of its run.
    u64 left_in_run(u64 position) const;
    // The first position from `position` on at which `length_bytes` lie within one run. No longer than the shortest run.
    u64 fit(u64 position, u32 length_bytes) const
    {
        const u64 left = left_in_run(position);
        return length_bytes <= left ? position : position + left;
    }

private:
    Status append(VdevSet& vdevs, u32 member, const Dva& segment);

    Vector<Dva> m_segments; // member after member
    u32 m_run_count { 0 };  // of each
    u32 m_member_count { 0 };
    u32 m_attached { 0 };
    LogMembers m_members;
    u64 m_bytes { 0 };
    u32 m_alignments[k_max_log_members] {};
    bool m_is_on_log_device { false };
};

// Shortest run that a ring is made of.
constexpr u32 k_min_log_segment_blocks = k_max_log_frame_bytes / k_block_size;

}
