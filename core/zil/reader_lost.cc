// SPDX-License-Identifier: GPL-2.0-only
// LogReader: what can still be told of the records that are lost, when acknowledged frames are missing.
#include "core/zil/reader.h"

namespace lcpfs {

// Records stand at multiples of 64 bytes and carry checksums of their own: those that the damage left, and those of the
// frames behind it, are found one by one. What is left over from earlier laps and lives has lower numbers.
Status LogReader::find_lost(TxgId committed, void (*found)(void* context, const LogRecordView& record), void* context)
{
    u64 newest = m_last_record;
    const u64 end = m_missing.position + min(k_look_ahead_bytes, m_ring.bytes());
    for (u64 position = m_missing.position; position < end; position += k_log_record_align) {
        // Runs and the device's blocks are multiples of a record's alignment.
        const u64 left = m_ring.left_in_run(position);
        DiskLogRecord header;
        if (left < sizeof(header))
            continue;
        copy_bytes(&header, TRY(window_within(position, sizeof(header))), sizeof(header));
        const u64 payload_bytes = header.payload_bytes.get();
        const bool possible = header.magic.get() == k_log_record_magic && header.sequence.get() > newest
            && payload_bytes <= k_max_log_record_bytes - sizeof(header) && log_record_bytes(payload_bytes) <= left;
        if (!possible)
            continue;
        const u32 bytes = log_record_bytes(payload_bytes);
        u32 offset = 0;
        auto record = read_log_record({ TRY(window_within(position, bytes)), bytes }, offset);
        if (record.is_error())
            continue;
        newest = record.value().sequence();
        if (record.value().txg() > committed)
            found(context, record.value());
        position += bytes - k_log_record_align;
    }
    return {};
}

// Bytes that lie in one run, from anywhere in a block of the device.
Result<const u8*> LogReader::window_within(u64 position, u32 bytes)
{
    const u64 start = align_down(position, u64(m_ring.alignment()));
    const u8* from = TRY(window(start, static_cast<u32>(position - start) + bytes));
    return from + (position - start);
}

}
