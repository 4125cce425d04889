// SPDX-License-Identifier: GPL-2.0-only
// What one synchronous call costs the device, counted by the block layer: writes, and flushes for it (a write with FUA on a
// device that has none is a write and a flush). Every call is measured alone, on a filesystem that has nothing else to do.
#include "userspace/torture/torture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace torture {

namespace {

constexpr size_t k_page = 4096;
char s_page[64 * 1024];

struct Ground {
    int directory, file, synced; // `synced`: the same file, opened with O_DSYNC
    char* mapping;
};

void put(int fd, size_t bytes, off_t at) { must(pwrite(fd, s_page, bytes, at) == (ssize_t)bytes, "pwrite"); }
off_t end_of(int fd) { return lseek(fd, 0, SEEK_END); }
void sync_file(int fd) { must(fsync(fd) == 0, "fsync"); }
int make(Ground& ground, const char* name)
{
    const int fd = openat(ground.directory, name, O_RDWR | O_CREAT | O_EXCL, 0644);
    must(fd >= 0, "create");
    return fd;
}

struct Row {
    const char* name;
    void (*prepare)(Ground&); // not measured
    void (*run)(Ground&);
};

void nothing(Ground&) { }
void make_one(Ground& ground) { close(make(ground, "one")); }

// Calls that end with an fsync of their own.
constexpr Row k_asking[] = {
    { "overwrite of 4 KiB, fsync", nothing, [](Ground& ground) { put(ground.file, k_page, 0); sync_file(ground.file); } },
    { "overwrite of 4 KiB, fdatasync", nothing,
      [](Ground& ground) { put(ground.file, k_page, 2 * k_page); must(fdatasync(ground.file) == 0, "fdatasync"); } },
    { "append of 4 KiB, fsync", nothing, [](Ground& ground) { put(ground.file, k_page, end_of(ground.file)); sync_file(ground.file); } },
    { "append of 100 bytes, fsync", nothing, [](Ground& ground) { put(ground.file, 100, end_of(ground.file)); sync_file(ground.file); } },
    { "64 KiB, fsync", nothing, [](Ground& ground) { put(ground.file, 16 * k_page, 4 * k_page); sync_file(ground.file); } },
    { "store through a mapping, msync", nothing,
      [](Ground& ground) { ground.mapping[5]++; must(msync(ground.mapping, k_page, MS_SYNC) == 0, "msync"); } },
    { "O_DSYNC overwrite of 4 KiB", nothing, [](Ground& ground) { put(ground.synced, k_page, k_page); } },
    { "O_DSYNC append of 4 KiB", nothing, [](Ground& ground) { put(ground.synced, k_page, end_of(ground.synced)); } },
    { "RWF_DSYNC overwrite of 4 KiB", nothing,
      [](Ground& ground) {
          const iovec part { s_page, k_page };
          must(pwritev2(ground.file, &part, 1, 0, RWF_DSYNC) == (ssize_t)k_page, "pwritev2");
      } },
    { "created file, fsync", nothing, [](Ground& ground) { const int fd = make(ground, "created"); sync_file(fd); close(fd); } },
    { "created file of 4 KiB, fsync", nothing,
      [](Ground& ground) { const int fd = make(ground, "filled"); put(fd, k_page, 0); sync_file(fd); close(fd); } },
    { "created file of 100 bytes, fsync", nothing,
      [](Ground& ground) { const int fd = make(ground, "small"); put(fd, 100, 0); sync_file(fd); close(fd); } },
    { "twenty files, fsync of the directory", nothing,
      [](Ground& ground) {
          char name[] = "many-a";
          for (; name[5] < 'a' + 20; name[5]++)
              close(make(ground, name));
          sync_file(ground.directory);
      } },
    { "rename, fsync of the directory", make_one,
      [](Ground& ground) {
          must(renameat(ground.directory, "one", ground.directory, "other") == 0, "rename");
          sync_file(ground.directory);
      } },
    { "unlink, fsync of the directory", nothing,
      [](Ground& ground) { must(unlinkat(ground.directory, "other", 0) == 0, "unlink"); sync_file(ground.directory); } },
    { "chmod, fsync", nothing, [](Ground& ground) { must(fchmod(ground.file, 0600) == 0, "fchmod"); sync_file(ground.file); } },
    { "truncate, fsync", nothing,
      [](Ground& ground) { must(ftruncate(ground.file, 10 * k_page) == 0, "ftruncate"); sync_file(ground.file); } },
};

// Calls that nobody asks for an fsync after.
constexpr Row k_names[] = {
    { "create", nothing, [](Ground& ground) { close(make(ground, "plain")); } },
    { "mkdir", nothing, [](Ground& ground) { must(mkdirat(ground.directory, "directory", 0755) == 0, "mkdir"); } },
    { "mknod", nothing, [](Ground& ground) { must(mknodat(ground.directory, "pipe", S_IFIFO | 0644, 0) == 0, "mknod"); } },
    { "symlink", nothing, [](Ground& ground) { must(symlinkat("nowhere", ground.directory, "symlink") == 0, "symlink"); } },
    { "link", nothing,
      [](Ground& ground) { must(linkat(ground.directory, "plain", ground.directory, "linked", 0) == 0, "link"); } },
    { "rename", nothing,
      [](Ground& ground) { must(renameat(ground.directory, "linked", ground.directory, "directory/linked") == 0, "rename"); } },
    { "unlink", nothing, [](Ground& ground) { must(unlinkat(ground.directory, "directory/linked", 0) == 0, "unlink"); } },
    { "rmdir", nothing, [](Ground& ground) { must(unlinkat(ground.directory, "directory", AT_REMOVEDIR) == 0, "rmdir"); } },
    { "O_TMPFILE", nothing, [](Ground& ground) { must(openat(ground.directory, ".", O_TMPFILE | O_RDWR, 0600) >= 0, "O_TMPFILE"); } },
};

constexpr Row k_changes[] = {
    { "overwrite of 4 KiB", nothing, [](Ground& ground) { put(ground.file, k_page, 0); } },
    { "append of 4 KiB", nothing, [](Ground& ground) { put(ground.file, k_page, end_of(ground.file)); } },
    { "chmod", nothing, [](Ground& ground) { must(fchmod(ground.file, 0640) == 0, "fchmod"); } },
    { "times", nothing, [](Ground& ground) { must(futimens(ground.file, nullptr) == 0, "futimens"); } },
    { "truncate", nothing, [](Ground& ground) { must(ftruncate(ground.file, 9 * k_page) == 0, "ftruncate"); } },
    { "longer by truncate", nothing, [](Ground& ground) { must(ftruncate(ground.file, 30 * k_page) == 0, "ftruncate"); } },
};

// Data that goes to its place.
constexpr Row k_placed[] = {
    { "overwrite of 4 KiB, fsync", nothing, [](Ground& ground) { put(ground.file, k_page, 0); sync_file(ground.file); } },
    { "append of 4 KiB, fsync", nothing, [](Ground& ground) { put(ground.file, k_page, end_of(ground.file)); sync_file(ground.file); } },
};

struct Counts {
    long writes { 0 }, sectors { 0 }, flushes { 0 }, group { 0 };
};

struct Device {
    const char* name;
    const char* group; // file with the committed group's number
};

long number_in(const char* path, unsigned field)
{
    char text[512];
    const int fd = open(path, O_RDONLY);
    must(fd >= 0, path);
    const ssize_t bytes = read(fd, text, sizeof(text) - 1);
    must(bytes > 0, path);
    text[bytes] = 0;
    close(fd);
    char* at = text;
    long number = 0;
    for (unsigned i = 0; i < field; i++)
        number = strtol(at, &at, 10);
    return number;
}

Counts count(const Device& device)
{
    char path[128];
    snprintf(path, sizeof(path), "/sys/block/%s/stat", device.name);
    return { number_in(path, 5), number_in(path, 7), number_in(path, 16), number_in(device.group, 1) };
}

struct Expected {
    long writes, flushes;
};

unsigned s_wrong = 0;

void measure(const Device& device, Ground& ground, const Row& row, const Expected& expected)
{
    row.prepare(ground);
    const Counts before = count(device);
    row.run(ground);
    const Counts after = count(device);
    const long writes = after.writes - before.writes, flushes = after.flushes - before.flushes, groups = after.group - before.group;
    const bool good = writes == expected.writes && flushes == expected.flushes && groups == 0;
    printf("%-40s %ld writes, %5ld bytes, %ld flushes, %ld groups%s\n", row.name, writes, (after.sectors - before.sectors) * 512, flushes,
           groups, good ? "" : "  <- WRONG");
    s_wrong += !good;
}

template <size_t N>
void measure_all(const Device& device, Ground& ground, const Row (&rows)[N], const Expected& expected)
{
    for (const Row& row : rows)
        measure(device, ground, row, expected);
}

}

