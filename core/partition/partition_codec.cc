// SPDX-License-Identifier: GPL-2.0-only
#include "core/partition/partition_codec.h"

namespace lcpfs {

namespace {

void store(Fixed value, DiskFixed& out)
{
    out.low.set(value.low_half());
    out.high.set(value.high_half());
}

Fixed load(const DiskFixed& disk) { return Fixed::from_halves(disk.high.get(), disk.low.get()); }

void store(const LearnedThreshold& threshold, DiskLearned& out)
{
    store(threshold.value(), out.value);
    store(threshold.mean(), out.mean);
    store(threshold.squares(), out.squares);
    out.observations.set(threshold.observations());
}

// False, and the prior left, when it is not what a threshold with these bounds can hold.
bool load(const DiskLearned& disk, LearnedThreshold& threshold)
{
    return disk.reserved.get() == 0 && threshold.restore(load(disk.value), disk.observations.get(), load(disk.mean), load(disk.squares));
}

bool is_zero(Bytes bytes)
{
    for (u8 byte : bytes)
        if (byte)
            return false;
    return true;
}

bool is_name(Bytes name)
{
    for (u8 byte : name)
        if (byte <= ' ' || byte == '/' || byte == 0x7f)
            return false;
    return !name.is_empty();
}

}

void encode_partition(const Partition& partition, DiskPartition& out)
{
    out = DiskPartition {};
    out.id.set(partition.id.value());
    out.version.set(k_partition_version);
    out.name_bytes.set(partition.name_length);
    out.history_count.set(static_cast<u16>(partition.history.size()));
    out.minimum_blocks.set(partition.limits.minimum_blocks);
    out.maximum_blocks.set(partition.limits.maximum_blocks);
    out.last_resize_s.set(partition.last_resize_s);
    store(partition.learned.pressure, out.pressure);
    store(partition.learned.cooldown, out.cooldown);
    store(partition.learned.growth, out.growth);
    store(partition.learned.shrink, out.shrink);
    copy_bytes(out.name, partition.name, partition.name_length);
}

u32 encode_history(const OutcomeHistory& history, u32 part, DiskPartitionHistory& out)
{
    out = DiskPartitionHistory {};
    const u32 first = part * k_outcomes_per_part;
    const u32 count = history.size() <= first ? 0 : min(history.size() - first, k_outcomes_per_part);
    out.count.set(static_cast<u16>(count));
    for (u32 i = 0; i < count; i++) {
        const StepOutcome& outcome = history.at(first + i);
        if (outcome.action == ActionKind::shrink)
            out.actions[i / 8] = static_cast<u8>(out.actions[i / 8] | 1u << (i % 8));
        store(outcome.pressure, out.outcomes[i].pressure);
        store(outcome.improvement, out.outcomes[i].improvement);
    }
    return count;
}

Result<DecodedPartition> decode_partition(Bytes value, PartitionId id, Partition& out)
{
    VERIFY_DISK(value.size() == sizeof(DiskPartition), partition_damaged);
    const DiskPartition& disk = *reinterpret_cast<const DiskPartition*>(value.data());
    const u64 minimum = disk.minimum_blocks.get(), maximum = disk.maximum_blocks.get();
    const u32 name_bytes = disk.name_bytes.get();
    VERIFY_DISK(id != k_unassigned && id.value() <= k_most_partition_id && disk.id.get() == id.value(), partition_damaged);
    VERIFY_DISK(disk.version.get() == k_partition_version, partition_damaged);
    VERIFY_DISK(name_bytes >= 1 && name_bytes <= k_partition_name_bytes, partition_damaged);
    VERIFY_DISK(is_name({ disk.name, name_bytes }), partition_damaged);
    VERIFY_DISK(is_zero({ disk.name + name_bytes, k_partition_name_bytes - name_bytes }), partition_damaged);
    VERIFY_DISK(is_zero({ disk.reserved, sizeof(disk.reserved) }), partition_damaged);
    VERIFY_DISK(maximum == 0 || minimum <= maximum, partition_damaged);
    out.id = id;
    out.limits = { minimum, maximum };
    out.last_resize_s = disk.last_resize_s.get();
    out.name_length = static_cast<u8>(name_bytes);
    copy_bytes(out.name, disk.name, name_bytes);
    DecodedPartition decoded;
    decoded.history_count = disk.history_count.get();
    // Each by itself: one that is damaged takes none of the others with it.
    const bool whole[] = { load(disk.pressure, out.learned.pressure), load(disk.cooldown, out.learned.cooldown),
                           load(disk.growth, out.learned.growth), load(disk.shrink, out.learned.shrink),
                           decoded.history_count <= OutcomeHistory::k_capacity };
    for (bool good : whole)
        decoded.learned_lost = decoded.learned_lost || !good;
    decoded.history_count = min(decoded.history_count, OutcomeHistory::k_capacity);
    return decoded;
}

Status decode_history(Bytes value, OutcomeHistory& history)
{
    VERIFY_DISK(value.size() == sizeof(DiskPartitionHistory), partition_damaged);
    const DiskPartitionHistory& disk = *reinterpret_cast<const DiskPartitionHistory*>(value.data());
    const u32 count = disk.count.get();
    VERIFY_DISK(count >= 1 && count <= k_outcomes_per_part, partition_damaged);
    VERIFY_DISK(history.size() + count <= OutcomeHistory::k_capacity, partition_damaged);
    for (u32 i = count; i < 8 * sizeof(disk.actions); i++)
        VERIFY_DISK((disk.actions[i / 8] >> (i % 8) & 1) == 0, partition_damaged);
    for (u32 i = 0; i < k_outcomes_per_part; i++) {
        const DiskOutcome& outcome = disk.outcomes[i];
        if (i < count)
            VERIFY_DISK(!load(outcome.pressure).is_negative() && is_improvement(load(outcome.improvement)), partition_damaged);
        else
            VERIFY_DISK(is_zero(bytes_of(outcome)), partition_damaged);
    }
    for (u32 i = 0; i < count; i++) {
        const bool shrink = disk.actions[i / 8] >> (i % 8) & 1;
        const ActionKind action = shrink ? ActionKind::shrink : ActionKind::grow;
        history.add({ action, load(disk.outcomes[i].pressure), load(disk.outcomes[i].improvement) });
    }
    return {};
}

}
