// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/common/devices.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include <algorithm>

#include "userspace/common/message.h"
#include "userspace/host/posix_bdev.h"

namespace lcpfs::tool {

Devices::~Devices()
{
    for (host_bdev* bdev : m_bdevs)
        posix_bdev_close(bdev);
}

bool Devices::open(const std::vector<std::string>& paths, bool read_only, Use use)
{
    for (const std::string& path : paths) {
        std::string why;
        host_bdev* bdev = posix_bdev_open(path, read_only, why, use != Use::alone, use == Use::beside_kernel);
        if (!bdev) {
            put_error(why);
            return false;
        }
        m_bdevs.push_back(bdev);
    }
    return true;
}

OpenPool::~OpenPool()
{
    if (m_pool)
        core_pool_close(m_pool);
}

int OpenPool::open(const std::vector<std::string>& paths, uint64_t group)
{
    if (!m_devices.open(paths, true, group ? Devices::Use::beside_kernel : Devices::Use::shared))
        return -EIO;
    core_pool_options options {};
    options.read_only = true;
    options.no_recovery = true; // what was committed is looked at, also when a log waits for the next mount
    options.group = group;
    options.errors = CORE_ERRORS_CONTINUE;
    const int error = core_pool_open(m_devices.data(), m_devices.count(), &options, &m_pool);
    if (error)
        complain("{}: cannot open the pool: {}", paths.empty() ? "no device" : paths.front(), reason(error));
    return error;
}

bool has_duplicate(const std::vector<std::string>& paths, std::string& twice)
{
    std::vector<std::pair<dev_t, ino_t>> seen;
    for (const std::string& path : paths) {
        struct stat status;
        if (stat(path.c_str(), &status) != 0)
            continue; // opening it will say so
        const std::pair<dev_t, ino_t> identity = S_ISBLK(status.st_mode) ? std::pair<dev_t, ino_t>(status.st_rdev, 0)
                                                                          : std::pair<dev_t, ino_t>(status.st_dev, status.st_ino);
        if (std::find(seen.begin(), seen.end(), identity) != seen.end()) {
            twice = path;
            return true;
        }
        seen.push_back(identity);
    }
    return false;
}

static std::vector<std::string> block_devices()
{
    std::vector<std::string> paths;
    DIR* directory = opendir("/sys/class/block");
    if (!directory)
        return paths;
    while (const dirent* entry = readdir(directory)) {
        if (entry->d_name[0] == '.')
            continue;
        std::string name = entry->d_name;
        std::replace(name.begin(), name.end(), '!', '/');
        const std::string path = "/dev/" + name;
        struct stat status;
        if (stat(path.c_str(), &status) == 0 && S_ISBLK(status.st_mode))
            paths.push_back(path);
    }
    closedir(directory);
    std::sort(paths.begin(), paths.end());
    return paths;
}

std::vector<FoundDevice> find_devices(const std::vector<std::string>& paths)
{
    const bool all = paths.empty();
    std::vector<FoundDevice> found;
    for (const std::string& path : all ? block_devices() : paths) {
        std::string why;
        host_bdev* bdev = posix_bdev_open(path, true, why, true);
        if (!bdev) {
            if (!all)
                put_error(why);
            continue;
        }
        FoundDevice device { path, {} };
        const int error = core_read_label(bdev, &device.label, true);
        posix_bdev_close(bdev);
        if (error == 0)
            found.push_back(device);
        else if (!all)
            complain("{}: {}", path, error == -EINVAL ? "no label of lcpfs that this version knows" : reason(error));
    }
    return found;
}

}
