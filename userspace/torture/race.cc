// SPDX-License-Identifier: GPL-2.0-only
// Many processes on a few names. Whoever writes at an offset writes the same there, so a file may hold only that or zeros, in
// whatever order things happened, before and after a crash. Errors are those that the race itself explains.
#include "userspace/torture/queue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace torture {

namespace {

constexpr uint64_t k_most_bytes = 192 * 1024;
constexpr uint64_t k_page = 4096;
bool s_full;      // the pool may run out
bool s_no_memory; // and so may memory
sigjmp_buf s_cut;
alignas(4096) uint64_t s_words[k_most_bytes / 8];

uint64_t word_at(uint64_t offset) { return offset * 0x9e3779b97f4a7c15ull ^ 0x6c63706673000001ull; }

void fill_words(uint64_t offset, uint64_t count)
{
    for (uint64_t i = 0; i < count / 8; i++)
        s_words[i] = word_at(offset + i * 8);
}

void check_range(const char* path, uint64_t offset, const uint64_t* words, uint64_t count)
{
    for (uint64_t i = 0; i < count / 8; i++) {
        const uint64_t word = word_at(offset + i * 8);
        // Half a word where a file was cut.
        if (words[i] && words[i] != word && words[i] != (word & 0xffffffff))
            fail("%s holds %016llx at %llu", path, (unsigned long long)words[i], (unsigned long long)(offset + i * 8));
    }
}

void explained(bool good, const char* what, const char* path)
{
    if (good || errno == ENOENT || errno == EEXIST || errno == ENOTEMPTY || errno == EISDIR || errno == ENOTDIR || errno == EINVAL
        || errno == ELOOP || errno == EXDEV || (s_full && errno == ENOSPC) || (s_no_memory && errno == ENOMEM))
        return;
    fail("%s %s: %s", what, path, strerror(errno));
}

void cut_under_mapping(int) { siglongjmp(s_cut, 1); }

struct Names {
    char a[64], b[64];
    void pick(Random& random)
    {
        char* const names[] = { a, b };
        for (char* name : names) {
            const char* const places[] = { "", "d0/", "d1/", "d0/d/" };
            snprintf(name, sizeof(a), "%sf%llu", places[random.below(4)], (unsigned long long)random.below(6));
        }
    }
};

void use_mapping(Random& random, int fd)
{
    struct stat status;
    if (fstat(fd, &status) || status.st_size < 8)
        return;
    uint64_t bytes = (uint64_t)status.st_size < k_most_bytes ? (uint64_t)status.st_size : k_most_bytes;
    uint64_t* words = (uint64_t*)mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (words == MAP_FAILED)
        return explained(false, "mmap", "");
    // A file cut meanwhile ends the store with a signal, as does a full pool.
    if (sigsetjmp(s_cut, 1) == 0) {
        uint64_t first = random.below(bytes / 8), count = 1 + random.below(2000);
        for (uint64_t i = first; i < bytes / 8 && i < first + count; i++)
            ((volatile uint64_t*)words)[i] = word_at(i * 8);
        if (random.one_in(4))
            explained(msync(words, bytes, MS_SYNC) == 0 || (s_no_memory && errno == EIO), "msync", "");
    }
    munmap(words, bytes);
}

constexpr unsigned k_depth = 32;
constexpr uint64_t k_most_queued = 4 * k_page;
alignas(4096) uint64_t s_queued[k_depth][k_most_queued / 8];

// Requests past the cache, all under way at once. The file is closed, and the process may end, while they are.
void use_queue(Random& random, int fd, const char* path, bool dies)
{
    Queue queue(k_depth);
    explained(queue.is_open(), "io_setup", path);
    if (!queue.is_open())
        return (void)close(fd);
    iocb requests[k_depth];
    unsigned under_way = 0;
    for (unsigned i = 0; i < k_depth; i++) {
        const uint64_t unit = random.one_in(4) ? 512 : k_page;
        const uint64_t bytes = (1 + random.below(k_most_queued / unit)) * unit;
        const uint64_t offset = random.below((k_most_bytes - bytes) / unit + 1) * unit;
        const bool writes = random.one_in(2);
        for (uint64_t word = 0; word < bytes / 8; word++)
            s_queued[i][word] = writes ? word_at(offset + word * 8) : 0;
        if (queue.submit(requests[i], fd, writes, s_queued[i], bytes, offset, i))
            under_way++;
        else
            explained(s_no_memory && errno == EAGAIN, "io_submit", path); // the kernel's word for no memory for a request
    }
    close(fd);
    if (dies)
        raise(SIGKILL);
    for (; under_way && !random.one_in(50); under_way--) {
        io_event event;
        queue.take(&event, 1, 1);
        const iocb& request = requests[event.data];
        errno = event.res < 0 ? (int)-event.res : 0;
        explained(event.res >= 0, "a queued request", path);
        if (event.res > 0 && request.aio_lio_opcode == IOCB_CMD_PREAD)
            check_range(path, (uint64_t)request.aio_offset, s_queued[event.data], (uint64_t)event.res);
    }
}

void use_queue_of(Random& random, const char* path)
{
    const int fd = open(path, O_RDWR | O_DIRECT | O_NOFOLLOW | (random.one_in(3) ? O_DSYNC : 0));
    if (fd < 0)
        return explained(false, "open", path);
    if (s_no_memory || !random.one_in(4))
        return use_queue(random, fd, path, false);
    const pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        use_queue(random, fd, path, true);
        _Exit(1);
    }
    close(fd);
    int status = 0;
    must(waitpid(child, &status, 0) == child, "waitpid");
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail("a process with requests under way ended with status %#x", status);
}

