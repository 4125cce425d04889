// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/mkfs/populate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>

#include "userspace/common/message.h"

namespace lcpfs::tool {

namespace {

// Made by one thread: one write at a time, of up to 1 MiB.
class Waiting {
public:
    static void done(void* self, int error)
    {
        Waiting& waiting = *static_cast<Waiting*>(self);
        const std::lock_guard<std::mutex> guard(waiting.m_lock);
        waiting.m_error = error;
        waiting.m_done = true;
        waiting.m_changed.notify_one();
    }
    int wait()
    {
        std::unique_lock<std::mutex> guard(m_lock);
        m_changed.wait(guard, [this] { return m_done; });
        return m_error;
    }

private:
    std::mutex m_lock;
    std::condition_variable m_changed;
    bool m_done { false };
    int m_error { 0 };
};

struct Closer {
    void operator()(core_object* object) const { core_object_put(object); }
    void operator()(DIR* directory) const { closedir(directory); }
    void operator()(uint8_t* memory) const { free(memory); }
};
using Object = std::unique_ptr<core_object, Closer>;

core_time time_of(const timespec& time) { return { time.tv_sec, static_cast<uint32_t>(time.tv_nsec) }; }

class Populate {
public:
    Populate(core_pool* pool, const std::string& folder) : m_pool(pool), m_folder(folder)
    {
        timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        m_now = time_of(now);
    }
    bool run();

private:
    static constexpr size_t k_window_bytes = CORE_WRITE_MAX_BLOCKS * CORE_BLOCK_SIZE;
    bool fail(const std::string& path, int error) const
    {
        complain("{}: {}", path, reason(error));
        return false;
    }
    bool fail(const std::string& path) const { return fail(path, -errno); }
    bool count(const std::string& path);
    bool fill_directory(core_object* directory, const std::string& path);
    bool add(core_object* directory, const std::string& path, const std::string& name);
    bool copy_data(core_object* object, const std::string& path, uint64_t size);
    bool copy_range(core_object* object, int file, const std::string& path, uint64_t from, uint64_t to, uint64_t size);
    bool copy_xattrs(core_object* object, const std::string& path);
    bool set_attributes(core_object* object, const struct stat& status, const std::string& path);
    void advance(uint64_t bytes) { m_progress.update(m_done += bytes, m_total); }

