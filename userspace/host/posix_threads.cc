// SPDX-License-Identifier: GPL-2.0-only
// Threads, workqueues, clock and randomness of the POSIX host. A workqueue is one thread with a list.
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <new>
#include <string>

#include "core/host/host.h"
#include "userspace/host/common/thread_context.h"

struct host_thread {
    pthread_t thread;
    std::string name;
    void (*body)(void*);
    void* context;
};

namespace lcpfs {
namespace {

struct Work {
    void (*body)(host_work*);
    Work* next;
    bool queued;
};
static_assert(sizeof(Work) <= sizeof(host_work));

Work& of(host_work* work) { return *reinterpret_cast<Work*>(work->opaque); }
host_work* host_of(Work* work) { return reinterpret_cast<host_work*>(work); }

void* thread_main(void* argument)
{
    host_thread* thread = static_cast<host_thread*>(argument);
    thread_context().name = thread->name.c_str();
    thread->body(thread->context);
    if (thread_context().held_count)
        host_violation("ends holding locks");
    return nullptr;
}

}
}

using namespace lcpfs;

struct host_workqueue {
    std::mutex lock;
    std::condition_variable changed;
    Work* first { nullptr };
    Work* last { nullptr };
    bool running { false };
    bool stop { false };
    host_thread* thread { nullptr };
};

struct host_thread* host_thread_start(const char* name, void (*body)(void*), void* context)
{
    check_may_sleep("host_thread_start");
    host_thread* thread = new host_thread { {}, name, body, context };
    if (pthread_create(&thread->thread, nullptr, thread_main, thread) != 0) {
        delete thread;
        return nullptr;
    }
    pthread_setname_np(thread->thread, thread->name.substr(0, 15).c_str());
    return thread;
}

struct host_thread* host_thread_start_urgent(const char* name, void (*body)(void*), void* context)
{
    return host_thread_start(name, body, context); // nobody here waits behind others
}

void host_thread_join(struct host_thread* thread)
{
    check_may_sleep("host_thread_join");
    pthread_join(thread->thread, nullptr);
    delete thread;
}

void host_yield(void)
{
    check_may_sleep("host_yield");
    sched_yield();
}

static void workqueue_main(void* context)
{
    host_workqueue* queue = static_cast<host_workqueue*>(context);
    std::unique_lock guard(queue->lock);
    for (;;) {
        queue->changed.wait(guard, [&] { return queue->first || queue->stop; });
        if (!queue->first)
            return;
        Work* work = queue->first;
        queue->first = work->next;
        if (!queue->first)
            queue->last = nullptr;
        work->queued = false;
        queue->running = true;
        guard.unlock();
        work->body(host_of(work)); // may queue or free its item
        if (thread_context().held_count)
            host_violation("work returned holding locks");
        guard.lock();
        queue->running = false;
        queue->changed.notify_all();
    }
}

struct host_workqueue* host_workqueue_create(const char* name)
{
    host_workqueue* queue = new host_workqueue;
    queue->thread = host_thread_start(name, workqueue_main, queue);
    if (!queue->thread) {
        delete queue;
        return nullptr;
    }
    return queue;
}

void host_workqueue_destroy(struct host_workqueue* queue)
{
    if (!queue)
        return;
    check_may_sleep("host_workqueue_destroy");
    host_workqueue_drain(queue);
    {
        std::lock_guard guard(queue->lock);
        queue->stop = true;
        queue->changed.notify_all();
    }
    host_thread_join(queue->thread);
    delete queue;
}

void host_workqueue_drain(struct host_workqueue* queue)
{
    check_may_sleep("host_workqueue_drain");
    std::unique_lock guard(queue->lock);
    queue->changed.wait(guard, [&] { return !queue->first && !queue->running; });
}

void host_work_init(struct host_work* work, void (*body)(struct host_work*))
{
    new (work->opaque) Work { body, nullptr, false };
}

void host_work_queue(struct host_workqueue* queue, struct host_work* work)
{
    std::lock_guard guard(queue->lock);
    Work& item = of(work);
    if (item.queued)
        return;
    item.queued = true;
    item.next = nullptr;
    (queue->last ? queue->last->next : queue->first) = &item;
    queue->last = &item;
    queue->changed.notify_all();
}

unsigned int host_cpu_index(void)
{
    int cpu = sched_getcpu();
    return cpu < 0 ? 0 : static_cast<unsigned>(cpu);
}

unsigned int host_cpu_count(void)
{
    static const long s_count = sysconf(_SC_NPROCESSORS_CONF);
    return s_count < 1 ? 1 : static_cast<unsigned>(s_count);
}

uint64_t host_monotonic_ns(void)
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<u64>(now.tv_sec) * 1000000000 + static_cast<u64>(now.tv_nsec);
}

int64_t host_realtime_ns(void)
{
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<i64>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

int64_t host_realtime_coarse_ns(void)
{
    timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return static_cast<i64>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

void host_random_bytes(void* buffer, size_t bytes)
{
    u8* at = static_cast<u8*>(buffer);
    while (bytes) {
        ssize_t got = getrandom(at, bytes, 0);
        if (got > 0) {
            at += got;
            bytes -= static_cast<size_t>(got);
        }
    }
}
