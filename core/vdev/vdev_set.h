// SPDX-License-Identifier: GPL-2.0-only
// VdevSet: the pool's devices as one address space of Dva, and all I/O to them.
//
// Every address is range-checked against its device before use, so a damaged pointer gives
// address_out_of_range, never an I/O outside. A request is one host_io: no other allocation. Completion
// functions run in any context. What was written since its last flush is remembered per path of a device, so that
// flush_written touches only what needs it. Below is core/mpio: a device may be reached by several paths.
#pragma once

#include "core/base/span.h"
#include "core/format/address.h"
#include "core/format/label_format.h"
#include "core/host/locks.h"
#include "core/host/memory.h"
#include "core/host/vector.h"
#include "core/host/host.h"
#include "core/mpio/path_manager.h"
#include "core/vdev/event_ring.h"

namespace lcpfs {

// Counts I/Os under way and keeps the first error. On the stack or embedded; must outlive its I/Os.
//
// The last finish() and the waiter race for the batch's memory: finish() counts down and wakes under the
// lock, and wait() passes through the lock once before it returns, so nobody is inside any more.
class IoBatch {
public:
    void begin() { m_outstanding.add(1); }
    void finish(Error error); // any context
    // Waits for all begun. Gives the first error since the last wait, and forgets it. Sleepable.
    Status wait();
    static void done(void* batch, Error error) { static_cast<IoBatch*>(batch)->finish(error); }

private:
    Atomic<u32> m_outstanding { 0 };
    Atomic<u16> m_first_error { 0 };
    Event m_event;
    SpinLock m_lock { LCPFS_RANK_io };
};

using IoDone = void (*)(void* context, Error error); // any context

struct Vdev {
    VdevId id {};
    DiskGuid guid {};
    VdevRole role { VdevRole::data };
    host_bdev* bdev { nullptr };  // the one it was opened by; it may be gone from the paths later. Null: a log device not there
    char name[Path::k_name_bytes] {}; // of that one, for messages
    host_bdev_info info {};
    u64 capacity_blocks { 0 };
    u32 metaslab_blocks { 0 };
    u32 metaslab_count { 0 };
    PathGroup* paths { nullptr };
    bool is_there() const { return bdev != nullptr; }
};

struct IoCounters {
    Atomic<u64> reads { 0 }, writes { 0 }, flushes { 0 }, read_bytes { 0 }, written_bytes { 0 }, errors { 0 };
    Atomic<u64> discarded_bytes { 0 };
};

class VdevSet {
public:
    // `vdevs` in index order, all present but for log devices: a request to one that is not fails with io_offline.
    // `pool_guid` tells the paths of one pool from those of another.
    static Result<Box<VdevSet>> create(Vector<Box<Vdev>> vdevs, const DiskGuid& pool_guid = DiskGuid());
    ~VdevSet();
    // Before the first change: requests. no_memory.
    Status reserve();

    u16 count() const { return static_cast<u16>(m_vdevs.size()); } // at most k_max_vdevs
    Vdev& vdev(VdevId id) { return *m_vdevs[id.value()]; }
    bool is_valid(const Dva& dva) const; // on a device, inside its metaslabs, not on a bitmap copy
    bool is_valid_log(const Dva& dva) const; // on a log device, between its labels
    IoCounters& counters() { return m_counters; }
    // Whose devices these are, for the log; until it is set, lines carry no name. At opening, before anybody else has the set.
    void set_pool_name(const char* name);
    const char* pool_name() const { return m_pool_name; }
    // A line of the log about the pool: every layer that has its devices can tell.
    void log(host_log_level level, StringView text) const;
    // What has been told there of late.
    EventRing& events() { return *m_events; }
    PathManager& paths() { return *m_paths; }
    // Whether a write that was given up on a hanging path may still land in the blocks. Any context.
    bool has_late_write(VdevId vdev, u64 block, u64 count)
    {
        return m_vdevs[vdev.value()]->paths->has_late_write(block * k_block_size, count * k_block_size);
    }

