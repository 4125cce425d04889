// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/mount/source.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/common/guid.h"
#include "userspace/common/message.h"
#include "userspace/common/pools.h"

namespace lcpfs::tool {

namespace {

bool is_same_file(const std::string& a, const std::string& b)
{
    struct stat first, second;
    if (stat(a.c_str(), &first) != 0 || stat(b.c_str(), &second) != 0)
        return false;
    return S_ISBLK(first.st_mode) && S_ISBLK(second.st_mode) ? first.st_rdev == second.st_rdev
                                                               : first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

bool is_of(const FoundDevice& device, const core_label& label)
{
    return memcmp(device.label.pool_guid, label.pool_guid, sizeof(label.pool_guid)) == 0;
}

// What a pool is asked for by.
struct Wanted {
    std::string name;      // or:
    uint8_t guid[16] {};
    bool by_guid { false };
    std::string dataset;

    bool fits(const core_label& label) const
    {
        return by_guid ? memcmp(label.pool_guid, guid, sizeof(guid)) == 0 : name == label.name;
    }
};

bool parse(const std::string& text, Wanted& wanted)
{
    std::string rest = text;
    const bool is_uuid = rest.rfind("UUID=", 0) == 0;
    if (is_uuid || rest.rfind("LABEL=", 0) == 0)
        rest = rest.substr(rest.find('=') + 1);
    const size_t slash = rest.find('/');
    if (slash != std::string::npos) {
        wanted.dataset = rest.substr(slash + 1);
        rest.resize(slash);
        if (wanted.dataset.empty()) {
            complain("{}: names no dataset", text);
            return false;
        }
    }
    wanted.name = rest;
    wanted.by_guid = is_uuid;
    if (is_uuid && !parse_guid(rest.c_str(), wanted.guid)) {
        complain("{}: that is no UUID", text);
        return false;
    }
    return true;
}

// The pool that is meant, among all of the machine.
bool choose_pool(const std::string& text, const Wanted& wanted, const std::vector<FoundDevice>& devices, core_label& label)
{
    bool found = false;
    for (const FoundPool& pool : group_by_pool(devices)) {
        if (!wanted.fits(pool.label))
            continue;
        if (found) {
            complain("{}: several pools have that name; say UUID=", text);
            return false;
        }
        label = pool.label;
        found = true;
    }
    if (!found)
        complain("{}: no such device, and no pool of that name on any", text);
    return found;
}

void take_devices(const std::vector<FoundDevice>& devices, const core_label& label, Source& source)
{
    const bool is_in_use = access(("/sys/fs/lcpfs/" + guid_text(label.pool_guid)).c_str(), F_OK) == 0;
    for (const FoundDevice& device : devices) {
        if (!is_of(device, label))
            continue;
        if (source.device.empty())
            source.device = device.path;
        // Below a multipath or volume manager's device, that one is meant; of a pool in use the kernel has all.
        else if (!is_in_use && !is_same_file(device.path, source.device) && use_of(device.path).empty())
            source.others.push_back(device.path);
    }
}

}

bool find_source(const std::string& text, Source& source)
{
    struct stat status;
    if (text.rfind('/', 0) == 0 || (stat(text.c_str(), &status) == 0 && !S_ISDIR(status.st_mode))) {
        source.device = text;
        const std::vector<FoundDevice> own = find_devices({ text });
        if (own.empty())
            return false; // said why
        if (S_ISBLK(stat(text.c_str(), &status) == 0 ? status.st_mode : 0))
            take_devices(find_devices({}), own.front().label, source);
        return true;
    }
    Wanted wanted;
    core_label label {};
    const std::vector<FoundDevice> devices = find_devices({});
    if (!parse(text, wanted) || !choose_pool(text, wanted, devices, label))
        return false;
    source.dataset = wanted.dataset;
    take_devices(devices, label, source);
    return true;
}

}
