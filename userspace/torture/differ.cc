// SPDX-License-Identifier: GPL-2.0-only
// The same random calls on two directories, of different filesystems: every result, error and byte has to be the same, and so has
// the whole tree, again and again. What the manual pages leave open is not compared: the order of names, sizes of directories, blocks.
#include "userspace/torture/differ.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace torture {

namespace {

constexpr uint64_t k_largest = 400000;
constexpr int k_handles = 4;

enum Kind : int {
    k_write, k_direct, k_append, k_rewrite, k_read, k_truncate, k_punch, k_mkdir, k_rmdir, k_unlink, k_link, k_rename, k_symlink,
    k_readlink, k_fifo, k_chmod, k_chown, k_times, k_look, k_list, k_map, k_sync, k_unnamed, k_copy, k_holes, k_open, k_on_handle,
    k_flags, k_xattr, k_clone, k_kinds
};
constexpr const char* k_kind_names[] = {
    "write", "direct", "append", "rewrite", "read", "truncate", "punch", "mkdir", "rmdir", "unlink", "link", "rename", "symlink",
    "readlink", "mkfifo", "chmod", "chown", "times", "look", "list", "map", "sync", "unnamed", "copy", "holes", "open", "on-handle",
    "flags", "xattr", "clone"
};
static_assert(sizeof(k_kind_names) / sizeof(k_kind_names[0]) == k_kinds);

// Everything that a call needs, drawn once for both sides.
struct Step {
    Kind kind;
    char path[40], other[40];
    uint64_t offset, length, number;
    uint8_t data[65536];
};

struct Outcome {
    long result;
    int error;
    uint64_t content; // a hash of what came back
    struct stat status {}; // when that is a status
    bool operator==(const Outcome& other) const
    {
        return result == other.result && error == other.error && content == other.content;
    }
    void say() const
    {
        printf("torture: %ld (%s) content %llx; mode %o links %lu owner %u:%u size %lld\n", result, strerror(error),
               static_cast<unsigned long long>(content), status.st_mode, static_cast<unsigned long>(status.st_nlink), status.st_uid,
               status.st_gid, static_cast<long long>(status.st_size));
    }
};

// EEXIST and ENOTEMPTY are one (rename(2)).
Outcome outcome(long result, uint64_t content = 0)
{
    return { result, result >= 0 ? 0 : errno == EEXIST ? ENOTEMPTY : errno, result < 0 ? 0 : content };
}
Outcome outcome(const struct stat& status) { return { 0, 0, hash_of_status(status), status }; }


struct Opened {
    int fd;
    explicit Opened(int fd_) : fd(fd_) {}
    ~Opened()
    {
        if (fd >= 0)
            close(fd);
    }
    Opened(const Opened&) = delete;
};

class Side {
public:
    explicit Side(const char* path) : root(open(path, O_RDONLY | O_DIRECTORY))
    {
        must(root >= 0, path);
        for (int& handle : handles)
            handle = -1;
    }
    Outcome run(const Step& step);

