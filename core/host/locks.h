// SPDX-License-Identifier: GPL-2.0-only
// Mutex, RwLock, SpinLock, Event: the host's locks with scoped guards and clang thread-safety attributes.
#pragma once

#include "core/base/thread_annotations.h"
#include "core/base/types.h"
#include "core/host/host.h"
#include "core/host/lock_rank.h"

namespace lcpfs {

class CAPABILITY("mutex") Mutex {
public:
    explicit Mutex(lcpfs_lock_rank rank) { host_mutex_init(&m_host, rank); }
    ~Mutex() { host_mutex_destroy(&m_host); }
    Mutex(const Mutex&) = delete;
    void lock(unsigned subclass = 0) ACQUIRE() { host_mutex_lock(&m_host, subclass); }
    bool try_lock() TRY_ACQUIRE(true) { return host_mutex_trylock(&m_host); }
    void unlock() RELEASE() { host_mutex_unlock(&m_host); }

private:
    host_mutex m_host;
};

class CAPABILITY("rwlock") RwLock {
public:
    explicit RwLock(lcpfs_lock_rank rank) { host_rwlock_init(&m_host, rank); }
    ~RwLock() { host_rwlock_destroy(&m_host); }
    RwLock(const RwLock&) = delete;
    void lock(unsigned subclass = 0) ACQUIRE() { host_rwlock_write_lock(&m_host, subclass); }
    bool try_lock() TRY_ACQUIRE(true) { return host_rwlock_write_trylock(&m_host); }
    void unlock() RELEASE() { host_rwlock_write_unlock(&m_host); }
    void lock_shared(unsigned subclass = 0) ACQUIRE_SHARED() { host_rwlock_read_lock(&m_host, subclass); }
    bool try_lock_shared() TRY_ACQUIRE_SHARED(true) { return host_rwlock_read_trylock(&m_host); }
    void unlock_shared() RELEASE_SHARED() { host_rwlock_read_unlock(&m_host); }

private:
    host_rwlock m_host;
};

// Disables interrupts; usable in I/O completion.
class CAPABILITY("spinlock") SpinLock {
public:
    explicit SpinLock(lcpfs_lock_rank rank) { host_spinlock_init(&m_host, rank); }
    ~SpinLock() { host_spinlock_destroy(&m_host); }
    SpinLock(const SpinLock&) = delete;
    unsigned long lock() ACQUIRE() { return host_spinlock_lock(&m_host); }
    void unlock(unsigned long flags) RELEASE() { host_spinlock_unlock(&m_host, flags); }

private:
    host_spinlock m_host;
};

class SCOPED_CAPABILITY MutexGuard {
public:
    explicit MutexGuard(Mutex& mutex) ACQUIRE(mutex) : m_mutex(mutex) { mutex.lock(); }
    ~MutexGuard() RELEASE() { m_mutex.unlock(); }
    MutexGuard(const MutexGuard&) = delete;

private:
    Mutex& m_mutex;
};

class SCOPED_CAPABILITY WriteGuard {
public:
    explicit WriteGuard(RwLock& lock, unsigned subclass = 0) ACQUIRE(lock) : m_lock(lock) { lock.lock(subclass); }
    ~WriteGuard() RELEASE() { m_lock.unlock(); }
    WriteGuard(const WriteGuard&) = delete;

private:
    RwLock& m_lock;
};

class SCOPED_CAPABILITY ReadGuard {
public:
    explicit ReadGuard(RwLock& lock, unsigned subclass = 0) ACQUIRE_SHARED(lock) : m_lock(lock) { lock.lock_shared(subclass); }
    ~ReadGuard() RELEASE_GENERIC() { m_lock.unlock_shared(); }
    ReadGuard(const ReadGuard&) = delete;

private:
    RwLock& m_lock;
};

class SCOPED_CAPABILITY SpinGuard {
public:
    explicit SpinGuard(SpinLock& lock) ACQUIRE(lock) : m_lock(lock), m_flags(lock.lock()) {}
    ~SpinGuard() RELEASE() { m_lock.unlock(m_flags); }
    SpinGuard(const SpinGuard&) = delete;

private:
    SpinLock& m_lock;
    unsigned long m_flags;
};

// A place to wait for a condition given as a callable returning bool.
class Event {
public:
    Event() { host_event_init(&m_host); }
    ~Event() { host_event_destroy(&m_host); }
    Event(const Event&) = delete;

    template <typename Condition>
    void wait(Condition condition)
    {
        host_event_wait(&m_host, call<Condition>, &condition);
    }
    // Who wakes evaluates the condition, too: it takes no lock (host_event_wait_checked).
    template <typename Condition>
    void wait_checked(Condition condition)
    {
        host_event_wait_checked(&m_host, call<Condition>, &condition);
    }
    template <typename Condition>
    bool wait_timeout(u64 timeout_ns, Condition condition)
    {
        return host_event_wait_timeout(&m_host, call<Condition>, &condition, timeout_ns);
    }
    void wake() { host_event_wake(&m_host); }

private:
    template <typename Condition>
    static bool call(void* context) { return (*static_cast<Condition*>(context))(); }

    host_event m_host;
};

}
