// SPDX-License-Identifier: GPL-2.0-only
// lcpfs: looks at pools. Exit codes: 0 done, 1 failed, 2 usage.
#include <stdio.h>
#include <string.h>

#include "userspace/common/message.h"
#include "userspace/host/common/log.h"
#include "userspace/lcpfs/verbs.h"

using namespace lcpfs::tool;

namespace {

struct Verb {
    const char* name;
    int (*run)(int argc, char** argv);
    const char* summary;
};

constexpr Verb k_verbs[] = {
    { "scan", scan_verb, "find the devices of pools and tell the kernel of them" },
    { "list", list_verb, "a row for each pool" },
    { "status", status_verb, "state and space of pools" },
    { "df", df_verb, "space of the mounted datasets" },
    { "iostat", iostat_verb, "what mounted pools do, per second" },
    { "events", events_verb, "what mounted pools have told the kernel log" },
    { "check", check_verb, "what is wrong with a pool, mounted or not, as fsck.lcpfs -n finds it" },
    { "dataset", dataset_verb, "the datasets of mounted pools: made, listed, changed, destroyed" },
    { "partition", partition_verb, "shares of mounted pools: made, listed, changed, removed, explained" },
    { "path", path_verb, "the paths by which mounted pools reach their disks" },
    { "log", log_verb, "the intent log of mounted pools: looked at, tuned, its devices taken out and put in" },
    { "tune", tune_verb, "settings of mounted pools, looked at and changed" },
    { "dump", dump_verb, "what stands on disk: labels, uberblocks, trees, metaslabs, an object" },
    { "version", version_verb, "of this program and of the module" },
};

void print_usage(FILE* to)
{
    fmt::print(to, "usage: lcpfs VERB [options]\n\n");
    for (const Verb& verb : k_verbs)
        fmt::print(to, "  {:9} {}\n", verb.name, verb.summary);
    fmt::print(to, "\n`lcpfs VERB --help` says more of one.\n");
}

}

int main(int argc, char** argv)
{
    lcpfs::host_log_set_level(HOST_LOG_WARNING);
    if (argc < 2) {
        print_usage(stderr);
        return k_usage_error;
    }
    const std::string name = argv[1];
    if (name == "-h" || name == "--help" || name == "help") {
        print_usage(stdout);
        return k_success;
    }
    if (name == "-V" || name == "--version")
        return version_verb(1, argv);
    for (const Verb& verb : k_verbs)
        if (name == verb.name)
            return verb.run(argc - 1, argv + 1);
    complain("{}: no such verb", name);
    print_usage(stderr);
    return k_usage_error;
}
