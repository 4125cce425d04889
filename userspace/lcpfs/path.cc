// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>

#include "userspace/common/guid.h"
#include "userspace/common/json.h"
#include "userspace/common/message.h"
#include "userspace/lcpfs/control.h"
#include "userspace/lcpfs/of_pools.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

namespace {

constexpr const char* k_usage = R"(usage: lcpfs path list [options]
       lcpfs path add DEVICE [PRIORITY]
       lcpfs path remove|fail|reinstate PATH
       lcpfs path set PATH SETTING=VALUE...
The block devices by which mounted pools reach their disks. PATH is a number of the list or a block
device. A path is added to the pool whose label the device shows, after proof that it is the same disk.

Settings: of one path priority (0 to 255, 0 is best); of all paths of its disk policy (round-robin,
least-queue, least-latency, service-time), failback, no-path-timeout and time-limit (seconds; a timeout
of -1 waits for ever, a time limit of 0 is none), copy-bytes, shared-cache and hedged-reads (0 or 1).

      --pool NAME   of this pool alone, by name or uuid
  -H, --no-header   for scripts: tabs, no header
      --json
  -h, --help
)";

constexpr option k_options[] = {
    { "pool", required_argument, nullptr, 'P' },
    { "no-header", no_argument, nullptr, 'H' },
    { "json", no_argument, nullptr, 'j' },
    { "help", no_argument, nullptr, 'h' },
    {},
};
constexpr const char* k_states[] = { "active", "degraded", "failed", "repairing" };
constexpr const char* k_policies[] = { "round-robin", "least-queue", "least-latency", "service-time" };
constexpr const char* k_sizes[] = { "8k", "64k", "256k", "larger" };

struct Setting {
    const char* name;
    uint32_t number;
    double unit; // what a value given is multiplied with
};
constexpr Setting k_settings[] = {
    { "priority", LCPFS_PATH_PRIORITY, 1 },
    { "policy", LCPFS_PATH_POLICY, 1 },
    { "failback", LCPFS_PATH_FAILBACK, 1000 },
    { "no-path-timeout", LCPFS_PATH_NO_PATH_TIMEOUT, 1000 },
    { "time-limit", LCPFS_PATH_TIME_LIMIT, 1000 },
    { "copy-bytes", LCPFS_PATH_COPY_BYTES, 1 },
    { "shared-cache", LCPFS_PATH_SHARED_CACHE, 1 },
    { "hedged-reads", LCPFS_PATH_HEDGED_READS, 1 },
};

// The name of a block device as the kernel has it.
std::string kernel_name(const std::string& word)
{
    char resolved[PATH_MAX];
    std::string path = realpath(word.c_str(), resolved) ? resolved : word;
    if (size_t slash = path.rfind('/'); slash != std::string::npos)
        path.erase(0, slash + 1);
    return path;
}

bool find_path(const std::vector<lcpfs_ioctl_path>& paths, const std::string& word, lcpfs_ioctl_path& found)
{
    const bool is_number = !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
    const std::string name = kernel_name(word);
    size_t matches = 0;
    for (const lcpfs_ioctl_path& path : paths) {
        if (is_number ? std::to_string(path.id) == word : name == path.name) {
            found = path;
            matches++;
        }
    }
    if (matches == 0)
        complain("{}: no mounted pool has such a path (see lcpfs path list)", word);
    if (matches > 1)
        complain("{}: more than one pool has such a path: choose with --pool", word);
    return matches == 1;
}

// One row, padded for people or with tabs for scripts.
template <typename... Cells>
void print_row(bool padded, const Cells&... cells)
{
    if (padded)
        fmt::print("{:12} {:>6} {:>4} {:12} {:10} {:13} {:>4} {:>5} {:>8} {:>10} {:>10} {:>7} {:>6} {:>7} {:>6}\n", cells...);
    else
        fmt::print("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", cells...);
}

