// SPDX-License-Identifier: GPL-2.0-only
// lcpfs status: how pools are, and what is the matter with them.
#include <getopt.h>
#include <stdio.h>

#include "userspace/common/guid.h"
#include "userspace/common/json.h"
#include "userspace/common/message.h"
#include "userspace/lcpfs/pool_state.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

namespace {

constexpr const char* k_usage = R"(usage: lcpfs status [options] [DEVICE...]
How the pools on the devices given are, or all of the machine: healthy, degraded (a path or log device does not work), full,
damaged (something did not fit its checksum since it was mounted, or could not be read), incomplete or stopped; and why.
A pool that is not in use is opened read-only for it. Exit code: 0 when all are healthy or full, else 1.

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

std::string size_text(uint64_t bytes, bool exact) { return exact ? fmt::format("{}", bytes) : human_bytes(bytes); }

std::string time_text(uint64_t seconds)
{
    if (seconds >= 2 * 86400)
        return fmt::format("{} days", seconds / 86400);
    if (seconds >= 2 * 3600)
        return fmt::format("{} hours", seconds / 3600);
    return seconds >= 120 ? fmt::format("{} minutes", seconds / 60) : fmt::format("{} seconds", seconds);
}

// What the log device of that number is to its pool, where that is known.
std::string log_word(const PoolState& state, uint32_t index)
{
    const auto found = state.members.find(index);
    if (found != state.members.end())
        return found->second == "active" ? "" : found->second == "unused" ? " (not used any more)" : " (" + found->second + ")";
    return state.status.log_device == CORE_LOG_DEVICE_UNUSED ? " (not used any more)" : "";
}

void print_devices(const FoundPool& pool, const PoolState& state, bool exact)
{
    for (const FoundDevice& device : pool.devices) {
        const uint32_t index = device.label.device_index;
        fmt::print("  device {}   {}, {}{}\n", index, device.path, size_text(device.label.device_bytes, exact),
                   device.label.is_log ? ", log" + log_word(state, index) : "");
    }
    for (const auto& [index, paths] : state.paths)
        for (const PoolPath& path : paths)
            fmt::print("  path to {}  {}: {}\n", index, path.name, path.state);
}

void print_text(const FoundPool& pool, const PoolState& state, bool exact)
{
    fmt::print("pool {}\n  uuid       {}\n  state      {}", pool.label.name, guid_text(pool.label.pool_guid), state.word);
    for (size_t i = 0; i < state.mounts.size(); i++)
        fmt::print("{}{}", i ? ", " : ", mounted at ", state.mounts[i]);
    fmt::print("\n  health     {}\n", name_of(state.health));
    for (const std::string& problem : state.problems)
        fmt::print("             {}\n", problem);
    const core_pool_status& status = state.status;
    if (state.is_open || state.is_mounted) {
        fmt::print("  size       {}\n", size_text(status.total_blocks * CORE_BLOCK_SIZE, exact));
        fmt::print("  free       {}\n", size_text(status.free_blocks * CORE_BLOCK_SIZE, exact));
        fmt::print("  available  {}\n", size_text(status.available_blocks * CORE_BLOCK_SIZE, exact));
        fmt::print("  objects    {}\n  group      {}\n", status.objects, status.committed_txg);
    }
    if (state.is_open)
        fmt::print("  nodes      {} bytes, {} copies\n", status.node_bytes, status.metadata_copies);
    print_devices(pool, state, exact);
    if (!state.is_mounted)
        return;
    if (state.checksum_errors || state.io_errors || state.repaired_bytes)
        fmt::print("  errors     in {}: {} checksums, {} requests; repaired from copies: {}\n"
                   "             `lcpfs events` says where, `lcpfs check {}` looks at everything\n",
                   time_text(state.seconds), state.checksum_errors, state.io_errors, size_text(state.repaired_bytes, exact),
                   pool.label.name);
    else
        fmt::print("  errors     none in {}\n", time_text(state.seconds));
}

void put_devices(Json& json, const FoundPool& pool, const PoolState& state)
{
    json.begin_array("devices");
    for (const FoundDevice& device : pool.devices) {
        json.begin_object();
        json.put("index", device.label.device_index);
        json.put("path", device.path);
        json.put("bytes", static_cast<uint64_t>(device.label.device_bytes));
        json.put("log", device.label.is_log);
        if (state.members.count(device.label.device_index))
            json.put("log_state", state.members.at(device.label.device_index));
        json.end_object();
    }
    json.end_array();
    json.begin_array("paths");
    for (const auto& [index, paths] : state.paths) {
        for (const PoolPath& path : paths) {
            json.begin_object();
            json.put("device", index);
            json.put("name", path.name);
            json.put("state", path.state);
            json.end_object();
        }
    }
    json.end_array();
}

void put_json(Json& json, const FoundPool& pool, const PoolState& state)
{
    json.begin_object();
    json.put("name", pool.label.name);
    json.put("uuid", guid_text(pool.label.pool_guid));
    json.put("state", state.word);
    json.put("mounted", state.is_mounted);
    json.put("health", name_of(state.health));
    json.begin_array("problems");
    for (const std::string& problem : state.problems)
        json.put(nullptr, problem);
    json.end_array();
    json.begin_array("mounts");
    for (const std::string& mount : state.mounts)
        json.put(nullptr, mount);
    json.end_array();
    const core_pool_status& status = state.status;
    if (state.is_open || state.is_mounted) {
        json.put("total_bytes", static_cast<uint64_t>(status.total_blocks * CORE_BLOCK_SIZE));
        json.put("free_bytes", static_cast<uint64_t>(status.free_blocks * CORE_BLOCK_SIZE));
        json.put("available_bytes", static_cast<uint64_t>(status.available_blocks * CORE_BLOCK_SIZE));
        json.put("objects", static_cast<uint64_t>(status.objects));
        json.put("group", static_cast<uint64_t>(status.committed_txg));
    }
    if (state.is_mounted) {
        json.put("seconds", state.seconds);
        json.put("checksum_errors", state.checksum_errors);
        json.put("io_errors", state.io_errors);
        json.put("repaired_bytes", state.repaired_bytes);
    }
    put_devices(json, pool, state);
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
        const PoolState state = state_of(pool);
        good = good && (state.health == Health::healthy || state.health == Health::full);
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
