// SPDX-License-Identifier: GPL-2.0-only
#include "core/zil/frame.h"

#include "core/zil/fletcher.h"

namespace lcpfs {

static_assert(sizeof(DiskLogFrame) % k_log_record_align == 0);

namespace {

// A cyclic sum of everything, which tells a frame that was torn, and a hash of what no other sum is of: what a record says and holds is
// under its own Fletcher-4 (record.h), and those of all records are under the hash, with the head. A data block is under its own
// checksum, which its record says and which it has at its place as well: where that is crc32c it is this sum's too, made once by
// whoever writes, outside of any lock, and not by who builds the frame for all.
class FrameSum {
public:
    explicit FrameSum(u64 hash) : m_hash(hash) {}
    static constexpr u64 k_start = 0x4c4350465a494c31ull;

    // Pieces of 4 KiB, the first one shorter, so that a frame in pages and one in a row give the same.
    void add(const u8* piece, size_t bytes) { add(host_crc32c(piece, bytes)); }
    void add(u32 sum)
    {
        // Each piece's sum takes the earlier ones' along, shifted so that their order counts.
        m_cyclic = (m_cyclic << 13 | m_cyclic >> 51) ^ sum;
    }
    void hash(const void* bytes, size_t count) { m_hash = host_xxh64(bytes, count, m_hash); }
    void store(u8 (&out)[16]) const
    {
        const le64 sums[2] = { le64(m_hash), le64(m_cyclic) };
        copy_bytes(out, sums, sizeof(sums));
    }

private:
    u64 m_hash;
    u64 m_cyclic { 0x9e3779b97f4a7c15ull };
};

u64 hash_of_record(le64 checksum, u64 before) { return host_xxh64(&checksum, sizeof(checksum), before); }

// Of the sums that the records bear, which one after the other have to fill the frame. Whether they are right is asked of each record
// when it is read: in a frame that was written as a whole a wrong one is damage, not the end of the log.
Result<u64> hash_of_records(const DiskLogFrame& head, Bytes frame)
{
    const u64 used = head.used_bytes.get();
    u64 data_left = head.magic.get() == k_log_frame_magic ? head.data_blocks.get() : 0;
    VERIFY_DISK(used <= frame.size() && data_left * k_block_size <= frame.size() - used, log_damaged);
    u64 hash = FrameSum::k_start;
    u64 offset = sizeof(DiskLogFrame);
    for (u32 i = 0; i < head.record_count.get(); i++) {
        DiskLogRecord record;
        VERIFY_DISK(offset + sizeof(record) <= used, log_damaged);
        copy_bytes(&record, frame.data() + offset, sizeof(record));
        VERIFY_DISK(record.magic.get() == k_log_record_magic && record.payload_bytes.get() <= k_max_log_record_bytes, log_damaged);
        VERIFY_DISK(record.data_blocks.get() <= data_left, log_damaged);
        data_left -= record.data_blocks.get();
        hash = hash_of_record(record.checksum, hash);
        offset += log_record_bytes(record.payload_bytes.get());
    }
    VERIFY_DISK(offset == used && data_left == 0, log_damaged);
    return hash;
}

}

Status LogFrame::prepare(host_pool* pages)
{
    m_page_pool = pages;
    for (u8*& page : m_pages) {
        if (!page)
            page = static_cast<u8*>(host_pool_alloc(pages, 0));
        if (!page)
            return Error::no_memory;
    }
    return {};
}

void LogFrame::release()
{
    for (u8*& page : m_pages) {
        if (page)
            host_pool_free(m_page_pool, page);
        page = nullptr;
    }
}

void LogFrame::start(u32 area_bytes)
{
    m_area = area_bytes;
    m_base = static_cast<u32>(align_up(area_bytes, k_block_size)) - area_bytes;
    m_used = sizeof(DiskLogFrame);
    m_data_blocks = 0;
    m_records = 0;
    m_length = 0;
    m_records_hash = FrameSum::k_start;
    m_first_record = m_last_record = 0;
}

// The byte `used` of the frame; `left`: how many follow in its page, at most what there were.
u8* LogFrame::at(u32 used, u32& left) const
{
    const u32 inside = (m_base + used) % k_block_size;
    left = min(left, k_block_size - inside);
    return m_pages[(m_base + used) / k_block_size] + inside;
}

void LogFrame::put(const void* from, u32 bytes)
{
    const u8* next = static_cast<const u8*>(from);
    while (bytes) {
        u32 piece = bytes;
        u8* const to = at(m_used, piece);
        copy_bytes(to, next, piece);
        next += piece;
        bytes -= piece;
        m_used += piece;
    }
}

void LogFrame::put_zeros(u32 bytes)
{
    while (bytes) {
        u32 piece = bytes;
        u8* const to = at(m_used, piece);
        zero_bytes(to, piece);
        bytes -= piece;
        m_used += piece;
    }
}

void LogFrame::add(LogRecord& record, u64 previous_position)
{
    DiskLogRecord header = record.header;
    header.payload_bytes.set(record.payload_bytes + record.data_bytes);
    header.data_blocks.set(record.data_blocks);
    header.previous_position.set(previous_position);
    header.checksum.set(0);
    Fletcher4 sum;
    sum.add(bytes_of(header));
    sum.add({ record.payload(), record.payload_bytes });
    for (u32 at = 0; at < record.data_bytes; at += k_block_size)
        sum.add({ record.data->page(at / k_block_size), min(k_block_size, record.data_bytes - at) });
    header.checksum.set(sum.folded());
    m_records_hash = hash_of_record(header.checksum, m_records_hash);
    put(&header, sizeof(header));
    put(record.payload(), record.payload_bytes);
    for (u32 at = 0; at < record.data_bytes; at += k_block_size)
        put(record.data->page(at / k_block_size), min(k_block_size, record.data_bytes - at));
    put_zeros(static_cast<u32>(align_up(m_used, k_log_record_align)) - m_used);
    for (u32 i = 0; i < record.data_blocks; i++)
        m_data[m_data_blocks++] = { record.data->page(i), record.data->sum(i) };
    if (m_records++ == 0)
        m_first_record = record.sequence();
    m_last_record = record.sequence();
}

void LogFrame::seal(const LogIdentity& identity, const Seal& how)
{
    const u32 used = m_used;
    put_zeros(m_area - used);
    m_used = used;
    m_length = m_area + m_data_blocks * k_block_size;
    DiskLogFrame& head = *::new (m_pages[0] + m_base) DiskLogFrame {};
    head.magic.set(k_log_frame_magic);
    head.pool_guid = identity.pool_guid;
    head.generation.set(identity.generation);
    head.sequence.set(how.sequence);
    head.position.set(how.position);
    head.length_bytes.set(m_length);
    head.used_bytes.set(used);
    head.record_count.set(m_records);
    head.data_blocks.set(m_data_blocks);
    head.acknowledged.set(how.acknowledged);
    head.first_record.set(m_first_record);
    head.last_record.set(m_last_record);
    head.committed_txg.set(how.committed.value());
    FrameSum sum(m_records_hash);
    sum.hash(&head, sizeof(head));
    core_segment pieces[k_log_frame_pages];
    const u32 count = segments(pieces);
    for (u32 i = 0; i < count - m_data_blocks; i++)
        sum.add(static_cast<const u8*>(pieces[i].data), pieces[i].bytes);
    for (u32 i = 0; i < m_data_blocks; i++)
        sum.add(m_data[i].sum);
    sum.store(head.checksum);
}

u32 LogFrame::segments(core_segment* out) const
{
    u32 count = 0;
    for (u32 from = 0; from < m_area; from += out[count++].bytes) {
        u32 bytes = m_area - from;
        u8* const data = at(from, bytes);
        out[count] = { data, bytes };
    }
    for (u32 i = 0; i < m_data_blocks; i++)
        out[count++] = { const_cast<u8*>(m_data[i].page), k_block_size };
    return count;
}

Result<LogFrameHead> read_log_frame_head(const DiskLogFrame& disk, const LogIdentity& identity)
{
    const u64 magic = disk.magic.get();
    VERIFY_DISK(magic == k_log_frame_magic || magic == k_log_plain_frame_magic || magic == k_log_hashed_frame_magic, log_damaged);
    VERIFY_DISK(compare_bytes(disk.pool_guid.bytes, identity.pool_guid.bytes, sizeof(DiskGuid)) == 0, log_damaged);
    VERIFY_DISK(disk.generation.get() == identity.generation, log_damaged);
    LogFrameHead head;
    head.sequence = disk.sequence.get();
    head.position = disk.position.get();
    head.acknowledged = disk.acknowledged.get();
    head.first_record = disk.first_record.get();
    head.last_record = disk.last_record.get();
    head.committed = TxgId(disk.committed_txg.get());
    head.length_bytes = disk.length_bytes.get();
    head.used_bytes = disk.used_bytes.get();
    head.record_count = disk.record_count.get();
    head.data_blocks = magic == k_log_frame_magic ? disk.data_blocks.get() : 0;
    VERIFY_DISK(head.length_bytes <= k_max_log_frame_bytes && head.length_bytes >= sizeof(DiskLogFrame), log_damaged);
    VERIFY_DISK(head.used_bytes <= head.length_bytes && head.used_bytes >= sizeof(DiskLogFrame), log_damaged);
    VERIFY_DISK(head.data_blocks <= (head.length_bytes - head.used_bytes) / k_block_size, log_damaged);
    VERIFY_DISK(head.record_count <= k_max_log_frame_records && head.acknowledged < head.sequence, log_damaged);
    return head;
}

bool log_frame_fits(MutableBytes frame)
{
    DiskLogFrame head;
    copy_bytes(&head, frame.data(), sizeof(head));
    u8 expected[16];
    copy_bytes(expected, head.checksum, sizeof(expected));
    zero_bytes(head.checksum, sizeof(head.checksum));
    copy_bytes(frame.data(), &head, sizeof(head));
    const bool is_hashed = head.magic.get() == k_log_hashed_frame_magic;
    // Pieces are counted from the end, in older frames from the start.
    const size_t odd = head.magic.get() == k_log_frame_magic ? frame.size() % k_block_size : 0;
    const Result<u64> records = is_hashed ? Result<u64>(FrameSum::k_start) : hash_of_records(head, frame);
    FrameSum sum(records.is_ok() ? records.value() : 0);
    if (!is_hashed)
        sum.hash(&head, sizeof(head));
    for (size_t at = 0, bytes; at < frame.size(); at += bytes) {
        bytes = at == 0 && odd ? odd : min<size_t>(k_block_size, frame.size() - at);
        sum.add(frame.data() + at, bytes);
        if (is_hashed)
            sum.hash(frame.data() + at, bytes);
    }
    u8 found[16];
    sum.store(found);
    copy_bytes(frame.data() + offsetof(DiskLogFrame, checksum), expected, sizeof(expected));
    return records.is_ok() && compare_bytes(found, expected, sizeof(found)) == 0;
}

}