    int root;
    int handles[k_handles];
    bool clones { false }; // both sides can

private:
    Outcome write_at(const Step& step, int flags);
    Outcome read_at(int fd, const Step& step);
    Outcome direct(const Step& step);
    Outcome punch(const Step& step);
    Outcome list(const Step& step);
    Outcome map(const Step& step);
    Outcome unnamed(const Step& step);
    Outcome copy(const Step& step);
    Outcome clone(const Step& step);
    Outcome on_handle(const Step& step);
    Outcome set_flags(const Step& step);
    Outcome on_name(const Step& step);
    Outcome on_file(const Step& step);
    // Never waits for the other end of a pipe.
    Outcome open_at(const char* path, int flags, int mode = 0) { return outcome(openat(root, path, flags | O_NONBLOCK, mode)); }
};

Outcome Side::write_at(const Step& step, int flags)
{
    const Outcome opened = open_at(step.path, O_WRONLY | flags, 0644);
    if (opened.error)
        return opened;
    Opened file(static_cast<int>(opened.result));
    return outcome(flags & O_APPEND ? write(file.fd, step.data, step.length)
                                    : pwrite(file.fd, step.data, step.length, static_cast<off_t>(step.offset)));
}

Outcome Side::read_at(int fd, const Step& step)
{
    static uint8_t buffer[65536];
    const ssize_t bytes = pread(fd, buffer, step.length, static_cast<off_t>(step.offset));
    return outcome(bytes, bytes > 0 ? hash_of(buffer, static_cast<size_t>(bytes)) : 0);
}

// Past the page cache, in logical blocks of 512 bytes, or in blocks.
Outcome Side::direct(const Step& step)
{
    alignas(4096) static uint8_t buffer[sizeof(step.data)];
    const uint64_t align = step.number % 5 ? 4096 : 512;
    const Outcome opened = open_at(step.path, O_RDWR | O_DIRECT | (step.number % 2 ? O_CREAT : 0) | (step.number % 8 ? 0 : O_DSYNC), 0600);
    if (opened.error)
        return opened;
    Opened file(static_cast<int>(opened.result));
    struct stat status;
    if (fstat(file.fd, &status) || !S_ISREG(status.st_mode))
        return outcome(0);
    const size_t length = step.length < align ? align : step.length / align * align;
    const off_t offset = static_cast<off_t>(step.offset / align * align);
    if (step.number % 3) {
        memcpy(buffer, step.data, length);
        return outcome(pwrite(file.fd, buffer, length, offset));
    }
    const ssize_t bytes = pread(file.fd, buffer, length, offset);
    return outcome(bytes, bytes > 0 ? hash_of(buffer, static_cast<size_t>(bytes)) : 0);
}

// In whole blocks where that is asked for.
Outcome Side::punch(const Step& step)
{
    static constexpr int k_modes[] = { FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                       FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_COLLAPSE_RANGE,
                                       FALLOC_FL_INSERT_RANGE, 0, FALLOC_FL_KEEP_SIZE };
    const Outcome opened = open_at(step.path, O_RDWR);
    if (opened.error)
        return opened;
    Opened file(static_cast<int>(opened.result));
    const int mode = k_modes[step.number / 8 % 8];
    uint64_t offset = step.offset, length = step.length * (step.number % 8 ? 1 : 5);
    const bool moves = mode == FALLOC_FL_COLLAPSE_RANGE || mode == FALLOC_FL_INSERT_RANGE;
    if (moves && step.number / 64 % 8) {
        offset &= ~4095ull;
        length = (length + 4095) & ~4095ull;
    }
    struct stat status;
    fstat(file.fd, &status);
    if (mode == FALLOC_FL_INSERT_RANGE && static_cast<uint64_t>(status.st_size) > 2 * k_largest)
        return outcome(0);
    return outcome(fallocate(file.fd, mode, static_cast<off_t>(offset), static_cast<off_t>(length)));
}

Outcome Side::list(const Step& step)
{
    const Outcome opened = open_at(step.path, O_RDONLY | O_DIRECTORY);
    if (opened.error)
        return opened;
    DIR* const directory = fdopendir(static_cast<int>(opened.result));
    uint64_t sum = 0;
    long count = 0;
    while (const dirent* entry = readdir(directory)) {
        sum += hash_of(entry->d_name, strlen(entry->d_name)) ^ entry->d_type;
        count++;
    }
    closedir(directory);
    return outcome(count, sum);
}

// Stores through a shared mapping, inside the file.
Outcome Side::map(const Step& step)
{
    const Outcome opened = open_at(step.path, O_RDWR);
    if (opened.error)
        return opened;
    Opened file(static_cast<int>(opened.result));
    struct stat status;
    fstat(file.fd, &status);
    const uint64_t size = static_cast<uint64_t>(status.st_size);
    if (!S_ISREG(status.st_mode) || step.offset >= size)
        return outcome(0);
    const uint64_t end = step.offset + step.length < size ? step.offset + step.length : size;
    void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
    if (memory == MAP_FAILED)
        return outcome(-1);
    memcpy(static_cast<uint8_t*>(memory) + step.offset, step.data, end - step.offset);
    if (step.number % 4 == 0)
        msync(memory, size, MS_SYNC);
    munmap(memory, size);
    return outcome(1);
}

Outcome Side::unnamed(const Step& step)
{
    const Outcome opened = open_at(".", O_TMPFILE | O_RDWR, 0600);
    if (opened.error)
        return opened;
    Opened file(static_cast<int>(opened.result));
    if (pwrite(file.fd, step.data, step.length, static_cast<off_t>(step.offset)) < 0)
        return outcome(-1);
    char link[40];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", file.fd);
    return outcome(linkat(AT_FDCWD, link, root, step.path, AT_SYMLINK_FOLLOW));
}

Outcome Side::copy(const Step& step)
{
    const Outcome from = open_at(step.path, O_RDONLY);
    if (from.error)
        return from;
    Opened source(static_cast<int>(from.result));
    const Outcome to = open_at(step.other, O_RDWR);
    if (to.error)
        return to;
    Opened target(static_cast<int>(to.result));
    off_t at = static_cast<off_t>(step.offset), out = static_cast<off_t>(step.number % k_largest);
    return outcome(copy_file_range(source.fd, &at, target.fd, &out, step.length, 0), static_cast<uint64_t>(at ^ out));
}

Outcome Side::clone(const Step& step)
{
    const Outcome from = open_at(step.path, O_RDONLY);
    if (from.error)
        return from;
    Opened source(static_cast<int>(from.result));
    if (!clones)
        return outcome(0);
    const Outcome to = open_at(step.other, O_RDWR);
    if (to.error)
        return to;
    Opened target(static_cast<int>(to.result));
    uint64_t content;
    const long result = call_clone(source.fd, target.fd, step.number, step.offset, step.length, content);
    return outcome(result, content);
}

// Files that stay open, whatever happens to their names.
Outcome Side::on_handle(const Step& step)
{
    const int fd = handles[step.number % k_handles];
    // What is immutable now: XFS lets those who have it open write on, ext4 does not.
    int flags = 0;
    if (fd < 0 || (!ioctl(fd, FS_IOC_GETFLAGS, &flags) && (flags & FS_IMMUTABLE_FL)))
        return outcome(0);
    switch (step.number / k_handles % 5) {
    case 0:
        return outcome(pwrite(fd, step.data, step.length, static_cast<off_t>(step.offset)));
    case 1:
        return read_at(fd, step);
    case 2:
        return outcome(ftruncate(fd, static_cast<off_t>(step.offset)));
    case 3:
        return outcome(fsync(fd));
    default: {
        struct stat status;
        must(!fstat(fd, &status), "fstat");
        return outcome(status);
    }
    }
}

Outcome Side::set_flags(const Step& step)
{
    const Outcome opened = open_at(step.path, O_RDONLY);
    if (opened.error)
        return opened;
    Opened file(static_cast<int>(opened.result));
    struct stat status;
    fstat(file.fd, &status);
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        return outcome(0);
    // Mostly cleared again, or soon nothing could be changed.
    constexpr int k_ours = FS_APPEND_FL | FS_NODUMP_FL | FS_IMMUTABLE_FL | FS_NOATIME_FL;
    const int wanted = step.number % 6 ? 0 : step.number % 12 ? FS_APPEND_FL | FS_NODUMP_FL : FS_IMMUTABLE_FL | FS_NOATIME_FL;
    int flags = 0;
    if (ioctl(file.fd, FS_IOC_GETFLAGS, &flags))
        return outcome(-1);
    flags = (flags & ~k_ours) | wanted; // some filesystems have others that must stay
    if (ioctl(file.fd, FS_IOC_SETFLAGS, &flags) || ioctl(file.fd, FS_IOC_GETFLAGS, &flags))
        return outcome(-1);
    return outcome(0, static_cast<uint64_t>(flags & k_ours));
}

Outcome Side::on_name(const Step& step)
{
    struct stat status;
    char target[300];
    switch (step.kind) {
    case k_mkdir:
        return outcome(mkdirat(root, step.path, 0755));
    case k_rmdir:
        return outcome(unlinkat(root, step.path, AT_REMOVEDIR));
    case k_unlink:
        return outcome(unlinkat(root, step.path, 0));
    case k_link:
        return outcome(linkat(root, step.path, root, step.other, 0));
    case k_rename:
        return outcome(syscall(SYS_renameat2, root, step.path, root, step.other,
                               step.number % 4 ? 0
                                   : step.number % 8  ? RENAME_NOREPLACE
                                   : step.number % 16 ? RENAME_EXCHANGE
                                                      : RENAME_WHITEOUT));
    case k_symlink:
        return outcome(symlinkat(step.other, root, step.path));
    case k_readlink: {
        const ssize_t bytes = readlinkat(root, step.path, target, sizeof(target));
        return outcome(bytes, bytes > 0 ? hash_of(target, static_cast<size_t>(bytes)) : 0);
    }
    case k_fifo:
        return outcome(mknodat(root, step.path, S_IFIFO | 0600, 0));
    case k_chmod:
        return outcome(fchmodat(root, step.path, step.number & 07777, 0));
    case k_chown:
        return outcome(fchownat(root, step.path, step.number % 100, step.number % 90, AT_SYMLINK_NOFOLLOW));
    case k_times: {
        const timespec times[2] = { { static_cast<time_t>(step.number), 5 }, { static_cast<time_t>(step.number / 3), 999999999 } };
        const int set = utimensat(root, step.path, times, AT_SYMLINK_NOFOLLOW);
        if (set || fstatat(root, step.path, &status, AT_SYMLINK_NOFOLLOW))
            return outcome(-1);
        return outcome(0, hash_of(&status.st_mtim, sizeof(status.st_mtim)) ^ static_cast<uint64_t>(status.st_atim.tv_sec));
    }
    default:
        if (fstatat(root, step.path, &status, step.number % 2 ? AT_SYMLINK_NOFOLLOW : 0))
            return outcome(-1);
        return outcome(status);
    }
}

Outcome Side::on_file(const Step& step)
{
    const Outcome opened = open_at(step.path, step.kind == k_truncate ? O_WRONLY : O_RDONLY);
    if (opened.error)
        return opened;
    if (step.kind == k_open) {
        int& handle = handles[step.number % k_handles];
        if (handle >= 0)
            close(handle);
        handle = -1;
        close(static_cast<int>(opened.result));
        const Outcome kept = open_at(step.path, O_RDWR);
        handle = kept.error ? -1 : static_cast<int>(kept.result);
        return { 0, kept.error, 0 };
    }
    Opened file(static_cast<int>(opened.result));
    switch (step.kind) {
    case k_truncate:
        return outcome(ftruncate(file.fd, static_cast<off_t>(step.number % 3 ? step.offset : 0)));
    case k_sync:
        return outcome(step.number % 2 ? fsync(file.fd) : fdatasync(file.fd));
    case k_holes:
        return { check_holes(file.fd), 0, 0 };
    default:
        return read_at(file.fd, step);
    }
}

Outcome Side::run(const Step& step)
{
    switch (step.kind) {
    case k_write:
        return write_at(step, O_CREAT | (step.number % 16 ? 0 : O_EXCL) | (step.number % 8 ? 0 : O_SYNC));
    case k_append:
        return write_at(step, O_APPEND);
    case k_rewrite:
        return write_at(step, O_TRUNC);
    case k_direct:
        return direct(step);
    case k_punch:
        return punch(step);
    case k_list:
        return list(step);
    case k_map:
        return map(step);
    case k_unnamed:
        return unnamed(step);
    case k_copy:
        return copy(step);
    case k_clone:
        return clone(step);
    case k_on_handle:
        return on_handle(step);
    case k_flags:
        return set_flags(step);
    case k_xattr: {
        uint64_t content;
        const long result = call_xattr(root, step.path, step.number, step.data, step.length, content);
        return outcome(result, content);
    }
    case k_read:
    case k_truncate:
    case k_sync:
    case k_holes:
    case k_open:
        return on_file(step);
    default:
        return on_name(step);
    }
}

void draw_path(Random& random, char (&path)[40])
{
    path[0] = 0;
    for (uint64_t depth = random.below(3); depth > 0; depth--)
        snprintf(path + strlen(path), sizeof(path) - strlen(path), "d%u/", static_cast<unsigned>(random.below(3)));
    const char* const kinds = random.one_in(4) ? "d" : "f";
    snprintf(path + strlen(path), sizeof(path) - strlen(path), "%s%u", kinds, static_cast<unsigned>(random.below(*kinds == 'd' ? 3 : 7)));
    if (random.one_in(200))
        snprintf(path + strlen(path), sizeof(path) - strlen(path), "/..");
}

void draw(Random& random, Step& step)
{
    step.kind = static_cast<Kind>(random.below(k_kinds));
    // Data more often than names: there is more that can go wrong.
    if (random.one_in(3))
        step.kind = static_cast<Kind>(random.below(k_punch + 1));
    draw_path(random, step.path);
    draw_path(random, step.other);
    step.offset = random.one_in(3) ? random.below(k_largest) : random.below(k_largest / 8);
    step.length = random.one_in(4) ? random.below(sizeof(step.data)) : random.below(6000);
    if (random.one_in(3))
        step.offset &= ~4095ull;
    if (random.one_in(4))
        step.length = (step.length + 4095) & ~4095ull;
    if (step.length == 0 || step.length > sizeof(step.data))
        step.length = 4096;
    step.number = random.below(1u << 30);
    const uint8_t fill = static_cast<uint8_t>(random.below(255) + 1);
    memset(step.data, fill, step.length);
    memcpy(step.data, &step.number, sizeof(step.number) < step.length ? sizeof(step.number) : step.length);
}

}

