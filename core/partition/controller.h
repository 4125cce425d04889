// SPDX-License-Identifier: GPL-2.0-only
// PartitionController: who has how much of the pool, and why.
//
// Two ways lead to a change. A write that finds its partition full calls make_room and gets what it lacks at once, if the
// partition's maximum and the pool have it: that is what ENOSPC hangs on, and no decision of the controller's can take it away.
// And once per tick the controller places space ahead, or takes back what has long been idle, as far as what it has
// measured and learned lets it. So the worst a bad decision costs is time and room, never a write.
//
// What it is after is one number: by how many percent the pool's epsilon (sum of latency x utilisation x frequency) falls, less
// the percent of the pool's room that it takes. Growing lowers the one and raises the other; a step is good when the
// sum says so, measured after a settling time (controller_outcome.cc). Hence a small busy partition gets room ahead, a large quiet one as
// little as it needs.
//
// A tick (controller.cc), in this order: measure every partition; close the decisions whose settling time has passed and learn
// from them; give the guaranteed minimum to who lacks it; then at most one step for each partition, the hardest pressed first.
//   grow    pressure >= threshold, below its maximum, and benefit / uncertainty > 1
//   shrink  pressure after it < half the threshold (the dead band), above its recent peak of use by at least a metaslab and by
//           what one growth inside a write would fetch again, benefit likewise
// A partition whose last step is still open, or whose cooldown has not passed, waits. With little history (k_novice outcomes) it
// also waits until no other step of the controller's own is open: carefully, one partition at a time.
// The recent peak decays over k_peak_cooldowns learned cooldowns, so what was used a while ago is not given away at once; room
// that a write fetched counts as used in it.
// Growing ahead never takes from a partition within the dead band or above, and never back what went the other way lately; but
// where the pool has nothing left, who would make k_dear times as much of a metaslab takes any that is empty, and a write
// that needs it again fetches it again. What a partition gives does not begin its cooldown, it ends it: the step was another's.
//
// Everything decided follows from the inputs (PartitionSpace, the meters' sums, the clock): the same inputs give the same
// decisions in every host, bit by bit (replay_test.cc).
//
// Locking: one mutex, rank `partition`; the meters need none. No I/O and no wait for a commit inside. The pool stores the
// entries in the open transaction group when changes() has risen (partition_codec.h).
#pragma once

#include "core/base/format_text.h"
#include "core/host/locks.h"
#include "core/partition/decision.h"
#include "core/partition/partition.h"

namespace lcpfs {

enum class PartitionMode : u8 { off = 0, advise = 1, automatic = 2 };

constexpr u64 k_partition_tick_ms = 10000;         // how often tick() is to be called; it copes with any other distance
constexpr u64 k_partition_window_ms = 30000;       // time constant of the measured windows
constexpr u64 k_partition_settling_ms = 120000;    // four of them: 2 % of what was before is left
constexpr u32 k_novice_outcomes = 4;
constexpr u32 k_peak_cooldowns = 24;               // 2 h at the prior
constexpr i64 k_room_worth = 1;                    // percent of the pool's epsilon that one percent of its room is worth
constexpr u32 k_trade_cooldowns = 4;
constexpr i64 k_dear = 8;

struct PartitionClock {
    u64 monotonic_ms;
    u64 realtime_s;
};

struct PartitionSpec {
    PartitionId id;
    StringView name;
    PartitionLimits limits;
};

struct PartitionView { // for status and statfs
    PartitionId id;
    u8 name[k_partition_name_bytes];
    u8 name_length;
    u64 size_blocks, used_blocks, minimum_blocks, maximum_blocks, last_resize_s;
    Fixed frequency, latency_us, utilisation, pressure, epsilon;
    struct Learned {
        Fixed value, uncertainty, rate, confidence;
        u64 observations;
    } pressure_threshold, cooldown_s, growth_percent, shrink_percent;
    u32 outcomes;
    bool moving; // a decision is open
};

struct PoolPartitionView {
    u32 partitions;
    u64 total_blocks, unassigned_blocks;
    Fixed epsilon;
    bool moving;
    PartitionMode mode;
    u64 last_decision;
};

class PartitionController {
public:
    static Result<Box<PartitionController>> create(PartitionSpace& space);
    explicit PartitionController(PartitionSpace& space) : m_space(space) {}

    // Entries (controller_table.cc). What is refused is refused with a message and changes nothing.
    Status add(const PartitionSpec& spec, TextLine& message);
    Status set_limits(PartitionId id, PartitionLimits limits, TextLine& message);
    Status rename(PartitionId id, StringView name, TextLine& message);
    // `datasets`: how many live in it.
    Status remove(PartitionId id, u64 datasets, TextLine& message);
    // One that was stored, with what it had learned. Before the first tick.
    Status restore(Box<Partition> partition);
    // For encoding and display: calls body(const Partition&) for each, under the lock.
    template <typename Body>
    void for_each(Body body) const
    {
        MutexGuard guard(m_lock);
        for (const Box<Partition>& partition : m_slots)
            if (partition)
                body(static_cast<const Partition&>(*partition));
    }
    // The one in this slot (of k_max_partitions), if any.
    template <typename Body>
    bool visit(u32 slot, Body body) const
    {
        MutexGuard guard(m_lock);
        if (m_slots[slot])
            body(static_cast<const Partition&>(*m_slots[slot]));
        return static_cast<bool>(m_slots[slot]);
    }
    PartitionId find(StringView name) const;

