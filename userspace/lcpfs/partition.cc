// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <time.h>

#include <map>

#include "core/partition/decision.h"
#include "userspace/common/guid.h"
#include "userspace/common/json.h"
#include "userspace/common/message.h"
#include "userspace/lcpfs/control.h"
#include "userspace/lcpfs/of_pools.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

namespace {

constexpr const char* k_usage = R"(usage: lcpfs partition list [options]
       lcpfs partition create NAME [min=SIZE] [max=SIZE]
       lcpfs partition set NAME [min=SIZE] [max=SIZE] [name=NEW-NAME]
       lcpfs partition destroy NAME
       lcpfs partition log [options]
       lcpfs partition mode [off|advise|auto]
Partitions of mounted pools: shares of the space that grow and shrink between a guaranteed minimum and a maximum.
Each dataset lives in one (lcpfs dataset create --partition), by default in "default". SIZE: bytes, or with K, M, G, T; "none".
log: what was decided, why, and what came of it. mode: whether space is placed ahead of need; advise only says what
it would do. What a write needs it gets in every mode.

      --pool POOL   name, uuid, a device, or a directory on it; needed when several pools are mounted
  -H, --no-header   for scripts: tabs, no header
  -p, --exact       numbers in bytes
      --json
  -h, --help
)";

constexpr option k_options[] = {
    { "pool", required_argument, nullptr, 'P' },
    { "no-header", no_argument, nullptr, 'H' },
    { "exact", no_argument, nullptr, 'p' },
    { "json", no_argument, nullptr, 'j' },
    { "help", no_argument, nullptr, 'h' },
    {},
};
constexpr const char* k_modes[] = { "off", "advise", "auto" };
constexpr const char* k_results[] = { "", "advised only", "not measured yet", "measured", "cannot be known" };
constexpr const char* k_learned[] = { "pressure", "cooldown_s", "growth_percent", "shrink_percent" };

struct Format {
    bool header { true };
    bool exact { false };
    bool json { false };
    std::string bytes(uint64_t number) const { return header && !exact ? human_bytes(number) : std::to_string(number); }
};

using Partitions = std::vector<lcpfs_ioctl_partition>;

std::string thousandths(uint64_t number) { return fmt::format("{}.{:03}", number / 1000, number % 1000); }
std::string thousandths(int64_t number)
{
    return (number < 0 ? "-" : "+") + thousandths(static_cast<uint64_t>(number < 0 ? -number : number));
}

template <typename... Cells>
void print_row(bool padded, const Cells&... cells)
{
    if (padded)
        fmt::print("{:12} {:20} {:>4} {:>10} {:>10} {:>10} {:>10} {:>8} {:>12} {:>12}\n", cells...);
    else
        fmt::print("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}", cells...);
}

void print_evacuation(const lcpfs_ioctl_partition& partition, const Format& format)
{
    const uint64_t metaslabs = partition.evacuated_metaslabs, bytes = partition.evacuation_bytes, left = partition.evacuation_left_bytes;
    if (!format.header)
        fmt::print("\t{}\t{}\t{}\n", metaslabs, bytes, left);
    else if (metaslabs)
        fmt::print("    shrinking: {} emptied, {} of {} still to be moved ({} % done)\n",
                   metaslabs == 1 ? "1 metaslab is being" : fmt::format("{} metaslabs are being", metaslabs), format.bytes(left),
                   format.bytes(bytes), bytes ? (bytes - left) * 100 / bytes : 100);
}

int print_list(const Partitions& partitions, const Format& format)
{
    if (format.header)
        print_row(true, "POOL", "NAME", "ID", "SIZE", "USED", "MIN", "MAX", "DATASETS", "ACCESSES/S", "LATENCY US");
    for (const lcpfs_ioctl_partition& partition : partitions) {
        print_row(format.header, partition.pool_name, partition.name, partition.id, format.bytes(partition.size_bytes),
                  format.bytes(partition.used_bytes), format.bytes(partition.minimum_bytes),
                  partition.maximum_bytes ? format.bytes(partition.maximum_bytes) : "none", partition.datasets,
                  thousandths(uint64_t(partition.frequency)), thousandths(uint64_t(partition.latency_us)));
        print_evacuation(partition, format);
    }
    return k_success;
}

