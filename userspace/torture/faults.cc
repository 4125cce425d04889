// SPDX-License-Identifier: GPL-2.0-only
// Each allocation of memory and each request to a device that one system call makes fails in turn (/proc/thread-self/fail-nth of
// the kernel's fault injection): the first, then the second alone, and so on until the call does not come to so many. It gives what
// was asked for or an error that says so, and a file that nobody touches stays what it was.
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <dirent.h>
#include <unistd.h>

#include "userspace/torture/torture.h"

namespace torture {

namespace {

constexpr size_t k_bytes = 96 * 1024;
alignas(4096) unsigned char buffer[k_bytes];

struct Ground {
    std::string base;
    int directory { -1 }, file { -1 }, direct { -1 }, kept { -1 }, packed { -1 };
    void* map { nullptr };
    std::string path(const char* name) const { return base + "/" + name; }
};

using Act = long (*)(Ground& ground);
struct Operation {
    const char* name;
    Act act;
};

long allocate(Ground& ground, int mode) { return fallocate(ground.file, mode, 8192, 20480); }

long compress(int file)
{
    int flags = 0;
    if (ioctl(file, FS_IOC_GETFLAGS, &flags))
        return -1;
    flags |= FS_COMPR_FL;
    return ioctl(file, FS_IOC_SETFLAGS, &flags);
}

long dedupe(int from, int to)
{
    alignas(file_dedupe_range) unsigned char memory[sizeof(file_dedupe_range) + sizeof(file_dedupe_range_info)] {};
    file_dedupe_range& request = *reinterpret_cast<file_dedupe_range*>(memory);
    request.src_length = 65536;
    request.dest_count = 1;
    request.info[0].dest_fd = to;
    if (ioctl(from, FIDEDUPERANGE, &request))
        return -1;
    if (request.info[0].status >= 0)
        return 0;
    errno = -request.info[0].status;
    return -1;
}

// Owner, one named user, group, mask, others; as the kernel takes it (linux/posix_acl_xattr.h).
long set_acl(int file, const char* name)
{
    struct Entry {
        uint16_t tag, permissions;
        uint32_t id;
    };
    const struct {
        uint32_t version;
        Entry entries[5];
    } acl { 2, { { 1, 7, ~0u }, { 2, 5, 70 }, { 4, 5, ~0u }, { 0x10, 5, ~0u }, { 0x20, 4, ~0u } } };
    return fsetxattr(file, name, &acl, sizeof(acl), 0);
}

long set_project(int file)
{
    fsxattr attributes;
    if (ioctl(file, FS_IOC_FSGETXATTR, &attributes))
        return -1;
    attributes.fsx_projid = 42;
    return ioctl(file, FS_IOC_FSSETXATTR, &attributes);
}

long map_extents(int file)
{
    alignas(fiemap) unsigned char memory[sizeof(fiemap) + 8 * sizeof(fiemap_extent)] {};
    fiemap& request = *reinterpret_cast<fiemap*>(memory);
    request.fm_length = ~0ull;
    request.fm_flags = FIEMAP_FLAG_SYNC;
    request.fm_extent_count = 8;
    return ioctl(file, FS_IOC_FIEMAP, &request);
}

long read_mapped(int file)
{
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    void* const memory = mmap(nullptr, k_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
    return memory == MAP_FAILED ? -1 : munmap(memory, k_bytes);
}

const Operation k_operations[] = {
    { "create", [](Ground& g) -> long { return close(open(g.path("new").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600)); } },
    { "unnamed", [](Ground& g) -> long { return close(open(g.base.c_str(), O_TMPFILE | O_WRONLY, 0600)); } },
    { "mkdir", [](Ground& g) -> long { return mkdir(g.path("new").c_str(), 0700); } },
    { "symlink", [](Ground& g) -> long { return symlink(std::string(3000, 'x').c_str(), g.path("new").c_str()); } },
    { "link", [](Ground& g) -> long { return link(g.path("kept").c_str(), g.path("new").c_str()); } },
    { "rename", [](Ground& g) -> long { return rename(g.path("file").c_str(), g.path("new").c_str()); } },
    { "unlink", [](Ground& g) -> long { return unlink(g.path("file").c_str()); } },
    { "stat", [](Ground& g) -> long { struct stat status; return stat(g.path("file").c_str(), &status); } },
    { "list", [](Ground& g) -> long {
          DIR* const list = opendir(g.base.c_str());
          if (!list)
              return -1;
          errno = 0;
          while (readdir(list)) { }
          const int error = errno;
          closedir(list);
          errno = error;
          return error ? -1 : 0;
      } },
    { "write", [](Ground& g) -> long { return pwrite(g.file, buffer, k_bytes, 4096); } },
    { "append", [](Ground& g) -> long { return pwrite(g.file, buffer, 5000, k_bytes - 100); } },
    { "fsync", [](Ground& g) -> long { return pwrite(g.file, buffer, 8192, 0) < 0 ? -1 : fsync(g.file); } },
    { "fsync-much", [](Ground& g) -> long { return pwrite(g.file, buffer, k_bytes, 0) < 0 ? -1 : fsync(g.file); } },
    { "fsync-directory", [](Ground& g) -> long { return fsync(g.directory); } },
    { "syncfs", [](Ground& g) -> long { return syncfs(g.directory); } },
    { "read", [](Ground& g) -> long {
          posix_fadvise(g.kept, 0, 0, POSIX_FADV_DONTNEED);
          return pread(g.kept, buffer, k_bytes, 0);
      } },
    { "direct-read", [](Ground& g) -> long { return pread(g.direct, buffer, k_bytes, 0); } },
    { "direct-write", [](Ground& g) -> long { return pwrite(g.direct, buffer, 65536, 0); } },
    { "msync", [](Ground& g) -> long {
          static_cast<volatile unsigned char*>(g.map)[0] = 1; // the page is there and writable
          return msync(g.map, 4096, MS_SYNC);
      } },
    { "truncate", [](Ground& g) -> long { return ftruncate(g.file, 5000); } },
    { "grow", [](Ground& g) -> long { return ftruncate(g.file, 1 << 20); } },
    { "allocate", [](Ground& g) -> long { return fallocate(g.file, 0, 0, 1 << 20); } },
    { "punch", [](Ground& g) { return allocate(g, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE); } },
    { "zero", [](Ground& g) { return allocate(g, FALLOC_FL_ZERO_RANGE); } },
    { "collapse", [](Ground& g) { return allocate(g, FALLOC_FL_COLLAPSE_RANGE); } },
    { "insert", [](Ground& g) { return allocate(g, FALLOC_FL_INSERT_RANGE); } },
    { "clone", [](Ground& g) -> long { return ioctl(g.file, FICLONE, g.kept); } },
    { "unshare", [](Ground& g) -> long {
          return ioctl(g.file, FICLONE, g.kept) ? -1 : fallocate(g.file, FALLOC_FL_UNSHARE_RANGE, 0, 65536);
      } },
    { "clone-range", [](Ground& g) -> long {
          const file_clone_range range { g.kept, 8192, 40960, 4096 };
          return ioctl(g.file, FICLONERANGE, &range);
      } },
    { "clone-sync", [](Ground& g) -> long { return ioctl(g.file, FICLONE, g.kept) ? -1 : fsync(g.file); } },
    { "dedupe", [](Ground& g) -> long {
          return ioctl(g.file, FICLONE, g.kept) || pwrite(g.file, "o", 1, 90000) < 0 ? -1 : dedupe(g.kept, g.file);
      } },
    { "copy", [](Ground& g) -> long {
          off_t in = 100, out = 5000;
          return copy_file_range(g.kept, &in, g.file, &out, 50000, 0);
      } },
    { "write-allocated", [](Ground& g) -> long {
          if (fallocate(g.file, 0, k_bytes, 65536) || pwrite(g.file, buffer, 20480, k_bytes + 8192) < 0)
              return -1;
          return fsync(g.file);
      } },
    { "packed-write", [](Ground& g) -> long { return compress(g.file) || pwrite(g.file, buffer, k_bytes, 0) < 0 ? -1 : fsync(g.file); } },
    { "packed-cut", [](Ground& g) -> long {
          if (ioctl(g.file, FICLONE, g.packed) || pwrite(g.file, buffer, 5000, 20000) < 0 || fsync(g.file))
              return -1;
          return allocate(g, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) || ftruncate(g.file, 70000) ? -1 : fsync(g.file);
      } },
    { "packed-move", [](Ground& g) -> long {
          if (ioctl(g.file, FICLONE, g.packed) || allocate(g, FALLOC_FL_COLLAPSE_RANGE) || allocate(g, FALLOC_FL_INSERT_RANGE))
              return -1;
          return fsync(g.file);
      } },
    { "packed-read", [](Ground& g) -> long {
          posix_fadvise(g.packed, 0, 0, POSIX_FADV_DONTNEED);
          return pread(g.packed, buffer, k_bytes, 0);
      } },
    { "read-mapped", [](Ground& g) -> long { return read_mapped(g.kept); } },
    { "extents", [](Ground& g) -> long { return map_extents(g.kept); } },
    { "holes", [](Ground& g) -> long { return lseek(g.kept, 0, SEEK_HOLE); } },
    { "exchange", [](Ground& g) -> long {
          return renameat2(AT_FDCWD, g.path("file").c_str(), AT_FDCWD, g.path("other").c_str(), RENAME_EXCHANGE);
      } },
    { "whiteout", [](Ground& g) -> long {
          return renameat2(AT_FDCWD, g.path("file").c_str(), AT_FDCWD, g.path("new").c_str(), RENAME_WHITEOUT);
      } },
    { "mknod", [](Ground& g) -> long { return mknod(g.path("new").c_str(), S_IFIFO | 0600, 0); } },
    { "access-list", [](Ground& g) { return set_acl(g.file, "system.posix_acl_access"); } },
    { "default-list", [](Ground& g) -> long {
          if (mkdir(g.path("new").c_str(), 0700))
              return -1;
          const int made = open(g.path("new").c_str(), O_RDONLY | O_DIRECTORY);
          const long result = made < 0 ? -1 : set_acl(made, "system.posix_acl_default");
          const int error = errno;
          close(made);
          errno = error;
          return result;
      } },
    { "removexattr", [](Ground& g) -> long {
          return fsetxattr(g.file, "user.small", buffer, 50, 0) ? -1 : fremovexattr(g.file, "user.small");
      } },
    { "listxattr", [](Ground& g) -> long { return flistxattr(g.kept, reinterpret_cast<char*>(buffer), sizeof(buffer)); } },
    { "project", [](Ground& g) { return set_project(g.file); } },
    { "setxattr", [](Ground& g) -> long { return fsetxattr(g.file, "user.large", buffer, 9000, 0); } },
    { "getxattr", [](Ground& g) -> long { return fgetxattr(g.kept, "user.kept", buffer, sizeof(buffer)); } },
    { "chmod", [](Ground& g) -> long { return fchmod(g.file, 0640); } },
    { "statfs", [](Ground& g) -> long { struct statfs status; return fstatfs(g.directory, &status); } },
};

// The n-th place from now on fails; 0: none does. Gives whether the last one named was come to.
class Nth {
public:
    Nth() : m_file(open("/proc/thread-self/fail-nth", O_RDWR))
    {
        if (m_file < 0)
            fail("no fault injection in this kernel: %s", strerror(errno));
    }
    void set(unsigned long number)
    {
        char text[24];
        const int bytes = snprintf(text, sizeof(text), "%lu", number);
        must(pwrite(m_file, text, static_cast<size_t>(bytes), 0) == bytes, "fail-nth");
    }
    bool was_reached()
    {
        char text[24] {};
        must(pread(m_file, text, sizeof(text) - 1, 0) > 0, "fail-nth");
        return strtoul(text, nullptr, 10) == 0;
    }

private:
    int m_file;
};

void fill(unsigned char with) { memset(buffer, with, sizeof(buffer)); }

bool is_kept(int file)
{
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    if (pread(file, buffer, k_bytes, 0) != static_cast<ssize_t>(k_bytes))
        return false;
    for (unsigned char byte : buffer)
        if (byte != 'k')
            return false;
    return true;
}

// False: the filesystem has stopped writing.
bool make_ready(Ground& ground)
{
    unlink(ground.path("new").c_str());
    rmdir(ground.path("new").c_str());
    unlink(ground.path("file").c_str());
    unlink(ground.path("other").c_str());
    fill('f');
    const int other = open(ground.path("other").c_str(), O_CREAT | O_RDWR, 0600);
    must(other >= 0 || errno == EROFS || errno == EIO, "making ready");
    if (other < 0)
        return false;
    close(other);
    ground.file = open(ground.path("file").c_str(), O_CREAT | O_RDWR | O_TRUNC, 0600);
    if (ground.file < 0 || pwrite(ground.file, buffer, k_bytes, 0) != static_cast<ssize_t>(k_bytes) || fsync(ground.file)) {
        must(errno == EROFS || errno == EIO, "making ready");
        return false;
    }
    ground.direct = open(ground.path("file").c_str(), O_RDWR | O_DIRECT);
    must(ground.direct >= 0, "open");
    ground.map = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ground.file, 0);
    must(ground.map != MAP_FAILED, "mmap");
    static_cast<volatile unsigned char*>(ground.map)[0] = 2;
    return true;
}

void let_go(Ground& ground)
{
    if (ground.map)
        munmap(ground.map, 4096);
    close(ground.direct);
    close(ground.file);
    ground.map = nullptr;
    ground.direct = ground.file = -1;
}

int make_kept(const Ground& ground, const char* name, bool is_packed)
{
    fill('k');
    const int file = open(ground.path(name).c_str(), O_CREAT | O_RDWR, 0600);
    struct stat status;
    must(file >= 0 && !fstat(file, &status), name);
    if (status.st_size == 0)
        must((!is_packed || !compress(file)) && pwrite(file, buffer, k_bytes, 0) == static_cast<ssize_t>(k_bytes)
                 && !fsetxattr(file, "user.kept", buffer, 7000, 0) && !fsync(file), name);
    return file;
}

}

// Ends with 3, and says where to go on, when a fault made the filesystem stop writing: it wants to be mounted anew.
int faults(int count, char** words)
{
    if (count != 4)
        fail("faults DIRECTORY OPERATION FIRST MOST");
    const Operation* operation = nullptr;
    for (const Operation& one : k_operations)
        if (!strcmp(words[1], one.name))
            operation = &one;
    if (!operation) {
        for (const Operation& one : k_operations)
            printf("%s ", one.name);
        return 0;
    }
    Ground ground;
    ground.base = words[0];
    ground.directory = open(words[0], O_RDONLY | O_DIRECTORY);
    ground.kept = make_kept(ground, "kept", false);
    ground.packed = make_kept(ground, "packed", true);
    Nth nth;
    unsigned long number = strtoul(words[2], nullptr, 10), errors = 0;
    const unsigned long most = strtoul(words[3], nullptr, 10);
    for (;; number++) {
        if (!make_ready(ground)) {
            printf("stopped %lu\n", number);
            return 3;
        }
        fill('o');
        nth.set(number);
        const long result = operation->act(ground);
        const int error = result < 0 ? errno : 0;
        const bool reached = nth.was_reached();
        nth.set(0);
        let_go(ground);
        errors += error != 0;
        if (error && !reached)
            fail("%s without a fault: %s", operation->name, strerror(error));
        if (error == EUCLEAN || error == EFAULT || error == EINVAL)
            fail("%s with the fault at %lu: %s", operation->name, number, strerror(error));
        if (!is_kept(ground.kept) || !is_kept(ground.packed))
            fail("%s with the fault at %lu: another file has changed", operation->name, number);
        if (!reached || number >= most)
            break;
    }
    printf("%s: %lu places, %lu errors\n", operation->name, number - 1, errors);
    return 0;
}

}
