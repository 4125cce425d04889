// SPDX-License-Identifier: GPL-2.0-only
#include "core/api/handles.h"
#include "core/base/format_text.h"
#include "core/check/rebuild.h"
#include "core/fs/erase.h"
#include "core/fs/evacuate.h"
#include "core/fs/replay.h"
#include "core/fs/shrink.h"
#include "core/pool/trim.h"

using namespace lcpfs;

int core_read_label(host_bdev* bdev, core_label* out, bool quiet) { return core_read_labels(bdev, out, quiet, nullptr); }

static Result<FoundLabel> read_with_rings(host_bdev* bdev)
{
    FoundLabel found;
    found.rings = TRY(make_box<FrontRings>(TRY(DeviceIo::create(bdev))));
    Box<LabelReader> reader = TRY(make_box<LabelReader>(found.rings->io()));
    TRY(reader->start());
    TRY(found.rings->start()); // while labels are read
    found.label = TRY(reader->finish(&found.in_all));
    return found;
}

static Result<FoundLabel> read_alone(host_bdev* bdev)
{
    FoundLabel found;
    found.label = TRY(read_label(bdev, &found.in_all));
    return found;
}

static void describe(const Label& label, core_label* out)
{
    const DiskLabelHeader& header = label.header;
    copy_bytes(out->pool_guid, header.pool_guid.bytes, 16);
    copy_bytes(out->device_guid, header.vdev_guid.bytes, 16);
    out->device_index = header.vdev_index.get();
    out->device_count = header.vdev_count.get();
    out->device_bytes = label.vdevs.entries[header.vdev_index.get()].capacity_blocks.get() * k_block_size;
    out->is_log = label.vdevs.entries[header.vdev_index.get()].role == static_cast<u8>(VdevRole::log);
    out->log_device_count = 0;
    for (u32 i = 0; i < out->device_count; i++)
        out->log_device_count += label.vdevs.entries[i].role == static_cast<u8>(VdevRole::log);
    copy_bytes(out->name, header.name, k_pool_name_bytes);
    out->name[k_pool_name_bytes - 1] = 0;
}

static int take_found(host_bdev* bdev, Result<FoundLabel> read, core_label* out, bool quiet, core_labels** labels)
{
    if (read.is_error()) {
        if (!quiet) {
            TextLine line;
            line.add(host_bdev_name(bdev)).add(": ").add(text_of(read.error()));
            host_log(HOST_LOG_FATAL, line.text());
        }
        return to_errno(read);
    }
    describe(*read.value().label, out);
    if (!labels)
        return 0;
    auto found = make_box<FoundLabel>();
    if (found.is_error())
        return to_errno(found);
    *found.value() = read.release_value();
    *labels = reinterpret_cast<core_labels*>(found.release_value().release());
    return 0;
}

int core_read_labels(host_bdev* bdev, core_label* out, bool quiet, core_labels** labels)
{
    return take_found(bdev, read_alone(bdev), out, quiet, labels);
}

int core_read_labels_ahead(host_bdev* bdev, core_label* out, core_labels** labels)
{
    return take_found(bdev, read_with_rings(bdev), out, false, labels);
}

void core_labels_free(core_labels* labels) { Box<FoundLabel> gone(reinterpret_cast<FoundLabel*>(labels)); }

// What a pool does by itself.
static void work_in_background(Pool& pool)
{
    erase_datasets(pool);
    if (!pool.background().is_interrupted())
        pool.partitions().tick_if_due();
    if (evacuate_some(pool))
        pool.background().run_again();
}

// Space is all that is lost when it fails.
static Status rebuild_stale(Pool& pool)
{
    const Status rebuilt = rebuild_bitmaps(pool);
    return rebuilt.error() == Error::no_memory ? rebuilt.error() : Error::none;
}

// What an earlier attempt at opening found to be in the way.
struct Obstacles {
    bool pool_ring { false }; // the ring in the pool cannot be replayed, and was given up
    bool bitmap { false };    // what the log points at lies where a bitmap is damaged
};

static Result<Box<Pool>> open_pool(Span<host_bdev* const> bdevs, const core_pool_options& options, const Obstacles& obstacles)
{
    Box<Pool> pool = TRY(Pool::open(bdevs, options));
    const bool waits = !obstacles.bitmap && pool->can_wait(); // what is mended below has to be committed
    if (obstacles.bitmap)
        TRY(pool->load_bitmaps());
    if (!options.read_only && !waits)
        TRY(pool->reserve());
    if (pool->has_lost_bitmaps()) {
        // To be read it needs none.
        const Status rebuilt = rebuild_bitmaps(*pool);
        if (rebuilt.is_error() && !options.read_only)
            return rebuilt.error();
    } else if (pool->has_stale_bitmaps() && !options.read_only) {
        TRY(rebuild_stale(*pool));
    }
    TRY(recover_log(*pool, options, obstacles.pool_ring));
    pool->background().set_period(k_partition_tick_ms * 1000000);
    pool->set_background(work_in_background);
    TRY(pool->start(waits));
    if (options.read_only)
        return pool;
    const Status finished = finish_orphans(*pool);
    if (finished.is_error())
        pool->log(HOST_LOG_WARNING, "removals that a crash had interrupted could not be finished; their space stays in use");
    return pool;
}

static bool is_of_log(Error error)
{
    return error == Error::log_missing || error == Error::log_damaged || error == Error::log_opcode || error == Error::log_replay;
}

