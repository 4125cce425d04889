// SPDX-License-Identifier: GPL-2.0-only
// Background: one thread for work of a pool that nobody waits for. It is there from the first time that it is needed.
//
// The body runs once for each wake and asks `is_interrupted` between its steps: when the pool is closed or paused it is to
// return soon, and runs again when the pause ends. A body that could not go on for want of memory asks to be run again.
#pragma once

#include "core/base/atomic.h"
#include "core/base/result.h"
#include "core/host/locks.h"

namespace lcpfs {

class Background {
public:
    Background() = default;
    Background(const Background&) = delete;
    ~Background() { stop(); }

    // Sleepable; one caller at a time. no_memory: no thread can be had.
    Status wake(void (*body)(void*), void* context);
    // Waits for the step under way. Final.
    void stop();
    // Counted. When pause returns nothing runs.
    void pause();
    void resume();
    // Returns when all that was asked for has been done. Not while it is paused.
    void wait_idle()
    {
        m_event.wait([&] { return m_wanted.load() == 0 && m_running.load() == 0; });
    }
    // Besides, the body runs every so often. 0: it does not. Before the first wake, or from the body.
    void set_period(u64 period_ns) { m_period_ns.store(period_ns); }
    // The body: whether to return now; and to run again after a while.
    bool is_interrupted() const { return m_stopping.load() || m_pauses.load(); }
    void run_again_later() { m_is_delayed.store(1); }
    void run_again() { m_wanted.store(1); } // at once

private:
    void run();

    static constexpr u64 k_delay_ns = 1000ull * 1000 * 1000;
    host_thread* m_thread { nullptr };
    void (*m_body)(void*) { nullptr };
    void* m_context { nullptr };
    Event m_event;                     // all below
    Atomic<u8> m_wanted { 0 };
    Atomic<u8> m_running { 0 };
    Atomic<u8> m_stopping { 0 };
    Atomic<u8> m_is_delayed { 0 };
    Atomic<u32> m_pauses { 0 };
    Atomic<u64> m_period_ns { 0 };
};

}
