// SPDX-License-Identifier: GPL-2.0-only
// A pool for tests of the partition controller: metaslabs as numbers, whole ones, some of them in use in pieces.
#pragma once

#include "core/partition/controller.h"

namespace lcpfs {

class PartitionGround final : public PartitionSpace {
public:
    static constexpr u32 k_metaslabs = 256;
    static constexpr u64 k_blocks = 1024; // of a metaslab
    static constexpr u32 k_partitions = 12;

    struct Owned {
        u32 metaslabs { 0 };
        u64 used { 0 };
        u32 scattered { 0 }; // metaslabs with something in them beyond what the use needs
        u32 evacuations { 0 };
    };

    Owned& of(PartitionId id) { return m_owned[id.value() % k_partitions]; }
    u32 unassigned() const { return m_unassigned; }
    u32 moves() const { return m_moves; }
    // What is wrong, or null: each metaslab is owned once, nothing is used that is not owned.
    const char* wrong() const
    {
        u32 all = m_unassigned;
        for (const Owned& owned : m_owned) {
            all += owned.metaslabs;
            if (owned.used > owned.metaslabs * k_blocks)
                return "more is used than is owned";
        }
        return all == k_metaslabs ? nullptr : "a metaslab is lost, or owned twice";
    }

    u64 total_blocks() override { return k_metaslabs * k_blocks; }
    u64 unassigned_blocks() override { return m_unassigned * k_blocks; }
    u64 size_blocks(PartitionId id) override { return of(id).metaslabs * k_blocks; }
    u64 used_blocks(PartitionId id) override { return of(id).used; }
    u64 empty_blocks(PartitionId id) override { return empty(of(id)) * k_blocks; }
    u64 metaslab_blocks() override { return k_blocks; }
    MovedSpace move(const SpaceMove& move) override
    {
        u32& from = move.from == k_unassigned ? m_unassigned : of(move.from).metaslabs;
        u32& to = move.to == k_unassigned ? m_unassigned : of(move.to).metaslabs;
        const u64 there = move.from == k_unassigned ? m_unassigned : empty(of(move.from));
        const u64 count = min(there, min((move.wanted_blocks + k_blocks - 1) / k_blocks, move.limit_blocks / k_blocks));
        from -= static_cast<u32>(count);
        to += static_cast<u32>(count);
        m_moves += static_cast<u32>(count);
        return { count * k_blocks, static_cast<u32>(count) };
    }
    void evacuate(PartitionId id, u64) override { of(id).evacuations++; }

private:
    static u32 empty(const Owned& owned)
    {
        const u32 busy = static_cast<u32>((owned.used + k_blocks - 1) / k_blocks) + owned.scattered;
        return owned.metaslabs > busy ? owned.metaslabs - busy : 0;
    }
    Owned m_owned[k_partitions];
    u32 m_unassigned { k_metaslabs };
    u32 m_moves { 0 };
};

}
