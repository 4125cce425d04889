// SPDX-License-Identifier: GPL-2.0-only
// Whose a metaslab is.
#include "core/alloc/metaslab.h"

namespace lcpfs {

// Exact under m_lock, else a hint.
Standing Metaslab::standing(OwnerSlot slot) const
{
    const OwnerSlot mine = owner();
    if (mine == k_nobody && is_empty())
        return Standing::unassigned;
    if (mine == slot && is_leaving())
        return Standing::leaving;
    if (mine == slot)
        return is_empty() ? Standing::vacant : Standing::own;
    return mine == k_nobody ? Standing::shared : Standing::foreign;
}

void Metaslab::add_deferred(u64 more)
{
    m_shared.deferred.add(more);
    m_shared.owners[owner()].deferred_blocks.add(more);
}

void Metaslab::note_new_owner()
{
    m_has_new_owner.store(1);
    m_shared.has_new_owners.store(1);
}

void Metaslab::count_empty_locked()
{
    const bool is_known = m_state.load() == k_loaded || m_state.load() == k_unloaded;
    const bool is_protected = !m_is_unprotected.load() || !m_shared.avoids_unprotected.load();
    const u8 is_now = is_known && is_protected && m_free.load() == m_vdev.metaslab_blocks - own_blocks();
    if (m_is_empty.exchange(is_now) == is_now)
        return;
    Owner& owner = m_shared.owners[this->owner()];
    owner.empty_blocks.add(is_now ? u64(m_vdev.metaslab_blocks) : 0 - u64(m_vdev.metaslab_blocks));
    owner.empty_own_blocks.add(is_now ? u64(own_blocks()) : 0 - u64(own_blocks()));
    if (is_now)
        m_is_mixed = false;
}

void Metaslab::recount_empty()
{
    MutexGuard guard(m_lock);
    count_empty_locked();
}

// Free blocks leave the one before they come to the other (owners.h).
void Metaslab::set_owner_locked(OwnerSlot slot)
{
    Owner& from = m_shared.owners[owner()];
    Owner& to = m_shared.owners[slot];
    const u64 free = m_free.load();
    const u64 empty = is_empty() ? m_vdev.metaslab_blocks : 0;
    const u64 empty_own = is_empty() ? own_blocks() : 0;
    from.free_blocks.sub(free);
    from.empty_blocks.sub(empty);
    from.empty_own_blocks.sub(empty_own);
    from.size_blocks.sub(m_vdev.metaslab_blocks);
    m_owner.store(slot.value());
    to.size_blocks.add(m_vdev.metaslab_blocks);
    to.empty_own_blocks.add(empty_own);
    to.empty_blocks.add(empty);
    to.free_blocks.add(free);
}

bool Metaslab::give(OwnerSlot from, OwnerSlot to)
{
    MutexGuard guard(m_lock);
    if (owner() != from || !is_empty())
        return false;
    const bool was_leaving = is_leaving();
    set_owner_locked(to);
    const Owner& before = m_shared.owners[from];
    if (from != k_nobody && before.promised_blocks.load() > before.free_blocks.load()) {
        set_owner_locked(from);
        return false;
    }
    if (was_leaving)
        end_leaving_locked();
    m_class.store(static_cast<u8>(to == k_nobody ? MetaslabClass::unassigned : MetaslabClass::data));
    note_new_owner();
    return true;
}

// What the tenant's first block, or the next, makes of it.
void Metaslab::admit_locked(const Tenant& tenant)
{
    const Standing found = standing(tenant.slot);
    end_leaving_locked();
    if (found == Standing::own || found == Standing::shared || found == Standing::vacant || found == Standing::leaving)
        return;
    if (found == Standing::unassigned) {
        set_owner_locked(tenant.slot);
        m_class.store(static_cast<u8>(tenant.slot == k_nobody ? MetaslabClass::metadata : MetaslabClass::data));
        note_new_owner();
        return;
    }
    if (tenant.slot != k_nobody) {
        m_is_mixed = true;
        note_new_owner();
        return;
    }
    // Metadata: an empty one that its owner can do without is everybody's from now on.
    if (!is_empty())
        return;
    const OwnerSlot before = owner();
    const Owner& giver = m_shared.owners[before];
    set_owner_locked(k_nobody);
    if (giver.promised_blocks.load() > giver.free_blocks.load() || giver.size_blocks.load() < giver.minimum_blocks.load())
        return set_owner_locked(before);
    m_class.store(static_cast<u8>(MetaslabClass::metadata));
    note_new_owner();
}

void Metaslab::adopt(OwnerSlot slot)
{
    MutexGuard guard(m_lock);
    if (owner() == slot || slot == k_nobody)
        return;
    const bool was_empty = is_loaded() && m_committed_used == own_blocks();
    if (was_empty && !m_has_new_owner.load()) {
        set_owner_locked(slot);
        m_class.store(static_cast<u8>(MetaslabClass::data));
        note_new_owner();
    } else if (owner() != k_nobody) {
        m_is_mixed = true;
        note_new_owner();
    }
}

// From the row. Data of pools that knew no partitions is the default one's, and so is what is left of one that nobody knows.
void Metaslab::start_owner_locked(bool is_empty)
{
    const PartitionId id(m_entry.partition.get());
    const bool is_data = m_entry.metaslab_class == static_cast<u8>(MetaslabClass::data);
    OwnerSlot slot = m_shared.owners.find(id);
    if (slot == k_nobody && !is_empty && (id != k_unassigned || is_data))
        slot = k_default_owner;
    if (slot != owner())
        set_owner_locked(slot);
    m_is_mixed = (m_entry.flags.get() & k_metaslab_is_mixed) != 0;
    m_has_new_owner.store(0);
    if (m_shared.owners[slot].id.load() != id.value())
        note_new_owner();
}

// A partition made since the table of this group was written is not named by its rows: the metaslab is empty for all that
// this group reaches, and the next one's row says it.
void Metaslab::describe_owner_locked()
{
    const u64 id = m_shared.owners[owner()].id.load();
    if (id >= m_shared.known_partitions.load())
        return note_new_owner();
    m_entry.partition.set(id);
    m_entry.metaslab_class = m_class.load();
    m_entry.flags.set(static_cast<u16>((m_entry.flags.get() & k_metaslab_is_stale) | (m_is_mixed ? k_metaslab_is_mixed : 0)));
}

}
