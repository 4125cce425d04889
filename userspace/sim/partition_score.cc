// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/partition_score.h"

#include <math.h>

#include <algorithm>

namespace lcpfs::sim {

namespace {

constexpr double k_write_blocks = 16384; // 64 MiB

// Searching a crowded share for room takes up to as long again as the access.
double latency_of(const TraceTenant& tenant, double utilisation)
{
    const double crowded = std::max(0.0, (std::min(utilisation, 1.0) - 0.8) / 0.2);
    return tenant.latency_us * (1 + crowded * crowded);
}

// The tenant deletes down to, or writes up to, what it wants stored. What is refused it tries again in the next tick.
u64 follow_demand(Ground& ground, Policy& policy, size_t tenant, u64 tick)
{
    Share& share = ground.shares[tenant];
    const double wanted = ground.wanted(tenant, tick);
    share.used = std::min(share.used, wanted);
    while (share.used < wanted) {
        const double blocks = std::min(k_write_blocks, wanted - share.used);
        if (share.used + blocks > share.size_blocks())
            policy.full(ground, tenant, blocks, tick);
        if (share.used + blocks > share.size_blocks())
            return ground.had_room(tenant, blocks) ? static_cast<u64>(ceil((wanted - share.used) / k_write_blocks)) : 0;
        share.used += blocks;
    }
    return 0;
}

}

double access_cost(const TraceTenant& tenant, double utilisation)
{
    return latency_of(tenant, utilisation) * 1e-6 * utilisation;
}

void Score::add(const Score& other)
{
    refused += other.refused;
    idle += other.idle;
    moves += other.moves;
    epsilon += other.epsilon;
    hours += other.hours;
}

Score replay(const Trace& trace, Policy& policy)
{
    Ground ground(trace);
    policy.begin(ground);
    Score score;
    score.epsilon_by_window.resize((trace.ticks() + k_window_ticks - 1) / k_window_ticks);
    const double tick_hours = static_cast<double>(k_trace_tick_s) / 3600;
    for (u64 tick = 0; tick < trace.ticks(); tick++) {
        for (size_t i = 0; i < ground.shares.size(); i++)
            score.refused += follow_demand(ground, policy, i, tick);
        double epsilon = 0;
        for (size_t i = 0; i < ground.shares.size(); i++) {
            const Share& share = ground.shares[i];
            const double frequency = static_cast<double>(trace.tenants[i].frequency[tick]), utilisation = share.utilisation();
            const double latency_us = latency_of(trace.tenants[i], utilisation);
            policy.note(i, frequency * static_cast<double>(k_trace_tick_s), latency_us);
            epsilon += access_cost(trace.tenants[i], utilisation) * frequency;
            score.idle += (share.size_blocks() - share.used) / k_gib_blocks * tick_hours;
        }
        score.epsilon += epsilon / static_cast<double>(trace.ticks());
        score.epsilon_by_window[tick / k_window_ticks] += epsilon / static_cast<double>(k_window_ticks);
        policy.tick(ground, tick);
        ground.check();
    }
    score.moves = static_cast<double>(ground.moved);
    score.hours = static_cast<double>(trace.ticks()) * tick_hours;
    return score;
}

}
