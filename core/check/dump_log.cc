// SPDX-License-Identifier: GPL-2.0-only
// The intent log as it stands on disk: the frames from the committed group's tail on, and the records that are newer than it.
#include "core/check/dump.h"
#include "core/zil/reader.h"

namespace lcpfs {

static void dump_record(const LogRecordView& record, const Lines& lines)
{
    TextLine text;
    const LogOpcodeRow* const row = find_log_opcode(record.opcode());
    text.add("record ").add(record.sequence()).add(": ").add(row ? row->name : "an operation that this version does not know");
    text.add(" (").add(u64(record.header.opcode.get())).add("), dataset ").add(record.header.dataset.get());
    text.add(", object ").add(record.header.object.get()).add(", offset ").add(record.header.offset.get());
    text.add(", group ").add(record.txg().value()).add(", ").add(u64(record.payload.size())).add(" bytes");
    lines.put_line(text);
}

static void dump_frame(void* context, const LogFrameHead& head)
{
    TextLine text;
    text.add("frame ").add(head.sequence).add(" at position ").add(head.position).add(": ").add(u64(head.length_bytes));
    text.add(" bytes, records ").add(head.first_record).add(" to ").add(head.last_record);
    text.add(", acknowledged up to ").add(head.acknowledged).add(", behind group ").add(head.committed.value());
    static_cast<const Lines*>(context)->put_line(text);
}

static void dump_members(Pool& pool, const Lines& lines)
{
    const LogRing& ring = pool.intent_log().ring(k_device_ring);
    for (u32 member = 0; ring.named() && member < ring.member_count(); member++) {
        if (!(ring.named() >> member & 1))
            continue;
        const bool is_stale = ring.members().stale >> member & 1, is_there = ring.present() >> member & 1;
        lines.put("log device ", u64(ring.device_of(member).value()), ": ", is_stale ? "lacks frames" : "has all frames",
                  is_there ? "" : ", not there");
    }
}

static Status dump_records(LogReader& reader, const Lines& lines)
{
    while (const LogRecordView* record = TRY(reader.next()))
        dump_record(*record, lines);
    return {};
}

Status dump_log(Pool& pool, const Lines& lines)
{
    const Uberblock& uberblock = pool.uberblock();
    if (uberblock.log_generation == 0) {
        lines.put("the intent log is empty: it was never used, or the pool was closed");
        return {};
    }
    const bool is_on_device = uberblock.log_ring == k_device_ring;
    dump_members(pool, lines);
    lines.put("group ", uberblock.txg.value(), ": the log is on ", is_on_device ? "the log device" : "the pool's ring", ", from position ",
              uberblock.log_tail, ", frame ", uberblock.log_sequence);
    if (is_on_device && pool.lacks_log_device()) {
        lines.put("the log device is not there");
        return Error::io_offline;
    }
    const LogRing& ring = pool.intent_log().ring(static_cast<u32>(uberblock.log_ring));
    Box<LogReader> reader = TRY(make_box<LogReader>(pool.vdevs(), ring, pool.label().header.pool_guid));
    reader->tell_frames(dump_frame, const_cast<Lines*>(&lines));
    const LogTail tail { uberblock.log_generation, uberblock.log_tail, uberblock.log_sequence, uberblock.log_record };
    const Status status = reader->read(tail, uberblock.txg);
    const Status dumped = dump_records(*reader, lines);
    if (status.error() == Error::log_missing)
        lines.put("frame ", reader->missing().sequence, " at position ", reader->missing().position,
                  " is missing or damaged, but frame ", reader->missing().proof, " says that it had been acknowledged");
    else if (status.is_ok())
        lines.put("the log ends at position ", reader->end_position(), ": ", reader->record_count(),
                  " records are newer than the committed group");
    if (reader->unread_bytes())
        lines.put(reader->unread_bytes(), " bytes behind it cannot be read");
    return status.is_error() ? status.error() : dumped.error();
}

}
