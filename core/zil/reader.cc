// SPDX-License-Identifier: GPL-2.0-only
#include "core/zil/reader.h"

#include "core/test/breakage.h"

namespace lcpfs {

LogReader::~LogReader()
{
    for (core_segment& segment : m_segments)
        if (segment.data)
            host_pool_free(m_page_pool, segment.data);
    host_pool_destroy(m_page_pool);
    for (Window& window : m_windows)
        host_free(window.bytes);
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
    for (core_segment& segment : m_segments) {
        segment.data = host_pool_alloc(m_page_pool, 0);
        if (!segment.data)
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
        m_at.passed_over += member != m_best;
        m_best = member;
        return true;
    }
    if (!answered)
        return first == Error::none ? Error::io_offline : first;
    return false;
}

bool LogReader::Window::has_bad(u32 from, u32 end) const
{
    bool found = false;
    for (u32 block = from / k_block_size; bad && block * k_block_size < end; block++)
        found = found || (bad >> block & 1);
    return found;
}

Status LogReader::transfer(u32 member, u64 position, Span<const core_segment> segments)
{
    const LogRing::Place place = m_ring.place(position, member);
    IoBatch batch;
    batch.begin();
    m_vdevs.transfer(HOST_IO_READ, place.vdev, place.offset_bytes, segments, HOST_IO_META, IoBatch::done, &batch);
    return batch.wait();
}

// As much as there is room for. When that fails, block for block: a bad sector is of no concern to what stands elsewhere, and most of
// what a window reads ahead nobody needs. Behind more than a few of them the window ends.
Status LogReader::read_window(u32 member, u64 position)
{
    static_assert(k_window_bytes / k_block_size <= 64);
    Window& window = m_windows[member];
    const u32 length = static_cast<u32>(min<u64>(k_window_bytes, m_ring.left_in_run(position)));
    u32 count = 0, bad = 0;
    for (u32 at = 0; at < length; at += k_block_size, count++)
        m_segments[count].bytes = min(k_block_size, length - at);
    window.valid = 0;
    window.bad = 0;
    const Status whole = transfer(member, position, Span<const core_segment>(m_segments, count));
    if (whole.is_error() && !is_of_sectors(whole.error()))
        return whole;
    u32 valid = 0;
    for (u32 i = 0; i < count && bad <= k_most_bad_blocks; i++) {
        const Error error = whole.is_ok() ? Error::none : transfer(member, position + i * k_block_size, { &m_segments[i], 1 }).error();
        if (error != Error::none && !is_of_sectors(error))
            return error;
        if (error != Error::none) {
            window.bad |= u64(1) << i;
            window.error = error;
            bad++;
        }
        copy_bytes(window.bytes + i * k_block_size, m_segments[i].data, m_segments[i].bytes);
        valid += m_segments[i].bytes;
    }
    window.position = position;
    window.valid = valid;
    return {};
}

// The bytes at a position, valid until the next call. Null: the run ends before.
Result<u8*> LogReader::window(u32 member, u64 position, u32 bytes)
{
    Window& window = m_windows[member];
    if (m_ring.left_in_run(position) < bytes)
        return static_cast<u8*>(nullptr);
    if (!window.valid || position < window.position || position + bytes > window.position + window.valid)
        TRY(read_window(member, position));
    const u32 at = static_cast<u32>(position - window.position);
    if (window.has_bad(at, at + bytes)) // as it has when it ends before
        return window.error;
    return window.bytes + at;
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
Result<LogRecordView> LogReader::record_of_frame()
{
    LogRecordView record = TRY(read_log_record({ m_frame.bytes, m_frame.head.used_bytes }, m_frame.offset));
    const size_t data_bytes = size_t(record.header.data_blocks.get()) * k_block_size;
    VERIFY_DISK(data_bytes <= m_frame.data.size(), log_damaged);
    record.data = m_frame.data.slice(0, data_bytes);
    m_frame.data = m_frame.data.slice(data_bytes, m_frame.data.size() - data_bytes);
    m_frame.left--;
    VERIFY_DISK(record.sequence() > m_at.last_record, log_damaged);
    m_at.lacks_group = m_at.lacks_group || (record.sequence() != m_at.last_record + 1 && m_frame.head.committed > m_committed);
    m_at.last_record = record.sequence();
    return record;
}

bool LogReader::is_wanted(const LogRecordView& record) const
{
    return !m_at.lacks_group && (record.txg() > m_committed || breakage::log_replay_committed);
}

Status LogReader::note_records(bool& keeps, bool& has_wanted)
{
    while (m_frame.left) {
        const LogRecordView record = TRY(record_of_frame());
        if (!is_wanted(record))
            continue;
        m_record_count++;
        has_wanted = true;
        keeps = keeps && m_kept.add(record);
    }
    VERIFY_DISK(m_frame.offset == m_frame.head.used_bytes && m_frame.data.is_empty(), log_damaged);
    return {};
}

// Of a frame that is damaged inside, the records before that count as well.
Status LogReader::take_records()
{
    const At before = m_at;
    const size_t first = m_kept.record_count();
    bool keeps = !m_is_beyond, has_wanted = false;
    const Status status = note_records(keeps, has_wanted);
    if (has_wanted && !m_is_beyond && !(keeps && m_kept.keep({ m_frame.bytes, m_frame.head.length_bytes }, first))) {
        m_kept.forget_from(first);
        m_is_beyond = true;
        m_beyond = before;
    }
    return status;
}

Result<bool> LogReader::take_frame_from(u32 member, u64 position)
{
    Frame frame {};
    if (!TRY(head_at(member, position, frame.head)) || frame.head.sequence != m_at.sequence
        || !TRY(frame_at(member, position, frame.head, frame.bytes)))
        return false;
    frame.position = position;
    frame.offset = sizeof(DiskLogFrame);
    frame.left = frame.head.record_count;
    frame.data = { frame.bytes + frame.head.length_bytes - frame.head.data_bytes(), frame.head.data_bytes() };
    m_frame = frame;
    return true;
}

Result<bool> LogReader::take_frame(u64 position)
{
    return any_member([&](u32 member) { return take_frame_from(member, position); });
}

// True: on that member the frame that comes next stands behind a place that was left out, and was taken. Notes what knows of one
// that is missing. A few bad sectors are passed over, but where a device has several paths: only of such a one places are left out.
Result<bool> LogReader::look_ahead(u32 member)
{
    const u32 step = m_ring.alignment_of(1u << member);
    const bool is_plain = m_vdevs.vdev(m_ring.device_of(member)).paths->is_plain();
    u64 ahead = 0, unread_bytes = 0;
    Error unread = Error::none;
    for (u64 position = align_up(m_at.position, u64(step)); ahead < min(k_look_ahead_bytes, m_ring.bytes()); ahead += step) {
        LogFrameHead head;
        u8* bytes;
        const Result<bool> seen = head_at(member, position, head);
        if (seen.is_error()) { // a few bad sectors, or a device that fails
            unread = seen.error();
            unread_bytes += step;
            m_at.unread_bytes = max(m_at.unread_bytes, unread_bytes);
            const bool may_be_there = !is_plain && ahead <= min(k_max_log_skip_bytes, m_ring.bytes() / 4) + k_max_log_frame_bytes;
            if (!is_of_sectors(unread) || unread_bytes > k_most_bad_blocks * k_block_size || may_be_there)
                return unread;
        }
        const bool ours = seen.is_ok() && seen.value();
        if (ours && head.sequence == m_at.sequence && TRY(take_frame_from(member, position)))
            return true;
        const bool knows = ours && head.sequence > m_at.sequence && head.acknowledged >= m_at.sequence;
        if (knows && TRY(frame_at(member, position, head, bytes))) {
            if (unread != Error::none) // there, perhaps
                return unread;
            if (!m_at.missing.proof)
                m_at.missing = { m_at.sequence, m_at.position, head.sequence };
            return false;
        }
        position += step;
    }
    return false;
}

// The frame that comes next, wherever it stands. False: the log ends here, or there is proof that it does not, but in what is missing.
Result<bool> LogReader::find_frame()
{
    m_at.missing = {};
    m_at.unread_bytes = 0;
    if (m_at.position - m_start >= m_ring.bytes())
        return false;
    Result<bool> here = take_frame(m_at.position);
    if (here.is_ok() ? here.value() : !is_of_sectors(here.error()))
        return lcpfs::move(here);
    // What is left of the run may be too short for it.
    const u64 left = m_ring.left_in_run(m_at.position), next_run = m_at.position + left;
    if (left < k_max_log_frame_bytes && next_run - m_start < m_ring.bytes() && TRY(take_frame(next_run)))
        return true;
    if (here.is_error())
        return lcpfs::move(here);
    const bool is_ahead = TRY(any_member([&](u32 member) { return look_ahead(member); }));
    if (is_ahead) // though a member that has it not knows of it
        m_at.missing = {};
    return is_ahead;
}

void LogReader::leave_frame()
{
    m_at.position = m_frame.position + m_frame.head.length_bytes;
    m_at.sequence++;
}

Status LogReader::look_for_takeover(const LogTail& tail, const LogReader& before)
{
    TRY(prepare());
    m_identity.generation = tail.generation;
    LogFrameHead head;
    u8* bytes;
    if (!TRY(head_at(0, 0, head)) || head.acknowledged < before.next_sequence() || !TRY(frame_at(0, 0, head, bytes)))
        return {};
    m_end.missing = { before.next_sequence(), 0, head.sequence };
    m_end.last_record = before.last_record();
    return Error::log_missing;
}

Status LogReader::read_frames()
{
    while (TRY(find_frame())) {
        TRY(take_records());
        if (m_told)
            m_told(m_told_context, m_frame.head);
        leave_frame();
    }
    return m_at.missing.proof ? Status(Error::log_missing) : Status();
}

Status LogReader::read(const LogTail& tail, TxgId committed)
{
    TRY(prepare());
    m_identity.generation = tail.generation;
    m_committed = committed;
    m_start = tail.position;
    m_at.position = tail.position;
    m_at.sequence = tail.sequence;
    m_at.last_record = tail.record;
    const Status status = read_frames();
    m_end = m_at;
    rewind();
    return status;
}

void LogReader::rewind()
{
    m_next = 0;
    m_at = m_beyond;
    m_frame.left = 0;
    m_is_in_frame = false;
}

Result<const LogRecordView*> LogReader::next()
{
    if (m_next == m_record_count)
        return static_cast<const LogRecordView*>(nullptr);
    if (m_next < m_kept.record_count())
        return &m_kept.record(m_next++);
    for (;;) {
        while (m_frame.left) {
            m_record = TRY(record_of_frame());
            if (!is_wanted(m_record))
                continue;
            m_next++;
            return &m_record;
        }
        if (m_is_in_frame)
            leave_frame();
        m_is_in_frame = false;
        m_is_in_frame = TRY(find_frame());
        if (!m_is_in_frame)
            return Error::io_error;
    }
}

}
