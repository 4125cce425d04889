// SPDX-License-Identifier: GPL-2.0-only
// lcpfs events: what mounted pools have told the log.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <map>

#include "userspace/common/guid.h"
#include "userspace/common/json.h"
#include "userspace/lcpfs/control.h"
#include "userspace/lcpfs/listing.h"
#include "userspace/lcpfs/mounted.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

namespace {

constexpr const char* k_usage = R"(usage: lcpfs events [options] [follow]
The last 128 lines that each mounted pool has told the kernel log. With `follow` it goes on with those that come.

      --pool POOL   name, uuid, a device, or a directory on it
  -H, --no-header   for scripts: tabs, no header
      --json
  -h, --help
)";

constexpr const char* k_levels[] = { "fatal", "error", "warning", "information" };

std::string time_text(int64_t time_ns)
{
    const time_t seconds = static_cast<time_t>(time_ns / 1000000000);
    tm parts;
    char text[64];
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &parts));
    return fmt::format("{}.{:03}", text, time_ns / 1000000 % 1000);
}

// Those from `next` on, which rises. False: said why.
bool print_new(const Control& control, const MountedPool& pool, uint64_t& next, const Table& table, Json& json)
{
    lcpfs_ioctl_event event {};
    if (!parse_guid(pool.uuid().c_str(), event.pool_guid))
        return true;
    for (;; next = event.number + 1) {
        event.number = next;
        if (const int error = control.call(LCPFS_IOCTL_EVENT_GET, &event)) {
            if (error == ENOENT || error == ENODEV) // no more of them, or of the pool
                return true;
            complain("{}: {}", pool.name(), strerror(error));
            return false;
        }
        event.text[sizeof(event.text) - 1] = 0;
        const char* const level = k_levels[event.level < 4 ? event.level : 3];
        json.begin_object();
        json.put("pool", pool.name());
        json.put("number", static_cast<uint64_t>(event.number));
        json.put("time_ns", static_cast<uint64_t>(event.time_ns));
        json.put("level", level);
        json.put("text", std::string(event.text));
        json.end_object();
        table.row({ time_text(event.time_ns), pool.name(), std::to_string(event.number), level, event.text });
    }
}

}

int events_verb(int argc, char** argv)
{
    Listing listing;
    int code;
    if (!parse_listing(argc, argv, k_usage, listing, code))
        return code;
    const bool follows = argc - optind == 1 && strcmp(argv[optind], "follow") == 0;
    if (argc != optind && (!follows || listing.json)) {
        fmt::print(stderr, "{}", k_usage);
        return k_usage_error;
    }
    const std::vector<MountedPool> first = mounted_pools(listing.pool);
    const Control control;
    if (first.empty() || !control)
        return k_failure;
    const Table table({ { "TIME", -23 }, { "POOL", -16 }, { "NUMBER", 6 }, { "LEVEL", -11 }, { "TEXT", 0 } }, listing);
    table.header();
    Json json;
    json.begin_array();
    std::map<std::string, uint64_t> next;
    for (std::vector<MountedPool> pools = first; !pools.empty(); pools = mounted_pools(listing.pool)) {
        for (const MountedPool& pool : pools)
            if (!print_new(control, pool, next[pool.uuid()], table, json))
                return k_failure;
        if (!follows)
            break;
        fflush(stdout);
        const timespec pause { 1, 0 };
        nanosleep(&pause, nullptr);
    }
    json.end_array();
    if (listing.json)
        json.print();
    return k_success;
}

}
