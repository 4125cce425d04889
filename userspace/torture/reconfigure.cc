// SPDX-License-Identifier: GPL-2.0-only
// A remount by the new interface, which passes on what is asked for and nothing else: mount(8) of these days uses it where
// the older one here does not.
#include "userspace/torture/torture.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace torture {

int reconfigure(int count, char** words)
{
    if (count < 3)
        fail("reconfigure DIRECTORY OPTION VALUE");
    const int context = static_cast<int>(syscall(SYS_fspick, AT_FDCWD, words[0], 0));
    must(context >= 0, "fspick");
    must(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, words[1], words[2], 0) == 0, "fsconfig");
    must(syscall(SYS_fsconfig, context, FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0) == 0, "reconfigure");
    must(close(context) == 0, "close");
    return 0;
}

}
