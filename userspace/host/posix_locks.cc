// SPDX-License-Identifier: GPL-2.0-only
// Locks and events of the POSIX host: pthread objects in the opaque bytes, with their rank beside them.
//
// A spinlock is a mutex that also marks the thread as not allowed to sleep. An event counts its wakes
// under its own mutex: a waiter notes the count, evaluates the condition with nothing held, and sleeps
// only while the count is unchanged, so a wake between evaluation and sleep is never lost.
#include <pthread.h>
#include <time.h>

#include <new>

#include "core/host/host.h"
#include "userspace/host/common/thread_context.h"

namespace lcpfs {

ThreadContext& thread_context()
{
    static thread_local ThreadContext s_context;
    return s_context;
}

namespace {

struct Lock {
    pthread_mutex_t mutex;
    u32 rank;
};
struct SharedLock {
    pthread_rwlock_t lock;
    u32 rank;
};
struct Wakes {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    u64 count;
};
static_assert(sizeof(Lock) <= sizeof(host_mutex) && sizeof(Lock) <= sizeof(host_spinlock));
static_assert(sizeof(SharedLock) <= sizeof(host_rwlock));
static_assert(sizeof(Wakes) <= sizeof(host_event));

Lock& of(host_mutex* mutex) { return *reinterpret_cast<Lock*>(mutex->opaque); }
Lock& of(host_spinlock* lock) { return *reinterpret_cast<Lock*>(lock->opaque); }
SharedLock& of(host_rwlock* lock) { return *reinterpret_cast<SharedLock*>(lock->opaque); }
Wakes& of(host_event* event) { return *reinterpret_cast<Wakes*>(event->opaque); }

}
}

using namespace lcpfs;

void host_mutex_init(struct host_mutex* mutex, unsigned int rank)
{
    Lock* lock = new (mutex->opaque) Lock { PTHREAD_MUTEX_INITIALIZER, rank };
    pthread_mutex_init(&lock->mutex, nullptr);
}

void host_mutex_destroy(struct host_mutex* mutex)
{
    if (is_lock_held(mutex))
        host_violation("destroys mutex %p that it holds", static_cast<void*>(mutex));
    pthread_mutex_destroy(&of(mutex).mutex);
}

void host_mutex_lock(struct host_mutex* mutex, unsigned int subclass)
{
    check_may_sleep("host_mutex_lock");
    check_lock_order(mutex, of(mutex).rank, subclass, "mutex");
    pthread_mutex_lock(&of(mutex).mutex);
    note_locked(mutex, of(mutex).rank, subclass, false);
}

bool host_mutex_trylock(struct host_mutex* mutex)
{
    if (pthread_mutex_trylock(&of(mutex).mutex) != 0)
        return false;
    note_locked(mutex, of(mutex).rank, 0, false);
    return true;
}

void host_mutex_unlock(struct host_mutex* mutex)
{
    note_unlocked(mutex, "mutex");
    pthread_mutex_unlock(&of(mutex).mutex);
}

void host_rwlock_init(struct host_rwlock* lock, unsigned int rank)
{
    SharedLock* shared = new (lock->opaque) SharedLock { PTHREAD_RWLOCK_INITIALIZER, rank };
    pthread_rwlock_init(&shared->lock, nullptr);
}

void host_rwlock_destroy(struct host_rwlock* lock)
{
    if (is_lock_held(lock))
        host_violation("destroys rwlock %p that it holds", static_cast<void*>(lock));
    pthread_rwlock_destroy(&of(lock).lock);
}

void host_rwlock_read_lock(struct host_rwlock* lock, unsigned int subclass)
{
    check_may_sleep("host_rwlock_read_lock");
    check_lock_order(lock, of(lock).rank, subclass, "rwlock");
    pthread_rwlock_rdlock(&of(lock).lock);
    note_locked(lock, of(lock).rank, subclass, false);
}

bool host_rwlock_read_trylock(struct host_rwlock* lock)
{
    if (pthread_rwlock_tryrdlock(&of(lock).lock) != 0)
        return false;
    note_locked(lock, of(lock).rank, 0, false);
    return true;
}

