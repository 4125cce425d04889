// SPDX-License-Identifier: GPL-2.0-only
// A device or an image file, by plain reads and writes: nothing of the filesystem between.
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "core/base/types.h"

namespace lcpfs::guest {

class RawDevice {
public:
    RawDevice() = default;
    RawDevice(RawDevice&& other) { take(other); }
    RawDevice& operator=(RawDevice&& other)
    {
        take(other);
        return *this;
    }
    ~RawDevice()
    {
        if (m_descriptor >= 0)
            close(m_descriptor);
    }
    bool open(const std::string& path, bool read_only, int flags = 0)
    {
        m_path = path;
        m_descriptor = ::open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | flags);
        const off_t end = m_descriptor < 0 ? -1 : lseek(m_descriptor, 0, SEEK_END);
        if (end < 0)
            return complain("open");
        m_bytes = static_cast<u64>(end);
        return true;
    }
    const std::string& path() const { return m_path; }
    u64 bytes() const { return m_bytes; }
    bool read(u64 offset, void* data, size_t bytes) const
    {
        return pread(m_descriptor, data, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes) || complain("read");
    }
    bool write(u64 offset, const void* data, size_t bytes) const
    {
        return pwrite(m_descriptor, data, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes)
            || complain("write");
    }
    // False: a hole, all zeros.
    bool has_data(u64 offset, u64 bytes) const
    {
        const off_t data = lseek(m_descriptor, static_cast<off_t>(offset), SEEK_DATA);
        return data >= 0 && static_cast<u64>(data) < offset + bytes;
    }
    bool sync() const { return fsync(m_descriptor) == 0 || complain("sync"); }

private:
    void take(RawDevice& other)
    {
        std::swap(m_descriptor, other.m_descriptor);
        std::swap(m_path, other.m_path);
        std::swap(m_bytes, other.m_bytes);
    }
    bool complain(const char* what) const
    {
        fprintf(stderr, "guestkit: %s: cannot %s\n", m_path.c_str(), what);
        return false;
    }
    int m_descriptor { -1 };
    std::string m_path;
    u64 m_bytes { 0 };
};

}
