// SPDX-License-Identifier: GPL-2.0-only
// What came of a decision, and what is learned from it.
//
// When the settling time has passed, the cost of an access (latency x utilisation) of each partition is known as it was before
// and as it is now. Loads have changed meanwhile, so both are taken at the loads of now: the partition's frequency counts
// only as a weight, and a load that ended by itself is no improvement. What the costs of the untouched partitions did
// (those not resized since) would have happened to the touched ones as well: r is their ratio, within a factor of four.
//
//     r           = sum over untouched of cost_now f_now / sum over untouched of cost_before f_now
//     expected    = sum over all of cost_before f_now r                       (the pool's epsilon, had nothing been done)
//     gain        = 100 % x sum over the touched two of (cost_before r - cost_now) f_now / expected
//     room        = 100 % x blocks taken from the unassigned (grow) or given to them (shrink) / the pool's
//     improvement = gain - room (grow), gain + room (shrink)
//
// One percent of the pool's room is thus worth one percent of its epsilon: the exchange rate between the two things that are
// wanted, and the only one in the controller (k_room_worth).
//
// Where the numbers are drawn to (LearnedThreshold::learn):
//   pressure  helped: the lower end of what counts as the same pressure (0.7 of where it acted); hurt: half as much again as the
//             higher of where it acted and where it stood. A growth inside a write, below the threshold, that helped
//             draws it down to act earlier; one that did not says nothing of a threshold that did not cause it. A shrink that
//             hurt draws it below where that acted: giving room back there was wrong by as much as taking some would be right.
//   cooldown  only where the step came within twice the cooldown, that is, where it held the step back: helped, three
//             quarters; hurt, half as much again.
//   growth    ahead: helped, a quarter more; hurt, half. Inside a write: full again before it settled, half as much again;
//             helped, a quarter more; otherwise its evidence is how much of it was used: less than half, half of it.
//   shrink    helped: a quarter more; hurt, or fetched back by a write: half.
#include "core/partition/controller.h"

