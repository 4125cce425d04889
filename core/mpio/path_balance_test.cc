// SPDX-License-Identifier: GPL-2.0-only
// What choosing does to throughput, on two modelled paths that do one request after the other, one of them perhaps with a
// delay on top: equal ones are nearly twice as fast as one, and an unequal one never makes it slower than the good one alone.
#include "core/mpio/path_table.h"

#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr u32 k_jobs = 8;
constexpr u32 k_many = 4000;
constexpr u32 k_few = 64;

struct Load {
    u64 service_us;       // of 4 KiB
    bool bursts;          // all jobs begin together and wait for each other
    bool mixes;           // every other job has requests of 256 KiB, which take four times as long
    bool prefers_tail;
    u32 requests { k_many };
    u32 lone { 0 };       // so many of 4 KiB before, one after the other
    u32 bulk { 0 };       // so many of all are of 1 MiB first, which take eight times as long
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
            if (auto path = m_table.prepare(PathId(i + 1), nullptr, 0); path.is_ok())
                m_table.make_present(*path.value(), PathState::active, 0);
    }
    // How long all requests take together.
    u64 run_us()
    {
        for (u32 i = 0; i < m_row.load.lone; i++) {
            start(m_jobs[0], 4096);
            finish_next();
        }
        u32 left = m_row.load.requests;
        while (left) {
            for (Job& job : m_jobs)
                if (!job.is_busy && (!m_row.load.bursts || m_busy == 0 || m_is_starting))
                    start(job, bytes_of(job, m_row.load.requests - left));
            m_is_starting = false;
            finish_next();
            left--;
            if (m_busy == 0)
                m_is_starting = true;
            if (left % 500 == 0)
                for (u32 i = 0; i < m_table.used_slots(); i++)
                    m_table.slot(i).latency.refresh();
        }
        return m_now_us;
    }

private:
    struct Job {
        bool is_busy { false };
        u64 end_us { 0 }, bytes { 0 };
        PathTicket ticket;
    };
    u64 bytes_of(const Job& job, u32 begun) const
    {
        if (begun < m_row.load.bulk)
            return 1u << 20;
        return m_row.load.mixes && (&job - m_jobs) % 2 ? 256 * 1024 : 4096;
    }
    void start(Job& job, u64 bytes)
    {
        m_is_starting = true; // the others of the burst too
        job.bytes = bytes;
        auto path = m_table.begin({ m_now_us * k_ns_per_us, job.bytes, m_row.load.prefers_tail }, job.ticket);
        if (path.is_error())
            return;
        const u32 slot = path.value()->slot;
        const u64 units = bytes > 256 * 1024 ? 8 : bytes > 4096 ? 4 : 1;
        m_busy_until_us[slot] = max(m_busy_until_us[slot], m_now_us) + m_row.load.service_us * units;
        job.end_us = m_busy_until_us[slot] + (slot ? m_row.delay_us : 0);
        job.is_busy = true;
        m_busy++;
    }
    void finish_next()
    {
        Job* next = nullptr;
        for (Job& job : m_jobs)
            if (job.is_busy && (!next || job.end_us < next->end_us))
                next = &job;
        if (!next)
            return;
        m_now_us = next->end_us;
        (void)m_table.complete(next->ticket, { m_now_us * k_ns_per_us, next->bytes, Blame::none });
        next->is_busy = false;
        m_busy--;
    }

    const Row& m_row;
    PathTable m_table { TargetId(1) };
    Job m_jobs[k_jobs];
    u32 m_busy { 0 };
    bool m_is_starting { true };
    u64 m_now_us { 0 };
    u64 m_busy_until_us[2] {};
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
    { "equal_least_latency_cold", PathPolicy::least_latency, k_cold, 0, 185 },
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
    { "unequal_service_time_fast", PathPolicy::service_time, k_fast, k_delay_us, 99 },
    { "unequal_service_time_bursts", PathPolicy::service_time, k_bursts, k_delay_us, 100 },
    { "unequal_service_time_mixed", PathPolicy::service_time, k_mixed, k_delay_us, 100 },
    { "unequal_service_time_fast_bursts", PathPolicy::service_time, k_fast_bursts, k_delay_us, 90 },
    { "unequal_least_latency", PathPolicy::least_latency, k_steady, k_delay_us, 100 },
    { "unequal_least_latency_fast", PathPolicy::least_latency, k_fast, k_delay_us, 99 },
    { "unequal_least_latency_bursts", PathPolicy::least_latency, k_bursts, k_delay_us, 100 },
};

void check_balance(Test& test, const Row& row)
{
    const u64 one_us = Model(row, 1).run_us(), two_us = Model(row, 2).run_us();
    REQUIRE(two_us);
    const u64 percent = one_us * 100 / two_us;
    if (percent < row.least_percent)
        CHECK_EQ(percent, row.least_percent);
}

}

LCPFS_TABLE_SUITE(path_balance, k_rows, check_balance);

}
