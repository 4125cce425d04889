// SPDX-License-Identifier: GPL-2.0-only
// Whether a pool is to be mounted with the devices that were found: what udev is told, and systemd waits for.
#pragma once

#include "userspace/common/pools.h"

namespace lcpfs::tool {

// A log device that was not found has, in the group committed last, all of the log. It may only be slow to appear, so it is waited for,
// also where others have the log as well. Labels cannot tell: they name devices that were taken out or have failed for ever. True as well
// when the pool cannot be looked at. Of a pool that has all of its data devices, and is not mounted; opens it read-only.
bool needs_missing_log_device(const FoundPool& pool);

// Nothing that it needs is missing, or it is mounted: systemd ends the mount of a device that is ready no longer.
bool is_ready(const FoundPool& pool);

}
