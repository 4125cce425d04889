// SPDX-License-Identifier: GPL-2.0-only
#include "core/zil/reader.h"

#include "core/test/breakage.h"

namespace lcpfs {

LogReader::~LogReader()
{
    for (u8* page : m_pages)
        if (page)
            host_pool_free(m_page_pool, page);
    host_pool_destroy(m_page_pool);
    host_free(m_window);
    for (u8* frame : m_frames)
        host_free(frame);
}

Status LogReader::prepare()
{
    m_page_pool = host_pool_create("lcpfs_log_read", k_block_size, 0);
    m_window = static_cast<u8*>(host_alloc(k_window_bytes, 0));
    if (!m_page_pool || !m_window)
        return Error::no_memory;
    for (u8*& page : m_pages) {
        page = static_cast<u8*>(host_pool_alloc(m_page_pool, 0));
        if (!page)
            return Error::no_memory;
    }
    return {};
}

// The bytes at a position, valid until the next call. Null: the run ends before.
Result<u8*> LogReader::window(u64 position, u32 bytes)
{
    if (m_ring.left_in_run(position) < bytes)
        return static_cast<u8*>(nullptr);
    if (m_window_valid && position >= m_window_position && position + bytes <= m_window_position + m_window_valid)
        return m_window + (position - m_window_position);
    const u32 length = static_cast<u32>(min<u64>(k_window_bytes, m_ring.left_in_run(position)));
    u32 count = 0;
    for (u32 at = 0; at < length; at += k_block_size, count++)
        m_segments[count] = { m_pages[count], min(k_block_size, length - at) };
    const LogRing::Place place = m_ring.place(position);
    m_window_valid = 0;
    IoBatch batch;
    batch.begin();
    m_vdevs.transfer(HOST_IO_READ, place.vdev, place.offset_bytes, Span<const core_segment>(m_segments, count), HOST_IO_META,
                     IoBatch::done, &batch);
    TRY(batch.wait());
    for (u32 i = 0; i < count; i++)
        copy_bytes(m_window + i * k_block_size, m_pages[i], m_segments[i].bytes);
    m_window_position = position;
    m_window_valid = length;
    return m_window;
}

Result<bool> LogReader::head_at(u64 position, LogFrameHead& head)
{
    u8* bytes = TRY(window(position, sizeof(DiskLogFrame)));
    if (!bytes)
        return false;
    DiskLogFrame disk;
    copy_bytes(&disk, bytes, sizeof(disk));
    Result<LogFrameHead> read = read_log_frame_head(disk, m_identity);
    if (read.is_error() || read.value().position != position || read.value().length_bytes > m_ring.left_in_run(position)
        || read.value().length_bytes % m_ring.alignment())
        return false;
    head = read.value();
    return true;
}

Result<bool> LogReader::frame_at(u64 position, LogFrameHead& head, u8*& bytes)
{
    if (!TRY(head_at(position, head)))
        return false;
    bytes = TRY(window(position, head.length_bytes));
    return bytes && log_frame_fits({ bytes, head.length_bytes });
}

// A frame whose checksum fits is what was written: anything wrong inside is damage, not the end.
Status LogReader::take_records(const LogFrameHead& head, const u8* bytes, TxgId committed)
{
    u8* kept = static_cast<u8*>(host_alloc(head.used_bytes, 0));
    if (!kept)
        return Error::no_memory;
    copy_bytes(kept, bytes, head.used_bytes);
    const Status listed = m_frames.push_back(kept);
    if (listed.is_error()) {
        host_free(kept);
        return listed.error();
    }
    u32 offset = sizeof(DiskLogFrame);
    bool keeps = false;
    for (u32 i = 0; i < head.record_count; i++) {
        LogRecordView record = TRY(read_log_record({ kept, head.used_bytes }, offset));
        VERIFY_DISK(record.sequence() > m_last_record, log_damaged);
        m_lacks_group = m_lacks_group || (record.sequence() != m_last_record + 1 && head.committed > committed);
        m_last_record = record.sequence();
        if (m_lacks_group)
            continue;
        if (record.txg() <= committed && !breakage::log_replay_committed)
            continue;
        TRY(m_records.push_back(record));
        keeps = true;
    }
    VERIFY_DISK(offset == head.used_bytes, log_damaged);
    if (!keeps) {
        host_free(kept);
        m_frames.pop_back();
    }
    return {};
}

Result<bool> LogReader::take_frame(u64 position, TxgId committed)
{
    LogFrameHead head;
    u8* bytes = nullptr;
    if (!TRY(head_at(position, head)) || head.sequence != m_expected || !TRY(frame_at(position, head, bytes)))
        return false;
    TRY(take_records(head, bytes, committed));
    if (m_told)
        m_told(m_told_context, head);
    m_position = position + head.length_bytes;
    m_expected++;
    return true;
}

// True: the frame that comes next stands behind a place that was left out, and was taken.
Result<bool> LogReader::go_on_ahead(TxgId committed)
{
    u64 ahead = 0;
    for (u64 position = m_position; ahead < min(k_look_ahead_bytes, m_ring.bytes()); ahead += m_ring.alignment()) {
        LogFrameHead head;
        u8* bytes;
        const bool ours = TRY(head_at(position, head));
        if (ours && head.sequence == m_expected && TRY(take_frame(position, committed)))
            return true;
        const bool knows = ours && head.sequence > m_expected && head.acknowledged >= m_expected;
        if (knows && TRY(frame_at(position, head, bytes))) {
            m_missing = { m_expected, m_position, head.sequence };
            return Error::log_missing;
        }
        position += m_ring.alignment();
    }
    return false;
}

Status LogReader::look_for_takeover(const LogTail& tail, const LogReader& before)
{
    TRY(prepare());
    m_identity.generation = tail.generation;
    LogFrameHead head;
    u8* bytes;
    if (!TRY(head_at(0, head)) || head.acknowledged < before.next_sequence() || !TRY(frame_at(0, head, bytes)))
        return {};
    m_missing = { before.next_sequence(), 0, head.sequence };
    m_last_record = before.last_record();
    return Error::log_missing;
}

Status LogReader::read(const LogTail& tail, TxgId committed)
{
    if (!m_page_pool)
        TRY(prepare());
    m_identity.generation = tail.generation;
    m_position = tail.position;
    m_expected = tail.sequence;
    m_last_record = tail.record;
    while (m_position - tail.position < m_ring.bytes()) {
        if (TRY(take_frame(m_position, committed)))
            continue;
        const u64 next_run = m_position + m_ring.left_in_run(m_position);
        if (next_run - tail.position < m_ring.bytes() && TRY(take_frame(next_run, committed)))
            continue;
        if (!TRY(go_on_ahead(committed)))
            return {};
    }
    return {};
}

}
