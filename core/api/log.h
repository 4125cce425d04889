/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * log.h: the part of core.h that is about the intent log (core/zil/zil.h). Included by core.h alone. All calls: any sleepable
 * context, no lock held that the core takes.
 */
#ifndef LCPFS_CORE_LOG_H
#define LCPFS_CORE_LOG_H

enum core_log_durable { CORE_LOG_DURABLE_BY_WRITE, CORE_LOG_DURABLE_BY_FUA, CORE_LOG_DURABLE_BY_FLUSH };
#define CORE_LOG_LATENCIES 16u

struct core_log {
	uint64_t ring_bytes;         /* 0: the pool has none */
	uint64_t position;           /* bytes of it used so far, all laps */
	uint64_t frames, operations, bytes, flushes, errors; /* operations: records in frames */
	uint64_t pending_entries;    /* records in memory that neither a frame nor a committed group has */
	uint64_t pending_bytes;      /* of these and of frames under way */
	uint64_t frames_pending;     /* frames under way */
	uint64_t latency_ns;         /* of a frame, the average of late */
	uint64_t latency[CORE_LOG_LATENCIES]; /* [i]: frames below 2^(14 + i) ns, the last one all others */
	uint64_t fua_ns, flush_ns;   /* what a log write took when the log was opened; 0: there was nothing to choose */
	uint64_t batch_records, batch_bytes, batch_timeout_us, frames_in_flight;
	enum core_log_durable durable; /* on the ring's first device */
};
void core_log_get(struct core_pool *pool, struct core_log *log);

enum core_log_member_state {
	CORE_LOG_MEMBER_ACTIVE,
	CORE_LOG_MEMBER_FAILED,  /* or it was missing: it gets no frames, until the next mount or it is put in again */
	CORE_LOG_MEMBER_MISSING, /* not there */
	CORE_LOG_MEMBER_UNUSED,  /* not of the pool's ring; there or not */
};
#define CORE_LOG_MEMBERS 4u
struct core_log_member {
	uint16_t device;             /* index in the pool */
	enum core_log_member_state state;
	bool has_log;                /* there or not: of the ring, and no frame is missing on it (format/zil_format.h: not stale) */
	char name[32];               /* empty: not there */
};
/* Log devices, of which at most CORE_LOG_MEMBERS are members of the ring. Gives how many of `members` it has filled. */
unsigned int core_log_get_members(struct core_pool *pool, struct core_log_member *members, unsigned int most);
/*
 * Takes a log device out of a mounted pool, or puts one of its log devices (back) in. The log goes on on the others, or in the
 * pool when none is left; then those that failed are taken out as well. Returns when that is committed; a crash before leaves
 * either state. -ENOENT: not a log device of the pool, or not of its ring; -EBUSY: in already; -ENODEV: not there; -EINVAL: it is too
 * small; -EROFS.
 */
int core_log_remove(struct core_pool *pool, unsigned int device);
int core_log_add(struct core_pool *pool, unsigned int device);

enum core_log_setting {
	CORE_LOG_SET_BATCH_RECORDS,    /* that end the wait for company: 1..64; 32 */
	CORE_LOG_SET_BATCH_TIMEOUT_US, /* for which a frame waits for company while others are under way: 0..100 */
	CORE_LOG_SET_FRAMES_IN_FLIGHT, /* 1..8; 4 */
	CORE_LOG_SET_BATCH_BYTES,      /* of a frame with more than one record: 4096..131072, the default */
};
/* -EINVAL: no such value. At any time. */
int core_log_set(struct core_pool *pool, enum core_log_setting setting, uint64_t value);

#endif
