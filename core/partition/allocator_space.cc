// SPDX-License-Identifier: GPL-2.0-only
#include "core/partition/allocator_space.h"

namespace lcpfs {

// What of the unassigned is kept for metadata.
u64 AllocatorSpace::reserved_blocks()
{
    const Owner& nobody = m_allocator.owners()[k_nobody];
    const u64 empty = nobody.empty_blocks.load() - min(nobody.empty_blocks.load(), nobody.empty_own_blocks.load());
    const u64 free = nobody.free_blocks.load();
    const u64 shared_free = free - min(free, empty);
    return m_reserve_blocks - min(m_reserve_blocks, shared_free);
}

u64 AllocatorSpace::unassigned_blocks()
{
    const u64 empty = m_allocator.owners()[k_nobody].empty_blocks.load();
    return empty - min(empty, reserved_blocks());
}

u64 AllocatorSpace::total_blocks()
{
    u64 total = unassigned_blocks();
    for (u8 slot = 1; slot < k_owner_slots; slot++)
        total += m_allocator.owners()[OwnerSlot(slot)].size_blocks.load();
    return total;
}

MovedSpace AllocatorSpace::move(const SpaceMove& move)
{
    Owners& owners = m_allocator.owners();
    const OwnerSlot from = owners.find(move.from), to = owners.find(move.to);
    if (from == to)
        return {};
    u64 limit = move.limit_blocks;
    if (from == k_nobody)
        limit = min(limit, unassigned_blocks());
    const Allocator::Given given = m_allocator.give(from, to, move.wanted_blocks, limit);
    return { given.blocks, given.metaslabs };
}

void AllocatorSpace::evacuate(PartitionId id, u64 blocks)
{
    if (m_evacuate)
        m_evacuate(m_context, m_allocator.owners().find(id), blocks);
}

}
