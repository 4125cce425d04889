// SPDX-License-Identifier: GPL-2.0-only
// Partitions survive their coding bit by bit; what cannot be a partition is refused; damaged learning costs only itself.
#include "core/partition/partition_codec.h"

#include "core/host/memory.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

void fill(Partition& partition)
{
    partition.id = PartitionId(77);
    copy_bytes(partition.name, "archive", 7);
    partition.name_length = 7;
    partition.limits = { 1000, 50000 };
    partition.last_resize_s = 1700000000;
    for (i64 i = 0; i < 130; i++) {
        const Fixed improvement = Fixed::from_ratio(i * 7919 % 301 - 150, 7);
        partition.learned.pressure.learn(improvement, Fixed::from_ratio(i, 3));
        partition.learned.growth.learn(improvement, Fixed(i));
        partition.history.add({ i % 3 ? ActionKind::grow : ActionKind::shrink, Fixed::from_ratio(i, 9), improvement });
    }
}

bool same(const LearnedThreshold& a, const LearnedThreshold& b)
{
    return a.value() == b.value() && a.observations() == b.observations() && a.mean() == b.mean() && a.squares() == b.squares();
}

void round_trip(Test& test)
{
    Box<Partition> partition = REQUIRE_VALUE(make_box<Partition>()), again = REQUIRE_VALUE(make_box<Partition>());
    fill(*partition);
    DiskPartition disk;
    encode_partition(*partition, disk);
    const DecodedPartition decoded = REQUIRE_VALUE(decode_partition(bytes_of(disk), PartitionId(77), *again));
    CHECK_EQ(decoded.history_count, 100u);
    CHECK(!decoded.learned_lost);
    CHECK(again->name_text() == StringView("archive"));
    CHECK_EQ(again->limits.minimum_blocks, 1000u);
    CHECK_EQ(again->limits.maximum_blocks, 50000u);
    CHECK_EQ(again->last_resize_s, 1700000000u);
    CHECK(same(again->learned.pressure, partition->learned.pressure));
    CHECK(same(again->learned.cooldown, partition->learned.cooldown));
    CHECK(same(again->learned.growth, partition->learned.growth));
    CHECK(same(again->learned.shrink, partition->learned.shrink));
    Box<DiskPartitionHistory> part = REQUIRE_VALUE(make_box<DiskPartitionHistory>());
    for (u32 i = 0; i < k_partition_history_parts; i++) {
        CHECK_EQ(encode_history(partition->history, i, *part), k_outcomes_per_part);
        REQUIRE_OK(decode_history(bytes_of(*part), again->history));
    }
    CHECK_EQ(encode_history(partition->history, k_partition_history_parts, *part), 0u);
    REQUIRE_EQ(again->history.size(), 100u);
    for (u32 i = 0; i < 100; i++) {
        const StepOutcome &a = partition->history.at(i), &b = again->history.at(i);
        CHECK(a.action == b.action && a.pressure == b.pressure && a.improvement == b.improvement);
    }
    CHECK_ERROR(decode_history(bytes_of(*part), again->history), partition_damaged); // more than there can be
}

