// SPDX-License-Identifier: GPL-2.0-only
#include "core/alloc/allocator.h"

#include "core/base/format_text.h"

namespace lcpfs {

// 4 MiB: every bitmap of a pool of 32 GiB, busy, committed and both deferred.
constexpr u64 k_most_reserve_pages = 1024;
constexpr u32 k_metaslabs_of_room = 64;

Result<Box<Allocator>> Allocator::create(VdevSet& vdevs, const DiskGuid& pool_guid, u32 node_blocks)
{
    if (!is_power_of_two(node_blocks) || node_blocks > 16)
        return Error::invalid;
    Box<Allocator> allocator = TRY(make_box<Allocator>(vdevs, pool_guid, node_blocks));
    allocator->m_shared.pages = host_pool_create("lcpfs_bitmap", k_block_size, 0);
    if (!allocator->m_shared.pages)
        return Error::no_memory;
    for (u16 i = 0; i < vdevs.count(); i++) {
        Vdev& vdev = vdevs.vdev(VdevId(i));
        TRY(allocator->m_first.push_back(allocator->m_metaslabs.size()));
        TRY(allocator->m_metaslabs.reserve(allocator->m_metaslabs.size() + vdev.metaslab_count));
        const size_t each = Metaslab::bytes_for(vdev);
        u8* room = nullptr;
        for (u32 index = 0; index < vdev.metaslab_count; index++, room += each) {
            if (index % k_metaslabs_of_room == 0) {
                TRY(allocator->m_rooms.push_back(nullptr));
                const u32 count = min(vdev.metaslab_count - index, k_metaslabs_of_room);
                room = static_cast<u8*>(allocator->m_rooms.last() = host_alloc(count * each, 0));
                if (!room)
                    return Error::no_memory;
            }
            TRY(allocator->m_metaslabs.push_back(Metaslab::make(room, allocator->m_shared, vdev, index)));
        }
        allocator->m_shared.owners[k_nobody].size_blocks.add(u64(vdev.metaslab_blocks) * vdev.metaslab_count);
        allocator->m_shared.total.add(u64(vdev.metaslab_blocks - 2 * bitmap_blocks(vdev.metaslab_blocks)) * vdev.metaslab_count);
    }
    TRY(allocator->m_placement.start(allocator->m_metaslabs.span(), allocator->m_first.span()));
    return allocator;
}

Status Allocator::reserve()
{
    u64 pages = 0;
    for (u16 i = 0; i < m_shared.vdevs.count(); i++) {
        const Vdev& vdev = m_shared.vdevs.vdev(VdevId(i));
        pages += u64(4) * bitmap_blocks(vdev.metaslab_blocks) * vdev.metaslab_count;
    }
    return host_pool_reserve(m_shared.pages, static_cast<u32>(min(pages, k_most_reserve_pages))) ? Error::none : Error::no_memory;
}

Allocator::~Allocator()
{
    for (Metaslab* metaslab : m_metaslabs)
        metaslab->~Metaslab();
    for (void* room : m_rooms)
        host_free(room);
    host_pool_destroy(m_shared.pages);
}

Metaslab* Allocator::find(VdevId vdev, u32 metaslab) const
{
    VdevSet& vdevs = m_shared.vdevs;
    if (vdev.value() >= vdevs.count() || metaslab >= vdevs.vdev(vdev).metaslab_count)
        return nullptr;
    return m_metaslabs[m_first[vdev.value()] + metaslab];
}

Metaslab* Allocator::find(const Dva& dva) const
{
    if (!m_shared.vdevs.is_valid(dva))
        return nullptr;
    const Vdev& vdev = m_shared.vdevs.vdev(dva.vdev);
    return find(dva.vdev, static_cast<u32>((dva.block - k_first_metaslab_block) / vdev.metaslab_blocks));
}

// Up to `quads` groups for an allocation that may break them; false when so many cannot be spared. What is not
// there cannot be broken, so the last allocation of a pool with nothing to keep is not refused.
bool Allocator::claim_quads(u64& quads, u64 kept)
{
    const u64 there = m_shared.quads.load();
    quads = min(quads, there);
    // Never more claimed than is granted, not even for a moment: another's refusal must not refuse us.
    u64 claimed = m_claimed_quads.load();
    while (claimed + quads + kept <= there)
        if (m_claimed_quads.compare_exchange(claimed, claimed + quads))
            return true;
    return false;
}

namespace {

constexpr u8 operator|(Standing a, Standing b) { return static_cast<u8>(static_cast<u8>(a) | static_cast<u8>(b)); }
constexpr u8 operator|(u8 a, Standing b) { return static_cast<u8>(a | static_cast<u8>(b)); }

// A partition without a maximum takes unassigned metaslabs as it needs them for long runs; one with a maximum has those that
// it was given.
constexpr u8 k_home = Standing::own | Standing::vacant | Standing::unassigned;
constexpr u8 k_limited_home = Standing::own | Standing::vacant;
constexpr u8 k_leaving = static_cast<u8>(Standing::leaving);
constexpr u8 k_spare = Standing::unassigned | Standing::shared;
constexpr u8 k_foreign = static_cast<u8>(Standing::foreign);
constexpr u8 k_any = static_cast<u8>(k_home | k_spare | k_foreign | k_leaving);

}

// At home, then in what was to be emptied, then where nobody lives; with others last.
Result<Dva> Allocator::allocate_at(OwnerSlot owner, Where where, const Wish& wish, VdevId avoid)
{
    const u8 home = m_shared.owners[owner].maximum_blocks.load_relaxed() ? k_limited_home : k_home;
    const u8 standings[] = { home, k_leaving, k_spare, k_foreign };
    Error failure = Error::no_space;
    const size_t first = where == Where::with_others ? 3 : 0;
    const size_t end = where == Where::at_home ? 3 : 4;
    for (size_t i = first; i < end; i++) {
        if (standings[i] == k_leaving && !m_shared.leaving.load_relaxed())
            continue;
        Result<Dva> dva = m_placement.allocate({ owner, standings[i] }, wish, avoid);
        if (dva.is_ok() || dva.error() == Error::no_memory)
            return dva;
        if (dva.error() != Error::no_space)
            failure = dva.error();
    }
    return failure;
}

// One group of those that are whole; the rest of it is broken then, and the next in line.
Result<Dva> Allocator::allocate_quad(OwnerSlot owner, Where where, u32 want, u32 minimum, VdevId avoid)
{
    const u32 group = m_shared.node_blocks;
    u64 one = 1;
    if (minimum > group || !claim_quads(one, m_quad_floor.load()))
        return Error::no_space;
    Result<Dva> dva = allocate_at(owner, where, { Wish::Kind::quad, group, group }, avoid);
    m_claimed_quads.sub(one);
    if (dva.is_ok() && want < group) {
        Dva rest = dva.value();
        rest.block += want;
        rest.length_blocks -= want;
        TRY(find(rest)->cancel(rest));
        dva.value().length_blocks = want;
    }
    return dva;
}

// A run of n blocks touches at most n / node_blocks + 2 groups. When that many cannot be spared: as long a run as can be,
// then only blocks of groups that are broken already, then one group.
Result<Dva> Allocator::allocate_data(OwnerSlot owner, u32 want, u32 minimum, VdevId avoid)
{
    if (want == 0 || minimum == 0 || minimum > want)
        return Error::invalid;
    const u32 group = m_shared.node_blocks;
    u32 wish = want;
    for (u32 tries = 0; tries < 2 && wish >= minimum; tries++) {
        u64 quads = wish / group + 2;
        if (claim_quads(quads, m_quad_reserve.load())) {
            Result<Dva> dva = allocate_at(owner, Where::everywhere, { Wish::Kind::run, wish, minimum }, avoid);
            m_claimed_quads.sub(quads);
            return dva;
        }
        const u64 kept = m_claimed_quads.load() + m_quad_reserve.load() + 2;
        const u64 there = m_shared.quads.load();
        wish = there > kept ? static_cast<u32>(min<u64>(want, (there - kept) * group)) : 0;
    }
    Error failure = Error::no_space;
    constexpr Where k_in_order[] = { Where::at_home, Where::with_others };
    for (const Where where : k_in_order) {
        if (group > 1) {
            Result<Dva> dva = allocate_at(owner, where, { Wish::Kind::broken_quads, want, minimum }, avoid);
            if (dva.is_ok() || dva.error() != Error::no_space)
                return dva;
        }
        Result<Dva> dva = allocate_quad(owner, where, want, minimum, avoid);
        if (dva.is_ok())
            return dva;
        if (dva.error() != Error::no_space)
            failure = dva.error();
    }
    return failure;
}

// Where the owner's data is already, in metaslabs that stay: whole groups only as far as they can be spared.
Result<Dva> Allocator::allocate_settled(OwnerSlot owner, u32 want, u32 minimum)
{
    if (want == 0 || minimum == 0 || minimum > want)
        return Error::invalid;
    u64 quads = want / m_shared.node_blocks + 2;
    if (!claim_quads(quads, m_quad_reserve.load()))
        return Error::no_space;
    const Tenant tenant { owner, static_cast<u8>(Standing::own) };
    Result<Dva> dva = m_placement.allocate(tenant, { Wish::Kind::run, want, minimum }, VdevId(0xffff));
    m_claimed_quads.sub(quads);
    return dva;
}

Result<Dva> Allocator::allocate_kept(OwnerSlot owner)
{
    return m_placement.allocate({ owner, k_any }, { Wish::Kind::run, 1, 1 }, VdevId(0xffff));
}

Result<Dva> Allocator::allocate(AllocClass which, u32 want, u32 minimum, VdevId avoid)
{
    if (which == AllocClass::data)
        return allocate_data(k_default_owner, want, minimum, avoid);
    if (want == 0 || minimum == 0 || minimum > want)
        return Error::invalid;
    const Wish::Kind kind = want == m_shared.node_blocks && minimum == want ? Wish::Kind::quad : Wish::Kind::run;
    Result<Dva> dva = m_placement.allocate({ k_nobody, k_home }, { kind, want, minimum }, avoid);
    if (dva.is_ok())
        return dva;
    return m_placement.allocate({ k_nobody, k_any }, { kind, want, minimum }, avoid);
}

Status Allocator::claim(const Dva& dva)
{
    Metaslab* const metaslab = find(dva);
    return metaslab ? metaslab->claim(dva) : Status(Error::address_out_of_range);
}

void Allocator::adopt(const Dva& dva, OwnerSlot owner)
{
    if (Metaslab* const metaslab = find(dva))
        metaslab->adopt(owner);
}

u32 Allocator::largest_metaslab_blocks() const
{
    u32 largest = 0;
    for (u16 i = 0; i < m_shared.vdevs.count(); i++)
        largest = max(largest, m_shared.vdevs.vdev(VdevId(i)).metaslab_blocks);
    return largest;
}

// Those emptied for it first; else one of each vdev in turn, so that what is given lies on all.
Allocator::Given Allocator::give(OwnerSlot from, OwnerSlot to, u64 wanted_blocks, u64 limit_blocks)
{
    Given given;
    const bool any_leaves = m_shared.leaving.load() != 0;
    for (u32 round = any_leaves ? 0 : 1; round < 2 && given.blocks < wanted_blocks; round++)
        give_round(from, to, { wanted_blocks, limit_blocks, round == 0 }, given);
    return given;
}

void Allocator::give_round(OwnerSlot from, OwnerSlot to, const GiveWish& wish, Given& given)
{
    u32 most = 0;
    for (u16 i = 0; i < m_shared.vdevs.count(); i++)
        most = max(most, m_shared.vdevs.vdev(VdevId(i)).metaslab_count);
    for (u32 index = 0; index < most && given.blocks < wish.wanted_blocks; index++) {
        for (u16 i = 0; i < m_shared.vdevs.count() && given.blocks < wish.wanted_blocks; i++) {
            const u64 size = m_shared.vdevs.vdev(VdevId(i)).metaslab_blocks;
            Metaslab* const metaslab = find(VdevId(i), index);
            if (!metaslab || given.blocks + size > wish.limit_blocks || metaslab->owner() != from)
                continue;
            if ((wish.only_leaving && !metaslab->is_leaving()) || !metaslab->give(from, to))
                continue;
            given.blocks += size;
            given.metaslabs++;
        }
    }
}

void Allocator::cancel(const Dva& dva)
{
    Metaslab* const metaslab = find(dva);
    const Status status = metaslab ? metaslab->cancel(dva) : Status(Error::address_out_of_range);
    (void)status; // logged; the blocks stay busy until the next mount
    m_cancellations.add(1);
}

Status Allocator::prepare_free(const Dva& dva, Must must)
{
    Metaslab* const metaslab = find(dva);
    return metaslab ? metaslab->prepare_free(dva, must) : Status(Error::address_out_of_range);
}

AllocatorCounts Allocator::counts() const
{
    AllocatorCounts counts {};
    counts.total_blocks = m_shared.total.load_relaxed();
    counts.free_blocks = m_shared.free.load_relaxed();
    counts.deferred_blocks = m_shared.deferred.load_relaxed();
    counts.free_quads = m_shared.quads.load_relaxed();
    constexpr size_t k_each = sizeof(Metaslab) + sizeof(Zone) + sizeof(void*);
    counts.bytes_in_memory = m_shared.pages_held.load_relaxed() * k_block_size + m_metaslabs.size() * k_each;
    return counts;
}

void Allocator::set_quad_reserve(u64 quads, u64 floor)
{
    m_quad_reserve.store(quads);
    m_quad_floor.store(floor);
}

}