namespace lcpfs {

namespace {

Fixed scaled(Fixed value, i64 numerator, i64 denominator) { return value * Fixed(numerator) / Fixed(denominator); }

}

u64 PartitionController::note(const Decision& decision)
{
    const u64 number = m_ring.add(decision);
    trace(*m_ring.find(number));
    return number;
}

void PartitionController::trace(const Decision& decision) const
{
    if (!(host_tracing & HOST_TRACE_PARTITION))
        return;
    const i64 improvement = static_cast<i64>(min<u64>(decision.improvement.thousandths(), ~0ull >> 1));
    const host_partition_trace what { m_pool_name, decision.number, decision.partition.value(), decision.other.value(),
                                      static_cast<u32>(decision.action), static_cast<u32>(decision.reason),
                                      static_cast<u32>(decision.result), decision.metaslabs, decision.size_before,
                                      decision.size_after, decision.used,
                                      decision.improvement.is_negative() ? -improvement : improvement };
    host_trace_partition(&what);
}

void PartitionController::open(Partition& partition, const Decision& decision, const OpenStep& how)
{
    partition.open = how;
    partition.open.began_ms = m_now.monotonic_ms;
    partition.open.used_before = partition.used_blocks;
    for (u32 slot = 0; slot < k_max_partitions; slot++)
        partition.loads_before[slot] = m_slots[slot] ? m_slots[slot]->load() : PartitionLoad();
    Decision opened = decision;
    opened.result = DecisionResult::open;
    partition.open.number = note(opened);
}

// False when nobody accessed anything: there is nothing to compare.
bool PartitionController::measure_outcome(const Partition& partition, Decision& decision) const
{
    const OpenStep& step = partition.open;
    Fixed all, untouched_before, untouched_now, touched_before, touched_now;
    for (u32 slot = 0; slot < k_max_partitions; slot++) {
        if (!m_slots[slot])
            continue;
        const Partition& one = *m_slots[slot];
        const PartitionLoad now = one.load();
        const Fixed before_cost = partition.loads_before[slot].cost * now.frequency, now_cost = now.cost * now.frequency;
        all += before_cost;
        if (&one == &partition || one.id == step.other) {
            touched_before += before_cost;
            touched_now += now_cost;
        } else if (!one.was_resized || one.last_resize_ms < step.began_ms) {
            untouched_before += before_cost;
            untouched_now += now_cost;
        }
    }
    decision.epsilon_after = pool_epsilon();
    if (all == Fixed())
        return false;
    Fixed ratio(1);
    if (untouched_before > Fixed() && untouched_now > Fixed())
        ratio = clamped(untouched_now / untouched_before, Fixed::from_ratio(1, 4), Fixed(4));
    decision.epsilon_expected = all * ratio;
    const Fixed gain = clamped((touched_before * ratio - touched_now) / decision.epsilon_expected * Fixed(100), Fixed(-1000), Fixed(100));
    const Fixed room = Fixed::from_ratio_unsigned(step.net_blocks, max(m_space.total_blocks(), u64(1))) * Fixed(100 * k_room_worth);
    decision.improvement = step.action == ActionKind::grow ? gain - room : gain + room;
    return true;
}

void PartitionController::settle(Partition& partition)
{
    Decision outcome;
    const bool known = measure_outcome(partition, outcome);
    if (Decision* decision = m_ring.find(partition.open.number)) {
        decision->result = known ? DecisionResult::measured : DecisionResult::unknowable;
        decision->epsilon_expected = outcome.epsilon_expected;
        decision->epsilon_after = outcome.epsilon_after;
        decision->improvement = outcome.improvement;
        trace(*decision);
    }
    if (known)
        learn(partition, outcome.improvement);
    partition.open = OpenStep();
}

void PartitionController::learn(Partition& partition, Fixed improvement)
{
    if (!m_learning)
        return;
    const OpenStep& step = partition.open;
    LearnedNumbers& learned = partition.learned;
    const bool helped = improvement > Fixed();
    partition.history.add({ step.action, step.pressure, improvement });
    m_changes.add(1);
    const Fixed held_ms = learned.cooldown.value() * Fixed(2000);
    const bool chosen = step.action == ActionKind::shrink || !step.by_write;
    if (chosen && Fixed::from_unsigned(step.since_resize_ms) < held_ms)
        learned.cooldown.learn(improvement, helped ? scaled(learned.cooldown.value(), 3, 4) : scaled(learned.cooldown.value(), 3, 2));
    const Fixed acted_at = scaled(step.pressure, 7, 10);
    if (step.action == ActionKind::shrink) {
        learned.shrink.learn(improvement, helped ? scaled(step.step, 5, 4) : scaled(step.step, 1, 2));
        if (!helped && !step.by_write)
            learned.pressure.learn(-improvement, acted_at);
        return;
    }
    if (!step.by_write) {
        const Fixed less = scaled(max(step.pressure, learned.pressure.value()), 3, 2);
        learned.pressure.learn(improvement, helped ? acted_at : less);
        learned.growth.learn(improvement, helped ? scaled(step.step, 5, 4) : scaled(step.step, 1, 2));
        return;
    }
    if (helped && step.pressure < learned.pressure.value())
        learned.pressure.learn(improvement, acted_at);
    const u64 taken = partition.used_blocks > step.used_before ? partition.used_blocks - step.used_before : 0;
    const Fixed used_percent = min(Fixed(100), Fixed::from_ratio_unsigned(taken, max(step.moved_blocks, u64(1))) * Fixed(100));
    if (step.filled)
        learned.growth.learn(used_percent, scaled(step.step, 3, 2));
    else if (helped && LearnedThreshold::is_evidence(improvement))
        learned.growth.learn(improvement, scaled(step.step, 5, 4));
    else
        learned.growth.learn(used_percent - Fixed(50), used_percent < Fixed(50) ? scaled(step.step, 1, 2) : step.step);
}

}