struct Lie {
    const char* name;
    void (*tell)(DiskPartition& disk);
    bool refused; // else: only what was learned is lost
};
constexpr Lie k_lies[] = {
    { "id", [](DiskPartition& disk) { disk.id.set(78); }, true },
    { "version", [](DiskPartition& disk) { disk.version.set(2); }, true },
    { "no name", [](DiskPartition& disk) { disk.name_bytes.set(0); }, true },
    { "long name", [](DiskPartition& disk) { disk.name_bytes.set(65); }, true },
    { "name with a slash", [](DiskPartition& disk) { disk.name[2] = '/'; }, true },
    { "name with a zero", [](DiskPartition& disk) { disk.name[2] = 0; }, true },
    { "bytes behind the name", [](DiskPartition& disk) { disk.name[20] = 'x'; }, true },
    { "reserved", [](DiskPartition& disk) { disk.reserved[23] = 1; }, true },
    { "minimum above maximum", [](DiskPartition& disk) { disk.minimum_blocks.set(50001); }, true },
    { "history count", [](DiskPartition& disk) { disk.history_count.set(101); }, false },
    { "pressure zero", [](DiskPartition& disk) { disk.pressure.value = DiskFixed(); }, false },
    { "pressure negative", [](DiskPartition& disk) { disk.pressure.value.high.set(1ull << 63); }, false },
    { "cooldown endless", [](DiskPartition& disk) { disk.cooldown.value.high.set(86401); }, false },
    { "growth above 100", [](DiskPartition& disk) { disk.growth.value.high.set(101); }, false },
    { "squares negative", [](DiskPartition& disk) { disk.pressure.squares.high.set(~0ull); }, false },
    { "a mean of nothing", [](DiskPartition& disk) { disk.shrink.mean.high.set(1); }, false },
    { "observations", [](DiskPartition& disk) { disk.pressure.observations.set(~0ull); }, false },
    { "learned reserved", [](DiskPartition& disk) { disk.growth.reserved.set(1); }, false },
};

void check_lie(Test& test, const Lie& lie)
{
    Box<Partition> partition = REQUIRE_VALUE(make_box<Partition>()), again = REQUIRE_VALUE(make_box<Partition>());
    fill(*partition);
    DiskPartition disk;
    encode_partition(*partition, disk);
    lie.tell(disk);
    auto decoded = decode_partition(bytes_of(disk), PartitionId(77), *again);
    if (lie.refused) {
        CHECK_ERROR(decoded, partition_damaged);
        return;
    }
    REQUIRE_OK(decoded);
    CHECK(decoded.value().learned_lost);
    CHECK(again->name_text() == StringView("archive"));
    const LearnedNumbers& learned = again->learned;
    const LearnedThreshold* const numbers[] = { &learned.pressure, &learned.cooldown, &learned.growth, &learned.shrink };
    for (const LearnedThreshold* number : numbers)
        CHECK(number->value() >= number->bounds().low && number->value() <= number->bounds().high);
}

void history_lies(Test& test)
{
    Box<Partition> partition = REQUIRE_VALUE(make_box<Partition>());
    fill(*partition);
    Box<DiskPartitionHistory> part = REQUIRE_VALUE(make_box<DiskPartitionHistory>());
    Box<OutcomeHistory> out = REQUIRE_VALUE(make_box<OutcomeHistory>());
    void (*const k_tell[])(DiskPartitionHistory&) = {
        [](DiskPartitionHistory& disk) { disk.count.set(0); },
        [](DiskPartitionHistory& disk) { disk.count.set(26); },
        [](DiskPartitionHistory& disk) { disk.count.set(24); }, // outcome 25 is not zeros
        [](DiskPartitionHistory& disk) { disk.actions[3] = 0x80; },
        [](DiskPartitionHistory& disk) { disk.outcomes[4].pressure.high.set(~0ull); },
        [](DiskPartitionHistory& disk) { disk.outcomes[4].improvement.high.set(501); },
    };
    for (auto tell : k_tell) {
        encode_history(partition->history, 1, *part);
        tell(*part);
        CHECK_ERROR(decode_history(bytes_of(*part), *out), partition_damaged);
        CHECK_EQ(out->size(), 0u);
    }
    encode_history(partition->history, 1, *part);
    CHECK_ERROR(decode_history(bytes_of(*part).slice(0, sizeof(*part) - 1), *out), partition_damaged);
    CHECK_OK(decode_history(bytes_of(*part), *out));
}

constexpr TestCase k_cases[] = { { "round_trip", round_trip }, { "history_lies", history_lies } };

}

LCPFS_SUITE(partition_codec, k_cases);
LCPFS_TABLE_SUITE(partition_lies, k_lies, check_lie);

}
