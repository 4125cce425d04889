// SPDX-License-Identifier: GPL-2.0-only
// Locks exclude, events wake: with real threads, in whichever host this runs.
#include "core/host/locks.h"

#include "core/base/atomic.h"
#include "core/host/memory.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {
constexpr u32 k_threads = 4;
constexpr u32 k_rounds = 2000;

struct Counter {
    Mutex mutex { LCPFS_RANK_object };
    RwLock rwlock { LCPFS_RANK_object_table };
    SpinLock spinlock { LCPFS_RANK_test };
    u64 under_mutex GUARDED_BY(mutex) { 0 };
    u64 under_rwlock GUARDED_BY(rwlock) { 0 };
    u64 under_spinlock GUARDED_BY(spinlock) { 0 };
    Atomic<u32> torn { 0 };
    Atomic<u32> turn { 0 };
    Event event;
};

void count(void* context)
{
    Counter& counter = *static_cast<Counter*>(context);
    for (u32 i = 0; i < k_rounds; i++) {
        {
            MutexGuard guard(counter.mutex);
            counter.under_mutex++;
        }
        {
            WriteGuard guard(counter.rwlock);
            counter.under_rwlock++;
        }
        {
            ReadGuard guard(counter.rwlock);
            u64 seen = counter.under_rwlock;
            if (i % 64 == 0)
                host_yield();
            if (seen != counter.under_rwlock)
                counter.torn.add(1);
        }
        {
            SpinGuard guard(counter.spinlock);
            counter.under_spinlock++;
        }
    }
}

// Each waits for its own parity: k_rounds wake-ups in each direction, none may be lost.
void take_turns(Counter& counter, u32 parity)
{
    for (u32 i = 0; i < k_rounds; i++) {
        counter.event.wait([&] { return counter.turn.load() % 2 == parity; });
        counter.turn.add(1);
        counter.event.wake();
    }
}
// One that is at its turn wakes all; of those the next one alone has anything to do. It may be woken for what it waits for alone.
struct Row {
    static constexpr u32 k_members = 6, k_turns = 300;
    Atomic<u32> turn { 0 };
    Atomic<u32> joined { 0 };
    Event event;
};
void stand_in_row(void* context)
{
    Row& row = *static_cast<Row*>(context);
    for (u32 turn = row.joined.add(1) - 1; turn < Row::k_turns; turn += Row::k_members) {
        row.event.wait_checked([&] { return row.turn.load() == turn; });
        row.turn.add(1);
        row.event.wake();
    }
}
void even(void* context) { take_turns(*static_cast<Counter*>(context), 0); }
void odd(void* context) { take_turns(*static_cast<Counter*>(context), 1); }
}

static void exclusion(Test& test) NO_THREAD_SAFETY_ANALYSIS
{
    Box<Counter> counter = REQUIRE_VALUE(make_box<Counter>());
    host_thread* threads[k_threads];
    for (host_thread*& thread : threads)
        thread = host_thread_start("counter", count, counter.get());
    u32 started = 0;
    for (host_thread* thread : threads)
        if (CHECK(thread)) {
            host_thread_join(thread);
            started++;
        }
    CHECK_EQ(counter->under_mutex, static_cast<u64>(started) * k_rounds);
    CHECK_EQ(counter->under_rwlock, static_cast<u64>(started) * k_rounds);
    CHECK_EQ(counter->under_spinlock, static_cast<u64>(started) * k_rounds);
    CHECK_EQ(counter->torn.load(), 0u);
}

static void try_locks(Test& test) NO_THREAD_SAFETY_ANALYSIS
{
    Mutex mutex(LCPFS_RANK_test);
    CHECK(mutex.try_lock());
    mutex.unlock();
    RwLock rwlock(LCPFS_RANK_test);
    CHECK(rwlock.try_lock());
    rwlock.unlock();
    {
        ReadGuard guard(rwlock);
    }
    CHECK(rwlock.try_lock());
    rwlock.unlock();
}

static void subclasses(Test& test)
{
    RwLock low(LCPFS_RANK_object), high(LCPFS_RANK_object);
    WriteGuard first(low, 1);
    WriteGuard second(high, 2);
    CHECK(true);
}

static void no_lost_wakes(Test& test)
{
    Box<Counter> counter = REQUIRE_VALUE(make_box<Counter>());
    host_thread* other = host_thread_start("even", even, counter.get());
    REQUIRE(other);
    odd(counter.get());
    host_thread_join(other);
    CHECK_EQ(counter->turn.load(), 2 * k_rounds);
}

static void timeout(Test& test)
{
    Event event;
    u64 before = host_monotonic_ns();
    CHECK(!event.wait_timeout(5000000, [] { return false; }));
    CHECK(host_monotonic_ns() - before >= 5000000);
    CHECK(event.wait_timeout(5000000, [] { return true; }));
}

static void in_a_row(Test& test)
{
    Box<Row> row = REQUIRE_VALUE(make_box<Row>());
    host_thread* threads[Row::k_members];
    for (host_thread*& thread : threads)
        thread = host_thread_start("row", stand_in_row, row.get());
    for (host_thread* thread : threads) {
        REQUIRE(thread);
        host_thread_join(thread);
    }
    CHECK_EQ(row->turn.load(), Row::k_turns);
}

namespace {
constexpr TestCase k_cases[] = { { "exclusion", exclusion },
                                 { "try_locks", try_locks },
                                 { "subclasses", subclasses },
                                 { "no_lost_wakes", no_lost_wakes },
                                 { "in_a_row", in_a_row },
                                 { "timeout", timeout } };
}
LCPFS_SUITE(locks, k_cases);

}
