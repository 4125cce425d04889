// SPDX-License-Identifier: GPL-2.0-only
// What choosing does to throughput, on two modelled paths that do one request after the other, or all of them in turns, one of
// them perhaps with a delay on top: equal ones are nearly twice as fast as one, and an unequal one never makes it slower than
// the good one alone.
#include "core/mpio/path_table.h"

#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr u32 k_jobs = 8;
constexpr u32 k_most_jobs = 24;
constexpr u32 k_many = 4000;
constexpr u32 k_few = 64;

struct Load {
    u64 service_us;       // of each 64 KiB, and of less
    bool bursts;          // all jobs begin together and wait for each other
    bool mixes;           // every other job has requests of 256 KiB
    bool prefers_tail;
    u32 requests { k_many };
    u32 lone { 0 };       // so many of 4 KiB before, one after the other
    u32 bulk { 0 };       // so many of all are of 1 MiB first
    bool in_turns { false }; // a path works at all that it has, a little at each
    bool files { false }; // bursts in turn of 24 of 256 KiB to 1 MiB and of 8 of 4 KiB that are waited for
};

struct Row {
    const char* name;
    PathPolicy policy;
    Load load;
    u64 delay_us;         // of the second path
    u32 least_percent;    // of the throughput of the first path alone
};

class Model {
public:
    Model(const Row& row, u32 path_count) : m_row(row)
    {
        m_table.set_policy(row.policy);
        for (u32 i = 0; i < path_count; i++)
            if (auto path = m_table.prepare(PathId(i + 1), nullptr, 0); path.is_ok()) {
                m_table.make_present(*path.value(), PathState::active, 0);
                // The probe by which it became one of the group.
                path.value()->latency.note(SizeClass::small, static_cast<u32>(row.load.service_us + (i ? row.delay_us : 0)));
            }
    }
    // How much work was done in a time, in thousandths of what one path can do.
    u64 run()
    {
        for (u32 i = 0; i < m_row.load.lone; i++) {
            start(m_jobs[0], 4096);
            finish_next();
        }
        const u32 all = m_row.load.requests;
        u32 begun = 0, ended = 0;
        while (ended < all) {
            const bool begins_burst = m_busy == 0;
            if (begins_burst)
                m_burst++;
            for (u32 i = 0; i < jobs_now(); i++)
                if (begun < all && !m_jobs[i].is_busy && (!m_row.load.bursts || begins_burst))
                    start(m_jobs[i], bytes_of(i, begun++));
            finish_next();
            if (++ended % 500 == 0)
                for (u32 i = 0; i < m_table.used_slots(); i++)
                    m_table.slot(i).latency.refresh();
        }
        return m_now_ns ? m_done_ns / (m_now_ns / 1000) : 0;
    }

private:
    struct Job {
        bool is_busy { false };
        u32 slot { 0 }, began { 0 };
        u64 whole_ns { 0 }, work_ns { 0 }, delay_ns { 0 }, bytes { 0 };
        PathTicket ticket;
    };
    bool is_bulk_burst() const { return m_row.load.files && m_burst % 2; }
    u32 jobs_now() const { return is_bulk_burst() ? k_most_jobs : k_jobs; }
    u64 bytes_of(u32 job, u32 begun)
    {
        if (is_bulk_burst()) {
            m_random = m_random * 6364136223846793005 + 1442695040888963407;
            return (64 + (m_random >> 33) % 193) * 4096;
        }
        if (begun < m_row.load.bulk)
            return 1u << 20;
        return m_row.load.mixes && job % 2 ? 256 * 1024 : 4096;
    }
    void start(Job& job, u64 bytes)
    {
        job.bytes = bytes;
        const bool prefers_tail = m_row.load.files ? !is_bulk_burst() : m_row.load.prefers_tail;
        auto path = m_table.begin({ m_now_ns, bytes, prefers_tail }, job.ticket);
        if (path.is_error())
            return;
        job.slot = path.value()->slot;
        job.work_ns = job.whole_ns = m_row.load.service_us * ((bytes + 0xffff) >> 16) * k_ns_per_us;
        job.delay_ns = job.slot ? m_row.delay_us * k_ns_per_us : 0;
        job.began = m_begun++;
        job.is_busy = true;
        m_busy++;
    }
    // Where the request has still to be worked at, among how many its path divides itself; 0: its turn has not come.
    u32 sharers_of(const Job& job) const
    {
        u32 sharers = 0;
        for (const Job& other : m_jobs) {
            if (!other.is_busy || !other.work_ns || other.slot != job.slot)
                continue;
            if (!m_row.load.in_turns && other.began < job.began)
                return 0;
            sharers += m_row.load.in_turns || &other == &job;
        }
        return sharers;
    }
    // Time passes until a request ends.
    void finish_next()
    {
        for (;;) {
            u32 sharers[k_most_jobs];
            u64 step_ns = ~0ull;
            Job* next = nullptr;
            for (u32 i = 0; i < k_most_jobs; i++) {
                Job& job = m_jobs[i];
                if (!job.is_busy)
                    continue;
                sharers[i] = job.work_ns ? sharers_of(job) : 0;
                const u64 until_ns = !job.work_ns ? job.delay_ns : sharers[i] ? job.work_ns * sharers[i] : ~0ull;
                if (until_ns < step_ns) {
                    step_ns = until_ns;
                    next = &job;
                }
            }
            if (!next)
                return;
            const bool ends = !next->work_ns;
            m_now_ns += step_ns;
            for (u32 i = 0; i < k_most_jobs; i++) {
                Job& job = m_jobs[i];
                if (job.is_busy && !job.work_ns)
                    job.delay_ns -= min(job.delay_ns, step_ns);
                else if (job.is_busy && sharers[i])
                    job.work_ns -= min(job.work_ns, &job == next ? job.work_ns : step_ns / sharers[i]);
            }
            if (ends)
                return finish(*next);
        }
    }
    void finish(Job& job)
    {
        m_done_ns += job.whole_ns;
        (void)m_table.complete(job.ticket, { m_now_ns, job.bytes, Blame::none });
        job.is_busy = false;
        m_busy--;
    }

