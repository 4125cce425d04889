// SPDX-License-Identifier: GPL-2.0-only
// Reading the log at opening and having it replayed.
#include "core/base/format_text.h"
#include "core/fs/lost_records.h"
#include "core/test/breakage.h"

namespace lcpfs {

namespace {

void say(Pool& pool, host_log_level level, const TextLine& line) { pool.log(level, StringView(line.text(), line.size())); }

Status read_log(Pool& pool, LogReader& reader, bool discards)
{
    const Uberblock& uberblock = pool.uberblock();
    if (uberblock.log_generation == 0)
        return {};
    const LogTail tail { uberblock.log_generation, uberblock.log_tail, uberblock.log_sequence, uberblock.log_record };
    const Status status = reader.read(tail, uberblock.txg);
    if (status.is_ok() || status.error() == Error::no_memory)
        return status.error();
    TextLine line;
    line.add("intent log: ");
    if (status.error() == Error::log_missing)
        line.add("frame ").add(reader.missing().sequence).add(" at position ").add(reader.missing().position)
            .add(" is missing or damaged, but frame ").add(reader.missing().proof).add(" says that it had been acknowledged");
    else
        line.add("cannot be read behind frame ").add(reader.next_sequence()).add(": ").add(text_of(status.error()));
    line.add(discards ? "; all that only the log holds is dropped as asked for"
                      : "; mount with -o recover=discard-log to go on without what only the log holds");
    if (status.error() == Error::log_missing)
        say_lost_records(pool, reader, uberblock.txg);
    say(pool, HOST_LOG_ERROR, line);
    return discards ? Error::none : status.error();
}

Status refuse_record(Pool& pool, const LogRecordView& record, Error error)
{
    if (error == Error::no_memory)
        return error;
    TextLine line;
    line.add("intent log: record ").add(record.sequence()).add(" (operation ").add(u64(record.header.opcode.get()));
    line.add(", object ").add(record.header.object.get()).add(", group ").add(record.txg().value()).add(") cannot be replayed: ");
    line.add(text_of(error)).add("; mount with -o recover=discard-log to go on without what only the log holds");
    say(pool, HOST_LOG_ERROR, line);
    return error == Error::log_opcode || error == Error::log_damaged ? error : Error::log_replay;
}

Status replay(Pool& pool, Span<const LogRecordView> records)
{
    for (const LogRecordView& record : records) {
        const Status status = breakage::log_skip_claim ? Status() : claim_record(pool, record);
        if (status.is_error())
            return refuse_record(pool, record, status.error());
    }
    pool.space().set_replaying(true);
    Status result;
    for (const LogRecordView& record : records) {
        const Status status = replay_record(pool, record);
        if (status.is_error()) {
            result = refuse_record(pool, record, status.error()).error();
            break;
        }
    }
    pool.space().set_replaying(false);
    return result.error();
}

}

Status recover_log(Pool& pool, const core_pool_options& options)
{
    IntentLog& log = pool.intent_log();
    if (!log.ring().is_there() || (options.read_only && options.no_recovery))
        return {};
    Box<LogReader> reader = TRY(make_box<LogReader>(pool.vdevs(), log.ring(), pool.label().header.pool_guid));
    TRY(read_log(pool, *reader, options.discard_log));
    const Uberblock& uberblock = pool.uberblock();
    LogTail next { 0, uberblock.log_tail, uberblock.log_sequence, uberblock.log_record };
    if (uberblock.log_generation)
        next = { 0, reader->end_position(), reader->next_sequence(), reader->last_record() };
    if (!reader->records().is_empty() && !options.discard_log) {
        TextLine line;
        line.add("intent log: ").add(u64(reader->records().size())).add(" operations are newer than the committed group ");
        line.add(uberblock.txg.value());
        if (options.read_only) {
            line.add("; mount it once for writing, or with -o norecovery to see that group");
            say(pool, HOST_LOG_ERROR, line);
            return Error::log_pending;
        }
        TRY(replay(pool, reader->records()));
        say(pool, HOST_LOG_INFO, line.add(" and have been done again"));
    }
    if (reader->lacks_group())
        pool.log(HOST_LOG_WARNING, "intent log: what was done after the group that is lost cannot be done again");
    while (next.generation == 0)
        host_random_bytes(&next.generation, sizeof(next.generation));
    log.begin(next, uberblock.log_tail, pool.engine().committed_txg());
    return {};
}

}
