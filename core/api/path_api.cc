// SPDX-License-Identifier: GPL-2.0-only
// Paths of a pool's devices: looking and administration.
#include "core/api/handles.h"
#include "core/base/format_text.h"

using namespace lcpfs;

static_assert(CORE_MAX_PATHS == k_max_paths && CORE_PATH_NAME_BYTES == Path::k_name_bytes && CORE_PATH_SIZES == k_size_classes);
static_assert(CORE_PATH_ACTIVE == int(PathState::active) && CORE_PATH_REPAIRING == int(PathState::repairing));
static_assert(CORE_PATH_ROUND_ROBIN == int(PathPolicy::round_robin) && CORE_PATH_SERVICE_TIME == int(PathPolicy::service_time));

static PathManager& paths_of(core_pool* pool) { return pool_of(pool).vdevs().paths(); }

int core_path_get(core_pool* pool, uint32_t n, core_path* out)
{
    const Result<PathInfo> found = paths_of(pool).info(n);
    if (found.is_error())
        return to_errno(found);
    const PathInfo& info = found.value();
    zero_bytes(out, sizeof(*out));
    out->id = info.id.value();
    out->device = static_cast<uint32_t>(info.target.value());
    copy_bytes(out->name, info.name, sizeof(out->name));
    out->state = static_cast<core_path_state>(info.state);
    out->policy = static_cast<core_path_policy>(info.policy);
    out->priority = info.priority;
    out->depth = info.depth;
    out->average_us = info.average_us;
    out->only = info.is_only;
    out->ios = info.counts.ios;
    out->bytes = info.counts.bytes;
    out->errors = info.counts.errors;
    out->failures = info.counts.failures;
    out->repairs = info.counts.repairs;
    out->wrong_bytes = info.counts.wrong_bytes;
    for (u32 i = 0; i < k_size_classes; i++) {
        out->latency[i].samples = info.latency[i].samples;
        out->latency[i].median_us = info.latency[i].median_us;
        out->latency[i].tail_us = info.latency[i].tail_us;
    }
    return 0;
}

void core_path_get_statistics(core_pool* pool, core_path_statistics* out)
{
    const PathStatistics sum = paths_of(pool).statistics();
    *out = { sum.ios, sum.bytes, sum.path_failures, sum.failovers, sum.path_repairs, sum.waiting };
}

// The target of a device that shows labels of this pool.
static Result<TargetId> target_of(Pool& pool, host_bdev* bdev)
{
    const Box<Label> label = TRY(read_label(bdev));
    if (compare_bytes(&label->header.pool_guid, &pool.label().header.pool_guid, sizeof(DiskGuid)) != 0)
        return Error::device_foreign;
    const Result<PathGroup*> group = pool.vdevs().paths().group_of(label->header.vdev_guid);
    if (group.is_error())
        return Error::device_foreign;
    return group.value()->table().target();
}

static Result<PathId> add_path(Pool& pool, host_bdev* bdev, uint32_t priority)
{
    if (priority > 255)
        return Error::invalid;
    // Turning read-only may be waiting for just this path.
    if (!pool.engine().is_ending())
        TRY(pool.check_writable());
    const TargetId target = TRY(target_of(pool, bdev));
    return pool.vdevs().paths().add_path(target, bdev, static_cast<u8>(priority));
}

int core_path_add(core_pool* pool, host_bdev* bdev, uint32_t priority, uint32_t* id)
{
    const Result<PathId> added = add_path(pool_of(pool), bdev, priority);
    if (added.is_error()) {
        TextLine line;
        line.add(host_bdev_name(bdev)).add(" is not added as a path: ").add(text_of(added.error()));
        pool_of(pool).log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
        return to_errno(added);
    }
    *id = added.value().value();
    return 0;
}

int core_path_remove(core_pool* pool, uint32_t id, host_bdev** bdev)
{
    const Result<host_bdev*> removed = paths_of(pool).remove_path(PathId(id));
    if (removed.is_error())
        return to_errno(removed);
    *bdev = removed.value();
    return 0;
}

int core_path_fail(core_pool* pool, uint32_t id) { return to_errno(paths_of(pool).fail_path(PathId(id))); }
int core_path_reinstate(core_pool* pool, uint32_t id) { return to_errno(paths_of(pool).reinstate_path(PathId(id))); }

static Status set(PathManager& paths, PathId id, core_path_setting setting, i64 value)
{
    PathGroup& group = *TRY(paths.group_of(id));
    PathSettings& settings = group.settings();
    constexpr i64 k_most_ms = 24ll * 3600 * 1000;
    struct Range {
        i64 least, most;
    };
    static constexpr Range k_ranges[] = { { 0, 255 }, { 0, CORE_PATH_SERVICE_TIME }, { 0, k_most_ms }, { -1, k_most_ms }, { 0, k_most_ms },
        { 0, 65536 }, { 0, 1 }, { 0, 1 } };
    if (static_cast<u32>(setting) >= sizeof(k_ranges) / sizeof(k_ranges[0]) || value < k_ranges[setting].least
        || value > k_ranges[setting].most)
        return Error::invalid;
    switch (setting) {
    case CORE_PATH_SET_PRIORITY:
        return group.set_priority(id, static_cast<u8>(value));
    case CORE_PATH_SET_POLICY:
        group.table().set_policy(static_cast<PathPolicy>(value));
        break;
    case CORE_PATH_SET_FAILBACK_MS:
        group.table().set_failback_delay(static_cast<u64>(value) * k_ns_per_ms);
        break;
    case CORE_PATH_SET_NO_PATH_MS:
        settings.no_path_timeout_ms.store(value);
        break;
    case CORE_PATH_SET_TIME_LIMIT_MS:
        settings.time_limit_ms.store(static_cast<u32>(value));
        break;
    case CORE_PATH_SET_COPY_BYTES:
        settings.copy_limit_bytes.store(static_cast<u32>(value));
        break;
    case CORE_PATH_SET_SHARED_CACHE:
        settings.shared_cache.store(static_cast<u8>(value));
        break;
    case CORE_PATH_SET_HEDGED_READS:
        settings.hedged_reads.store(static_cast<u8>(value));
        break;
    }
    paths.look_again(); // what was due in a minute may be due now
    return {};
}

int core_path_set(core_pool* pool, uint32_t id, core_path_setting setting, int64_t value)
{
    return to_errno(set(paths_of(pool), PathId(id), setting, value));
}

void core_pool_set_no_path_timeout(core_pool* pool, int64_t timeout_ms) { paths_of(pool).set_no_path_timeout(timeout_ms); }
