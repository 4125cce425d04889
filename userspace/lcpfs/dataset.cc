// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
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

constexpr const char* k_usage = R"(usage: lcpfs dataset list [options]
       lcpfs dataset create [-m MODE] [--partition NAME] NAME
       lcpfs dataset destroy NAME
       lcpfs dataset rename NAME NEW-NAME
       lcpfs dataset get NAME [PROPERTY...]
       lcpfs dataset set NAME PROPERTY=VALUE...
The datasets of mounted pools. Each is a tree of files of its own, mounted by -o dataset=NAME, and shares
the space of its pool. A name is 1 to 63 letters, digits and "._:-". What destroy frees comes back in the background.

Properties, which a mount option of that name overrides: sync (standard, always, disabled), logbias (latency,
throughput), and of new data: compression (off, lz4, zstd, zstd:1 to zstd:15), checksum (default, crc32c, xxh64, sha256).

      --pool POOL   name, uuid, a device, or a directory on it; needed when several pools are mounted
  -m, --mode MODE   permissions of the new root directory, octal; 0755
      --partition NAME  whose space its data takes, for good (lcpfs partition); default
  -H, --no-header   for scripts: tabs, no header
  -p, --exact       numbers in bytes
      --json
  -h, --help
)";

constexpr option k_options[] = {
    { "pool", required_argument, nullptr, 'P' },
    { "mode", required_argument, nullptr, 'm' },
    { "partition", required_argument, nullptr, 'R' },
    { "no-header", no_argument, nullptr, 'H' },
    { "exact", no_argument, nullptr, 'p' },
    { "json", no_argument, nullptr, 'j' },
    { "help", no_argument, nullptr, 'h' },
    {},
};
constexpr const char* k_states[] = { "ready", "destroying", "damaged" };
constexpr const char* k_sync[] = { "standard", "always", "disabled", nullptr };
constexpr const char* k_log_bias[] = { "latency", "throughput", nullptr };
constexpr const char* k_compression[] = { "off", "lz4", "zstd:1", "zstd:2", "zstd:3", "zstd:4", "zstd:5", "zstd:6", "zstd:7", "zstd:8",
    "zstd:9", "zstd:10", "zstd:11", "zstd:12", "zstd:13", "zstd:14", "zstd:15", nullptr };
constexpr const char* k_checksum[] = { "default", "crc32c", "xxh64", "sha256", nullptr };

struct Property {
    const char* name;
    uint32_t number;
    const char* const* values;
    uint32_t lcpfs_ioctl_dataset::*field;
};
const Property k_properties[] = {
    { "sync", LCPFS_DATASET_SYNC, k_sync, &lcpfs_ioctl_dataset::sync },
    { "logbias", LCPFS_DATASET_LOG_BIAS, k_log_bias, &lcpfs_ioctl_dataset::log_bias },
    { "compression", LCPFS_DATASET_COMPRESSION, k_compression, &lcpfs_ioctl_dataset::compression },
    { "checksum", LCPFS_DATASET_CHECKSUM, k_checksum, &lcpfs_ioctl_dataset::checksum },
};

const Property* find_property(const std::string& name)
{
    const auto found = std::find_if(std::begin(k_properties), std::end(k_properties), [&](const Property& p) { return name == p.name; });
    return found == std::end(k_properties) ? nullptr : found;
}

struct Format {
    bool header { true };
    bool exact { false };
    bool json { false };
};

template <typename... Cells>
void print_row(bool padded, const Cells&... cells)
{
    if (padded)
        fmt::print("{:12} {:24} {:>6} {:11} {:>7} {:>10} {:>10} {:9} {}\n", cells...);
    else
        fmt::print("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", cells...);
}

