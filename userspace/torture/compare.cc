// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "userspace/torture/differ.h"

namespace torture {

uint64_t hash_of(const void* data, size_t bytes)
{
    uint64_t sum = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < bytes; i++)
        sum = (sum ^ static_cast<const uint8_t*>(data)[i]) * 0x100000001b3ull;
    return sum;
}

static bool is_whiteout(const struct stat& status) { return S_ISCHR(status.st_mode) && status.st_rdev == 0; }

// What a whiteout inherits nobody says: XFS asks the directory of the new name, ext4 and btrfs that of the old one.
uint64_t hash_of_status(const struct stat& status)
{
    const uint64_t fields[] = { status.st_mode, status.st_nlink, status.st_uid, is_whiteout(status) ? 0 : status.st_gid, status.st_rdev,
                                S_ISDIR(status.st_mode) ? 0 : static_cast<uint64_t>(status.st_size) };
    return hash_of(fields, sizeof(fields));
}

namespace {

constexpr int k_most_names = 64;

struct Names {
    char names[k_most_names][32];
    int count { 0 };
};

int by_text(const void* a, const void* b) { return strcmp(static_cast<const char*>(a), static_cast<const char*>(b)); }

void read_names(int directory, Names& out)
{
    const int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY);
    must(fd >= 0, "opening a directory to compare");
    DIR* const listing = fdopendir(fd);
    errno = 0;
    while (const dirent* entry = readdir(listing)) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (out.count == k_most_names)
            fail("more names than there can be");
        snprintf(out.names[out.count++], sizeof(out.names[0]), "%.31s", entry->d_name);
    }
    must(errno == 0, "listing a directory to compare");
    closedir(listing);
    qsort(out.names, static_cast<size_t>(out.count), sizeof(out.names[0]), by_text);
}

uint64_t hash_of_file(int directory, const char* name)
{
    static uint8_t buffer[65536];
    const int fd = openat(directory, name, O_RDONLY);
    must(fd >= 0, name);
    uint64_t sum = 0;
    ssize_t bytes;
    while ((bytes = read(fd, buffer, sizeof(buffer))) > 0)
        sum = sum * 31 + hash_of(buffer, static_cast<size_t>(bytes));
    must(bytes == 0, name);
    close(fd);
    return sum;
}

void compare(int root, int other, const char* where)
{
    Names names[2];
    read_names(root, names[0]);
    read_names(other, names[1]);
    for (int i = 0; i < names[0].count || i < names[1].count; i++) {
        const char* const name = i < names[0].count ? names[0].names[i] : "(nothing)";
        const char* const also = i < names[1].count ? names[1].names[i] : "(nothing)";
        if (strcmp(name, also))
            fail("%s: %s is here, %s is there", where, name, also);
        struct stat status[2];
        must(!fstatat(root, name, &status[0], AT_SYMLINK_NOFOLLOW) && !fstatat(other, name, &status[1], AT_SYMLINK_NOFOLLOW), name);
        if (hash_of_status(status[0]) != hash_of_status(status[1]))
            fail("%s/%s: mode %o links %lu owner %u:%u size %lld, but %o %lu %u:%u %lld", where, name, status[0].st_mode,
                 static_cast<unsigned long>(status[0].st_nlink), status[0].st_uid, status[0].st_gid,
                 static_cast<long long>(status[0].st_size), status[1].st_mode, static_cast<unsigned long>(status[1].st_nlink),
                 status[1].st_uid, status[1].st_gid, static_cast<long long>(status[1].st_size));
        char path[200];
        snprintf(path, sizeof(path), "%s/%s", where, name);
        if (!is_whiteout(status[0]) && hash_of_xattrs(root, name) != hash_of_xattrs(other, name))
            fail("%s: extended attributes differ", path);
        if (S_ISREG(status[0].st_mode) && hash_of_file(root, name) != hash_of_file(other, name))
            fail("%s: contents differ", path);
        if (S_ISDIR(status[0].st_mode)) {
            const int below = openat(root, name, O_RDONLY | O_DIRECTORY), also_below = openat(other, name, O_RDONLY | O_DIRECTORY);
            must(below >= 0 && also_below >= 0, path);
            compare(below, also_below, path);
            close(below);
            close(also_below);
        }
    }
}

}

void compare_trees(int root, int other) { compare(root, other, "."); }

long check_holes(int fd)
{
    static uint8_t buffer[65536];
    struct stat status;
    fstat(fd, &status);
    if (!S_ISREG(status.st_mode))
        return 0;
    if (lseek(fd, status.st_size, SEEK_DATA) != -1 || errno != ENXIO || lseek(fd, status.st_size, SEEK_HOLE) != -1 || errno != ENXIO)
        fail("SEEK_DATA or SEEK_HOLE at the end is not ENXIO");
    off_t at = 0;
    while (at < status.st_size) {
        const off_t data = lseek(fd, at, SEEK_DATA);
        const off_t end_of_hole = data < 0 ? status.st_size : data;
        if (end_of_hole < at)
            fail("SEEK_DATA went back from %lld to %lld", static_cast<long long>(at), static_cast<long long>(data));
        for (off_t position = at; position < end_of_hole;) {
            const size_t want = static_cast<size_t>(end_of_hole - position) < sizeof(buffer) ? static_cast<size_t>(end_of_hole - position)
                                                                                             : sizeof(buffer);
            const ssize_t bytes = pread(fd, buffer, want, position);
            must(bytes > 0, "reading a hole");
            for (ssize_t i = 0; i < bytes; i++)
                if (buffer[i])
                    fail("a hole has data at %lld", static_cast<long long>(position + i));
            position += bytes;
        }
        if (data < 0)
            break;
        at = lseek(fd, data, SEEK_HOLE);
        if (at <= data)
            fail("SEEK_HOLE went from data at %lld to %lld", static_cast<long long>(data), static_cast<long long>(at));
    }
    return status.st_size > 0;
}

}
