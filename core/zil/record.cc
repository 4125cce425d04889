// SPDX-License-Identifier: GPL-2.0-only
#include "core/zil/record.h"

#include "core/zil/fletcher.h"

namespace lcpfs {

Result<Ref<LogData>> LogData::create(const Memory& memory, u32 page_count)
{
    const bool is_single = page_count == 1;
    void* room = is_single ? host_pool_alloc(memory.singles, 0) : host_alloc(sizeof(LogData) + page_count * sizeof(Block), 0);
    if (!room)
        return Error::no_memory;
    Ref<LogData> data = Ref<LogData>::adopt(*::new (room) LogData(memory, is_single));
    for (; data->m_page_count < page_count; data->m_page_count++) {
        u8*& page = data->blocks()[data->m_page_count].page;
        page = static_cast<u8*>(host_pool_alloc(memory.pages, 0));
        if (!page)
            return Error::no_memory;
    }
    return data;
}

void LogData::last_reference_dropped()
{
    for (u32 i = 0; i < m_page_count; i++)
        host_pool_free(m_memory.pages, blocks()[i].page);
    host_pool* const home = m_is_single ? m_memory.singles : nullptr;
    this->~LogData();
    home ? host_pool_free(home, this) : host_free(this);
}

Box<LogRecord> LogRecord::create(LogOpcode opcode, u64 object, u32 payload_bytes, host_pool* small)
{
    host_pool* const home = sizeof(LogRecord) + payload_bytes <= k_small_bytes ? small : nullptr;
    void* memory = home ? host_pool_alloc(home, 0) : host_alloc(sizeof(LogRecord) + payload_bytes, 0);
    if (!memory)
        return {};
    LogRecord* record = ::new (memory) LogRecord(home);
    record->payload_bytes = payload_bytes;
    record->header.magic.set(k_log_record_magic);
    record->header.opcode.set(static_cast<u32>(opcode));
    record->header.object.set(object);
    return Box<LogRecord>(record);
}

void LogRecord::dispose(LogRecord* record)
{
    host_pool* const home = record->m_home;
    record->~LogRecord();
    home ? host_pool_free(home, record) : host_free(record);
}

u32 LogRecord::replay_cost() const
{
    switch (static_cast<LogOpcode>(header.opcode.get())) {
    case LogOpcode::write:
    case LogOpcode::allocate:
    case LogOpcode::set_attributes:
    case LogOpcode::commit_marker:
        return 1;
    default:
        return 3;
    }
}

u64 log_record_checksum(const DiskLogRecord& header, Bytes payload)
{
    Fletcher4 sum;
    sum.add(bytes_of(header));
    sum.add(payload);
    return sum.folded();
}

Result<LogRecordView> read_log_record(Bytes bytes, u32& offset)
{
    VERIFY_DISK(offset % k_log_record_align == 0 && offset <= bytes.size(), log_damaged);
    VERIFY_DISK(bytes.size() - offset >= sizeof(DiskLogRecord), log_damaged);
    LogRecordView view;
    copy_bytes(&view.header, bytes.data() + offset, sizeof(view.header));
    VERIFY_DISK(view.header.magic.get() == k_log_record_magic, log_damaged);
    const u64 payload_bytes = view.header.payload_bytes.get();
    VERIFY_DISK(payload_bytes <= k_max_log_record_bytes, log_damaged);
    const u32 whole = log_record_bytes(payload_bytes);
    VERIFY_DISK(whole <= bytes.size() - offset, log_damaged);
    view.payload = bytes.slice(offset + sizeof(DiskLogRecord), payload_bytes);
    const u64 checksum = view.header.checksum.get();
    view.header.checksum.set(0);
    VERIFY_DISK(log_record_checksum(view.header, view.payload) == checksum, log_damaged);
    VERIFY_DISK(view.header.txg.get() != 0 && view.header.sequence.get() != 0, log_damaged);
    VERIFY_DISK(view.header.data_blocks.get() <= k_max_log_data_bytes / k_block_size, log_damaged);
    offset += whole;
    return view;
}

}
