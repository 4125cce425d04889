// SPDX-License-Identifier: GPL-2.0-only
#include <fstream>

#include "core/format/label_format.h"
#include "userspace/common/message.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

int version_verb(int argc, char** argv)
{
    if (argc > 1) {
        complain("version: takes no arguments, found {}", argv[1]);
        return k_usage_error;
    }
    print_version("lcpfs");
    fmt::print("features: compatible {:#x}, read-only compatible {:#x}, incompatible {:#x}\n", k_known_compat, k_known_ro_compat,
               k_known_incompat);
    std::ifstream module("/sys/module/lcpfs/version");
    std::string version;
    if (std::getline(module, version))
        fmt::print("module: {}\n", version);
    else
        fmt::print("module: {}\n", std::ifstream("/sys/module/lcpfs/initstate").good() ? "loaded, without a version" : "not loaded");
    return k_success;
}

}
