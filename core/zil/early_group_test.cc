// SPDX-License-Identifier: GPL-2.0-only
// Groups that commit for the sake of the log's ring: how much of it they may fill (zil_commit.cc).
#include "core/test/log_ground.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

// Frames until the next one could end behind `position`, in whichever group is open.
void fill(Test& test, LogGround& ground, u64 position)
{
    for (u64 frame_bytes = 0; ground.position() + frame_bytes <= position && !test.failed();) {
        const u64 before = ground.position();
        ground.add(6000);
        REQUIRE_OK(ground.log->commit());
        frame_bytes = ground.position() - before;
    }
}

// Whether the groups up to `txg` have been closed within a moment, and no other.
bool closes(LogGround& ground, u64 txg)
{
    (void)ground.wait_for([&] { return ground.engine->open_txg().value() > txg; });
    return ground.engine->open_txg().value() == txg + 1;
}

// Where commits are quick a group has three eighths of the ring, where they are not a quarter: what comes in meanwhile finds room.
void share_of_ring(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    const u64 eighth = ground->log->ring().bytes() / 8;
    const u64 frame = eighth / 4; // more than one takes
    fill(test, *ground, 3 * eighth);
    Event pause;
    (void)pause.wait_timeout(20 * 1000 * 1000, [] { return false; });
    CHECK_EQ(ground->engine->open_txg(), 11u);
    ground->is_slow.store(1);
    fill(test, *ground, 3 * eighth + frame);
    CHECK(closes(*ground, 11));
    // Its commit takes as long as a quarter of the ring does to be filled.
    const u64 begun = ground->position();
    fill(test, *ground, begun + 2 * eighth);
    CHECK(closes(*ground, 11));
    ground->is_slow.store(0);
    ground->event.wake();
    CHECK(ground->wait_for([&] { return ground->engine->committed_txg() == TxgId(11); }));
    fill(test, *ground, begun + 2 * eighth + frame);
    CHECK(closes(*ground, 12));
    CHECK(ground->wait_for([&] { return ground->engine->committed_txg() == TxgId(12); }));
    // Nothing came while that one committed.
    const u64 next = ground->position();
    fill(test, *ground, next + 5 * eighth / 2);
    (void)pause.wait_timeout(20 * 1000 * 1000, [] { return false; });
    CHECK_EQ(ground->engine->open_txg(), 13u);
    fill(test, *ground, next + 3 * eighth + frame);
    CHECK(closes(*ground, 13));
}

// However few bytes they are: each cut of a file costs a mount after a crash its time.
void share_of_work(Test& test)
{
    constexpr u64 k_most = 40;
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    ground->log->set_max_group(3 * k_most, ~0ull);
    const auto add = [&](u64 records) {
        for (u64 i = 0; i < records && !test.failed(); i++) {
            ground->add(100);
            REQUIRE_OK(ground->log->commit());
        }
    };
    for (u64 txg = 11; txg < 14 && !test.failed(); txg++) {
        add(k_most);
        Event pause;
        (void)pause.wait_timeout(20 * 1000 * 1000, [] { return false; });
        CHECK_EQ(ground->engine->open_txg(), txg);
        add(1);
        CHECK(closes(*ground, txg));
        CHECK(ground->wait_for([&] { return ground->engine->committed_txg() == TxgId(txg); }));
    }
    CHECK(ground->position() < ground->log->ring().bytes() / 4);
}

// Those of a machine that has little memory to read them into.
void share_of_bytes(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    const u64 most = ground->log->ring().bytes() / 8;
    ground->log->set_max_group(~0ull, most);
    fill(test, *ground, most);
    Event pause;
    (void)pause.wait_timeout(20 * 1000 * 1000, [] { return false; });
    CHECK_EQ(ground->engine->open_txg(), 11u);
    fill(test, *ground, most + most / 2);
    CHECK(closes(*ground, 11));
}

// While a group does not commit, callers wait before the log has more than twice that of it and those behind it.
void most_of_bytes(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    const u64 most = ground->log->ring().bytes() / 8;
    ground->log->set_max_group(~0ull, most);
    ground->is_slow.store(1);
    struct Caller {
        LogGround& ground;
        Atomic<u32> calls { 0 };
        Atomic<u8> stops { 0 };
        Status status;
    } caller { *ground, {}, {}, {} };
    host_thread* const thread = host_thread_start("test-log",
                                                  [](void* context) {
                                                      Caller& self = *static_cast<Caller*>(context);
                                                      while (!self.stops.load() && self.status.is_ok()) {
                                                          self.ground.add(6000);
                                                          self.status = self.ground.log->commit();
                                                          self.calls.add(1);
                                                      }
                                                  },
                                                  &caller);
    REQUIRE(thread);
    CHECK(ground->wait_for([&] { return ground->position() > 2 * most - 16384; }));
    Event pause;
    (void)pause.wait_timeout(50 * 1000 * 1000, [] { return false; });
    const u32 calls = caller.calls.load();
    CHECK(ground->position() <= 2 * most);
    ground->is_slow.store(0);
    ground->event.wake();
    CHECK(ground->wait_for([&] { return caller.calls.load() > calls + 100; }));
    caller.stops.store(1);
    host_thread_join(thread);
    CHECK_OK(caller.status);
}

constexpr TestCase k_cases[] = {
    { "share_of_ring", share_of_ring },
    { "share_of_work", share_of_work },
    { "share_of_bytes", share_of_bytes },
    { "most_of_bytes", most_of_bytes },
};

}

LCPFS_SUITE(early_group, k_cases);

}
