// SPDX-License-Identifier: GPL-2.0-only
// LogFrame: the memory of one log write: pages, filled front to back with records, sealed, and what a reader checks.
//
// 32 pages, taken when the log is opened: building a frame allocates nothing.
#pragma once

#include "core/base/result.h"
#include "core/host/host.h"
#include "core/zil/record.h"

namespace lcpfs {

constexpr u32 k_log_frame_pages = k_max_log_frame_bytes / k_block_size;

// What identifies the frames of one log.
struct LogIdentity {
    DiskGuid pool_guid;
    u64 generation;
};

class LogFrame {
public:
    LogFrame() = default;
    LogFrame(const LogFrame&) = delete;
    ~LogFrame() { release(); }
    Status prepare(host_pool* pages); // no_memory
    void release();

    void start(); // empty again
    u32 used_bytes() const { return m_used; }
    u32 record_count() const { return m_records; }
    bool has_room_for(const LogRecord& record) const { return fits(m_used, m_records, record); }
    static bool fits(u32 used, u32 records, const LogRecord& record)
    {
        return records < k_max_log_frame_records && used + record.framed_bytes() <= k_max_log_frame_bytes;
    }
    // Copies the record, with its checksum and padding.
    void add(LogRecord& record, u64 previous_position);
    struct Seal {
        u64 sequence, position, acknowledged;
        TxgId committed;
        u32 alignment; // the length becomes a multiple of it
    };
    void seal(const LogIdentity& identity, const Seal& seal);
    u32 length_bytes() const { return m_length; }
    // The pages as segments of I/O; gives their number.
    u32 segments(core_segment* out) const;

private:
    void put(const void* from, u32 bytes);
    void put_zeros(u32 bytes);

    host_pool* m_page_pool { nullptr };
    u8* m_pages[k_log_frame_pages] {};
    u32 m_used { 0 };
    u32 m_length { 0 };
    u32 m_records { 0 };
    u64 m_records_hash { 0 };
    u64 m_first_record { 0 }, m_last_record { 0 };
};

// What the header of a frame says, when magic, pool and generation are ours and the numbers possible. Its checksum is not
// looked at. log_damaged else.
struct LogFrameHead {
    u64 sequence { 0 }, position { 0 }, acknowledged { 0 };
    u64 first_record { 0 }, last_record { 0 };
    TxgId committed;
    u32 length_bytes { 0 }, used_bytes { 0 }, record_count { 0 };
};
Result<LogFrameHead> read_log_frame_head(const DiskLogFrame& disk, const LogIdentity& identity);
// Whether the checksum of the whole frame (head.length_bytes of it) fits: it was written as it stands. Those of its records are
// looked at by read_log_record. Puts the field to 0 meanwhile.
bool log_frame_fits(MutableBytes frame);

}
