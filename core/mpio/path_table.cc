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
    path.probed_us = Path::k_not_probed;
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
    bool knows_size = false;
    for (u32 i = 0; i < count; i++) {
        const PathLatency& latency = members[i]->latency;
        known.has_tails = known.has_tails && latency.idle_tail_us(size);
        const bool knows = latency.knows_idle(size);
        if (!latency.has_samples() || (knows_size && !knows))
            continue;
        const u32 mine_us = knows ? latency.idle_us(size) : latency.base_us();
        if (knows == knows_size && mine_us >= known.idle_us)
            continue;
        knows_size = knows;
        known.idle_us = mine_us;
        known.best = &latency;
    }
    for (u32 c = 0; c < k_size_classes; c++) {
        const auto queued = static_cast<SizeClass>(c);
        u32 learned_us = ~0u, assumed_us = ~0u;
        for (u32 i = 0; i < count; i++) {
            const PathLatency& latency = members[i]->latency;
            u32& best_us = latency.knows_cost(queued) ? learned_us : assumed_us;
            best_us = min(best_us, latency.cost_us(queued));
        }
        known.cost_us[c] = learned_us != ~0u ? learned_us : assumed_us;
    }
    return known;
}

// Less than half again as slow as the best is noise: equal paths would be loaded unequally by it.
static u32 unless_noise(u32 us, u32 best_us) { return us <= best_us + best_us / 2 ? best_us : us; }

static u32 slower_by(u32 us, u32 best_us) { return unless_noise(max(us, best_us), best_us) - best_us; }

// By how much a path is slower than another: by the smallest size of which it is known of both, or by all that they did.
static u32 slower_by(const PathLatency& latency, const PathLatency& best)
{
    bool knows_any = false;
    for (u32 i = 0; i < k_size_classes; i++) {
        const auto size = static_cast<SizeClass>(i);
        knows_any = knows_any || latency.knows_idle(size);
        if (latency.knows_idle(size) && best.knows_idle(size))
            return slower_by(latency.idle_us(size), best.idle_us(size));
    }
    return knows_any ? 0 : slower_by(latency.average_us(), best.average_us());
}

// What a request of that size takes where it is alone.
u32 PathTable::idle_us(const Path& path, SizeClass size, const Known& known)
{
    const PathLatency& latency = path.latency;
    if (latency.knows_idle(size))
        return unless_noise(latency.idle_us(size), known.idle_us);
    if (!known.best || (!latency.has_samples() && path.depth.load_relaxed() == 0))
        return 0; // it will be known by this request
    // A path that is slower with what it is known by is so with the rest.
    return known.idle_us + slower_by(latency, *known.best);
}

// What those under way on a path cost whoever comes after them.
u64 PathTable::backlog_us(const Path& path, const Known& known)
{
    u64 sum_us = 0;
    for (u32 i = 0; i < k_size_classes; i++) {
        const auto size = static_cast<SizeClass>(i);
        const u32 best_us = known.cost_us[i];
        const u32 cost_us = path.latency.knows_cost(size) ? unless_noise(path.latency.cost_us(size), best_us) : best_us;
        sum_us += u64(path.queued[i].load_relaxed()) * cost_us;
    }
    return sum_us;
}

u64 PathTable::service_us(const Path& path, u64 bytes) const
{
    const SizeClass size = size_class_of(bytes);
    const Path* const alone[] = { &path };
    const Known known = known_of(alone, 1, size);
    return idle_us(path, size, known) + backlog_us(path, known);
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
    // An idle path takes what it takes alone, whatever its last load had to wait.
    const u32 alone_us = idle_us(path, size, known);
    if (policy() == PathPolicy::least_latency)
        return depth == 0 ? alone_us : latency.average_us();
    const u64 backlog = backlog_us(path, known);
    if (!choice.prefers_tail)
        return alone_us + backlog;
    const u64 own_us = known.has_tails ? latency.idle_tail_us(size) : alone_us;
    // Somebody waits, and what is to come after waits for it: a slower path has to win clearly.
    return own_us + backlog + (alone_us > known.idle_us ? own_us / 4 : 0);
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
        const bool was_first = path->enter(choice.now_ns) == 0;
        // Counted first, looked at again then: who removes a path does it the other way round.
        if (path->can_serve()) {
            const u8 size = choice.moves_bytes ? static_cast<u8>(size_class_of(choice.bytes)) : PathTicket::k_no_size;
            ticket = { m_target.value(), path->id.value(), static_cast<u8>(path->slot), 1, size, was_first, choice.now_ns };
            if (choice.moves_bytes)
                path->queued[size].add(1);
            return path;
        }
        path->depth.sub(1);
    }
    return Error::no_usable_path;
}

static u32 us_between(u64 from_ns, u64 to_ns)
{
    return to_ns > from_ns ? static_cast<u32>(min<u64>((to_ns - from_ns) / k_ns_per_us, ~0u - 1)) : 0;
}

void PathTable::note_latency(Path& path, const PathTicket& ticket, u64 now_ns)
{
    const auto size = static_cast<SizeClass>(ticket.size);
    const u64 before_ns = path.alive_ns.load_relaxed();
    const u32 latency_us = us_between(ticket.started_ns, now_ns);
    // Nobody came before it, ended since, or is there now.
    if (ticket.was_first && before_ns == ticket.started_ns && path.depth.load_relaxed() == 1)
        path.latency.note(size, latency_us);
    else
        path.latency.note_among(size, latency_us, us_between(before_ns, now_ns));
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
        if (ticket.size < k_size_classes)
            note_latency(*path, ticket, end.now_ns);
    } else if (end.blame == Blame::path || end.blame == Blame::plain) {
        path->errors.add_relaxed(1);
        path->window.note(true);
    }
    path->alive_ns.store_relaxed(end.now_ns);
    if (ticket.size < k_size_classes)
        path->queued[ticket.size].sub(1);
    path->depth.sub(1);
    return path;
}

}
