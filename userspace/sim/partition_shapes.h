// SPDX-License-Identifier: GPL-2.0-only
// What traces are made of.
#pragma once

#include "userspace/sim/partition_trace.h"

namespace lcpfs::sim {

constexpr double k_gib = 262144; // blocks
constexpr u64 k_trace_ticks = 3 * 8640;

double uniform(Random& random); // 0..1
double days(u64 tick);
// A factor around 1 that wanders: each tick by up to `step` either way in its logarithm, drawn back by `pull` of it.
std::vector<float> wander(Random& random, double step, double pull);
TraceTenant make_tenant(const char* name, double used_gib, double maximum_gib, double frequency, double latency_us);
void scale(std::vector<float>& values, const std::vector<float>& factors);

}
