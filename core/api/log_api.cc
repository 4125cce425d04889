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
    out->batch_bytes = log.batch().bytes;
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
    case CORE_LOG_SET_BATCH_BYTES:
        if (value < IntentLog::k_min_batch_bytes || value > k_max_log_frame_bytes)
            return to_errno(Error::invalid);
        batch.bytes = static_cast<u32>(value);
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

unsigned int core_log_get_members(core_pool* handle, core_log_member* members, unsigned int most)
{
    static_assert(CORE_LOG_MEMBERS == k_max_log_members && sizeof(members->name) >= Path::k_name_bytes);
    Pool& pool = pool_of(handle);
    unsigned int count = 0;
    pool.for_each_log_device([&](VdevId id, core_log_member_state state) {
        if (count == most)
            return;
        core_log_member& member = members[count++];
        zero_bytes(&member, sizeof(member));
        member.device = id.value();
        member.state = state;
        member.has_log = pool.is_log_on(id);
        if (pool.vdevs().vdev(id).is_there())
            copy_bytes(member.name, pool.vdevs().vdev(id).name, Path::k_name_bytes);
    });
    return count;
}

int core_log_remove(core_pool* pool, unsigned int device)
{
    return to_errno(device >= k_max_vdevs ? Error::not_found
                                          : pool_of(pool).change_log_device(VdevId(static_cast<u16>(device)), false).error());
}

int core_log_add(core_pool* pool, unsigned int device)
{
    return to_errno(device >= k_max_vdevs ? Error::not_found
                                          : pool_of(pool).change_log_device(VdevId(static_cast<u16>(device)), true).error());
}
