// SPDX-License-Identifier: GPL-2.0-only
// mkfs.lcpfs: makes an empty pool of the devices given. Exit codes: 0 made, 1 not.
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/format/label_format.h"
#include "core/format/zil_format.h"
#include "userspace/common/devices.h"
#include "userspace/common/guid.h"
#include "userspace/common/message.h"
#include "userspace/host/common/log.h"
#include "userspace/mkfs/populate.h"

using namespace lcpfs::tool;

namespace {

struct Options {
    bool force { false };
    bool quiet { false };
    bool verbose { false };
    std::string name { "lcpfs" };
    std::string folder;             // to fill it from; empty: none
    uint8_t guid[16] {};
    bool has_guid { false };
    core_format_options format {};
    std::vector<std::string> paths; // data devices, then log devices
    std::vector<std::string> logs;
    bool is_log(size_t index) const { return index + logs.size() >= paths.size(); }
};

constexpr const char* k_usage = R"(usage: mkfs.lcpfs [options] DEVICE...
Makes an lcpfs pool striped over the devices (block devices or image files).

  -f, --force              even where a device carries something (never where it is in use)
  -L, --label NAME         name of the pool, 1 to 63 printable characters, no space or '/' (lcpfs)
  -d, --root-directory DIR  fill it with what is in this folder
  -U, --uuid GUID          identity of the pool (random)
      --log DEVICE         keep the intent log there: a device that is fast to write, 4 MiB or more.
                           Up to four times: they mirror each other, and any one is enough
      --node-size BYTES    size of a metadata node, 16K or 32K (16K)
      --copies N           places each metadata node is written to, 1 to 3 (2)
      --checksum KIND      of file data: crc32c, xxh64 or sha256 (crc32c)
      --metaslab-size BYTES  4M to 1G (chosen by the size of the device)
      --log-size BYTES     of the intent log's ring, 1M to 1G, at most a sixteenth of the pool (256M)
  -q, --quiet              say nothing unless it fails
  -v, --verbose            say more
  -V, --version
  -h, --help
)";

enum LongOption { k_node_size = 256, k_copies, k_checksum, k_metaslab_size, k_log, k_log_size };
constexpr option k_options[] = {
    { "force", no_argument, nullptr, 'f' },
    { "label", required_argument, nullptr, 'L' },
    { "root-directory", required_argument, nullptr, 'd' },
    { "uuid", required_argument, nullptr, 'U' },
    { "log", required_argument, nullptr, k_log },
    { "node-size", required_argument, nullptr, k_node_size },
    { "copies", required_argument, nullptr, k_copies },
    { "checksum", required_argument, nullptr, k_checksum },
    { "metaslab-size", required_argument, nullptr, k_metaslab_size },
    { "log-size", required_argument, nullptr, k_log_size },
    { "quiet", no_argument, nullptr, 'q' },
    { "verbose", no_argument, nullptr, 'v' },
    { "version", no_argument, nullptr, 'V' },
    { "help", no_argument, nullptr, 'h' },
    {},
};

bool is_name(const std::string& name)
{
    if (name.empty() || name.size() >= CORE_LABEL_NAME_BYTES)
        return false;
    for (char c : name)
        if (c <= ' ' || c >= 0x7f || c == '/')
            return false;
    return true;
}

bool set_size(const char* text, const char* what, uint64_t least, uint64_t most, uint64_t& value)
{
    if (parse_bytes(text, value) && value >= least && value <= most && (value & (value - 1)) == 0)
        return true;
    complain("{} {}: a power of two from {} to {} is wanted", what, text, human_bytes(least), human_bytes(most));
    return false;
}

bool set_checksum(const char* text, Options& options)
{
    static const char* const names[] = { "", "crc32c", "xxh64", "sha256" };
    for (uint32_t kind = 1; kind <= 3; kind++)
        if (strcmp(text, names[kind]) == 0)
            options.format.data_checksum = kind;
    if (!options.format.data_checksum)
        complain("checksum {}: crc32c, xxh64 or sha256 is wanted", text);
    return options.format.data_checksum != 0;
}

bool set_option(int option, Options& options)
{
    uint64_t value = 0;
    switch (option) {
    case 'f':
        options.force = true;
        return true;
    case 'q':
        options.quiet = true;
        return true;
    case 'v':
        options.verbose = true;
        return true;
    case 'L':
        options.name = optarg;
        if (!is_name(options.name))
            complain("label {}: 1 to 63 printable characters, no space or '/', are wanted", optarg);
        return is_name(options.name);
    case 'd':
        options.folder = optarg;
        return true;
    case 'U':
        options.has_guid = parse_guid(optarg, options.guid);
        if (!options.has_guid)
            complain("uuid {}: 32 hexadecimal digits are wanted", optarg);
        return options.has_guid;
    case k_log:
        options.logs.push_back(optarg);
        if (options.logs.size() > lcpfs::k_max_log_members)
            complain("log {}: a pool has at most {} log devices", optarg, lcpfs::k_max_log_members);
        return options.logs.size() <= lcpfs::k_max_log_members;
    case k_node_size:
        if (!set_size(optarg, "node size", lcpfs::k_min_node_bytes, lcpfs::k_max_node_bytes, value))
            return false;
        options.format.node_bytes = static_cast<uint32_t>(value);
        return true;
    case k_metaslab_size:
        return set_size(optarg, "metaslab size", 4u << 20, 1u << 30, options.format.metaslab_bytes);
    case k_log_size:
        return set_size(optarg, "log size", lcpfs::k_min_log_ring_bytes, lcpfs::k_most_log_ring_bytes, options.format.log_bytes);
    case k_copies:
        if (strlen(optarg) != 1 || *optarg < '1' || *optarg > '3') {
            complain("copies {}: 1, 2 or 3 is wanted", optarg);
            return false;
        }
        options.format.metadata_copies = static_cast<uint32_t>(*optarg - '0');
        return true;
    case k_checksum:
        return set_checksum(optarg, options);
    }
    fmt::print(stderr, "{}", k_usage);
    return false;
}