void use_file(Random& random, const char* path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | (random.one_in(8) ? O_TRUNC : 0), 0644);
    if (fd < 0)
        return explained(false, "open", path);
    for (uint64_t uses = 1 + random.below(4); uses > 0; uses--) {
        uint64_t offset = random.below(k_most_bytes / 8) * 8;
        uint64_t count = (1 + random.below(random.one_in(3) ? 8000 : 600)) * 8;
        if (offset + count > k_most_bytes)
            count = k_most_bytes - offset;
        uint64_t choice = random.below(22);
        if (choice >= 20) {
            use_queue_of(random, path);
        } else if (choice < 8) {
            fill_words(offset, count);
            explained(pwrite(fd, s_words, count, (off_t)offset) >= 0, "pwrite", path);
        } else if (choice < 12) {
            ssize_t got = pread(fd, s_words, count, (off_t)offset);
            explained(got >= 0, "pread", path);
            if (got > 0)
                check_range(path, offset, s_words, (uint64_t)got);
        } else if (choice < 15) {
            explained(ftruncate(fd, (off_t)(offset + random.below(2) * 4)) == 0, "ftruncate", path);
        } else if (choice < 18) {
            use_mapping(random, fd);
        } else if (choice == 18) {
            int result = random.one_in(2) ? fsync(fd) : fdatasync(fd);
            explained(result == 0 || (s_no_memory && errno == EIO), "fsync", path);
        } else {
            fdatasync(fd);
            posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        }
    }
    explained(close(fd) == 0, "close", path);
}

void list(const char* path)
{
    DIR* directory = opendir(path);
    if (!directory)
        return explained(false, "opendir", path);
    unsigned names = 0;
    while (readdir(directory) && ++names < 1000) { }
    if (names >= 1000)
        fail("%s does not end", path);
    closedir(directory);
}

void use_names(Random& random, Names& names)
{
    switch (random.below(10)) {
    case 0:
    case 1:
        return explained(rename(names.a, names.b) == 0, "rename", names.a);
    case 2: {
        const unsigned flags = random.one_in(2) ? RENAME_EXCHANGE : RENAME_NOREPLACE;
        return explained(renameat2(AT_FDCWD, names.a, AT_FDCWD, names.b, flags) == 0, "renameat2", names.a);
    }
    case 3:
        return explained(unlink(names.a) == 0, "unlink", names.a);
    case 4:
        return explained(link(names.a, names.b) == 0, "link", names.a);
    case 5:
        return explained(symlink(names.a, names.b) == 0, "symlink", names.b);
    case 6:
        return explained((random.one_in(2) ? mkdir("d0/d", 0755) : rmdir("d0/d")) == 0, "mkdir", "d0/d");
    case 7:
        return explained(rename(random.one_in(2) ? "d0/d" : "d1/d", random.one_in(2) ? "d1/d" : "d0/d") == 0, "rename", "d");
    case 8:
        return list(random.one_in(2) ? "d0" : "d1");
    default:
        return explained(chmod(names.a, (mode_t)(0600 | random.below(0200))) == 0, "chmod", names.a);
    }
}

