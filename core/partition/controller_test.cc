// SPDX-License-Identifier: GPL-2.0-only
// The controller on a pool of numbers: what is refused and with which effect, growth inside a write, steps ahead, giving back.
#include "core/partition/controller.h"
#include "core/test/failure.h"
#include "core/test/partition_ground.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr u64 k_metaslab = PartitionGround::k_blocks;
constexpr PartitionId k_one { 2 }, k_two { 3 }, k_three { 4 };

// A pool, its controller, and a clock.
class Bench {
public:
    Status start()
    {
        m_controller = TRY(PartitionController::create(ground));
        return {};
    }
    PartitionController& controller() { return *m_controller; }
    Status add(PartitionId id, const char* name, u64 minimum, u64 maximum)
    {
        return m_controller->add({ id, StringView(name), { minimum * k_metaslab, maximum * k_metaslab } }, message);
    }
    // The partition gets room and uses it.
    Status write(PartitionId id, u64 blocks)
    {
        TRY(m_controller->make_room(id, blocks, now()));
        ground.of(id).used += blocks;
        return {};
    }
    void access(PartitionId id, u64 accesses, u64 latency_us)
    {
        if (PartitionMeter* meter = m_controller->meter(id))
            meter->note_many(accesses, accesses * latency_us);
    }
    void tick()
    {
        m_time_ms += k_partition_tick_ms;
        m_controller->tick(now());
    }
    // With a steady load of so many accesses per second.
    void run(u32 ticks, PartitionId id, u64 per_second, u64 latency_us = 100)
    {
        for (u32 i = 0; i < ticks; i++) {
            access(id, per_second * 10, latency_us);
            tick();
        }
    }
    u32 size(PartitionId id) { return ground.of(id).metaslabs; }
    u32 decisions(DecisionReason reason, DecisionResult result)
    {
        u32 count = 0;
        const u64 last = m_controller->view().last_decision;
        for (u64 number = 1; number <= last; number++)
            count += m_controller->decision(number, m_decision) && m_decision.reason == reason && m_decision.result == result;
        return count;
    }
    u32 decisions(DecisionReason reason)
    {
        u32 count = 0;
        for (u8 result = 0; result <= static_cast<u8>(DecisionResult::unknowable); result++)
            count += decisions(reason, static_cast<DecisionResult>(result));
        return count;
    }
    // Steps ahead that took from whom a step ahead had given to within four cooldowns at their least.
    u32 opposite_hand_overs()
    {
        u32 count = 0;
        Decision later;
        const u64 last = m_controller->view().last_decision;
        for (u64 number = 1; number <= last; number++) {
            if (!m_controller->decision(number, m_decision) || m_decision.reason != DecisionReason::pressure ||
                m_decision.other == k_unassigned)
                continue;
            for (u64 next = number + 1; next <= last; next++)
                count += m_controller->decision(next, later) && later.reason == DecisionReason::pressure &&
                         later.partition == m_decision.other && later.other == m_decision.partition &&
                         later.time_s - m_decision.time_s < 30 * k_trade_cooldowns;
        }
        return count;
    }
    PartitionClock now() const { return { m_time_ms, 1700000000 + m_time_ms / 1000 }; }

    PartitionGround ground;
    TextLine message;

private:
    Box<PartitionController> m_controller;
    Decision m_decision;
    u64 m_time_ms { 1000 };
};

#define START(bench)                                     \
    Box<Bench> bench##_box = REQUIRE_VALUE(make_box<Bench>()); \
    Bench& bench = *bench##_box;                         \
    REQUIRE_OK(bench.start())

