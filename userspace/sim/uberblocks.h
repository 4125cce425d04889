// SPDX-License-Identifier: GPL-2.0-only
// Finding and destroying uberblocks on images, by their format alone.
#pragma once

#include "userspace/sim/prepare.h"

namespace lcpfs::sim {

// Groups of which at least one good copy stands on the images, newest first.
std::vector<u64> committed_groups(const Images& images);
// The group that committed group `txg` was made from, by its uberblock; 0: none.
u64 group_before(const Images& images, u64 txg);
// Overwrites every copy of one group's uberblock; gives how many there were.
u64 destroy_uberblocks(Images& images, u64 txg, Random& random);

}
