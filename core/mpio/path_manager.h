// SPDX-License-Identifier: GPL-2.0-only
// PathManager: the groups of a pool by target, the thread that keeps their time, statistics and administration.
//
// One per pool. The thread, the work queue and the pools of requests exist from the first target with a second
// path on; a pool without one has none of them.
#pragma once

#include "core/mpio/path_group.h"

namespace lcpfs {

struct PathStatistics {
    u64 ios { 0 }, bytes { 0 };   // bytes of those that succeeded
    u64 path_failures { 0 }, failovers { 0 }, path_repairs { 0 };
    u64 waiting { 0 };            // requests that wait for a path now
};

// One path as `list` shows it.
struct PathInfo {
    PathId id;
    TargetId target;
    char name[Path::k_name_bytes];
    PathState state;
    PathPolicy policy;            // of its group
    u8 priority;
    bool is_only;                 // a target with one path: nothing is counted for it
    u32 depth;
    u32 average_us;
    PathCounts counts;
    u64 checked_ns;               // the last health check, since boot
    struct {
        u64 samples;
        u32 median_us, tail_us;
    } latency[k_size_classes];
};

class PathManager {
public:
    static Result<Box<PathManager>> create(const DiskGuid& pool_guid);
    ~PathManager();

    // Called while nothing runs yet.
    void set_pool_name(const char* name);
    // A target and its first path. exists: the target is there already; what it has stays.
    Result<PathGroup*> add_group(TargetId target, const DiskGuid& vdev_guid, host_bdev* first);

    // ---- administration; any time, any thread, sleepable. not_found: no such target or path.
    Result<PathGroup*> group(TargetId target);
    Result<PathGroup*> group_of(const DiskGuid& vdev_guid);
    // One more path, after proof that it is the target's disk. path_other_disk, exists (the device is a
    // path already), too_many_devices, io_error, no_memory.
    Result<PathId> add_path(TargetId target, host_bdev* bdev, u8 priority);
    // Gives the device back, drained. busy: the last path.
    Result<host_bdev*> remove_path(PathId id);
    Status fail_path(PathId id);
    Status reinstate_path(PathId id);
    // The group that has the path. Ids are the pool's: no two paths share one.
    Result<PathGroup*> group_of(PathId id);
    void set_no_path_timeout(i64 timeout_ms);
    // A setting changed that decides when something is due.
    void look_again() { wake(this); }
    // The n-th path over all targets, in order of target, priority, id. not_found behind the last.
    Result<PathInfo> info(u32 n);
    PathStatistics statistics();

private:
    explicit PathManager(const DiskGuid& pool_guid) { m_shared.pool_guid = pool_guid; }
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);
    Status start_running() REQUIRES(m_admin);
    static void wake(void* self);
    void run();
    static void describe(PathGroup& group, const Path& path, PathInfo& info);

    Mutex m_admin { LCPFS_RANK_path_admin };
    PathShared m_shared;
    Vector<Box<PathGroup>> m_groups;       // fixed once the pool runs
    u32 m_next_id GUARDED_BY(m_admin) { 1 };
    host_thread* m_thread { nullptr };
    Atomic<u8> m_stopping { 0 };
    Atomic<u8> m_woken { 0 };
    Event m_event;
};

}
