// SPDX-License-Identifier: GPL-2.0-only
#include "core/mpio/path_manager.h"

namespace lcpfs {

constexpr u32 k_request_reserve = 64; // what is sent again or probed goes on when memory is out
constexpr u32 k_page_reserve = 32;

Result<Box<PathManager>> PathManager::create(const DiskGuid& pool_guid) { return make_box<PathManager>(pool_guid); }

PathManager::~PathManager()
{
    if (m_thread) {
        // The thread goes on failing over what still runs; only then is it told to end.
        for (Box<PathGroup>& group : m_groups)
            group->drain();
        m_stopping.store(1);
        m_event.wake();
        host_thread_join(m_thread);
        // Up to its end it may have begun to probe a path that is not well.
        for (Box<PathGroup>& group : m_groups)
            group->drain();
    }
    host_workqueue_destroy(m_shared.queue);
    m_groups.clear();
    if (m_shared.requests)
        host_io_pool_destroy(m_shared.requests);
    host_pool_destroy(m_shared.pages);
}

void PathManager::set_pool_name(const char* name)
{
    for (size_t i = 0; name[i] && i + 1 < sizeof(m_shared.pool_name); i++)
        m_shared.pool_name[i] = name[i];
}

Result<PathGroup*> PathManager::add_group(TargetId target, const DiskGuid& vdev_guid, host_bdev* first)
{
    MutexGuard guard(m_admin);
    for (Box<PathGroup>& group : m_groups)
        if (group->table().target() == target)
            return Error::exists;
    Box<PathGroup> group = TRY(PathGroup::create(m_shared, target, vdev_guid, first, PathId(m_next_id)));
    PathGroup* const added = group.get();
    TRY(m_groups.push_back(lcpfs::move(group)));
    m_next_id++;
    return added;
}

Result<PathGroup*> PathManager::group(TargetId target)
{
    for (Box<PathGroup>& group : m_groups)
        if (group->table().target() == target)
            return group.get();
    return Error::not_found;
}

Result<PathGroup*> PathManager::group_of(const DiskGuid& vdev_guid)
{
    for (Box<PathGroup>& group : m_groups)
        if (compare_bytes(&group->vdev_guid(), &vdev_guid, sizeof(vdev_guid)) == 0)
            return group.get();
    return Error::not_found;
}

// What only pools with several paths need.
Status PathManager::start_running()
{
    if (m_thread)
        return {};
    m_shared.wake = wake;
    m_shared.context = this;
    if (!m_shared.pages)
        m_shared.pages = host_pool_create("path_page", k_block_size, k_page_reserve);
    if (!m_shared.requests)
        m_shared.requests = host_io_pool_create("path_io", k_request_reserve);
    if (!m_shared.queue)
        m_shared.queue = host_workqueue_create("paths");
    if (!m_shared.pages || !m_shared.requests || !m_shared.queue)
        return Error::no_memory;
    m_thread = host_thread_start("paths", [](void* self) { static_cast<PathManager*>(self)->run(); }, this);
    return m_thread ? Status() : Status(Error::no_memory);
}

void PathManager::wake(void* self)
{
    PathManager& manager = *static_cast<PathManager*>(self);
    manager.m_woken.store(1);
    manager.m_event.wake();
}

void PathManager::run()
{
    while (!m_stopping.load()) {
        m_woken.store(0);
        const u64 now_ns = host_monotonic_ns();
        u64 next_ns = now_ns + k_health_interval_ns;
        for (Box<PathGroup>& group : m_groups)
            next_ns = min(next_ns, group->tick(now_ns));
        const u64 wait_ns = next_ns > now_ns ? next_ns - now_ns : 0;
        m_event.wait_timeout(max(wait_ns, k_ns_per_ms), [&] { return m_stopping.load() || m_woken.load(); });
    }
}

Result<PathId> PathManager::add_path(TargetId target, host_bdev* bdev, u8 priority)
{
    MutexGuard guard(m_admin);
    PathGroup* const to = TRY(group(target));
    host_bdev_info info;
    host_bdev_get_info(bdev, &info);
    bool is_like_others = true, is_there = false;
    to->with_paths_locked([&](const Path& path) {
        is_there = is_there || path.bdev == bdev;
        is_like_others = is_like_others && info.capacity_bytes == path.info.capacity_bytes
            && info.logical_block_bytes <= path.info.logical_block_bytes;
    });
    if (is_there)
        return Error::exists;
    if (!is_like_others)
        return Error::path_other_disk;
    TRY(start_running());
    TRY(to->prepare_for_several());
    const PathId id(m_next_id++);
    TRY(to->add(bdev, id, priority));
    return id;
}

Result<PathGroup*> PathManager::group_of(PathId id)
{
    for (Box<PathGroup>& group : m_groups) {
        bool has_it = false;
        group->with_paths_locked([&](const Path& path) { has_it = has_it || path.id == id; });
        if (has_it)
            return group.get();
    }
    return Error::not_found;
}

Result<host_bdev*> PathManager::remove_path(PathId id)
{
    MutexGuard guard(m_admin);
    return TRY(group_of(id))->remove(id);
}

Status PathManager::fail_path(PathId id)
{
    MutexGuard guard(m_admin);
    return TRY(group_of(id))->fail(id);
}

Status PathManager::reinstate_path(PathId id)
{
    MutexGuard guard(m_admin);
    return TRY(group_of(id))->reinstate(id);
}

void PathManager::set_no_path_timeout(i64 timeout_ms)
{
    for (Box<PathGroup>& group : m_groups)
        group->settings().no_path_timeout_ms.store(timeout_ms);
    wake(this);
}

void PathManager::describe(PathGroup& group, const Path& path, PathInfo& info)
{
    info.id = path.id;
    info.target = group.table().target();
    copy_bytes(info.name, path.name, sizeof(info.name));
    info.state = path.get_state();
    info.policy = group.table().policy();
    info.priority = path.priority.load_relaxed();
    info.is_only = group.is_plain();
    info.depth = path.depth.load_relaxed();
    info.average_us = path.latency.average_us();
    info.counts = path.counts();
    info.checked_ns = path.last_check_ns;
    for (u32 i = 0; i < k_size_classes; i++) {
        const SizeClass size = static_cast<SizeClass>(i);
        info.latency[i] = { path.latency.samples(size), path.latency.percentile_us(size, 500), path.latency.percentile_us(size, 990) };
    }
}

Result<PathInfo> PathManager::info(u32 n)
{
    PathInfo found {};
    bool is_found = false;
    for (Box<PathGroup>& group : m_groups)
        group->with_paths_locked([&](const Path& path) {
            if (n-- == 0) {
                describe(*group, path, found);
                is_found = true;
            }
        });
    return is_found ? Result<PathInfo>(found) : Result<PathInfo>(Error::not_found);
}

PathStatistics PathManager::statistics()
{
    PathStatistics sum;
    for (Box<PathGroup>& group : m_groups) {
        const PathCounts counts = group->counts();
        sum.ios += counts.ios;
        sum.bytes += counts.bytes;
        sum.path_failures += counts.failures;
        sum.path_repairs += counts.repairs;
        sum.failovers += group->failovers();
        sum.waiting += group->waiting_count();
    }
    return sum;
}

}
