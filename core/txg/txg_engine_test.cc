// SPDX-License-Identifier: GPL-2.0-only
#include "core/txg/txg_engine.h"

#include "core/test/test.h"

namespace lcpfs {

namespace {

// What a pool would be to an engine. A sync can be made to wait, and to fail.
struct Ground {
    ~Ground()
    {
        let_through.store(~0ull);
        event.wake();
        engine.reset(); // before what its thread looks at
    }
    Status start(u64 committed, u64 interval_ns)
    {
        engine = TRY(TxgEngine::create({ sync, is_full, this }));
        last.store(committed);
        engine->set_committed(TxgId(committed));
        return engine->start(interval_ns);
    }
    static Status sync(void* context, TxgId txg)
    {
        Ground& self = *static_cast<Ground*>(context);
        self.syncing.store(txg.value());
        self.event.wake();
        self.event.wait([&] { return self.let_through.load() >= txg.value(); });
        if (self.last.load() + 1 != txg.value() || self.held[txg.value() & 3].load() != 0)
            self.wrong.store(1);
        if (self.fail_at.load() == txg.value())
            return Error::io_error;
        self.last.store(txg.value());
        self.syncs.add(1);
        return {};
    }
    static bool is_full(void* context) { return static_cast<Ground*>(context)->full.load() != 0; }
    // Seconds at most: a test that would hang fails instead.
    template <typename Condition>
    bool wait_for(Condition condition)
    {
        for (u32 i = 0; i < 20000 && !condition(); i++)
            (void)event.wait_timeout(1000000, [&] { return condition(); });
        return condition();
    }

    Box<TxgEngine> engine;
    Event event;
    Atomic<u64> let_through { ~0ull }; // groups up to here may sync
    Atomic<u64> syncing { 0 };
    Atomic<u64> last { 0 };
    Atomic<u64> fail_at { 0 };
    Atomic<u32> syncs { 0 };
    Atomic<u32> full { 0 };
    Atomic<u32> wrong { 0 };
    Atomic<u32> held[4];
    Atomic<u32> stop { 0 };
};

constexpr u64 k_hour_ns = 3600ull * 1000 * 1000 * 1000;
constexpr u64 k_ms = 1000 * 1000;

}

static void requests(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(41, k_hour_ns));
    TxgEngine& engine = *ground->engine;
    CHECK_EQ(engine.open_txg(), 42u);
    CHECK_EQ(engine.committed_txg(), 41u);
    CHECK_EQ(engine.newest_changed(), 41u);
    CHECK_OK(engine.wait_committed(TxgId(41)));
    TxgEngine::Hold hold = engine.hold();
    CHECK_EQ(hold.txg, 42u);
    CHECK_EQ(engine.newest_changed(), 42u);
    engine.release(hold);
    CHECK_OK(engine.wait_committed(TxgId(42)));
    CHECK_EQ(ground->syncs.load(), 1u);
    CHECK_EQ(engine.open_txg(), 43u);
    CHECK_EQ(engine.newest_changed(), 42u);
    // Empty ones commit too when asked.
    CHECK_OK(engine.force_commit());
    CHECK_OK(engine.force_commit());
    CHECK_EQ(engine.committed_txg(), 44u);
    engine.request(TxgId(46));
    CHECK(ground->wait_for([&] { return engine.committed_txg().value() >= 46; }));
    engine.stop(false);
    engine.stop(false);
    CHECK_EQ(ground->last.load(), 46u);
    CHECK_EQ(ground->wrong.load(), 0u);
}

