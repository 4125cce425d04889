// SPDX-License-Identifier: GPL-2.0-only
#include "core/api/handles.h"
#include "core/fs/dataset_change.h"

using namespace lcpfs;

static_assert(CORE_DATASET_NAME_BYTES == k_pool_name_bytes);
static_assert(CORE_SYNC_DISABLED == int(SyncMode::disabled) && CORE_LOG_BIAS_THROUGHPUT == int(LogBias::throughput));

int core_dataset_get(core_pool* handle, const char* name, core_dataset** out)
{
    Pool& pool = pool_of(handle);
    const StringView wanted(name ? name : "");
    ReadGuard list(pool.datasets().lock());
    Dataset* const dataset = wanted.size() ? pool.datasets().find(wanted) : &pool.dataset();
    if (!dataset)
        return to_errno(Error::not_found);
    if (dataset->damage() != Error::none)
        return to_errno(dataset->damage());
    dataset->add_user();
    *out = reinterpret_cast<core_dataset*>(dataset);
    return 0;
}

void core_dataset_put(core_dataset* handle)
{
    Dataset& dataset = dataset_of(handle);
    RwLock& lock = dataset.host().pool->datasets().lock();
    WriteGuard list(lock);
    if (dataset.users() == 1)
        dataset.set_mount_ways({});
    dataset.drop_user();
}

static CompressionChoice choice_of(uint64_t code)
{
    if (code <= CORE_COMPRESSION_LZ4)
        return { code ? Encoding::lz4 : Encoding::none, 0 };
    return { Encoding::zstd, static_cast<u8>(code - CORE_COMPRESSION_LZ4) };
}

static u32 code_of(const CompressionChoice& choice)
{
    return choice.encoding == Encoding::zstd ? CORE_COMPRESSION_ZSTD(choice.level) : static_cast<u32>(choice.encoding);
}

static_assert(CORE_COMPRESSION_MOST == CORE_COMPRESSION_ZSTD(k_max_zstd_level));
static_assert(CORE_COMPRESSION_ZSTD_DEFAULT == CORE_COMPRESSION_ZSTD(k_default_zstd_level));
static_assert(CORE_CHECKSUM_OF_POOL == int(ChecksumKind::none) && CORE_CHECKSUM_SHA256 == int(ChecksumKind::sha256));

int core_dataset_use(core_dataset* handle, int compression, int checksum)
{
    Dataset& dataset = dataset_of(handle);
    Pool& pool = *dataset.host().pool;
    if (compression > int(CORE_COMPRESSION_MOST) || checksum > CORE_CHECKSUM_SHA256)
        return to_errno(Error::invalid);
    Dataset::MountWays mount;
    mount.has_compression = compression >= 0;
    mount.has_checksum = checksum > CORE_CHECKSUM_OF_POOL;
    if (mount.has_compression)
        mount.ways.compression = choice_of(static_cast<u64>(compression));
    if (mount.has_checksum)
        mount.ways.checksum = static_cast<ChecksumKind>(checksum);
    // One that is only read is equipped when it is written.
    const Status equipped = pool.enable_compression(mount.ways.compression);
    if (equipped.is_error() && equipped.error() != Error::read_only)
        return to_errno(equipped);
    WriteGuard list(pool.datasets().lock());
    dataset.set_mount_ways(mount);
    return 0;
}

static void fill_info(const Dataset& dataset, core_dataset_info* out)
{
    zero_bytes(out, sizeof(*out));
    const DatasetHead& head = dataset.head();
    out->id = dataset.id().value();
    copy_bytes(out->name, head.name, sizeof(out->name));
    out->objects = dataset.object_count();
    out->used_blocks = dataset.used_blocks();
    out->created_txg = dataset.created_txg();
    out->users = dataset.users();
    out->sync = static_cast<core_sync_mode>(head.sync);
    out->log_bias = static_cast<core_log_bias>(head.log_bias);
    out->compression = code_of(head.ways.compression);
    out->checksum = static_cast<core_checksum>(head.ways.checksum);
    out->partition = head.partition ? head.partition : k_default_partition.value();
    out->is_destroying = head.is_destroying();
    out->is_damaged = dataset.damage() != Error::none;
}

