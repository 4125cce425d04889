// SPDX-License-Identifier: GPL-2.0-only
// The same inputs give the same decisions in every host: a trace made from a seed is replayed, and a checksum over each
// decision as it was made, each outcome as it was measured and all that was learned has to be the one written here. The
// case runs in a process (gcc, optimised or with sanitizers) and in the kernel (KUnit).
//
// A change of the controller changes the number: then the new one is written down, from either host.
#include "core/partition/partition_codec.h"
#include "core/test/partition_ground.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr u64 k_decisions = 193;
constexpr u64 k_checksum = 1973238945899688114u;
constexpr u32 k_ticks = 4000, k_tenants = 5;

class Sum {
public:
    void add(u64 value)
    {
        for (u32 i = 0; i < 8; i++)
            m_sum = (m_sum ^ (value >> (8 * i) & 255)) * 0x100000001b3; // FNV-1a
    }
    void add(Fixed value) { add(value.high_half()), add(value.low_half()); }
    void add(const Decision& decision)
    {
        add(decision.number), add(decision.time_s), add(decision.partition.value()), add(decision.other.value());
        add(static_cast<u64>(decision.action)), add(static_cast<u64>(decision.reason)), add(static_cast<u64>(decision.result));
        add(decision.size_before), add(decision.size_after), add(decision.used), add(u64(decision.metaslabs));
        add(decision.pressure), add(decision.threshold), add(decision.benefit), add(decision.uncertainty);
        add(decision.epsilon_before), add(decision.epsilon_expected), add(decision.epsilon_after), add(decision.improvement);
    }
    void add(Bytes bytes)
    {
        for (u8 byte : bytes)
            add(u64(byte));
    }
    u64 value() const { return m_sum; }

private:
    u64 m_sum { 0xcbf29ce484222325 };
};

class Source {
public:
    u64 below(u64 limit)
    {
        m_state ^= m_state << 13, m_state ^= m_state >> 7, m_state ^= m_state << 17;
        return m_state % limit;
    }

private:
    u64 m_state { 0x5eed0f1c9f5aa11d };
};

// What five tenants do in one tick: each writes or deletes a little, now and then a lot, and accesses what it has.
void live(PartitionController& controller, PartitionGround& ground, Source& source, PartitionClock now)
{
    for (u64 i = 0; i < k_tenants; i++) {
        const PartitionId id(2 + i);
        PartitionGround::Owned& owned = ground.of(id);
        const u64 amount = source.below(source.below(200) == 0 ? 20000 : 60);
        if (source.below(100) < 48)
            owned.used -= min(owned.used, amount);
        else if (controller.make_room(id, amount, now).is_ok())
            owned.used += amount;
        owned.scattered = static_cast<u32>(source.below(3));
        const u64 accesses = source.below(20000) >> (2 * i), latency_us = 100 + source.below(100 << i);
        controller.meter(id)->note_many(accesses, accesses * latency_us);
    }
}

void store(const PartitionController& controller, Sum& sum, DiskPartition& disk, DiskPartitionHistory& part)
{
    controller.for_each([&](const Partition& partition) {
        encode_partition(partition, disk);
        sum.add(bytes_of(disk));
        for (u32 i = 0; i < k_partition_history_parts && encode_history(partition.history, i, part); i++)
            sum.add(bytes_of(part));
    });
}

void replay(Test& test)
{
    Box<PartitionGround> ground = REQUIRE_VALUE(make_box<PartitionGround>());
    Box<PartitionController> controller = REQUIRE_VALUE(PartitionController::create(*ground));
    Box<TextLine> message = REQUIRE_VALUE(make_box<TextLine>());
    const char* const k_names[] = { "a", "b", "c", "d", "e" };
    for (u64 i = 0; i < k_tenants; i++)
        REQUIRE_OK(controller->add({ PartitionId(2 + i), k_names[i], { (4 + i) * 1024, (60 + 20 * i) * 1024 } }, *message));
    Source source;
    Sum sum;
    Box<Decision> decision = REQUIRE_VALUE(make_box<Decision>());
    u64 told = 0;
    for (u64 tick = 1; tick <= k_ticks; tick++) {
        const PartitionClock now { tick * k_partition_tick_ms + source.below(500), 1700000000 + tick * 10 };
        live(*controller, *ground, source, now);
        controller->tick(now);
        const u64 last = controller->view().last_decision;
        // As made, and once more when there were 50 after it: then its outcome has been measured.
        for (; told < last; told++) {
            CHECK(controller->decision(told + 1, *decision));
            sum.add(*decision);
            if (told >= 50 && controller->decision(told - 49, *decision))
                sum.add(*decision);
        }
        if (const char* wrong = ground->wrong()) {
            test.check(false, __FILE__, __LINE__, wrong);
            return;
        }
    }
    Box<DiskPartitionHistory> part = REQUIRE_VALUE(make_box<DiskPartitionHistory>());
    Box<DiskPartition> disk = REQUIRE_VALUE(make_box<DiskPartition>());
    store(*controller, sum, *disk, *part);
    CHECK_EQ(told, k_decisions);
    CHECK_EQ(sum.value(), k_checksum);
}

constexpr TestCase k_cases[] = { { "replay", replay } };

}

LCPFS_SUITE(partition_replay, k_cases);

}