int print_list(const std::vector<lcpfs_ioctl_path>& paths, bool header)
{
    if (header)
        print_row(true, "POOL", "DEVICE", "PATH", "NAME", "STATE", "POLICY", "PRIO", "DEPTH", "AVG_US", "IOS", "BYTES", "ERRORS", "FAILED",
                  "REPAIRS", "WRONG");
    for (const lcpfs_ioctl_path& path : paths) {
        const char* const state = path.only ? "only" : k_states[path.state & 3];
        const std::string bytes = header ? human_bytes(path.bytes) : std::to_string(path.bytes);
        print_row(header, path.pool_name, path.device, path.id, path.name, state, k_policies[path.policy & 3], path.priority, path.depth,
                  path.average_us, path.ios, bytes, path.errors, path.failures, path.repairs, path.wrong_bytes);
    }
    return k_success;
}

int print_json(const std::vector<lcpfs_ioctl_path>& paths)
{
    Json json;
    json.begin_array();
    for (const lcpfs_ioctl_path& path : paths) {
        json.begin_object();
        json.put("pool", path.pool_name);
        json.put("uuid", guid_text(path.pool_guid));
        json.put("device", static_cast<uint32_t>(path.device));
        json.put("path", static_cast<uint32_t>(path.id));
        json.put("name", path.name);
        json.put("only", path.only != 0);
        json.put("state", k_states[path.state & 3]);
        json.put("policy", k_policies[path.policy & 3]);
        json.put("priority", static_cast<uint32_t>(path.priority));
        json.put("depth", static_cast<uint32_t>(path.depth));
        json.put("average_us", static_cast<uint32_t>(path.average_us));
        json.put("ios", static_cast<uint64_t>(path.ios));
        json.put("bytes", static_cast<uint64_t>(path.bytes));
        json.put("errors", static_cast<uint64_t>(path.errors));
        json.put("failures", static_cast<uint64_t>(path.failures));
        json.put("repairs", static_cast<uint64_t>(path.repairs));
        json.put("wrong_bytes", static_cast<uint64_t>(path.wrong_bytes));
        json.begin_array("latency");
        for (size_t i = 0; i < LCPFS_PATH_SIZES; i++) {
            json.begin_object();
            json.put("size", k_sizes[i]);
            json.put("samples", static_cast<uint64_t>(path.latency[i].samples));
            json.put("median_us", static_cast<uint32_t>(path.latency[i].median_us));
            json.put("p99_us", static_cast<uint32_t>(path.latency[i].tail_us));
            json.end_object();
        }
        json.end_array();
        json.begin_object("pool_totals");
        json.put("ios", static_cast<uint64_t>(path.pool_ios));
        json.put("bytes", static_cast<uint64_t>(path.pool_bytes));
        json.put("path_failures", static_cast<uint64_t>(path.pool_path_failures));
        json.put("failovers", static_cast<uint64_t>(path.pool_failovers));
        json.put("path_repairs", static_cast<uint64_t>(path.pool_path_repairs));
        json.put("waiting", static_cast<uint64_t>(path.pool_waiting));
        json.end_object();
        json.end_object();
    }
    json.end_array();
    json.print();
    return k_success;
}

int change(const Control& control, lcpfs_ioctl_path_change& request, const std::string& what)
{
    const int error = control.call(LCPFS_IOCTL_PATH_CHANGE, &request);
    if (!error)
        return k_success;
    if (error == EBUSY)
        complain("{}: it is the last path to its disk that can be used", what);
    else if (error == ENODEV)
        complain("{}: its pool is not mounted", what);
    else
        complain("{}: {} (the kernel log says more)", what, strerror(error));
    return k_failure;
}

int add(const Control& control, const std::string& device, const std::string& priority)
{
    const std::vector<FoundDevice> found = find_devices({ device });
    if (found.empty()) {
        complain("{}: no label of lcpfs", device);
        return k_failure;
    }
    lcpfs_ioctl_path_change request {};
    if (device.size() >= sizeof(request.path))
        return k_usage_error;
    memcpy(request.pool_guid, found[0].label.pool_guid, sizeof(request.pool_guid));
    memcpy(request.path, device.c_str(), device.size() + 1);
    request.operation = LCPFS_PATH_ADD;
    request.value = strtol(priority.c_str(), nullptr, 10);
    const int result = change(control, request, device);
    if (result == k_success)
        fmt::print("{}\n", request.id);
    return result;
}

