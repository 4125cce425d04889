// SPDX-License-Identifier: GPL-2.0-only
// lcpfs list: a row for each pool.
#include <getopt.h>
#include <stdio.h>

#include "userspace/common/guid.h"
#include "userspace/common/json.h"
#include "userspace/common/message.h"
#include "userspace/lcpfs/listing.h"
#include "userspace/lcpfs/mounted.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

namespace {

constexpr const char* k_usage = R"(usage: lcpfs list [options]
A row for each pool of the machine. Of pools that are not mounted it shows what their labels say; `lcpfs status` looks further.

  -H, --no-header   for scripts: tabs, no header
  -p, --exact       numbers in bytes
      --json
  -h, --help
)";

struct Row {
    std::string name, uuid, state;
    bool is_mounted { false };
    uint64_t total { 0 }, free { 0 };
    size_t found { 0 }, devices { 0 };
};

Row row_of(const FoundPool& pool)
{
    Row row;
    row.name = pool.label.name;
    row.uuid = guid_text(pool.label.pool_guid);
    row.found = pool.devices.size();
    row.devices = pool.label.device_count;
    const MountedPool mounted("/sys/fs/lcpfs/" + row.uuid);
    row.is_mounted = !mounted.name().empty();
    if (row.is_mounted) {
        row.state = mounted.text("state");
        row.total = mounted.number("space/total_bytes");
        row.free = mounted.number("space/free_bytes");
        return row;
    }
    row.state = pool.is_complete() ? "not mounted" : "incomplete";
    for (const FoundDevice& device : pool.devices)
        row.total += device.label.is_log ? 0 : device.label.device_bytes;
    return row;
}

void print_json(const std::vector<Row>& rows)
{
    Json json;
    json.begin_array();
    for (const Row& row : rows) {
        json.begin_object();
        json.put("name", row.name);
        json.put("uuid", row.uuid);
        json.put("state", row.state);
        json.put("mounted", row.is_mounted);
        json.put("total_bytes", row.total);
        if (row.is_mounted)
            json.put("free_bytes", row.free);
        json.put("devices", static_cast<uint64_t>(row.devices));
        json.put("devices_found", static_cast<uint64_t>(row.found));
        json.end_object();
    }
    json.end_array();
    json.print();
}

void print_table(const std::vector<Row>& rows, const Listing& listing)
{
    const Table table({ { "POOL", -16 }, { "SIZE", 10 }, { "USED", 10 }, { "FREE", 10 }, { "USE%", 4 }, { "STATE", -12 }, { "DEVICES", 7 },
                        { "UUID", 0 } },
                      listing);
    table.header();
    for (const Row& row : rows) {
        const uint64_t used = row.total - std::min(row.total, row.free);
        const std::string share = row.is_mounted && row.total ? fmt::format("{}%", (used * 100 + row.total - 1) / row.total) : "-";
        table.row({ row.name, listing.size(row.total), row.is_mounted ? listing.size(used) : "-",
                    row.is_mounted ? listing.size(row.free) : "-", share, row.state,
                    fmt::format("{}/{}", row.found, row.devices), row.uuid });
    }
}

}

int list_verb(int argc, char** argv)
{
    Listing listing;
    int code;
    if (!parse_listing(argc, argv, k_usage, listing, code))
        return code;
    if (optind != argc) {
        fmt::print(stderr, "{}", k_usage);
        return k_usage_error;
    }
    std::vector<Row> rows;
    for (const FoundPool& pool : group_by_pool(find_devices({})))
        rows.push_back(row_of(pool));
    if (listing.json)
        print_json(rows);
    else
        print_table(rows, listing);
    return k_success;
}

}
