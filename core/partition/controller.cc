// SPDX-License-Identifier: GPL-2.0-only
// The tick: measuring, and choosing at most one step for each partition.
#include "core/partition/controller.h"

namespace lcpfs {

Fixed headroom_of(u64 maximum_blocks, u64 size_blocks)
{
    return size_blocks >= maximum_blocks ? Fixed() : Fixed::from_ratio_unsigned(maximum_blocks - size_blocks, maximum_blocks);
}

Fixed pressure_of(Fixed utilisation, Fixed frequency, Fixed headroom)
{
    if (headroom < Fixed::from_ratio(1, 100))
        return Fixed::maximum();
    return utilisation * frequency / headroom;
}

Result<Box<PartitionController>> PartitionController::create(PartitionSpace& space)
{
    Box<PartitionController> controller = TRY(make_box<PartitionController>(space));
    MutexGuard guard(controller->m_lock);
    TRY(controller->m_ring.reserve());
    return controller;
}

Fixed PartitionController::pressure_at(const Partition& partition, u64 size_blocks) const
{
    // Utilisation is measured in a window; at another size the same use is another share.
    const Fixed utilisation = size_blocks == 0 ? Fixed(1)
                                               : min(Fixed(1), partition.utilisation.value() *
                                                                   Fixed::from_ratio_unsigned(partition.size_blocks, size_blocks));
    return pressure_of(utilisation, partition.frequency.value(),
                       headroom_of(partition.maximum(m_space.total_blocks()), size_blocks));
}

Fixed PartitionController::pressure(const Partition& partition) const
{
    return pressure_of(partition.utilisation.value(), partition.frequency.value(),
                       headroom_of(partition.maximum(m_space.total_blocks()), partition.size_blocks));
}

Fixed PartitionController::pool_epsilon() const
{
    Fixed sum;
    for (const Box<Partition>& partition : m_slots)
        if (partition)
            sum += partition->epsilon();
    return sum;
}

void PartitionController::measure(Partition& partition, u64 elapsed_ms)
{
    const PartitionMeter::Sample sample = partition.meter.collect();
    partition.size_blocks = m_space.size_blocks(partition.id);
    partition.used_blocks = m_space.used_blocks(partition.id);
    partition.frequency.fold(Fixed::from_ratio_unsigned(sample.accesses * 1000, elapsed_ms), elapsed_ms, k_partition_window_ms);
    // Where no access was timed the last known latency stands.
    if (sample.timed)
        partition.latency_us.fold(Fixed::from_ratio_unsigned(sample.latency_us, sample.timed), elapsed_ms, k_partition_window_ms);
    const u64 used = min(partition.used_blocks, partition.size_blocks);
    partition.utilisation.fold(partition.size_blocks ? Fixed::from_ratio_unsigned(used, partition.size_blocks) : Fixed(), elapsed_ms,
                               k_partition_window_ms);
    const Fixed in_use = Fixed::from_unsigned(partition.used_blocks);
    if (!m_has_ticked)
        partition.peak_blocks = Fixed::from_unsigned(partition.size_blocks); // what was used before the mount is not known
    if (in_use >= partition.peak_blocks) {
        partition.peak_blocks = in_use;
        return;
    }
    const u64 memory_ms = (partition.learned.cooldown.value() * Fixed(1000 * k_peak_cooldowns)).whole();
    partition.peak_blocks += (in_use - partition.peak_blocks) * Fixed::from_ratio_unsigned(elapsed_ms, elapsed_ms + memory_ms);
}

void PartitionController::tick(PartitionClock now)
{
    MutexGuard guard(m_lock);
    m_now = now;
    if (m_has_ticked && now.monotonic_ms <= m_last_tick_ms)
        return;
    const u64 elapsed_ms = m_has_ticked ? now.monotonic_ms - m_last_tick_ms : k_partition_tick_ms;
    for (Box<Partition>& partition : m_slots)
        if (partition)
            measure(*partition, elapsed_ms);
    m_has_ticked = true;
    m_last_tick_ms = now.monotonic_ms;
    for (Box<Partition>& partition : m_slots)
        if (partition && partition->open.number && now.monotonic_ms - partition->open.began_ms >= k_partition_settling_ms)
            settle(*partition);
    if (m_mode == PartitionMode::off)
        return;
    if (m_mode == PartitionMode::automatic)
        for (Box<Partition>& partition : m_slots)
            if (partition && partition->size_blocks < partition->limits.minimum_blocks)
                give_minimum(*partition);
    // The hardest pressed first; of equal ones the lower slot.
    bool done[k_max_partitions] {};
    for (;;) {
        Partition* next = nullptr;
        for (Box<Partition>& partition : m_slots)
            if (partition && !done[slot_of(*partition)] && (!next || pressure(*partition) > pressure(*next)))
                next = partition.get();
        if (!next)
            break;
        done[slot_of(*next)] = true;
        step(*next);
    }
}

// The most there is before its first.
u64 PartitionController::since_step_ms(const Partition& partition) const
{
    return partition.has_stepped ? m_now.monotonic_ms - partition.last_step_ms : ~0ull;
}

void PartitionController::note_step(Partition& partition)
{
    partition.has_stepped = true;
    partition.last_step_ms = m_now.monotonic_ms;
}

bool PartitionController::may_act(const Partition& partition) const
{
    if (partition.open.number)
        return false;
    const u64 cooldown_ms = (partition.learned.cooldown.value() * Fixed(1000)).whole();
    // What a write took from it meanwhile it may fetch again at once.
    const bool has_lost = partition.gave_to != k_unassigned && partition.gave_ms > partition.last_step_ms;
    if (!has_lost && since_step_ms(partition) < cooldown_ms)
        return false;
    if (partition.history.size() >= k_novice_outcomes)
        return true;
    for (const Box<Partition>& other : m_slots)
        if (other && other->open.number && !other->open.by_write)
            return false;
    return true;
}

void PartitionController::step(Partition& partition)
{
    if (may_act(partition) && !try_grow(partition))
        try_shrink(partition);
}

bool PartitionController::try_grow(Partition& partition)
{
    const Fixed pressed = pressure(partition);
    const u64 maximum = partition.maximum(m_space.total_blocks());
    if (pressed < partition.learned.pressure.value() || partition.size_blocks >= maximum ||
        maximum - partition.size_blocks < m_space.metaslab_blocks())
        return false;
    const Fixed prior = OutcomeHistory::prior_benefit(pressed);
    const Fixed benefit = partition.history.benefit(ActionKind::grow, pressed, prior);
    if (!partition.learned.pressure.allows(benefit))
        return false;
    const Fixed step = partition.learned.growth.value();
    const u64 wanted = max((Fixed::from_unsigned(partition.size_blocks) * step / Fixed(100)).whole(), u64(1));
    Decision decision = describe(partition, DecisionReason::pressure, ActionKind::grow);
    decision.benefit = benefit;
    OpenStep how;
    how.action = ActionKind::grow;
    how.step = step;
    how.pressure = pressed;
    const u64 limit = maximum - partition.size_blocks;
    Partition* donor = nullptr;
    u64 available = free_for(partition);
    if (available < m_space.metaslab_blocks()) {
        donor = donor_for(partition, true);
        available = donor ? spare_of(*donor, &partition) : 0;
    }
    if (available < m_space.metaslab_blocks())
        return false;
    decision.other = donor ? donor->id : k_unassigned;
    if (m_mode == PartitionMode::advise) {
        decision.result = DecisionResult::advised;
        decision.size_after = partition.size_blocks + min(wanted, min(limit, available));
        note(decision);
        note_step(partition); // so that advice comes as often as a step would
        return true;
    }
    const u64 since_ms = since_step_ms(partition);
    const MovedSpace moved = move(donor, &partition, wanted, min(limit, available));
    if (!moved.blocks)
        return false;
    decision.size_after = partition.size_blocks;
    decision.metaslabs = moved.metaslabs;
    how.other = decision.other;
    how.moved_blocks = moved.blocks;
    how.net_blocks = donor ? 0 : moved.blocks;
    how.since_resize_ms = since_ms;
    open(partition, decision, how);
    if (donor)
        note_step(*donor); // a step of both: neither takes it back before its cooldown
    return true;
}

bool PartitionController::try_shrink(Partition& partition)
{
    const u64 metaslab = m_space.metaslab_blocks();
    const u64 floor = max(max(partition.limits.minimum_blocks, partition.used_blocks), partition.peak_blocks.whole() + 1);
    if (partition.size_blocks < floor + metaslab)
        return false;
    const u64 surplus = partition.size_blocks - floor;
    // What one growth inside a write would fetch again is not worth giving back.
    if (surplus < (Fixed::from_unsigned(partition.size_blocks) * partition.learned.growth.value() / Fixed(100)).whole())
        return false;
    const Fixed step = partition.learned.shrink.value();
    const u64 wanted = min(max((Fixed::from_unsigned(partition.size_blocks) * step / Fixed(100)).whole(), metaslab), surplus);
    const Fixed after = pressure_at(partition, partition.size_blocks - wanted);
    const Fixed band = partition.learned.pressure.value().shifted_down(1);
    if (after >= band)
        return false;
    const Fixed prior = OutcomeHistory::prior_benefit(band - after);
    const Fixed benefit = partition.history.benefit(ActionKind::shrink, after, prior);
    if (!partition.learned.shrink.allows(benefit))
        return false;
    const u64 empty = m_space.empty_blocks(partition.id);
    Decision decision = describe(partition, empty < metaslab ? DecisionReason::evacuate : DecisionReason::idle, ActionKind::shrink);
    decision.benefit = benefit;
    decision.size_after = partition.size_blocks - wanted;
    const u64 since_ms = since_step_ms(partition);
    if (m_mode == PartitionMode::advise || empty < metaslab) {
        if (m_mode == PartitionMode::advise)
            decision.result = DecisionResult::advised;
        else
            m_space.evacuate(partition.id, wanted);
        note(decision);
        note_step(partition);
        return true;
    }
    const MovedSpace moved = move(&partition, nullptr, wanted, min(surplus, empty));
    if (!moved.blocks)
        return false;
    decision.size_after = partition.size_blocks;
    decision.metaslabs = moved.metaslabs;
    OpenStep how;
    how.action = ActionKind::shrink;
    how.step = step;
    how.pressure = after;
    how.moved_blocks = how.net_blocks = moved.blocks;
    how.since_resize_ms = since_ms;
    open(partition, decision, how);
    partition.last_shrink_ms = m_now.monotonic_ms;
    partition.last_shrunk_blocks = moved.blocks;
    return true;
}

MovedSpace PartitionController::give_evacuated(PartitionId id, u64 metaslabs, PartitionClock now)
{
    MutexGuard guard(m_lock);
    if (now.monotonic_ms > m_now.monotonic_ms)
        m_now = now;
    Partition* const found = get(id);
    if (!found)
        return {};
    Partition& partition = *found;
    partition.size_blocks = m_space.size_blocks(id);
    partition.used_blocks = m_space.used_blocks(id);
    const u64 floor = max(partition.limits.minimum_blocks, partition.used_blocks);
    const u64 surplus = partition.size_blocks - min(partition.size_blocks, floor);
    const u64 wanted = min(metaslabs * m_space.metaslab_blocks(), surplus);
    Decision decision = describe(partition, DecisionReason::evacuate, ActionKind::shrink);
    OpenStep how;
    how.action = ActionKind::shrink;
    how.step = partition.learned.shrink.value();
    how.since_resize_ms = since_step_ms(partition);
    const MovedSpace moved = wanted ? move(&partition, nullptr, wanted, min(surplus, m_space.empty_blocks(id))) : MovedSpace();
    if (!moved.blocks)
        return moved;
    decision.size_after = partition.size_blocks;
    decision.metaslabs = moved.metaslabs;
    if (partition.open.number || m_mode != PartitionMode::automatic) {
        note(decision);
        return moved;
    }
    how.pressure = pressure(partition);
    how.moved_blocks = how.net_blocks = moved.blocks;
    open(partition, decision, how);
    partition.last_shrink_ms = m_now.monotonic_ms;
    partition.last_shrunk_blocks = moved.blocks;
    return moved;
}

}