int sync_cost(int count, char** words)
{
    if (count < 5)
        fail("sync-cost DIRECTORY DISK GROUP-FILE FLUSHES prepare|one|asking|always|names|placed|disabled");
    const Device device { words[1], words[2] };
    const long flushes = strtol(words[3], nullptr, 0);
    const char* what = words[4];
    memset(s_page, 'c', sizeof(s_page));
    Ground ground {};
    ground.directory = open(words[0], O_RDONLY | O_DIRECTORY);
    must(ground.directory >= 0, words[0]);
    const bool prepares = !strcmp(what, "prepare");
    ground.file = openat(ground.directory, "file", prepares ? O_RDWR | O_CREAT : O_RDWR, 0644);
    ground.synced = openat(ground.directory, "file", O_RDWR | O_DSYNC);
    must(ground.file >= 0 && ground.synced >= 0, "open");
    if (prepares) {
        for (unsigned i = 0; i < 20; i++)
            put(ground.file, k_page, off_t(i) * k_page);
        return 0;
    }
    ground.mapping = static_cast<char*>(mmap(nullptr, k_page, PROT_READ | PROT_WRITE, MAP_SHARED, ground.file, 0));
    must(ground.mapping != MAP_FAILED, "mmap");
    if (!strcmp(what, "one")) {
        measure(device, ground, k_asking[0], { 1, flushes });
    } else if (!strcmp(what, "asking")) {
        measure_all(device, ground, k_asking, { 1, flushes });
        measure(device, ground, { "nothing new, fsync", nothing, [](Ground& idle) { sync_file(idle.file); } }, { 0, 0 });
    } else if (!strcmp(what, "always")) {
        measure_all(device, ground, k_names, { 1, flushes });
        measure_all(device, ground, k_changes, { 1, flushes });
    } else if (!strcmp(what, "names")) {
        measure_all(device, ground, k_names, { 1, flushes });
    } else if (!strcmp(what, "placed")) {
        // The data, a flush, the log write. A flush that comes alone the block layer counts as an empty write besides.
        measure_all(device, ground, k_placed, { 2 + flushes, 2 * flushes });
    } else if (!strcmp(what, "disabled")) {
        measure_all(device, ground, k_asking, { 0, 0 });
    } else {
        fail("%s: not known", what);
    }
    return s_wrong ? 1 : 0;
}

}