int core_pool_open(host_bdev* const* bdevs, unsigned count, const core_pool_options* options, core_pool** out)
{
    // When discard_log gave up a log device that is missing, and then the ring in the pool cannot be replayed, that goes too: part
    // of it has been done in memory, so all begins again.
    Obstacles obstacles;
    for (;;) {
        auto opened = open_pool({ bdevs, count }, *options, obstacles);
        if (opened.is_ok()) {
            *out = reinterpret_cast<core_pool*>(opened.release_value().release());
            return 0;
        }
        if (opened.error() == Error::bitmap_damaged && !obstacles.bitmap)
            obstacles.bitmap = true;
        else if (is_of_log(opened.error()) && options->discard_log && !obstacles.pool_ring)
            obstacles.pool_ring = true;
        else
            return to_errno(opened);
    }
}

int core_pool_close(core_pool* handle)
{
    Box<Pool> pool(&pool_of(handle));
    return to_errno(pool->close());
}

int core_pool_format(host_bdev* const* bdevs, unsigned count, const core_format_options* options)
{
    return to_errno(Pool::format({ bdevs, count }, *options));
}

int core_pool_set_read_only(core_pool* handle, bool read_only)
{
    Pool& pool = pool_of(handle);
    bool was_read_only = pool.is_read_only();
    if (was_read_only && !read_only && pool.has_lost_bitmaps()) {
        const Status rebuilt = rebuild_bitmaps(pool);
        if (rebuilt.is_error())
            return to_errno(rebuilt);
    } else if (was_read_only && !read_only && pool.has_stale_bitmaps()) {
        const Status rebuilt = rebuild_stale(pool);
        if (rebuilt.is_error())
            return to_errno(rebuilt);
    }
    Status status = pool.set_read_only(read_only);
    if (status.is_ok() && was_read_only && !read_only)
        status = finish_orphans(pool);
    return to_errno(status);
}

void core_pool_set_options(core_pool* handle, uint32_t interval_ms, core_errors_policy errors)
{
    pool_of(handle).set_options(interval_ms, errors);
}

static_assert(CORE_EVENT_TEXT_BYTES == EventRing::k_text_bytes);

int core_event_next(core_pool* handle, uint64_t number, core_event_line* line)
{
    Result<Box<EventRing::Event>> event = make_box<EventRing::Event>();
    if (event.is_error())
        return to_errno(event);
    if (!pool_of(handle).vdevs().events().next(number, *event.value()))
        return to_errno(Error::not_found);
    line->number = event.value()->number;
    line->time_ns = event.value()->time_ns;
    line->level = event.value()->level;
    copy_bytes(line->text, event.value()->text, sizeof(line->text));
    return 0;
}

uint64_t core_pool_dirty_limit(core_pool* handle) { return pool_of(handle).space().dirty_limit_bytes(); }

int core_pool_set_dirty_limit(core_pool* handle, uint64_t bytes)
{
    if (bytes < Pool::k_min_dirty_limit_bytes || bytes > max(host_memory_bytes() / 4, Pool::k_min_dirty_limit_bytes))
        return to_errno(Error::invalid);
    pool_of(handle).space().set_dirty_limit(bytes);
    return 0;
}

uint64_t core_pool_cache_limit(core_pool* handle) { return pool_of(handle).cache().limit_bytes(); }

int core_pool_set_cache_limit(core_pool* handle, uint64_t bytes)
{
    if (bytes < Pool::k_min_cache_limit_bytes || bytes > max(host_memory_bytes(), Pool::k_min_cache_limit_bytes))
        return to_errno(Error::invalid);
    pool_of(handle).cache().set_limit(bytes);
    return 0;
}

void core_pool_pause(core_pool* handle, bool pause)
{
    Background& background = pool_of(handle).background();
    pause ? background.pause() : background.resume();
}

void core_pool_set_discard(core_pool* handle, bool discard) { pool_of(handle).set_discard(discard); }

int core_pool_trim(core_pool* handle, uint64_t begin, uint64_t length, uint64_t min_bytes, bool (*is_interrupted)(void* context),
    void* context, uint64_t* trimmed)
{
    const auto bytes = trim_pool(pool_of(handle), { begin, length, min_bytes, is_interrupted, context });
    if (bytes.is_ok())
        *trimmed = bytes.value();
    return to_errno(bytes);
}

int core_pool_sync(core_pool* handle, bool wait) { return to_errno(pool_of(handle).sync(wait)); }
void core_pool_expect_change(core_pool* handle) { (void)pool_of(handle).admit_change().is_ok(); }
void core_pool_shutdown(core_pool* handle) { pool_of(handle).shutdown(); }
void core_pool_get_status(core_pool* handle, core_pool_status* status) { pool_of(handle).get_status(*status); }

int core_pool_keep_group(core_pool* pool, uint64_t* group)
{
    const Result<TxgId> kept = pool_of(pool).keep_group();
    if (kept.is_ok())
        *group = kept.value().value();
    return to_errno(kept);
}

bool core_pool_keeps_group(core_pool* pool, uint64_t group) { return pool_of(pool).keeps_group(TxgId(group)); }

void core_pool_release_group(core_pool* pool) { pool_of(pool).release_group(); }

int core_pool_load_bitmaps(core_pool* pool) { return to_errno(pool_of(pool).allocator().load_all()); }
