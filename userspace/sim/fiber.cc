// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/fiber.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define LCPFS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LCPFS_ASAN 1
#endif
#endif

#ifdef LCPFS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

// switch_stack(void** save, void* load): callee-saved registers onto the old stack, from the new one.
#if defined(__x86_64__)
asm(R"(
    .text
    .type lcpfs_switch_stack, @function
lcpfs_switch_stack:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size lcpfs_switch_stack, . - lcpfs_switch_stack
)");
#else
#error "the simulator's stack switch is written for x86-64 only"
#endif

extern "C" void lcpfs_switch_stack(void** save, void* load);

namespace lcpfs::sim {

namespace {
#ifdef LCPFS_ASAN
constexpr size_t k_stack_bytes = 1u << 20;
#else
constexpr size_t k_stack_bytes = 256u << 10;
#endif
std::vector<void*> s_free_stacks;

#ifdef LCPFS_ASAN
const void* s_previous_bottom;
size_t s_previous_size;
Fiber* s_previous;
#endif
}

void fiber_prepare(Fiber& fiber, void (*entry)())
{
    if (s_free_stacks.empty()) {
        fiber.stack = mmap(nullptr, k_stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (fiber.stack == MAP_FAILED) {
            perror("lcpfs: sim: mmap of a stack");
            abort();
        }
        mprotect(fiber.stack, 4096, PROT_NONE);
    } else {
        fiber.stack = s_free_stacks.back();
        s_free_stacks.pop_back();
    }
    fiber.stack_bytes = k_stack_bytes;
#ifdef LCPFS_ASAN
    // A finished fiber never returned from its frames, so their marks are still there.
    __asan_unpoison_memory_region(static_cast<char*>(fiber.stack) + 4096, k_stack_bytes - 4096);
#endif
    void** top = reinterpret_cast<void**>(static_cast<char*>(fiber.stack) + k_stack_bytes);
    *--top = nullptr; // where entry would return to; also ends backtraces, and aligns the stack as after a call
    *--top = reinterpret_cast<void*>(entry);
    for (int i = 0; i < 6; i++)
        *--top = nullptr;
    fiber.saved_sp = top;
}

void fiber_release(Fiber& fiber)
{
    if (fiber.stack)
        s_free_stacks.push_back(fiber.stack);
    fiber.stack = nullptr;
}

void fiber_switch(Fiber& from, Fiber& to, [[maybe_unused]] bool last)
{
#ifdef LCPFS_ASAN
    s_previous = &from;
    __sanitizer_start_switch_fiber(last ? nullptr : &from.asan_fake_stack, to.stack, to.stack_bytes);
#endif
    lcpfs_switch_stack(&from.saved_sp, to.saved_sp);
#ifdef LCPFS_ASAN
    __sanitizer_finish_switch_fiber(from.asan_fake_stack, &s_previous_bottom, &s_previous_size);
    if (!s_previous->stack_bytes) { // the process's own stack: its bounds are learnt when it is first left
        s_previous->stack = const_cast<void*>(s_previous_bottom);
        s_previous->stack_bytes = s_previous_size;
    }
#endif
}

void fiber_entered()
{
#ifdef LCPFS_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &s_previous_bottom, &s_previous_size);
    if (!s_previous->stack_bytes) {
        s_previous->stack = const_cast<void*>(s_previous_bottom);
        s_previous->stack_bytes = s_previous_size;
    }
#endif
}

unsigned fiber_backtrace(const Fiber& fiber, void** addresses, unsigned limit)
{
    // Saved by the switch: r15 r14 r13 r12 rbx rbp, then the return address; frames chain through rbp.
    void** sp = static_cast<void**>(fiber.saved_sp);
    unsigned count = 0;
    if (limit)
        addresses[count++] = sp[6];
    void** frame = static_cast<void**>(sp[5]);
    while (count < limit && frame > sp && reinterpret_cast<char*>(frame) < reinterpret_cast<char*>(sp) + k_stack_bytes) {
        if (!frame[1])
            break;
        addresses[count++] = frame[1];
        if (static_cast<void**>(frame[0]) <= frame)
            break;
        frame = static_cast<void**>(frame[0]);
    }
    return count;
}

}
