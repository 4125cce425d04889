// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "userspace/common/message.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

namespace {

constexpr const char* k_usage = R"(usage: lcpfs dump WHAT DEVICE...
Shows what stands on disk. WHAT is one of
  labels       who each device says it is      (any devices)
  uberblocks   the committed groups            (any devices)
  trees        the pool's own trees, node by node
  metaslabs    the table of free space
  log          the intent log: its frames, and the operations newer than the committed group
  object:ID    one object: its record, and its extents or names
For the last four all devices of the pool have to be given. Addresses are device:block.
)";

void print_line(void*, const char* text) { fmt::print("{}\n", text); }

int dump_devices(const std::string& what, const std::vector<std::string>& paths)
{
    int exit = k_success;
    for (const std::string& path : paths) {
        Devices device;
        if (!device.open({ path }, true, Devices::Use::shared)) {
            exit = k_failure;
            continue;
        }
        fmt::print("{}:\n", path);
        const int error = core_dump_device(device.data()[0], what.c_str(), print_line, nullptr);
        if (error) {
            complain("{}: {}: {}", path, what, error == -EINVAL ? "not a device of lcpfs that this version knows" : reason(error));
            exit = k_failure;
        }
    }
    return exit;
}

int dump_pool(const std::string& what, const std::vector<std::string>& paths)
{
    OpenPool pool;
    if (pool.open(paths) != 0)
        return k_failure;
    const int error = core_dump(pool.get(), what.c_str(), print_line, nullptr);
    if (error == -EINVAL) {
        complain("dump {}: nothing of this kind", what);
        fmt::print(stderr, "{}", k_usage);
        return k_usage_error;
    }
    if (error)
        complain("dump {}: {}", what, reason(error));
    return error ? k_failure : k_success;
}

}

int dump_verb(int argc, char** argv)
{
    static constexpr option options[] = { { "help", no_argument, nullptr, 'h' }, {} };
    for (int option; (option = getopt_long(argc, argv, "h", options, nullptr)) != -1;) {
        fmt::print(option == 'h' ? stdout : stderr, "{}", k_usage);
        return option == 'h' ? k_success : k_usage_error;
    }
    if (argc - optind < 2) {
        fmt::print(stderr, "{}", k_usage);
        return k_usage_error;
    }
    const std::string what = argv[optind];
    const std::vector<std::string> paths(argv + optind + 1, argv + argc);
    return what == "labels" || what == "uberblocks" ? dump_devices(what, paths) : dump_pool(what, paths);
}

}
