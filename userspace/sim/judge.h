// SPDX-License-Identifier: GPL-2.0-only
// What a crash may leave, by the workers' histories: for each worker the state after any operation
// from the last one acknowledged to the last one issued, and together a prefix: no operation
// without those that had ended before it began.
#pragma once

#include <vector>

#include "userspace/sim/run.h"

namespace lcpfs::sim {

std::vector<Tree> walk_all(Run& run, const std::vector<Worker*>& workers);
// The state that the recovered subtree of a worker equals, by its history; fails when there is
// none.
u64 match(Worker& worker, const Tree& found, const History::Range& allowed, u64 position);
// The same for all workers, and that what they show fits together. What was acknowledged after
// position `kept` may be lost.
void match_all(const std::vector<Worker*>& workers, const std::vector<Tree>& found, u64 position, u64 kept = ~0ull);

}
