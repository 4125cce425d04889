// SPDX-License-Identifier: GPL-2.0-only
// LogFrame: the memory of one log write: pages, filled front to back with records, sealed, and what a reader checks.
//
// 32 pages, taken before the log is turned on: building a frame allocates nothing. Data blocks stay where they are, so the records they
// belong to live until the frame has been written. The records end where a page ends, which the data goes on behind: a device that takes
// pages in a row, and nothing else, gets it in one request.
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

// How much of a frame records take.
class LogFrameSize {
public:
    bool has_room_for(const LogRecord& record) const
    {
        // Data begins at a block of the device.
        static_assert(k_max_log_data_bytes <= k_max_log_frame_bytes / 2); // a record always fits into an empty frame
        const u32 data = m_data + record.data_blocks * k_block_size;
        const u32 most = data ? k_max_log_frame_bytes - k_block_size : k_max_log_frame_bytes;
        return m_records < k_max_log_frame_records && m_area + record.area_bytes() + data <= most;
    }
    void add(const LogRecord& record)
    {
        m_area += record.area_bytes();
        m_data += record.data_blocks * k_block_size;
        m_records++;
    }
    u32 records() const { return m_records; }
    u32 bytes() const { return m_area + m_data; }
    // With that alignment.
    u32 area_bytes(u32 alignment) const { return static_cast<u32>(align_up(m_area, alignment)); }
    u32 length_bytes(u32 alignment) const { return area_bytes(alignment) + m_data; }

private:
    u32 m_area { sizeof(DiskLogFrame) };
    u32 m_data { 0 };
    u32 m_records { 0 };
};

class LogFrame {
public:
    LogFrame() = default;
    LogFrame(const LogFrame&) = delete;
    ~LogFrame() { release(); }
    Status prepare(host_pool* pages); // once, and again after no_memory
    void release();

    // Empty again, for records and padding of so many bytes in all: LogFrameSize::area_bytes.
    void start(u32 area_bytes);
    u32 record_count() const { return m_records; }
    // Copies the record, with its checksum and padding, but for its data blocks: it lives until these have been written.
    void add(LogRecord& record, u64 previous_position);
    struct Seal {
        u64 sequence, position, acknowledged;
        TxgId committed;
    };
    void seal(const LogIdentity& identity, const Seal& seal);
    u32 length_bytes() const { return m_length; }
    // The pages as segments of I/O, at most k_log_frame_pages; gives their number.
    u32 segments(core_segment* out) const;

private:
    u8* at(u32 used, u32& left) const;
    void put(const void* from, u32 bytes);
    void put_zeros(u32 bytes);

    host_pool* m_page_pool { nullptr };
    u8* m_pages[k_log_frame_pages] {};
    struct DataBlock {
        const u8* page;
        u32 sum; // its crc32c
    };
    DataBlock m_data[k_log_frame_pages];
    u32 m_data_blocks { 0 };
    u32 m_base { 0 }; // where in the first page the frame begins
    u32 m_area { 0 };
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
    u32 length_bytes { 0 }, used_bytes { 0 }, record_count { 0 }, data_blocks { 0 };
    u32 data_bytes() const { return data_blocks * k_block_size; } // the last ones of the length
};
Result<LogFrameHead> read_log_frame_head(const DiskLogFrame& disk, const LogIdentity& identity);
// Whether the checksum of the whole frame (head.length_bytes of it) fits: it was written as it stands. Those of its records are
// looked at by read_log_record. Puts the field to 0 meanwhile.
bool log_frame_fits(MutableBytes frame);

}
