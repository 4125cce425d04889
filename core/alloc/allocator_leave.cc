// SPDX-License-Identifier: GPL-2.0-only
// Which metaslabs of a partition are emptied, and how far that is.
#include "core/alloc/allocator.h"

namespace lcpfs {

// What could not be emptied is looked at again after so long.
constexpr u64 k_stuck_ns = 3600ull * 1000 * 1000 * 1000;

namespace {

u64 used_of(const Metaslab& metaslab, u32 size) { return size - min(size, metaslab.free_blocks() + metaslab.own_blocks()); }

}

// The one that has least in it of those that could be emptied, which is at most half.
Metaslab* Allocator::emptiest(OwnerSlot owner) const
{
    Metaslab* best = nullptr;
    u64 least = ~0ull;
    for (Metaslab* metaslab : m_metaslabs) {
        const u32 size = m_shared.vdevs.vdev(metaslab->vdev()).metaslab_blocks;
        const u64 used = used_of(*metaslab, size);
        if (metaslab->owner() != owner || metaslab->is_leaving() || metaslab->is_empty() || used > size / 2 || used >= least)
            continue;
        if (host_monotonic_ns() < metaslab->stuck_until_ns())
            continue;
        best = metaslab;
        least = used;
    }
    return best;
}

Allocator::Leaving Allocator::start_leaving(OwnerSlot slot, u64 blocks)
{
    const Owner& owner = m_shared.owners[slot];
    const u64 empty = owner.empty_blocks.load();
    const u64 empty_free = empty - min(empty, owner.empty_own_blocks.load());
    // Room in those that stay and hold something.
    u64 room = owner.free_blocks.load();
    room -= min(room, empty_free + owner.promised_blocks.load());
    u64 to_move = 0;
    for (u64 chosen = empty; chosen < blocks;) {
        Metaslab* const metaslab = emptiest(slot);
        if (!metaslab)
            break;
        const u32 size = m_shared.vdevs.vdev(metaslab->vdev()).metaslab_blocks;
        const u64 used = used_of(*metaslab, size);
        const u64 free = metaslab->free_blocks();
        // An eighth is left, since runs do not fit everywhere.
        if (to_move + used > (room - min(room, free)) / 8 * 7 || !metaslab->start_leaving())
            break;
        room -= min(room, free);
        to_move += used;
        chosen += size;
    }
    return leaving(slot);
}

Allocator::Leaving Allocator::leaving(OwnerSlot owner) const
{
    Leaving leaving;
    if (!m_shared.leaving.load())
        return leaving;
    for (Metaslab* metaslab : m_metaslabs) {
        if (!metaslab->is_leaving() || metaslab->owner() != owner)
            continue;
        leaving.metaslabs++;
        leaving.size_blocks += m_shared.vdevs.vdev(metaslab->vdev()).metaslab_blocks;
        leaving.reached_blocks += metaslab->reached_blocks();
        leaving.empty += metaslab->is_empty();
    }
    return leaving;
}

bool Allocator::is_leaving(const Dva& dva) const
{
    const Metaslab* const metaslab = m_shared.leaving.load_relaxed() ? find(dva) : nullptr;
    return metaslab && metaslab->is_leaving();
}

void Allocator::keep(const Dva& dva)
{
    if (Metaslab* const metaslab = find(dva)) {
        metaslab->set_stuck_until(host_monotonic_ns() + k_stuck_ns);
        metaslab->end_leaving();
    }
}

void Allocator::keep_all(OwnerSlot owner)
{
    for (Metaslab* metaslab : m_metaslabs) {
        if (!metaslab->is_leaving() || metaslab->owner() != owner)
            continue;
        if (!metaslab->is_empty())
            metaslab->set_stuck_until(host_monotonic_ns() + k_stuck_ns);
        metaslab->end_leaving();
    }
}

void Allocator::trim_left(OwnerSlot owner)
{
    for (Metaslab* metaslab : m_metaslabs) {
        if (!metaslab->is_leaving() || metaslab->owner() != owner || !metaslab->is_empty())
            continue;
        Discards discards;
        (void)metaslab->trim(0, m_shared.vdevs.vdev(metaslab->vdev()).metaslab_blocks, discards).is_ok();
        (void)discards.batch.wait().is_ok();
    }
}

}
