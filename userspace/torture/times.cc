// SPDX-License-Identifier: GPL-2.0-only
// Times that are set while the flusher is on its way to write older ones: the last that was set is what a later mount has.
#include "userspace/torture/torture.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace torture {

namespace {

constexpr unsigned k_rounds = 40;
constexpr time_t k_first = 1000000000;

timespec last_time(unsigned file) { return { k_first + file, static_cast<long>(k_rounds - 1) }; }

void set_times(unsigned file)
{
    char name[16];
    snprintf(name, sizeof(name), "%u", file);
    const int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    must(fd >= 0, name);
    timespec times[2];
    for (unsigned round = 0; round < k_rounds; round++) {
        // Moves the times itself, which leaves the inode to the flusher.
        must(pwrite(fd, "x", 1, 0) == 1, "pwrite");
        times[0] = times[1] = { last_time(file).tv_sec, static_cast<long>(round) };
        must(futimens(fd, times) == 0, "futimens");
    }
    must(close(fd) == 0, "close");
}

}

int times(int count, char** words)
{
    if (count < 3)
        fail("times DIRECTORY FILES write|check");
    must(chdir(words[0]) == 0, words[0]);
    const unsigned files = static_cast<unsigned>(strtoul(words[1], nullptr, 10));
    if (!strcmp(words[2], "write")) {
        const int directory = open(".", O_RDONLY | O_DIRECTORY);
        must(directory >= 0, words[0]);
        const pid_t flusher = fork();
        must(flusher >= 0, "fork");
        while (!flusher)
            if (syncfs(directory))
                _exit(1);
        for (unsigned file = 0; file < files; file++)
            set_times(file);
        int status;
        must(kill(flusher, SIGKILL) == 0 && waitpid(flusher, &status, 0) == flusher, "the one who syncs");
        return WIFSIGNALED(status) ? 0 : 1;
    }
    unsigned wrong = 0;
    for (unsigned file = 0; file < files; file++) {
        char name[16];
        snprintf(name, sizeof(name), "%u", file);
        struct stat found;
        must(stat(name, &found) == 0, name);
        const timespec wanted = last_time(file);
        if (found.st_mtim.tv_sec == wanted.tv_sec && found.st_mtim.tv_nsec == wanted.tv_nsec)
            continue;
        wrong++;
        printf("torture: %s was changed at %lld.%09ld, and %lld.%09ld was set\n", name, static_cast<long long>(found.st_mtim.tv_sec),
               found.st_mtim.tv_nsec, static_cast<long long>(wanted.tv_sec), wanted.tv_nsec);
    }
    return wrong ? 1 : 0;
}

}