int print_json(const Partitions& partitions)
{
    Json json;
    json.begin_array();
    for (const lcpfs_ioctl_partition& partition : partitions) {
        json.begin_object();
        json.put("pool", partition.pool_name);
        json.put("uuid", guid_text(partition.pool_guid));
        json.put("name", partition.name);
        json.put("id", uint64_t(partition.id));
        json.put("size_bytes", uint64_t(partition.size_bytes));
        json.put("used_bytes", uint64_t(partition.used_bytes));
        json.put("minimum_bytes", uint64_t(partition.minimum_bytes));
        json.put("maximum_bytes", uint64_t(partition.maximum_bytes));
        json.put("datasets", uint64_t(partition.datasets));
        json.put("last_resize", uint64_t(partition.last_resize_s));
        json.put_thousandths("accesses_per_second", uint64_t(partition.frequency));
        json.put_thousandths("latency_us", uint64_t(partition.latency_us));
        json.put_thousandths("utilisation", uint64_t(partition.utilisation));
        json.put_thousandths("pressure", uint64_t(partition.pressure));
        json.put_thousandths("epsilon", uint64_t(partition.epsilon));
        json.begin_object("learned");
        for (uint32_t i = 0; i < LCPFS_PARTITION_LEARNED; i++) {
            json.begin_object(k_learned[i]);
            json.put_thousandths("value", uint64_t(partition.learned[i].value));
            json.put_thousandths("confidence", uint64_t(partition.learned[i].confidence));
            json.put("observations", uint64_t(partition.learned[i].observations));
            json.end_object();
        }
        json.end_object();
        json.put("outcomes", partition.outcomes);
        json.put("moving", partition.moving != 0);
        if (partition.evacuated_metaslabs) {
            json.begin_object("evacuation");
            json.put("metaslabs", uint64_t(partition.evacuated_metaslabs));
            json.put("bytes", uint64_t(partition.evacuation_bytes));
            json.put("left_bytes", uint64_t(partition.evacuation_left_bytes));
            json.end_object();
        }
        json.put("mode", k_modes[std::min(partition.mode, 2u)]);
        json.put("pool_bytes", uint64_t(partition.pool_bytes));
        json.put("pool_unassigned_bytes", uint64_t(partition.pool_unassigned_bytes));
        json.put_thousandths("pool_epsilon", uint64_t(partition.pool_epsilon));
        json.end_object();
    }
    json.end_array();
    json.print();
    return k_success;
}

std::string time_text(uint64_t seconds)
{
    const time_t time = static_cast<time_t>(seconds);
    tm fields {};
    char text[32] {};
    if (localtime_r(&time, &fields))
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &fields);
    return text;
}

std::string outcome_text(const lcpfs_ioctl_partition_decision& decision)
{
    std::string text = k_results[std::min(decision.result, 4u)];
    if (decision.result == static_cast<uint32_t>(DecisionResult::measured))
        text += fmt::format(": improvement {} % (epsilon {}, expected {})", thousandths(int64_t(decision.improvement)),
                            thousandths(uint64_t(decision.epsilon_after)), thousandths(uint64_t(decision.epsilon_expected)));
    return text;
}

// Names of partitions by their ids, for decisions about them.
using Names = std::map<uint64_t, std::string>;

std::string name_of(const Names& names, uint64_t id)
{
    const auto found = names.find(id);
    return id == 0 ? "unassigned space" : found != names.end() ? found->second : fmt::format("partition {} (gone)", id);
}

bool does_grow(const lcpfs_ioctl_partition_decision& decision) { return decision.action == static_cast<uint32_t>(ActionKind::grow); }

void print_decision(const lcpfs_ioctl_partition_decision& decision, const Names& names, const Format& format)
{
    const bool grows = does_grow(decision);
    const std::string reason = text_of(static_cast<DecisionReason>(decision.reason));
    const std::string outcome = outcome_text(decision);
    if (!format.header) {
        fmt::print("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", decision.number, decision.time_s, name_of(names, decision.partition),
                   grows ? "grow" : "shrink", decision.size_before, decision.size_after, decision.metaslabs, name_of(names, decision.other),
                   reason, outcome);
        return;
    }
    fmt::print("{:>5}  {}  {}: {} {} -> {}, {} {} ({} metaslabs): {}\n", decision.number, time_text(decision.time_s),
               name_of(names, decision.partition), grows ? "grow" : "shrink", format.bytes(decision.size_before),
               format.bytes(decision.size_after), grows ? "from" : "to", name_of(names, decision.other), decision.metaslabs, reason);
    fmt::print("       used {}, pressure {} of {}, benefit {}, uncertainty {}{}{}\n", format.bytes(decision.used),
               thousandths(uint64_t(decision.pressure)), thousandths(uint64_t(decision.threshold)),
               thousandths(uint64_t(decision.benefit)), thousandths(uint64_t(decision.uncertainty)), outcome.empty() ? "" : "; ",
               outcome);
}

void put_decision(Json& json, const lcpfs_ioctl_partition_decision& decision, const Names& names)
{
    json.begin_object();
    json.put("number", uint64_t(decision.number));
    json.put("time", uint64_t(decision.time_s));
    json.put("partition", name_of(names, decision.partition));
    json.put("action", does_grow(decision) ? "grow" : "shrink");
    json.put("other", name_of(names, decision.other));
    json.put("reason", text_of(static_cast<DecisionReason>(decision.reason)));
    json.put("metaslabs", decision.metaslabs);
    json.put("size_before_bytes", uint64_t(decision.size_before));
    json.put("size_after_bytes", uint64_t(decision.size_after));
    json.put("used_bytes", uint64_t(decision.used));
    json.put_thousandths("pressure", uint64_t(decision.pressure));
    json.put_thousandths("threshold", uint64_t(decision.threshold));
    json.put_thousandths("benefit", uint64_t(decision.benefit));
    json.put_thousandths("uncertainty", uint64_t(decision.uncertainty));
    json.put("result", k_results[std::min(decision.result, 4u)]);
    if (decision.result == static_cast<uint32_t>(DecisionResult::measured)) {
        json.put_thousandths("improvement_percent", int64_t(decision.improvement));
        json.put_thousandths("epsilon_after", uint64_t(decision.epsilon_after));
        json.put_thousandths("epsilon_expected", uint64_t(decision.epsilon_expected));
    }
    json.end_object();
}

