// SPDX-License-Identifier: GPL-2.0-only
// Locks and events of the simulator: owners and counts, with the fibers that wait known to the scheduler.
// Every object carries a mark, so that one used before init or after destroy is seen: the mistake that
// corrupts a kernel's memory (an event on the stack of a waiter that has already left).
#include <new>

#include "core/host/host.h"
#include "userspace/host/common/thread_context.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {
namespace {

constexpr u64 k_alive = 0x616c6976656c6f63, k_dead = 0x646561646c6f636b;

struct Lock {
    u64 mark;
    u32 rank;
    u32 readers;
    Fiber* owner;
};
struct Place {
    u64 mark;
};
static_assert(sizeof(Lock) <= sizeof(host_mutex) && sizeof(Lock) <= sizeof(host_spinlock) && sizeof(Lock) <= sizeof(host_rwlock));
static_assert(sizeof(Place) <= sizeof(host_event));

template <typename Host>
Lock& lock_of(Host* host, const char* kind)
{
    Lock& lock = *reinterpret_cast<Lock*>(host->opaque);
    if (lock.mark != k_alive)
        host_violation("uses %s %p that is %s", kind, static_cast<void*>(host), lock.mark == k_dead ? "destroyed" : "not initialised");
    return lock;
}

template <typename Host>
void init(Host* host, u32 rank) { new (host->opaque) Lock { k_alive, rank, 0, nullptr }; }

template <typename Host>
void destroy(Host* host, const char* kind)
{
    Lock& lock = lock_of(host, kind);
    if (lock.owner || lock.readers)
        host_violation("destroys %s %p that is held", kind, static_cast<void*>(host));
    lock.mark = k_dead;
}

Scheduler& scheduler() { return Scheduler::get(); }

const char* wait_text(u32 rank)
{
    static const char* const texts[] = {
#define LCPFS_WAIT_TEXT(name) "a lock of rank " #name,
        LCPFS_LOCK_RANKS(LCPFS_WAIT_TEXT)
#undef LCPFS_WAIT_TEXT
    };
    return rank < LCPFS_RANK_COUNT ? texts[rank] : "a lock";
}

Place& place_of(host_event* event)
{
    Place& place = *reinterpret_cast<Place*>(event->opaque);
    if (place.mark != k_alive)
        host_violation("uses event %p that is %s", static_cast<void*>(event), place.mark == k_dead ? "destroyed" : "not initialised");
    return place;
}

}
}

using namespace lcpfs;
using namespace lcpfs::sim;

void host_mutex_init(struct host_mutex* mutex, unsigned int rank) { init(mutex, rank); }
void host_mutex_destroy(struct host_mutex* mutex) { destroy(mutex, "mutex"); }

void host_mutex_lock(struct host_mutex* mutex, unsigned int subclass)
{
    check_may_sleep("host_mutex_lock");
    Lock& lock = lock_of(mutex, "mutex");
    check_lock_order(mutex, lock.rank, subclass, "mutex");
    scheduler().preemption_point();
    while (lock.owner)
        scheduler().block(mutex, wait_text(lock.rank));
    lock.owner = &scheduler().current();
    note_locked(mutex, lock.rank, subclass, false);
}

bool host_mutex_trylock(struct host_mutex* mutex)
{
    Lock& lock = lock_of(mutex, "mutex");
    scheduler().preemption_point();
    if (lock.owner)
        return false;
    lock.owner = &scheduler().current();
    note_locked(mutex, lock.rank, 0, false);
    return true;
}

void host_mutex_unlock(struct host_mutex* mutex)
{
    Lock& lock = lock_of(mutex, "mutex");
    note_unlocked(mutex, "mutex");
    lock.owner = nullptr;
    scheduler().wake(mutex);
    scheduler().preemption_point();
}

void host_rwlock_init(struct host_rwlock* lock, unsigned int rank) { init(lock, rank); }
void host_rwlock_destroy(struct host_rwlock* lock) { destroy(lock, "rwlock"); }

void host_rwlock_read_lock(struct host_rwlock* rwlock, unsigned int subclass)
{
    check_may_sleep("host_rwlock_read_lock");
    Lock& lock = lock_of(rwlock, "rwlock");
    check_lock_order(rwlock, lock.rank, subclass, "rwlock");
    scheduler().preemption_point();
    while (lock.owner)
        scheduler().block(rwlock, wait_text(lock.rank));
    lock.readers++;
    note_locked(rwlock, lock.rank, subclass, false);
}

