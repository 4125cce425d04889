// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/lcpfs/pool_state.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "shim/vfs/ioctl_abi.h"
#include "userspace/common/guid.h"
#include "userspace/common/message.h"
#include "userspace/common/mounts.h"
#include "userspace/lcpfs/mounted.h"

namespace lcpfs::tool {

namespace {

constexpr const char* k_path_states[] = { "active", "degraded", "failed", "repairing" };

bool is_in(const FoundPool& pool, const std::string& path)
{
    struct stat wanted;
    return stat(path.c_str(), &wanted) == 0
        && std::any_of(pool.devices.begin(), pool.devices.end(), [&](const FoundDevice& device) {
               struct stat status;
               return stat(device.path.c_str(), &status) == 0 && status.st_rdev == wanted.st_rdev;
           });
}

// Mounts name the device they were made by.
void find_mounts(const FoundPool& pool, PoolState& state)
{
    for (const Mount& mount : lcpfs_mounts())
        if (is_in(pool, mount.device))
            state.mounts.push_back(mount.directory);
}

void ask_space(const MountedPool& mounted, core_pool_status& status)
{
    status.total_blocks = mounted.number("space/total_bytes") / CORE_BLOCK_SIZE;
    status.free_blocks = mounted.number("space/free_bytes") / CORE_BLOCK_SIZE;
    status.available_blocks = mounted.number("space/available_bytes") / CORE_BLOCK_SIZE;
    status.objects = mounted.number("objects");
    status.committed_txg = mounted.number("group");
}

void ask_errors(const MountedPool& mounted, PoolState& state)
{
    state.seconds = mounted.number("seconds");
    state.checksum_errors = mounted.number("counters/checksum_errors");
    state.io_errors = mounted.number("counters/io_errors");
    state.repaired_bytes = mounted.number("counters/repaired_bytes");
    if (state.checksum_errors)
        state.add_problem(Health::damaged, fmt::format("{} checksums did not fit what was read", state.checksum_errors));
    if (state.io_errors)
        state.add_problem(Health::damaged, fmt::format("{} requests to devices failed", state.io_errors));
}

void ask_log(const MountedPool& mounted, PoolState& state)
{
    std::ifstream file(mounted.directory() + "/log/members");
    uint32_t index;
    for (std::string name, word; file >> index >> name >> word;) {
        state.members[index] = word;
        if (word != "active" && word != "unused")
            state.add_problem(Health::degraded, fmt::format("log device {} ({}) is {}", index, name, word));
    }
    const std::string word = mounted.text("log_device");
    if (state.members.empty() && (word == "failed" || word == "missing"))
        state.add_problem(Health::degraded, "the log device is " + word + ", the log is in the pool");
}

void ask_paths(const FoundPool& pool, PoolState& state)
{
    const int control = open("/dev/" LCPFS_CONTROL_NAME, O_RDWR | O_CLOEXEC);
    if (control < 0)
        return; // who may not ask is not told
    for (uint32_t n = 0;; n++) {
        lcpfs_ioctl_path path {};
        path.n = n;
        if (ioctl(control, LCPFS_IOCTL_PATH_GET, &path) != 0)
            break;
        if (path.only || memcmp(path.pool_guid, pool.label.pool_guid, sizeof(path.pool_guid)) != 0)
            continue;
        const char* const word = k_path_states[path.state & 3];
        state.paths[path.device].push_back({ path.name, word });
        if (path.state)
            state.add_problem(Health::degraded, fmt::format("path {} to device {} is {}", path.name, path.device, word));
    }
    close(control);
}

void look_at_space(PoolState& state)
{
    const core_pool_status& status = state.status;
    if (status.available_blocks < status.total_blocks / 1000)
        state.add_problem(Health::full, "nothing is left for files; removing always works");
}

bool ask_mounted(const FoundPool& pool, PoolState& state)
{
    const MountedPool mounted("/sys/fs/lcpfs/" + guid_text(pool.label.pool_guid));
    if (mounted.name().empty())
        return false;
    state.is_mounted = true;
    state.word = mounted.text("state");
    find_mounts(pool, state);
    ask_space(mounted, state.status);
    if (state.word == "frozen")
        state.add_problem(Health::stopped, "writing has stopped after an error; what is not committed can be read until unmounting");
    ask_errors(mounted, state);
    ask_log(mounted, state);
    ask_paths(pool, state);
    look_at_space(state);
    return true;
}

void look(const FoundPool& pool, PoolState& state)
{
    OpenPool opened;
    const int error = opened.open(pool.paths());
    if (error) {
        state.word = reason(error);
        state.add_problem(Health::damaged, "it cannot be opened: " + state.word);
        return;
    }
    core_pool_get_status(opened.get(), &state.status);
    state.is_open = true;
    state.word = "not in use";
    if (state.status.log_device == CORE_LOG_DEVICE_MISSING)
        state.add_problem(Health::incomplete, "the log device is missing");
    look_at_space(state);
}

}

const char* name_of(Health health)
{
    switch (health) {
    case Health::healthy:
        return "healthy";
    case Health::degraded:
        return "degraded";
    case Health::full:
        return "full";
    case Health::damaged:
        return "damaged";
    case Health::incomplete:
        return "incomplete";
    case Health::stopped:
        return "stopped";
    }
    return "?";
}

void PoolState::add_problem(Health how, std::string what)
{
    health = std::max(health, how);
    problems.push_back(std::move(what));
}

PoolState state_of(const FoundPool& pool)
{
    PoolState state;
    if (ask_mounted(pool, state))
        return state;
    for (const FoundDevice& device : pool.devices) {
        const std::string use = use_of(device.path);
        if (!use.empty()) {
            state.word = use;
            return state;
        }
    }
    if (pool.has_data()) {
        look(pool, state);
        return state;
    }
    state.word = "incomplete";
    state.add_problem(Health::incomplete, fmt::format("{} of {} devices are missing", pool.label.device_count - pool.devices.size(),
                                                      pool.label.device_count));
    return state;
}

}
