// SPDX-License-Identifier: GPL-2.0-only
// lcpfs iostat: what mounted pools do, per second.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <map>

#include "userspace/common/json.h"
#include "userspace/common/message.h"
#include "userspace/lcpfs/listing.h"
#include "userspace/lcpfs/mounted.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

namespace {

constexpr const char* k_usage = R"(usage: lcpfs iostat [options] [INTERVAL [COUNT]]
What mounted pools did, per second: once since they were mounted, then every INTERVAL seconds since the row before, COUNT times.
Reads, writes and flushes are requests to devices; bytes are of file data; frames are writes of the intent log.

      --pool POOL   name, uuid, a device, or a directory on it
  -H, --no-header   for scripts: tabs, no header
  -p, --exact       numbers in bytes
      --json        an array for each time
  -h, --help
)";

struct Counter {
    const char* file;
    const char* title;
    const char* key;
    bool is_bytes;
};
constexpr Counter k_counters[] = {
    { "counters/device_reads", "READS/S", "reads_per_second", false },
    { "counters/device_writes", "WRITES/S", "writes_per_second", false },
    { "counters/device_flushes", "FLUSH/S", "flushes_per_second", false },
    { "counters/data_read_bytes", "READ/S", "bytes_read_per_second", true },
    { "counters/data_written_bytes", "WRITTEN/S", "bytes_written_per_second", true },
    { "counters/commits", "GROUPS/S", "groups_per_second", false },
    { "log/frames", "FRAMES/S", "log_frames_per_second", false },
    { "log/operations", "LOGGED/S", "log_operations_per_second", false },
};
constexpr size_t k_count = std::size(k_counters);

struct Sample {
    double seconds { 0 };
    uint64_t values[k_count] {};
};

double now_seconds()
{
    timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

Sample sample_of(const MountedPool& pool)
{
    Sample sample;
    sample.seconds = now_seconds();
    for (size_t i = 0; i < k_count; i++)
        sample.values[i] = pool.number(k_counters[i].file);
    return sample;
}

// Seconds since boot at which it was mounted.
double start_of(const MountedPool& pool) { return now_seconds() - static_cast<double>(pool.number("seconds")); }

void print(const std::vector<MountedPool>& pools, std::map<std::string, Sample>& last, const Table& table, const Listing& listing)
{
    Json json;
    json.begin_array();
    for (const MountedPool& pool : pools) {
        const Sample sample = sample_of(pool);
        Sample& before = last[pool.uuid()];
        const double seconds = std::max(sample.seconds - before.seconds, 0.001);
        json.begin_object();
        json.put("pool", pool.name());
        json.put("uuid", pool.uuid());
        std::vector<std::string> cells { pool.name() };
        for (size_t i = 0; i < k_count; i++) {
            const double rate = static_cast<double>(sample.values[i] - std::min(sample.values[i], before.values[i])) / seconds;
            json.put(k_counters[i].key, static_cast<uint64_t>(rate + 0.5));
            const bool in_units = k_counters[i].is_bytes && listing.header && !listing.exact;
            cells.push_back(in_units ? human_bytes(static_cast<uint64_t>(rate)) : fmt::format("{:.1f}", rate));
        }
        json.end_object();
        before = sample;
        table.row(cells);
    }
    json.end_array();
    if (listing.json)
        json.print();
    fflush(stdout);
}

bool parse_count(const char* text, unsigned long& number)
{
    char* end = nullptr;
    number = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && number > 0 && number <= 86400ul * 365;
}

}

int iostat_verb(int argc, char** argv)
{
    Listing listing;
    int code;
    if (!parse_listing(argc, argv, k_usage, listing, code))
        return code;
    unsigned long interval = 0, count = 0;
    const bool sound = argc - optind <= 2 && (argc - optind < 1 || parse_count(argv[optind], interval))
        && (argc - optind < 2 || parse_count(argv[optind + 1], count));
    if (!sound) {
        fmt::print(stderr, "{}", k_usage);
        return k_usage_error;
    }
    std::vector<MountedPool> pools = mounted_pools(listing.pool);
    std::vector<Table::Column> columns { { "POOL", -16 } };
    for (const Counter& counter : k_counters)
        columns.push_back({ counter.title, 11 });
    const Table table(columns, listing);
    std::map<std::string, Sample> last;
    for (const MountedPool& one : pools)
        last[one.uuid()].seconds = start_of(one);
    for (unsigned long row = 0; !pools.empty(); row++) {
        if (row % 20 == 0)
            table.header();
        print(pools, last, table, listing);
        if (!interval || (count && row + 1 >= count))
            return k_success;
        const timespec pause { static_cast<time_t>(interval), 0 };
        nanosleep(&pause, nullptr);
        pools = mounted_pools(listing.pool);
    }
    return k_failure;
}

}
