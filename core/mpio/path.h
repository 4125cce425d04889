// SPDX-License-Identifier: GPL-2.0-only
// Path: one block device on the way to a target, and all that is known of it. Lives in a slot of a PathTable until
// the table dies, whether a path is in the slot or not, so that whoever chose it may look at it at any time.
#pragma once

#include "core/base/span.h"
#include "core/mpio/path_health.h"
#include "core/mpio/path_latency.h"

namespace lcpfs {

// What one path has done, for people and tests.
struct PathCounts {
    u64 ios { 0 };       // completed, well or not
    u64 bytes { 0 };     // of those that succeeded
    u64 errors { 0 };    // that were the path's
    u64 failures { 0 };  // times it was Failed
    u64 repairs { 0 };   // times it came back by probes
    u64 wrong_bytes { 0 }; // reads that another path gave right

    void add(const PathCounts& other)
    {
        ios += other.ios;
        bytes += other.bytes;
        errors += other.errors;
        failures += other.failures;
        repairs += other.repairs;
        wrong_bytes += other.wrong_bytes;
    }
};

struct Path {
    static constexpr size_t k_name_bytes = 32;

    // ---- set before `present`, unchanged until the slot is empty again
    PathId id {};                     // 0: nobody's slot
    u32 slot { 0 };
    host_bdev* bdev { nullptr };
    host_bdev_info info {};
    char name[k_name_bytes] {};

    Atomic<u8> present { 0 };         // may be chosen; cleared first when it is removed
    Atomic<u8> state { static_cast<u8>(PathState::repairing) };
    Atomic<u8> priority { 0 };        // 0 is best
    Atomic<u8> suspect { 0 };         // the last usable path after an error: a probe decides
    Atomic<u32> depth { 0 };          // requests chosen for it that have not ended
    Atomic<u32> queued[k_size_classes]; // those of them that move bytes, by size
    Atomic<u64> usable_since_ns { 0 };
    Atomic<u64> alive_ns { 0 };       // the last completion, or when the first request since came

    PathLatency latency;
    HealthWindow window;
    Atomic<u64> ios { 0 }, bytes { 0 }, errors { 0 }, failures { 0 }, repairs { 0 }, wrong_bytes { 0 };
    // Writes without FUA that completed here while there were several paths, and how many of all that completed here a
    // flush has covered. They stay with the slot when the path goes: what it owes is flushed down another.
    Atomic<u64> writes_completed { 0 }, writes_flushed { 0 };

    // ---- the group's, under its lock
    ProbeTimer timer;
    u64 last_check_ns { 0 };
    bool is_ordered_down { false };   // failed by an administrator: not probed until reinstated
    u32 probed_us { k_not_probed };   // what the last good probe took
    static constexpr u32 k_not_probed = ~0u;

    // One more request for it; the time of the first one is when its silence begins. Gives how many there were.
    u32 enter(u64 now_ns)
    {
        if (depth.load_relaxed() == 0)
            alive_ns.store_relaxed(now_ns);
        return depth.add(1) - 1;
    }
    bool is_taken() const { return id.value() != 0; }
    PathState get_state() const { return static_cast<PathState>(state.load_relaxed()); }
    void set_state(PathState next) { state.store(static_cast<u8>(next)); }
    bool can_serve() const { return present.load() && is_usable(get_state()); }
    bool owes_flush(u64 completed) const { return info.volatile_cache && writes_flushed.load() < completed; }
    void cover_writes(u64 generation)
    {
        u64 seen = writes_flushed.load();
        while (seen < generation && !writes_flushed.compare_exchange(seen, generation)) { }
    }
    PathCounts counts() const
    {
        return { ios.load_relaxed(), bytes.load_relaxed(), errors.load_relaxed(), failures.load_relaxed(), repairs.load_relaxed(),
            wrong_bytes.load_relaxed() };
    }
};

}
