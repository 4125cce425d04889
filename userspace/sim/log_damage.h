// SPDX-License-Identifier: GPL-2.0-only
// Damage to frames of the intent log that a crash does not explain, and the shape of the pools of
// such runs.
#pragma once

#include "userspace/sim/log_states.h"

namespace lcpfs::sim {

struct LogShape {
    PoolShape pool;
    bool volatile_cache { true };
    u32 block_bytes { 512 };
    u32 frames_in_flight { 4 };
    bool flushes { false }; // what a volatile cache has of a frame is flushed, rather than written with FUA
    bool log_device_fails { false }; // in mid-run: every write from some frame on

    // To the disks, and to the pool when it is open.
    void apply(Run& run) const;
};

// Opens what a crash left, walks it, has it checked, and leaves it.
std::vector<Tree> open_and_walk(const LogShape& shape, Images& images, const std::vector<Worker*>& workers, Random& random);

// At positions of a recorded run: one frame that a later one knows to be acknowledged gets a bit
// turned. The pool is refused, naming it; with discard_log it opens in the state of its committed
// group. In the last frame, which nothing vouches for, the same damage ends the log before it. And one sector that cannot be read: it
// is of no account where the log has nothing, and keeps the pool from being opened, but not from being opened later, where it has.
void damage_frames(const LogShape& shape, const IoLog& log, const std::vector<Image*>& base, u64 end,
                   const std::vector<Worker*>& workers, u64 seed);

}
