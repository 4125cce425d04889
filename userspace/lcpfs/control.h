// SPDX-License-Identifier: GPL-2.0-only
// /dev/lcpfs-control, open for the length of a verb.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shim/vfs/ioctl_abi.h"
#include "userspace/common/message.h"

namespace lcpfs::tool {

class Control {
public:
    Control() : m_descriptor(open("/dev/" LCPFS_CONTROL_NAME, O_RDWR | O_CLOEXEC))
    {
        if (m_descriptor < 0)
            complain("/dev/{}: {}; is the module loaded?", LCPFS_CONTROL_NAME, strerror(errno));
    }
    ~Control()
    {
        if (m_descriptor >= 0)
            close(m_descriptor);
    }
    Control(const Control&) = delete;
    explicit operator bool() const { return m_descriptor >= 0; }
    int call(unsigned long command, void* argument) const { return ioctl(m_descriptor, command, argument) == 0 ? 0 : errno; }

private:
    int m_descriptor;
};

}