int differ(int count, char** words)
{
    if (count != 4)
        fail("differ DIRECTORY OTHER OPERATIONS SEED");
    umask(0);
    Side sides[2] = { Side(words[0]), Side(words[1]) };
    sides[0].clones = sides[1].clones = can_clone(sides[0].root) && can_clone(sides[1].root);
    const uint64_t operations = strtoull(words[2], nullptr, 10);
    Random random(strtoull(words[3], nullptr, 10));
    static Step step;
    uint64_t good = 0;
    for (uint64_t i = 0; i < operations; i++) {
        draw(random, step);
        const Outcome outcomes[2] = { sides[0].run(step), sides[1].run(step) };
        const bool opens = outcomes[0].error == 0 && outcomes[1].error == 0 && step.kind == k_open;
        if (!opens && !(outcomes[0] == outcomes[1])) {
            outcomes[0].say();
            outcomes[1].say();
            fail("operation %llu, %s %s (%s, offset %llu, length %llu, number %llu)",
                 static_cast<unsigned long long>(i), k_kind_names[step.kind], step.path, step.other,
                 static_cast<unsigned long long>(step.offset), static_cast<unsigned long long>(step.length),
                 static_cast<unsigned long long>(step.number));
        }
        good += outcomes[0].error == 0;
        if (i % 2000 == 1999)
            compare_trees(sides[0].root, sides[1].root);
    }
    compare_trees(sides[0].root, sides[1].root);
    printf("%llu operations, %llu of them done, no difference\n", static_cast<unsigned long long>(operations),
           static_cast<unsigned long long>(good));
    return 0;
}

int same_trees(int count, char** words)
{
    if (count != 2)
        fail("same DIRECTORY OTHER");
    const Side a(words[0]), b(words[1]);
    compare_trees(a.root, b.root);
    return 0;
}

}