void use_unnamed(Random& random, const char* path)
{
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    if (fd < 0)
        return explained(false, "open unnamed", ".");
    fill_words(0, 8192);
    explained(write(fd, s_words, 8192) >= 0, "write", "unnamed");
    char self[64];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if (random.one_in(2))
        explained(linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0, "linkat", path);
    close(fd);
}

// Setting fault injection back is a call that faults are injected into: tried until it is through.
void write_setting(const char* path, const char* value)
{
    bool is_set = false;
    for (unsigned tries = 0; tries < 1000 && !is_set; tries++) {
        const int fd = open(path, O_WRONLY);
        if (fd < 0) {
            must(errno == ENOMEM, path);
            continue;
        }
        is_set = write(fd, value, strlen(value)) > 0;
        must(is_set || errno == ENOMEM, path);
        must(close(fd) == 0, path);
    }
    must(is_set, path);
}

int work(uint64_t seed, time_t end)
{
    Random random(seed);
    Names names;
    unsigned long done = 0;
    signal(SIGBUS, cut_under_mapping);
    // The kernel's fault injection looks at this mark of the task.
    if (s_no_memory)
        write_setting("/proc/self/make-it-fail", "1");
    for (; time(nullptr) < end; done++) {
        names.pick(random);
        uint64_t choice = random.below(100);
        if (choice < 60)
            use_file(random, names.a);
        else if (choice < 94)
            use_names(random, names);
        else if (choice < 98)
            use_unnamed(random, names.a);
        else if (choice == 98)
            sync();
        else
            usleep(1000);
    }
    printf("torture: %lu operations\n", done);
    fflush(stdout);
    return 0;
}

uint64_t check_directory(int parent, const char* path)
{
    int fd = openat(parent, path, O_RDONLY | O_DIRECTORY);
    must(fd >= 0, path);
    DIR* directory = fdopendir(fd);
    uint64_t files = 0;
    while (dirent* entry = readdir(directory)) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (entry->d_type == DT_DIR) {
            files += check_directory(fd, entry->d_name);
        } else if (entry->d_type == DT_REG) {
            int file = openat(fd, entry->d_name, O_RDONLY);
            must(file >= 0, entry->d_name);
            ssize_t got = read(file, s_words, sizeof(s_words));
            must(got >= 0, entry->d_name);
            check_range(entry->d_name, 0, s_words, (uint64_t)got);
            close(file);
            files++;
        }
    }
    closedir(directory);
    return files;
}

}

int race(int count, char** words)
{
    if (count < 4)
        fail("race DIRECTORY PROCESSES SECONDS SEED [full] [no-memory|no-memory-for-all]");
    must(chdir(words[0]) == 0, words[0]);
    bool everybody = false;
    for (int i = 4; i < count; i++) {
        s_full = s_full || !strcmp(words[i], "full");
        s_no_memory = s_no_memory || !strncmp(words[i], "no-memory", 9);
        everybody = everybody || !strcmp(words[i], "no-memory-for-all");
    }
    must((mkdir("d0", 0755) == 0 || errno == EEXIST) && (mkdir("d1", 0755) == 0 || errno == EEXIST), "mkdir");
    unsigned processes = (unsigned)strtoul(words[1], nullptr, 0);
    time_t end = time(nullptr) + strtol(words[2], nullptr, 0);
    for (unsigned i = 0; i < processes; i++) {
        pid_t child = fork();
        must(child >= 0, "fork");
        if (child == 0)
            _Exit(work(strtoull(words[3], nullptr, 0) * 1000 + i, end));
    }
    // Once nobody forks any more: also the kernel's own threads, so writeback, commits and completions.
    if (everybody)
        write_setting("/sys/kernel/debug/failslab/task-filter", "N");
    int worst = 0;
    for (unsigned i = 0; i < processes; i++) {
        int status = 0;
        must(wait(&status) > 0, "wait");
        worst = status ? status : worst;
    }
    if (everybody)
        write_setting("/sys/kernel/debug/failslab/task-filter", "Y");
    if (worst)
        fail("a process ended with status %#x", worst);
    return 0;
}

int check_words(int count, char** words)
{
    if (count < 1)
        fail("words DIRECTORY");
    printf("torture: %llu files hold what they may\n", (unsigned long long)check_directory(AT_FDCWD, words[0]));
    return 0;
}

}
