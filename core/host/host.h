/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * host.h: everything the core needs of the system it runs in. One of the two C headers that are the
 * whole boundary (the other is core/api/core.h).
 *
 * Three implementations: shim/host (the kernel), userspace/host (a POSIX process) and userspace/sim
 * (deterministic simulation on one thread: fibers, simulated clock and disks).
 *
 * Contexts. "Any" includes hard interrupt. "Sleepable" excludes interrupt context and held spinlocks.
 * Functions returning int give 0 or a negative errno. Unless said otherwise a function is callable from
 * any number of threads at once.
 */
#ifndef LCPFS_HOST_H
#define LCPFS_HOST_H

#if defined(__KERNEL__) && !defined(__cplusplus)
#include <linux/types.h>
#else
#include <stddef.h>
#include <stdint.h>
#ifndef __cplusplus
#include <stdbool.h>
#endif
#endif

/* LCPFS_{MUTEX,RWLOCK,SPINLOCK,EVENT,WORK}_SIZE, generated or asserted by the host; alignment is 8. */
#include "host_sizes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- memory ------------------------------------------------------------------------------------ */

enum {
	HOST_ALLOC_ZERO = 1,   /* zeroed */
	HOST_ALLOC_ATOMIC = 2, /* do not sleep; any context */
};

/*
 * General memory, any size; NULL when there is none. Sleepable unless HOST_ALLOC_ATOMIC. Never enters
 * the filesystem for reclaim (NOFS), so callable under any core lock.
 */
void *host_alloc(size_t bytes, unsigned int flags);
void host_free(void *memory); /* NULL allowed; sleepable */

/*
 * A pool of equal objects with `reserve` of them set aside at creation. Objects of a multiple of 4096
 * bytes are aligned to 4096 and physically contiguous, so they can be handed to host_io_add. What an object holds when it is
 * taken is anything, without HOST_ALLOC_ZERO: also what another had in it.
 * `host_pool_alloc_reserved` never fails: it sleeps until an object is freed when memory and reserve
 * are used up, so its users must free theirs without waiting for the caller.
 * `host_pool_reserve` sets aside so many in all, if it is not as many yet. False: there was no memory for all of them; what could be
 * had stays. Sleepable, any core lock, one caller at a time.
 * `host_pool_prime` is for who has time now: the next allocation on this processor finds an object at hand, if memory for one could be had
 * without waiting.
 * `host_pool_live` counts objects not yet freed.
 */
struct host_pool;
struct host_pool *host_pool_create(const char *name, size_t object_bytes, unsigned int reserve);
bool host_pool_reserve(struct host_pool *pool, unsigned int reserve);
void host_pool_destroy(struct host_pool *pool); /* NULL allowed; logs and leaks nothing silently: live objects are reported */
void *host_pool_alloc(struct host_pool *pool, unsigned int flags);
void *host_pool_alloc_reserved(struct host_pool *pool);
void host_pool_free(struct host_pool *pool, void *object); /* any context */
void host_pool_prime(struct host_pool *pool);
uint64_t host_pool_live(const struct host_pool *pool);

/*
 * Memory pressure. `count` gives what could be freed, in a unit of the cache's own, `scan` frees about
 * `wanted` of it and says how much it did; both may run in any sleepable context, under locks of others: they must only try
 * core locks, never wait for one. Unregistering waits for running calls.
 */
struct host_shrinker;
struct host_shrinker *host_shrinker_register(const char *name, uint64_t (*count)(void *context),
					     uint64_t (*scan)(void *context, uint64_t wanted), void *context);
void host_shrinker_unregister(struct host_shrinker *shrinker);

/* Memory of the machine in bytes, for sizing limits. */
uint64_t host_memory_bytes(void);

/* ---- locks -------------------------------------------------------------------------------------
 * Embedded, opaque. `rank` is a LockRank (core/host/lock_rank.h); the kernel makes one lockdep class of
 * each, userspace checks that ranks only rise within a thread. `subclass` (0..7) orders several locks of
 * one rank taken by one thread, in rising order.
 */
