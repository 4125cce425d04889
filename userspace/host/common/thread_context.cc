// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/host/common/thread_context.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

namespace lcpfs {

void (*host_violation_hook)() = nullptr;

const char* lock_rank_name(u32 rank)
{
    static const char* const names[] = {
#define LCPFS_RANK_NAME(name) #name,
        LCPFS_LOCK_RANKS(LCPFS_RANK_NAME)
#undef LCPFS_RANK_NAME
    };
    return rank < LCPFS_RANK_COUNT ? names[rank] : "unknown rank";
}

void host_violation(const char* format, ...)
{
    ThreadContext& context = thread_context();
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "lcpfs: host rule violated in thread \"%s\": ", context.name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    for (u32 i = 0; i < context.held_count; i++)
        fprintf(stderr, "lcpfs:   holds %s %p rank %s (%u) subclass %u\n", context.held[i].spin ? "spinlock" : "lock",
                context.held[i].lock, lock_rank_name(context.held[i].rank), context.held[i].rank, context.held[i].subclass);
    if (host_violation_hook)
        host_violation_hook();
    abort();
}

void check_lock_order(const void* lock, u32 rank, u32 subclass, const char* kind)
{
    ThreadContext& context = thread_context();
    for (u32 i = 0; i < context.held_count; i++) {
        const HeldLock& held = context.held[i];
        if (held.lock == lock)
            host_violation("takes %s %p of rank %s that it already holds", kind, lock, lock_rank_name(rank));
        if (held.rank > rank || (held.rank == rank && held.subclass >= subclass))
            host_violation("takes %s %p of rank %s (%u) subclass %u against the order", kind, lock, lock_rank_name(rank),
                           rank, subclass);
    }
}

void note_locked(const void* lock, u32 rank, u32 subclass, bool spin)
{
    ThreadContext& context = thread_context();
    if (context.held_count == ThreadContext::k_max_held)
        host_violation("holds more than %u locks", ThreadContext::k_max_held);
    context.held[context.held_count++] = { lock, rank, subclass, spin };
    if (spin)
        context.atomic_depth++;
}

void note_unlocked(const void* lock, const char* kind)
{
    ThreadContext& context = thread_context();
    for (u32 i = context.held_count; i-- > 0;) {
        if (context.held[i].lock != lock)
            continue;
        if (context.held[i].spin)
            context.atomic_depth--;
        for (u32 j = i + 1; j < context.held_count; j++)
            context.held[j - 1] = context.held[j];
        context.held_count--;
        return;
    }
    host_violation("unlocks %s %p that it does not hold", kind, lock);
}

void check_may_sleep(const char* what)
{
    if (thread_context().atomic_depth)
        host_violation("%s may sleep, called under a spinlock or in an I/O completion", what);
}

bool is_lock_held(const void* lock)
{
    ThreadContext& context = thread_context();
    for (u32 i = 0; i < context.held_count; i++)
        if (context.held[i].lock == lock)
            return true;
    return false;
}

InterruptScope::InterruptScope()
    : m_saved(thread_context())
{
    ThreadContext& context = thread_context();
    context.held_count = 0;
    context.atomic_depth = 1;
    context.fail_allocation = 0;
}

InterruptScope::~InterruptScope()
{
    ThreadContext& context = thread_context();
    if (context.held_count != 0)
        host_violation("an I/O completion returned with a lock held");
    context = m_saved;
}

}