    // The same of bytes: where such a write ends; 0: there is none.
    u64 late_write_end(VdevId vdev, u64 offset_bytes, u64 length_bytes)
    {
        return m_vdevs[vdev.value()]->paths->late_write_end(offset_bytes, length_bytes);
    }

    // One request, at most 256 segments whose sizes sum to the dva's length. `flags`: HOST_IO_*.
    // An invalid dva completes at once with address_out_of_range. Sleepable.
    // `served_by` (may be null): by which path of its device a read was answered, in place when it is done.
    void read(const Dva& dva, Span<const core_segment> segments, unsigned flags, IoDone done, void* context, u8* served_by = nullptr);
    void write(const Dva& dva, Span<const core_segment> segments, unsigned flags, IoDone done, void* context);
    // Tells the device that nothing in the blocks is needed. Not a promise: what is read there afterwards can be anything.
    // io_not_supported at once where the device has no use for it. Sleepable.
    void discard(const Dva& dva, IoDone done, void* context);
    // For labels, uberblocks and bitmaps: a byte range of one device, whole logical blocks, checked against its capacity only.
    void transfer(host_io_op op, VdevId vdev, u64 offset_bytes, void* data, u32 bytes, unsigned flags, IoDone done, void* context);
    void transfer(host_io_op op, VdevId vdev, u64 offset_bytes, Span<const core_segment> segments, unsigned flags, IoDone done,
                  void* context);
    // After bytes that are not the right ones came by the path `served_by`: reads them again by each path that can serve,
    // that one last, until `is_right()`. Those that gave others are blamed for it. False: none gave the right ones, or the
    // device has one path. Sleepable, waits.
    static constexpr u8 k_any_path = 0xff; // as `served_by`: not known
    template <typename IsRight>
    bool reread(const Dva& dva, Span<const core_segment> segments, u8 served_by, IsRight is_right)
    {
        return reread_erased(dva, segments, served_by, [](void* context) { return (*static_cast<IsRight*>(context))(); }, &is_right);
    }
    // Makes durable what was written and completed before the call, on every device written since its
    // last flush, by every path it was written by; devices without a volatile cache are skipped, and log devices, whose
    // writes are made durable one by one. Sleepable, waits.
    //
    // When a flush fails the device may have dropped what it had in its cache, and a later flush that succeeds says nothing about
    // it. So after that nothing is said to be durable any more: writes_lost, until the pool is opened anew, at what it had
    // committed.
    Status flush_written();
    Status flush_written(VdevId vdev); // the same of one device
    // The same in two halves, for several devices at once: what the first of them begins the second waits for.
    void start_flush(VdevId vdev, IoBatch& batch);
    Status end_flush(VdevId vdev, IoBatch& batch);
    bool has_lost_writes() const;

private:
    struct Request; // io_request.h
    struct Split;
    explicit VdevSet(Vector<Box<Vdev>> vdevs) : m_vdevs(lcpfs::move(vdevs)) {}
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);
    bool reread_erased(const Dva& dva, Span<const core_segment> segments, u8 served_by, bool (*is_right)(void*), void* context);
    void submit(const Request& request);
    void submit_rest(host_io* full, const Request& request, size_t next_segment);
    static void completed(host_io* io);
    void note_failed_flush(const Vdev& vdev);
    host_io* prepare(const Request& request, size_t first_segment);
    void submit_flushes(Vdev& vdev, IoBatch& batch);
    static void finish(Split* split, IoDone done, void* context, Error error);

    Vector<Box<Vdev>> m_vdevs;
    Box<EventRing> m_events;
    Box<PathManager> m_paths;
    host_io_pool* m_io_pool { nullptr };
    host_pool* m_split_pool { nullptr };
    IoCounters m_counters;
    Atomic<u8> m_writes_lost { 0 };
    char m_pool_name[k_pool_name_bytes] {};
};

// The block layer's class of a failed request as our error.
Error error_of(host_io_status status);

}
