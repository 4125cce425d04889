// SPDX-License-Identifier: GPL-2.0-only
// Partitions: their entries, that every metaslab's owner is one of them, and that data stands where its partition lives.
#include "core/check/checker.h"

#include "core/partition/partition_codec.h"

namespace lcpfs {

// An item of the pool tree. Items come in order: part 0 of a partition before its history.
void Checker::check_partition(u64 key, Bytes value)
{
    const u64 id = partition_of_item_key(key);
    const u32 part = part_of_item_key(key);
    if (key == 0) {
        DiskPartitionTable table;
        if (value.size() == sizeof(table))
            copy_bytes(&table, value.data(), sizeof(table));
        if (value.size() != sizeof(table) || table.version.get() != k_partition_version)
            return m_findings.say("pool tree: the table of partitions is malformed");
        m_next_partition = table.next_id.get();
        return;
    }
    if (part == 0 && id) {
        Result<Box<Partition>> partition = make_box<Partition>();
        if (partition.is_error()) {
            m_failure = partition.error();
            return;
        }
        if (decode_partition(value, PartitionId(id), *partition.value()).is_error())
            return m_findings.say("partition ", id, ": its entry is malformed");
        if (id >= m_next_partition && id != k_default_partition.value())
            m_findings.say("partition ", id, ": is beyond the next to be made, ", m_next_partition);
        const Status added = m_partitions.push_back(id);
        if (added.is_error())
            m_failure = added.error();
        return;
    }
    Result<Box<OutcomeHistory>> history = make_box<OutcomeHistory>();
    if (history.is_error()) {
        m_failure = history.error();
        return;
    }
    if (part > k_partition_history_parts || m_partitions.is_empty() || m_partitions.last() != id)
        return m_findings.say("pool tree: a history of partition ", id, ", which has no entry");
    if (decode_history(value, *history.value()).is_error())
        m_findings.say("partition ", id, ": part ", u64(part), " of its history is malformed");
}

bool Checker::has_partition(u64 id) const
{
    for (const u64 other : m_partitions)
        if (other == id)
            return true;
    return id == k_default_partition.value();
}

// Of all vdevs, in order.
Checker::SeenMetaslab* Checker::metaslab_at(VdevId vdev, u64 index)
{
    for (u16 i = 0; i < vdev.value(); i++)
        index += m_pool.vdevs().vdev(VdevId(i)).metaslab_count;
    if (m_metaslab_owners.size() <= index) {
        const Status resized = m_metaslab_owners.resize(index + 1);
        if (resized.is_error()) {
            m_failure = resized.error();
            return nullptr;
        }
    }
    return &m_metaslab_owners[index];
}

void Checker::check_metaslab_owner(u64 vdev, u64 index, const DiskMetaslabEntry& entry)
{
    const u64 partition = entry.partition.get();
    if (partition && !has_partition(partition))
        m_findings.say("metaslab table: metaslab ", index, " of device ", vdev, " belongs to partition ", partition,
                       ", which there is none of");
    if (SeenMetaslab* const metaslab = metaslab_at(VdevId(static_cast<u16>(vdev)), index))
        *metaslab = { partition, (entry.flags.get() & k_metaslab_is_mixed) != 0 };
}

void Checker::check_home(u64 object, u64 file_block, const Dva& dva)
{
    const Vdev& vdev = m_pool.vdevs().vdev(dva.vdev);
    const SeenMetaslab* const metaslab = metaslab_at(dva.vdev, (dva.block - k_first_metaslab_block) / vdev.metaslab_blocks);
    const u64 named = m_dataset.partition.get();
    const u64 home = named ? named : k_default_partition.value();
    if (metaslab && metaslab->partition && metaslab->partition != home && !metaslab->is_mixed)
        m_findings.say("object ", object, ": extent at file block ", file_block, " stands in a metaslab of partition ",
                       metaslab->partition, ", its dataset lives in ", home);
}

}
