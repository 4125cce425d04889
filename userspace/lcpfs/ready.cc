// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/lcpfs/ready.h"

#include <algorithm>

#include "userspace/common/guid.h"
#include "userspace/common/message.h"
#include "userspace/lcpfs/mounted.h"

namespace lcpfs::tool {

bool needs_missing_log_device(const FoundPool& pool)
{
    const Silence silence;
    OpenPool opened;
    if (opened.open(pool.paths()) != 0)
        return true;
    core_log_member members[CORE_LOG_MEMBERS];
    const unsigned count = core_log_get_members(opened.get(), members, CORE_LOG_MEMBERS);
    return std::any_of(members, members + count, [](const core_log_member& member) {
        return member.state == CORE_LOG_MEMBER_MISSING && member.has_log;
    });
}

static bool is_mounted(const FoundPool& pool) { return !MountedPool("/sys/fs/lcpfs/" + guid_text(pool.label.pool_guid)).name().empty(); }

bool is_ready(const FoundPool& pool)
{
    if (pool.is_complete() || is_mounted(pool))
        return true;
    if (pool.has_data() && !needs_missing_log_device(pool))
        return true;
    return is_mounted(pool); // by now
}

}
