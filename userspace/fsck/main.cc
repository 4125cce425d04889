// SPDX-License-Identifier: GPL-2.0-only
// fsck.lcpfs: checks a pool. It has no repair, so nothing is ever changed. Exit codes as in fsck(8).
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "userspace/common/devices.h"
#include "userspace/common/message.h"
#include "userspace/host/common/log.h"

using namespace lcpfs::tool;

namespace {

enum Exit { k_clean = 0, k_uncorrected = 4, k_operational = 8, k_usage_error = 16 };

constexpr const char* k_usage = R"(usage: fsck.lcpfs -n [options] DEVICE...
Checks the lcpfs pool on the devices, all of which have to be given. Changes nothing.

  -n, --dry-run   check and say what is wrong; needed, since there is no repair yet
      --data      read every block of file data too, and compare it with its checksum
  -q, --quiet     say only what is wrong
  -v, --verbose   say more
  -V, --version
  -h, --help

Exit code: 0 clean, 4 something is wrong, 8 could not be checked, 16 usage.
)";

enum LongOption { k_data = 256 };
constexpr option k_options[] = {
    { "dry-run", no_argument, nullptr, 'n' },
    { "data", no_argument, nullptr, k_data },
    { "quiet", no_argument, nullptr, 'q' },
    { "verbose", no_argument, nullptr, 'v' },
    { "version", no_argument, nullptr, 'V' },
    { "help", no_argument, nullptr, 'h' },
    {},
};

struct Options {
    bool dry_run { false };
    bool data { false };
    bool quiet { false };
    bool verbose { false };
    std::vector<std::string> paths;
};

struct Watcher {
    Progress progress { "checking" };
    static void problem(void*, const char* text) { fmt::print("{}\n", text); }
    static void advance(void* self, uint64_t done, uint64_t total) { static_cast<Watcher*>(self)->progress.update(done, total); }
};

int check(const Options& options)
{
    std::string twice;
    if (has_duplicate(options.paths, twice)) {
        complain("{}: given twice", twice);
        return k_usage_error;
    }
    for (const std::string& path : options.paths) {
        const std::string use = use_of(path);
        if (!use.empty()) {
            complain("{}: {}; what changes cannot be checked", path, use);
            return k_operational;
        }
    }
    OpenPool pool;
    const int opened = pool.open(options.paths);
    if (opened)
        return opened == -EUCLEAN ? k_uncorrected : k_operational;
    core_pool_status status;
    core_pool_get_status(pool.get(), &status);
    core_check_report report {};
    int error;
    {
        Watcher watcher;
        error = core_check(pool.get(), options.data, Watcher::problem, Watcher::advance, &watcher, &report);
    }
    if (error) {
        complain("the check could not be finished: {}", reason(error));
        return k_operational;
    }
    if (!options.quiet)
        fmt::print("{}: {}, group {}: {} objects, {} directories, {} names, {} extents, {} nodes, {} of {} blocks in use\n", status.name,
                   report.problems ? fmt::format("{} problems", report.problems) : "clean", status.committed_txg, report.objects,
                       report.directories,
                   report.names, report.extents, report.nodes, report.blocks_used, status.total_blocks);
    return report.problems ? k_uncorrected : k_clean;
}

}

int main(int argc, char** argv)
{
    Options options;
    for (int option; (option = getopt_long(argc, argv, "nyapfqvVh", k_options, nullptr)) != -1;) {
        switch (option) {
        case 'n':
            options.dry_run = true;
            break;
        case k_data:
            options.data = true;
            break;
        case 'q':
            options.quiet = true;
            break;
        case 'v':
            options.verbose = true;
            break;
        case 'y':
        case 'a':
        case 'p':
        case 'f':
            complain("-{}: this version has no repair; -n checks", static_cast<char>(option));
            return k_usage_error;
        case 'V':
            print_version("fsck.lcpfs");
            return 0;
        case 'h':
            fmt::print("{}", k_usage);
            return 0;
        default:
            fmt::print(stderr, "{}", k_usage);
            return k_usage_error;
        }
    }
    options.paths.assign(argv + optind, argv + argc);
    if (options.paths.empty()) {
        fmt::print(stderr, "{}", k_usage);
        return k_usage_error;
    }
    if (!options.dry_run) {
        complain("this version has no repair; -n checks");
        return k_usage_error;
    }
    lcpfs::host_log_set_level(options.verbose ? HOST_LOG_DEBUG : HOST_LOG_WARNING);
    return check(options);
}
