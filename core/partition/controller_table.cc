// SPDX-License-Identifier: GPL-2.0-only
// The partitions there are: making, changing and removing them, and what is refused with which words; what is shown.
#include "core/partition/controller.h"

namespace lcpfs {

namespace {

// Blocks as a person writes them: the largest unit that loses nothing.
TextLine& add_size(TextLine& text, u64 blocks)
{
    if (blocks >= 1u << 18 && blocks % (1u << 18) == 0)
        return text.add(blocks >> 18), text.add(" GiB"), text;
    if (blocks >= 1u << 8 && blocks % (1u << 8) == 0)
        return text.add(blocks >> 8), text.add(" MiB"), text;
    return text.add(blocks * 4), text.add(" KiB"), text;
}

TextLine& begin(TextLine& text, StringView name)
{
    text = TextLine();
    text.add("partition \"").add_name(name.bytes()).add("\": ");
    return text;
}

u64 whole_metaslabs(u64 blocks, u64 metaslab)
{
    return metaslab == 0 || blocks % metaslab == 0 ? blocks : blocks - blocks % metaslab + metaslab;
}

PartitionView::Learned view_of(const LearnedThreshold& threshold)
{
    return { threshold.value(), threshold.uncertainty(), threshold.rate(), threshold.confidence(), threshold.observations() };
}

}

Partition* PartitionController::get(PartitionId id) const
{
    for (const Box<Partition>& partition : m_slots)
        if (partition && partition->id == id)
            return partition.get();
    return nullptr;
}

u32 PartitionController::slot_of(const Partition& partition) const
{
    u32 slot = 0;
    while (slot < k_max_partitions - 1 && m_slots[slot].get() != &partition)
        slot++;
    return slot;
}

PartitionId PartitionController::find(StringView name) const
{
    MutexGuard guard(m_lock);
    for (const Box<Partition>& partition : m_slots)
        if (partition && partition->name_text() == name)
            return partition->id;
    return {};
}

PartitionMeter* PartitionController::meter(PartitionId id)
{
    MutexGuard guard(m_lock);
    Partition* partition = get(id);
    return partition ? &partition->meter : nullptr;
}

// An outcome compares all partitions there are: when those change, it cannot be known any more.
void PartitionController::forget_open_decisions()
{
    for (Box<Partition>& partition : m_slots) {
        if (!partition || !partition->open.number)
            continue;
        if (Decision* decision = m_ring.find(partition->open.number)) {
            decision->result = DecisionResult::unknowable;
            trace(*decision);
        }
        partition->open = OpenStep();
    }
}

Status PartitionController::check_limits(StringView name, PartitionLimits limits, const Partition* replaced, TextLine& message) const
{
    const u64 total = m_space.total_blocks(), metaslab = m_space.metaslab_blocks();
    if (limits.maximum_blocks && limits.minimum_blocks > limits.maximum_blocks) {
        add_size(begin(message, name).add("a minimum of "), limits.minimum_blocks).add(" is above the maximum of ");
        add_size(message, limits.maximum_blocks).add("; nothing was changed");
        return Error::invalid;
    }
    if (limits.maximum_blocks && limits.maximum_blocks < metaslab) {
        add_size(begin(message, name).add("a maximum of "), limits.maximum_blocks).add(" is less than the smallest share there is, ");
        add_size(message, metaslab).add("; nothing was changed");
        return Error::invalid;
    }
    if (limits.minimum_blocks > total || (limits.maximum_blocks && limits.maximum_blocks > total)) {
        const bool minimum = limits.minimum_blocks > total;
        begin(message, name).add(minimum ? "a minimum of " : "a maximum of ");
        add_size(message, minimum ? limits.minimum_blocks : limits.maximum_blocks).add(" is more than the pool has, ");
        add_size(message, total).add("; nothing was changed");
        return Error::invalid;
    }
    if (limits.maximum_blocks && whole_metaslabs(limits.minimum_blocks, metaslab) > limits.maximum_blocks) {
        add_size(begin(message, name).add("shares are multiples of "), metaslab).add(", and there is none between the minimum of ");
        add_size(message, limits.minimum_blocks).add(" and the maximum of ");
        add_size(message, limits.maximum_blocks).add("; nothing was changed");
        return Error::invalid;
    }
    // Minimums are met in whole metaslabs, and what others use already cannot be promised again.
    u64 promised = 0, taken = 0;
    for (const Box<Partition>& other : m_slots) {
        if (!other || other.get() == replaced)
            continue;
        const u64 minimum = whole_metaslabs(other->limits.minimum_blocks, metaslab);
        const u64 size = m_space.size_blocks(other->id);
        const u64 busy = size - min(size, m_space.empty_blocks(other->id));
        if (!checked_add(promised, minimum, promised) || !checked_add(taken, max(minimum, busy), taken))
            promised = taken = ~0ull;
    }
    const u64 minimum = whole_metaslabs(limits.minimum_blocks, metaslab);
    if (minimum > total || promised > total - minimum) {
        add_size(begin(message, name).add("a minimum of "), limits.minimum_blocks).add(" and those of the others, ");
        add_size(message, promised).add(", are more than the pool has, ");
        add_size(message, total).add("; nothing was changed");
        return Error::no_space;
    }
    if (limits.minimum_blocks && taken > total - minimum) {
        add_size(begin(message, name).add("a minimum of "), limits.minimum_blocks).add(" cannot be had: the others use ");
        add_size(message, taken).add(" of ");
        add_size(message, total).add(" or are promised it; nothing was changed");
        return Error::no_space;
    }
    return {};
}

Status PartitionController::check_name(StringView name, TextLine& message)
{
    if (name.size() == 0 || name.size() > k_partition_name_bytes) {
        begin(message, name).add("a name has 1 to ").add(u64(k_partition_name_bytes)).add(" bytes");
        return name.size() ? Error::name_too_long : Error::invalid;
    }
    for (u8 byte : name.bytes())
        if (byte <= ' ' || byte == '/' || byte == 0x7f) {
            begin(message, name).add("a name has no spaces, slashes or control characters");
            return Error::invalid;
        }
    return {};
}

Status PartitionController::rename(PartitionId id, StringView name, TextLine& message)
{
    TRY(check_name(name, message));
    MutexGuard guard(m_lock);
    Partition* const partition = get(id);
    if (!partition)
        return Error::not_found;
    if (id == k_default_partition && name != partition->name_text()) {
        begin(message, partition->name_text()).add("the default partition keeps its name");
        return Error::not_permitted;
    }
    for (const Box<Partition>& other : m_slots)
        if (other && other.get() != partition && other->name_text() == name) {
            begin(message, name).add("there is one of this name; choose another");
            return Error::exists;
        }
    zero_bytes(partition->name, sizeof(partition->name));
    partition->name_length = static_cast<u8>(name.size());
    copy_bytes(partition->name, name.data(), name.size());
    m_changes.add(1);
    return {};
}

Status PartitionController::add(const PartitionSpec& spec, TextLine& message)
{
    Box<Partition> made = TRY(make_box<Partition>());
    TRY(check_name(spec.name, message));
    MutexGuard guard(m_lock);
    if (spec.id == k_unassigned || spec.id.value() > k_most_partition_id || get(spec.id))
        return Error::contradiction;
    Box<Partition>* free_slot = nullptr;
    for (Box<Partition>& slot : m_slots) {
        if (slot && slot->name_text() == spec.name) {
            begin(message, spec.name).add("there is one of this name; choose another");
            return Error::exists;
        }
        if (!slot && !free_slot)
            free_slot = &slot;
    }
    if (!free_slot) {
        begin(message, spec.name).add("a pool has at most ").add(u64(k_max_partitions)).add("; remove one first");
        return Error::no_space;
    }
    TRY(check_limits(spec.name, spec.limits, nullptr, message));
    made->id = spec.id;
    made->limits = spec.limits;
    made->name_length = static_cast<u8>(spec.name.size());
    copy_bytes(made->name, spec.name.data(), spec.name.size());
    forget_open_decisions();
    *free_slot = lcpfs::move(made);
    Partition& partition = **free_slot;
    partition.size_blocks = m_space.size_blocks(partition.id);
    if (partition.size_blocks < partition.limits.minimum_blocks)
        give_minimum(partition);
    m_changes.add(1);
    return {};
}

Status PartitionController::restore(Box<Partition> partition)
{
    MutexGuard guard(m_lock);
    Box<Partition>* free_slot = nullptr;
    for (Box<Partition>& slot : m_slots) {
        if (slot && (slot->id == partition->id || slot->name_text() == partition->name_text()))
            return Error::exists;
        if (!slot && !free_slot)
            free_slot = &slot;
    }
    if (!free_slot)
        return Error::no_space;
    *free_slot = lcpfs::move(partition);
    return {};
}

// Gives back, now, what a lower maximum forbids.
Status PartitionController::cut_to_maximum(Partition& partition, u64 maximum, TextLine& message)
{
    const u64 size = m_space.size_blocks(partition.id), used = m_space.used_blocks(partition.id);
    if (used > maximum) {
        add_size(begin(message, partition.name_text()).add("a maximum of "), maximum).add(" is less than what is used, ");
        add_size(message, used).add("; nothing was changed");
        return Error::busy;
    }
    if (size <= maximum)
        return {};
    const u64 empty = m_space.empty_blocks(partition.id);
    if (empty < whole_metaslabs(size - maximum, m_space.metaslab_blocks())) {
        m_space.evacuate(partition.id, size - maximum);
        add_size(begin(message, partition.name_text()).add("to get to a maximum of "), maximum);
        message.add(" some of its metaslabs have to be emptied first, which has begun; try again when it has ended (lcpfs partition list)");
        return Error::busy;
    }
    Decision decision = describe(partition, DecisionReason::idle, ActionKind::shrink);
    const MovedSpace moved = move(&partition, nullptr, size - maximum, empty);
    if (moved.blocks) {
        decision.size_after = partition.size_blocks;
        decision.metaslabs = moved.metaslabs;
        note(decision);
    }
    if (partition.size_blocks <= maximum)
        return {};
    begin(message, partition.name_text()).add("not enough of it could be given back; the limits were not changed");
    return Error::busy;
}

Status PartitionController::set_limits(PartitionId id, PartitionLimits limits, TextLine& message)
{
    MutexGuard guard(m_lock);
    Partition* partition = get(id);
    if (!partition)
        return Error::not_found;
    TRY(check_limits(partition->name_text(), limits, partition, message));
    if (limits.maximum_blocks)
        TRY(cut_to_maximum(*partition, limits.maximum_blocks, message));
    partition->limits = limits;
    partition->size_blocks = m_space.size_blocks(id);
    if (partition->size_blocks < limits.minimum_blocks)
        give_minimum(*partition);
    m_changes.add(1);
    return {};
}

Status PartitionController::remove(PartitionId id, u64 datasets, TextLine& message)
{
    MutexGuard guard(m_lock);
    Partition* partition = get(id);
    if (!partition)
        return Error::not_found;
    const StringView name = partition->name_text();
    if (id == k_default_partition) {
        begin(message, name).add("the default partition cannot be removed");
        return Error::busy;
    }
    const u64 used = m_space.used_blocks(id), size = m_space.size_blocks(id);
    if (datasets) {
        begin(message, name).add(datasets).add(datasets == 1 ? " dataset lives" : " datasets live");
        message.add(" in it; destroy or move them first");
        return Error::busy;
    }
    if (used || m_space.empty_blocks(id) < size) {
        begin(message, name).add("it still holds data that is being freed; try again later");
        return Error::busy;
    }
    if (size)
        move(partition, nullptr, size, size);
    if (m_space.size_blocks(id)) {
        begin(message, name).add("not all of it could be given back; try again later");
        return Error::busy;
    }
    forget_open_decisions();
    m_slots[slot_of(*partition)].reset();
    m_changes.add(1);
    return {};
}

void PartitionController::set_mode(PartitionMode mode)
{
    MutexGuard guard(m_lock);
    m_mode = mode;
}

void PartitionController::set_learning(bool on)
{
    MutexGuard guard(m_lock);
    m_learning = on;
}

PoolPartitionView PartitionController::view() const
{
    MutexGuard guard(m_lock);
    PoolPartitionView out { 0, m_space.total_blocks(), m_space.unassigned_blocks(), pool_epsilon(), false, m_mode, m_ring.last() };
    for (const Box<Partition>& partition : m_slots) {
        out.partitions += partition ? 1 : 0;
        out.moving = out.moving || (partition && partition->open.number);
    }
    return out;
}

bool PartitionController::view(PartitionId id, PartitionView& out) const
{
    MutexGuard guard(m_lock);
    const Partition* partition = get(id);
    if (!partition)
        return false;
    out.id = id;
    out.name_length = partition->name_length;
    copy_bytes(out.name, partition->name, sizeof(out.name));
    out.size_blocks = m_space.size_blocks(id);
    out.used_blocks = m_space.used_blocks(id);
    out.minimum_blocks = partition->limits.minimum_blocks;
    out.maximum_blocks = partition->maximum(m_space.total_blocks());
    out.last_resize_s = partition->last_resize_s;
    out.frequency = partition->frequency.value();
    out.latency_us = partition->latency_us.value();
    out.utilisation = partition->utilisation.value();
    out.pressure = pressure(*partition);
    out.epsilon = partition->epsilon();
    out.pressure_threshold = view_of(partition->learned.pressure);
    out.cooldown_s = view_of(partition->learned.cooldown);
    out.growth_percent = view_of(partition->learned.growth);
    out.shrink_percent = view_of(partition->learned.shrink);
    out.outcomes = partition->history.size();
    out.moving = partition->open.number != 0;
    return true;
}

bool PartitionController::decision(u64 number, Decision& out) const
{
    MutexGuard guard(m_lock);
    const Decision* found = m_ring.find(number);
    if (found)
        out = *found;
    return found != nullptr;
}

}
