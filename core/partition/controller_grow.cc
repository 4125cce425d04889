// SPDX-License-Identifier: GPL-2.0-only
// Moving space: where a partition's growth comes from, and the growth inside a write.
//
// Unassigned metaslabs first, as far as no minimum is owed out of them; then empty ones of a partition above its minimum. For a
// write any such partition gives, the least pressed first, and only what the write lacks. Ahead of need only a
// partition below its dead band gives, of what it has beyond its recent peak, and only if the two have not traded the other way
// lately; except to who would make k_dear times as much of it: in a pool that has nothing left, the recent peaks of those who
// hardly access anything must not be what the busiest one goes short for.
#include "core/partition/controller.h"

namespace lcpfs {

// What is unassigned less what others have to get to reach their minimum.
u64 PartitionController::free_for(const Partition& partition) const
{
    u64 available = m_space.unassigned_blocks();
    for (const Box<Partition>& other : m_slots) {
        if (!other || other.get() == &partition)
            continue;
        const u64 size = m_space.size_blocks(other->id);
        if (size < other->limits.minimum_blocks)
            available -= min(available, other->limits.minimum_blocks - size);
    }
    return available;
}

// By how much a metaslab more would lower epsilon: it is as (used / size), so by itself over the size.
Fixed PartitionController::worth_of_room(const Partition& partition) const
{
    return partition.epsilon() / Fixed::from_unsigned(partition.size_blocks / m_space.metaslab_blocks() + 1);
}

bool PartitionController::is_dear(const Partition& partition, const Partition& donor) const
{
    return worth_of_room(partition) > worth_of_room(donor) * Fixed(k_dear);
}

// Empty, above the donor's minimum and, ahead of need, beyond its peak.
u64 PartitionController::spare_of(Partition& donor, const Partition* ahead_for)
{
    const u64 size = m_space.size_blocks(donor.id);
    u64 kept = donor.limits.minimum_blocks;
    if (ahead_for && !is_dear(*ahead_for, donor))
        kept = max(kept, donor.peak_blocks.whole() + 1);
    return size <= kept ? 0 : min(size - kept, m_space.empty_blocks(donor.id));
}

Partition* PartitionController::donor_for(const Partition& partition, bool ahead)
{
    Partition* best = nullptr;
    Fixed least;
    for (Box<Partition>& candidate : m_slots) {
        if (!candidate || candidate.get() == &partition || spare_of(*candidate, ahead ? &partition : nullptr) < m_space.metaslab_blocks())
            continue;
        const Fixed pressed = pressure(*candidate);
        if (ahead) {
            const u64 window_ms = (max(candidate->learned.cooldown.value(), partition.learned.cooldown.value()) *
                                   Fixed(1000 * k_trade_cooldowns)).whole();
            const bool traded = candidate->took_from == partition.id && m_now.monotonic_ms - candidate->took_ms < window_ms;
            const bool within = pressed >= candidate->learned.pressure.value().shifted_down(1);
            if (traded || candidate->open.number || (within && !is_dear(partition, *candidate)))
                continue;
        }
        if (!best || pressed < least) {
            best = candidate.get();
            least = pressed;
        }
    }
    return best;
}

MovedSpace PartitionController::move(Partition* from, Partition* to, u64 wanted, u64 limit)
{
    const PartitionId source = from ? from->id : k_unassigned, target = to ? to->id : k_unassigned;
    const MovedSpace moved = m_space.move({ source, target, min(wanted, limit), limit });
    if (!moved.blocks)
        return moved;
    Partition* const both[] = { from, to };
    for (Partition* partition : both) {
        if (!partition)
            continue;
        partition->size_blocks = m_space.size_blocks(partition->id);
        partition->was_resized = true;
        partition->last_resize_ms = m_now.monotonic_ms;
        partition->last_resize_s = m_now.realtime_s;
        if (partition == to || !to)
            note_step(*partition);
    }
    if (from && to) {
        from->gave_to = target;
        from->gave_ms = m_now.monotonic_ms;
        to->took_from = source;
        to->took_ms = m_now.monotonic_ms;
    }
    m_changes.add(1);
    return moved;
}

Decision PartitionController::describe(const Partition& partition, DecisionReason reason, ActionKind action) const
{
    Decision decision;
    decision.time_s = m_now.realtime_s;
    decision.partition = partition.id;
    decision.action = action;
    decision.reason = reason;
    decision.size_before = decision.size_after = partition.size_blocks;
    decision.used = partition.used_blocks;
    decision.pressure = pressure(partition);
    decision.threshold = partition.learned.pressure.value();
    decision.uncertainty = action == ActionKind::grow ? partition.learned.pressure.uncertainty() : partition.learned.shrink.uncertainty();
    decision.epsilon_before = pool_epsilon();
    return decision;
}

void PartitionController::give_minimum(Partition& partition)
{
    Decision decision = describe(partition, DecisionReason::guarantee, ActionKind::grow);
    const u64 maximum = partition.maximum(m_space.total_blocks());
    if (partition.size_blocks >= maximum)
        return;
    const u64 before = partition.size_blocks;
    MovedSpace moved = move(nullptr, &partition, partition.limits.minimum_blocks - before, maximum - before);
    while (partition.size_blocks < partition.limits.minimum_blocks) {
        Partition* donor = donor_for(partition, false);
        if (!donor)
            break;
        const MovedSpace more = move(donor, &partition, partition.limits.minimum_blocks - partition.size_blocks,
                                     min(maximum - partition.size_blocks, spare_of(*donor, nullptr)));
        if (!more.blocks)
            break;
        decision.other = donor->id;
        moved.blocks += more.blocks;
        moved.metaslabs += more.metaslabs;
    }
    if (!moved.blocks)
        return;
    decision.size_after = partition.size_blocks;
    decision.metaslabs = moved.metaslabs;
    note(decision);
}

void PartitionController::refuse(Partition& partition, DecisionReason reason)
{
    const u64 cooldown_ms = (partition.learned.cooldown.value() * Fixed(1000)).whole();
    if (partition.was_refused && m_now.monotonic_ms - partition.last_refused_ms < cooldown_ms)
        return;
    partition.was_refused = true;
    partition.last_refused_ms = m_now.monotonic_ms;
    note(describe(partition, reason, ActionKind::grow));
}

// A write needs again what a shrink gave away shortly before: that shrink was one too many.
void PartitionController::regret_shrink(Partition& partition)
{
    const u64 window_ms = (partition.learned.cooldown.value() * Fixed(1000 * k_trade_cooldowns)).whole();
    if (!partition.last_shrunk_blocks || m_now.monotonic_ms - partition.last_shrink_ms >= window_ms)
        return;
    const Fixed room = Fixed::from_ratio_unsigned(partition.last_shrunk_blocks, max(m_space.total_blocks(), u64(1)));
    const Fixed improvement = -(room * Fixed(100 * k_room_worth)) - Fixed(1);
    partition.last_shrunk_blocks = 0;
    const OpenStep growth = partition.open.action == ActionKind::grow ? partition.open : OpenStep();
    if (partition.open.action == ActionKind::shrink) {
        if (Decision* decision = m_ring.find(partition.open.number)) {
            decision->result = DecisionResult::measured;
            decision->improvement = improvement;
            trace(*decision);
        }
    } else {
        partition.open = OpenStep();
        partition.open.action = ActionKind::shrink;
        partition.open.pressure = pressure(partition);
        partition.open.step = partition.learned.shrink.value();
    }
    partition.open.by_write = true; // what is known of it is known from a write
    partition.open.since_resize_ms = 0;
    learn(partition, improvement);
    partition.open = growth;
}

Status PartitionController::make_room(PartitionId id, u64 blocks, PartitionClock now)
{
    MutexGuard guard(m_lock);
    if (now.monotonic_ms > m_now.monotonic_ms)
        m_now = now;
    Partition* found = get(id);
    if (!found)
        return Error::not_found;
    Partition& partition = *found;
    partition.size_blocks = m_space.size_blocks(id);
    partition.used_blocks = m_space.used_blocks(id);
    u64 needed = 0; // the size it has to have
    if (!checked_add(partition.used_blocks, blocks, needed))
        return Error::no_space;
    if (needed <= partition.size_blocks)
        return {};
    const u64 maximum = partition.maximum(m_space.total_blocks());
    if (needed > maximum) {
        refuse(partition, DecisionReason::refused_maximum);
        return Error::no_space;
    }
    // A step more than what is lacking, so that the next write does not come back at once; out of what nobody has.
    const Fixed step = partition.learned.growth.value();
    const u64 ahead = (Fixed::from_unsigned(partition.size_blocks) * step / Fixed(100)).whole();
    Decision decision = describe(partition, DecisionReason::full, ActionKind::grow);
    const u64 before = partition.size_blocks;
    MovedSpace moved = move(nullptr, &partition, max(needed - before, ahead), min(maximum - before, free_for(partition)));
    const u64 net = moved.blocks;
    while (partition.size_blocks < needed) {
        Partition* donor = donor_for(partition, false);
        if (!donor)
            break;
        const MovedSpace more = move(donor, &partition, needed - partition.size_blocks,
                                     min(maximum - partition.size_blocks, spare_of(*donor, nullptr)));
        if (!more.blocks)
            break;
        decision.other = donor->id;
        moved.blocks += more.blocks;
        moved.metaslabs += more.metaslabs;
    }
    if (moved.blocks) {
        regret_shrink(partition);
        // The step ahead is kept as if it were used, or the next tick would take back what the next write fetches again.
        partition.peak_blocks = max(partition.peak_blocks, Fixed::from_unsigned(partition.size_blocks));
        decision.size_after = partition.size_blocks;
        decision.metaslabs = moved.metaslabs;
        if (partition.open.number) {
            // One outcome for both: it is measured when the first has settled.
            partition.open.filled = true;
            partition.open.moved_blocks += moved.blocks;
            partition.open.net_blocks += net;
            note(decision);
        } else {
            OpenStep how;
            how.action = ActionKind::grow;
            how.by_write = true;
            how.step = step;
            how.pressure = decision.pressure;
            how.other = decision.other;
            how.moved_blocks = moved.blocks;
            how.net_blocks = net;
            open(partition, decision, how);
        }
    }
    if (partition.size_blocks >= needed)
        return {};
    // Metaslabs are whole: what is left below the maximum may be less than one.
    refuse(partition, maximum - partition.size_blocks < m_space.metaslab_blocks() ? DecisionReason::refused_maximum
                                                                                   : DecisionReason::refused_pool);
    return Error::no_space;
}

}
