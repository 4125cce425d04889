// SPDX-License-Identifier: GPL-2.0-only
// What a policy made of a trace.
#pragma once

#include "userspace/sim/partition_ground.h"

namespace lcpfs::sim {

constexpr u64 k_window_ticks = 6 * 3600 / k_trace_tick_s;

struct Score {
    u64 refused { 0 };    // writes of up to 64 MiB that the pool had room for
    double idle { 0 };    // GiB h of shares above use
    double moves { 0 };   // metaslabs that changed their owner
    double epsilon { 0 }; // mean over time, in seconds (per second): what all who access wait for, times utilisation
    double hours { 0 };
    std::vector<double> epsilon_by_window; // of k_window_ticks each

    void add(const Score& other);
    double moves_per_hour() const { return hours > 0 ? moves / hours : 0; }
};

// Epsilon of an access, in seconds: latency x utilisation.
double access_cost(const TraceTenant& tenant, double utilisation);
Score replay(const Trace& trace, Policy& policy);

}
