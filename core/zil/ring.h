// SPDX-License-Identifier: GPL-2.0-only
// LogRing: the runs of blocks that make up the log, as one row of positions (format/zil_format.h). Immutable once made.
#pragma once

#include "core/format/zil_format.h"
#include "core/host/vector.h"
#include "core/vdev/vdev_set.h"

namespace lcpfs {

class LogRing {
public:
    LogRing() = default;
    LogRing(LogRing&&) = default;
    LogRing& operator=(LogRing&&) = default;
    // In metaslabs, or on a log device; one ring is not of both. address_out_of_range
    Status add(VdevSet& vdevs, const Dva& segment);
    static Result<LogRing> decode(VdevSet& vdevs, Bytes item);
    // Bytes written into `out` of at least encoded_bytes().
    u32 encoded_bytes() const { return static_cast<u32>(sizeof(DiskLogRing) + m_segments.size() * sizeof(DiskDva)); }
    u32 encode(MutableBytes out) const;

    bool is_there() const { return m_bytes != 0; }
    bool is_on_log_device() const { return m_is_on_log_device; }
    u64 bytes() const { return m_bytes; }
    u32 alignment() const { return m_alignment; }
    Span<const Dva> segments() const { return m_segments.span(); }

    struct Place {
        VdevId vdev;
        u64 offset_bytes;
    };
    Place place(u64 position) const;
    // Bytes from `position` to the end of its run.
    u64 left_in_run(u64 position) const;
    // The first position from `position` on at which `length_bytes` lie within one run. No longer than the shortest run.
    u64 fit(u64 position, u32 length_bytes) const
    {
        const u64 left = left_in_run(position);
        return length_bytes <= left ? position : position + left;
    }

private:
    Vector<Dva> m_segments;
    u64 m_bytes { 0 };
    u32 m_alignment { 512 };
    bool m_is_on_log_device { false };
};

// Shortest run that a ring is made of.
constexpr u32 k_min_log_segment_blocks = k_max_log_frame_bytes / k_block_size;

}
