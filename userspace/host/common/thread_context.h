// SPDX-License-Identifier: GPL-2.0-only
// What the userspace hosts know about one running thread (POSIX) or fiber (simulator): the locks it
// holds, whether it may sleep, and which of its allocations shall fail.
//
// The checks are those of the kernel's lockdep and DEBUG_ATOMIC_SLEEP, for the price of a short array
// walk: ranks rise (equal ranks: subclasses rise), nothing that may sleep is called under a spinlock or
// in an I/O completion. A violation prints every lock held and ends the process.
#pragma once

#include "core/base/types.h"
#include "core/host/lock_rank.h"

namespace lcpfs {

struct HeldLock {
    const void* lock;
    u32 rank;
    u32 subclass;
    bool spin;
};

struct ThreadContext {
    static constexpr u32 k_max_held = 32;
    const char* name { "main" };
    HeldLock held[k_max_held];
    u32 held_count { 0 };
    u32 atomic_depth { 0 };          // spinlocks held, plus one inside an I/O completion
    u64 allocations { 0 };           // made so far by this thread
    u64 fail_allocation { 0 };       // the countdown to the one that fails; 0: none
};

// Of the thread or fiber that runs. Provided by each host.
ThreadContext& thread_context();

const char* lock_rank_name(u32 rank);

// Before waiting for a lock; `trylock` is exempt from the order, as in lockdep.
void check_lock_order(const void* lock, u32 rank, u32 subclass, const char* kind);
void note_locked(const void* lock, u32 rank, u32 subclass, bool spin);
void note_unlocked(const void* lock, const char* kind);
// Ends the process when this thread must not sleep now.
void check_may_sleep(const char* what);
// True when this thread holds `lock`.
bool is_lock_held(const void* lock);

// Runs an I/O completion as an interrupt would: none of the interrupted thread's locks count, no sleep.
class InterruptScope {
public:
    InterruptScope();
    ~InterruptScope();
    InterruptScope(const InterruptScope&) = delete;

private:
    ThreadContext m_saved;
};

// Prints to stderr and ends the process: a violated rule of the host's interface.
[[noreturn]] void host_violation(const char* format, ...) __attribute__((format(printf, 1, 2)));
// Called by host_violation before it aborts; may be replaced (the simulator adds its seed).
extern void (*host_violation_hook)();

}
