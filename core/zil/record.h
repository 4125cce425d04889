// SPDX-License-Identifier: GPL-2.0-only
// LogRecord: one operation as it waits in memory to be logged, and reading records out of a frame.
//
// Made before the operation changes anything (the one allocation), numbered and listed under the operation's locks and
// hold, copied into a frame when somebody needs it durable, gone with its group's commit or its frame.
#pragma once

#include "core/base/list.h"
#include "core/base/span.h"
#include "core/format/zil_format.h"
#include "core/host/memory.h"

namespace lcpfs {

// Data of a write that only the log has so far: shared by the record, until its frame has been written, and by the write to
// its place, until that is done. Whole zero-padded blocks, which do not change any more once a record has them.
class LogData : public RefCounted<LogData> {
public:
    // Where it is from. Outlives it.
    struct Memory {
        host_pool* pages { nullptr };
        host_pool* singles { nullptr }; // objects of single_bytes(): a synchronous write is of one block, mostly
    };
    static constexpr u32 single_bytes() { return sizeof(LogData) + sizeof(Block); }
    // no_memory.
    static Result<Ref<LogData>> create(const Memory& memory, u32 page_count);
    u8* page(u32 index) { return blocks()[index].page; }
    // Its crc32c, for the frame: set by who makes it a data block of a record.
    u32 sum(u32 index) const { return blocks()[index].sum; }
    void set_sum(u32 index, u32 sum) { blocks()[index].sum = sum; }
    u32 page_count() const { return m_page_count; }
    void last_reference_dropped();

private:
    struct Block {
        u8* page;
        u32 sum;
    };
    LogData(const Memory& memory, bool is_single) : m_memory(memory), m_is_single(is_single) {}
    const Memory& m_memory;
    u32 m_page_count { 0 };
    bool m_is_single;
    Block* blocks() { return reinterpret_cast<Block*>(this + 1); } // allocated with it
    const Block* blocks() const { return reinterpret_cast<const Block*>(this + 1); }
};

class LogRecord {
public:
    // With room for `payload_bytes` of payload in memory; header zeroed but for opcode. Small ones are from `small`, a pool of objects of
    // k_small_bytes, if there is one. Null: no memory.
    static Box<LogRecord> create(LogOpcode opcode, u64 object, u32 payload_bytes, host_pool* small = nullptr);
    static constexpr u32 k_small_bytes = 256;
    static void dispose(LogRecord* record);

    u64 sequence() const { return header.sequence.get(); }
    TxgId txg() const { return TxgId(header.txg.get()); }
    u8* payload() { return reinterpret_cast<u8*>(this + 1); }
    // Of the frame it goes into: among the records, padding included, and with its data blocks.
    u32 area_bytes() const { return log_record_bytes(u64(payload_bytes) + data_bytes); }
    u32 framed_bytes() const { return area_bytes() + data_blocks * k_block_size; }
    // What doing it again costs, in some 10,000 to 20,000 instructions: a block or a few attributes one, what changes names or cuts
    // extents three.
    u32 replay_cost() const;
    // The pages of its data count here even while a delayed write has them too: it may let go of them first.
    u64 memory_bytes() const { return sizeof(LogRecord) + payload_bytes + (data ? u64(data->page_count()) * k_block_size : 0); }

    ListLink link;
    Ref<LogData> data;
    u32 payload_bytes { 0 };
    u32 data_bytes { 0 };       // of `data`, which follow the payload
    u32 data_blocks { 0 };      // or blocks of it, which stand at the frame's end
    bool needs_flush { false }; // describes data in place that has to be durable before this is
    DiskLogRecord header {};

private:
    explicit LogRecord(host_pool* home) : m_home(home) {}
    host_pool* m_home; // null: host_alloc's
};

// The checksum of a record whose header's field is 0.
u64 log_record_checksum(const DiskLogRecord& header, Bytes payload);

// A record inside a frame's bytes.
struct LogRecordView {
    DiskLogRecord header;
    Bytes payload;
    Bytes data; // its data blocks, where they have been found
    LogOpcode opcode() const { return static_cast<LogOpcode>(header.opcode.get()); }
    u64 sequence() const { return header.sequence.get(); }
    TxgId txg() const { return TxgId(header.txg.get()); }
};
// The record at `offset` of `bytes`; moves `offset` behind it. log_damaged when it is out of form.
Result<LogRecordView> read_log_record(Bytes bytes, u32& offset);

// A payload read piece by piece: each take fails when less is there.
class LogPayload {
public:
    explicit LogPayload(Bytes bytes) : m_bytes(bytes) {}
    template <typename T>
    Status take(T& value)
    {
        static_assert(alignof(T) == 1);
        Bytes bytes = TRY(take_bytes(sizeof(T)));
        copy_bytes(&value, bytes.data(), sizeof(T));
        return {};
    }
    Result<Bytes> take_bytes(size_t wanted)
    {
        VERIFY_DISK(wanted <= m_bytes.size(), log_damaged);
        Bytes taken = m_bytes.slice(0, wanted);
        m_bytes = m_bytes.slice(wanted, m_bytes.size() - wanted);
        return taken;
    }
    size_t left() const { return m_bytes.size(); }
    // log_damaged when something is left.
    Status end() const { return m_bytes.is_empty() ? Status() : Status(Error::log_damaged); }

private:
    Bytes m_bytes;
};

}
