// SPDX-License-Identifier: GPL-2.0-only
// lcpfs check: fsck.lcpfs -n by another name. Exit codes are those of fsck.lcpfs.
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "userspace/common/message.h"
#include "userspace/lcpfs/verbs.h"

namespace lcpfs::tool {

int check_verb(int argc, char** argv)
{
    std::vector<char*> words;
    std::string program = "fsck.lcpfs", option = "-n";
    words.push_back(program.data());
    words.push_back(option.data());
    words.insert(words.end(), argv + 1, argv + argc);
    words.push_back(nullptr);
    // The one that came with this program, else the system's.
    char self[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length > 0) {
        const std::string own(self, static_cast<size_t>(length));
        execv((own.substr(0, own.rfind('/') + 1) + program).c_str(), words.data());
    }
    execvp(program.c_str(), words.data());
    complain("fsck.lcpfs: {}", strerror(errno));
    return k_failure;
}

}
