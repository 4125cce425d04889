// SPDX-License-Identifier: GPL-2.0-only
// mount.lcpfs: what mount(8) calls for `mount -t lcpfs SOURCE DIRECTORY`. Finds all devices of the pool and all ways to them, so that
// neither a scan nor `device=` is needed, and says why where the kernel refuses. Exit codes as in mount(8).
//
// By fsopen(2) and its kin: options one by one, of any number, and the kernel's own words for what is wrong with them.
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "userspace/common/message.h"
#include "userspace/host/common/log.h"
#include "userspace/mount/options.h"
#include "userspace/mount/source.h"

using namespace lcpfs::tool;

namespace {

enum Exit { k_success = 0, k_usage_error = 1, k_system_error = 2, k_failure = 32 };

constexpr const char* k_usage = R"(usage: mount.lcpfs [options] SOURCE DIRECTORY
Mounts a dataset of an lcpfs pool. SOURCE is one of its devices, POOL, POOL/DATASET, UUID=... or LABEL=POOL;
the other devices of the pool are found by themselves.

  -o OPTIONS     as for mount(8); lcpfs(5) lists those of lcpfs
  -r, -w         read-only, read-write
  -f, --fake     find everything, mount nothing
  -n, -s         taken for mount(8)'s sake; nothing differs
  -v, --verbose  say what is mounted
  -V, --version
  -h, --help
)";

constexpr option k_options[] = {
    { "fake", no_argument, nullptr, 'f' },
    { "verbose", no_argument, nullptr, 'v' },
    { "version", no_argument, nullptr, 'V' },
    { "help", no_argument, nullptr, 'h' },
    {},
};

class Descriptor {
public:
    explicit Descriptor(int descriptor) : m_descriptor(descriptor) {}
    ~Descriptor()
    {
        if (m_descriptor >= 0)
            close(m_descriptor);
    }
    Descriptor(const Descriptor&) = delete;
    int get() const { return m_descriptor; }

private:
    int m_descriptor;
};

// The kernel's lines about this context: "e lcpfs: ...".
void print_messages(int context)
{
    char line[1024];
    for (ssize_t bytes; (bytes = read(context, line, sizeof(line) - 1)) > 0;) {
        line[bytes] = 0;
        std::string text(line[1] == ' ' ? line + 2 : line);
        while (!text.empty() && text.back() == '\n')
            text.pop_back();
        if (text.rfind("lcpfs: ", 0) == 0)
            text.erase(0, 7);
        put_error(text);
    }
}

int refuse(int context, const std::string& what, int error)
{
    print_messages(context);
    const bool is_damage = error == EUCLEAN;
    complain("{}: {}; the kernel log says {}", what, strerror(error), is_damage ? "what is wrong, fsck.lcpfs repairs" : "more");
    return k_failure;
}

bool configure(int context, const MountOptions& options)
{
    for (const auto& [key, value] : options.keys) {
        const bool is_flag = value.empty();
        if (fsconfig(context, is_flag ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, key.c_str(), is_flag ? nullptr : value.c_str(), 0) == 0)
            continue;
        const int error = errno;
        print_messages(context);
        complain("option {}{}{}: {}", key, is_flag ? "" : "=", value, strerror(error));
        return false;
    }
    return true;
}

// mount(8) names what is to be on, and leaves out what is not.
int remount(const std::string& directory, MountOptions options)
{
    if (!options.has("sync"))
        options.keys.emplace_back("async", "");
    if (!options.has("lazytime"))
        options.keys.emplace_back("nolazytime", "");
    const Descriptor context(fspick(AT_FDCWD, directory.c_str(), FSPICK_CLOEXEC));
    if (context.get() < 0) {
        complain("{}: {}", directory, strerror(errno));
        return k_failure;
    }
    if (!configure(context.get(), options))
        return k_failure;
    if (fsconfig(context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0) != 0)
        return refuse(context.get(), directory, errno);
    mount_attr attributes {};
    attributes.attr_set = options.set;
    attributes.attr_clr = options.cleared | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODIRATIME
        | MOUNT_ATTR_NOSYMFOLLOW;
    if (mount_setattr(AT_FDCWD, directory.c_str(), 0, &attributes, sizeof(attributes)) != 0) {
        complain("{}: {}", directory, strerror(errno));
        return k_failure;
    }
    return k_success;
}

int mount(const Source& source, const std::string& directory, MountOptions options)
{
    const Descriptor context(fsopen("lcpfs", FSOPEN_CLOEXEC));
    if (context.get() < 0) {
        complain("the kernel has no lcpfs: {}; modprobe lcpfs says why", strerror(errno));
        return k_failure;
    }
    options.keys.emplace(options.keys.begin(), "source", source.device);
    for (const std::string& other : source.others)
        options.keys.emplace_back("device", other);
    if (!source.dataset.empty())
        options.keys.emplace_back("dataset", source.dataset);
    if (!configure(context.get(), options))
        return k_failure;
    if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
        return refuse(context.get(), source.device, errno);
    const Descriptor mounted(fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(options.set)));
    if (mounted.get() < 0)
        return refuse(context.get(), source.device, errno);
    if (move_mount(mounted.get(), "", AT_FDCWD, directory.c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0)
        return k_success;
    complain("{}: {}", directory, strerror(errno));
    return k_failure;
}

}

int main(int argc, char** argv)
{
    MountOptions options;
    bool fake = false, verbose = false;
    for (int option; (option = getopt_long(argc, argv, "o:rwfnsvt:Vh", k_options, nullptr)) != -1;) {
        switch (option) {
        case 'o':
            add_options(optarg, options);
            break;
        case 'r':
            add_options("ro", options);
            break;
        case 'w':
            add_options("rw", options);
            break;
        case 'f':
            fake = true;
            break;
        case 'v':
            verbose = true;
            break;
        case 'n':
        case 's':
        case 't':
            break;
        case 'V':
            print_version("mount.lcpfs");
            return k_success;
        case 'h':
            fmt::print("{}", k_usage);
            return k_success;
        default:
            fmt::print(stderr, "{}", k_usage);
            return k_usage_error;
        }
    }
    if (argc - optind != 2) {
        fmt::print(stderr, "{}", k_usage);
        return k_usage_error;
    }
    lcpfs::host_log_set_level(HOST_LOG_WARNING);
    const std::string directory = argv[optind + 1];
    if (options.remount)
        return fake ? k_success : remount(directory, options);
    Source source;
    if (!find_source(argv[optind], source))
        return k_failure;
    if (!source.dataset.empty() && options.has("dataset")) {
        complain("{}: names a dataset, and so does -o dataset=", argv[optind]);
        return k_usage_error;
    }
    if (verbose) {
        fmt::print("lcpfs: {} on {}\n", source.device, directory);
        for (const std::string& other : source.others)
            fmt::print("lcpfs: with {}\n", other);
    }
    return fake ? k_success : mount(source, directory, options);
}
