// SPDX-License-Identifier: GPL-2.0-only
#include "core/alloc/owners.h"

namespace lcpfs {

Owners::Owners() { m_owners[k_default_owner.value()].id.store(k_default_partition.value()); }

OwnerSlot Owners::find(PartitionId id) const
{
    for (u8 slot = 1; slot < k_owner_slots && id != k_unassigned; slot++)
        if (m_owners[slot].id.load_relaxed() == id.value())
            return OwnerSlot(slot);
    return k_nobody;
}

Result<OwnerSlot> Owners::open(PartitionId id)
{
    if (id == k_unassigned)
        return Error::invalid;
    const OwnerSlot known = find(id);
    if (known != k_nobody)
        return known;
    for (u8 slot = 2; slot < k_owner_slots; slot++) {
        if (m_owners[slot].id.load() == 0) {
            m_owners[slot].maximum_blocks.store(0);
            m_owners[slot].id.store(id.value());
            return OwnerSlot(slot);
        }
    }
    return Error::no_space;
}

void Owners::close(OwnerSlot slot)
{
    if (slot == k_nobody || slot == k_default_owner)
        return;
    set_minimum(slot, 0);
    (*this)[slot].id.store(0);
}

void Owners::set_minimum(OwnerSlot slot, u64 blocks)
{
    const u64 before = (*this)[slot].minimum_blocks.exchange(blocks);
    if (before == 0 && blocks)
        m_guaranteed.add(1);
    if (before && blocks == 0)
        m_guaranteed.sub(1);
}

u64 Owners::kept_by_others(OwnerSlot slot) const
{
    u64 kept = 0;
    for (u8 other = 1; other < k_owner_slots; other++)
        if (other != slot.value())
            kept += max(m_owners[other].used_blocks(), m_owners[other].minimum_blocks.load_relaxed());
    return kept;
}

// What lies free in its metaslabs, as far as it is still owed: what lies elsewhere nobody has kept for it.
u64 Owners::owed_to_others(OwnerSlot slot) const
{
    u64 owed = 0;
    u32 left = m_guaranteed.load_relaxed();
    for (u8 other = 1; other < k_owner_slots && left; other++) {
        const Owner& owner = m_owners[other];
        const u64 minimum = owner.minimum_blocks.load_relaxed();
        left -= minimum ? 1 : 0;
        const u64 used = owner.used_blocks();
        if (minimum <= used || other == slot.value())
            continue;
        const u64 free = owner.free_blocks.load_relaxed();
        owed += min(minimum - used, free - min(free, owner.promised_blocks.load_relaxed()));
    }
    return owed;
}

}