void nonsense(Test& test)
{
    START(bench);
    REQUIRE_OK(bench.add(k_one, "one", 100, 200));
    CHECK_EQ(bench.size(k_one), 100u); // the guarantee is there at once
    const u64 changes = bench.controller().changes();
    struct Row {
        const char* name;
        u64 minimum, maximum;
        Error error;
    };
    constexpr Row k_rows[] = {
        { "two", 11, 10, Error::invalid },      { "two", 0, 257, Error::invalid },   { "two", 257, 0, Error::invalid },
        { "two", 157, 0, Error::no_space },     { "one", 0, 0, Error::exists },      { "", 0, 0, Error::invalid },
        { "with space", 0, 0, Error::invalid }, { "a/b", 0, 0, Error::invalid },
    };
    for (const Row& row : k_rows) {
        bench.message = TextLine();
        CHECK(bench.add(k_two, row.name, row.minimum, row.maximum).error() == row.error);
        CHECK(bench.message.size() > 20); // it says what and why
    }
    CHECK(bench.add(k_two, "a-name-that-is-longer-than-sixty-four-bytes-can-be-and-so-is-refused", 0, 0).error() == Error::name_too_long);
    CHECK(bench.controller().add({ k_two, "two", { ~0ull, ~0ull } }, bench.message).error() == Error::invalid);
    CHECK(bench.controller().add({ k_two, "two", { 0, 1 } }, bench.message).error() == Error::invalid); // less than a metaslab
    CHECK(bench.controller().add({ k_two, "two", { 10500, 10700 } }, bench.message).error() == Error::invalid); // none between them
    CHECK(bench.controller().set_limits(k_three, {}, bench.message).error() == Error::not_found);
    CHECK(bench.controller().remove(k_three, 0, bench.message).error() == Error::not_found);
    CHECK(bench.controller().make_room(k_three, 1, bench.now()).error() == Error::not_found);
    CHECK_EQ(bench.controller().changes(), changes);
    CHECK_EQ(bench.controller().view().partitions, 1u);
    CHECK_EQ(bench.ground.unassigned(), 156u);
    REQUIRE_OK(bench.add(k_two, "two", 156, 0)); // to the last metaslab
    CHECK_EQ(bench.ground.unassigned(), 0u);
    CHECK(bench.controller().find("two") == k_two);
    CHECK(bench.controller().find("three") == k_unassigned);
}

void limits_and_removal(Test& test)
{
    START(bench);
    REQUIRE_OK(bench.add(k_one, "one", 10, 100));
    REQUIRE_OK(bench.write(k_one, 50 * k_metaslab));
    const u32 before = bench.size(k_one);
    CHECK(before >= 50);
    CHECK(bench.controller().set_limits(k_one, { 0, 49 * k_metaslab }, bench.message).error() == Error::busy); // below use
    CHECK_EQ(bench.size(k_one), before);
    REQUIRE_OK(bench.controller().set_limits(k_one, { 0, 50 * k_metaslab }, bench.message));
    CHECK_EQ(bench.size(k_one), 50u);
    REQUIRE_OK(bench.controller().set_limits(k_one, { 80 * k_metaslab, 0 }, bench.message));
    CHECK_EQ(bench.size(k_one), 80u);
    // In pieces: it has to be moved together first.
    bench.ground.of(k_one).scattered = 20;
    CHECK(bench.controller().set_limits(k_one, { 0, 55 * k_metaslab }, bench.message).error() == Error::busy);
    CHECK_EQ(bench.ground.of(k_one).evacuations, 1u);
    CHECK_EQ(bench.size(k_one), 80u);
    bench.ground.of(k_one).scattered = 0;
    CHECK(bench.controller().remove(k_one, 2, bench.message).error() == Error::busy);
    CHECK(bench.controller().remove(k_one, 0, bench.message).error() == Error::busy); // data still there
    bench.ground.of(k_one).used = 0;
    REQUIRE_OK(bench.controller().remove(k_one, 0, bench.message));
    CHECK_EQ(bench.ground.unassigned(), PartitionGround::k_metaslabs);
    CHECK(bench.controller().meter(k_one) == nullptr);
    REQUIRE_OK(bench.add(k_default_partition, "default", 0, 0));
    CHECK(bench.controller().remove(k_default_partition, 0, bench.message).error() == Error::busy);
}