void host_rwlock_read_unlock(struct host_rwlock* lock)
{
    note_unlocked(lock, "rwlock");
    pthread_rwlock_unlock(&of(lock).lock);
}

void host_rwlock_write_lock(struct host_rwlock* lock, unsigned int subclass)
{
    check_may_sleep("host_rwlock_write_lock");
    check_lock_order(lock, of(lock).rank, subclass, "rwlock");
    pthread_rwlock_wrlock(&of(lock).lock);
    note_locked(lock, of(lock).rank, subclass, false);
}

bool host_rwlock_write_trylock(struct host_rwlock* lock)
{
    if (pthread_rwlock_trywrlock(&of(lock).lock) != 0)
        return false;
    note_locked(lock, of(lock).rank, 0, false);
    return true;
}

void host_rwlock_write_unlock(struct host_rwlock* lock)
{
    note_unlocked(lock, "rwlock");
    pthread_rwlock_unlock(&of(lock).lock);
}

void host_spinlock_init(struct host_spinlock* lock, unsigned int rank)
{
    Lock* inner = new (lock->opaque) Lock { PTHREAD_MUTEX_INITIALIZER, rank };
    pthread_mutex_init(&inner->mutex, nullptr);
}

void host_spinlock_destroy(struct host_spinlock* lock)
{
    if (is_lock_held(lock))
        host_violation("destroys spinlock %p that it holds", static_cast<void*>(lock));
    pthread_mutex_destroy(&of(lock).mutex);
}

unsigned long host_spinlock_lock(struct host_spinlock* lock)
{
    check_lock_order(lock, of(lock).rank, 0, "spinlock");
    pthread_mutex_lock(&of(lock).mutex);
    note_locked(lock, of(lock).rank, 0, true);
    return 0;
}

void host_spinlock_unlock(struct host_spinlock* lock, unsigned long)
{
    note_unlocked(lock, "spinlock");
    pthread_mutex_unlock(&of(lock).mutex);
}

void host_event_init(struct host_event* event)
{
    Wakes* wakes = new (event->opaque) Wakes { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
    pthread_mutex_init(&wakes->mutex, nullptr);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&wakes->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void host_event_destroy(struct host_event* event)
{
    // A wake that made the condition true may still be inside the event: let it out first.
    pthread_mutex_lock(&of(event).mutex);
    pthread_mutex_unlock(&of(event).mutex);
    pthread_cond_destroy(&of(event).changed);
    pthread_mutex_destroy(&of(event).mutex);
}

static bool wait_until(host_event* event, bool (*condition)(void*), void* context, const timespec* deadline)
{
    check_may_sleep("host_event_wait");
    Wakes& wakes = of(event);
    for (;;) {
        pthread_mutex_lock(&wakes.mutex);
        u64 seen = wakes.count;
        pthread_mutex_unlock(&wakes.mutex);
        if (condition(context))
            return true;
        pthread_mutex_lock(&wakes.mutex);
        int error = 0;
        while (wakes.count == seen && error == 0)
            error = deadline ? pthread_cond_timedwait(&wakes.changed, &wakes.mutex, deadline)
                             : pthread_cond_wait(&wakes.changed, &wakes.mutex);
        pthread_mutex_unlock(&wakes.mutex);
        if (error)
            return condition(context);
    }
}

void host_event_wait(struct host_event* event, bool (*condition)(void*), void* context)
{
    wait_until(event, condition, context, nullptr);
}

// Nobody here is so dear to wake that its condition should be looked at before.
void host_event_wait_checked(host_event* event, bool (*condition)(void*), void* context) { host_event_wait(event, condition, context); }

bool host_event_wait_timeout(struct host_event* event, bool (*condition)(void*), void* context, uint64_t timeout_ns)
{
    u64 when = host_monotonic_ns() + timeout_ns;
    if (when < timeout_ns)
        when = ~0ull >> 1;
    timespec deadline = { static_cast<time_t>(when / 1000000000), static_cast<long>(when % 1000000000) };
    return wait_until(event, condition, context, &deadline);
}

void host_event_wake(struct host_event* event)
{
    pthread_mutex_lock(&of(event).mutex);
    of(event).count++;
    pthread_cond_broadcast(&of(event).changed);
    pthread_mutex_unlock(&of(event).mutex);
}
