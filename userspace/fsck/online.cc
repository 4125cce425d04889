// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/fsck/online.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/vfs/ioctl_abi.h"
#include "userspace/common/devices.h"
#include "userspace/common/message.h"
#include "userspace/common/mounts.h"

namespace lcpfs::tool {

namespace {

// A bitmap is only kept for two groups: one that is gone before it was read is tried again with a newer group.
constexpr unsigned k_tries = 4;

class KeptGroup {
public:
    ~KeptGroup()
    {
        if (m_descriptor >= 0)
            close(m_descriptor);
    }
    // Of what is committed once everything done before has been. False: said why. Whose group it is, is known from then on.
    bool keep(const std::string& directory)
    {
        const int at = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (at < 0) {
            complain("{}: {}", directory, strerror(errno));
            return false;
        }
        (void)syncfs(at); // a pool that has stopped writing can be checked as well
        m_descriptor = ioctl(at, LCPFS_IOCTL_KEEP_GROUP);
        const int error = errno;
        close(at);
        if (m_descriptor < 0) {
            complain("{}: {}", directory,
                     error == ENOTTY       ? "no lcpfs is mounted there"
                         : error == EBUSY ? "the pool is being checked already"
                                          : strerror(error));
            return false;
        }
        (void)is_kept(); // that it may have been given up by now is told at the end
        return true;
    }
    bool is_kept() { return ioctl(m_descriptor, LCPFS_IOCTL_KEPT_GROUP, &m_answer) == 0 && m_answer.is_kept; }
    uint64_t group() const { return m_answer.group; }
    std::vector<std::string> devices() const
    {
        std::vector<std::string> paths;
        for (const FoundDevice& device : find_devices({}))
            if (memcmp(device.label.pool_guid, m_answer.pool_guid, sizeof(m_answer.pool_guid)) == 0)
                paths.push_back(device.path);
        return paths;
    }

private:
    int m_descriptor { -1 };
    lcpfs_ioctl_kept_group m_answer {};
};

}

std::string mount_of_pool(const std::string& word)
{
    struct stat status;
    const bool is_there = stat(word.c_str(), &status) == 0;
    if (is_there && S_ISDIR(status.st_mode))
        return word;
    const std::vector<Mount> mounted = lcpfs_mounts();
    if (mounted.empty() || (is_there && !S_ISBLK(status.st_mode)))
        return {};
    const std::vector<FoundDevice> own = is_there ? find_devices({ word }) : std::vector<FoundDevice>();
    for (const Mount& mount : mounted) {
        for (const FoundDevice& device : find_devices({ mount.device })) {
            const bool is_it = own.empty() ? !is_there && word == device.label.name
                                           : memcmp(own[0].label.pool_guid, device.label.pool_guid, sizeof(device.label.pool_guid)) == 0;
            if (is_it)
                return mount.directory;
        }
    }
    return {};
}

int check_online(const Options& options, const std::string& directory)
{
    for (unsigned tries = 1;; tries++) {
        KeptGroup kept;
        if (!kept.keep(directory))
            return k_operational;
        OpenPool pool;
        const int opened = pool.open(kept.devices(), kept.group());
        if (opened)
            return opened == -EUCLEAN && kept.is_kept() ? k_uncorrected : k_operational;
        if (core_pool_load_bitmaps(pool.get()) && tries < k_tries)
            continue;
        const int result = check_pool(pool.get(), options, [&kept] { return kept.is_kept(); });
        if (kept.is_kept())
            return result;
        complain("the pool needed the space of what was being checked and went on; check it again, or unmounted");
        return k_operational;
    }
}

}