// A write gets what the pool has, up to the maximum and not into anybody's minimum.
void growth_inside_a_write(Test& test)
{
    START(bench);
    REQUIRE_OK(bench.add(k_one, "one", 0, 100));
    REQUIRE_OK(bench.add(k_two, "two", 60, 0));
    REQUIRE_OK(bench.add(k_three, "three", 0, 0));
    REQUIRE_OK(bench.write(k_one, 1));
    CHECK_EQ(bench.size(k_one), 1u);
    REQUIRE_OK(bench.write(k_one, 99 * k_metaslab));
    CHECK_EQ(bench.size(k_one), 100u);
    CHECK(bench.write(k_one, k_metaslab).error() == Error::no_space); // at its maximum
    REQUIRE_OK(bench.write(k_one, k_metaslab - 1));                   // what is left of it
    CHECK_EQ(bench.decisions(DecisionReason::refused_maximum), 1u);
    // Three takes all but two's minimum, whether that is used or not.
    for (u32 i = 0; i < 96; i++)
        CHECK_OK(bench.write(k_three, k_metaslab));
    CHECK(bench.write(k_three, k_metaslab).error() == Error::no_space);
    CHECK_EQ(bench.decisions(DecisionReason::refused_pool), 1u);
    CHECK_EQ(bench.size(k_two), 60u);
    REQUIRE_OK(bench.write(k_two, 60 * k_metaslab));
    CHECK(bench.write(k_two, 1).error() == Error::no_space);
    // One deletes: what it does not use is anybody's, at once.
    bench.ground.of(k_one).used = 0;
    REQUIRE_OK(bench.write(k_two, 70 * k_metaslab));
    CHECK_EQ(bench.size(k_one), 30u);
    CHECK(bench.ground.wrong() == nullptr);
    CHECK(bench.controller().make_room(k_one, ~0ull, bench.now()).error() == Error::no_space);
    // Mode off stops the controller, never a write.
    bench.controller().set_mode(PartitionMode::off);
    bench.ground.of(k_one).used = 0;
    REQUIRE_OK(bench.write(k_two, 30 * k_metaslab));
    CHECK_EQ(bench.size(k_one), 0u);
}

// A minimum that could not be met is owed: nobody else gets the room that comes free.
void a_minimum_is_owed(Test& test)
{
    START(bench);
    REQUIRE_OK(bench.add(k_one, "one", 0, 0));
    REQUIRE_OK(bench.add(k_two, "two", 20, 0));
    bench.ground.move({ k_two, k_unassigned, 20 * k_metaslab, 20 * k_metaslab }); // as if it had been mounted with less
    CHECK_EQ(bench.size(k_two), 0u);
    REQUIRE_OK(bench.write(k_one, 236 * k_metaslab));
    CHECK(bench.write(k_one, 1).error() == Error::no_space);
    bench.tick();
    CHECK_EQ(bench.size(k_two), 20u);
    CHECK_EQ(bench.decisions(DecisionReason::guarantee), 2u);
    CHECK(bench.ground.wrong() == nullptr);
}

// A pressed partition grows step by step, one per cooldown, and each step's outcome is known after the settling time.
void grows_ahead(Test& test)
{
    START(bench);
    REQUIRE_OK(bench.add(k_one, "one", 0, 80));
    REQUIRE_OK(bench.write(k_one, 20 * k_metaslab));
    const u32 before = bench.size(k_one);
    bench.run(1, k_one, 1000);
    CHECK_EQ(bench.decisions(DecisionReason::pressure), 0u); // the write's growth has not settled
    bench.run(60, k_one, 1000);
    CHECK(bench.decisions(DecisionReason::pressure, DecisionResult::measured) >= 1);
    CHECK(bench.decisions(DecisionReason::pressure) <= 3);
    CHECK(bench.size(k_one) > before);
    bench.run(1000, k_one, 1000);
    CHECK(bench.size(k_one) <= 80);
    CHECK(bench.size(k_one) > 40);
    CHECK(bench.ground.wrong() == nullptr);
}

