// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <memory>

#include "userspace/host/common/bdev.h"
#include "userspace/host/posix_bdev.h"

namespace lcpfs {
namespace {

class FileBdev final : public host_bdev {
public:
    FileBdev(int descriptor, bool is_block, bool is_direct, const std::string& path)
        : m_descriptor(descriptor)
        , m_is_block(is_block)
        , m_is_direct(is_direct)
        , m_path(path)
    {
        name = m_path.c_str();
    }
    ~FileBdev() override { close(m_descriptor); }
    void submit(IoRequest& request) override { request.complete(run(request)); }

private:
    static host_io_status status_of(int error)
    {
        switch (error) {
        case ENOSPC:
            return HOST_IO_NO_SPACE;
        case EOPNOTSUPP:
            return HOST_IO_NOT_SUPPORTED;
        case ENODATA:
            return HOST_IO_MEDIUM;
        case ETIMEDOUT:
            return HOST_IO_TIMEOUT;
        case ENODEV:
        case ENXIO:
            return HOST_IO_OFFLINE;
        case ENOMEM:
            return HOST_IO_NO_MEMORY;
        }
        return HOST_IO_ERROR;
    }

    host_io_status run(IoRequest& request)
    {
        const host_io& io = request.io;
        if ((io.flags & HOST_IO_PREFLUSH) && fdatasync(m_descriptor) != 0)
            return status_of(errno);
        switch (io.op) {
        case HOST_IO_READ:
            return transfer(request, false);
        case HOST_IO_WRITE:
            if (info.read_only)
                return HOST_IO_ERROR;
            if (host_io_status status = transfer(request, true); status != HOST_IO_OK)
                return status;
            if ((io.flags & HOST_IO_FUA) && fdatasync(m_descriptor) != 0)
                return status_of(errno);
            return HOST_IO_OK;
        case HOST_IO_FLUSH:
            return fdatasync(m_descriptor) == 0 ? HOST_IO_OK : status_of(errno);
        case HOST_IO_DISCARD:
            return discard(io);
        }
        return HOST_IO_NOT_SUPPORTED;
    }

    // Into memory that is aligned as any device wants it.
    host_io_status read_direct(IoRequest& request)
    {
        const size_t bytes = request.io.length_bytes;
        const std::unique_ptr<void, decltype(&free)> buffer(aligned_alloc(4096, (bytes + 4095) & ~size_t(4095)), free);
        if (!buffer)
            return HOST_IO_NO_MEMORY;
        for (size_t done = 0; done < bytes;) {
            const ssize_t part = pread(m_descriptor, static_cast<char*>(buffer.get()) + done, bytes - done,
                                       static_cast<off_t>(request.io.offset_bytes + done));
            if (part < 0 && errno == EINTR)
                continue;
            if (part <= 0)
                return part == 0 ? HOST_IO_ERROR : status_of(errno);
            done += static_cast<size_t>(part);
        }
        const char* from = static_cast<const char*>(buffer.get());
        for (const iovec& segment : request.segments) {
            memcpy(segment.iov_base, from, segment.iov_len);
            from += segment.iov_len;
        }
        return HOST_IO_OK;
    }

    host_io_status transfer(IoRequest& request, bool write)
    {
        if (m_is_direct)
            return read_direct(request);
        std::vector<iovec> left = request.segments;
        off_t offset = static_cast<off_t>(request.io.offset_bytes);
        for (size_t first = 0; first < left.size();) {
            int count = static_cast<int>(left.size() - first);
            ssize_t moved = write ? pwritev(m_descriptor, &left[first], count, offset)
                                  : preadv(m_descriptor, &left[first], count, offset);
            if (moved < 0 && errno == EINTR)
                continue;
            if (moved <= 0)
                return moved == 0 ? HOST_IO_ERROR : status_of(errno);
            offset += moved;
            for (size_t bytes = static_cast<size_t>(moved); bytes;) {
                size_t part = bytes < left[first].iov_len ? bytes : left[first].iov_len;
                left[first].iov_base = static_cast<char*>(left[first].iov_base) + part;
                left[first].iov_len -= part;
                bytes -= part;
                if (left[first].iov_len == 0)
                    first++;
            }
        }
        return HOST_IO_OK;
    }

    host_io_status discard(const host_io& io)
    {
        int error;
        if (m_is_block) {
            u64 range[2] = { io.offset_bytes, io.length_bytes };
            error = ioctl(m_descriptor, BLKDISCARD, range);
        } else {
            error = fallocate(m_descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(io.offset_bytes),
                              static_cast<off_t>(io.length_bytes));
        }
        return error == 0 ? HOST_IO_OK : status_of(errno);
    }

    int m_descriptor;
    bool m_is_block;
    bool m_is_direct;
    std::string m_path;
};

bool is_rotational(const struct stat& status)
{
    std::string path = "/sys/dev/block/" + std::to_string(status.st_rdev >> 8 & 0xfff) + ":"
        + std::to_string((status.st_rdev & 0xff) | (status.st_rdev >> 12 & 0xfff00)) + "/queue/rotational";
    char text = '0';
    int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor >= 0) {
        if (read(descriptor, &text, 1) != 1)
            text = '0';
        close(descriptor);
    }
    return text == '1';
}

// False when the descriptor is neither a file nor a block device, or its size cannot be had.
bool fill_info(int descriptor, const struct stat& status, host_bdev_info& info)
{
    info.logical_block_bytes = 512;
    info.physical_block_bytes = 4096;
    info.volatile_cache = true;
    info.fua = false;
    info.discard = true;
    if (S_ISREG(status.st_mode)) {
        info.capacity_bytes = static_cast<u64>(status.st_size) & ~4095ull;
        return true;
    }
    if (!S_ISBLK(status.st_mode))
        return false;
    int logical = 512;
    unsigned physical = 4096;
    if (ioctl(descriptor, BLKGETSIZE64, &info.capacity_bytes) != 0)
        return false;
    if (ioctl(descriptor, BLKSSZGET, &logical) == 0)
        info.logical_block_bytes = static_cast<u32>(logical);
    if (ioctl(descriptor, BLKPBSZGET, &physical) == 0)
        info.physical_block_bytes = physical;
    info.rotational = is_rotational(status);
    return true;
}

}

host_bdev* posix_bdev_open(const std::string& path, bool read_only, std::string& why, bool shared, bool direct)
{
    struct stat status;
    if (stat(path.c_str(), &status) != 0) {
        why = path + ": " + strerror(errno);
        return nullptr;
    }
    int flags = (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC;
    // Exclusive on a block device means: not mounted and not part of anything else.
    if (S_ISBLK(status.st_mode) && !read_only && !shared)
        flags |= O_EXCL;
    if (direct && read_only)
        flags |= O_DIRECT;
    int descriptor = ::open(path.c_str(), flags);
    if (descriptor < 0) {
        why = path + ": " + (errno == EBUSY ? "in use (mounted, or part of another device)" : strerror(errno));
        return nullptr;
    }
    host_bdev_info info {};
    if (fstat(descriptor, &status) != 0 || !fill_info(descriptor, status, info)) {
        why = path + ": neither a regular file nor a block device";
        close(descriptor);
        return nullptr;
    }
    info.read_only = read_only;
    FileBdev* bdev = new FileBdev(descriptor, S_ISBLK(status.st_mode), flags & O_DIRECT, path);
    bdev->info = info;
    return bdev;
}

void posix_bdev_close(host_bdev* bdev) { delete bdev; }

}
