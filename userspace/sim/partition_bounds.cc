// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/partition_bounds.h"

#include <math.h>

#include <algorithm>

#include "userspace/sim/failure.h"
#include "userspace/sim/partition_score.h"

namespace lcpfs::sim {

namespace {

constexpr double k_tick_hours = static_cast<double>(k_trace_tick_s) / 3600;
constexpr double k_metaslab = static_cast<double>(k_trace_metaslab_blocks);
constexpr double k_log_worth_low = -30, k_log_worth_high = 5; // of what a GiB h is worth, in epsilon
constexpr int k_halvings = 18; // of that range: to a seven thousandth
constexpr u64 k_sampled = 12; // two minutes: but for bursts, demand changes by less than a thousandth in them
constexpr double k_moment_hours = k_tick_hours * k_sampled;

// Has at each time what is stored and no more, and keeps account of it.
class Recorder : public Policy {
public:
    const char* name() const override { return "recorder"; }
    void full(Ground& ground, size_t tenant, double blocks, u64) override
    {
        for (size_t i = 0; i < ground.shares.size(); i++)
            if (i != tenant)
                ground.shrink(i, ground.shares[i].empty());
        const double needed = ceil((ground.shares[tenant].used + blocks) / k_metaslab - 1e-9);
        ground.grow(tenant, static_cast<u64>(needed) - ground.shares[tenant].size);
    }
    void tick(Ground& ground, u64) override
    {
        used.resize(ground.shares.size());
        for (size_t i = 0; i < ground.shares.size(); i++)
            used[i].push_back(ground.shares[i].used);
    }
    std::vector<std::vector<double>> used; // by tenant and tick
};

}

Bounds::Bounds(const std::vector<Trace>& traces)
{
    for (const Trace& trace : traces) {
        Recorder recorder;
        if (replay(trace, recorder).refused)
            fail("partition: %s: a write was refused though all others had only what they used", trace.name.c_str());
        m_hours += static_cast<double>(trace.ticks()) * k_tick_hours;
        for (const std::vector<double>& used : recorder.used)
            add_pauses(used);
        add_moments(trace, recorder.used);
    }
    std::sort(m_pauses.begin(), m_pauses.end(), [](double a, double b) { return a > b; });
}

void Bounds::add_moments(const Trace& trace, const std::vector<std::vector<double>>& used)
{
    const size_t tenants = trace.tenants.size();
    for (u64 tick = 0; tick < trace.ticks(); tick += k_sampled) {
        double spare = static_cast<double>(trace.pool_metaslabs) * k_metaslab;
        for (size_t i = 0; i < tenants; i++) {
            spare -= used[i][tick];
            m_moments.push_back({ &trace.tenants[i], used[i][tick], static_cast<double>(trace.tenants[i].frequency[tick]),
                                  static_cast<double>(k_sampled) / static_cast<double>(trace.ticks()), 0 });
        }
        const auto fits = [&](double worth) {
            double room = 0;
            for (size_t i = m_moments.size() - tenants; i < m_moments.size(); i++)
                room += room_worth(m_moments[i], worth);
            return room <= spare;
        };
        double low = k_log_worth_low, high = k_log_worth_high;
        if (fits(exp(low)))
            continue;
        for (int i = 0; i < k_halvings; i++)
            (fits(exp((low + high) / 2)) ? high : low) = (low + high) / 2;
        for (size_t i = m_moments.size() - tenants; i < m_moments.size(); i++)
            m_moments[i].scarce = exp(low);
    }
}

void Bounds::add_pauses(const std::vector<double>& used)
{
    std::vector<i64> since; // of each rank: the tick since which it has not been used; -1: it is used
    u64 in_use = 0;
    for (size_t tick = 0; tick < used.size(); tick++) {
        const u64 now = static_cast<u64>(ceil(used[tick] / k_metaslab - 1e-9));
        m_rounding += (static_cast<double>(now) * k_metaslab - used[tick]) / k_gib_blocks * k_tick_hours;
        // Who begins with how much is for the policy to say: what was not used yet is a pause since the beginning.
        if (since.size() < now)
            since.resize(now, 0);
        for (; in_use < now; in_use++)
            if (const i64 ticks = static_cast<i64>(tick) - since[in_use]; ticks > 0)
                m_pauses.push_back(static_cast<double>(ticks) * k_tick_hours);
        for (; in_use > now; in_use--)
            since[in_use - 1] = static_cast<i64>(tick);
    }
}

double Bounds::least_idle(double moves_per_hour) const
{
    const size_t moved = std::min(m_pauses.size(), static_cast<size_t>(moves_per_hour * m_hours));
    double hours = 0;
    for (size_t i = moved; i < m_pauses.size(); i++)
        hours += m_pauses[i];
    return m_rounding + hours * k_metaslab / k_gib_blocks;
}

// The room beyond which another GiB h lowers epsilon by less than it is worth, in blocks.
double Bounds::room_worth(const Moment& moment, double worth)
{
    const double used = moment.used, most = moment.tenant->maximum;
    if (used <= 0 || most <= used)
        return 0;
    // Up to 80 % the cost is latency x used / size, which falls by latency x used / size^2.
    const double price = std::max(worth, moment.scarce) * k_moment_hours / k_gib_blocks / moment.weight / moment.frequency;
    const double size = sqrt(access_cost(*moment.tenant, 0.5) * 2 * used / price);
    if (size >= used / 0.8)
        return std::min(size, most) - used;
    double low = used, high = used / 0.8;
    for (int i = 0; i < 12; i++) {
        const double middle = (low + high) / 2, more = used * 1e-4;
        const double gain = access_cost(*moment.tenant, used / middle) - access_cost(*moment.tenant, used / (middle + more));
        (gain > price * more ? low : high) = middle;
    }
    return std::min(low, most) - used;
}

double Bounds::least_epsilon(double idle) const
{
    double low = k_log_worth_low, high = k_log_worth_high, epsilon = 0;
    for (int i = 0; i < k_halvings; i++) {
        const double worth = exp((low + high) / 2);
        double room = 0;
        epsilon = 0;
        for (const Moment& moment : m_moments) {
            const double here = room_worth(moment, worth);
            room += here / k_gib_blocks * k_moment_hours;
            if (moment.used > 0)
                epsilon += access_cost(*moment.tenant, moment.used / (moment.used + here)) * moment.frequency * moment.weight;
        }
        (room > idle ? low : high) = log(worth);
    }
    return epsilon;
}

}