void core_dataset_get_info(core_dataset* handle, core_dataset_info* out)
{
    Dataset& dataset = dataset_of(handle);
    ReadGuard list(dataset.host().pool->datasets().lock());
    fill_info(dataset, out);
}

int core_dataset_next(core_pool* handle, uint64_t id, core_dataset_info* out)
{
    Datasets& datasets = pool_of(handle).datasets();
    ReadGuard list(datasets.lock());
    const Dataset* const dataset = datasets.next(DatasetId(id));
    if (!dataset)
        return to_errno(Error::not_found);
    fill_info(*dataset, out);
    return 0;
}

// Promises to dirty data are as good as used; what only removals may use is still free.
void core_dataset_get_space(core_dataset* handle, core_dataset_space* out)
{
    const Dataset& dataset = dataset_of(handle);
    Pool& pool = *dataset_of(handle).host().pool;
    core_pool_status status;
    pool.get_status(status);
    const Owners& owners = pool.allocator().owners();
    const Owner& owner = owners[dataset.owner()];
    const u64 maximum = owner.maximum_blocks.load();
    const u64 owed = owners.owed_to_others(dataset.owner());
    // What was freed is free, though only the next commits let it be used: who runs into that waits for them.
    out->available_blocks = status.available_blocks - min(status.available_blocks, owed);
    if (maximum) {
        const u64 used = owner.used_blocks();
        out->total_blocks = maximum;
        out->free_blocks = maximum - min(maximum, used - min(used, owner.deferred_blocks.load()));
        out->available_blocks = min(out->available_blocks, out->free_blocks);
        return;
    }
    const u64 others = owners.kept_by_others(dataset.owner());
    const u64 free = status.free_blocks - min(status.free_blocks, status.reserved_blocks);
    out->total_blocks = status.total_blocks - min(status.total_blocks, others);
    out->free_blocks = min(out->total_blocks, max(out->available_blocks, free - min(free, owed)));
}

int core_dataset_create(core_pool* handle, const core_new_dataset* wanted)
{
    NewDataset how;
    const StringView name(wanted->name);
    if (name.size() >= sizeof(how.head.name))
        return to_errno(Error::name_too_long);
    how.head.set_name(name);
    const StringView partition(wanted->partition ? wanted->partition : "");
    if (partition.size()) {
        const auto found = pool_of(handle).partitions().find(partition);
        if (found.is_error())
            return to_errno(Error::not_found);
        how.head.partition = found.value() == k_default_partition ? 0 : found.value().value();
    }
    how.mode = wanted->root_mode;
    how.uid = wanted->root_uid;
    how.gid = wanted->root_gid;
    how.time = time_of(wanted->time);
    return to_errno(create_dataset(pool_of(handle), how));
}

int core_dataset_destroy(core_pool* handle, const char* name) { return to_errno(destroy_dataset(pool_of(handle), StringView(name))); }

int core_dataset_rename(core_pool* handle, const char* from, const char* to)
{
    if (StringView(to).size() >= k_pool_name_bytes)
        return to_errno(Error::name_too_long);
    return to_errno(rename_dataset(pool_of(handle), StringView(from), StringView(to)));
}

int core_dataset_set(core_pool* handle, const char* name, core_dataset_setting setting, uint64_t value)
{
    Pool& pool = pool_of(handle);
    switch (setting) {
    case CORE_DATASET_SET_SYNC:
        if (value > CORE_SYNC_DISABLED)
            break;
        return to_errno(set_dataset_sync(pool, StringView(name), static_cast<SyncMode>(value)));
    case CORE_DATASET_SET_LOG_BIAS:
        if (value > CORE_LOG_BIAS_THROUGHPUT)
            break;
        return to_errno(set_dataset_log_bias(pool, StringView(name), static_cast<LogBias>(value)));
    case CORE_DATASET_SET_COMPRESSION:
        if (value > CORE_COMPRESSION_MOST)
            break;
        return to_errno(set_dataset_compression(pool, StringView(name), choice_of(value)));
    case CORE_DATASET_SET_CHECKSUM:
        if (value > CORE_CHECKSUM_SHA256)
            break;
        return to_errno(set_dataset_checksum(pool, StringView(name), static_cast<ChecksumKind>(value)));
    }
    return to_errno(Error::invalid);
}