struct host_mutex { unsigned char opaque[LCPFS_MUTEX_SIZE]; } __attribute__((aligned(8)));
struct host_rwlock { unsigned char opaque[LCPFS_RWLOCK_SIZE]; } __attribute__((aligned(8)));
struct host_spinlock { unsigned char opaque[LCPFS_SPINLOCK_SIZE]; } __attribute__((aligned(8)));
struct host_event { unsigned char opaque[LCPFS_EVENT_SIZE]; } __attribute__((aligned(8)));
struct host_work { unsigned char opaque[LCPFS_WORK_SIZE]; } __attribute__((aligned(8)));

void host_mutex_init(struct host_mutex *mutex, unsigned int rank);
void host_mutex_destroy(struct host_mutex *mutex);
void host_mutex_lock(struct host_mutex *mutex, unsigned int subclass); /* sleepable */
bool host_mutex_trylock(struct host_mutex *mutex);
void host_mutex_unlock(struct host_mutex *mutex);

void host_rwlock_init(struct host_rwlock *lock, unsigned int rank);
void host_rwlock_destroy(struct host_rwlock *lock);
void host_rwlock_read_lock(struct host_rwlock *lock, unsigned int subclass); /* sleepable */
bool host_rwlock_read_trylock(struct host_rwlock *lock);
void host_rwlock_read_unlock(struct host_rwlock *lock);
void host_rwlock_write_lock(struct host_rwlock *lock, unsigned int subclass); /* sleepable */
bool host_rwlock_write_trylock(struct host_rwlock *lock);
void host_rwlock_write_unlock(struct host_rwlock *lock);

/* Spinlocks disable interrupts: usable in any context. The returned flags go back to unlock. */
void host_spinlock_init(struct host_spinlock *lock, unsigned int rank);
void host_spinlock_destroy(struct host_spinlock *lock);
unsigned long host_spinlock_lock(struct host_spinlock *lock);
void host_spinlock_unlock(struct host_spinlock *lock, unsigned long flags);

/*
 * An event is a place to wait for a condition over shared memory. `condition` is evaluated with no lock
 * held, must be cheap and must not sleep. Whoever makes it true calls host_event_wake afterwards.
 *
 * Who waits by host_event_wait_checked is woken only once its condition is true: whoever wakes evaluates it, too, in whatever context
 * that is and with locks held. Such a condition takes no lock at all. Worth it where many wait at one event for different things:
 * a thread woken for nothing costs a hundred times what looking for it does.
 */
void host_event_init(struct host_event *event);
void host_event_destroy(struct host_event *event);
void host_event_wait(struct host_event *event, bool (*condition)(void *context), void *context); /* sleepable */
void host_event_wait_checked(struct host_event *event, bool (*condition)(void *context), void *context); /* sleepable */
/* False when `timeout_ns` passed with the condition still false. */
bool host_event_wait_timeout(struct host_event *event, bool (*condition)(void *context), void *context,
			     uint64_t timeout_ns);
void host_event_wake(struct host_event *event); /* all waiters; any context */

/* ---- threads and work --------------------------------------------------------------------------- */

struct host_thread;
/* NULL when it cannot be started. The thread ends by returning from `body`; join waits for that. */
struct host_thread *host_thread_start(const char *name, void (*body)(void *context), void *context);
/* The same for what others wait for who keep all processors busy: it gets the share of ten of them. */
struct host_thread *host_thread_start_urgent(const char *name, void (*body)(void *context), void *context);
void host_thread_join(struct host_thread *thread);
void host_yield(void); /* sleepable: give way to others during long work */

/*
 * Work runs `body` soon, in a thread that may sleep and that makes progress under memory pressure.
 * An item queued while queued stays queued once. `drain` waits until everything queued has run.
 */
struct host_workqueue;
struct host_workqueue *host_workqueue_create(const char *name);
void host_workqueue_destroy(struct host_workqueue *queue); /* drains first */
void host_workqueue_drain(struct host_workqueue *queue);
void host_work_init(struct host_work *work, void (*body)(struct host_work *work));
void host_work_queue(struct host_workqueue *queue, struct host_work *work); /* any context */

