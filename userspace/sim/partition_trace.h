// SPDX-License-Identifier: GPL-2.0-only
// Traces of demand on a pool with partitions: what each tenant would have stored and how often it accesses it, over time.
#pragma once

#include <string>
#include <vector>

#include "core/base/types.h"
#include "userspace/sim/random.h"

namespace lcpfs::sim {

constexpr u64 k_trace_tick_s = 10;
constexpr u64 k_trace_metaslab_blocks = 1u << 16; // 256 MiB

struct TraceTenant {
    std::string name;
    double minimum, maximum;          // blocks
    double latency_us;                // of an access while there is room
    std::vector<float> demand;        // blocks, per tick
    std::vector<float> frequency;     // per second, per tick
};

struct Trace {
    std::string name;
    u64 pool_metaslabs;
    std::vector<TraceTenant> tenants;
    u64 ticks() const { return tenants[0].demand.size(); }
};

enum class TraceSet { first, second };
// All traces of a set: the six named shapes (first), or shapes that nothing was tuned on (second).
std::vector<Trace> make_traces(TraceSet set, u64 seed);
// A load to which the priors do not fit: slow devices, so few accesses per second that no pressure reaches the prior threshold.
Trace make_slow_trace(u64 seed);

}