static void by_itself(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(1, k_hour_ns));
    TxgEngine& engine = *ground->engine;
    engine.release(engine.hold());
    CHECK_EQ(engine.committed_txg(), 1u);
    engine.set_interval(20 * k_ms); // a shorter one holds at once
    CHECK(ground->wait_for([&] { return engine.committed_txg().value() == 2; }));
    const u64 begun = host_monotonic_ns();
    engine.release(engine.hold());
    CHECK(ground->wait_for([&] { return engine.committed_txg().value() == 3; }));
    CHECK(host_monotonic_ns() - begun >= 20 * k_ms);
    engine.set_interval(k_hour_ns);
    engine.release(engine.hold());
    ground->full.store(1);
    engine.poke();
    CHECK(ground->wait_for([&] { return engine.committed_txg().value() == 4; }));
    // Full, but nothing in it: nothing to do.
    engine.poke();
    CHECK_EQ(engine.open_txg(), 5u);
    CHECK_EQ(ground->syncs.load(), 3u);
}

// One group syncs, one is closed and waits, one is open; a fourth does not come to be.
static void three_at_once(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(10, k_hour_ns));
    TxgEngine& engine = *ground->engine;
    ground->let_through.store(10);
    for (u64 txg = 11; txg <= 12; txg++) {
        TxgEngine::Hold hold = engine.hold();
        CHECK_EQ(hold.txg, txg);
        engine.request(TxgId(txg));
        CHECK(ground->wait_for([&] { return engine.open_txg().value() == txg + 1; }));
        engine.release(hold); // before the case may end: a stop waits for holders
        REQUIRE(ground->wait_for([&] { return ground->syncing.load() == 11; }));
    }
    TxgEngine::Hold third = engine.hold();
    CHECK_EQ(third.txg, 13u);
    engine.request(TxgId(13));
    for (u32 i = 0; i < 10; i++)
        host_yield();
    CHECK_EQ(engine.open_txg(), 13u);
    CHECK_EQ(engine.committed_txg(), 10u);
    ground->let_through.store(11);
    ground->event.wake();
    CHECK_OK(engine.wait_committed(TxgId(11)));
    CHECK(ground->wait_for([&] { return engine.open_txg().value() == 14; })); // asked for before
    ground->let_through.store(~0ull);
    ground->event.wake();
    CHECK_OK(engine.wait_committed(TxgId(12)));
    for (u32 i = 0; i < 10; i++)
        host_yield();
    CHECK_EQ(engine.committed_txg(), 12u); // the third is held
    engine.release(third);
    CHECK_OK(engine.wait_committed(TxgId(13)));
    CHECK_EQ(ground->wrong.load(), 0u);
}

// A group that was changed while two others were in the way commits all the same once they are gone: by its age, or since it had become
// full, which nobody says again.
static void after_others(Test& test, u64 interval_ns, bool is_full)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(10, interval_ns));
    TxgEngine& engine = *ground->engine;
    ground->let_through.store(10);
    for (u64 txg = 11; txg <= 12; txg++) {
        engine.release(engine.hold());
        engine.request(TxgId(txg));
        REQUIRE(ground->wait_for([&] { return engine.open_txg().value() == txg + 1; }));
        REQUIRE(ground->wait_for([&] { return ground->syncing.load() == 11; }));
    }
    engine.release(engine.hold());
    CHECK_EQ(engine.newest_changed(), 13u);
    Event pause;
    (void)pause.wait_timeout(50 * k_ms, [] { return false; }); // its turn to close is looked for and not found
    CHECK(!engine.can_close());
    ground->full.store(is_full);
    engine.poke();
    ground->let_through.store(~0ull);
    ground->event.wake();
    CHECK(ground->wait_for([&] { return engine.committed_txg().value() == 13; }));
    CHECK_EQ(ground->wrong.load(), 0u);
}

static void by_itself_after_others(Test& test) { after_others(test, 200 * k_ms, false); }
static void full_after_others(Test& test) { after_others(test, k_hour_ns, true); }

