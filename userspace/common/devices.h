// SPDX-License-Identifier: GPL-2.0-only
// The devices a tool works on: opened for it, closed after it; who else uses them, what is on them.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/api/core.h"

namespace lcpfs::tool {

class Devices {
public:
    Devices() = default;
    ~Devices();
    Devices(const Devices&) = delete;
    enum class Use { alone, shared, beside_kernel }; // others may have them open; the pool is mounted: past the page cache
    // All of them, or none and false, said why.
    bool open(const std::vector<std::string>& paths, bool read_only, Use use);
    host_bdev* const* data() const { return m_bdevs.data(); }
    unsigned count() const { return static_cast<unsigned>(m_bdevs.size()); }

private:
    std::vector<host_bdev*> m_bdevs;
};

// A pool opened read-only from all its devices, closed after use.
class OpenPool {
public:
    OpenPool() = default;
    ~OpenPool();
    OpenPool(const OpenPool&) = delete;
    // 0 or a negative errno, said why. A group is one that a mounted pool keeps (core_pool_keep_group).
    int open(const std::vector<std::string>& paths, uint64_t group = 0);
    core_pool* get() const { return m_pool; }

private:
    Devices m_devices;
    core_pool* m_pool { nullptr };
};

// Where a block device is mounted; empty: nowhere, or nobody says so.
std::string mount_of(dev_t device);
// Mounted, swapped on, part of another volume, behind a loop device. In words; empty: not in use.
std::string use_of(const std::string& path);
// What libblkid or lcpfs itself finds on the device, in words; empty: nothing. False: cannot be read, said why.
bool contents_of(const std::string& path, std::string& contents);
// Removes what libblkid finds, so that nothing takes the device for what it was. False: said why.
bool wipe_contents(const std::string& path);
// Two paths to one device: its name in `twice`.
bool has_duplicate(const std::vector<std::string>& paths, std::string& twice);

struct FoundDevice {
    std::string path;
    core_label label;
};
// Every device of lcpfs among `paths`; of an empty list among all block devices of the machine.
std::vector<FoundDevice> find_devices(const std::vector<std::string>& paths);

}
