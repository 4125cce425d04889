// SPDX-License-Identifier: GPL-2.0-only
// HealthWindow: the errors among the recent completions of a path, and what follows from them.
// Counters are single words written without a lock; a count lost to a race changes nothing that matters.
// ProbeTimer: when a path that failed is looked at again.
#pragma once

#include "core/base/atomic.h"
#include "core/mpio/mpio.h"

namespace lcpfs {

class HealthWindow {
public:
    enum class Verdict : u8 { undecided, active, degraded, failed };
    static constexpr u32 k_decides_above = 100;

    void note(bool error)
    {
        m_completions.add_relaxed(1);
        if (error)
            m_errors.add_relaxed(1);
    }
    // Over 10 % of errors: failed; over 5 %: degraded; exact, and only of more than 100 completions.
    Verdict verdict() const
    {
        const u64 completions = m_completions.load_relaxed(), errors = m_errors.load_relaxed();
        if (completions <= k_decides_above)
            return Verdict::undecided;
        if (errors * 10 > completions)
            return Verdict::failed;
        return errors * 20 > completions ? Verdict::degraded : Verdict::active;
    }
    // Halves what is remembered: once per health interval.
    void decay()
    {
        m_completions.store_relaxed(m_completions.load_relaxed() / 2);
        m_errors.store_relaxed(m_errors.load_relaxed() / 2);
    }
    void clear()
    {
        m_completions.store_relaxed(0);
        m_errors.store_relaxed(0);
    }
    bool has_errors() const { return m_errors.load_relaxed() != 0; }
    u32 completions() const { return m_completions.load_relaxed(); }

private:
    Atomic<u32> m_completions { 0 };
    Atomic<u32> m_errors { 0 };
};

class ProbeTimer {
public:
    static constexpr u64 k_shortest_ns = 1 * k_ns_per_s;
    static constexpr u64 k_longest_ns = 30 * k_ns_per_s;
    static constexpr u64 k_calm_ns = 300 * k_ns_per_s; // Active for so long: earlier failures are forgotten
    static constexpr u32 k_good_run = 5;

    // The path failed. Soon after a repair that is flapping: the first wait doubles with each time.
    void failed(u64 now_ns)
    {
        if (m_repaired_ns && now_ns - m_repaired_ns < k_calm_ns)
            m_flaps = min(m_flaps + 1, 5u);
        else
            m_flaps = 0;
        m_good = 0;
        m_interval_ns = min(k_shortest_ns << m_flaps, k_longest_ns);
        m_due_ns = now_ns + m_interval_ns;
    }
    // A probe failed: the next one waits twice as long, unless nobody can wait.
    void bad(u64 now_ns)
    {
        m_good = 0;
        m_interval_ns = min(m_interval_ns * 2, k_longest_ns);
        m_due_ns = now_ns + (m_urgent ? k_shortest_ns : m_interval_ns);
    }
    // True when the run of good probes is complete. A run is made second by second, flapping or not.
    bool good(u64 now_ns)
    {
        m_due_ns = now_ns + (m_urgent ? k_urgent_ns : k_shortest_ns << min(m_flaps, 3u));
        return ++m_good >= k_good_run;
    }
    void repaired(u64 now_ns)
    {
        m_repaired_ns = now_ns;
        m_good = 0;
    }
    // While the target has no usable path at all nobody is served by waiting.
    void set_urgent(bool urgent, u64 now_ns)
    {
        m_urgent = urgent;
        if (urgent)
            m_due_ns = min(m_due_ns, now_ns + (m_good ? k_urgent_ns : k_shortest_ns));
    }
    void set_due(u64 due_ns) { m_due_ns = due_ns; }
    u64 due_ns() const { return m_due_ns; }
    u64 interval_ns() const { return m_interval_ns; }
    u32 good_run() const { return m_good; }
    bool is_last_of_run() const { return m_good + 1 >= k_good_run; }

private:
    static constexpr u64 k_urgent_ns = 100 * k_ns_per_ms;
    u64 m_interval_ns { k_shortest_ns };
    u64 m_due_ns { 0 };
    u64 m_repaired_ns { 0 };
    u32 m_flaps { 0 };
    u32 m_good { 0 };
    bool m_urgent { false };
};

}