/* Index of the CPU we run on (a hint: it may change at any time) and how many there are. */
unsigned int host_cpu_index(void);
unsigned int host_cpu_count(void);

/* ---- clock, randomness, messages ----------------------------------------------------------------- */

uint64_t host_monotonic_ns(void);
int64_t host_realtime_ns(void); /* since the epoch */
int64_t host_realtime_coarse_ns(void); /* the same as of the last tick of the clock, for less: what files' times are of, too */
void host_random_bytes(void *buffer, size_t bytes);

/* HOST_LOG_FATAL: something ends here, a mount refused or a pool frozen. Never lost to the limit, so never in a loop. */
enum host_log_level { HOST_LOG_FATAL, HOST_LOG_ERROR, HOST_LOG_WARNING, HOST_LOG_INFO, HOST_LOG_DEBUG };
/*
 * One line without its newline. The host adds "lcpfs: ", or "lcpfs " to a text that begins with the name of a pool in
 * parentheses, and limits the rate. Any context.
 */
void host_log(enum host_log_level level, const char *text);
/* errors=panic: does not come back in the kernel; ends the process elsewhere. */
void host_panic(const char *text);

/* ---- tracing ------------------------------------------------------------------------------------- */

#include "core/host/trace.h"

/* ---- checksums ----------------------------------------------------------------------------------- */

/* CRC-32C (Castagnoli) as iSCSI and ext4 define it: initial value and final xor of ~0 both applied here. */
uint32_t host_crc32c(const void *data, size_t bytes);
uint64_t host_xxh64(const void *data, size_t bytes, uint64_t seed);
/*
 * Adds little-endian 32-bit words to the four running sums of Fletcher-4, each word to the first and each sum to the next one, as far as
 * the host has a faster way than one by one; gives how many of `words` that were, from the start: maybe none. Any context.
 */
size_t host_fletcher4(uint64_t sums[4], const void *data, size_t words);
void host_sha256(const void *data, size_t bytes, uint8_t digest[32]);

/* ---- compression ----------------------------------------------------------------------------------
 *
 * Formats are those of the libraries everybody has: an LZ4 block, a Zstandard frame without a dictionary. What one host
 * compressed every other can decompress; the bytes themselves may differ.
 */

enum host_codec { HOST_CODEC_LZ4 = 1, HOST_CODEC_ZSTD = 2 };
#define HOST_CODEC_MAX_BYTES 131072 /* of data, at a time */
#define HOST_ZSTD_MAX_LEVEL 15

/* Whether data can be compressed here: in the kernel, whether the module that does it is loaded. Decompressing always can. */
bool host_codec_compresses(enum host_codec codec);

/* Memory for one user at a time; neither of the calls that use it allocates or sleeps. NULL: no memory, or not here. Sleepable. */
struct host_compressor;
struct host_compressor *host_compressor_create(enum host_codec codec, unsigned int max_level);
void host_compressor_destroy(struct host_compressor *compressor); /* NULL allowed; sleepable */
/*
 * `level` is zstd's, 1 to the one that the memory was made for. Gives how many bytes it came to; 0 when they do not fit into
 * `room`, or nothing came of it. `data` must not change meanwhile.
 */
size_t host_compress(struct host_compressor *compressor, unsigned int level, const void *data, size_t bytes, void *out,
		     size_t room);

struct host_decompressor;
struct host_decompressor *host_decompressor_create(void);
void host_decompressor_destroy(struct host_decompressor *decompressor); /* NULL allowed; sleepable */
/*
 * Whatever the bytes are: true when they came to exactly `out_bytes`, else false; nothing is written beyond these. What was
 * written is not to be used then.
 */
bool host_decompress(struct host_decompressor *decompressor, enum host_codec codec, const void *data, size_t bytes,
		     void *out, size_t out_bytes);

/* ---- block devices -------------------------------------------------------------------------------- */

struct host_bdev;

