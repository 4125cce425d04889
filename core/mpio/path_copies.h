// SPDX-License-Identifier: GPL-2.0-only
// PathCopies: requests that travel with a copy of their memory, so that one whose path hangs can be sent down another
// and given back to its owner while the first still belongs to the device.
//
// A slot is taken for each, out of an array made with the group. Its owner's request (the parent) is never sent; each
// attempt is a request of its own over the slot's pages. The first result is the parent's; the slot is free when the
// last attempt has ended. A write or discard with a second attempt is late from then until then: see late_end.
//
// Without a free slot or pages the request goes uncopied, and waits for its device however long that takes.
#pragma once

#include "core/base/span.h"
#include "core/host/locks.h"
#include "core/host/vector.h"
#include "core/mpio/path_probe.h"

namespace lcpfs {

class PathGroup;

struct PathCopy {
    static constexpr u32 k_pages = 16;

    Atomic<u8> taken { 0 };
    SpinLock lock { LCPFS_RANK_path_copy };
    host_io* parent { nullptr };
    host_io* newest { nullptr };  // the last attempt, until it ends
    u64 began_ns { 0 };
    u64 deadline_ns { 0 };
    u8 attempts { 0 };            // sent so far
    u8 outstanding { 0 };
    bool delivered { false };
    bool is_late { false };       // counted in m_late
    bool wants_attempt { false }; // the group's work item sends it
    bool is_hedge { false };      // and it does not count as failover
    u16 avoided_slot { 0 };
    PathId avoided_id {};         // the path that was in it then
    // What is sent; the parent may be gone.
    host_io_op op { HOST_IO_READ };
    unsigned flags { 0 };
    u64 offset_bytes { 0 }, length_bytes { 0 };
    u32 page_count { 0 }, segment_count { 0 };
    u8* pages[k_pages] {};
    core_segment segments[k_pages] {}; // the owner's, for a read
};

class PathCopies {
public:
    static constexpr u32 k_slots = 128;
    static constexpr u32 k_most_attempts = 4;

    static Result<Box<PathCopies>> create(PathGroup& group, const PathShared& shared);
    ~PathCopies();

    // Takes the request over, or gives false: it is to be sent as it is. Sleepable.
    bool start(host_io* parent, Span<const core_segment> segments, u64 now_ns);
    // Attempts that are overdue get another one where there is a path for it. Gives when to look again (~0: no need). Any context.
    u64 tick(u64 now_ns);
    // Sends what tick asked for. Sleepable.
    void send_wanted();
    // The end of a write that was left behind and may still land in the range; 0: there is none. Any context.
    u64 late_end(u64 offset_bytes, u64 length_bytes);
    bool is_idle() const { return m_taken.load() == 0; }
    u32 late_count() const { return m_late.load(); }

private:
    PathCopies(PathGroup& group, const PathShared& shared) : m_group(group), m_shared(shared) {}
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);
    PathCopy* take();
    bool fill(PathCopy& copy, host_io* parent, Span<const core_segment> segments);
    void send(PathCopy& copy, bool counts_as_retry);
    static void ended(host_io* attempt);
    void release(PathCopy& copy);
    bool is_overdue(PathCopy& copy, u64 now_ns, u64& next_ns);

    PathGroup& m_group;
    const PathShared& m_shared;
    PathCopy* m_copies { nullptr }; // k_slots
    Atomic<u32> m_taken { 0 };
    Atomic<u32> m_late { 0 };
};

}