bool host_rwlock_read_trylock(struct host_rwlock* rwlock)
{
    Lock& lock = lock_of(rwlock, "rwlock");
    if (lock.owner)
        return false;
    lock.readers++;
    note_locked(rwlock, lock.rank, 0, false);
    return true;
}

void host_rwlock_read_unlock(struct host_rwlock* rwlock)
{
    Lock& lock = lock_of(rwlock, "rwlock");
    note_unlocked(rwlock, "rwlock");
    lock.readers--;
    if (!lock.readers)
        scheduler().wake(rwlock);
    scheduler().preemption_point();
}

void host_rwlock_write_lock(struct host_rwlock* rwlock, unsigned int subclass)
{
    check_may_sleep("host_rwlock_write_lock");
    Lock& lock = lock_of(rwlock, "rwlock");
    check_lock_order(rwlock, lock.rank, subclass, "rwlock");
    scheduler().preemption_point();
    while (lock.owner || lock.readers)
        scheduler().block(rwlock, wait_text(lock.rank));
    lock.owner = &scheduler().current();
    note_locked(rwlock, lock.rank, subclass, false);
}

bool host_rwlock_write_trylock(struct host_rwlock* rwlock)
{
    Lock& lock = lock_of(rwlock, "rwlock");
    if (lock.owner || lock.readers)
        return false;
    lock.owner = &scheduler().current();
    note_locked(rwlock, lock.rank, 0, false);
    return true;
}

void host_rwlock_write_unlock(struct host_rwlock* rwlock)
{
    Lock& lock = lock_of(rwlock, "rwlock");
    note_unlocked(rwlock, "rwlock");
    lock.owner = nullptr;
    scheduler().wake(rwlock);
    scheduler().preemption_point();
}

void host_spinlock_init(struct host_spinlock* lock, unsigned int rank) { init(lock, rank); }
void host_spinlock_destroy(struct host_spinlock* lock) { destroy(lock, "spinlock"); }

unsigned long host_spinlock_lock(struct host_spinlock* spinlock)
{
    Lock& lock = lock_of(spinlock, "spinlock");
    check_lock_order(spinlock, lock.rank, 0, "spinlock");
    scheduler().preemption_point();
    if (lock.owner)
        host_violation("spins forever on spinlock %p of rank %s", static_cast<void*>(spinlock), lock_rank_name(lock.rank));
    lock.owner = &scheduler().current();
    note_locked(spinlock, lock.rank, 0, true);
    return 0;
}

void host_spinlock_unlock(struct host_spinlock* spinlock, unsigned long)
{
    Lock& lock = lock_of(spinlock, "spinlock");
    note_unlocked(spinlock, "spinlock");
    lock.owner = nullptr;
    scheduler().preemption_point();
}

void host_event_init(struct host_event* event) { new (event->opaque) Place { k_alive }; }
void host_event_destroy(struct host_event* event) { place_of(event).mark = k_dead; }

void host_event_wait(struct host_event* event, bool (*condition)(void*), void* context)
{
    check_may_sleep("host_event_wait");
    place_of(event);
    scheduler().preemption_point();
    while (!condition(context))
        scheduler().block(event, "an event");
}

void host_event_wait_checked(host_event* event, bool (*condition)(void*), void* context) { host_event_wait(event, condition, context); }

bool host_event_wait_timeout(struct host_event* event, bool (*condition)(void*), void* context, uint64_t timeout_ns)
{
    check_may_sleep("host_event_wait_timeout");
    place_of(event);
    scheduler().preemption_point();
    u64 deadline = scheduler().now_ns() + timeout_ns;
    if (deadline < timeout_ns)
        deadline = ~0ull >> 1;
    while (!condition(context))
        if (!scheduler().block_until(event, "an event or a timeout", deadline))
            return condition(context);
    return true;
}

void host_event_wake(struct host_event* event)
{
    // Between making a condition true and this call a waiter may have gone on and destroyed the event.
    if (!thread_context().atomic_depth)
        scheduler().preemption_point();
    place_of(event);
    scheduler().wake(event);
}
