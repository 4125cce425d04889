// SPDX-License-Identifier: GPL-2.0-only
#include "core/mpio/path_table.h"

namespace lcpfs {

Result<Path*> PathTable::prepare(PathId id, host_bdev* bdev, u8 priority)
{
    const u32 used = m_used.load();
    u32 slot = used;
    for (u32 i = 0; i < used; i++) {
        Path& path = *m_slots[i];
        if (path.id == id)
            return Error::exists;
        if (!path.is_taken() && slot == used)
            slot = i;
    }
    if (slot == k_max_paths)
        return Error::too_many_devices;
    if (slot == used) {
        m_slots[slot] = TRY(make_box<Path>());
        m_slots[slot]->slot = slot;
    }
    // What the slot still owes of flushes stays; the rest is the new path's own.
    Path& path = *m_slots[slot];
    path.id = id;
    path.bdev = bdev;
    path.priority.store(priority);
    path.suspect.store(0);
    path.is_ordered_down = false;
    path.latency.~PathLatency();
    ::new (&path.latency) PathLatency();
    path.window.clear();
    path.timer = ProbeTimer();
    Atomic<u64>* const counts[] = { &path.ios, &path.bytes, &path.errors, &path.failures, &path.repairs, &path.wrong_bytes };
    for (Atomic<u64>* count : counts)
        count->store(0);
    if (bdev) {
        host_bdev_get_info(bdev, &path.info);
        const char* name = host_bdev_name(bdev);
        size_t length = 0;
        while (name[length] && length + 1 < Path::k_name_bytes)
            length++;
        // The end of a long one says more than its beginning.
        size_t whole = length;
        while (name[whole])
            whole++;
        copy_bytes(path.name, name + (whole - length), length);
        path.name[length] = 0;
    }
    if (slot == used)
        m_used.store(used + 1);
    return &path;
}

void PathTable::make_present(Path& path, PathState state, u64 now_ns)
{
    path.usable_since_ns.store(now_ns);
    path.alive_ns.store(now_ns);
    path.set_state(state);
    path.present.store(1);
}

Path* PathTable::find(PathId id)
{
    for (u32 i = 0; i < used_slots(); i++)
        if (m_slots[i]->present.load() && m_slots[i]->id == id)
            return m_slots[i].get();
    return nullptr;
}

Path* PathTable::in_order(u32 n)
{
    auto before = [](const Path& a, const Path& b) {
        const u8 first = a.priority.load_relaxed(), second = b.priority.load_relaxed();
        return first != second ? first < second : a.id < b.id;
    };
    for (u32 i = 0; i < used_slots(); i++) {
        Path& path = *m_slots[i];
        if (!path.present.load())
            continue;
        u32 place = 0;
        for (u32 j = 0; j < used_slots(); j++)
            place += j != i && m_slots[j]->present.load() && before(*m_slots[j], path);
        if (place == n)
            return &path;
    }
    return nullptr;
}

u32 PathTable::present_count()
{
    u32 count = 0;
    for (u32 i = 0; i < used_slots(); i++)
        count += m_slots[i]->present.load() != 0;
    return count;
}

u32 PathTable::usable_count()
{
    u32 count = 0;
    for (u32 i = 0; i < used_slots(); i++)
        count += m_slots[i]->can_serve();
    return count;
}

bool PathTable::is_last_usable(const Path& path)
{
    for (u32 i = 0; i < used_slots(); i++)
        if (m_slots[i].get() != &path && m_slots[i]->can_serve())
            return false;
    return true;
}

bool PathTable::is_candidate(const Path& path, const PathChoice& choice, bool impatient) const
{
    if (!path.can_serve())
        return false;
    // The impatient take what there is: only when nobody else could.
    return impatient
        || (path.slot != choice.avoided_slot && choice.now_ns >= path.usable_since_ns.load_relaxed() + m_failback_ns.load_relaxed());
}

PathTable::Known PathTable::known_of(const Path* const* members, u32 count, SizeClass size)
{
    Known known;
    for (u32 i = 0; i < count; i++) {
        const PathLatency& latency = members[i]->latency;
        if (latency.knows_idle(size))
            known.idle_us = min(known.idle_us, latency.idle_us(size));
        if (latency.knows_cost(size))
            known.cost_us = min(known.cost_us, latency.cost_us(size));
        known.has_tails = known.has_tails && latency.idle_tail_us(size);
    }
    if (known.cost_us == ~0u)
        known.cost_us = k_default_cost_us;
    return known;
}

// One request is enough to sample a path that nobody knows yet: the others go where it is known what they meet.
constexpr u64 k_being_sampled = ~0ull >> 1;

u64 PathTable::score(const Path& path, const PathChoice& choice, const Known& known) const
{
    const SizeClass size = size_class_of(choice.bytes);
    const PathLatency& latency = path.latency;
    const u32 depth = path.depth.load_relaxed();
    if (policy() == PathPolicy::round_robin)
        return 0;
    if (policy() == PathPolicy::least_queue)
        return depth;
    if (!latency.has_samples() && depth)
        return k_being_sampled + depth;
    // An idle path takes what it takes idle, whatever its last load had to wait. Where that is not known of this
    // size, it will be by this request.
    const u32 idle_us = latency.knows_idle(size) ? latency.idle_us(size)
        : depth == 0                             ? 0
        : known.idle_us == ~0u                   ? latency.average_us()
                                                 : known.idle_us;
    if (policy() == PathPolicy::least_latency)
        return depth == 0 ? idle_us : latency.average_us();
    const u32 alone_us = choice.prefers_tail && known.has_tails ? latency.idle_tail_us(size) : idle_us;
    return alone_us + u64(depth) * (latency.knows_cost(size) ? latency.cost_us(size) : known.cost_us);
}

// The first of the best, beginning with another one each time.
Path* PathTable::choose(const PathChoice& choice, bool impatient)
{
    Path* members[k_max_paths];
    u32 count = 0;
    u32 best_rank = ~0u;
    for (u32 i = 0; i < used_slots(); i++) {
        Path& path = *m_slots[i];
        if (!is_candidate(path, choice, impatient))
            continue;
        const u32 rank = path.priority.load_relaxed() * 2u + (path.get_state() == PathState::degraded);
        if (rank < best_rank) {
            best_rank = rank;
            count = 0;
        }
        if (rank == best_rank)
            members[count++] = &path;
    }
    if (count < 2)
        return count ? members[0] : nullptr;
    const u32 turn = m_turn.load_relaxed();
    m_turn.store_relaxed(turn + 1);
    Path* best = nullptr;
    u64 best_score = 0;
    const Known known = known_of(members, count, size_class_of(choice.bytes));
    const bool ties_are_wide = policy() == PathPolicy::least_latency;
    for (u32 i = 0; i < count; i++) {
        Path& path = *members[(turn + i) % count];
        const u64 mine = score(path, choice, known);
        const bool is_tie = ties_are_wide && best && mine <= best_score + best_score / 4 && best_score <= mine + mine / 4;
        if (!best || (is_tie ? path.depth.load_relaxed() < best->depth.load_relaxed() : mine < best_score)) {
            best = &path;
            best_score = mine;
        }
    }
    return best;
}

Result<Path*> PathTable::begin(const PathChoice& choice, PathTicket& ticket)
{
    // Each round lost means that a path changed in between; what is left after many is somebody's endless switching.
    for (u32 round = 0; round < 4 * k_max_paths; round++) {
        Path* path = choice.pinned_slot < used_slots() ? m_slots[choice.pinned_slot].get() : nullptr;
        if (!path || !path->can_serve() || round)
            path = choose(choice, false);
        if (!path)
            path = choose(choice, true);
        if (!path)
            return Error::no_usable_path;
        const u8 ahead = static_cast<u8>(min(path->enter(choice.now_ns), 255u));
        // Counted first, looked at again then: who removes a path does it the other way round.
        if (path->can_serve()) {
            ticket = { m_target.value(), path->id.value(), static_cast<u16>(path->slot), 1, ahead, choice.now_ns };
            return path;
        }
        path->depth.sub(1);
    }
    return Error::no_usable_path;
}

Result<Path*> PathTable::complete(PathTicket& ticket, const PathEnd& end)
{
    Path* const path = ticket.target == m_target.value() ? at(ticket.slot) : nullptr;
    if (!path || !path->is_taken() || path->id.value() != ticket.id)
        return Error::not_found;
    if (!ticket.is_open)
        return Error::stale_handle;
    ticket.is_open = 0;
    path->ios.add_relaxed(1);
    if (end.blame == Blame::none) {
        path->bytes.add_relaxed(end.bytes);
        path->window.note(false);
        const u64 latency_us = end.now_ns > ticket.started_ns ? (end.now_ns - ticket.started_ns) / k_ns_per_us : 0;
        path->latency.note(size_class_of(end.bytes), static_cast<u32>(min<u64>(latency_us, ~0u - 1)), ticket.ahead);
    } else if (end.blame == Blame::path || end.blame == Blame::plain) {
        path->errors.add_relaxed(1);
        path->window.note(true);
    }
    path->alive_ns.store_relaxed(end.now_ns);
    path->depth.sub(1);
    return path;
}

}
