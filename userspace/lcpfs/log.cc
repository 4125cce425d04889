// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "core/api/core.h"
#include "userspace/common/json.h"
#include "userspace/common/message.h"
#include "userspace/lcpfs/listing.h"
#include "userspace/lcpfs/mounted.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

namespace {

constexpr const char* k_usage = R"(usage: lcpfs log status [options]
       lcpfs log set SETTING=VALUE...
       lcpfs log remove|add DEVICE
The intent log of mounted pools, by which fsync is one device write. DEVICE: a log device of the pool, by its number or
as a block device. One that is removed the pool does not miss any more; the log goes on on the others, or in the pool. add
puts back one that was removed or has failed.

Settings: batch-records (1 to 64) and batch-bytes (4K to 128K) that a log write takes at most or waits for, batch-timeout
(0 to 100 us that it waits for company while others are under way), frames-in-flight (1 to 8).

      --pool POOL   name, uuid, a device, or a directory on it; needed when several pools are mounted
  -H, --no-header   for scripts: tabs, no header
  -p, --exact       numbers in bytes and nanoseconds
      --json
  -h, --help
)";

struct Setting {
    const char* name;
    const char* file;
};
constexpr Setting k_settings[] = {
    { "batch-records", "batch_records" },
    { "batch-bytes", "batch_bytes" },
    { "batch-timeout", "batch_timeout_us" },
    { "frames-in-flight", "frames_in_flight" },
};
// Numbers that every form of the status has.
constexpr const char* k_numbers[] = { "ring_bytes", "position", "pending_entries", "pending_bytes", "frames_pending", "frames",
    "operations", "bytes", "flushes", "errors", "latency_ns", "batch_records", "batch_bytes", "batch_timeout_us", "frames_in_flight",
    "fua_ns", "flush_ns" };

struct Member {
    uint32_t device;
    std::string name, state;
};

std::string log_text(const MountedPool& pool, const std::string& file) { return pool.text("log/" + file); }
uint64_t log_number(const MountedPool& pool, const std::string& file) { return pool.number("log/" + file); }

std::vector<Member> members_of(const MountedPool& pool)
{
    std::ifstream stream(pool.directory() + "/log/members");
    std::vector<Member> result;
    for (Member member; stream >> member.device >> member.name >> member.state;)
        result.push_back(member);
    return result;
}

std::string time_text(uint64_t ns, bool exact)
{
    return exact ? fmt::format("{} ns", ns) : ns < 10000000 ? fmt::format("{:.1f} us", ns / 1e3) : fmt::format("{:.1f} ms", ns / 1e6);
}

void print_histogram(const MountedPool& pool, bool exact)
{
    std::istringstream counts(log_text(pool, "latency"));
    uint64_t count = 0;
    for (uint32_t i = 0; i < CORE_LOG_LATENCIES && counts >> count; i++) {
        if (!count)
            continue;
        const bool is_last = i + 1 == CORE_LOG_LATENCIES;
        fmt::print("    {:>8} {:>12}: {}\n", is_last ? "at least" : "below", time_text(1ull << (14 + i - is_last), exact), count);
    }
}

void print_text(const MountedPool& pool, const Listing& listing)
{
    const bool exact = listing.exact;
    const auto bytes = [&](const char* file) { return listing.size(log_number(pool, file)); };
    fmt::print("pool {}\n  uuid       {}\n", pool.name(), pool.uuid());
    fmt::print("  ring       {}, {} used so far\n", bytes("ring_bytes"), bytes("position"));
    fmt::print("  pending    {} operations, {}, {} log writes under way\n", log_text(pool, "pending_entries"), bytes("pending_bytes"),
               log_text(pool, "frames_pending"));
    fmt::print("  written    {} log writes, {} operations ({} to each), {}\n", log_text(pool, "frames"), log_text(pool, "operations"),
               log_text(pool, "records_per_frame"), bytes("bytes"));
    fmt::print("  flushes    {}\n  errors     {}\n", log_text(pool, "flushes"), log_text(pool, "errors"));
    fmt::print("  durable    by {}", log_text(pool, "durable"));
    if (log_number(pool, "fua_ns"))
        fmt::print(" (fua {}, flush {})", time_text(log_number(pool, "fua_ns"), exact), time_text(log_number(pool, "flush_ns"), exact));
    fmt::print("\n  batch      {} records, {}, {} us; {} log writes in flight\n", log_text(pool, "batch_records"), bytes("batch_bytes"),
               log_text(pool, "batch_timeout_us"), log_text(pool, "frames_in_flight"));
    fmt::print("  devices    {}\n", pool.text("log_device"));
    for (const Member& member : members_of(pool))
        fmt::print("  device {}   {}, {}\n", member.device, member.name, member.state);
    fmt::print("  latency    {} of late\n", time_text(log_number(pool, "latency_ns"), exact));
    print_histogram(pool, exact);
}

