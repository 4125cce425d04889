// SPDX-License-Identifier: GPL-2.0-only
// A stack with its saved stack pointer, and the switch between two. The switch is a handful of
// instructions (swapcontext would make two system calls); ASan is told where stacks begin and end.
#pragma once

#include <string>

#include "core/base/types.h"
#include "userspace/host/common/thread_context.h"

namespace lcpfs::sim {

struct Fiber {
    ThreadContext context;
    std::string name;
    void (*body)(void*) { nullptr };
    void* argument { nullptr };

    void* stack { nullptr }; // lowest address; nullptr for the process's own stack
    size_t stack_bytes { 0 };
    void* saved_sp { nullptr };
    void* asan_fake_stack { nullptr };

    // Kept by the scheduler.
    const void* waits_on { nullptr };
    const char* waits_for { "" };
    u64 wait_number { 0 };
    bool timed_out { false };
    bool runnable { false };
    bool finished { false };
};

// A fiber that will call `entry` on its first switch. `entry` never returns.
void fiber_prepare(Fiber& fiber, void (*entry)());
void fiber_release(Fiber& fiber);
// Leaves `from` (its state is saved there) and continues `to`. `last` when `from` will not run again.
void fiber_switch(Fiber& from, Fiber& to, bool last);
// To be called first in `entry`.
void fiber_entered();
// Return addresses of a fiber that does not run, innermost first.
unsigned fiber_backtrace(const Fiber& fiber, void** addresses, unsigned limit);

}
