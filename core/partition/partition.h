// SPDX-License-Identifier: GPL-2.0-only
// Partition: one named share of the pool, as the controller has it in memory: its limits, what was measured of it, what was
// learned about it. On disk: core/format/partition_format.h.
//
// Locking: the controller's, but for the meter, which anybody notes into without a lock.
#pragma once

#include "core/format/partition_format.h"
#include "core/partition/learned_threshold.h"
#include "core/partition/meter.h"
#include "core/partition/outcome_history.h"
#include "core/partition/space.h"

namespace lcpfs {

// What a person says of a partition. Blocks; a maximum of 0 is none (the pool).
struct PartitionLimits {
    u64 minimum_blocks { 0 }, maximum_blocks { 0 };
};

// What is learned, with its starting points and bounds.
struct LearnedNumbers {
    LearnedThreshold pressure { Fixed(100), { Fixed(1), Fixed(1000000000) } };
    LearnedThreshold cooldown { Fixed(300), { Fixed(30), Fixed(86400) } };      // seconds
    LearnedThreshold growth { Fixed(10), { Fixed(1), Fixed(100) } };            // percent of the size
    LearnedThreshold shrink { Fixed(5), { Fixed(1), Fixed(25) } };              // percent of the size
};
constexpr u32 k_learned_numbers = 4;

// Epsilon of one access: epsilon = cost x frequency.
struct PartitionLoad {
    Fixed cost;      // latency x utilisation
    Fixed frequency; // per second
};

// A decision whose outcome is not known yet.
struct OpenStep {
    u64 number { 0 };           // in the ring; 0: none is open
    ActionKind action { ActionKind::grow };
    bool by_write { false };    // a growth: inside a write; a shrink: a write fetched back what it gave
    bool filled { false };      // a write found the partition full again meanwhile
    u64 began_ms { 0 };
    u64 since_resize_ms { 0 };  // how long before it the last resize was
    Fixed pressure, step;       // step: percent of the size
    PartitionId other;
    u64 moved_blocks { 0 };     // to or from the partition
    u64 net_blocks { 0 };       // of those, to or from the unassigned
    u64 used_before { 0 };
};

struct Partition {
    PartitionId id;
    u8 name[k_partition_name_bytes] {};
    u8 name_length { 0 };
    PartitionLimits limits;

    // Measured.
    PartitionMeter meter;
    DecayedWindow frequency, latency_us, utilisation;
    u64 size_blocks { 0 }, used_blocks { 0 }; // as of the last look
    Fixed peak_blocks;                        // of what was used: decays towards it
    u64 last_resize_ms { 0 };                 // by the controller's clock; meaningless before the first
    u64 last_resize_s { 0 };                  // realtime, 0: never
    bool was_resized { false };               // since the pool was opened
    u64 last_step_ms { 0 };                   // as last_resize_ms, but what it gave to another one is not its own step
    bool has_stepped { false };
    u64 last_refused_ms { 0 };                // a refusal is told once per cooldown
    bool was_refused { false };
    u64 last_shrink_ms { 0 };
    u64 last_shrunk_blocks { 0 };             // 0: nothing to regret
    // Whom it last gave to or took from, so that no metaslab goes back and forth.
    PartitionId gave_to, took_from;
    u64 gave_ms { 0 }, took_ms { 0 };

    LearnedNumbers learned;
    OutcomeHistory history;
    OpenStep open;
    PartitionLoad loads_before[k_max_partitions]; // of all, by slot, when it was opened

    StringView name_text() const { return { reinterpret_cast<const char*>(name), name_length }; }
    u64 maximum(u64 pool_blocks) const { return limits.maximum_blocks ? min(limits.maximum_blocks, pool_blocks) : pool_blocks; }
    PartitionLoad load() const { return { latency_us.value() * utilisation.value(), frequency.value() }; }
    Fixed epsilon() const { return load().cost * load().frequency; }
};

// (maximum - size) / maximum; 0 when the size is not below it.
Fixed headroom_of(u64 maximum_blocks, u64 size_blocks);
// utilisation x frequency / headroom, and the largest value when headroom < 0.01.
Fixed pressure_of(Fixed utilisation, Fixed frequency, Fixed headroom);

}