// The same load and nobody pressed: nothing is moved, for ever.
void steady(Test& test)
{
    START(bench);
    REQUIRE_OK(bench.add(k_one, "one", 20, 80));
    REQUIRE_OK(bench.write(k_one, 15 * k_metaslab));
    bench.run(20, k_one, 1);
    const u32 moves = bench.ground.moves();
    bench.run(3000, k_one, 1);
    CHECK_EQ(bench.ground.moves(), moves);
}

// What is long unused goes back, in steps, never below what is used or guaranteed; what is in pieces is evacuated first.
void gives_back(Test& test)
{
    START(bench);
    REQUIRE_OK(bench.add(k_one, "one", 12, 0));
    REQUIRE_OK(bench.add(k_two, "two", 0, 0));
    REQUIRE_OK(bench.write(k_one, 100 * k_metaslab));
    REQUIRE_OK(bench.write(k_two, 10 * k_metaslab));
    bench.ground.of(k_one).used = 30 * k_metaslab;
    bench.ground.of(k_one).scattered = 75;
    for (u32 i = 0; i < 2000; i++) {
        bench.access(k_two, 100, 100);
        bench.run(1, k_one, 1);
    }
    CHECK(bench.ground.of(k_one).evacuations > 0);
    CHECK(bench.decisions(DecisionReason::evacuate) > 0);
    const u32 in_pieces = bench.size(k_one);
    CHECK(in_pieces >= 100);
    bench.ground.of(k_one).scattered = 0;
    for (u32 i = 0; i < 4000; i++) {
        bench.access(k_two, 100, 100);
        bench.run(1, k_one, 1);
        REQUIRE(bench.ground.wrong() == nullptr);
    }
    CHECK(bench.size(k_one) >= 30);
    CHECK(bench.size(k_one) <= 36);
    bench.ground.of(k_one).used = 0;
    bench.run(20000, k_one, 1);
    CHECK(bench.size(k_one) >= 12);
    CHECK(bench.size(k_one) <= 14);
    CHECK(bench.decisions(DecisionReason::idle, DecisionResult::measured) > 0);
}

void advises(Test& test)
{
    START(bench);
    REQUIRE_OK(bench.add(k_one, "one", 0, 80));
    REQUIRE_OK(bench.write(k_one, 20 * k_metaslab));
    bench.controller().set_mode(PartitionMode::advise);
    const u32 moves = bench.ground.moves();
    bench.run(300, k_one, 1000);
    CHECK_EQ(bench.ground.moves(), moves);
    CHECK(bench.decisions(DecisionReason::pressure, DecisionResult::advised) > 0);
    bench.controller().set_mode(PartitionMode::off);
    const u64 last = bench.controller().view().last_decision;
    bench.run(300, k_one, 1000);
    CHECK_EQ(bench.controller().view().last_decision, last);
}

// Two that are pressed alike while the pool is full do not pass metaslabs to and fro.
void no_trading(Test& test)
{
    START(bench);
    REQUIRE_OK(bench.add(k_one, "one", 0, 0));
    REQUIRE_OK(bench.add(k_two, "two", 0, 0));
    REQUIRE_OK(bench.write(k_one, 120 * k_metaslab));
    REQUIRE_OK(bench.write(k_two, 120 * k_metaslab));
    bench.ground.of(k_one).used = bench.ground.of(k_two).used = 60 * k_metaslab;
    for (u32 i = 0; i < 3000; i++) {
        const u64 busy = i / 30 % 2 ? 3000 : 30; // each in turn for five minutes
        bench.access(k_one, busy * 10, 100);
        bench.access(k_two, (3030 - busy) * 10, 100);
        bench.tick();
        REQUIRE(bench.ground.wrong() == nullptr);
    }
    CHECK_EQ(bench.opposite_hand_overs(), 0u);
    CHECK(bench.ground.moves() < 1000); // 240 to begin with, then in 8.3 hours what the learned steps of 5 % make of 100 changes
}

