// SPDX-License-Identifier: GPL-2.0-only
// PathTable: the paths of one target: which there are, which to take, and accounts of what they did.
//
// Choosing: the best priority with a usable path; within it Active before Degraded; among those the policy, ties in
// rotation. For least latency a quarter is a tie, which the shorter queue decides: all would follow each other else. A path
// that came back counts only after the failback delay, unless there is no other. Requests that somebody waits for by name
// (log, metadata) take the path with the lowest tail instead of the lowest average.
//
// Service time is what a request of its size takes on the path alone, and what each one there costs, by its size: a queue of
// large ones is longer than one of as many small ones. What differs by less than half between paths counts as equal, by the
// best: what was measured of equal paths always differs, and who believes it loads them unequally.
//
// Callers of add, remove and the state changes are serialized by the group; everything else is callable by any
// number of CPUs in any context, without a lock.
#pragma once

#include "core/host/memory.h"
#include "core/mpio/path.h"

namespace lcpfs {

// One request on one path: given by begin, ended once by complete. Lies in the words of a host_io.
struct PathTicket {
    u64 target { 0 };
    u32 id { 0 };
    u8 slot { 0 };
    u8 is_open { 0 };
    u8 size { 0 };      // class, or k_no_size
    u8 was_first { 0 }; // it found the path idle
    u64 started_ns { 0 };

    static constexpr u8 k_no_size = 0xff; // it moves no bytes: how long it takes says nothing of those that do
};
static_assert(sizeof(PathTicket) == 3 * sizeof(u64));

struct PathChoice {
    u64 now_ns { 0 };
    u64 bytes { 0 };
    bool prefers_tail { false };
    u32 pinned_slot { k_max_paths }; // this one, if it can serve
    u32 avoided_slot { k_max_paths }; // this one only if no other can
    bool moves_bytes { true };        // no flush, no discard
};

struct PathEnd {
    u64 now_ns { 0 };
    u64 bytes { 0 };
    Blame blame { Blame::none };
};

class PathTable {
public:
    explicit PathTable(TargetId target) : m_target(target) {}

    TargetId target() const { return m_target; }
    PathPolicy policy() const { return static_cast<PathPolicy>(m_policy.load_relaxed()); }
    void set_policy(PathPolicy policy) { m_policy.store(static_cast<u8>(policy)); }
    void set_failback_delay(u64 delay_ns) { m_failback_ns.store(delay_ns); }

    // A slot for a new path, filled but not present. exists: the id is there already; too_many_devices.
    Result<Path*> prepare(PathId id, host_bdev* bdev, u8 priority);
    void make_present(Path& path, PathState state, u64 now_ns);
    // No request will choose it any more. Those under way still count in its depth.
    void make_absent(Path& path) { path.present.store(0); }
    Path* find(PathId id);
    // A slot below used_slots().
    Path& slot(u32 i) { return *m_slots[i]; }
    Path* at(u32 slot) { return slot < m_used.load_acquire() ? m_slots[slot].get() : nullptr; }
    u32 used_slots() const { return m_used.load_acquire(); }
    // The n-th present path in order of priority, then id.
    Path* in_order(u32 n);
    u32 present_count();
    u32 usable_count();
    bool is_last_usable(const Path& path);

    // no_usable_path, or a path with its depth counted up.
    Result<Path*> begin(const PathChoice& choice, PathTicket& ticket);
    // Accounts for the end of a request. not_found: another target's ticket, or of a path that is not here;
    // stale_handle: ended before. Neither changes a count.
    Result<Path*> complete(PathTicket& ticket, const PathEnd& end);
    // How long a request of that size is expected to take on it.
    u64 service_us(const Path& path, u64 bytes) const;

private:
    bool is_candidate(const Path& path, const PathChoice& choice, bool impatient) const;
    Path* choose(const PathChoice& choice, bool impatient);
    // What is not known yet of one path is taken to be as it is on the best that knows it.
    struct Known {
        u32 idle_us { ~0u };
        const PathLatency* best { nullptr }; // whose idle_us that is
        u32 cost_us[k_size_classes];
        bool has_tails { true }; // every one
    };
    static Known known_of(const Path* const* members, u32 count, SizeClass size);
    static u32 idle_us(const Path& path, SizeClass size, const Known& known);
    static u64 backlog_us(const Path& path, const Known& known);
    static void note_latency(Path& path, const PathTicket& ticket, u64 now_ns);
    u64 score(const Path& path, const PathChoice& choice, const Known& known) const;

    const TargetId m_target;
    Atomic<u8> m_policy { static_cast<u8>(PathPolicy::service_time) };
    Atomic<u64> m_failback_ns { 0 };
    Atomic<u32> m_turn { 0 };
    Atomic<u32> m_used { 0 }; // slots ever used, from the front
    Box<Path> m_slots[k_max_paths];
};

}
