// SPDX-License-Identifier: GPL-2.0-only
// Memory of the userspace hosts: malloc underneath, so that ASan sees every object by itself, with the
// counters and the failure injection that tests use.
//
// Two injectors. `fail_allocation` in ThreadContext counts down the fallible allocations of one thread
// or fiber (host_alloc, host_pool_alloc) and fails one. `AllocationFailures` does the same for the whole
// process, once or from there on; `reserve_only` takes all memory away but the reserves of pools, which refill with
// what is freed: fallible allocations of pools fail, host_pool_alloc_reserved really waits. So the forward progress rule is
// tested.
#pragma once

#include "core/base/types.h"

namespace lcpfs {

struct AllocationFailures {
    static void fail_nth(u64 n, bool and_all_later); // n counts from 1; 0 switches off
    static u64 count();                              // fallible allocations made so far, of the whole process
    static u64 injected();                           // failures given so far
    static void reserve_only(bool on);
    // None fails while it lives, for what a test looks at in between. Both injectors go on behind it where they were.
    class Pause {
    public:
        Pause();
        ~Pause();
        Pause(const Pause&) = delete;

    private:
        u64 m_left;       // to the process's next one, 0: none to come
        u64 m_left_here;  // and to that of this thread or fiber
        bool m_all_later, m_reserve_only;
    };
};

// Bytes and objects given by host_alloc and pools and not yet returned.
u64 host_memory_live_objects();
u64 host_memory_live_bytes();
// Calls every registered shrinker for up to `wanted` objects each; gives what they freed.
u64 host_shrink_all(u64 wanted);
u64 host_shrinkable();
// What host_memory_bytes reports; 0 restores the machine's.
void host_set_memory_bytes(u64 bytes);

}