// In a pool that has nothing left the busiest gets what stands empty in one that makes little of it, though that one is within its
// dead band and used it lately; a write of that one fetches it again.
void takes_what_stands_empty(Test& test)
{
    START(bench);
    REQUIRE_OK(bench.add(k_one, "one", 0, 0));
    REQUIRE_OK(bench.add(k_two, "two", 0, 0));
    REQUIRE_OK(bench.write(k_one, 40 * k_metaslab));
    REQUIRE_OK(bench.write(k_two, 200 * k_metaslab));
    bench.ground.of(k_one).used = 20 * k_metaslab;
    bench.tick();
    bench.ground.of(k_two).used = 100 * k_metaslab;
    for (u32 i = 0; i < 150; i++) {
        bench.access(k_two, 1000, 100);
        bench.run(1, k_one, 5000);
        REQUIRE(bench.ground.wrong() == nullptr);
    }
    CHECK_EQ(bench.ground.unassigned(), 0u);
    CHECK(bench.size(k_one) >= 70);
    CHECK(bench.size(k_two) < 200);
    REQUIRE_OK(bench.write(k_two, 100 * k_metaslab));
    CHECK(bench.size(k_two) >= 200);
    CHECK(bench.ground.wrong() == nullptr);
}

// A load that ends by itself is no improvement: what is measured is the cost of an access, at the loads of now.
void attribution(Test& test)
{
    START(bench);
    REQUIRE_OK(bench.add(k_one, "one", 0, 80));
    REQUIRE_OK(bench.add(k_two, "two", 0, 80));
    REQUIRE_OK(bench.write(k_one, 20 * k_metaslab));
    REQUIRE_OK(bench.write(k_two, 40 * k_metaslab));
    Decision decision;
    u64 found = 0;
    for (u32 i = 0; i < 200 && !found; i++) {
        // Latency doubles and the load falls to a tenth as soon as a step ahead was taken, for all.
        const u64 last = bench.controller().view().last_decision;
        bench.access(k_two, 5000, 100);
        bench.run(1, k_one, 1000);
        for (u64 number = last + 1; number <= bench.controller().view().last_decision; number++)
            if (bench.controller().decision(number, decision) && decision.reason == DecisionReason::pressure)
                found = number;
    }
    REQUIRE(found != 0);
    for (u32 i = 0; i < 20; i++) {
        bench.access(k_two, 500, 200);
        bench.run(1, k_one, 100, 200);
    }
    REQUIRE(bench.controller().decision(found, decision));
    CHECK(decision.result == DecisionResult::measured);
    CHECK(decision.epsilon_after < decision.epsilon_before.shifted_down(1)); // a naive look would say: it helped by half and more
    CHECK(decision.improvement.magnitude() < Fixed(15));
}

// Nothing the allocator fails leaves anything half done.
void no_memory(Test& test)
{
    START(bench);
    for (u32 nth = 1; nth < 4; nth++) {
        if (!lcpfs_test_fail_allocation(nth))
            return;
        const bool added = bench.add(k_one, "one", 10, 20).is_ok();
        lcpfs_test_fail_allocation(0);
        CHECK_EQ(bench.controller().view().partitions, added ? 1u : 0u);
        CHECK_EQ(bench.size(k_one), added ? 10u : 0u);
        if (added)
            break;
    }
    CHECK_EQ(bench.controller().view().partitions, 1u);
}

constexpr TestCase k_cases[] = {
    { "nonsense", nonsense },
    { "limits_and_removal", limits_and_removal },
    { "growth_inside_a_write", growth_inside_a_write },
    { "a_minimum_is_owed", a_minimum_is_owed },
    { "grows_ahead", grows_ahead },
    { "steady", steady },
    { "gives_back", gives_back },
    { "advises", advises },
    { "no_trading", no_trading },
    { "takes_what_stands_empty", takes_what_stands_empty },
    { "attribution", attribution },
    { "no_memory", no_memory },
};

}

LCPFS_SUITE(partition_controller, k_cases);

}
