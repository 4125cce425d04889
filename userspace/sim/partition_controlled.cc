// SPDX-License-Identifier: GPL-2.0-only
// The controller of core/partition on the trace simulator's pool: the same code that a mounted pool runs.
#include "core/partition/controller.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/partition_ground.h"

namespace lcpfs::sim {

namespace {

size_t tenant_of(PartitionId id) { return static_cast<size_t>(id.value()) - 2; }

class GroundSpace final : public PartitionSpace {
public:
    explicit GroundSpace(Ground& ground) : m_ground(ground) {}
    u64 total_blocks() override { return m_ground.trace.pool_metaslabs * k_trace_metaslab_blocks; }
    u64 unassigned_blocks() override { return m_ground.unassigned * k_trace_metaslab_blocks; }
    u64 size_blocks(PartitionId id) override { return share(id).size * k_trace_metaslab_blocks; }
    u64 used_blocks(PartitionId id) override { return static_cast<u64>(share(id).used); }
    u64 empty_blocks(PartitionId id) override { return share(id).empty() * k_trace_metaslab_blocks; }
    u64 metaslab_blocks() override { return k_trace_metaslab_blocks; }
    MovedSpace move(const SpaceMove& move) override
    {
        u64 count = (move.wanted_blocks + k_trace_metaslab_blocks - 1) / k_trace_metaslab_blocks;
        count = min(count, move.limit_blocks / k_trace_metaslab_blocks);
        u64 moved;
        if (move.from == k_unassigned)
            moved = m_ground.grow(tenant_of(move.to), count);
        else if (move.to == k_unassigned)
            moved = m_ground.shrink(tenant_of(move.from), count);
        else
            moved = m_ground.hand_over(tenant_of(move.from), tenant_of(move.to), count);
        return { moved * k_trace_metaslab_blocks, static_cast<u32>(moved) };
    }
    void evacuate(PartitionId, u64) override { fail("evacuation asked for where nothing is in pieces"); }

private:
    Share& share(PartitionId id) { return m_ground.shares[tenant_of(id)]; }
    Ground& m_ground;
};

class Controlled : public Policy {
public:
    explicit Controlled(bool learning) : m_learning(learning) {}
    const char* name() const override { return m_learning ? "lcpfs" : "lcpfs, frozen"; }
    void begin(Ground& ground) override
    {
        m_space = std::make_unique<GroundSpace>(ground);
        auto made = PartitionController::create(*m_space);
        if (made.is_error())
            fail("no controller: %s", text_of(made.error()));
        m_controller = made.release_value();
        m_controller->set_learning(m_learning);
        for (size_t i = 0; i < ground.shares.size(); i++) {
            const TraceTenant& tenant = ground.trace.tenants[i];
            TextLine message;
            PartitionSpec spec { PartitionId(i + 2), StringView(tenant.name.c_str()),
                                 { static_cast<u64>(tenant.minimum), static_cast<u64>(tenant.maximum) } };
            if (Status added = m_controller->add(spec, message); added.is_error())
                fail("%s: %s: %s", ground.trace.name.c_str(), text_of(added.error()), message.text());
        }
        ground.moved = 0;
    }
    void full(Ground&, size_t tenant, double blocks, u64 tick) override
    {
        // What is refused is for the ground to see.
        if (m_controller->make_room(PartitionId(tenant + 2), static_cast<u64>(blocks), now(tick)).is_error())
            return;
    }
    void note(size_t tenant, double accesses, double latency_us) override
    {
        // Noted in bulk; fractions wait for the next tick.
        m_rest.resize(max(m_rest.size(), tenant + 1));
        m_rest[tenant] += accesses;
        const u64 whole = static_cast<u64>(m_rest[tenant]);
        m_rest[tenant] -= static_cast<double>(whole);
        m_controller->meter(PartitionId(tenant + 2))->note_many(whole, static_cast<u64>(static_cast<double>(whole) * latency_us));
    }
    void tick(Ground&, u64 tick) override { m_controller->tick(now(tick)); }

private:
    static PartitionClock now(u64 tick) { return { (tick + 1) * k_trace_tick_s * 1000, tick * k_trace_tick_s }; }
    bool m_learning;
    std::unique_ptr<GroundSpace> m_space;
    Box<PartitionController> m_controller;
    std::vector<double> m_rest;
};

}

std::unique_ptr<Policy> make_controller(bool learning) { return std::make_unique<Controlled>(learning); }

}