int print_list(const std::vector<lcpfs_ioctl_dataset>& datasets, const Format& format)
{
    if (format.header)
        print_row(true, "POOL", "NAME", "ID", "STATE", "MOUNTED", "OBJECTS", "USED", "SYNC", "LOGBIAS");
    for (const lcpfs_ioctl_dataset& dataset : datasets) {
        const std::string used = format.header && !format.exact ? human_bytes(dataset.used_bytes) : std::to_string(dataset.used_bytes);
        print_row(format.header, dataset.pool_name, dataset.name, dataset.id, k_states[std::min(dataset.state, 2u)],
                  dataset.users ? "yes" : "no", dataset.objects, used, k_sync[std::min(dataset.sync, 2u)],
                  k_log_bias[std::min(dataset.log_bias, 1u)]);
    }
    return k_success;
}

int print_json(const std::vector<lcpfs_ioctl_dataset>& datasets)
{
    Json json;
    json.begin_array();
    for (const lcpfs_ioctl_dataset& dataset : datasets) {
        json.begin_object();
        json.put("pool", dataset.pool_name);
        json.put("uuid", guid_text(dataset.pool_guid));
        json.put("name", dataset.name);
        json.put("id", static_cast<uint64_t>(dataset.id));
        json.put("state", k_states[std::min(dataset.state, 2u)]);
        json.put("mounted", dataset.users != 0);
        json.put("objects", static_cast<uint64_t>(dataset.objects));
        json.put("used_bytes", static_cast<uint64_t>(dataset.used_bytes));
        json.put("created_group", static_cast<uint64_t>(dataset.created_group));
        json.put("sync", k_sync[std::min(dataset.sync, 2u)]);
        json.put("logbias", k_log_bias[std::min(dataset.log_bias, 1u)]);
        json.put("compression", k_compression[std::min(dataset.compression, 16u)]);
        json.put("checksum", k_checksum[std::min(dataset.checksum, 3u)]);
        json.end_object();
    }
    json.end_array();
    json.print();
    return k_success;
}

const char* reason_of(int error)
{
    switch (error) {
    case EBUSY:
        return "it is mounted";
    case EEXIST:
        return "there is one of that name";
    case EINVAL:
        return "a name is letters, digits and \"._:-\", the first a letter or a digit";
    case ENAMETOOLONG:
        return "the name is longer than 63 bytes";
    case ENOENT:
        return "there is no such dataset";
    case EPERM:
        return "the first dataset of a pool keeps its name and cannot be destroyed";
    case ENOSPC:
        return "no space, or 256 datasets are there";
    case EROFS:
        return "the pool is read-only";
    case EOPNOTSUPP:
        return "the kernel's module for this compression (lz4_compress, zstd_compress) was not there when lcpfs was loaded";
    }
    return strerror(error);
}

int change(const Control& control, lcpfs_ioctl_dataset_change& request, const std::string& what)
{
    const int error = control.call(LCPFS_IOCTL_DATASET_CHANGE, &request);
    if (error == ENOENT && request.operation == LCPFS_DATASET_CREATE)
        complain("{}: there is no partition \"{}\"", what, request.new_name);
    else if (error)
        complain("{}: {}", what, reason_of(error));
    return error ? k_failure : k_success;
}

bool take_name(const std::string& name, char (&out)[64])
{
    if (name.size() >= sizeof(out)) {
        complain("{}: {}", name, reason_of(ENAMETOOLONG));
        return false;
    }
    memcpy(out, name.c_str(), name.size() + 1);
    return true;
}

int set(const Control& control, lcpfs_ioctl_dataset_change& request, char** words, int count)
{
    struct Wanted {
        uint32_t property;
        uint64_t value;
    };
    std::vector<Wanted> all;
    for (int i = 0; i < count; i++) {
        const std::string word = words[i];
        const size_t equals = word.find('=');
        const Property* const property = find_property(word.substr(0, equals));
        const std::string given = equals == std::string::npos ? "" : word.substr(equals + 1);
        const std::string wanted = given == "zstd" ? "zstd:3" : given;
        uint64_t value = 0;
        while (property && property->values[value] && wanted != property->values[value])
            value++;
        if (!property || equals == std::string::npos || !property->values[value]) {
            complain("{}: no such property or value", word);
            return k_usage_error;
        }
        all.push_back({ property->number, value });
    }
    request.operation = LCPFS_DATASET_SET;
    for (const Wanted& wanted : all) {
        request.property = wanted.property;
        request.value = wanted.value;
        if (int result = change(control, request, request.name))
            return result;
    }
    return k_success;
}

