// SPDX-License-Identifier: GPL-2.0-only
// An idmapped mount, by the kernel's own calls: mount(8) can do it only since 2.39.
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userspace/torture/torture.h"

namespace torture {

namespace {

void put(const char* path, const char* text)
{
    const int file = open(path, O_WRONLY);
    must(file >= 0 && write(file, text, strlen(text)) == static_cast<ssize_t>(strlen(text)), path);
    close(file);
}

// A user namespace in which `first` and what follows are 0 and what follows.
int make_namespace(unsigned long first)
{
    const pid_t owner = fork();
    must(owner >= 0, "fork");
    if (owner == 0) {
        if (unshare(CLONE_NEWUSER))
            _exit(1);
        kill(getpid(), SIGSTOP);
        _exit(0);
    }
    int status = 0;
    must(waitpid(owner, &status, WUNTRACED) == owner, "waitpid");
    if (!WIFSTOPPED(status))
        fail("no user namespace");
    char path[64], map[64];
    snprintf(map, sizeof(map), "0 %lu 1000\n", first);
    static constexpr const char* k_maps[] = { "uid_map", "gid_map" };
    for (const char* which : k_maps) {
        snprintf(path, sizeof(path), "/proc/%d/%s", owner, which);
        put(path, map);
    }
    snprintf(path, sizeof(path), "/proc/%d/ns/user", owner);
    const int space = open(path, O_RDONLY | O_CLOEXEC);
    must(space >= 0, path);
    kill(owner, SIGCONT);
    waitpid(owner, &status, 0);
    return space;
}

}

// DIRECTORY at TARGET too, where what ids 0..999 own is FIRST..FIRST+999's.
int idmap(int count, char** words)
{
    if (count != 3)
        fail("idmap DIRECTORY TARGET FIRST");
    const int space = make_namespace(strtoul(words[2], nullptr, 10));
    const int tree = static_cast<int>(syscall(SYS_open_tree, AT_FDCWD, words[0], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    must(tree >= 0, "open_tree");
    mount_attr attributes {};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<uint64_t>(space);
    must(!syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)), "mount_setattr");
    must(!syscall(SYS_move_mount, tree, "", AT_FDCWD, words[1], MOVE_MOUNT_F_EMPTY_PATH), "move_mount");
    return 0;
}

// Makes a file as this user and group; what the kernel says to it.
int make_as(int count, char** words)
{
    if (count != 2)
        fail("make-as ID FILE");
    const unsigned id = static_cast<unsigned>(strtoul(words[0], nullptr, 10));
    must(!setgid(id) && !setuid(id), "setuid");
    const int file = open(words[1], O_WRONLY | O_CREAT | O_EXCL, 0640);
    puts(file < 0 ? strerror(errno) : "made");
    return file < 0;
}

}
