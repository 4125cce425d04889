// SPDX-License-Identifier: GPL-2.0-only
#include "core/api/handles.h"

using namespace lcpfs;

static_assert(CORE_PARTITION_NAME_BYTES == k_partition_name_bytes + 1 && CORE_LEARNED_COUNT == k_learned_numbers);
static_assert(CORE_PARTITION_OFF == int(PartitionMode::off) && CORE_PARTITION_ADVISE == int(PartitionMode::advise)
              && CORE_PARTITION_AUTO == int(PartitionMode::automatic));
static_assert(CORE_PARTITION_MESSAGE_BYTES >= sizeof(TextLine) - sizeof(size_t));

static void fill_learned(core_partition_info* out, core_partition_learned which, const PartitionView::Learned& from)
{
    out->learned[which].value = from.value.thousandths();
    out->learned[which].uncertainty = from.uncertainty.thousandths();
    out->learned[which].rate = from.rate.thousandths();
    out->learned[which].confidence = from.confidence.thousandths();
    out->learned[which].observations = from.observations;
}

static void fill_evacuation(Pool& pool, OwnerSlot owner, core_partition_info* out)
{
    const Allocator::Leaving left = pool.allocator().leaving(owner);
    const Evacuation::Begun begun = pool.partitions().evacuation().begun(owner);
    if (!left.metaslabs || !begun.metaslabs)
        return;
    out->evacuated_metaslabs = begun.metaslabs;
    out->evacuation_blocks = begun.blocks;
    out->evacuation_left_blocks = min(left.reached_blocks, begun.blocks);
}

static void fill_info(Pool& pool, const PartitionView& view, core_partition_info* out)
{
    zero_bytes(out, sizeof(*out));
    out->id = view.id.value();
    copy_bytes(out->name, view.name, view.name_length);
    out->size_blocks = view.size_blocks;
    out->used_blocks = view.used_blocks;
    out->minimum_blocks = view.minimum_blocks;
    const OwnerSlot owner = pool.partitions().slot_of(view.id);
    out->maximum_blocks = pool.allocator().owners()[owner].maximum_blocks.load();
    fill_evacuation(pool, owner, out);
    out->last_resize_s = view.last_resize_s;
    out->frequency = view.frequency.thousandths();
    out->latency_us = view.latency_us.thousandths();
    out->utilisation = view.utilisation.thousandths();
    out->pressure = view.pressure.thousandths();
    out->epsilon = view.epsilon.thousandths();
    fill_learned(out, CORE_LEARNED_PRESSURE, view.pressure_threshold);
    fill_learned(out, CORE_LEARNED_COOLDOWN, view.cooldown_s);
    fill_learned(out, CORE_LEARNED_GROWTH, view.growth_percent);
    fill_learned(out, CORE_LEARNED_SHRINK, view.shrink_percent);
    out->outcomes = view.outcomes;
    out->is_moving = view.moving;
    ReadGuard list(pool.datasets().lock());
    out->datasets = pool.partitions().datasets_in(view.id);
}

int core_partition_next(core_pool* handle, uint64_t id, core_partition_info* out)
{
    Pool& pool = pool_of(handle);
    PartitionId next;
    pool.partitions().controller().for_each([&](const Partition& partition) {
        if (partition.id.value() >= id && (next == k_unassigned || partition.id < next))
            next = partition.id;
    });
    PartitionView view;
    if (next == k_unassigned || !pool.partitions().controller().view(next, view))
        return to_errno(Error::not_found);
    fill_info(pool, view, out);
    return 0;
}

void core_partitions_get(core_pool* handle, core_partitions* out)
{
    const PoolPartitionView view = pool_of(handle).partitions().controller().view();
    zero_bytes(out, sizeof(*out));
    out->count = view.partitions;
    out->total_blocks = view.total_blocks;
    out->unassigned_blocks = view.unassigned_blocks;
    out->epsilon = view.epsilon.thousandths();
    out->is_moving = view.moving;
    out->mode = static_cast<core_partition_mode>(view.mode);
    out->last_decision = view.last_decision;
}

