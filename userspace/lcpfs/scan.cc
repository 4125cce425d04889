// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/vfs/ioctl_abi.h"
#include "userspace/common/guid.h"
#include "userspace/common/json.h"
#include "userspace/common/message.h"
#include "userspace/lcpfs/ready.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

namespace {

constexpr const char* k_usage = R"(usage: lcpfs scan [options] [DEVICE...]
Finds devices of lcpfs pools, among those given or all of the machine, and makes them known to the
module when it is loaded, so that mounting one device of a pool finds the others.

  -n, --dry-run     only find, tell the module nothing
      --udev        for a rule of udev: what udev calls a filesystem's properties, of one device
  -H, --no-header   for scripts: tabs, no header
      --json
  -h, --help
)";

constexpr option k_options[] = {
    { "dry-run", no_argument, nullptr, 'n' },
    { "udev", no_argument, nullptr, 'u' },
    { "no-header", no_argument, nullptr, 'H' },
    { "json", no_argument, nullptr, 'j' },
    { "help", no_argument, nullptr, 'h' },
    {},
};

// False: the module would not have it, said why. Without the module there is nothing to tell.
bool make_known(const std::vector<FoundDevice>& devices)
{
    if (devices.empty()) // nor is the module loaded for nothing
        return true;
    const int control = open("/dev/" LCPFS_CONTROL_NAME, O_RDWR | O_CLOEXEC);
    if (control < 0) {
        if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
            return true;
        complain("/dev/{}: {}", LCPFS_CONTROL_NAME, strerror(errno));
        return false;
    }
    bool done = true;
    for (const FoundDevice& device : devices) {
        struct stat status;
        if (stat(device.path.c_str(), &status) != 0 || !S_ISBLK(status.st_mode))
            continue;
        lcpfs_ioctl_scan request {};
        if (device.path.size() >= sizeof(request.path))
            continue;
        memcpy(request.path, device.path.c_str(), device.path.size() + 1);
        if (ioctl(control, LCPFS_IOCTL_SCAN, &request) != 0) {
            complain("{}: the module does not take it: {}", device.path, strerror(errno));
            done = false;
        }
    }
    close(control);
    return done;
}

void print_json(const std::vector<FoundPool>& pools)
{
    Json json;
    json.begin_array();
    for (const FoundPool& pool : pools) {
        json.begin_object();
        json.put("name", pool.label.name);
        json.put("uuid", guid_text(pool.label.pool_guid));
        json.put("devices", pool.label.device_count);
        json.put("complete", pool.is_complete());
        json.begin_array("found");
        for (const FoundDevice& device : pool.devices) {
            json.begin_object();
            json.put("path", device.path);
            json.put("index", device.label.device_index);
            json.put("uuid", guid_text(device.label.device_guid));
            json.put("bytes", static_cast<uint64_t>(device.label.device_bytes));
            json.put("log", device.label.is_log);
            json.end_object();
        }
        json.end_array();
        json.end_object();
    }
    json.end_array();
    json.print();
}

void print_table(const std::vector<FoundPool>& pools, bool header)
{
    if (header)
        fmt::print("{:16} {:36} {:>7} {:>10} {}\n", "POOL", "UUID", "DEVICE", "SIZE", "PATH");
    for (const FoundPool& pool : pools) {
        for (const FoundDevice& device : pool.devices) {
            const std::string place = fmt::format("{}/{}", device.label.device_index, device.label.device_count);
            if (header)
                fmt::print("{:16} {:36} {:>7} {:>10} {}\n", device.label.name, guid_text(device.label.pool_guid), place,
                           human_bytes(device.label.device_bytes), device.path);
            else
                fmt::print("{}\t{}\t{}\t{}\t{}\n", device.label.name, guid_text(device.label.pool_guid), place, device.label.device_bytes,
                           device.path);
        }
    }
}

}

// As udev's own blkid gives them, so that /dev/disk/by-uuid and by-label get their links. Names hold nothing that needs coding.
static void print_udev(const FoundDevice& device)
{
    bool ready = false;
    for (const FoundPool& pool : group_by_pool(find_devices({})))
        if (guid_text(pool.label.pool_guid) == guid_text(device.label.pool_guid))
            ready = is_ready(pool);
    fmt::print("ID_LCPFS_READY={}\n", ready ? 1 : 0);
    const std::string uuid = guid_text(device.label.pool_guid), own = guid_text(device.label.device_guid);
    fmt::print("ID_FS_TYPE=lcpfs\nID_FS_USAGE=filesystem\n");
    fmt::print("ID_FS_UUID={0}\nID_FS_UUID_ENC={0}\nID_FS_UUID_SUB={1}\nID_FS_UUID_SUB_ENC={1}\n", uuid, own);
    fmt::print("ID_FS_LABEL={0}\nID_FS_LABEL_ENC={0}\n", device.label.name);
}

int scan_verb(int argc, char** argv)
{
    bool dry_run = false, header = true, json = false, udev = false;
    for (int option; (option = getopt_long(argc, argv, "nHh", k_options, nullptr)) != -1;) {
        if (option == 'n') {
            dry_run = true;
        } else if (option == 'H') {
            header = false;
        } else if (option == 'j') {
            json = true;
        } else if (option == 'u') {
            udev = true;
        } else {
            fmt::print(option == 'h' ? stdout : stderr, "{}", k_usage);
            return option == 'h' ? k_success : k_usage_error;
        }
    }
    const std::vector<std::string> paths(argv + optind, argv + argc);
    const std::vector<FoundDevice> devices = find_devices(paths);
    const bool known = dry_run || make_known(devices);
    if (udev)
        for (const FoundDevice& device : devices)
            print_udev(device);
    else if (json)
        print_json(group_by_pool(devices));
    else
        print_table(group_by_pool(devices), header);
    return known && (paths.empty() || devices.size() == paths.size()) ? k_success : k_failure;
}

}