// Whether every device may be written over.
bool are_free(const Options& options)
{
    std::string twice;
    if (has_duplicate(options.paths, twice)) {
        complain("{}: given twice", twice);
        return false;
    }
    for (const std::string& path : options.paths) {
        const std::string use = use_of(path);
        if (!use.empty()) {
            complain("{}: {}; nothing was changed", path, use);
            return false;
        }
        std::string contents;
        if (!contents_of(path, contents))
            return false;
        if (contents.empty())
            continue;
        if (!options.force) {
            complain("{}: carries {}; -f makes a pool over it and loses what is there", path, contents);
            return false;
        }
        if (options.verbose)
            fmt::print("{}: losing {}\n", path, contents);
    }
    return true;
}

// Looked at before anything is removed from a device, so that a refusal leaves it as it was.
bool are_large_enough(const Options& options)
{
    constexpr uint64_t k_least_bytes = 16u << 20;
    constexpr uint64_t k_least_log_bytes = lcpfs::k_min_log_device_bytes;
    Devices devices;
    if (!devices.open(options.paths, true, Devices::Use::shared))
        return false;
    for (unsigned i = 0; i < devices.count(); i++) {
        host_bdev_info info;
        host_bdev_get_info(devices.data()[i], &info);
        if (options.is_log(i)) {
            if (info.capacity_bytes >= k_least_log_bytes)
                continue;
            complain("{}: {} are too few for a log device: at least {} are needed", options.paths[i], human_bytes(info.capacity_bytes),
                     human_bytes(k_least_log_bytes));
            return false;
        }
        if (info.capacity_bytes >= k_least_bytes && info.capacity_bytes >= options.format.metaslab_bytes + (1u << 20))
            continue;
        complain("{}: {} are too few: at least {} are needed, and room for one metaslab", options.paths[i],
                 human_bytes(info.capacity_bytes),
                 human_bytes(k_least_bytes));
        return false;
    }
    return true;
}

void print_result(const Options& options, const Devices& devices)
{
    core_label label;
    uint64_t total = 0;
    for (unsigned i = 0; i < devices.count(); i++) {
        if (core_read_label(devices.data()[i], &label, false) != 0)
            return;
        total += options.is_log(i) ? 0 : label.device_bytes;
    }
    fmt::print("pool {}\n  uuid      {}\n", label.name, guid_text(label.pool_guid));
    for (unsigned i = 0; i < devices.count(); i++) {
        core_read_label(devices.data()[i], &label, false);
        fmt::print("  device {}  {}, {}{}\n", label.device_index, options.paths[i], human_bytes(label.device_bytes),
                   label.is_log ? ", log" : "");
    }
    fmt::print("  size      {}\n  nodes     {} bytes, {} copies\n", human_bytes(total),
               options.format.node_bytes ? options.format.node_bytes : 16384,
               options.format.metadata_copies ? options.format.metadata_copies : 2);
}

int make(Options& options)
{
    struct stat status;
    if (!options.folder.empty() && (stat(options.folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))) {
        complain("{}: no folder to fill the pool from", options.folder);
        return 1;
    }
    if (!are_free(options) || !are_large_enough(options))
        return 1;
    for (const std::string& path : options.paths)
        if (!wipe_contents(path))
            return 1;
    Devices devices;
    if (!devices.open(options.paths, false, Devices::Use::alone))
        return 1;
    options.format.name = options.name.c_str();
    options.format.guid = options.has_guid ? options.guid : nullptr;
    options.format.root_mode = 0755;
    options.format.log_devices = static_cast<uint32_t>(options.logs.size());
    const int error = core_pool_format(devices.data(), devices.count(), &options.format);
    if (error) {
        complain("cannot make the pool: {}", reason(error));
        return 1;
    }
    if (!options.folder.empty() && !populate(devices, options.folder))
        return 1;
    if (!options.quiet)
        print_result(options, devices);
    return 0;
}

}

int main(int argc, char** argv)
{
    Options options;
    for (int option; (option = getopt_long(argc, argv, "fL:d:U:qvVh", k_options, nullptr)) != -1;) {
        if (option == 'h') {
            fmt::print("{}", k_usage);
            return 0;
        }
        if (option == 'V') {
            print_version("mkfs.lcpfs");
            return 0;
        }
        if (!set_option(option, options))
            return 1;
    }
    options.paths.assign(argv + optind, argv + argc);
    if (options.paths.empty()) {
        fmt::print(stderr, "{}", k_usage);
        return 1;
    }
    options.paths.insert(options.paths.end(), options.logs.begin(), options.logs.end());
    if (options.paths.size() > CORE_MAX_DEVICES) {
        complain("{} devices: a pool has at most {}", options.paths.size(), CORE_MAX_DEVICES);
        return 1;
    }
    lcpfs::host_log_set_level(options.quiet ? HOST_LOG_WARNING : HOST_LOG_INFO);
    return make(options);
}
