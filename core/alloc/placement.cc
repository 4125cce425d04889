// SPDX-License-Identifier: GPL-2.0-only
#include "core/alloc/placement.h"

namespace lcpfs {

constexpr u32 k_stripe_blocks = 256; // to one vdev before the next

Status Placement::start(Span<Metaslab*> metaslabs, Span<size_t> first)
{
    m_metaslabs = metaslabs;
    m_first = first;
    m_vdev_count = 0;
    const u16 count = static_cast<u16>(first.size()); // at most k_max_vdevs
    TRY(m_cursors.resize(count));
    for (u16 vdev = 0; vdev < count; vdev++) {
        if (metaslabs_of(VdevId(vdev)).size() == 0)
            continue;
        m_cursors[vdev] = TRY(make_box<Cursors>());
        m_vdevs[m_vdev_count++] = vdev;
    }
    return {};
}

Span<Metaslab*> Placement::metaslabs_of(VdevId vdev) const
{
    const size_t next = vdev.value() + 1u;
    const size_t end = next < m_first.size() ? m_first[next] : m_metaslabs.size();
    return m_metaslabs.slice(m_first[vdev.value()], end - m_first[vdev.value()]);
}

Placement::Cursor& Placement::cursor_of(VdevId vdev, OwnerSlot slot)
{
    const size_t lanes = slot == k_nobody ? 1 : min<size_t>(k_lanes, 1 + metaslabs_of(vdev).size() / k_metaslabs_per_lane);
    return m_cursors[vdev.value()]->of[slot.value()][host_cpu_index() % lanes];
}

// Its share that is free is less than half of the pool's.
bool Placement::is_short_of_space(VdevId id) const
{
    const Vdev& vdev = m_shared.vdevs.vdev(id);
    const u64 size = u64(vdev.metaslab_blocks) * vdev.metaslab_count;
    const u64 pool_megablocks = (m_shared.total.load_relaxed() >> 10) + 1;
    const u64 wanted = (m_shared.free.load_relaxed() >> 10) * (size >> 10) / pool_megablocks / 2;
    return (m_shared.vdev_free[id.value()].load_relaxed() >> 10) < wanted;
}

// Its place in m_vdevs.
size_t Placement::choose_vdev(OwnerSlot slot, u32 blocks)
{
    const u64 place = m_rotor[slot == k_nobody ? 0 : 1].add(blocks) - blocks;
    const size_t first = place / k_stripe_blocks % m_vdev_count;
    for (size_t i = 0; i < m_vdev_count; i++) {
        const size_t at = (first + i) % m_vdev_count;
        if (!is_short_of_space(VdevId(m_vdevs[at])))
            return at;
    }
    return first;
}

// Prefers one that is not unprotected; then, in this order: one of its own that has room, one of its own that is empty, an
// unassigned one, any of its own, then others; among equals one where no cursor stands, then the one with most free.
Metaslab* Placement::choose_metaslab(VdevId vdev, const Tenant& tenant, const Wish& wish, const Metaslab* not_this) const
{
    const u32 size = m_shared.vdevs.vdev(vdev).metaslab_blocks;
    Metaslab* best = nullptr;
    u64 best_score = 0;
    for (Metaslab* metaslab : metaslabs_of(vdev)) {
        const u32 free = metaslab->free_blocks();
        if (metaslab == not_this || free < wish.minimum)
            continue;
        if (wish.kind == Wish::Kind::quad ? metaslab->is_loaded() && metaslab->quads() == 0 : metaslab->longest() < wish.minimum)
            continue;
        const Standing found = metaslab->standing(tenant.slot);
        if (!tenant.allows(found))
            continue;
        const u64 tier = found == Standing::own ? (free >= size / 8 ? 5 : 2)
                         : found == Standing::vacant ? 4 : found == Standing::unassigned ? 3 : 1;
        // What the group before the newest reaches there nobody knows: anywhere else rather.
        const bool last = metaslab->is_unprotected() && m_shared.avoids_unprotected.load_relaxed();
        const u64 score = ((last ? 0 : tier) * 2 + (metaslab->users().load_relaxed() == 0)) << 32 | free;
        if (score > best_score) {
            best = metaslab;
            best_score = score;
        }
    }
    return best;
}

Result<Dva> Placement::allocate_on(VdevId vdev, const Tenant& tenant, const Wish& wish, u32 accept, Cursor& cursor)
{
    const Wish strict { wish.kind, wish.want, max(wish.minimum, accept) };
    Metaslab* const current = cursor.metaslab.load_acquire();
    if (current) {
        Result<Dva> dva = current->allocate(strict, tenant);
        if (dva.is_ok())
            return dva;
    }
    Error first = Error::no_space;
    // Each failure corrects the counters of the one that failed, so it is not chosen again; racing others bound the tries.
    for (size_t tries = 0; tries < metaslabs_of(vdev).size() + 4; tries++) {
        Metaslab* const next = choose_metaslab(vdev, tenant, strict, tries == 0 ? current : nullptr);
        if (!next)
            break;
        Result<Dva> dva = next->allocate(strict, tenant);
        if (dva.is_error()) {
            if (dva.error() != Error::no_space)
                first = dva.error();
            if (dva.error() == Error::no_memory)
                break;
            continue;
        }
        next->users().add(1);
        if (Metaslab* const left = cursor.metaslab.exchange(next))
            left->users().sub(1);
        return dva;
    }
    return first;
}

// Space is so short that data has to do with what metadata cannot use: rare, so everything is looked over.
Result<Dva> Placement::allocate_broken(VdevId vdev, const Tenant& tenant, const Wish& wish)
{
    Error first = Error::no_space;
    for (Metaslab* metaslab : metaslabs_of(vdev)) {
        const u32 unbroken = metaslab->quads() * m_shared.node_blocks;
        if (metaslab->free_blocks() < wish.minimum || (metaslab->is_loaded() && metaslab->free_blocks() == unbroken))
            continue;
        Result<Dva> dva = metaslab->allocate(wish, tenant);
        if (dva.is_ok())
            return dva;
        if (dva.error() != Error::no_space)
            first = dva.error();
    }
    return first;
}

Result<Dva> Placement::allocate(const Tenant& tenant, const Wish& wish, VdevId avoid)
{
    const size_t count = m_vdev_count;
    if (count == 0)
        return Error::no_space;
    const size_t first = choose_vdev(tenant.slot, wish.want);
    Error failure = Error::no_space;
    // Long runs on any vdev, then what there is, then even on the vdev to avoid.
    for (u32 round = 0; round < 3; round++) {
        for (size_t i = 0; i < count; i++) {
            const VdevId vdev(m_vdevs[(first + i) % count]);
            if ((vdev == avoid && count > 1) != (round == 2))
                continue;
            Cursor& cursor = cursor_of(vdev, tenant.slot);
            const bool broken = wish.kind == Wish::Kind::broken_quads;
            if (broken && round == 0)
                continue;
            const u32 accept = round == 0 ? min(wish.want / 4, cursor.accept.load_relaxed()) : 0;
            Result<Dva> dva = broken ? allocate_broken(vdev, tenant, wish) : allocate_on(vdev, tenant, wish, accept, cursor);
            if (dva.is_ok()) {
                if (round == 1 && wish.kind == Wish::Kind::run && dva.value().length_blocks < wish.want / 4)
                    cursor.accept.store(dva.value().length_blocks / 2);
                return dva;
            }
            if (dva.error() != Error::no_space)
                failure = dva.error();
        }
    }
    return failure;
}

void Placement::expect_long_runs()
{
    for (size_t i = 0; i < m_vdev_count; i++)
        for (auto& lanes : m_cursors[m_vdevs[i]]->of)
            for (Cursor& cursor : lanes)
                cursor.accept.store_relaxed(k_accept);
}

}
