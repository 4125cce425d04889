// SPDX-License-Identifier: GPL-2.0-only
#include "core/zil/reader.h"

#include "core/test/breakage.h"

namespace lcpfs {

static bool is_of_device(Error error) { return error >= Error::io_error && error <= Error::no_usable_path; }

LogReader::~LogReader()
{
    for (u8* page : m_pages)
        if (page)
            host_pool_free(m_page_pool, page);
    host_pool_destroy(m_page_pool);
    for (Window& window : m_windows)
        host_free(window.bytes);
    for (u8* frame : m_frames)
        host_free(frame);
}

Status LogReader::prepare()
{
    m_page_pool = host_pool_create("lcpfs_log_read", k_block_size, 0);
    if (!m_page_pool)
        return Error::no_memory;
    m_best = m_ring.first_member();
    for (u32 member = 0; member < m_ring.member_count(); member++) {
        if (!(m_ring.present() >> member & 1))
            continue;
        m_windows[member].bytes = static_cast<u8*>(host_alloc(k_window_bytes, 0));
        if (!m_windows[member].bytes)
            return Error::no_memory;
    }
    for (u8*& page : m_pages) {
        page = static_cast<u8*>(host_pool_alloc(m_page_pool, 0));
        if (!page)
            return Error::no_memory;
    }
    return {};
}

// `attempt(member)` until one says yes, the one that served last first. No is the answer of members that have the whole log, not
// of stale ones: an error when every such member gave one. What has nothing to do with a member's device ends it.
template <typename Try>
Result<bool> LogReader::any_member(Try attempt)
{
    Error first = Error::none;
    bool answered = false;
    for (u32 n = 0; n < m_ring.member_count(); n++) {
        const u32 member = (m_best + n) % m_ring.member_count();
        if (!m_windows[member].bytes)
            continue;
        const Result<bool> result = attempt(member);
        if (result.is_error()) {
            if (!is_of_device(result.error()))
                return result.error();
            first = first == Error::none ? result.error() : first;
            continue;
        }
        answered = answered || !(m_ring.members().stale >> member & 1);
        if (!result.value())
            continue;
        m_passed_over += member != m_best;
        m_best = member;
        return true;
    }
    if (!answered)
        return first == Error::none ? Error::io_offline : first;
    return false;
}

// The bytes at a position, valid until the next call. Null: the run ends before.
Result<u8*> LogReader::window(u32 member, u64 position, u32 bytes)
{
    Window& window = m_windows[member];
    if (m_ring.left_in_run(position) < bytes)
        return static_cast<u8*>(nullptr);
    if (window.valid && position >= window.position && position + bytes <= window.position + window.valid)
        return window.bytes + (position - window.position);
    const u32 length = static_cast<u32>(min<u64>(k_window_bytes, m_ring.left_in_run(position)));
    u32 count = 0;
    for (u32 at = 0; at < length; at += k_block_size, count++)
        m_segments[count] = { m_pages[count], min(k_block_size, length - at) };
    const LogRing::Place place = m_ring.place(position, member);
    window.valid = 0;
    IoBatch batch;
    batch.begin();
    m_vdevs.transfer(HOST_IO_READ, place.vdev, place.offset_bytes, Span<const core_segment>(m_segments, count), HOST_IO_META,
                     IoBatch::done, &batch);
    TRY(batch.wait());
    for (u32 i = 0; i < count; i++)
        copy_bytes(window.bytes + i * k_block_size, m_pages[i], m_segments[i].bytes);
    window.position = position;
    window.valid = length;
    return window.bytes;
}

Result<bool> LogReader::head_at(u32 member, u64 position, LogFrameHead& head)
{
    // What was written while this member was not there may stand between its blocks.
    const bool can_be = position % m_ring.alignment_of(1u << member) == 0;
    u8* bytes = can_be ? TRY(window(member, position, sizeof(DiskLogFrame))) : nullptr;
    if (!bytes)
        return false;
    DiskLogFrame disk;
    copy_bytes(&disk, bytes, sizeof(disk));
    Result<LogFrameHead> read = read_log_frame_head(disk, m_identity);
    if (read.is_error() || read.value().position != position || read.value().length_bytes > m_ring.left_in_run(position)
        || read.value().length_bytes % m_ring.alignment_of(1u << member))
        return false;
    head = read.value();
    return true;
}

Result<bool> LogReader::frame_at(u32 member, u64 position, LogFrameHead& head, u8*& bytes)
{
    if (!TRY(head_at(member, position, head)))
        return false;
    bytes = TRY(window(member, position, head.length_bytes));
    return bytes && log_frame_fits({ bytes, head.length_bytes });
}

// A frame whose checksum fits is what was written: anything wrong inside is damage, not the end.
Status LogReader::take_records(const LogFrameHead& head, const u8* bytes, TxgId committed)
{
    u8* kept = static_cast<u8*>(host_alloc(head.length_bytes, 0));
    if (!kept)
        return Error::no_memory;
    copy_bytes(kept, bytes, head.length_bytes);
    const Status listed = m_frames.push_back(kept);
    if (listed.is_error()) {
        host_free(kept);
        return listed.error();
    }
    u32 offset = sizeof(DiskLogFrame);
    Bytes data { kept + head.length_bytes - head.data_bytes(), head.data_bytes() };
    bool keeps = false;
    for (u32 i = 0; i < head.record_count; i++) {
        LogRecordView record = TRY(read_log_record({ kept, head.used_bytes }, offset));
        const size_t data_bytes = size_t(record.header.data_blocks.get()) * k_block_size;
        VERIFY_DISK(data_bytes <= data.size(), log_damaged);
        record.data = data.slice(0, data_bytes);
        data = data.slice(data_bytes, data.size() - data_bytes);
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
    VERIFY_DISK(offset == head.used_bytes && data.is_empty(), log_damaged);
    if (!keeps) {
        host_free(kept);
        m_frames.pop_back();
    }
    return {};
}

Result<bool> LogReader::take_frame_from(u32 member, u64 position, TxgId committed)
{
    LogFrameHead head;
    u8* bytes = nullptr;
    if (!TRY(head_at(member, position, head)) || head.sequence != m_expected || !TRY(frame_at(member, position, head, bytes)))
        return false;
    TRY(take_records(head, bytes, committed));
    if (m_told)
        m_told(m_told_context, head);
    m_position = position + head.length_bytes;
    m_expected++;
    return true;
}

Result<bool> LogReader::take_frame(u64 position, TxgId committed)
{
    return any_member([&](u32 member) { return take_frame_from(member, position, committed); });
}

// True: on that member the frame that comes next stands behind a place that was left out, and was taken. Notes what knows of one
// that is missing.
Result<bool> LogReader::look_ahead(u32 member, TxgId committed)
{
    const u32 step = m_ring.alignment_of(1u << member);
    u64 ahead = 0;
    for (u64 position = align_up(m_position, u64(step)); ahead < min(k_look_ahead_bytes, m_ring.bytes()); ahead += step) {
        LogFrameHead head;
        u8* bytes;
        const bool ours = TRY(head_at(member, position, head));
        if (ours && head.sequence == m_expected && TRY(take_frame_from(member, position, committed)))
            return true;
        const bool knows = ours && head.sequence > m_expected && head.acknowledged >= m_expected;
        if (knows && TRY(frame_at(member, position, head, bytes))) {
            if (!m_missing.proof)
                m_missing = { m_expected, m_position, head.sequence };
            return false;
        }
        position += step;
    }
    return false;
}

Status LogReader::look_for_takeover(const LogTail& tail, const LogReader& before)
{
    TRY(prepare());
    m_identity.generation = tail.generation;
    LogFrameHead head;
    u8* bytes;
    if (!TRY(head_at(0, 0, head)) || head.acknowledged < before.next_sequence() || !TRY(frame_at(0, 0, head, bytes)))
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
        m_missing = {};
        const bool goes_on = TRY(any_member([&](u32 member) { return look_ahead(member, committed); }));
        if (!goes_on)
            return m_missing.proof ? Status(Error::log_missing) : Status();
    }
    return {};
}

}