bool parse_setting(const std::string& word, lcpfs_ioctl_path_change& request)
{
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals), value = equals == std::string::npos ? "" : word.substr(equals + 1);
    const auto has_name = [&](const Setting& known) { return name == known.name; };
    const auto setting = std::find_if(std::begin(k_settings), std::end(k_settings), has_name);
    if (setting == std::end(k_settings) || value.empty())
        return false;
    request.setting = setting->number;
    if (setting->number == LCPFS_PATH_POLICY) {
        const auto policy = std::find(std::begin(k_policies), std::end(k_policies), value);
        request.value = policy - std::begin(k_policies);
        return policy != std::end(k_policies);
    }
    char* end = nullptr;
    const double number = strtod(value.c_str(), &end);
    request.value = number < 0 ? static_cast<int64_t>(number) : static_cast<int64_t>(number * setting->unit);
    return *end == 0;
}

int set(const Control& control, const lcpfs_ioctl_path& path, char** words, int count)
{
    for (int i = 0; i < count; i++) {
        lcpfs_ioctl_path_change request {};
        memcpy(request.pool_guid, path.pool_guid, sizeof(request.pool_guid));
        request.operation = LCPFS_PATH_SET;
        request.id = path.id;
        if (!parse_setting(words[i], request)) {
            complain("{}: no such setting or value", words[i]);
            return k_usage_error;
        }
        if (int result = change(control, request, words[i]))
            return result;
    }
    return k_success;
}

}

int path_verb(int argc, char** argv)
{
    std::string pool;
    bool header = true, as_json = false;
    // A value may begin with a minus: options come first.
    for (int option; (option = getopt_long(argc, argv, "+Hh", k_options, nullptr)) != -1;) {
        if (option == 'P') {
            pool = optarg;
        } else if (option == 'H') {
            header = false;
        } else if (option == 'j') {
            as_json = true;
        } else {
            fmt::print(option == 'h' ? stdout : stderr, "{}", k_usage);
            return option == 'h' ? k_success : k_usage_error;
        }
    }
    // Options after the word are as good.
    const std::string word = optind < argc ? argv[optind] : "";
    for (int i = optind + 1; i < argc && word == "list"; i++) {
        const std::string further = argv[i];
        header = header && further != "-H" && further != "--no-header";
        as_json = as_json || further == "--json";
    }
    const int left = argc - optind - 1;
    const bool is_change = word == "remove" || word == "fail" || word == "reinstate";
    if (word != "list" && !(word == "add" && (left == 1 || left == 2)) && !(is_change && left == 1) && !(word == "set" && left >= 2)) {
        fmt::print(stderr, "{}", k_usage);
        return k_usage_error;
    }
    const Control control;
    if (!control)
        return k_failure;
    if (word == "add")
        return add(control, argv[optind + 1], left == 2 ? argv[optind + 2] : "0");
    std::vector<lcpfs_ioctl_path> paths;
    if (!list_of_pools(control, LCPFS_IOCTL_PATH_GET, "paths", pool, paths))
        return k_failure;
    if (word == "list")
        return as_json ? print_json(paths) : print_list(paths, header);
    lcpfs_ioctl_path path {};
    if (!find_path(paths, argv[optind + 1], path))
        return k_failure;
    if (word == "set")
        return set(control, path, argv + optind + 2, left - 1);
    lcpfs_ioctl_path_change request {};
    memcpy(request.pool_guid, path.pool_guid, sizeof(request.pool_guid));
    request.id = path.id;
    request.operation = word == "remove" ? LCPFS_PATH_REMOVE : word == "fail" ? LCPFS_PATH_FAIL : LCPFS_PATH_REINSTATE;
    return change(control, request, argv[optind + 1]);
}

}
