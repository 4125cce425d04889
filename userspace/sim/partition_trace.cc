// SPDX-License-Identifier: GPL-2.0-only
// The first set: the shapes that the controller's constants were chosen on. One cast for all: a busy database, mail, home
// directories, an archive; one of them (or two) does what the trace is named after.
#include "userspace/sim/partition_trace.h"

#include <math.h>

#include <algorithm>

#include "userspace/sim/partition_shapes.h"

namespace lcpfs::sim {

double uniform(Random& random) { return static_cast<double>(random.next() >> 11) * 0x1p-53; }

std::vector<float> wander(Random& random, double step, double pull)
{
    std::vector<float> factors(k_trace_ticks);
    double at = 0;
    for (float& factor : factors) {
        at += (uniform(random) + uniform(random) - 1) * step - at * pull;
        factor = static_cast<float>(exp(at));
    }
    return factors;
}

TraceTenant make_tenant(const char* name, double used_gib, double maximum_gib, double frequency, double latency_us)
{
    TraceTenant tenant;
    tenant.name = name;
    tenant.minimum = 2 * k_gib;
    tenant.maximum = maximum_gib * k_gib;
    tenant.latency_us = latency_us;
    tenant.demand.assign(k_trace_ticks, static_cast<float>(used_gib * k_gib));
    tenant.frequency.assign(k_trace_ticks, static_cast<float>(frequency));
    return tenant;
}

void scale(std::vector<float>& values, const std::vector<float>& factors)
{
    for (size_t i = 0; i < values.size(); i++)
        values[i] *= factors[i];
}

double days(u64 tick) { return static_cast<double>(tick * k_trace_tick_s) / 86400; }

std::vector<Trace> make_second_traces(u64 seed);

namespace {

enum { database, mail, home, archive };

Trace cast(const char* name, Random& random)
{
    Trace trace { name, 2048, {} };
    trace.tenants = { make_tenant("database", 12, 40, 2000, 150), make_tenant("mail", 50, 160, 40, 200),
                      make_tenant("home", 80, 300, 10, 250), make_tenant("archive", 120, 400, 1, 400) };
    for (TraceTenant& tenant : trace.tenants) {
        scale(tenant.demand, wander(random, 0.0005, 0.001));
        scale(tenant.frequency, wander(random, 0.02, 0.01));
    }
    return trace;
}

Trace daily(Random& random)
{
    Trace trace = cast("daily cycle", random);
    for (size_t i = database; i <= home; i++) {
        const double phase = 0.1 * uniform(random);
        for (u64 t = 0; t < k_trace_ticks; t++) {
            const double wave = sin(2 * M_PI * (days(t) + phase));
            trace.tenants[i].demand[t] *= static_cast<float>(1 + 0.3 * wave);
            trace.tenants[i].frequency[t] *= static_cast<float>(1 + 0.8 * wave);
        }
    }
    return trace;
}

Trace bursts(Random& random)
{
    Trace trace = cast("burst", random);
    for (u64 t = 0; t < k_trace_ticks;) {
        t += 360 + random.below(2000);
        const size_t who = random.one_in(2) ? home : mail;
        const u64 lasts = 60 + random.below(600), rise = 3 + random.below(6);
        const double height = (20 + 40 * uniform(random)) * k_gib;
        for (u64 i = 0; i < lasts && t + i < k_trace_ticks; i++) {
            const double part = std::min(1.0, static_cast<double>(i + 1) / static_cast<double>(rise));
            trace.tenants[who].demand[t + i] += static_cast<float>(height * part);
            trace.tenants[who].frequency[t + i] *= 5;
        }
        t += lasts;
    }
    return trace;
}

Trace runaway(Random& random)
{
    Trace trace = cast("endless growth", random);
    for (u64 t = 0; t < k_trace_ticks; t++) {
        trace.tenants[archive].demand[t] += static_cast<float>(days(t) * 110 * k_gib);
        trace.tenants[archive].frequency[t] += 3;
    }
    return trace;
}

Trace random_walk(Random& random)
{
    Trace trace = cast("random walk", random);
    for (TraceTenant& tenant : trace.tenants) {
        scale(tenant.demand, wander(random, 0.012, 0.0003));
        scale(tenant.frequency, wander(random, 0.03, 0.002));
        for (float& blocks : tenant.demand)
            blocks = std::min(blocks, static_cast<float>(tenant.maximum * 0.98));
    }
    return trace;
}

Trace antiphase(Random& random)
{
    Trace trace = cast("antiphase", random);
    trace.pool_metaslabs = 1536; // 384 GiB; the two alone would reach 380
    trace.tenants[archive].maximum = 384 * k_gib;
    for (u64 t = 0; t < k_trace_ticks; t++) {
        const double wave = sin(2 * M_PI * days(t) * 4);
        trace.tenants[home].demand[t] *= static_cast<float>((110 + 80 * wave) / 80);
        trace.tenants[archive].demand[t] *= static_cast<float>((110 - 80 * wave) / 120);
        trace.tenants[home].frequency[t] *= static_cast<float>(1 + 0.5 * wave);
    }
    return trace;
}

}

Trace make_slow_trace(u64 seed)
{
    Random random(mix(seed, 73));
    Trace trace { "slow devices", 2048, {} };
    trace.tenants = { make_tenant("busy", 24, 90, 25, 8000), make_tenant("spool", 16, 80, 20, 9000), make_tenant("home", 100, 300, 1, 8000),
                      make_tenant("archive", 140, 400, 0.2, 9000) };
    for (TraceTenant& tenant : trace.tenants) {
        scale(tenant.demand, wander(random, 0.001, 0.0005));
        scale(tenant.frequency, wander(random, 0.02, 0.01));
        const double pace = 0.02 + 0.06 * uniform(random); // of it, per day
        for (u64 t = 0; t < k_trace_ticks; t++)
            tenant.demand[t] *= static_cast<float>(1 + pace * days(t));
    }
    return trace;
}

std::vector<Trace> make_traces(TraceSet set, u64 seed)
{
    if (set == TraceSet::second)
        return make_second_traces(seed);
    Random random(mix(seed, 71));
    std::vector<Trace> traces;
    traces.push_back(cast("steady", random));
    traces.push_back(daily(random));
    traces.push_back(bursts(random));
    traces.push_back(runaway(random));
    traces.push_back(random_walk(random));
    traces.push_back(antiphase(random));
    return traces;
}

}
