// SPDX-License-Identifier: GPL-2.0-only
#include "core/alloc/metaslab.h"

#include "core/base/format_text.h"

namespace lcpfs {

static_assert(sizeof(Metaslab) % alignof(Zone) == 0);

size_t Metaslab::bytes_for(const Vdev& vdev) { return sizeof(Metaslab) + bitmap_blocks(vdev.metaslab_blocks) * sizeof(Zone); }

Metaslab* Metaslab::make(void* room, AllocatorShared& shared, Vdev& vdev, u32 index) { return ::new (room) Metaslab(shared, vdev, index); }

Metaslab::Metaslab(AllocatorShared& shared, Vdev& vdev, u32 index) NO_THREAD_SAFETY_ANALYSIS
    : m_shared(shared), m_vdev(vdev), m_index(index), m_page_count(bitmap_blocks(vdev.metaslab_blocks)),
      m_zones(reinterpret_cast<Zone*>(this + 1), m_page_count)
{
    for (Zone& zone : m_zones)
        ::new (static_cast<void*>(&zone)) Zone;
}

Metaslab::~Metaslab()
{
    if (!is_loaded())
        return;
    m_lock.lock();
    drop_zones_locked();
    m_lock.unlock();
}

Status Metaslab::log_contradiction(const char* what, const Dva& dva) const
{
    TextLine line;
    line.add(m_vdev.name).add(" block ").add(dva.block).add(" length ").add(dva.length_blocks).add(": ").add(what);
    m_shared.vdevs.log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
    return Error::contradiction;
}

void Metaslab::publish(u32 free, u32 longest, u32 quads)
{
    const u64 more_free = u64(free) - m_free.exchange(free);
    Owner& owner = m_shared.owners[OwnerSlot(m_owner.load())];
    m_longest.store(longest);
    const u64 more_quads = u64(quads) - m_quads.exchange(quads);
    if (more_free) {
        m_shared.free.add(more_free);
        owner.free_blocks.add(more_free);
        m_shared.vdev_free[m_vdev.id.value()].add(more_free);
    }
    if (more_quads)
        m_shared.quads.add(more_quads);
    count_empty_locked();
}

void Metaslab::summarize_locked()
{
    u32 free = 0, longest = 0, quads = 0;
    for (const Zone& zone : m_zones) {
        free += zone.free;
        longest = max(longest, zone.longest);
        quads += zone.quads;
    }
    publish(free, longest, quads);
}

// A zone where at least `want` may stand is searched from the cursor on, then from its beginning.
Run Metaslab::find_locked(const Wish& wish, u32& zone)
{
    const u32 count = static_cast<u32>(m_zones.size());
    const u32 first = m_cursor / k_page_bits % count;
    for (u32 i = 0; i <= count; i++) {
        zone = (first + i) % count;
        Zone& candidate = m_zones[zone];
        const u32 from = i == 0 ? max(m_cursor % k_page_bits, candidate.begin) : candidate.begin;
        if (wish.kind == Wish::Kind::quad) {
            if (candidate.quads == 0)
                continue;
            const Run run = candidate.find_quad(from, m_shared.node_blocks);
            if (run.length)
                return run;
            continue;
        }
        if (candidate.longest < wish.want)
            continue;
        const Run run = candidate.find(from, wish.want, wish.kind == Wish::Kind::broken_quads, m_shared.node_blocks);
        if (run.length >= wish.want)
            return run;
    }
    return wish.kind == Wish::Kind::quad ? Run {} : find_longest_locked(wish, zone);
}

// Nowhere is as much as wanted: about the longest there is. Each look makes one zone's bound exact, so it ends.
Run Metaslab::find_longest_locked(const Wish& wish, u32& zone)
{
    const bool broken_only = wish.kind == Wish::Kind::broken_quads;
    Run best;
    for (u32 tries = 0; tries < m_zones.size(); tries++) {
        u32 widest = 0;
        for (u32 i = 1; i < m_zones.size(); i++)
            if (m_zones[i].longest > m_zones[widest].longest)
                widest = i;
        const u32 look = broken_only ? tries : widest;
        if (m_zones[look].longest < wish.minimum || (!broken_only && m_zones[look].longest <= best.length)) {
            if (broken_only)
                continue;
            break;
        }
        const Run run = m_zones[look].find(m_zones[look].begin, wish.want, broken_only, m_shared.node_blocks);
        if (run.length > best.length) {
            best = run;
            zone = look;
        }
    }
    return best.length >= wish.minimum ? best : Run {};
}

Result<Dva> Metaslab::allocate(const Wish& wish, const Tenant& tenant)
{
    MutexGuard guard(m_lock);
    if (!tenant.allows(standing(tenant.slot)))
        return Error::no_space;
    TRY(load_locked(Must::succeed));
    u32 at = 0;
    const Run run = find_locked(wish, at);
    if (run.length) {
        admit_locked(tenant);
        m_zones[at].take(run, m_shared.node_blocks);
    }
    summarize_locked(); // a search that failed has corrected bounds
    if (!run.length)
        return Error::no_space;
    const u32 position = at * k_page_bits + run.position;
    m_cursor = position + run.length;
    if (m_cursor >= m_vdev.metaslab_blocks + k_header_bits)
        m_cursor = 0;
    return Dva { first_block() + position - k_header_bits, run.length, m_vdev.id };
}

Status Metaslab::claim(const Dva& dva)
{
    MutexGuard guard(m_lock);
    TRY(load_locked(Must::may_fail));
    if (!for_zones(dva, [](Zone& zone, Run run) { return none_set(*zone.busy, run); }))
        return Error::busy;
    for_zones(dva, [this](Zone& zone, Run run) {
        zone.take(run, m_shared.node_blocks);
        return true;
    });
    summarize_locked();
    return {};
}

Status Metaslab::cancel(const Dva& dva)
{
    MutexGuard guard(m_lock);
    if (!is_loaded())
        return log_contradiction("given back, but its bitmap is not loaded", dva);
    const bool held = for_zones(dva, [](Zone& zone, Run run) { return all_set(*zone.busy, run) && none_set(*zone.committed, run); });
    if (!held)
        return log_contradiction("given back, but free or committed", dva);
    for_zones(dva, [this](Zone& zone, Run run) {
        zone.give(run, m_shared.node_blocks);
        return true;
    });
    summarize_locked();
    m_shared.owners[owner()].gains.add_relaxed(1);
    return {};
}

bool Metaslab::prepare_zone_locked(Zone& zone, Must must)
{
    for (BitPage*& page : zone.deferred) {
        if (!page)
            page = new_page(must);
        if (!page)
            return false;
    }
    m_prepared_zones.store(m_prepared_zones.load() | 1u << (&zone - m_zones.begin()));
    return true;
}

Status Metaslab::prepare_free(const Dva& dva, Must must)
{
    m_shared.owners[owner()].gains.add_relaxed(1);
    const u32 first = (bit_of(dva) + k_header_bits) / k_page_bits;
    const u32 last = (bit_of(dva) + k_header_bits + dva.length_blocks - 1) / k_page_bits;
    const u32 needed = (2u << last) - (1u << first);
    if ((m_prepared_zones.load() & needed) == needed)
        return {};
    MutexGuard guard(m_lock);
    const Status loaded = load_locked(must);
    if (loaded.is_error() && m_state.load() == k_damaged)
        return {}; // mark_free has nothing to do
    TRY(loaded);
    for (u32 zone = first; zone <= last; zone++)
        if (!prepare_zone_locked(m_zones[zone], must))
            return Error::no_memory;
    return {};
}

bool Metaslab::copy_committed(Span<u64> words)
{
    MutexGuard guard(m_lock);
    if (!is_loaded())
        return false;
    for (size_t i = 0; i < words.size() && i < m_vdev.metaslab_blocks / 64; i++) {
        const size_t word = i + k_header_bits / 64;
        words[i] = to_cpu(m_zones[word / k_page_words].committed->words[word % k_page_words]);
    }
    return true;
}

}
