// SPDX-License-Identifier: GPL-2.0-only
#include "core/mpio/path_copies.h"

#include "core/mpio/path_group.h"
#include "core/test/breakage.h"

namespace lcpfs {

Result<Box<PathCopies>> PathCopies::create(PathGroup& group, const PathShared& shared)
{
    Box<PathCopies> copies = TRY(make_box<PathCopies>(group, shared));
    void* memory = host_alloc(k_slots * sizeof(PathCopy), 0);
    if (!memory)
        return Error::no_memory;
    copies->m_copies = static_cast<PathCopy*>(memory);
    for (u32 i = 0; i < k_slots; i++)
        ::new (&copies->m_copies[i]) PathCopy();
    return copies;
}

PathCopies::~PathCopies()
{
    for (u32 i = 0; m_copies && i < k_slots; i++)
        m_copies[i].~PathCopy();
    host_free(m_copies);
}

PathCopy* PathCopies::take()
{
    const u32 first = host_cpu_index() * 7;
    for (u32 i = 0; i < k_slots; i++) {
        PathCopy& copy = m_copies[(first + i) % k_slots];
        u8 is_free = 0;
        if (copy.taken.load_relaxed() == 0 && copy.taken.compare_exchange(is_free, 1)) {
            m_taken.add(1);
            return &copy;
        }
    }
    return nullptr;
}

void PathCopies::release(PathCopy& copy)
{
    for (u32 i = 0; i < copy.page_count; i++)
        host_pool_free(m_shared.pages, copy.pages[i]);
    copy.page_count = 0;
    const bool was_late = copy.is_late;
    copy.is_late = false;
    copy.taken.store(0);
    if (was_late) {
        m_late.sub(1);
        m_group.release_held();
    }
    m_taken.sub(1);
}

// Pages, and for a write their contents.
bool PathCopies::fill(PathCopy& copy, host_io* parent, Span<const core_segment> segments)
{
    copy.segment_count = static_cast<u32>(segments.size());
    for (size_t i = 0; i < segments.size(); i++)
        copy.segments[i] = segments[i];
    for (u64 at = 0; at < parent->length_bytes && parent->op != HOST_IO_DISCARD; at += k_block_size) {
        u8* const page = static_cast<u8*>(host_pool_alloc(m_shared.pages, HOST_ALLOC_ATOMIC));
        if (!page)
            return false;
        copy.pages[copy.page_count++] = page;
    }
    return true;
}

enum class Direction : bool { to_pages, from_pages };

static void move_contents(PathCopy& copy, Direction direction)
{
    u64 at = 0;
    for (u32 i = 0; i < copy.segment_count; i++) {
        u8* memory = static_cast<u8*>(copy.segments[i].data);
        for (u32 left = copy.segments[i].bytes; left;) {
            const u32 inside = static_cast<u32>(at % k_block_size);
            const u32 piece = min(left, k_block_size - inside);
            u8* const page = copy.pages[at / k_block_size] + inside;
            if (direction == Direction::to_pages)
                copy_bytes(page, memory, piece);
            else
                copy_bytes(memory, page, piece);
            memory += piece;
            at += piece;
            left -= piece;
        }
    }
}

bool PathCopies::start(host_io* parent, Span<const core_segment> segments, u64 now_ns)
{
    const PathSettings& settings = m_group.settings();
    const bool has_memory = parent->op == HOST_IO_READ || parent->op == HOST_IO_WRITE;
    const u64 limit = min<u64>(settings.copy_limit_bytes.load_relaxed(), PathCopy::k_pages * k_block_size);
    if (has_memory && (parent->length_bytes > limit || segments.size() > PathCopy::k_pages || segments.is_empty()))
        return false;
    PathCopy* const copy = take();
    if (!copy)
        return false;
    // Nothing is outstanding yet, so the thread that keeps time passes over it.
    copy->op = parent->op;
    copy->flags = parent->flags;
    copy->offset_bytes = parent->offset_bytes;
    copy->length_bytes = parent->length_bytes;
    if (!fill(*copy, parent, has_memory ? segments : Span<const core_segment>())) {
        release(*copy);
        return false;
    }
    if (copy->op == HOST_IO_WRITE)
        move_contents(*copy, Direction::to_pages);
    {
        SpinGuard guard(copy->lock);
        copy->parent = parent;
        copy->newest = nullptr;
        copy->attempts = 0;
        copy->delivered = copy->is_late = copy->wants_attempt = copy->is_hedge = false;
        copy->avoided_slot = k_max_paths;
        copy->began_ns = now_ns;
        copy->deadline_ns = now_ns + settings.time_limit_ms.load_relaxed() * k_ns_per_ms;
        copy->outstanding = 1;
    }
    send(*copy, false);
    if (settings.hedged_reads.load_relaxed())
        m_shared.wake(m_shared.context); // the thread has to look at it earlier than it planned
    return true;
}

// One more attempt, counted as outstanding by the caller.
void PathCopies::send(PathCopy& copy, bool counts_as_retry)
{
    host_io* io = host_io_alloc(m_shared.requests, nullptr, copy.op, copy.flags, copy.page_count);
    io->offset_bytes = copy.offset_bytes;
    for (u64 at = 0; at < copy.page_count; at++)
        host_io_add(io, copy.pages[at], static_cast<u32>(min<u64>(k_block_size, copy.length_bytes - at * k_block_size)));
    io->length_bytes = copy.length_bytes;
    io->context = &m_group;
    PathWords& words = path_words(io);
    words.copy = &copy;
    words.done = ended;
    {
        SpinGuard guard(copy.lock);
        words.pinned_slot = copy.attempts == 0 ? path_words(copy.parent).pinned_slot : 0;
        words.tries = counts_as_retry;
        words.avoided_slot = copy.avoided_slot < k_max_paths ? static_cast<u16>(copy.avoided_slot + 1) : 0;
        copy.newest = io;
        copy.attempts++;
    }
    m_group.dispatch(io);
}

void PathCopies::ended(host_io* attempt)
{
    PathCopy& copy = *path_words(attempt).copy;
    PathGroup& group = *static_cast<PathGroup*>(attempt->context);
    host_io* parent = nullptr;
    bool is_last;
    {
        SpinGuard guard(copy.lock);
        copy.outstanding--;
        if (copy.newest == attempt)
            copy.newest = nullptr;
        is_last = copy.outstanding == 0 && !copy.wants_attempt;
        // The first that succeeded, or the last that failed. Damage at the target will not get better elsewhere.
        if (!copy.delivered && (attempt->status == HOST_IO_OK || is_last || blame_of(attempt->status) == Blame::target)) {
            copy.delivered = true;
            is_last = copy.outstanding == 0;
            parent = copy.parent;
            if (copy.op == HOST_IO_READ && attempt->status == HOST_IO_OK)
                move_contents(copy, Direction::from_pages);
            parent->status = attempt->status;
            path_words(parent).ticket = path_words(attempt).ticket;
        }
        if (copy.delivered && copy.outstanding == 0)
            copy.wants_attempt = false;
    }
    PathCopies& copies = *group.m_copies;
    host_io_free(attempt);
    // The slot first: with the parent's end the group may go.
    if (is_last)
        copies.release(copy);
    if (parent)
        group.finish(parent);
}

bool PathCopies::is_overdue(PathCopy& copy, u64 now_ns, u64& next_ns)
{
    if (copy.delivered || copy.outstanding == 0 || copy.wants_attempt || copy.attempts >= k_most_attempts)
        return false;
    // The newest attempt may have failed while an older one hangs: then the next goes anywhere else.
    const PathTicket* const ticket = copy.newest ? &path_words(copy.newest).ticket : nullptr;
    if (ticket && !ticket->is_open)
        return false; // it waits for a path itself
    copy.is_hedge = false;
    if (ticket && copy.attempts == 1 && copy.op == HOST_IO_READ && m_group.settings().hedged_reads.load_relaxed()) {
        const u64 hedge_ns = copy.began_ns + m_group.hedge_after_ns(ticket->slot, copy.length_bytes);
        if (now_ns >= hedge_ns)
            copy.is_hedge = m_group.has_other_path(ticket->slot);
        else
            next_ns = min(next_ns, hedge_ns);
    }
    if (ticket) {
        copy.avoided_slot = ticket->slot;
        copy.avoided_id = PathId(ticket->id);
    }
    const u64 limit_ns = u64(m_group.settings().time_limit_ms.load_relaxed()) * k_ns_per_ms;
    // A path has the whole time, whenever its turn came.
    const u64 deadline_ns = max(copy.deadline_ns, ticket ? ticket->started_ns + limit_ns : 0);
    if (now_ns < deadline_ns && !copy.is_hedge) {
        next_ns = min(next_ns, deadline_ns);
        return false;
    }
    if (!limit_ns && !copy.is_hedge)
        return false; // there is none any more
    if (!copy.is_hedge)
        copy.deadline_ns = now_ns + limit_ns;
    next_ns = min(next_ns, max(copy.deadline_ns, now_ns));
    return true;
}

u64 PathCopies::tick(u64 now_ns)
{
    u64 next_ns = ~0ull;
    bool any = false;
    if (is_idle())
        return next_ns;
    for (u32 i = 0; i < k_slots; i++) {
        PathCopy& copy = m_copies[i];
        if (!copy.taken.load())
            continue;
        u16 slot;
        PathId id;
        bool is_hedge;
        {
            SpinGuard guard(copy.lock);
            if (!is_overdue(copy, now_ns, next_ns))
                continue;
            slot = copy.avoided_slot;
            id = copy.avoided_id;
            is_hedge = copy.is_hedge;
        }
        if (!is_hedge && !m_group.leave_behind(slot, id, now_ns))
            continue;
        SpinGuard guard(copy.lock);
        if (copy.delivered || copy.outstanding == 0)
            continue;
        copy.wants_attempt = true;
        // From before the second attempt is sent: with its end the blocks may be given up.
        if (!copy.is_late && (copy.op == HOST_IO_WRITE || copy.op == HOST_IO_DISCARD)) {
            copy.is_late = true;
            m_late.add(1);
        }
        any = true;
    }
    if (any)
        m_group.queue_pump();
    return next_ns;
}

void PathCopies::send_wanted()
{
    if (is_idle())
        return;
    for (u32 i = 0; i < k_slots; i++) {
        PathCopy& copy = m_copies[i];
        if (!copy.taken.load())
            continue;
        bool wanted, is_hedge;
        {
            SpinGuard guard(copy.lock);
            wanted = copy.wants_attempt && !copy.delivered;
            is_hedge = copy.is_hedge;
            copy.wants_attempt = false;
            // Counted from here, so that the slot stays whatever ends meanwhile.
            if (wanted)
                copy.outstanding++;
        }
        if (!wanted)
            continue;
        send(copy, !is_hedge);
    }
}

u64 PathCopies::late_end(u64 offset_bytes, u64 length_bytes)
{
    if (m_late.load() == 0 || breakage::forget_late_writes)
        return 0;
    for (u32 i = 0; i < k_slots; i++) {
        PathCopy& copy = m_copies[i];
        if (!copy.taken.load())
            continue;
        SpinGuard guard(copy.lock);
        if (copy.is_late && copy.outstanding && copy.offset_bytes < offset_bytes + length_bytes
            && offset_bytes < copy.offset_bytes + copy.length_bytes)
            return copy.offset_bytes + copy.length_bytes;
    }
    return 0;
}

}
