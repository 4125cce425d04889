// SPDX-License-Identifier: GPL-2.0-only
#include "core/vdev/vdev_set.h"

#include "core/base/format_text.h"
#include "core/format/metaslab_format.h"
#include "core/test/breakage.h"

namespace lcpfs {

// Requests that can always be had, a page of segments each: what is in flight beyond that waits for memory or for
// one to complete.
constexpr u32 k_io_reserve = 64;
constexpr u32 k_first_io_reserve = 4; // until something changes
constexpr u32 k_split_reserve = 16;
constexpr size_t k_max_segments = 256;

// Words of host_io::core.
enum CoreWord {
    k_word_set, k_word_vdev, k_word_done, k_word_context, k_word_split,
    k_word_slot, // of a flush: whose writes it covers; of a read: where to put the path that served it
    k_words };
static_assert(k_words <= k_first_path_word);

struct VdevSet::Request {
    host_io_op op;
    Vdev* vdev;
    u64 offset_bytes;
    Span<const core_segment> segments;
    unsigned flags;
    IoDone done;
    void* context;
    u8* served_by { nullptr };
    u32 path_slot { k_max_paths }; // by this path, while it can serve
};

// One request that took several host_io: completes with the last of them.
struct VdevSet::Split {
    Atomic<u32> outstanding { 1 };
    Atomic<u16> first_error { 0 };
    host_pool* pool { nullptr };
};

void IoBatch::finish(Error error)
{
    SpinGuard guard(m_lock);
    if (error != Error::none) {
        u16 none = 0;
        m_first_error.compare_exchange(none, static_cast<u16>(error));
    }
    if (m_outstanding.sub(1) == 0)
        m_event.wake();
}

Status IoBatch::wait()
{
    m_event.wait([this] { return m_outstanding.load() == 0; });
    SpinGuard guard(m_lock);
    return static_cast<Error>(m_first_error.exchange(0));
}

Error error_of(host_io_status status)
{
    switch (status) {
    case HOST_IO_OK:
        return Error::none;
    case HOST_IO_ERROR:
        break;
    case HOST_IO_NOT_SUPPORTED:
        return Error::io_not_supported;
    case HOST_IO_NO_SPACE:
        return Error::io_no_space;
    case HOST_IO_TARGET:
        return Error::io_target;
    case HOST_IO_RESERVATION:
        return Error::io_reservation;
    case HOST_IO_MEDIUM:
        return Error::io_medium;
    case HOST_IO_PROTECTION:
        return Error::io_protection;
    case HOST_IO_TRANSPORT:
        return Error::io_transport;
    case HOST_IO_TIMEOUT:
        return Error::io_timeout;
    case HOST_IO_OFFLINE:
        return Error::io_offline;
    case HOST_IO_NO_MEMORY:
        return Error::no_memory;
    case HOST_IO_NO_PATH:
        return Error::no_usable_path;
    }
    return Error::io_error;
}

Result<Box<VdevSet>> VdevSet::create(Vector<Box<Vdev>> vdevs, const DiskGuid& pool_guid)
{
    if (vdevs.is_empty() || vdevs.size() > k_max_vdevs)
        return Error::too_many_devices;
    for (Box<Vdev>& vdev : vdevs) {
        if (!vdev->is_there() && vdev->role == VdevRole::log)
            continue;
        host_bdev_get_info(vdev->bdev, &vdev->info);
        if (vdev->capacity_blocks > vdev->info.capacity_bytes / k_block_size)
            return Error::device_too_small;
    }
    Box<VdevSet> set = TRY(make_box<VdevSet>(lcpfs::move(vdevs)));
    set->m_events = TRY(make_box<EventRing>());
    set->m_paths = TRY(PathManager::create(pool_guid));
    for (size_t i = 0; i < set->m_vdevs.size(); i++) {
        Vdev& vdev = *set->m_vdevs[i];
        if (!vdev.is_there())
            continue;
        vdev.paths = TRY(set->m_paths->add_group(TargetId(i), vdev.guid, vdev.bdev));
        copy_bytes(vdev.name, vdev.paths->table().slot(0).name, sizeof(vdev.name));
    }
    set->m_io_pool = host_io_pool_create("lcpfs_io", k_first_io_reserve);
    set->m_split_pool = host_pool_create("lcpfs_split_io", sizeof(Split), 0);
    if (!set->m_io_pool || !set->m_split_pool)
        return Error::no_memory;
    return set;
}

Status VdevSet::reserve()
{
    const bool is_there = host_io_pool_reserve(m_io_pool, k_io_reserve) && host_pool_reserve(m_split_pool, k_split_reserve);
    return is_there ? Error::none : Error::no_memory;
}

VdevSet::~VdevSet()
{
    m_paths.reset(); // waits for what was left behind on a path
    if (m_io_pool)
        host_io_pool_destroy(m_io_pool);
    host_pool_destroy(m_split_pool);
}

void VdevSet::set_pool_name(const char* name)
{
    copy_bytes(m_pool_name, name, sizeof(m_pool_name) - 1);
    m_paths->set_pool_name(name);
}

void VdevSet::log(host_log_level level, StringView text) const
{
    TextLine line;
    if (m_pool_name[0])
        line.add("(").add(m_pool_name).add("): ");
    line.add(text);
    host_log(level, line.text());
    if (level <= HOST_LOG_INFO)
        m_events->add(level, text);
}

bool VdevSet::is_valid(const Dva& dva) const
{
    if (dva.vdev.value() >= m_vdevs.size() || dva.length_blocks == 0 || dva.block < k_first_metaslab_block)
        return false;
    const Vdev& vdev = *m_vdevs[dva.vdev.value()];
    if (vdev.metaslab_count == 0)
        return false;
    const u64 relative = dva.block - k_first_metaslab_block;
    const u64 metaslab = relative / vdev.metaslab_blocks;
    const u64 inside = relative % vdev.metaslab_blocks;
    return metaslab < vdev.metaslab_count && inside >= 2 * bitmap_blocks(vdev.metaslab_blocks)
        && inside + dva.length_blocks <= vdev.metaslab_blocks;
}

bool VdevSet::is_valid_log(const Dva& dva) const
{
    if (dva.vdev.value() >= m_vdevs.size() || dva.length_blocks == 0 || dva.block < k_first_metaslab_block)
        return false;
    const Vdev& vdev = *m_vdevs[dva.vdev.value()];
    const u64 end = vdev.capacity_blocks - min<u64>(vdev.capacity_blocks, 2 * k_label_blocks);
    return vdev.role == VdevRole::log && dva.block <= end && dva.length_blocks <= end - dva.block;
}

void VdevSet::read(const Dva& dva, Span<const core_segment> segments, unsigned flags, IoDone done, void* context, u8* served_by)
{
    if (!is_valid(dva))
        return done(context, Error::address_out_of_range);
    submit({ HOST_IO_READ, m_vdevs[dva.vdev.value()].get(), dva.block * k_block_size, segments, flags, done, context, served_by });
}

void VdevSet::write(const Dva& dva, Span<const core_segment> segments, unsigned flags, IoDone done, void* context)
{
    if (!is_valid(dva))
        return done(context, Error::address_out_of_range);
    submit({ HOST_IO_WRITE, m_vdevs[dva.vdev.value()].get(), dva.block * k_block_size, segments, flags, done, context });
}

void VdevSet::discard(const Dva& dva, IoDone done, void* context)
{
    if (!is_valid(dva))
        return done(context, Error::address_out_of_range);
    Vdev& vdev = *m_vdevs[dva.vdev.value()];
    if (!vdev.info.discard)
        return done(context, Error::io_not_supported);
    host_io* io = prepare({ HOST_IO_DISCARD, &vdev, dva.block * k_block_size, {}, 0, done, context }, 0);
    io->length_bytes = u64(dva.length_blocks) * k_block_size;
    vdev.paths->submit(io, {});
}

void VdevSet::transfer(host_io_op op, VdevId vdev, u64 offset_bytes, void* data, u32 bytes, unsigned flags, IoDone done, void* context)
{
    const core_segment segment { data, bytes };
    transfer(op, vdev, offset_bytes, Span<const core_segment>(&segment, 1), flags, done, context);
}

void VdevSet::transfer(host_io_op op, VdevId id, u64 offset_bytes, Span<const core_segment> segments, unsigned flags, IoDone done,
                       void* context)
{
    u64 end = offset_bytes;
    for (const core_segment& segment : segments)
        if (!checked_add(end, segment.bytes, end))
            return done(context, Error::address_out_of_range);
    if (id.value() >= m_vdevs.size())
        return done(context, Error::address_out_of_range);
    Vdev& target = *m_vdevs[id.value()];
    if (!target.is_there())
        return done(context, Error::io_offline);
    const u64 sector = target.info.logical_block_bytes ? target.info.logical_block_bytes : 512;
    if (end > target.capacity_blocks * k_block_size || offset_bytes % sector || end % sector)
        return done(context, Error::address_out_of_range);
    submit({ op, &target, offset_bytes, segments, flags, done, context });
}

host_io* VdevSet::prepare(const Request& request, size_t first_segment)
{
    // Which device it goes to is decided when it is sent.
    host_io* io = host_io_alloc(m_io_pool, nullptr, request.op, request.flags,
                                static_cast<unsigned>(min(request.segments.size() - first_segment, k_max_segments)));
    io->offset_bytes = request.offset_bytes;
    io->done = completed;
    io->core[k_word_set] = reinterpret_cast<u64>(this);
    io->core[k_word_vdev] = reinterpret_cast<u64>(request.vdev);
    io->core[k_word_done] = reinterpret_cast<u64>(request.done);
    io->core[k_word_context] = reinterpret_cast<u64>(request.context);
    if (request.op == HOST_IO_READ)
        io->core[k_word_slot] = reinterpret_cast<u64>(request.served_by);
    if (request.path_slot < k_max_paths)
        request.vdev->paths->pin(io, request.path_slot);
    return io;
}

void VdevSet::submit(const Request& request)
{
    const Span<const core_segment> segments = request.segments;
    host_io* io = prepare(request, 0);
    for (size_t i = 0; i < segments.size(); i++)
        if (!host_io_add(io, segments[i].data, segments[i].bytes))
            return submit_rest(io, request, i);
    request.vdev->paths->submit(io, segments);
}

// `io` is full with segments before `next`: the rest goes out in further requests.
void VdevSet::submit_rest(host_io* io, const Request& request, size_t next)
{
    Split* split = ::new (host_pool_alloc_reserved(m_split_pool)) Split;
    split->pool = m_split_pool;
    Request rest = request;
    size_t added = next;
    for (;;) {
        if (added == 0) { // a request that takes nothing at all: the host's fault, not worth a loop
            host_io_free(io);
            u16 none = 0;
            split->first_error.compare_exchange(none, static_cast<u16>(Error::io_error));
            break;
        }
        io->core[k_word_split] = reinterpret_cast<u64>(split);
        rest.offset_bytes += io->length_bytes;
        split->outstanding.add(1);
        request.vdev->paths->submit(io, { request.segments.data() + (next - added), added });
        if (next == request.segments.size())
            break;
        rest.flags = request.flags & ~unsigned(HOST_IO_PREFLUSH);
        io = prepare(rest, next);
        for (added = 0; next < request.segments.size(); next++, added++)
            if (!host_io_add(io, request.segments[next].data, request.segments[next].bytes))
                break;
    }
    finish(split, request.done, request.context, Error::none);
}

// Counts down a split request; the last one reports.
void VdevSet::finish(Split* split, IoDone done, void* context, Error error)
{
    if (!split)
        return done(context, error);
    if (error != Error::none) {
        u16 none = 0;
        split->first_error.compare_exchange(none, static_cast<u16>(error));
    }
    if (split->outstanding.sub(1) != 0)
        return;
    const Error first = static_cast<Error>(split->first_error.load());
    host_pool_free(split->pool, split);
    done(context, first);
}

// A log device's frames are acknowledged one by one, and the log knows of each that was not.
void VdevSet::note_failed_flush(const Vdev& vdev)
{
    if (vdev.role != VdevRole::log)
        m_writes_lost.store(1);
}

void VdevSet::completed(host_io* io)
{
    VdevSet& set = *reinterpret_cast<VdevSet*>(io->core[k_word_set]);
    PathGroup& paths = *reinterpret_cast<Vdev*>(io->core[k_word_vdev])->paths;
    paths.ended(io);
    const Error error = error_of(io->status);
    IoCounters& counters = set.m_counters;
    switch (io->op) {
    case HOST_IO_READ:
        counters.reads.add_relaxed(1);
        counters.read_bytes.add_relaxed(io->length_bytes);
        if (u8* const served_by = reinterpret_cast<u8*>(io->core[k_word_slot]))
            *served_by = static_cast<u8>(paths.path_of(io).slot);
        break;
    case HOST_IO_WRITE:
        counters.writes.add_relaxed(1);
        counters.written_bytes.add_relaxed(io->length_bytes);
        if (!(io->flags & HOST_IO_FUA))
            paths.note_written(io);
        break;
    case HOST_IO_FLUSH:
        counters.flushes.add_relaxed(1);
        if (error != Error::none)
            set.note_failed_flush(*reinterpret_cast<Vdev*>(io->core[k_word_vdev]));
        if (error == Error::none)
            paths.note_flushed(io, static_cast<u32>(io->core[k_word_slot]));
        break;
    case HOST_IO_DISCARD:
        counters.discarded_bytes.add_relaxed(error == Error::none ? io->length_bytes : 0);
        break;
    }
    if (error != Error::none)
        counters.errors.add_relaxed(1);

    const IoDone done = reinterpret_cast<IoDone>(io->core[k_word_done]);
    void* context = reinterpret_cast<void*>(io->core[k_word_context]);
    Split* split = reinterpret_cast<Split*>(io->core[k_word_split]);
    host_io_free(io);
    finish(split, done, context, error);
}

bool VdevSet::reread_erased(const Dva& dva, Span<const core_segment> segments, u8 served_by, bool (*is_right)(void*), void* context)
{
    Vdev& vdev = *m_vdevs[dva.vdev.value()];
    PathGroup& paths = *vdev.paths;
    const u32 count = paths.slot_count();
    if (paths.is_plain())
        return false;
    const u32 first = served_by < count ? served_by : 0;
    u32 wrong_slots = served_by < count ? 1u << served_by : 0;
    for (u32 n = 1; n <= count; n++) {
        const u32 slot = (first + n) % count;
        const Path& path = paths.table().slot(slot);
        if (!path.can_serve())
            continue;
        IoBatch batch;
        u8 served = 0;
        batch.begin();
        submit({ HOST_IO_READ, &vdev, dva.block * k_block_size, segments, HOST_IO_SYNC, IoBatch::done, &batch, &served, slot });
        if (batch.wait().is_error())
            continue;
        if (!is_right(context)) {
            wrong_slots |= 1u << served;
            continue;
        }
        for (u32 blamed = 0; blamed < count; blamed++)
            if (wrong_slots >> blamed & 1)
                paths.note_wrong_bytes(blamed);
        return true;
    }
    return false;
}

bool VdevSet::has_lost_writes() const { return m_writes_lost.load() != 0 && !breakage::forget_failed_flush; }

Status VdevSet::flush_written()
{
    if (breakage::skip_flush)
        return {};
    IoBatch batch;
    for (Box<Vdev>& vdev : m_vdevs)
        if (vdev->role != VdevRole::log)
            submit_flushes(*vdev, batch);
    const Status status = batch.wait();
    return status.is_ok() && has_lost_writes() ? Status(Error::writes_lost) : status.error();
}

Status VdevSet::flush_written(VdevId id)
{
    IoBatch batch;
    start_flush(id, batch);
    return end_flush(id, batch);
}

void VdevSet::start_flush(VdevId id, IoBatch& batch)
{
    if (!breakage::skip_flush)
        submit_flushes(vdev(id), batch);
}

Status VdevSet::end_flush(VdevId id, IoBatch& batch)
{
    if (breakage::skip_flush)
        return {};
    const Status status = batch.wait();
    return status.is_ok() && has_lost_writes() && vdev(id).role != VdevRole::log ? Status(Error::writes_lost) : status.error();
}

void VdevSet::submit_flushes(Vdev& vdev, IoBatch& batch)
{
    for (u32 slot = 0; slot < vdev.paths->slot_count(); slot++) {
        if (!vdev.paths->owes_flush(slot))
            continue;
        host_io* io = prepare({ HOST_IO_FLUSH, &vdev, 0, {}, HOST_IO_SYNC, IoBatch::done, &batch }, 0);
        io->core[k_word_slot] = slot;
        vdev.paths->prepare_flush(io, slot);
        batch.begin();
        vdev.paths->submit(io, {});
    }
}

}
