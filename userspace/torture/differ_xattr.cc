// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "userspace/torture/differ.h"

namespace torture {

namespace {

constexpr size_t k_most = 65536;
constexpr const char* k_lists[] = { "system.posix_acl_access", "system.posix_acl_default" };
constexpr const char* k_names[] = { "user.a", "user.b", "user.a-longer-name-than-the-others-have", "trusted.c", "security.d" };

// A whiteout inherits ACLs from its directory on ext4 and btrfs, and none on XFS: which is right nothing says.
bool is_whiteout(const char* name, bool follows)
{
    struct stat status;
    return !(follows ? stat(name, &status) : lstat(name, &status)) && S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

// XFS lists its own names of ACLs besides.
bool is_compared(const char* name, bool is_of_whiteout)
{
    return strncmp(name, "trusted.SGI_", 12) != 0 && !(is_of_whiteout && !strcmp(name, k_lists[0]));
}

// A list of up to five users and groups; one in twenty is none.
size_t make_list(uint64_t number, uint8_t* out)
{
    auto put = [&](size_t at, const void* from, size_t bytes) { memcpy(out + at, from, bytes); };
    const posix_acl_xattr_header header { POSIX_ACL_XATTR_VERSION };
    put(0, &header, sizeof(header));
    size_t at = sizeof(header);
    auto add = [&](unsigned tag, unsigned id) {
        number = number * 6364136223846793005ull + 1442695040888963407ull;
        posix_acl_xattr_entry entry {};
        entry.e_tag = static_cast<__u16>(tag);
        entry.e_perm = static_cast<__u16>(number >> 61);
        entry.e_id = id;
        put(at, &entry, sizeof(entry));
        at += sizeof(entry);
    };
    const unsigned users = number % 3, groups = number / 3 % 3;
    add(ACL_USER_OBJ, ~0u);
    for (unsigned i = 0; i < users; i++)
        add(ACL_USER, 100 + i);
    add(ACL_GROUP_OBJ, ~0u);
    for (unsigned i = 0; i < groups; i++)
        add(ACL_GROUP, 200 + i);
    if ((users || groups) && number % 20)
        add(ACL_MASK, ~0u);
    add(ACL_OTHER, ~0u);
    return at;
}

}

uint64_t hash_of_xattrs(int directory, const char* name)
{
    static char names[k_most];
    static uint8_t value[k_most];
    must(!fchdir(directory), "fchdir");
    const ssize_t bytes = llistxattr(name, names, sizeof(names));
    must(bytes >= 0, name);
    uint64_t sum = 0;
    const bool hides = is_whiteout(name, false);
    for (const char* at = names; at < names + bytes; at += strlen(at) + 1) {
        if (!is_compared(at, hides))
            continue;
        const ssize_t length = lgetxattr(name, at, value, sizeof(value));
        must(length >= 0, at);
        sum += hash_of(at, strlen(at)) * 31 + hash_of(value, static_cast<size_t>(length)) + static_cast<uint64_t>(length);
    }
    return sum;
}

long call_xattr(int directory, const char* name, uint64_t number, const uint8_t* data, size_t bytes, uint64_t& content)
{
    static uint8_t value[k_most];
    static char names[k_most];
    must(!fchdir(directory), "fchdir");
    const uint64_t what = number % 8;
    const bool is_list = number / 8 % 3 == 0;
    const char* const which = is_list ? k_lists[number / 24 % 2] : k_names[number / 24 % 5];
    content = 0;
    if (what < 4) {
        const int flags = number / 120 % 4 == 0 ? XATTR_CREATE : number / 120 % 4 == 1 ? XATTR_REPLACE : 0;
        if (!is_list)
            return lsetxattr(name, which, data, number / 480 % 4 ? bytes % 300 : bytes, flags);
        // Through a symbolic link it is the file's: some kernels refuse one's own in another way.
        const size_t length = make_list(number, value);
        return setxattr(name, which, value, length, 0);
    }
    if (what == 4)
        return is_list ? removexattr(name, which) : lremovexattr(name, which);
    if (what == 5) {
        const bool hides = is_whiteout(name, false);
        const ssize_t length = llistxattr(name, names, sizeof(names));
        long count = length < 0 ? -1 : 0;
        for (const char* at = names; at < names + length; at += strlen(at) + 1)
            if (is_compared(at, hides)) {
                content += hash_of(at, strlen(at));
                count++;
            }
        return count;
    }
    if (is_list && is_whiteout(name, true))
        return 0;
    // Now and then without enough room.
    const size_t room = number / 480 % 8 ? sizeof(value) : number / 480 % 16 ? 3 : 0;
    const ssize_t length = is_list ? getxattr(name, which, value, room) : lgetxattr(name, which, value, room);
    content = length > 0 && room ? hash_of(value, static_cast<size_t>(length)) : 0;
    return length;
}

}