struct host_bdev_info {
	uint64_t capacity_bytes;
	uint32_t logical_block_bytes;
	uint32_t physical_block_bytes;
	bool read_only;
	bool volatile_cache; /* a flush is needed for durability */
	bool fua;            /* writes can be durable by themselves */
	bool rotational;
	bool discard;
};

/*
 * A device is opened by whoever starts a pool (the shim, a tool, the simulator), which keeps it open until
 * core_pool_close returned. How is the host's own matter; the core only uses it.
 */
void host_bdev_get_info(const struct host_bdev *bdev, struct host_bdev_info *info);
const char *host_bdev_name(const struct host_bdev *bdev);

/* Kernel-addressable memory, multiples of 4096 bytes, 4096-aligned, physically contiguous each. */
struct core_segment { void *data; uint32_t bytes; };

enum host_io_op { HOST_IO_READ, HOST_IO_WRITE, HOST_IO_FLUSH, HOST_IO_DISCARD };

enum {
	HOST_IO_FUA = 1,      /* durable when complete (the host emulates by a flush where the device cannot) */
	HOST_IO_PREFLUSH = 2, /* what was completed before is durable before this is written */
	HOST_IO_SYNC = 4,     /* somebody waits for it */
	HOST_IO_META = 8,
	HOST_IO_FAIL_FAST = 16, /* an error of the way to the device ends it at once, without the host trying again */
};

/* The block layer's error classes (blk_status_t), by meaning. */
enum host_io_status {
	HOST_IO_OK,
	HOST_IO_ERROR,         /* plain I/O error */
	HOST_IO_NOT_SUPPORTED,
	HOST_IO_NO_SPACE,
	HOST_IO_TARGET,
	HOST_IO_RESERVATION,
	HOST_IO_MEDIUM,
	HOST_IO_PROTECTION,
	HOST_IO_TRANSPORT,
	HOST_IO_TIMEOUT,
	HOST_IO_OFFLINE,
	HOST_IO_NO_MEMORY,
	HOST_IO_NO_PATH,       /* set by the core: no path to the device is left (core/mpio); never by a host */
};

#define HOST_IO_CORE_WORDS 16

/*
 * One request to one device: the only thing allocated for it. The core fills the fields up to `context`
 * between alloc and submit; `status` is valid in `done`. `core` belongs to the core.
 */
struct host_io {
	struct host_bdev *bdev;
	enum host_io_op op;
	unsigned int flags;
	uint64_t offset_bytes;   /* multiple of the logical block */
	uint64_t length_bytes;   /* sum of what host_io_add took; set by the caller for discard */
	void (*done)(struct host_io *io); /* any context, possibly before host_io_submit returns; frees or reuses io */
	void *context;
	enum host_io_status status;
	uint64_t core[HOST_IO_CORE_WORDS];
};

struct host_io_pool;
struct host_io_pool *host_io_pool_create(const char *name, unsigned int reserve);
bool host_io_pool_reserve(struct host_io_pool *pool, unsigned int reserve); /* as host_pool_reserve */
void host_io_pool_destroy(struct host_io_pool *pool);
/*
 * Room for at least `segments` host_io_add calls of distinct memory (at most 256 are honoured).
 * Never fails; sleepable. `core` is zeroed. `bdev` may be NULL: io->bdev is then set before host_io_submit.
 */
struct host_io *host_io_alloc(struct host_io_pool *pool, struct host_bdev *bdev, enum host_io_op op,
			      unsigned int flags, unsigned int segments);
/*
 * Appends memory: kernel-addressable, physically contiguous over `bytes`, a multiple of the logical
 * block, owned by the caller until `done`. False, nothing added, when the request is full.
 */
bool host_io_add(struct host_io *io, void *data, uint32_t bytes);
void host_io_submit(struct host_io *io); /* sleepable */
void host_io_free(struct host_io *io);   /* any context */

/* Requests submitted by this thread between the two may be held and merged. */
struct host_plug { unsigned char opaque[LCPFS_PLUG_SIZE]; } __attribute__((aligned(8)));
void host_plug_start(struct host_plug *plug);
void host_plug_finish(struct host_plug *plug);

#ifdef __cplusplus
}
#endif

#endif
