// SPDX-License-Identifier: GPL-2.0-only
// The simulated machine's one processor: fibers, a clock and timed events, all decided by one seed.
//
// Exactly one fiber runs. At each point where another thread could get in (a lock, an event, an I/O, a
// yield) the scheduler may pick another runnable fiber by chance. Nothing preempts a fiber that holds a
// spinlock or runs a completion. The clock moves a little at every switch, and jumps to the next timed event
// when every fiber waits. When there is none, or when only timers have fired for `k_hang_ns` of simulated
// time since the driver last reported progress, the run has deadlocked: every fiber, what it waits for
// and its backtrace are printed.
//
// Fiber 0 is the process's own stack: the driver, which calls the core like any other fiber.
#pragma once

#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "userspace/sim/fiber.h"
#include "userspace/sim/random.h"

namespace lcpfs::sim {

class Scheduler {
public:
    static Scheduler& get();

    // Starts again from a seed: only the driver may be left, no timed event pending.
    void reset(u64 seed, u32 switch_one_in);
    Random& random() { return m_random; }
    u64 now_ns() const { return m_now_ns; }
    Fiber& current() { return *m_current; }
    void note_progress() { m_progress_ns = m_now_ns; }

    Fiber* start(const char* name, void (*body)(void*), void* argument);
    void join(Fiber* fiber);
    size_t fiber_count() const { return m_fibers.size() + 1; }

    // Perhaps lets others run first. Not under a spinlock (then nothing happens).
    void preemption_point();
    void yield();
    void sleep_ns(u64 duration_ns);
    // Waits until somebody wakes `where`; `what` says for a person what that is.
    void block(const void* where, const char* what);
    // The same with a limit: false when it passed first.
    bool block_until(const void* where, const char* what, u64 deadline_ns);
    void wake(const void* where);

    // Calls `call(context, number)` at that time, on whatever stack, as an interrupt does.
    void at(u64 time_ns, void (*call)(void* context, u64 number), void* context, u64 number);

    // Prints what every fiber does.
    void report() const;

private:
    static constexpr u64 k_hang_ns = 900ull * 1000000000;

    struct Timed {
        u64 time_ns;
        u64 number;
        void (*call)(void*, u64);
        void* context;
        u64 argument;
        bool operator<(const Timed& other) const // the earliest is the greatest, for priority_queue
        {
            return time_ns != other.time_ns ? time_ns > other.time_ns : number > other.number;
        }
    };

    Scheduler();
    static void enter();
    void make_runnable(Fiber& fiber);
    void run_due();
    void pick(bool last);
    void reap();

    Random m_random;
    u32 m_switch_one_in { 4 };
    u64 m_now_ns { 0 };
    u64 m_progress_ns { 0 };
    u64 m_timed_count { 0 };
    Fiber m_driver;
    Fiber* m_current;
    std::vector<std::unique_ptr<Fiber>> m_fibers; // all but the driver
    std::vector<Fiber*> m_runnable;
    std::priority_queue<Timed> m_timed;
    bool m_some_finished { false };
};

}