// Changes made before the threads run are the first group's; nobody waits for what cannot come.
static void before_start(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    Box<TxgEngine> made = REQUIRE_VALUE(TxgEngine::create({ Ground::sync, Ground::is_full, ground.get() }));
    ground->engine = lcpfs::move(made);
    TxgEngine& engine = *ground->engine;
    ground->last.store(7);
    engine.set_committed(TxgId(7));
    CHECK_EQ(engine.open_txg(), 8u);
    CHECK_OK(engine.wait_committed(TxgId(7)));
    CHECK_ERROR(engine.force_commit(), busy);
    for (u32 i = 0; i < 3; i++) {
        TxgHold hold(engine);
        CHECK_EQ(hold.txg(), 8u);
    }
    CHECK_ERROR(engine.wait_committed(engine.newest_changed()), busy);
    REQUIRE_OK(engine.start(k_hour_ns));
    CHECK_OK(engine.wait_committed(engine.newest_changed()));
    CHECK_EQ(ground->last.load(), 8u);
}

static void errors_stop_it(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(1, k_hour_ns));
    TxgEngine& engine = *ground->engine;
    CHECK_OK(engine.force_commit());
    ground->fail_at.store(3);
    engine.release(engine.hold());
    CHECK_ERROR(engine.force_commit(), io_error);
    CHECK_EQ(engine.error(), Error::io_error);
    CHECK_EQ(engine.committed_txg(), 2u);
    CHECK_OK(engine.wait_committed(TxgId(2)));
    engine.release(engine.hold());
    CHECK_ERROR(engine.wait_committed(engine.open_txg()), io_error);
    engine.fail(Error::shut_down); // the first stays
    CHECK_EQ(engine.error(), Error::io_error);
    engine.stop(false);
    CHECK_EQ(ground->syncs.load(), 1u);
}

static void thrown_away(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(1, k_hour_ns));
    ground->engine->release(ground->engine->hold());
    ground->engine->stop(true);
    CHECK_EQ(ground->syncs.load(), 0u);
    CHECK_EQ(ground->engine->error(), Error::shut_down);
    // And one that never ran.
    Box<TxgEngine> idle = REQUIRE_VALUE(TxgEngine::create({ Ground::sync, Ground::is_full, ground.get() }));
    idle->stop(false);
}

static void stopping_commits(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(1, k_hour_ns));
    ground->engine->release(ground->engine->hold());
    ground->engine->stop(false);
    CHECK_EQ(ground->last.load(), 2u);
}

// Holders come and go while groups commit as fast as they can: no group syncs while it is held.
namespace {
void hold_and_release(void* context)
{
    Ground& ground = *static_cast<Ground*>(context);
    while (!ground.stop.load()) {
        TxgHold hold(*ground.engine);
        ground.held[hold.txg().value() & 3].add(1);
        if (ground.last.load() >= hold.txg().value())
            ground.wrong.store(1);
        host_yield();
        ground.held[hold.txg().value() & 3].sub(1);
    }
}
}

static void many_holders(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(1, k_hour_ns));
    host_thread* threads[3];
    for (host_thread*& thread : threads)
        thread = host_thread_start("lcpfs-test", hold_and_release, ground.get());
    for (u32 i = 0; i < 40; i++)
        CHECK_OK(ground->engine->force_commit());
    ground->stop.store(1);
    for (host_thread* thread : threads) {
        CHECK(thread);
        if (thread)
            host_thread_join(thread);
    }
    ground->engine->stop(false);
    CHECK_EQ(ground->wrong.load(), 0u);
    CHECK(ground->syncs.load() >= 40);
}

namespace {
constexpr TestCase k_cases[] = { { "requests", requests },         { "by_itself", by_itself },
                                 { "three_at_once", three_at_once }, { "by_itself_after_others", by_itself_after_others },
                                 { "full_after_others", full_after_others },
                                 { "before_start", before_start },   { "errors_stop_it", errors_stop_it },
                                 { "thrown_away", thrown_away },   { "stopping_commits", stopping_commits },
                                 { "many_holders", many_holders } };
}
LCPFS_SUITE(txg_engine, k_cases);

}
