// SPDX-License-Identifier: GPL-2.0-only
#include "core/zil/kept_frames.h"

namespace lcpfs {

u8* KeptFrames::room_for(u32 bytes)
{
    const bool has_room = m_used + bytes <= k_piece_bytes;
    // The list of records has up to twice the memory that it needs.
    const u64 lists = 2 * u64(m_records.size()) * sizeof(LogRecordView);
    if (u64(m_pieces.size() + !has_room) * k_piece_bytes + lists > m_max_bytes)
        return nullptr;
    if (!has_room) {
        u8* const piece = static_cast<u8*>(host_alloc(k_piece_bytes, 0));
        if (!piece || m_pieces.push_back(piece).is_error()) {
            host_free(piece);
            return nullptr;
        }
        m_used = 0;
    }
    u8* const room = m_pieces.last() + m_used;
    m_used += bytes;
    return room;
}

static Bytes moved(Bytes part, const u8* from, const u8* to)
{
    return part.is_empty() ? part : Bytes(to + (part.data() - from), part.size());
}

bool KeptFrames::keep(Bytes frame, size_t first)
{
    u8* const room = room_for(static_cast<u32>(frame.size()));
    if (!room)
        return false;
    copy_bytes(room, frame.data(), frame.size());
    for (size_t i = first; i < m_records.size(); i++) {
        m_records[i].payload = moved(m_records[i].payload, frame.data(), room);
        m_records[i].data = moved(m_records[i].data, frame.data(), room);
    }
    return true;
}

}
