// SPDX-License-Identifier: GPL-2.0-only
// lcpfs df: the space of each mounted dataset.
#include <getopt.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "userspace/common/json.h"
#include "userspace/common/message.h"
#include "userspace/common/mounts.h"
#include "userspace/lcpfs/listing.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

namespace {

constexpr const char* k_usage = R"(usage: lcpfs df [options]
The space of each mounted dataset, as statvfs(3) gives it: that of the partition it lives in. What several datasets of one
partition have free is the same space.

  -H, --no-header   for scripts: tabs, no header
  -p, --exact       numbers in bytes
      --json
  -h, --help
)";

struct Row {
    std::string source, dataset, point;
    uint64_t total, used, available;
};

std::vector<Row> read_mounts()
{
    std::vector<Row> rows;
    for (const Mount& mount : lcpfs_mounts()) {
        struct statvfs space;
        if (statvfs(mount.directory.c_str(), &space) != 0)
            continue;
        const uint64_t unit = space.f_frsize;
        rows.push_back({ mount.device, mount.dataset, mount.directory, space.f_blocks * unit, (space.f_blocks - space.f_bfree) * unit,
                         space.f_bavail * unit });
    }
    return rows;
}

void print_json(const std::vector<Row>& rows)
{
    Json json;
    json.begin_array();
    for (const Row& row : rows) {
        json.begin_object();
        json.put("source", row.source);
        json.put("dataset", row.dataset);
        json.put("mounted_on", row.point);
        json.put("total_bytes", row.total);
        json.put("used_bytes", row.used);
        json.put("available_bytes", row.available);
        json.end_object();
    }
    json.end_array();
    json.print();
}

void print_table(const std::vector<Row>& rows, const Listing& listing)
{
    const Table table({ { "SOURCE", -20 }, { "DATASET", -16 }, { "SIZE", 10 }, { "USED", 10 }, { "AVAILABLE", 10 }, { "USE%", 4 },
                        { "MOUNTED ON", 0 } },
                      listing);
    table.header();
    for (const Row& row : rows) {
        const uint64_t reach = row.used + row.available;
        table.row({ row.source, row.dataset, listing.size(row.total), listing.size(row.used), listing.size(row.available),
                    fmt::format("{}%", reach ? (row.used * 100 + reach - 1) / reach : 0), row.point });
    }
}

}

int df_verb(int argc, char** argv)
{
    Listing listing;
    int code;
    if (!parse_listing(argc, argv, k_usage, listing, code))
        return code;
    if (optind != argc) {
        fmt::print(stderr, "{}", k_usage);
        return k_usage_error;
    }
    const std::vector<Row> rows = read_mounts();
    if (listing.json)
        print_json(rows);
    else
        print_table(rows, listing);
    return k_success;
}

}