    core_pool* m_pool;
    const std::string m_folder;
    core_time m_now {};
    dev_t m_device { 0 };
    uint64_t m_total { 0 }, m_done { 0 };
    Progress m_progress { "copying" };
    std::map<ino_t, uint64_t> m_links; // with several names: the object that was made for it
    std::unique_ptr<uint8_t, Closer> m_window;
    core_dataset* m_dataset { nullptr };
};

// A file counts 4 KiB beyond its data, for the work of making it.
bool Populate::count(const std::string& path)
{
    const std::unique_ptr<DIR, Closer> directory(opendir(path.c_str()));
    if (!directory)
        return fail(path);
    while (const dirent* entry = readdir(directory.get())) {
        const std::string name = entry->d_name;
        struct stat status;
        if (name == "." || name == "..")
            continue;
        if (lstat((path + "/" + name).c_str(), &status) != 0)
            return fail(path + "/" + name);
        m_total += CORE_BLOCK_SIZE + (S_ISREG(status.st_mode) ? static_cast<uint64_t>(status.st_blocks) * 512 : 0);
        if (S_ISDIR(status.st_mode) && status.st_dev == m_device && !count(path + "/" + name))
            return false;
    }
    return true;
}

bool Populate::copy_range(core_object* object, int file, const std::string& path, uint64_t from, uint64_t to, uint64_t size)
{
    for (uint64_t at = from; at < to; at += k_window_bytes) {
        const size_t wanted = std::min<uint64_t>(k_window_bytes, to - at);
        size_t got = 0;
        while (got < wanted) {
            const ssize_t bytes = pread(file, m_window.get() + got, wanted - got, static_cast<off_t>(at + got));
            if (bytes < 0 && errno == EINTR)
                continue;
            if (bytes <= 0)
                return bytes < 0 ? fail(path) : fail(path, -EIO);
            got += static_cast<size_t>(bytes);
        }
        const size_t blocks = (got + CORE_BLOCK_SIZE - 1) / CORE_BLOCK_SIZE;
        memset(m_window.get() + got, 0, blocks * CORE_BLOCK_SIZE - got);
        if (const int error = core_reserve(object, blocks))
            return fail(path, error);
        const core_segment segment { m_window.get(), static_cast<uint32_t>(blocks * CORE_BLOCK_SIZE) };
        Waiting waiting;
        core_write(object, at / CORE_BLOCK_SIZE, &segment, 1, size, Waiting::done, &waiting);
        if (const int error = waiting.wait())
            return fail(path, error);
        advance(got);
    }
    return true;
}

// What is data; holes stay holes.
bool Populate::copy_data(core_object* object, const std::string& path, uint64_t size)
{
    const int file = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0)
        return fail(path);
    bool good = true;
    for (uint64_t at = 0; at < size && good;) {
        const off_t data = lseek(file, static_cast<off_t>(at), SEEK_DATA);
        if (data < 0) {
            good = errno == ENXIO || fail(path); // a hole to the end
            break;
        }
        const off_t hole = lseek(file, data, SEEK_HOLE);
        const uint64_t from = static_cast<uint64_t>(data) / CORE_BLOCK_SIZE * CORE_BLOCK_SIZE;
        const uint64_t end = hole < 0 ? size : (static_cast<uint64_t>(hole) + CORE_BLOCK_SIZE - 1) / CORE_BLOCK_SIZE * CORE_BLOCK_SIZE;
        good = copy_range(object, file, path, from, std::min(end, size), size);
        at = std::max(end, at + 1);
    }
    close(file);
    core_attr attr;
    core_object_attr(object, &attr);
    if (const int error = good && attr.size_bytes != size ? core_truncate(object, size, m_now) : 0)
        good = fail(path, error);
    return good;
}

bool Populate::copy_xattrs(core_object* object, const std::string& path)
{
    const ssize_t bytes = llistxattr(path.c_str(), nullptr, 0);
    if (bytes < 0 && errno != ENOTSUP)
        return fail(path);
    std::string names(static_cast<size_t>(std::max<ssize_t>(bytes, 0)), '\0');
    if (bytes > 0 && llistxattr(path.c_str(), names.data(), names.size()) != bytes)
        return fail(path, -EBUSY);
    for (size_t at = 0; at < names.size(); at += strlen(names.c_str() + at) + 1) {
        const char* const name = names.c_str() + at;
        std::string value(CORE_XATTR_VALUE_MAX, '\0');
        const ssize_t length = lgetxattr(path.c_str(), name, value.data(), value.size());
        if (length < 0)
            return fail(path + ": " + name);
        const core_xattr xattr { name, static_cast<uint32_t>(strlen(name)), value.data(), static_cast<uint32_t>(length) };
        if (const int error = core_xattr_set(object, &xattr, 0, nullptr, 0)) {
            if (error != -EOPNOTSUPP)
                return fail(path + ": " + name, error);
            complain("{}: {}: an attribute of a kind that lcpfs does not keep; left out", path, name);
        }
    }
    return true;
}

bool Populate::set_attributes(core_object* object, const struct stat& status, const std::string& path)
{
    core_attr attr {};
    attr.mode = status.st_mode;
    attr.uid = status.st_uid;
    attr.gid = status.st_gid;
    attr.atime = time_of(status.st_atim);
    attr.mtime = time_of(status.st_mtim);
    const int error = core_object_set_attr(object, &attr, CORE_SET_MODE | CORE_SET_UID | CORE_SET_GID | CORE_SET_ATIME | CORE_SET_MTIME);
    return error == 0 || fail(path, error);
}

bool Populate::add(core_object* directory, const std::string& path, const std::string& name)
{
    struct stat status;
    if (lstat(path.c_str(), &status) != 0)
        return fail(path);
    advance(CORE_BLOCK_SIZE);
    const auto length = static_cast<uint32_t>(name.size());
    core_object* found = nullptr;
    if (const auto known = m_links.find(status.st_ino); known != m_links.end() && status.st_dev == m_device) {
        int error = core_object_get(m_dataset, known->second, 0, &found);
        const Object object(found);
        error = error ? error : core_link(directory, name.c_str(), length, found, m_now);
        return error == 0 || fail(path, error);
    }
    char target[4096];
    core_new how {};
    how.mode = status.st_mode;
    how.uid = status.st_uid;
    how.gid = status.st_gid;
    how.rdev = (minor(status.st_rdev) & 0xff) | major(status.st_rdev) << 8 | (minor(status.st_rdev) & ~0xffu) << 12;
    how.time = m_now;
    if (S_ISLNK(status.st_mode)) {
        const ssize_t bytes = readlink(path.c_str(), target, sizeof(target));
        if (bytes < 0)
            return fail(path);
        how.target = target;
        how.target_length = static_cast<uint32_t>(bytes);
    }
    if (const int error = core_create(directory, name.c_str(), length, &how, &found))
        return fail(path, error);
    const Object object(found);
    if (!S_ISDIR(status.st_mode) && status.st_nlink > 1 && status.st_dev == m_device) {
        core_attr attr;
        core_object_attr(found, &attr);
        m_links[status.st_ino] = attr.id;
    }
    bool good = copy_xattrs(found, path);
    if (good && S_ISREG(status.st_mode))
        good = copy_data(found, path, static_cast<uint64_t>(status.st_size));
    if (good && S_ISDIR(status.st_mode) && status.st_dev == m_device)
        good = fill_directory(found, path);
    return good && set_attributes(found, status, path);
}

bool Populate::fill_directory(core_object* object, const std::string& path)
{
    const std::unique_ptr<DIR, Closer> directory(opendir(path.c_str()));
    if (!directory)
        return fail(path);
    while (const dirent* entry = readdir(directory.get())) {
        const std::string name = entry->d_name;
        if (name != "." && name != ".." && !add(object, path + "/" + name, name))
            return false;
    }
    return true;
}

bool Populate::run()
{
    struct stat status;
    if (stat(m_folder.c_str(), &status) != 0)
        return fail(m_folder);
    m_device = status.st_dev;
    m_window.reset(static_cast<uint8_t*>(aligned_alloc(CORE_BLOCK_SIZE, k_window_bytes)));
    if (!m_window)
        return fail(m_folder, -ENOMEM);
    if (!count(m_folder))
        return false;
    if (const int error = core_dataset_get(m_pool, "", &m_dataset))
        return fail(m_folder, error);
    core_object* found = nullptr;
    const int error = core_object_get(m_dataset, CORE_ROOT_OBJECT, 0, &found);
    bool good = error == 0 || fail(m_folder, error);
    {
        const Object root(found);
        good = good && copy_xattrs(found, m_folder) && fill_directory(found, m_folder) && set_attributes(found, status, m_folder);
    }
    core_dataset_put(m_dataset);
    return good;
}

}

bool populate(const Devices& devices, const std::string& folder)
{
    core_pool_options options {};
    core_pool* pool = nullptr;
    if (const int error = core_pool_open(devices.data(), devices.count(), &options, &pool)) {
        complain("the new pool cannot be opened: {}", reason(error));
        return false;
    }
    bool good = Populate(pool, folder).run();
    if (const int error = core_pool_close(pool)) {
        complain("what was copied cannot be written: {}", reason(error));
        good = false;
    }
    return good;
}

}
