// SPDX-License-Identifier: GPL-2.0-only
// Threads, workqueues, clock and randomness of the simulator.
#include <string.h>

#include <deque>
#include <new>

#include "core/host/host.h"
#include "userspace/host/common/thread_context.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {
namespace {

struct Work {
    void (*body)(host_work*);
    bool queued;
};
static_assert(sizeof(Work) <= sizeof(host_work));
Work& of(host_work* work) { return *reinterpret_cast<Work*>(work->opaque); }

Scheduler& scheduler() { return Scheduler::get(); }

constexpr u32 k_cpus = 4;
// A fixed date: 2026-01-01 00:00 UTC.
constexpr i64 k_epoch_ns = 1767225600ll * 1000000000;

}
}

using namespace lcpfs;
using namespace lcpfs::sim;

struct host_thread {
    Fiber* fiber;
};

struct host_workqueue {
    std::deque<host_work*> items;
    bool running { false };
    bool stop { false };
    Fiber* fiber { nullptr };
};

struct host_thread* host_thread_start(const char* name, void (*body)(void*), void* context)
{
    check_may_sleep("host_thread_start");
    host_thread* thread = new host_thread { nullptr };
    thread->fiber = scheduler().start(name, body, context);
    return thread;
}

struct host_thread* host_thread_start_urgent(const char* name, void (*body)(void*), void* context)
{
    return host_thread_start(name, body, context); // whose turn it is is a matter of chance
}

void host_thread_join(struct host_thread* thread)
{
    check_may_sleep("host_thread_join");
    scheduler().join(thread->fiber);
    delete thread;
}

void host_yield(void)
{
    check_may_sleep("host_yield");
    scheduler().yield();
}

static void workqueue_main(void* context)
{
    host_workqueue& queue = *static_cast<host_workqueue*>(context);
    for (;;) {
        while (queue.items.empty() && !queue.stop)
            scheduler().block(&queue, "work");
        if (queue.items.empty())
            return;
        host_work* work = queue.items.front();
        queue.items.pop_front();
        of(work).queued = false;
        queue.running = true;
        of(work).body(work); // may queue or free its item
        if (thread_context().held_count)
            host_violation("work returned holding locks");
        queue.running = false;
        scheduler().wake(&queue.items);
    }
}

struct host_workqueue* host_workqueue_create(const char* name)
{
    host_workqueue* queue = new host_workqueue;
    queue->fiber = scheduler().start(name, workqueue_main, queue);
    return queue;
}

void host_workqueue_destroy(struct host_workqueue* queue)
{
    if (!queue)
        return;
    host_workqueue_drain(queue);
    queue->stop = true;
    scheduler().wake(queue);
    scheduler().join(queue->fiber);
    delete queue;
}

void host_workqueue_drain(struct host_workqueue* queue)
{
    check_may_sleep("host_workqueue_drain");
    while (!queue->items.empty() || queue->running)
        scheduler().block(&queue->items, "a workqueue to drain");
}

void host_work_init(struct host_work* work, void (*body)(struct host_work*)) { new (work->opaque) Work { body, false }; }

void host_work_queue(struct host_workqueue* queue, struct host_work* work)
{
    if (of(work).queued)
        return;
    of(work).queued = true;
    queue->items.push_back(work);
    scheduler().wake(queue);
    if (!thread_context().atomic_depth)
        scheduler().preemption_point();
}

unsigned int host_cpu_index(void) { return static_cast<unsigned>(scheduler().random().below(k_cpus)); }
unsigned int host_cpu_count(void) { return k_cpus; }
uint64_t host_monotonic_ns(void) { return scheduler().now_ns(); }
int64_t host_realtime_ns(void) { return k_epoch_ns + static_cast<i64>(scheduler().now_ns()); }
int64_t host_realtime_coarse_ns(void) { return host_realtime_ns(); }

void host_random_bytes(void* buffer, size_t bytes)
{
    u8* at = static_cast<u8*>(buffer);
    for (size_t i = 0; i < bytes; i++)
        at[i] = static_cast<u8>(scheduler().random().next());
}
