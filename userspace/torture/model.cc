// SPDX-License-Identifier: GPL-2.0-only
// One file, changed by write(2), stores through a mapping and truncate(2), against an array of what it has to hold. Stores go
// past the end of the file too, in its last page: they must never be seen. Caches are dropped in between, so that
// what is compared comes from the disk.
#include "userspace/torture/torture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace torture {

namespace {

constexpr uint64_t k_page = 4096;

struct File {
    const char* path;
    int fd;
    uint8_t* bytes;     // what it holds; zeros behind `size`
    uint64_t size;
    uint64_t largest;
    Random random;
    unsigned long operation;
};

void open_file(File& file, int flags)
{
    file.fd = open(file.path, O_RDWR | O_CREAT | flags, 0644);
    must(file.fd >= 0, "open");
}

void compare(const File& file, uint64_t offset, const uint8_t* found, uint64_t count, const char* how)
{
    for (uint64_t i = 0; i < count; i++)
        if (found[i] != file.bytes[offset + i])
            fail("operation %lu: %s at %llu of %llu gives %02x, not %02x", file.operation, how, (unsigned long long)(offset + i),
                 (unsigned long long)file.size, found[i], file.bytes[offset + i]);
}

void read_range(File& file, uint64_t offset, uint64_t count)
{
    static uint8_t* buffer;
    if (!buffer)
        buffer = (uint8_t*)malloc(file.largest + k_page);
    ssize_t got = pread(file.fd, buffer, count, (off_t)offset);
    must(got >= 0, "pread");
    uint64_t expected = offset >= file.size ? 0 : file.size - offset < count ? file.size - offset : count;
    if ((uint64_t)got != expected)
        fail("operation %lu: a read of %llu at %llu gives %zd bytes of a file of %llu", file.operation, (unsigned long long)count,
             (unsigned long long)offset, got, (unsigned long long)file.size);
    compare(file, offset, buffer, expected, "read");
}

void write_range(File& file, uint64_t offset, uint64_t count)
{
    uint8_t tag = (uint8_t)(1 + file.random.below(255));
    for (uint64_t i = 0; i < count; i++)
        file.bytes[offset + i] = (uint8_t)(tag + (i >> 9));
    for (uint64_t done = 0; done < count;) {
        ssize_t put = pwrite(file.fd, file.bytes + offset + done, count - done, (off_t)(offset + done));
        must(put > 0, "pwrite");
        done += (uint64_t)put;
    }
    if (offset + count > file.size)
        file.size = offset + count;
}

void cut(File& file, uint64_t size)
{
    must(ftruncate(file.fd, (off_t)size) == 0, "ftruncate");
    if (size < file.size)
        memset(file.bytes + size, 0, file.size - size);
    file.size = size;
}

// Stores and loads through a mapping of a range; `past`: also behind the end, to its page's edge.
void map_range(File& file, uint64_t offset, uint64_t count, bool stores, bool past)
{
    if (offset >= file.size)
        return;
    if (count > file.size - offset)
        count = file.size - offset;
    uint64_t start = offset & ~(k_page - 1);
    uint64_t end = (offset + count + k_page - 1) & ~(k_page - 1);
    uint8_t* memory = (uint8_t*)mmap(nullptr, end - start, PROT_READ | (stores ? PROT_WRITE : 0), MAP_SHARED, file.fd, (off_t)start);
    must(memory != MAP_FAILED, "mmap");
    if (stores) {
        uint8_t tag = (uint8_t)(1 + file.random.below(255));
        memset(memory + (offset - start), tag, count);
        memset(file.bytes + offset, tag, count);
        if (past && offset + count == file.size)
            memset(memory + (file.size - start), 0xee, end - file.size);
        if (file.random.one_in(3))
            must(msync(memory, end - start, file.random.one_in(2) ? MS_SYNC : MS_ASYNC) == 0, "msync");
    }
    compare(file, offset, memory + (offset - start), count, "a load");
    must(munmap(memory, end - start) == 0, "munmap");
}

void drop_cache(File& file)
{
    must(fdatasync(file.fd) == 0, "fdatasync");
    must(posix_fadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
}

void check_all(File& file)
{
    struct stat status;
    must(fstat(file.fd, &status) == 0, "fstat");
    if ((uint64_t)status.st_size != file.size)
        fail("operation %lu: size %lld, not %llu", file.operation, (long long)status.st_size, (unsigned long long)file.size);
    read_range(file, 0, file.size + 1);
}

void step(File& file)
{
    Random& random = file.random;
    // Small ones near each other as well as large ones anywhere.
    uint64_t reach = random.one_in(3) ? 3 * k_page : file.largest;
    uint64_t offset = random.below(reach);
    uint64_t count = 1 + random.below(random.one_in(2) ? 300 : random.one_in(4) ? file.largest / 4 : 3 * k_page);
    if (random.one_in(5))
        offset &= ~(k_page - 1);
    if (offset + count > file.largest)
        count = file.largest - offset;
    uint64_t choice = random.below(100);
    if (choice < 25)
        write_range(file, offset, count);
    else if (choice < 33)
        write_range(file, file.size, count < file.largest - file.size ? count : file.largest - file.size);
    else if (choice < 48)
        map_range(file, offset, count, true, random.one_in(2));
    else if (choice < 55)
        map_range(file, offset, count, false, false);
    else if (choice < 65)
        read_range(file, offset, count);
    else if (choice < 80)
        cut(file, random.one_in(4) && file.size ? file.size - random.below(k_page < file.size ? k_page : file.size) : offset);
    else if (choice < 84)
        must(fsync(file.fd) == 0, "fsync");
    else if (choice < 92)
        drop_cache(file);
    else if (choice < 94) {
        must(close(file.fd) == 0, "close");
        open_file(file, 0);
    } else if (choice < 96)
        check_all(file);
    else if (choice < 97)
        must(sync_file_range(file.fd, (off_t)offset, (off_t)count, SYNC_FILE_RANGE_WRITE) == 0, "sync_file_range");
}

}

int model(int count, char** words)
{
    if (count < 3)
        fail("model FILE OPERATIONS SEED [LARGEST]");
    uint64_t largest = count > 3 ? strtoull(words[3], nullptr, 0) : 256 * 1024;
    File file { words[0], -1, (uint8_t*)calloc(1, largest + k_page), 0, largest, Random(strtoull(words[2], nullptr, 0)), 0 };
    unsigned long operations = strtoul(words[1], nullptr, 0);
    open_file(file, O_TRUNC);
    for (; file.operation < operations; file.operation++)
        step(file);
    check_all(file);
    drop_cache(file);
    check_all(file);
    must(close(file.fd) == 0, "close");
    return 0;
}

static void await_line(const char* otherwise)
{
    char line[16];
    if (!fgets(line, sizeof(line), stdin))
        fail("%s", otherwise);
}

// Two open files of one file that cannot be written.
int sync_status(int count, char** words)
{
    if (count < 1)
        fail("errors FILE [ready]");
    int one = open(words[0], O_RDWR), other = open(words[0], O_RDWR);
    must(one >= 0 && other >= 0, "open");
    if (count > 1) {
        printf("ready\n");
        fflush(stdout);
        await_line("nobody said that the device fails");
    }
    char text[4096];
    memset(text, 'e', sizeof(text));
    must(pwrite(one, text, sizeof(text), 0) == (ssize_t)sizeof(text), "pwrite");
    // The error once to each of the two, then no more, once the device works again: a line on the standard input says so.
    int first[2] = { fsync(one), fsync(other) };
    printf("%d %d\n", first[0], first[1]);
    fflush(stdout);
    await_line("nobody said that the device works");
    int then[2] = { fsync(one), fsync(other) };
    printf("%d %d\n", then[0], then[1]);
    return 0;
}

}
