// SPDX-License-Identifier: GPL-2.0-only
// What stands behind the end of a file must not come into view when the file grows, on disk neither: files cut and grown, and
// stores through a mapping behind the end, looked at after the power went.
#include "userspace/torture/torture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

namespace torture {

namespace {

constexpr size_t k_page = 4096;

void put(int fd, const char* bytes, size_t count, off_t offset)
{
    must(pwrite(fd, bytes, count, offset) == static_cast<ssize_t>(count), "pwrite");
}

void cut_and_truncated(int fd)
{
    must(ftruncate(fd, 100) == 0 && ftruncate(fd, 3 * k_page) == 0, "ftruncate");
}

void cut_and_written(int fd)
{
    must(ftruncate(fd, 100) == 0, "ftruncate");
    put(fd, "x", 1, 3 * k_page - 1);
}

void cut_on_disk(int fd)
{
    must(ftruncate(fd, 100) == 0 && fsync(fd) == 0, "ftruncate");
    must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
    cut_and_truncated(fd);
}

void stored_behind(int fd)
{
    must(ftruncate(fd, 100) == 0, "ftruncate");
    char* memory = static_cast<char*>(mmap(nullptr, k_page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    must(memory != MAP_FAILED, "mmap");
    memset(memory + 100, 'e', k_page - 100);
    must(msync(memory, k_page, MS_SYNC) == 0, "msync");
    memset(memory + 100, 'f', k_page - 100);
    put(fd, "x", 1, 3 * k_page - 1);
    must(munmap(memory, k_page) == 0, "munmap");
}

// As a mapping leaves it in the last block of a file that then grows without that block being written by anybody.
void stored_and_truncated(int fd)
{
    must(ftruncate(fd, 100) == 0, "ftruncate");
    char* memory = static_cast<char*>(mmap(nullptr, k_page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    must(memory != MAP_FAILED, "mmap");
    memset(memory + 100, 'e', k_page - 100);
    must(fsync(fd) == 0, "fsync");
    must(ftruncate(fd, 3 * k_page) == 0, "ftruncate");
    must(munmap(memory, k_page) == 0, "munmap");
}

constexpr struct {
    const char* name;
    void (*make)(int fd);
} k_files[] = {
    { "cut_and_truncated", cut_and_truncated }, { "cut_and_written", cut_and_written },
    { "cut_on_disk", cut_on_disk },             { "stored_behind", stored_behind },
    { "stored_and_truncated", stored_and_truncated },
};

void check(int fd, const char* name)
{
    static char found[3 * k_page];
    must(pread(fd, found, sizeof(found), 0) == static_cast<ssize_t>(sizeof(found)), name);
    for (size_t i = 0; i < sizeof(found) - 1; i++)
        if (found[i] != (i < 100 ? 'A' : 0))
            fail("%s holds %02x at %zu", name, static_cast<unsigned char>(found[i]), i);
}

}

int tails(int count, char** words)
{
    if (count < 2)
        fail("tails DIRECTORY write|check");
    must(chdir(words[0]) == 0, words[0]);
    const bool writes = !strcmp(words[1], "write");
    char full[k_page];
    memset(full, 'A', sizeof(full));
    for (const auto& file : k_files) {
        int fd = open(file.name, O_RDWR | O_CREAT, 0644);
        must(fd >= 0, file.name);
        if (writes) {
            put(fd, full, sizeof(full), 0);
            must(fsync(fd) == 0, "fsync");
            file.make(fd);
        }
        check(fd, file.name);
        must(close(fd) == 0, "close");
    }
    return 0;
}

}
