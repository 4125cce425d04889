// SPDX-License-Identifier: GPL-2.0-only
// Partitions to and from their items in the pool tree (core/format/partition_format.h).
//
// Decoding trusts nothing. What makes a partition what it is (id, name, limits) is refused as damage when it cannot be; of what was
// learned, each number that is out of its bounds goes back to its prior, and a history that does not read is empty: a
// partition works without, and learns again.
#pragma once

#include "core/base/result.h"
#include "core/base/span.h"
#include "core/partition/partition.h"

namespace lcpfs {

void encode_partition(const Partition& partition, DiskPartition& out);
// Outcomes part * 25.. of the history; `part` counts from 0. Gives how many there are: 0 is an item that has no place.
u32 encode_history(const OutcomeHistory& history, u32 part, DiskPartitionHistory& out);

struct DecodedPartition {
    u32 history_count { 0 };  // outcomes that its parts ought to hold
    bool learned_lost { false };
};
// partition_damaged: it is none, or not `id`. Into a fresh Partition.
Result<DecodedPartition> decode_partition(Bytes value, PartitionId id, Partition& out);
// The next part, in order, added to the history. partition_damaged: nothing of it was added.
Status decode_history(Bytes value, OutcomeHistory& history);

}
