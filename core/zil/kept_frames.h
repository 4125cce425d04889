// SPDX-License-Identifier: GPL-2.0-only
// KeptFrames: what a reader of the log keeps of it in memory, up to a bound. Frames are packed into pieces: in allocations of their own,
// those of a lone caller's writes would take nearly twice as much.
#pragma once

#include "core/host/vector.h"
#include "core/zil/record.h"

namespace lcpfs {

class KeptFrames {
public:
    explicit KeptFrames(u64 max_bytes) : m_max_bytes(max_bytes) {}
    KeptFrames(const KeptFrames&) = delete;
    ~KeptFrames()
    {
        for (u8* piece : m_pieces)
            host_free(piece);
    }
    void set_max(u64 bytes) { m_max_bytes = bytes; }

    // Notes a record of the frame at hand. False: no memory.
    bool add(const LogRecordView& record) { return m_records.push_back(record).is_ok(); }
    // Copies the frame at hand, of which the records from number `first` on are. False: no room, or no memory.
    bool keep(Bytes frame, size_t first);
    void forget_from(size_t first)
    {
        while (m_records.size() > first)
            m_records.pop_back();
    }
    size_t record_count() const { return m_records.size(); }
    const LogRecordView& record(size_t i) const { return m_records[i]; }

private:
    static constexpr u32 k_piece_bytes = 2 * k_max_log_frame_bytes;

    u8* room_for(u32 bytes);

    u64 m_max_bytes;
    Vector<u8*> m_pieces;
    u32 m_used { k_piece_bytes }; // of the last one
    Vector<LogRecordView> m_records;
};

}
