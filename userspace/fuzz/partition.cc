// SPDX-License-Identifier: GPL-2.0-only
// Partition records: whatever decodes is within its bounds, and encodes to something that decodes to the same.
#include "core/host/memory.h"
#include "core/partition/partition_codec.h"
#include "userspace/fuzz/input.h"

using namespace lcpfs;

static bool within(const LearnedThreshold& threshold)
{
    return threshold.value() >= threshold.bounds().low && threshold.value() <= threshold.bounds().high;
}

static void check_partition(Bytes value, u64 id)
{
    auto partition = make_box<Partition>(), again = make_box<Partition>();
    FUZZ_CHECK(partition.is_ok() && again.is_ok());
    auto decoded = decode_partition(value, PartitionId(id), *partition.value());
    if (decoded.is_error())
        return;
    const LearnedNumbers& learned = partition.value()->learned;
    FUZZ_CHECK(within(learned.pressure) && within(learned.cooldown) && within(learned.growth) && within(learned.shrink));
    FUZZ_CHECK(decoded.value().history_count <= OutcomeHistory::k_capacity);
    learned.pressure.allows(learned.pressure.confidence() + learned.pressure.rate());
    DiskPartition disk, disk_again;
    encode_partition(*partition.value(), disk);
    FUZZ_CHECK(decode_partition(bytes_of(disk), PartitionId(id), *again.value()).is_ok());
    encode_partition(*again.value(), disk_again);
    FUZZ_CHECK(equal(bytes_of(disk), bytes_of(disk_again)));
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    FuzzInput input(data, size);
    const u64 id = input.take<u64>();
    std::vector<u8> value = input.rest();
    // The size and the id are what a fuzzer would have to guess.
    std::vector<u8> partition = value, history = value;
    partition.resize(sizeof(DiskPartition));
    check_partition(bytes_in(value), id);
    reinterpret_cast<DiskPartition*>(partition.data())->id.set(id);
    reinterpret_cast<DiskPartition*>(partition.data())->version.set(k_partition_version);
    check_partition(bytes_in(partition), id);
    history.resize(sizeof(DiskPartitionHistory));
    auto outcomes = make_box<OutcomeHistory>();
    FUZZ_CHECK(outcomes.is_ok());
    if (decode_history(bytes_in(history), *outcomes.value()).is_error()) {
        FUZZ_CHECK(outcomes.value()->size() == 0);
        return 0;
    }
    DiskPartitionHistory again;
    FUZZ_CHECK(encode_history(*outcomes.value(), 0, again) == outcomes.value()->size());
    outcomes.value()->benefit(ActionKind::grow, Fixed(100), Fixed());
    return 0;
}
