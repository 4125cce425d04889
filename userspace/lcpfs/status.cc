// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <fstream>
#include <string_view>

#include "userspace/common/guid.h"
#include "userspace/common/json.h"
#include "userspace/common/message.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

namespace {

constexpr const char* k_usage = R"(usage: lcpfs status [options] [DEVICE...]
Shows the pools on the devices given, or on all of the machine. A pool that is not in use is opened
read-only for it; of one that is mounted the space is what statfs(2) says.

  -p, --exact    numbers in bytes
      --json
  -h, --help
)";

constexpr option k_options[] = {
    { "exact", no_argument, nullptr, 'p' },
    { "json", no_argument, nullptr, 'j' },
    { "help", no_argument, nullptr, 'h' },
    {},
};

struct State {
    std::string word;
    bool is_open { false };
    bool is_mounted { false };
    bool is_whole { false };
    core_pool_status status {}; // of a mounted one only the space
};

// By core_log_device; as sysfs has them.
constexpr std::string_view k_log_words[] = { "none", "active", "failed", "missing", "unused" };

// What the module says of the log device of a mounted pool.
core_log_device ask_log_device(const FoundPool& pool)
{
    std::ifstream file("/sys/fs/lcpfs/" + guid_text(pool.label.pool_guid) + "/log_device");
    std::string word;
    file >> word;
    for (int i = CORE_LOG_DEVICE_NONE; i <= CORE_LOG_DEVICE_UNUSED; i++)
        if (word == k_log_words[i])
            return static_cast<core_log_device>(i);
    return CORE_LOG_DEVICE_NONE;
}

bool ask_mount(const FoundPool& pool, State& state)
{
    for (const FoundDevice& device : pool.devices) {
        struct stat status;
        if (stat(device.path.c_str(), &status) != 0 || !S_ISBLK(status.st_mode))
            continue;
        const std::string point = mount_of(status.st_rdev);
        struct statvfs space;
        if (point.empty() || statvfs(point.c_str(), &space) != 0)
            continue;
        const uint64_t blocks = space.f_frsize / CORE_BLOCK_SIZE;
        state.status.total_blocks = space.f_blocks * blocks;
        state.status.free_blocks = space.f_bfree * blocks;
        state.status.available_blocks = space.f_bavail * blocks;
        state.status.log_device = ask_log_device(pool);
        state.word = "mounted at " + point;
        state.is_mounted = true;
        return true;
    }
    return false;
}

State state_of(const FoundPool& pool)
{
    State state;
    if (ask_mount(pool, state))
        return state;
    for (const FoundDevice& device : pool.devices) {
        const std::string use = use_of(device.path);
        if (!use.empty()) {
            state.word = use;
            return state;
        }
    }
    if (!pool.has_data()) {
        state.word = fmt::format("{} of {} devices are missing", pool.label.device_count - pool.devices.size(), pool.label.device_count);
        return state;
    }
    OpenPool opened;
    const int error = opened.open(pool.paths());
    if (error) {
        state.word = reason(error);
        return state;
    }
    core_pool_get_status(opened.get(), &state.status);
    state.is_open = true;
    state.is_whole = state.status.log_device != CORE_LOG_DEVICE_MISSING;
    state.word = state.is_whole ? "not in use" : "the log device is missing";
    return state;
}

std::string size_text(uint64_t blocks, bool exact)
{
    const uint64_t bytes = blocks * CORE_BLOCK_SIZE;
    return exact ? fmt::format("{}", bytes) : human_bytes(bytes);
}

// What a log device is to its pool, where that is known.
std::string log_word(const State& state)
{
    if (state.status.log_device == CORE_LOG_DEVICE_UNUSED)
        return " (not used any more)";
    if (state.status.log_device == CORE_LOG_DEVICE_FAILED)
        return " (failed)";
    return "";
}

void print_text(const FoundPool& pool, const State& state, bool exact)
{
    fmt::print("pool {}\n  uuid       {}\n  state      {}\n", pool.label.name, guid_text(pool.label.pool_guid), state.word);
    const core_pool_status& status = state.status;
    if (state.is_open || state.is_mounted) {
        fmt::print("  size       {}\n", size_text(status.total_blocks, exact));
        fmt::print("  free       {}\n", size_text(status.free_blocks, exact));
        fmt::print("  available  {}\n", size_text(status.available_blocks, exact));
    }
    if (state.is_open) {
        fmt::print("  objects    {}\n", status.objects);
        fmt::print("  group      {}\n", status.committed_txg);
        fmt::print("  nodes      {} bytes, {} copies\n", status.node_bytes, status.metadata_copies);
    }
    for (const FoundDevice& device : pool.devices)
        fmt::print("  device {}   {}, {}{}\n", device.label.device_index, device.path,
                   exact ? fmt::format("{}", device.label.device_bytes) : human_bytes(device.label.device_bytes),
                   device.label.is_log ? ", log" + log_word(state) : "");
}

void put_json(Json& json, const FoundPool& pool, const State& state)
{
    json.begin_object();
    json.put("name", pool.label.name);
    json.put("uuid", guid_text(pool.label.pool_guid));
    json.put("state", state.word);
    const core_pool_status& status = state.status;
    if (state.is_open || state.is_mounted) {
        json.put("total_bytes", static_cast<uint64_t>(status.total_blocks * CORE_BLOCK_SIZE));
        json.put("free_bytes", static_cast<uint64_t>(status.free_blocks * CORE_BLOCK_SIZE));
        json.put("available_bytes", static_cast<uint64_t>(status.available_blocks * CORE_BLOCK_SIZE));
    }
    if (state.is_open) {
        json.put("objects", static_cast<uint64_t>(status.objects));
        json.put("committed_group", static_cast<uint64_t>(status.committed_txg));
        json.put("node_bytes", status.node_bytes);
        json.put("metadata_copies", status.metadata_copies);
    }
    if (state.is_open || state.is_mounted)
        json.put("log_device", std::string(k_log_words[status.log_device]));
    json.begin_array("devices");
    for (const FoundDevice& device : pool.devices) {
        json.begin_object();
        json.put("index", device.label.device_index);
        json.put("path", device.path);
        json.put("bytes", static_cast<uint64_t>(device.label.device_bytes));
        json.put("log", device.label.is_log);
        json.end_object();
    }
    json.end_array();
    json.end_object();
}

}

int status_verb(int argc, char** argv)
{
    bool exact = false, as_json = false;
    for (int option; (option = getopt_long(argc, argv, "ph", k_options, nullptr)) != -1;) {
        if (option == 'p') {
            exact = true;
        } else if (option == 'j') {
            as_json = true;
        } else {
            fmt::print(option == 'h' ? stdout : stderr, "{}", k_usage);
            return option == 'h' ? k_success : k_usage_error;
        }
    }
    const std::vector<std::string> paths(argv + optind, argv + argc);
    const std::vector<FoundDevice> devices = find_devices(paths);
    Json json;
    json.begin_array();
    bool good = true;
    for (const FoundPool& pool : group_by_pool(devices)) {
        const State state = state_of(pool);
        good = good && (state.is_open ? state.is_whole : pool.is_complete());
        if (as_json)
            put_json(json, pool, state);
        else
            print_text(pool, state, exact);
    }
    json.end_array();
    if (as_json)
        json.print();
    return good && (paths.empty() || devices.size() == paths.size()) ? k_success : k_failure;
}

}