    // For the I/O path; null when there is no such partition. Stays as long as the partition: who notes has a dataset in it.
    PartitionMeter* meter(PartitionId id);

    // A writer lacks room for `blocks` more than what is used. no_space: it is at its maximum, or the pool is full above
    // everyone's minimum. Otherwise size - used >= blocks now (it may be that another writer got it room before).
    // The room is not set aside for the caller: it makes its promise against the size, and calls again if another was faster.
    // Sleepable; waits for no I/O and no commit. (controller_grow.cc)
    Status make_room(PartitionId id, u64 blocks, PartitionClock now);

    void tick(PartitionClock now);
    // So many metaslabs were emptied so that they can be given back: they are, as far as the minimum and what is used leave them.
    MovedSpace give_evacuated(PartitionId id, u64 metaslabs, PartitionClock now);

    // For who listens. Before the first tick; it outlives this.
    void set_pool_name(const char* name) { m_pool_name = name; }
    void set_mode(PartitionMode mode);
    // Off: outcomes are measured, but nothing is learned from them.
    void set_learning(bool on);
    PoolPartitionView view() const;
    bool view(PartitionId id, PartitionView& out) const;
    // False when that decision is not in the ring.
    bool decision(u64 number, Decision& out) const;
    // Rises with each change of what is stored.
    u64 changes() const { return m_changes.load(); }

private:
    // controller_table.cc
    static Status check_name(StringView name, TextLine& message);
    Status check_limits(StringView name, PartitionLimits limits, const Partition* replaced, TextLine& message) const REQUIRES(m_lock);
    Status cut_to_maximum(Partition& partition, u64 maximum, TextLine& message) REQUIRES(m_lock);
    Partition* get(PartitionId id) const REQUIRES(m_lock);
    u32 slot_of(const Partition& partition) const REQUIRES(m_lock);
    void forget_open_decisions() REQUIRES(m_lock);

    // controller.cc
    void measure(Partition& partition, u64 elapsed_ms) REQUIRES(m_lock);
    void step(Partition& partition) REQUIRES(m_lock);
    bool try_grow(Partition& partition) REQUIRES(m_lock);
    bool try_shrink(Partition& partition) REQUIRES(m_lock);
    bool may_act(const Partition& partition) const REQUIRES(m_lock);
    u64 since_step_ms(const Partition& partition) const REQUIRES(m_lock);
    void note_step(Partition& partition) REQUIRES(m_lock);
    Fixed pressure(const Partition& partition) const REQUIRES(m_lock);
    Fixed pressure_at(const Partition& partition, u64 size_blocks) const REQUIRES(m_lock);
    Fixed pool_epsilon() const REQUIRES(m_lock);

    // controller_grow.cc
    u64 free_for(const Partition& partition) const REQUIRES(m_lock);
    Fixed worth_of_room(const Partition& partition) const REQUIRES(m_lock);
    bool is_dear(const Partition& partition, const Partition& donor) const REQUIRES(m_lock);
    u64 spare_of(Partition& donor, const Partition* ahead_for) REQUIRES(m_lock);
    Partition* donor_for(const Partition& partition, bool ahead) REQUIRES(m_lock);
    void give_minimum(Partition& partition) REQUIRES(m_lock);
    MovedSpace move(Partition* from, Partition* to, u64 wanted, u64 limit) REQUIRES(m_lock);
    void regret_shrink(Partition& partition) REQUIRES(m_lock);
    Decision describe(const Partition& partition, DecisionReason reason, ActionKind action) const REQUIRES(m_lock);
    void refuse(Partition& partition, DecisionReason reason) REQUIRES(m_lock);

    // controller_outcome.cc
    u64 note(const Decision& decision) REQUIRES(m_lock); // in the ring, and to who listens; its number
    void trace(const Decision& decision) const;
    void open(Partition& partition, const Decision& decision, const OpenStep& how) REQUIRES(m_lock);
    void settle(Partition& partition) REQUIRES(m_lock);
    bool measure_outcome(const Partition& partition, Decision& decision) const REQUIRES(m_lock);
    void learn(Partition& partition, Fixed improvement) REQUIRES(m_lock);

    PartitionSpace& m_space;
    const char* m_pool_name { "" };
    mutable Mutex m_lock { LCPFS_RANK_partition };
    Box<Partition> m_slots[k_max_partitions] GUARDED_BY(m_lock);
    DecisionRing m_ring GUARDED_BY(m_lock);
    PartitionClock m_now GUARDED_BY(m_lock) { 0, 0 };
    bool m_has_ticked GUARDED_BY(m_lock) { false };
    u64 m_last_tick_ms GUARDED_BY(m_lock) { 0 };
    PartitionMode m_mode GUARDED_BY(m_lock) { PartitionMode::automatic };
    bool m_learning GUARDED_BY(m_lock) { true };
    Atomic<u64> m_changes { 0 };
};

}