void core_partitions_set_mode(core_pool* handle, core_partition_mode mode)
{
    pool_of(handle).partitions().controller().set_mode(static_cast<PartitionMode>(mode));
}

int core_partition_decision_get(core_pool* handle, uint64_t number, core_partition_decision* out)
{
    PartitionController& controller = pool_of(handle).partitions().controller();
    const u64 last = controller.view().last_decision;
    Decision decision;
    number = max(number, last < DecisionRing::k_capacity ? 1 : last - DecisionRing::k_capacity + 1);
    while (number <= last && !controller.decision(number, decision)) // overtaken meanwhile
        number++;
    if (number > last)
        return to_errno(Error::not_found);
    out->number = decision.number;
    out->time_s = decision.time_s;
    out->partition = decision.partition.value();
    out->other = decision.other.value();
    out->action = static_cast<u32>(decision.action);
    out->reason = static_cast<u32>(decision.reason);
    out->result = static_cast<u32>(decision.result);
    out->metaslabs = decision.metaslabs;
    out->size_before = decision.size_before;
    out->size_after = decision.size_after;
    out->used = decision.used;
    out->pressure = decision.pressure.thousandths();
    out->threshold = decision.threshold.thousandths();
    out->benefit = decision.benefit.thousandths();
    out->uncertainty = decision.uncertainty.thousandths();
    out->epsilon_before = decision.epsilon_before.thousandths();
    out->epsilon_expected = decision.epsilon_expected.thousandths();
    out->epsilon_after = decision.epsilon_after.thousandths();
    const i64 improvement = static_cast<i64>(min<u64>(decision.improvement.thousandths(), ~0ull >> 1));
    out->improvement = decision.improvement.is_negative() ? -improvement : improvement;
    return 0;
}

static Result<TxgId> start_change(Pool& pool, const core_partition_change& change, TextLine& message)
{
    Partitions& partitions = pool.partitions();
    const StringView name(change.name ? change.name : "");
    const PartitionLimits limits { change.mask & CORE_PARTITION_SET_MINIMUM ? change.minimum_blocks : 0,
                                   change.mask & CORE_PARTITION_SET_MAXIMUM ? change.maximum_blocks : 0 };
    switch (change.operation) {
    case CORE_PARTITION_CREATE:
        return partitions.make(name, limits, message);
    case CORE_PARTITION_DESTROY:
        return partitions.remove(name, message);
    case CORE_PARTITION_SET:
        return partitions.change(name,
                                 { StringView(change.new_name ? change.new_name : ""), (change.mask & CORE_PARTITION_SET_MINIMUM) != 0,
                                   (change.mask & CORE_PARTITION_SET_MAXIMUM) != 0, limits },
                                 message);
    }
    return Error::invalid;
}

static Status do_change(Pool& pool, const core_partition_change& change, TextLine& message)
{
    TRY(pool.admit_change());
    ScopedPromise promise(pool.space());
    const bool frees = change.operation == CORE_PARTITION_DESTROY;
    TRY(promise.take(pool.space().operation_units(), frees ? Space::For::removal : Space::For::change));
    // Metaslabs count as empty when what was freed in them is out of reach, which takes commits.
    for (u32 tries = 0;; tries++) {
        const auto started = start_change(pool, change, message);
        if (pool.partitions().evacuation().is_wanted())
            (void)pool.wake_background().is_ok(); // else with its next period
        if (started.is_ok())
            return pool.engine().wait_committed(started.value());
        if (started.error() != Error::busy || tries == 2 || pool.allocator().counts().deferred_blocks == 0)
            return started.error();
        TRY(pool.engine().force_commit());
    }
}

int core_partition_do(core_pool* handle, const core_partition_change* change, char* message)
{
    TextLine text;
    const Status status = do_change(pool_of(handle), *change, text);
    if (status.is_error() && text.size() == 0)
        text.add("nothing was changed: ").add(text_of(status.error()));
    zero_bytes(message, CORE_PARTITION_MESSAGE_BYTES);
    if (status.is_error())
        copy_bytes(message, text.text(), min<size_t>(text.size(), CORE_PARTITION_MESSAGE_BYTES - 1));
    return to_errno(status);
}
