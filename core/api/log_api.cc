// SPDX-License-Identifier: GPL-2.0-only
// The intent log: looking and tuning.
#include "core/api/handles.h"

using namespace lcpfs;

static_assert(CORE_LOG_LATENCIES == LogStatistics::k_buckets);
static_assert(CORE_LOG_DURABLE_BY_WRITE == int(Durable::by_write) && CORE_LOG_DURABLE_BY_FLUSH == int(Durable::by_flush));

void core_log_get(core_pool* pool, core_log* out)
{
    zero_bytes(out, sizeof(*out));
    IntentLog& log = pool_of(pool).intent_log();
    LogStatistics statistics {};
    log.get_statistics(statistics);
    out->ring_bytes = log.ring().bytes();
    out->position = statistics.position;
    out->frames = statistics.frames;
    out->operations = statistics.records;
    out->bytes = statistics.bytes;
    out->flushes = statistics.flushes;
    out->errors = statistics.errors;
    out->frames_pending = statistics.pending_frames;
    out->pending_entries = statistics.waiting_records;
    out->pending_bytes = statistics.waiting_bytes + statistics.pending_bytes;
    out->latency_ns = statistics.average_ns;
    for (u32 i = 0; i < CORE_LOG_LATENCIES; i++)
        out->latency[i] = statistics.latency[i];
    out->durable = log.ring().is_there() ? static_cast<core_log_durable>(statistics.durable.by) : CORE_LOG_DURABLE_BY_WRITE;
    out->fua_ns = statistics.durable.fua_ns;
    out->flush_ns = statistics.durable.flush_ns;
    out->batch_records = log.batch().records;
    out->batch_timeout_us = log.batch().timeout_us;
    out->frames_in_flight = log.writer().in_flight_limit();
}

int core_log_set(core_pool* pool, core_log_setting setting, uint64_t value)
{
    IntentLog& log = pool_of(pool).intent_log();
    IntentLog::Batch batch = log.batch();
    switch (setting) {
    case CORE_LOG_SET_BATCH_RECORDS:
        if (value < 1 || value > k_max_log_frame_records)
            return to_errno(Error::invalid);
        batch.records = static_cast<u32>(value);
        break;
    case CORE_LOG_SET_BATCH_TIMEOUT_US:
        if (value > IntentLog::k_max_batch_timeout_us)
            return to_errno(Error::invalid);
        batch.timeout_us = static_cast<u32>(value);
        break;
    case CORE_LOG_SET_FRAMES_IN_FLIGHT:
        if (value < 1 || value > k_max_log_frames_in_flight)
            return to_errno(Error::invalid);
        log.writer().set_in_flight_limit(static_cast<u32>(value));
        return 0;
    default:
        return to_errno(Error::invalid);
    }
    log.set_batch(batch);
    return 0;
}