int print_log(const Control& control, const Partitions& partitions, const Format& format)
{
    Names names;
    for (const lcpfs_ioctl_partition& partition : partitions)
        names[partition.id] = partition.name;
    Json json;
    json.begin_array();
    lcpfs_ioctl_partition_decision decision {};
    memcpy(decision.pool_guid, partitions[0].pool_guid, sizeof(decision.pool_guid));
    int error = 0;
    for (decision.number = 1; !(error = control.call(LCPFS_IOCTL_PARTITION_DECISION, &decision)); decision.number++) {
        if (format.json)
            put_decision(json, decision, names);
        else
            print_decision(decision, names, format);
    }
    json.end_array();
    if (error != ENOENT)
        complain("cannot read the decisions: {}", strerror(error));
    else if (format.json)
        json.print();
    return error == ENOENT ? k_success : k_failure;
}

int change(const Control& control, lcpfs_ioctl_partition_change& request, const std::string& what)
{
    const int error = control.call(LCPFS_IOCTL_PARTITION_CHANGE, &request);
    if (error && request.message[0])
        complain("{}", request.message);
    else if (error)
        complain("{}: {}", what, strerror(error));
    return error ? k_failure : k_success;
}

bool take_name(const std::string& name, char (&out)[LCPFS_PARTITION_NAME_BYTES])
{
    if (name.size() >= sizeof(out)) {
        complain("{}: a name has at most 64 bytes", name);
        return false;
    }
    memcpy(out, name.c_str(), name.size() + 1);
    return true;
}

// min=, max=, name=.
bool take_setting(const std::string& word, bool creates, lcpfs_ioctl_partition_change& request)
{
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string text = equals == std::string::npos ? "" : word.substr(equals + 1);
    uint64_t bytes = 0;
    if (key == "name" && !creates && !text.empty())
        return take_name(text, request.new_name);
    if ((key != "min" && key != "max") || (text != "none" && !parse_bytes(text.c_str(), bytes))
        || (key == "max" && text != "none" && bytes == 0)) {
        complain("{}: min=SIZE, max=SIZE or{} are wanted", word, creates ? " neither" : " name=NAME");
        return false;
    }
    request.mask |= key == "min" ? LCPFS_PARTITION_MINIMUM : LCPFS_PARTITION_MAXIMUM;
    (key == "min" ? request.minimum_bytes : request.maximum_bytes) = bytes;
    return true;
}

int set_mode(const Control& control, const Partitions& partitions, char** words, int count)
{
    lcpfs_ioctl_partition_change request {};
    if (!only_pool(partitions, request.pool_guid))
        return k_failure;
    if (count == 0) {
        fmt::print("{}\n", k_modes[std::min(partitions[0].mode, 2u)]);
        return k_success;
    }
    request.operation = LCPFS_PARTITION_MODE;
    while (request.mode < 3 && std::string(words[0]) != k_modes[request.mode])
        request.mode++;
    if (request.mode == 3) {
        complain("{}: off, advise or auto is wanted", words[0]);
        return k_usage_error;
    }
    return change(control, request, "mode");
}

}

int partition_verb(int argc, char** argv)
{
    std::string pool;
    Format format;
    for (int option; (option = getopt_long(argc, argv, "Hph", k_options, nullptr)) != -1;) {
        if (option == 'P') {
            pool = optarg;
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
    const bool is_sound = ((word == "list" || word == "log") && left == 0) || (word == "create" && left >= 1)
        || (word == "destroy" && left == 1) || (word == "set" && left >= 2) || (word == "mode" && left <= 1);
    if (!is_sound) {
        fmt::print(stderr, "{}", k_usage);
        return k_usage_error;
    }
    const Control control;
    Partitions partitions;
    if (!control || !list_of_pools(control, LCPFS_IOCTL_PARTITION_GET, "partitions", pool, partitions))
        return k_failure;
    if (word == "list")
        return format.json ? print_json(partitions) : print_list(partitions, format);
    if (word == "mode")
        return set_mode(control, partitions, rest, left);
    lcpfs_ioctl_partition_change request {};
    if (!only_pool(partitions, request.pool_guid))
        return k_failure;
    if (word == "log")
        return print_log(control, partitions, format);
    if (!take_name(rest[0], request.name))
        return k_failure;
    for (int i = 1; i < left; i++)
        if (!take_setting(rest[i], word == "create", request))
            return k_usage_error;
    request.operation = word == "create" ? LCPFS_PARTITION_CREATE : word == "set" ? LCPFS_PARTITION_SET : LCPFS_PARTITION_DESTROY;
    return change(control, request, rest[0]);
}

}
