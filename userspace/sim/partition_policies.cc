// SPDX-License-Identifier: GPL-2.0-only
// What the controller is compared with.
//   fixed split   the pool divided in proportion to the maximums, for good
//   autoextend    "at 80 % by 20 %", looked at every tick, as a volume manager's monitor does (its period is 10 s); never shrinks
//   doubling      twice its size when a write finds it full, at once; never shrinks
//   percentile    every five minutes as large as the 95th percentile of what it used, in a histogram that halves every day
#include <math.h>

#include <algorithm>

#include "userspace/sim/failure.h"
#include "userspace/sim/partition_ground.h"

namespace lcpfs::sim {

u64 Share::used_metaslabs() const { return static_cast<u64>(ceil(used / static_cast<double>(k_trace_metaslab_blocks) - 1e-9)); }

Ground::Ground(const Trace& of) : trace(of), shares(of.tenants.size()), unassigned(of.pool_metaslabs)
{
    // Everybody begins with what is used at the start, at 80 % if the pool has that.
    for (size_t i = 0; i < shares.size(); i++) {
        shares[i].used = wanted(i, 0);
        shares[i].size = std::max(shares[i].used_metaslabs(), minimum(i));
        if (shares[i].size > unassigned || shares[i].size > maximum(i))
            fail("partition: trace %s begins with more than there is", trace.name.c_str());
        unassigned -= shares[i].size;
    }
    for (size_t i = 0; i < shares.size(); i++) {
        const u64 wanted = static_cast<u64>(ceil(shares[i].used / 0.8 / static_cast<double>(k_trace_metaslab_blocks)));
        grow(i, wanted > shares[i].size ? wanted - shares[i].size : 0);
    }
    moved = 0;
}

u64 Ground::minimum(size_t tenant) const
{
    return static_cast<u64>(ceil(trace.tenants[tenant].minimum / static_cast<double>(k_trace_metaslab_blocks)));
}
u64 Ground::maximum(size_t tenant) const
{
    return static_cast<u64>(trace.tenants[tenant].maximum / static_cast<double>(k_trace_metaslab_blocks));
}

double Ground::wanted(size_t tenant, u64 tick) const { return floor(static_cast<double>(trace.tenants[tenant].demand[tick])); }

u64 Ground::grow(size_t tenant, u64 metaslabs)
{
    Share& share = shares[tenant];
    const u64 most = maximum(tenant);
    const u64 count = std::min({ metaslabs, unassigned, most > share.size ? most - share.size : 0 });
    share.size += count;
    unassigned -= count;
    moved += count;
    return count;
}

u64 Ground::shrink(size_t tenant, u64 metaslabs)
{
    Share& share = shares[tenant];
    const u64 least = std::max(minimum(tenant), share.used_metaslabs());
    const u64 count = std::min(metaslabs, share.size > least ? share.size - least : 0);
    share.size -= count;
    unassigned += count;
    moved += count;
    return count;
}

u64 Ground::hand_over(size_t from, size_t to, u64 metaslabs)
{
    const u64 given = shrink(from, metaslabs);
    moved -= given; // one move, not two
    return grow(to, given);
}

bool Ground::had_room(size_t tenant, double blocks) const
{
    const double needed = ceil((shares[tenant].used + blocks) / static_cast<double>(k_trace_metaslab_blocks) - 1e-9);
    if (needed > static_cast<double>(maximum(tenant)))
        return false;
    double room = static_cast<double>(shares[tenant].size + unassigned);
    for (size_t i = 0; i < shares.size(); i++) {
        const u64 least = std::max(minimum(i), shares[i].used_metaslabs());
        if (i != tenant && shares[i].size > least)
            room += static_cast<double>(shares[i].size - least);
        if (i != tenant && shares[i].size < minimum(i))
            room -= static_cast<double>(minimum(i) - shares[i].size);
    }
    return needed <= room;
}

void Ground::check() const
{
    u64 all = unassigned;
    for (size_t i = 0; i < shares.size(); i++) {
        all += shares[i].size;
        if (shares[i].used > shares[i].size_blocks() + 1e-6 || shares[i].size > maximum(i) || shares[i].size < minimum(i))
            fail("partition: %s: %llu metaslabs, at least %llu, at most %llu, %.0f blocks used", trace.tenants[i].name.c_str(),
                 static_cast<unsigned long long>(shares[i].size), static_cast<unsigned long long>(minimum(i)),
                 static_cast<unsigned long long>(maximum(i)), shares[i].used);
    }
    if (all != trace.pool_metaslabs)
        fail("partition: %llu metaslabs became %llu", static_cast<unsigned long long>(trace.pool_metaslabs),
             static_cast<unsigned long long>(all));
}

namespace {

class FixedSplit : public Policy {
public:
    const char* name() const override { return "fixed split"; }
    void begin(Ground& ground) override
    {
        double all = 0;
        for (size_t i = 0; i < ground.shares.size(); i++)
            all += static_cast<double>(ground.maximum(i));
        const double part = std::min(1.0, static_cast<double>(ground.trace.pool_metaslabs) / all);
        ground.unassigned = ground.trace.pool_metaslabs;
        for (size_t i = 0; i < ground.shares.size(); i++) {
            Share& share = ground.shares[i];
            const u64 size = std::max(static_cast<u64>(part * static_cast<double>(ground.maximum(i))), ground.minimum(i));
            share.size = std::min(size, ground.unassigned);
            ground.unassigned -= share.size;
            share.used = std::min(share.used, share.size_blocks());
        }
    }
};

class Autoextend : public Policy {
public:
    const char* name() const override { return "autoextend 80/20"; }
    void tick(Ground& ground, u64) override
    {
        for (size_t i = 0; i < ground.shares.size(); i++)
            if (ground.shares[i].utilisation() >= 0.8)
                ground.grow(i, static_cast<u64>(ceil(static_cast<double>(ground.shares[i].size) * 0.2)));
    }
};

class Doubling : public Policy {
public:
    const char* name() const override { return "doubling"; }
    void full(Ground& ground, size_t tenant, double, u64) override
    {
        ground.grow(tenant, std::max<u64>(ground.shares[tenant].size, 1));
    }
};

class Percentile : public Policy {
public:
    const char* name() const override { return "decayed p95"; }
    void begin(Ground& ground) override
    {
        m_seen.assign(ground.shares.size(), std::vector<double>(ground.trace.pool_metaslabs + 2));
    }
    void tick(Ground& ground, u64 tick) override
    {
        // Instead of letting all that was seen weigh less, what is seen weighs more.
        m_weight *= exp2(static_cast<double>(k_trace_tick_s) / 86400);
        for (size_t i = 0; i < ground.shares.size(); i++)
            m_seen[i][std::min<u64>(ground.shares[i].used_metaslabs(), ground.trace.pool_metaslabs + 1)] += m_weight;
        if (tick % 30 != 0)
            return;
        std::vector<u64> wanted(ground.shares.size());
        for (size_t i = 0; i < ground.shares.size(); i++) {
            wanted[i] = percentile(m_seen[i]);
            if (wanted[i] < ground.shares[i].size)
                ground.shrink(i, ground.shares[i].size - wanted[i]);
        }
        for (size_t i = 0; i < ground.shares.size(); i++)
            if (wanted[i] > ground.shares[i].size)
                ground.grow(i, wanted[i] - ground.shares[i].size);
    }

private:
    static u64 percentile(const std::vector<double>& seen)
    {
        double all = 0, below = 0;
        for (double weight : seen)
            all += weight;
        for (size_t i = 0; i < seen.size(); i++)
            if ((below += seen[i]) >= 0.95 * all)
                return i;
        return seen.size() - 1;
    }
    std::vector<std::vector<double>> m_seen;
    double m_weight { 1 };
};

// Another policy, and what its writes lack is given to them at once as the controller's are: from what is unassigned, else
// from whoever has most that he does not use, above his minimum.
class InTime : public Policy {
public:
    explicit InTime(std::unique_ptr<Policy> policy) : m_policy(std::move(policy)), m_name(std::string(m_policy->name()) + " +") {}
    const char* name() const override { return m_name.c_str(); }
    void begin(Ground& ground) override { m_policy->begin(ground); }
    void tick(Ground& ground, u64 tick) override { m_policy->tick(ground, tick); }
    void full(Ground& ground, size_t tenant, double blocks, u64 tick) override
    {
        m_policy->full(ground, tenant, blocks, tick);
        Share& share = ground.shares[tenant];
        while (share.used + blocks > share.size_blocks()) {
            if (ground.grow(tenant, 1))
                continue;
            size_t donor = tenant;
            u64 most = 0;
            for (size_t i = 0; i < ground.shares.size(); i++) {
                const u64 least = std::max(ground.minimum(i), ground.shares[i].used_metaslabs());
                if (i != tenant && ground.shares[i].size > least + most) {
                    most = ground.shares[i].size - least;
                    donor = i;
                }
            }
            if (donor == tenant || share.size >= ground.maximum(tenant) || !ground.hand_over(donor, tenant, 1))
                return;
        }
    }

private:
    std::unique_ptr<Policy> m_policy;
    std::string m_name;
};

}

std::unique_ptr<Policy> make_in_time(std::unique_ptr<Policy> policy) { return std::make_unique<InTime>(std::move(policy)); }
std::unique_ptr<Policy> make_fixed_split() { return std::make_unique<FixedSplit>(); }
std::unique_ptr<Policy> make_autoextend() { return std::make_unique<Autoextend>(); }
std::unique_ptr<Policy> make_doubling() { return std::make_unique<Doubling>(); }
std::unique_ptr<Policy> make_percentile() { return std::make_unique<Percentile>(); }

}