    const Row& m_row;
    PathTable m_table { TargetId(1) };
    Job m_jobs[k_most_jobs];
    u32 m_busy { 0 }, m_burst { 0 }, m_begun { 0 };
    u64 m_random { 1 };
    u64 m_now_ns { 0 }, m_done_ns { 0 };
};

constexpr Load k_steady { 10000, false, false, false };
constexpr Load k_fast { 100, false, false, false };
constexpr Load k_bursts { 10000, true, false, false };
constexpr Load k_mixed { 5000, false, true, false };
constexpr Load k_waited_for { 5000, false, true, true };
constexpr Load k_fast_bursts { 100, true, false, true };
// A pool that was just mounted: little is known, and that by requests of another size.
constexpr Load k_cold { 10000, false, false, false, k_few, 1, k_few };
constexpr Load k_cold_bursts { 10000, true, false, true, k_few, 3, k_few };
constexpr Load k_bulk_then_small { 10000, false, false, true, k_many, 0, 16 };
constexpr Load k_files { 5000, true, false, false, k_many, 3, 0, false, true };
constexpr Load k_few_files { 5000, true, false, false, 120, 3, 0, false, true };
constexpr Load k_fast_files { 50, true, false, false, k_many, 3, 0, false, true };
constexpr Load k_files_in_turns { 5000, true, false, false, k_many, 3, 0, true, true };
constexpr Load k_few_files_in_turns { 5000, true, false, false, 120, 3, 0, true, true };
constexpr Load k_bulk_in_turns { 10000, false, false, false, 200, 3, 200, true };
constexpr Load k_mixed_in_turns { 5000, false, true, true, k_many, 0, 0, true };
constexpr Load k_steady_in_turns { 10000, false, false, false, k_many, 0, 0, true };
constexpr u64 k_delay_us = 30000;
constexpr Row k_rows[] = {
    { "equal_service_time", PathPolicy::service_time, k_steady, 0, 190 },
    { "equal_service_time_fast", PathPolicy::service_time, k_fast, 0, 190 },
    { "equal_service_time_bursts", PathPolicy::service_time, k_bursts, 0, 190 },
    { "equal_service_time_mixed", PathPolicy::service_time, k_mixed, 0, 190 },
    { "equal_service_time_waited_for", PathPolicy::service_time, k_waited_for, 0, 190 },
    { "equal_service_time_fast_bursts", PathPolicy::service_time, k_fast_bursts, 0, 190 },
    { "equal_service_time_cold", PathPolicy::service_time, k_cold, 0, 185 },
    { "equal_service_time_cold_bursts", PathPolicy::service_time, k_cold_bursts, 0, 185 },
    { "equal_service_time_files", PathPolicy::service_time, k_files, 0, 188 },
    { "equal_service_time_few_files", PathPolicy::service_time, k_few_files, 0, 185 },
    { "equal_service_time_fast_files", PathPolicy::service_time, k_fast_files, 0, 185 },
    { "unequal_service_time_files", PathPolicy::service_time, k_files, k_delay_us, 100 },
    { "unequal_service_time_few_files", PathPolicy::service_time, k_few_files, k_delay_us, 100 },
    { "unequal_service_time_fast_files", PathPolicy::service_time, k_fast_files, k_delay_us, 100 },
    { "equal_service_time_files_in_turns", PathPolicy::service_time, k_files_in_turns, 0, 185 },
    { "equal_service_time_few_files_in_turns", PathPolicy::service_time, k_few_files_in_turns, 0, 185 },
    { "equal_service_time_bulk_in_turns", PathPolicy::service_time, k_bulk_in_turns, 0, 190 },
    { "equal_service_time_mixed_in_turns", PathPolicy::service_time, k_mixed_in_turns, 0, 190 },
    { "equal_service_time_steady_in_turns", PathPolicy::service_time, k_steady_in_turns, 0, 190 },
    { "equal_least_queue_files_in_turns", PathPolicy::least_queue, k_files_in_turns, 0, 180 },
    { "equal_least_queue_bulk_in_turns", PathPolicy::least_queue, k_bulk_in_turns, 0, 180 },
    { "unequal_service_time_files_in_turns", PathPolicy::service_time, k_files_in_turns, k_delay_us, 100 },
    { "unequal_service_time_bulk_in_turns", PathPolicy::service_time, k_bulk_in_turns, k_delay_us, 100 },
    { "unequal_service_time_mixed_in_turns", PathPolicy::service_time, k_mixed_in_turns, k_delay_us, 100 },
    { "equal_least_latency_cold", PathPolicy::least_latency, k_cold, 0, 175 },
    { "equal_service_time_bulk_then_small", PathPolicy::service_time, k_bulk_then_small, 0, 190 },
    { "equal_least_latency_bulk_then_small", PathPolicy::least_latency, k_bulk_then_small, 0, 190 },
    { "unequal_service_time_bulk_then_small", PathPolicy::service_time, k_bulk_then_small, k_delay_us, 100 },
    { "unequal_service_time_cold", PathPolicy::service_time, k_cold, k_delay_us, 100 },
    { "unequal_service_time_cold_bursts", PathPolicy::service_time, k_cold_bursts, k_delay_us, 100 },
    { "equal_least_latency", PathPolicy::least_latency, k_steady, 0, 190 },
    { "equal_least_latency_bursts", PathPolicy::least_latency, k_bursts, 0, 190 },
    { "equal_least_latency_mixed", PathPolicy::least_latency, k_mixed, 0, 190 },
    { "equal_least_queue", PathPolicy::least_queue, k_steady, 0, 190 },
    { "equal_least_queue_bursts", PathPolicy::least_queue, k_bursts, 0, 190 },
    { "equal_round_robin", PathPolicy::round_robin, k_steady, 0, 190 },
    { "unequal_service_time", PathPolicy::service_time, k_steady, k_delay_us, 100 },
    { "unequal_service_time_fast", PathPolicy::service_time, k_fast, k_delay_us, 100 },
    { "unequal_service_time_bursts", PathPolicy::service_time, k_bursts, k_delay_us, 100 },
    { "unequal_service_time_mixed", PathPolicy::service_time, k_mixed, k_delay_us, 100 },
    { "unequal_service_time_fast_bursts", PathPolicy::service_time, k_fast_bursts, k_delay_us, 100 },
    { "unequal_least_latency", PathPolicy::least_latency, k_steady, k_delay_us, 100 },
    { "unequal_least_latency_fast", PathPolicy::least_latency, k_fast, k_delay_us, 100 },
    { "unequal_least_latency_bursts", PathPolicy::least_latency, k_bursts, k_delay_us, 100 },
};

void check_balance(Test& test, const Row& row)
{
    const u64 one = Model(row, 1).run(), two = Model(row, 2).run();
    REQUIRE(one);
    const u64 percent = two * 100 / one;
    if (percent < row.least_percent)
        CHECK_EQ(percent, row.least_percent);
}

}

LCPFS_TABLE_SUITE(path_balance, k_rows, check_balance);

}
