// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_lock.c: the core's locks are the kernel's, laid into the opaque bytes.
 *
 * Each rank of lock_rank.h is one lockdep class, whatever file initialises the lock, so lockdep learns
 * exactly the order of that table. A lock of a rank is of one kind (mutex, rwlock or spinlock) everywhere.
 */
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

#include "core/host/host.h"
#include "core/host/lock_rank.h"

static_assert(sizeof(struct host_mutex) >= sizeof(struct mutex));
static_assert(sizeof(struct host_rwlock) >= sizeof(struct rw_semaphore));
static_assert(sizeof(struct host_spinlock) >= sizeof(spinlock_t));

#ifdef CONFIG_LOCKDEP
static struct lock_class_key host_lock_keys[LCPFS_RANK_COUNT];

static const char *const host_lock_names[LCPFS_RANK_COUNT] = {
#define HOST_LOCK_NAME(name) [LCPFS_RANK_##name] = "lcpfs_" #name,
	LCPFS_LOCK_RANKS(HOST_LOCK_NAME)
#undef HOST_LOCK_NAME
};

#define host_lock_set_class(lock, rank)                                                                      \
	do {                                                                                                 \
		unsigned int row = min_t(unsigned int, rank, LCPFS_RANK_COUNT - 1);                          \
		lockdep_set_class_and_name(lock, &host_lock_keys[row], host_lock_names[row]);                \
	} while (0)
#else
#define host_lock_set_class(lock, rank) do { } while (0)
#endif

static struct mutex *mutex_of(struct host_mutex *mutex)
{
	return (struct mutex *)mutex->opaque;
}

static struct rw_semaphore *rwsem_of(struct host_rwlock *lock)
{
	return (struct rw_semaphore *)lock->opaque;
}

static spinlock_t *spinlock_of(struct host_spinlock *lock)
{
	return (spinlock_t *)lock->opaque;
}

void host_mutex_init(struct host_mutex *mutex, unsigned int rank)
{
	mutex_init(mutex_of(mutex));
	host_lock_set_class(mutex_of(mutex), rank);
}

void host_mutex_destroy(struct host_mutex *mutex)
{
	mutex_destroy(mutex_of(mutex));
}

void host_mutex_lock(struct host_mutex *mutex, unsigned int subclass)
{
	mutex_lock_nested(mutex_of(mutex), subclass);
}

bool host_mutex_trylock(struct host_mutex *mutex)
{
	return mutex_trylock(mutex_of(mutex));
}

void host_mutex_unlock(struct host_mutex *mutex)
{
	mutex_unlock(mutex_of(mutex));
}

void host_rwlock_init(struct host_rwlock *lock, unsigned int rank)
{
	init_rwsem(rwsem_of(lock));
	host_lock_set_class(rwsem_of(lock), rank);
}

void host_rwlock_destroy(struct host_rwlock *lock)
{
	WARN_ON_ONCE(rwsem_is_locked(rwsem_of(lock)));
}

void host_rwlock_read_lock(struct host_rwlock *lock, unsigned int subclass)
{
	down_read_nested(rwsem_of(lock), subclass);
}

bool host_rwlock_read_trylock(struct host_rwlock *lock)
{
	return down_read_trylock(rwsem_of(lock));
}

void host_rwlock_read_unlock(struct host_rwlock *lock)
{
	up_read(rwsem_of(lock));
}

void host_rwlock_write_lock(struct host_rwlock *lock, unsigned int subclass)
{
	down_write_nested(rwsem_of(lock), subclass);
}

bool host_rwlock_write_trylock(struct host_rwlock *lock)
{
	return down_write_trylock(rwsem_of(lock));
}

void host_rwlock_write_unlock(struct host_rwlock *lock)
{
	up_write(rwsem_of(lock));
}

void host_spinlock_init(struct host_spinlock *lock, unsigned int rank)
{
	spin_lock_init(spinlock_of(lock));
	host_lock_set_class(spinlock_of(lock), rank);
}

void host_spinlock_destroy(struct host_spinlock *lock)
{
	WARN_ON_ONCE(spin_is_locked(spinlock_of(lock)));
}

unsigned long host_spinlock_lock(struct host_spinlock *lock)
	__acquires(lock)
{
	unsigned long flags;

	spin_lock_irqsave(spinlock_of(lock), flags);
	__acquire(lock);
	__release(spinlock_of(lock));
	return flags;
}

void host_spinlock_unlock(struct host_spinlock *lock, unsigned long flags)
	__releases(lock)
{
	__acquire(spinlock_of(lock));
	__release(lock);
	spin_unlock_irqrestore(spinlock_of(lock), flags);
}
