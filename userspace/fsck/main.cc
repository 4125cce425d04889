// SPDX-License-Identifier: GPL-2.0-only
// fsck.lcpfs: checks and repairs a pool that is not mounted. Exit codes as in fsck(8).
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "userspace/common/devices.h"
#include "userspace/common/message.h"
#include "userspace/common/pools.h"
#include "userspace/fsck/fsck.h"
#include "userspace/fsck/online.h"
#include "userspace/host/common/log.h"

using namespace lcpfs::tool;

namespace {

constexpr const char* k_usage = R"(usage: fsck.lcpfs [-n | -y | -a] [options] DEVICE...
       fsck.lcpfs [-n | -y | -a] [options] POOL
       fsck.lcpfs -n [options] DIRECTORY
Checks the lcpfs pool of this name, or on the devices, all of which have to be given, and repairs it. One that is mounted can be
checked, by a name, a device or a directory of it, but not repaired.

  -n, --dry-run      check and say what is wrong; change nothing
  -y, --yes          repair without asking
  -a, -p, --auto     at boot: do nothing, as mounting replays what a crash has left; with -f as -y
  -f, --force        with -a: check and repair all the same
      --data         read every block of file data too, and compare it with its checksum
      --rewind GROUP go back to an older transaction group, for good; needs -y. lcpfs dump DEVICE uberblocks lists them
  -q, --quiet        say only what is wrong
  -v, --verbose      say more
  -V, --version
  -h, --help

Without -n, -y or -a it checks, and asks before it repairs.
Exit code: 0 clean, 1 repaired, 4 something is wrong still, 8 could not be done, 16 usage.
)";

enum LongOption { k_data = 256, k_rewind };
constexpr option k_options[] = {
    { "dry-run", no_argument, nullptr, 'n' },
    { "yes", no_argument, nullptr, 'y' },
    { "auto", no_argument, nullptr, 'a' },
    { "force", no_argument, nullptr, 'f' },
    { "data", no_argument, nullptr, k_data },
    { "rewind", required_argument, nullptr, k_rewind },
    { "quiet", no_argument, nullptr, 'q' },
    { "verbose", no_argument, nullptr, 'v' },
    { "version", no_argument, nullptr, 'V' },
    { "help", no_argument, nullptr, 'h' },
    {},
};

struct Mode {
    bool dry_run { false };
    bool yes { false };
    bool boot { false };
    bool force { false };
    bool verbose { false };
};

int usage_error()
{
    fmt::print(stderr, "{}", k_usage);
    return k_usage_error;
}

// False: told why.
bool parse_group(const char* text, uint64_t& group)
{
    char* end = nullptr;
    group = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && group)
        return true;
    complain("--rewind: {} is no transaction group", text);
    return false;
}

bool is_yes(const char* question)
{
    fmt::print("{} [y/N] ", question);
    fflush(stdout);
    const int answer = getchar();
    return answer == 'y' || answer == 'Y';
}

int ask_and_repair(const Options& options)
{
    const int checked = check(options);
    if (checked != k_uncorrected)
        return checked;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        complain("{}: fsck.lcpfs -y repairs it", options.paths.front());
        return checked;
    }
    return is_yes("Repair it? What cannot be saved is lost for good.") ? repair(options) : checked;
}

// One word that is no file is a pool's name. False: said why.
bool find_pool(std::vector<std::string>& paths)
{
    if (paths.size() != 1 || access(paths.front().c_str(), F_OK) == 0)
        return true;
    std::vector<std::string> found;
    unsigned pools = 0;
    for (const FoundPool& pool : group_by_pool(find_devices({}))) {
        if (paths.front() == pool.label.name) {
            found = pool.paths();
            pools++;
        }
    }
    if (pools != 1)
        complain("{}: {}", paths.front(),
                 pools ? "several pools have that name; name the devices" : "no such device, and no pool of that name");
    else
        paths = found;
    return pools == 1;
}

int run(Options& options, const Mode& mode)
{
    std::string twice;
    if (has_duplicate(options.paths, twice)) {
        complain("{}: given twice", twice);
        return k_usage_error;
    }
    if (mode.boot && !mode.force)
        return k_clean;
    const std::string mounted = mount_of_pool(options.paths.front());
    if (mode.dry_run && !mounted.empty())
        return check_online(options, mounted);
    if (!find_pool(options.paths))
        return k_operational;
    for (const std::string& path : options.paths) {
        const std::string use = use_of(path);
        if (!use.empty()) {
            complain("{}: {}; fsck.lcpfs -n checks it, to repair it has to be unmounted", path, use);
            return k_operational;
        }
    }
    if (mode.dry_run)
        return check(options);
    return mode.yes || mode.boot ? repair(options) : ask_and_repair(options);
}

}

int main(int argc, char** argv)
{
    Options options;
    Mode mode;
    for (int option; (option = getopt_long(argc, argv, "nyapfqvVh", k_options, nullptr)) != -1;) {
        switch (option) {
        case 'n':
            mode.dry_run = true;
            break;
        case 'y':
            mode.yes = true;
            break;
        case 'a':
        case 'p':
            mode.boot = true;
            break;
        case 'f':
            mode.force = true;
            break;
        case k_data:
            options.data = true;
            break;
        case k_rewind:
            if (!parse_group(optarg, options.group))
                return k_usage_error;
            break;
        case 'q':
            options.quiet = true;
            break;
        case 'v':
            mode.verbose = true;
            break;
        case 'V':
            print_version("fsck.lcpfs");
            return 0;
        case 'h':
            fmt::print("{}", k_usage);
            return 0;
        default:
            return usage_error();
        }
    }
    options.paths.assign(argv + optind, argv + argc);
    if (options.paths.empty())
        return usage_error();
    if (mode.dry_run + mode.yes + mode.boot > 1) {
        complain("-n, -y and -a are one or the other");
        return k_usage_error;
    }
    if (options.group && !mode.yes) {
        complain("--rewind gives up what is newer: it needs -y");
        return k_usage_error;
    }
    lcpfs::host_log_set_level(mode.verbose ? HOST_LOG_DEBUG : HOST_LOG_WARNING);
    return run(options, mode);
}
