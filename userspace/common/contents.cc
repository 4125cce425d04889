// SPDX-License-Identifier: GPL-2.0-only
// Who uses a device and what is on it.
#include <blkid/blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <vector>

#include "userspace/common/devices.h"
#include "userspace/common/message.h"
#include "userspace/host/posix_bdev.h"

namespace lcpfs::tool {

static bool is_device(const std::string& path, dev_t device)
{
    struct stat status;
    return path[0] == '/' && stat(path.c_str(), &status) == 0 && S_ISBLK(status.st_mode) && status.st_rdev == device;
}

// By the number of the mount's device, or, for filesystems of several devices, by the device it was mounted from.
std::string mount_of(dev_t device)
{
    std::ifstream mounts("/proc/self/mountinfo");
    const std::string wanted = fmt::format("{}:{}", major(device), minor(device));
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream fields(line);
        std::string id, parent, numbers, root, point, field, type, source;
        fields >> id >> parent >> numbers >> root >> point;
        while (fields >> field && field != "-") { }
        fields >> type >> source;
        if (numbers == wanted || (!source.empty() && is_device(source, device)))
            return point;
    }
    return {};
}

static std::string loop_over(const std::string& path)
{
    char resolved[PATH_MAX];
    if (!realpath(path.c_str(), resolved))
        return {};
    DIR* directory = opendir("/sys/block");
    if (!directory)
        return {};
    std::string loop;
    while (const dirent* entry = readdir(directory)) {
        std::ifstream backing(fmt::format("/sys/block/{}/loop/backing_file", entry->d_name));
        std::string file;
        if (std::getline(backing, file) && file == resolved)
            loop = entry->d_name;
    }
    closedir(directory);
    return loop;
}

std::string use_of(const std::string& path)
{
    struct stat status;
    if (stat(path.c_str(), &status) != 0)
        return {};
    if (S_ISREG(status.st_mode)) {
        const std::string loop = loop_over(path);
        return loop.empty() ? "" : "behind the loop device " + loop;
    }
    if (!S_ISBLK(status.st_mode))
        return {};
    const std::string point = mount_of(status.st_rdev);
    if (!point.empty())
        return "mounted at " + point;
    const int descriptor = open(path.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC);
    if (descriptor < 0)
        return errno == EBUSY ? "in use (mounted, swap, or part of another volume)" : "";
    close(descriptor);
    return {};
}

static blkid_probe new_probe(int descriptor)
{
    blkid_probe probe = blkid_new_probe();
    if (!probe || blkid_probe_set_device(probe, descriptor, 0, 0) != 0) {
        blkid_free_probe(probe);
        return nullptr;
    }
    blkid_probe_enable_superblocks(probe, 1);
    blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL | BLKID_SUBLKS_MAGIC);
    blkid_probe_enable_partitions(probe, 1);
    blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC);
    return probe;
}

static std::string value_of(blkid_probe probe, const char* name)
{
    const char* value = nullptr;
    return blkid_probe_lookup_value(probe, name, &value, nullptr) == 0 && value ? value : "";
}

static std::string lcpfs_on(const std::string& path)
{
    std::string why;
    host_bdev* bdev = posix_bdev_open(path, true, why, true);
    if (!bdev)
        return {};
    core_label label;
    const int error = core_read_label(bdev, &label, true);
    posix_bdev_close(bdev);
    if (error == 0)
        return fmt::format("{} {} of {} of the lcpfs pool \"{}\"", label.is_log ? "log device" : "device", label.device_index,
                           label.device_count, label.name);
    return error == -EUCLEAN ? "a damaged lcpfs label" : "";
}

// libblkid takes what it cannot read for nothing; where most of what it knows has its signature, that is an error.
static bool can_read_front(int descriptor)
{
    std::vector<char> front(128 << 10);
    return pread(descriptor, front.data(), front.size(), 0) >= 0;
}

bool contents_of(const std::string& path, std::string& contents)
{
    contents = lcpfs_on(path);
    if (!contents.empty())
        return true;
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    blkid_probe probe = descriptor < 0 ? nullptr : new_probe(descriptor);
    if (!probe || !can_read_front(descriptor)) {
        complain("{}: cannot look at what is on it: {}", path, strerror(errno));
        blkid_free_probe(probe);
        if (descriptor >= 0)
            close(descriptor);
        return false;
    }
    const int found = blkid_do_safeprobe(probe);
    if (found == 0) {
        const std::string type = value_of(probe, "TYPE"), table = value_of(probe, "PTTYPE"), label = value_of(probe, "LABEL");
        if (!type.empty())
            contents = type + (label.empty() ? "" : " \"" + label + "\"");
        else if (!table.empty())
            contents = "a partition table (" + table + ")";
        else
            contents = "something libblkid knows";
    } else if (found == -2) {
        contents = "signatures of several filesystems or volumes";
    }
    blkid_free_probe(probe);
    close(descriptor);
    if (found != -1)
        return true;
    complain("{}: cannot look at what is on it", path);
    return false;
}

bool wipe_contents(const std::string& path)
{
    const int descriptor = open(path.c_str(), O_RDWR | O_CLOEXEC);
    blkid_probe probe = descriptor < 0 ? nullptr : new_probe(descriptor);
    if (!probe) {
        complain("{}: cannot remove what is on it: {}", path, strerror(errno));
        if (descriptor >= 0)
            close(descriptor);
        return false;
    }
    bool done = true;
    while (done && blkid_do_probe(probe) == 0)
        done = blkid_do_wipe(probe, 0) == 0;
    if (!done)
        complain("{}: cannot remove what is on it: {}", path, strerror(errno));
    blkid_free_probe(probe);
    close(descriptor);
    return done;
}

}
