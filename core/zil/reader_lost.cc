// SPDX-License-Identifier: GPL-2.0-only
// LogReader: what can still be told of the records that are lost, when acknowledged frames are missing.
#include "core/zil/reader.h"

namespace lcpfs {

// Records stand at multiples of 64 bytes and carry checksums of their own: those that the damage left, and those of the
// frames behind it, are found one by one. What is left over from earlier laps and lives has lower numbers.
Status LogReader::find_lost(TxgId committed, void (*found)(void* context, const LogRecordView& record), void* context)
{
    u64 newest = m_end.last_record, unread_bytes = 0;
    const u64 end = m_end.missing.position + min(k_look_ahead_bytes, m_ring.bytes());
    for (u64 position = m_end.missing.position; position < end; position += k_log_record_align)
        for (u32 member = 0; member < m_ring.member_count(); member++) {
            if (!m_windows[member].bytes)
                continue;
            LogRecordView record;
            u32 bytes = 0;
            const Result<bool> is_there = record_at(member, position, newest, record, bytes);
            unread_bytes += is_there.is_error() ? k_log_record_align : 0;
            const bool is_few = unread_bytes <= k_most_bad_blocks * k_block_size;
            if (is_there.is_error() && m_ring.member_count() == 1 && !(is_of_sectors(is_there.error()) && is_few))
                return is_there.error();
            if (is_there.is_error() || !is_there.value())
                continue;
            newest = record.sequence();
            if (record.txg() > committed)
                found(context, record);
            position += bytes - k_log_record_align;
            break;
        }
    return {};
}

// Runs and the device's blocks are multiples of a record's alignment. The record is valid until the next look at that member.
Result<bool> LogReader::record_at(u32 member, u64 position, u64 newest, LogRecordView& record, u32& bytes)
{
    const u64 left = m_ring.left_in_run(position);
    DiskLogRecord header;
    if (left < sizeof(header))
        return false;
    copy_bytes(&header, TRY(window_within(member, position, sizeof(header))), sizeof(header));
    const u64 payload_bytes = header.payload_bytes.get();
    const bool possible = header.magic.get() == k_log_record_magic && header.sequence.get() > newest
        && payload_bytes <= k_max_log_record_bytes - sizeof(header) && log_record_bytes(payload_bytes) <= left;
    if (!possible)
        return false;
    bytes = log_record_bytes(payload_bytes);
    u32 offset = 0;
    auto read = read_log_record({ TRY(window_within(member, position, bytes)), bytes }, offset);
    if (read.is_error())
        return false;
    record = read.value();
    return true;
}

// Bytes that lie in one run, from anywhere in a block of the device.
Result<const u8*> LogReader::window_within(u32 member, u64 position, u32 bytes)
{
    const u64 start = align_down(position, u64(m_ring.alignment_of(1u << member)));
    const u8* from = TRY(window(member, start, static_cast<u32>(position - start) + bytes));
    return from + (position - start);
}

}
