// SPDX-License-Identifier: GPL-2.0-only
// Mounting and unmounting, and programs that know nothing of a bench.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userspace/bench/load/load.h"

namespace load {

// mounts DEVICE TYPE DIRECTORY COUNT: mounted and unmounted so often, with cold caches each time.
void mounts(const Words& words)
{
    const uint64_t count = std::stoul(words.at(3));
    uint64_t took_ns[2] = {};
    for (uint64_t at = 0; at < count; at++) {
        drop_caches();
        const uint64_t began = now_ns();
        must(mount(words[0].c_str(), words[2].c_str(), words[1].c_str(), 0, "") == 0, "mount");
        took_ns[0] += now_ns() - began;
        const uint64_t ending = now_ns();
        must(umount(words[2].c_str()) == 0, "umount");
        took_ns[1] += now_ns() - ending;
    }
    for (int which = 0; which < 2; which++)
        printf("@ %s %.3f ms -\n", which ? "unmount" : "mount", static_cast<double>(took_ns[which]) / static_cast<double>(count) / 1e6);
    fflush(stdout);
}

// shutdown DIRECTORY: the filesystem writes nothing from here on, what its log has in memory included.
void shutdown(const Words& words)
{
    constexpr unsigned long k_shutdown = _IOR('X', 125, uint32_t);
    uint32_t without_log = 2;
    const int fd = open_file(words.at(0), O_RDONLY);
    must(ioctl(fd, k_shutdown, &without_log) == 0, "shutdown");
    close(fd);
}

// first-mount NAME DEVICE TYPE DIRECTORY: one mount, of what a crash left.
void first_mount(const Words& words)
{
    drop_caches();
    Meter meter;
    must(mount(words.at(1).c_str(), words.at(3).c_str(), words.at(2).c_str(), 0, "") == 0, "mount");
    meter.stop();
    meter.report_each_ms(words[0], 1);
}

// program NAME UNIT OPERATIONS DIRECTORY COMMAND...: a program of so many operations, and then syncfs of the directory.
void program(const Words& words)
{
    std::vector<char*> command;
    for (size_t at = 4; at < words.size(); at++)
        command.push_back(const_cast<char*>(words[at].c_str()));
    command.push_back(nullptr);
    Meter meter;
    const pid_t child = fork();
    must(child >= 0, "fork");
    if (!child) {
        execvp(command[0], command.data());
        fail(std::string(command[0]) + " does not start");
    }
    int status;
    must(waitpid(child, &status, 0) == child, "waitpid");
    if (status)
        fail(std::string(command[0]) + " failed");
    sync_all(words.at(3));
    meter.stop();
    meter.report(words[0], words[1].c_str(), std::stoul(words[2]));
}

}
