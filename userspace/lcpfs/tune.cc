// SPDX-License-Identifier: GPL-2.0-only
// lcpfs tune: the settings of mounted pools that can be changed while they are in use.
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "userspace/common/json.h"
#include "userspace/common/message.h"
#include "userspace/lcpfs/listing.h"
#include "userspace/lcpfs/mounted.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

namespace {

constexpr const char* k_usage = R"(usage: lcpfs tune get [options] [SETTING...]
       lcpfs tune set [options] SETTING=VALUE...
Settings of mounted pools, until they are unmounted. What is to last is a mount option (lcpfs(5)) or a property of a dataset.

  cache-limit        bytes of metadata that are kept in memory in case they are read again
  dirty-limit        bytes of metadata that may wait for a group before it is closed early
  log-batch          records that are gathered in one write of the intent log
  log-batch-timeout  microseconds that one may be held back for company
  log-flight         writes of the intent log under way at once

      --pool POOL   name, uuid, a device, or a directory on it; of set needed when several are mounted
  -H, --no-header   for scripts: tabs, no header
      --json
  -h, --help
)";

struct Setting {
    const char* name;
    const char* file;
};
constexpr Setting k_settings[] = {
    { "cache-limit", "tunables/cache_limit_bytes" },
    { "dirty-limit", "tunables/dirty_limit_bytes" },
    { "log-batch", "log/batch_records" },
    { "log-batch-timeout", "log/batch_timeout_us" },
    { "log-flight", "log/frames_in_flight" },
};

const Setting* find_setting(const std::string& name)
{
    for (const Setting& setting : k_settings)
        if (name == setting.name)
            return &setting;
    complain("{}: no such setting", name);
    return nullptr;
}

int get(const std::vector<MountedPool>& pools, const std::vector<std::string>& names, const Listing& listing)
{
    std::vector<const Setting*> wanted;
    for (const std::string& name : names) {
        wanted.push_back(find_setting(name));
        if (!wanted.back())
            return k_usage_error;
    }
    if (wanted.empty())
        for (const Setting& setting : k_settings)
            wanted.push_back(&setting);
    Json json;
    json.begin_array();
    const Table table({ { "POOL", -16 }, { "SETTING", -20 }, { "VALUE", 0 } }, listing);
    table.header();
    for (const MountedPool& pool : pools) {
        for (const Setting* setting : wanted) {
            json.begin_object();
            json.put("pool", pool.name());
            json.put("setting", setting->name);
            json.put("value", pool.number(setting->file));
            json.end_object();
            table.row({ pool.name(), setting->name, pool.text(setting->file) });
        }
    }
    json.end_array();
    if (listing.json)
        json.print();
    return k_success;
}

bool put(const MountedPool& pool, const Setting& setting, const std::string& value)
{
    const int file = open((pool.directory() + "/" + setting.file).c_str(), O_WRONLY | O_CLOEXEC);
    const bool done = file >= 0 && write(file, value.data(), value.size()) == static_cast<ssize_t>(value.size());
    if (!done)
        complain("{}={}: {}", setting.name, value, errno == EINVAL ? "not a value it can have" : strerror(errno));
    if (file >= 0)
        close(file);
    return done;
}

int set(const std::vector<MountedPool>& pools, const std::vector<std::string>& words)
{
    if (pools.size() > 1) {
        complain("several pools are mounted: choose with --pool");
        return k_failure;
    }
    bool done = true;
    for (const std::string& word : words) {
        const size_t equals = word.find('=');
        if (equals == std::string::npos) {
            complain("{}: SETTING=VALUE is meant", word);
            return k_usage_error;
        }
        const Setting* const setting = find_setting(word.substr(0, equals));
        if (!setting)
            return k_usage_error;
        done = put(pools.front(), *setting, word.substr(equals + 1)) && done;
    }
    return done ? k_success : k_failure;
}

}

int tune_verb(int argc, char** argv)
{
    Listing listing;
    int code;
    if (!parse_listing(argc, argv, k_usage, listing, code))
        return code;
    const std::string what = optind < argc ? argv[optind] : "";
    const std::vector<std::string> words(argv + std::min(optind + 1, argc), argv + argc);
    if ((what != "get" && what != "set") || (what == "set" && words.empty())) {
        fmt::print(stderr, "{}", k_usage);
        return k_usage_error;
    }
    const std::vector<MountedPool> pools = mounted_pools(listing.pool);
    if (pools.empty())
        return k_failure;
    return what == "get" ? get(pools, words, listing) : set(pools, words);
}

}
