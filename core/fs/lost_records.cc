// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/lost_records.h"

#include "core/base/format_text.h"

namespace lcpfs {

namespace {

constexpr u32 k_most_lines = 32;

void add_made(TextLine& line, const LogRecordView& record)
{
    LogPayload payload(record.payload);
    DiskLogCreate head;
    if (payload.take(head).is_error())
        return;
    auto name = payload.take_bytes(head.name_bytes.get());
    line.add(head.object.get());
    if (name.is_ok() && !name.value().is_empty())
        line.add(" as \"").add_name(name.value()).add("\" in directory ").add(record.header.object.get());
}

void add_named(TextLine& line, const LogRecordView& record)
{
    LogPayload payload(record.payload);
    DiskLogName head;
    if (payload.take(head).is_error())
        return;
    auto name = payload.take_bytes(head.name_bytes.get());
    line.add(head.object.get()).add(" the name \"");
    if (name.is_ok())
        line.add_name(name.value());
    line.add("\" in directory ").add(record.header.object.get());
}

void add_renamed(TextLine& line, const LogRecordView& record)
{
    LogPayload payload(record.payload);
    DiskLogRename head;
    if (payload.take(head).is_error())
        return;
    auto from = payload.take_bytes(head.from_bytes.get());
    auto to = payload.take_bytes(head.to_bytes.get());
    line.add(head.object.get());
    if (from.is_error() || to.is_error())
        return;
    line.add(", \"").add_name(from.value()).add("\" in directory ").add(record.header.object.get());
    line.add(", to \"").add_name(to.value()).add("\" in directory ").add(head.to_directory.get());
}

void add_what(TextLine& line, const LogRecordView& record)
{
    const LogOpcodeRow* const row = find_log_opcode(record.opcode());
    if (!row) {
        line.add("operation ").add(u64(record.header.opcode.get())).add(" on object ").add(record.header.object.get());
        return;
    }
    line.add(row->loss);
    switch (row->subject) {
    case LogSubject::made:
        return add_made(line, record);
    case LogSubject::named:
        return add_named(line, record);
    case LogSubject::renamed:
        return add_renamed(line, record);
    case LogSubject::dataset:
        line.add(record.header.dataset.get());
        return;
    case LogSubject::place:
        line.add(record.header.object.get()).add(" at byte ").add(record.header.offset.get());
        return;
    case LogSubject::nothing:
    case LogSubject::object:
        line.add(record.header.object.get());
    }
}

struct Listing {
    Pool& pool;
    u32 count { 0 };
};

}

void say_lost_records(Pool& pool, LogReader& reader, TxgId committed)
{
    Listing listing { pool };
    const Status status = reader.find_lost(
        committed,
        [](void* context, const LogRecordView& record) {
            Listing& listing = *static_cast<Listing*>(context);
            if (listing.count++ >= k_most_lines)
                return;
            TextLine line;
            line.add("intent log: lost unless the frame comes back: ");
            if (record.header.dataset.get() > k_default_dataset)
                line.add("in dataset ").add(record.header.dataset.get()).add(": ");
            add_what(line, record);
            listing.pool.log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
        },
        &listing);
    TextLine line;
    line.add("intent log: ").add(u64(listing.count)).add(" operations of missing frames and behind them can still be told");
    if (listing.count > k_most_lines)
        line.add(", the first ").add(u64(k_most_lines)).add(" of them above");
    if (status.is_error())
        line.add("; reading for more failed: ").add(text_of(status.error()));
    pool.log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
}

}