void print_line(const MountedPool& pool)
{
    fmt::print("{}\t{}", pool.name(), pool.text("log_device"));
    for (const char* file : k_numbers)
        fmt::print("\t{}", log_text(pool, file));
    std::string histogram = log_text(pool, "latency"), members;
    for (char& letter : histogram)
        letter = letter == ' ' ? ',' : letter;
    for (const Member& member : members_of(pool))
        members += fmt::format("{}{}:{}:{}", members.empty() ? "" : ",", member.device, member.name, member.state);
    fmt::print("\t{}\t{}\t{}\t{}\n", log_text(pool, "records_per_frame"), log_text(pool, "durable"), histogram,
               members.empty() ? "-" : members);
}

void put_json(Json& json, const MountedPool& pool)
{
    json.begin_object();
    json.put("pool", pool.name());
    json.put("uuid", pool.uuid());
    json.put("log_device", pool.text("log_device"));
    for (const char* file : k_numbers)
        json.put(file, log_number(pool, file));
    json.put("records_per_frame", log_text(pool, "records_per_frame"));
    json.put("durable", log_text(pool, "durable"));
    json.begin_array("latency");
    std::istringstream counts(log_text(pool, "latency"));
    uint64_t count = 0;
    for (uint32_t i = 0; i < CORE_LOG_LATENCIES && counts >> count; i++) {
        json.begin_object();
        if (i + 1 < CORE_LOG_LATENCIES)
            json.put("below_ns", uint64_t(1ull << (14 + i)));
        json.put("frames", count);
        json.end_object();
    }
    json.end_array();
    json.begin_array("devices");
    for (const Member& member : members_of(pool)) {
        json.begin_object();
        json.put("device", member.device);
        json.put("name", member.name);
        json.put("state", member.state);
        json.end_object();
    }
    json.end_array();
    json.end_object();
}

int print_status(const std::vector<MountedPool>& pools, const Listing& listing)
{
    Json json;
    json.begin_array();
    for (const MountedPool& pool : pools) {
        if (listing.json)
            put_json(json, pool);
        else if (!listing.header)
            print_line(pool);
        else
            print_text(pool, listing);
    }
    json.end_array();
    if (listing.json)
        json.print();
    return k_success;
}

// The errno.
int store(const MountedPool& pool, const std::string& file, const std::string& value)
{
    const int descriptor = open((pool.directory() + "/log/" + file).c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor < 0)
        return errno;
    const ssize_t written = write(descriptor, value.data(), value.size());
    const int error = written < 0 ? errno : 0;
    close(descriptor);
    return error;
}

int set(const MountedPool& pool, char** words, int count)
{
    for (int i = 0; i < count; i++) {
        const std::string word = words[i];
        const size_t equals = word.find('=');
        const Setting* found = nullptr;
        for (const Setting& setting : k_settings)
            if (word.substr(0, equals) == setting.name)
                found = &setting;
        uint64_t value = 0;
        if (!found || equals == std::string::npos || !parse_bytes(word.substr(equals + 1).c_str(), value)) {
            complain("{}: SETTING=VALUE is wanted (see lcpfs log --help)", word);
            return k_usage_error;
        }
        if (const int error = store(pool, found->file, std::to_string(value))) {
            complain("{}: {}", word, error == EINVAL ? "no such value (see lcpfs log --help)" : strerror(error));
            return k_failure;
        }
    }
    return k_success;
}

int change_device(const MountedPool& pool, const std::string& verb, const std::string& word)
{
    char resolved[PATH_MAX];
    std::string name = realpath(word.c_str(), resolved) ? resolved : word;
    if (const size_t slash = name.rfind('/'); slash != std::string::npos)
        name.erase(0, slash + 1);
    for (const Member& member : members_of(pool)) {
        if (word != std::to_string(member.device) && name != member.name)
            continue;
        const int error = store(pool, verb, std::to_string(member.device));
        if (!error)
            return k_success;
        const bool is_out = error == ENOENT, is_in = error == EBUSY;
        complain("{}: {}", word, is_out ? "the log is not on it" : is_in ? "the log is on it already" : strerror(error));
        return k_failure;
    }
    complain("{}: pool {} has no such log device (see lcpfs log status)", word, pool.name());
    return k_failure;
}

}

int log_verb(int argc, char** argv)
{
    Listing listing;
    int code;
    if (!parse_listing(argc, argv, k_usage, listing, code))
        return code;
    const std::string verb = optind < argc ? argv[optind] : "";
    const int count = argc - optind - 1;
    const bool changes = verb == "remove" || verb == "add";
    if ((verb != "status" || count != 0) && (verb != "set" || count < 1) && (!changes || count != 1)) {
        fmt::print(stderr, "{}", k_usage);
        return k_usage_error;
    }
    const std::vector<MountedPool> pools = mounted_pools(listing.pool);
    if (pools.empty())
        return k_failure;
    if (verb == "status")
        return print_status(pools, listing);
    if (pools.size() == 1)
        return changes ? change_device(pools[0], verb, argv[optind + 1]) : set(pools[0], argv + optind + 1, count);
    complain("more than one pool is mounted: choose with --pool");
    return k_failure;
}

}