int get(const std::vector<lcpfs_ioctl_dataset>& datasets, const std::string& name, char** words, int count, bool as_json)
{
    const auto dataset = std::find_if(datasets.begin(), datasets.end(), [&](const lcpfs_ioctl_dataset& other) {
        return name == other.name && other.state != 1;
    });
    if (dataset == datasets.end()) {
        complain("{}: {}", name, reason_of(ENOENT));
        return k_failure;
    }
    for (int i = 0; i < count; i++)
        if (!find_property(words[i])) {
            complain("{}: no such property", words[i]);
            return k_usage_error;
        }
    Json json;
    json.begin_array();
    for (const Property& property : k_properties) {
        const auto is_it = [&](const char* word) { return property.name == std::string(word); };
        const bool is_wanted = count == 0 || std::any_of(words, words + count, is_it);
        uint32_t value = 0;
        while (property.values[value + 1] && value < (*dataset).*property.field)
            value++;
        if (!is_wanted)
            continue;
        if (!as_json)
            fmt::print("{}\t{}\n", property.name, property.values[value]);
        json.begin_object();
        json.put("property", property.name);
        json.put("value", property.values[value]);
        json.end_object();
    }
    json.end_array();
    if (as_json)
        json.print();
    return k_success;
}

}

int dataset_verb(int argc, char** argv)
{
    std::string pool, partition, mode = "0755";
    Format format;
    for (int option; (option = getopt_long(argc, argv, "m:Hph", k_options, nullptr)) != -1;) {
        if (option == 'P') {
            pool = optarg;
        } else if (option == 'm') {
            mode = optarg;
        } else if (option == 'R') {
            partition = optarg;
        } else if (option == 'H') {
            format.header = false;
        } else if (option == 'p') {
            format.exact = true;
        } else if (option == 'j') {
            format.json = true;
        } else {
            fmt::print(option == 'h' ? stdout : stderr, "{}", k_usage);
            return option == 'h' ? k_success : k_usage_error;
        }
    }
    const std::string word = optind < argc ? argv[optind] : "";
    char** const rest = argv + optind + 1;
    const int left = argc - optind - 1;
    char* end = nullptr;
    const unsigned long mode_bits = strtoul(mode.c_str(), &end, 8);
    const bool is_sound = (word == "list" && left == 0) || ((word == "create" || word == "destroy") && left == 1)
        || (word == "rename" && left == 2) || (word == "get" && left >= 1) || (word == "set" && left >= 2);
    if (!is_sound || *end || mode.empty() || mode_bits > 07777) {
        fmt::print(stderr, "{}", k_usage);
        return k_usage_error;
    }
    const Control control;
    std::vector<lcpfs_ioctl_dataset> datasets;
    if (!control || !list_of_pools(control, LCPFS_IOCTL_DATASET_GET, "datasets", pool, datasets))
        return k_failure;
    if (word == "list")
        return format.json ? print_json(datasets) : print_list(datasets, format);
    lcpfs_ioctl_dataset_change request {};
    if (!only_pool(datasets, request.pool_guid) || !take_name(rest[0], request.name))
        return k_failure;
    if (word == "get")
        return get(datasets, rest[0], rest + 1, left - 1, format.json);
    if (word == "set")
        return set(control, request, rest + 1, left - 1);
    if (word == "rename" && !take_name(rest[1], request.new_name))
        return k_failure;
    if (word == "create" && !take_name(partition, request.new_name))
        return k_failure;
    request.mode = static_cast<uint32_t>(mode_bits);
    request.operation = word == "create" ? LCPFS_DATASET_CREATE : word == "destroy" ? LCPFS_DATASET_DESTROY : LCPFS_DATASET_RENAME;
    return change(control, request, rest[0]);
}

}
