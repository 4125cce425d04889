// SPDX-License-Identifier: GPL-2.0-only
// Reading the log at opening and having it replayed.
#include "core/base/format_text.h"
#include "core/fs/lost_records.h"
#include "core/test/breakage.h"

namespace lcpfs {

namespace {

void say(Pool& pool, host_log_level level, const TextLine& line) { pool.log(level, StringView(line.text(), line.size())); }

// What can be done about it.
void add_ways(TextLine& line, Error error)
{
    line.add(is_of_device(error) ? "; nothing is changed: mount it when the device works, or" : "; mount");
    line.add(" with -o recover=discard-log to go on without what only the log holds");
}

Status read_log(Pool& pool, LogReader& reader, bool discards)
{
    const Uberblock& uberblock = pool.uberblock();
    if (uberblock.log_generation == 0)
        return {};
    const LogTail tail { uberblock.log_generation, uberblock.log_tail, uberblock.log_sequence, uberblock.log_record };
    Status status = reader.read(tail, uberblock.replayed());
    Box<LogReader> other;
    if (status.is_ok() && uberblock.log_ring == k_device_ring) {
        other = TRY(make_box<LogReader>(pool.vdevs(), pool.intent_log().ring(k_pool_ring), pool.label().header.pool_guid));
        status = other->look_for_takeover(tail, reader);
    }
    LogReader& lacking = other ? *other : reader;
    const LogReader::Missing& missing = lacking.missing();
    if (status.is_ok() || status.error() == Error::no_memory)
        return status.error();
    TextLine line;
    line.add("intent log: ");
    if (status.error() == Error::log_missing)
        line.add("frame ").add(missing.sequence).add(" at position ").add(missing.position)
            .add(" is missing or damaged, but frame ").add(missing.proof).add(" says that it had been acknowledged");
    else
        line.add("cannot be read behind frame ").add(reader.next_sequence()).add(": ").add(text_of(status.error()));
    if (discards)
        line.add("; all that only the log holds is dropped as asked for");
    else
        add_ways(line, status.error());
    if (status.error() == Error::log_missing)
        say_lost_records(pool, lacking, uberblock.replayed());
    say(pool, HOST_LOG_ERROR, line);
    return discards ? Error::none : status.error();
}

Status refuse_record(Pool& pool, const LogRecordView& record, Error error)
{
    if (error == Error::no_memory)
        return error;
    TextLine line;
    line.add("intent log: record ").add(record.sequence()).add(" (operation ").add(u64(record.header.opcode.get()));
    line.add(", dataset ").add(record.header.dataset.get()).add(", object ").add(record.header.object.get());
    line.add(", group ").add(record.txg().value()).add(") cannot be replayed: ");
    line.add(text_of(error));
    add_ways(line, error);
    say(pool, HOST_LOG_ERROR, line);
    return error == Error::log_opcode || error == Error::log_damaged || is_of_device(error) ? error : Error::log_replay;
}

// What records left in memory, to its place.
Status write_data(Pool& pool)
{
    const Status status = pool.delayed_writes().write_all();
    if (status.is_ok() || status.error() == Error::no_memory)
        return status.error();
    TextLine line;
    line.add("intent log: data that it holds cannot be written to its place: ").add(text_of(status.error()));
    add_ways(line, status.error());
    say(pool, HOST_LOG_ERROR, line);
    return is_of_device(status.error()) ? status.error() : Error::log_replay;
}

// Says every so often how far it has come; a mount waits for it.
class Progress {
public:
    Progress(Pool& pool, u64 total) : m_pool(pool), m_total(total), m_said_ns(host_monotonic_ns()) {}
    void done_one()
    {
        if (++m_done % k_look_every != 0 || host_monotonic_ns() - m_said_ns < k_say_every_ns)
            return;
        m_said_ns = host_monotonic_ns();
        TextLine line;
        line.add("intent log: ").add(m_done).add(" of ").add(m_total).add(" operations have been done again");
        say(m_pool, HOST_LOG_INFO, line);
    }

private:
    static constexpr u64 k_look_every = 64, k_say_every_ns = 2000000000;
    Pool& m_pool;
    const u64 m_total;
    u64 m_done { 0 };
    u64 m_said_ns;
};

// All has been read already, but of what was not kept it is found out now whether it still can be.
Result<const LogRecordView*> next_record(Pool& pool, LogReader& reader)
{
    const auto record = reader.next();
    if (record.is_ok())
        return record.value();
    TextLine line;
    line.add("intent log: frame ").add(reader.at_frame()).add(", which has been read before, cannot be read again: ");
    line.add(text_of(record.error())).add("; nothing is changed, another mount may succeed");
    say(pool, HOST_LOG_ERROR, line);
    return record.error();
}

Status claim_all(Pool& pool, LogReader& reader)
{
    while (const LogRecordView* record = TRY(next_record(pool, reader))) {
        const Status status = claim_record(pool, *record);
        if (status.error() == Error::bitmap_damaged || is_of_sectors(status.error()))
            return Error::bitmap_damaged; // named already; it can be rebuilt
        if (status.is_error())
            return refuse_record(pool, *record, status.error());
    }
    return {};
}

Status replay_all(Pool& pool, LogReader& reader)
{
    reader.rewind();
    Progress progress(pool, reader.record_count());
    while (const LogRecordView* record = TRY(next_record(pool, reader))) {
        if (pool.delayed_writes().is_beyond(1))
            TRY(write_data(pool));
        const Status status = replay_record(pool, *record);
        if (status.is_error())
            return refuse_record(pool, *record, status.error());
        progress.done_one();
    }
    return {};
}

Status replay(Pool& pool, LogReader& reader)
{
    if (!breakage::log_skip_claim)
        TRY(claim_all(pool, reader));
    pool.space().set_replaying(true);
    const Status result = replay_all(pool, reader);
    pool.space().set_replaying(false);
    TRY(Status(result));
    return write_data(pool); // what it cannot write is told now, not by the group
}

}

// Where it was asked to do without what the log does not give, a ring with bad sectors is one that cannot be replayed, for the caller.
static Error told(const core_pool_options& options, Status status)
{
    return options.discard_log && is_of_sectors(status.error()) ? Error::log_replay : status.error();
}

Status recover_log(Pool& pool, const core_pool_options& options, bool drops_pool_ring)
{
    IntentLog& log = pool.intent_log();
    const Uberblock& uberblock = pool.uberblock();
    const u32 from = static_cast<u32>(uberblock.log_ring);
    if (!log.ring(k_pool_ring).is_there() || (options.read_only && options.no_recovery))
        return {};
    const bool is_lost = pool.lacks_log_device() && from == k_device_ring;
    // With the device missing that is what is given up; the pool's own ring has what was done since it failed.
    const bool drops = options.discard_log && (!pool.lacks_log_device() || is_lost || drops_pool_ring);
    Box<LogReader> reader = TRY(make_box<LogReader>(pool.vdevs(), log.ring(from), pool.label().header.pool_guid));
    if (!is_lost)
        TRY(Status(told(options, read_log(pool, *reader, drops))));
    LogTail next { 0, uberblock.log_tail, uberblock.log_sequence, uberblock.log_record };
    if (uberblock.log_generation && !is_lost)
        next = { 0, reader->end_position(), reader->next_sequence(), reader->last_record() };
    if (reader->record_count() && !drops) {
        TextLine line;
        line.add("intent log: ").add(reader->record_count()).add(" operations are newer than the committed group ");
        line.add(uberblock.replayed().value());
        if (options.read_only) {
            line.add("; mount it once for writing, or with -o norecovery to see that group");
            say(pool, HOST_LOG_ERROR, line);
            return Error::log_pending;
        }
        TRY(Status(told(options, replay(pool, *reader))));
        say(pool, HOST_LOG_INFO, line.add(" and have been done again"));
    }
    if (reader->passed_over()) {
        TextLine line;
        line.add("intent log: ").add(reader->passed_over()).add(" times a frame was found on another log device than the one before it");
        say(pool, HOST_LOG_INFO, line);
    }
    if (reader->unread_bytes() && !drops) {
        TextLine line;
        line.add("intent log: ").add(reader->unread_bytes()).add(" bytes behind frame ").add(reader->next_sequence() - 1);
        line.add(", the last that was found, cannot be read; nothing else says that there are more");
        say(pool, HOST_LOG_WARNING, line);
    }
    if (reader->lacks_group())
        pool.log(HOST_LOG_WARNING, "intent log: what was done after the group that is lost cannot be done again");
    while (next.generation == 0)
        host_random_bytes(&next.generation, sizeof(next.generation));
    next.ring = log.ring(k_device_ring).is_there() && !pool.lacks_log_device() ? k_device_ring : k_pool_ring;
    if (next.ring != from) // in which the committed group has nothing
        next.position = 0;
    log.begin(next, next.ring == from ? uberblock.log_tail : 0, pool.engine().committed_txg());
    return {};
}

}
