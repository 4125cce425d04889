/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h: the part of host.h that is about tracepoints: what happened, told to whoever listens at the moment. Included by
 * host.h alone.
 *
 * Somebody listens to the kinds whose bits stand in host_tracing, which the host alone sets. The core looks there before
 * it gathers anything, so what nobody listens to costs one load and one test of a word that does not change. A bit may be
 * seen late: then one more call comes, or the first ones do not.
 *
 * All calls: any context, interrupts and spinlocks included. Texts and structs are the caller's; they are copied.
 */
#ifndef LCPFS_HOST_TRACE_H
#define LCPFS_HOST_TRACE_H

enum {
	HOST_TRACE_TXG = 1,
	HOST_TRACE_LOG_FRAME = 2,
	HOST_TRACE_PATH = 4,
	HOST_TRACE_PARTITION = 8,
	HOST_TRACE_CHECKSUM = 16,
};

extern unsigned int host_tracing;

/* The name of a pool is in all of them; "" while it is not known. */
enum host_trace_stage { HOST_TRACE_SYNCING, HOST_TRACE_COMMITTED, HOST_TRACE_FAILED };
struct host_txg_trace {
	const char *pool;
	uint64_t txg;
	uint32_t stage;          /* enum host_trace_stage */
	uint32_t error;          /* core/base/errors.h; 0: none */
};
void host_trace_txg(const struct host_txg_trace *what);

/* One write of the intent log, when it is handed to the device, and when it is there, which a flush may still have to follow. */
struct host_log_trace {
	const char *pool;
	uint64_t sequence, offset_bytes, latency_ns; /* latency: 0 when it is handed over */
	uint32_t vdev, length_bytes, records, error;
	bool is_complete;
};
void host_trace_log_frame(const struct host_log_trace *what);

struct host_path_trace {
	const char *pool, *path;
	uint32_t device, id;
	uint32_t before, after;  /* PathState, core/mpio/mpio.h */
};
void host_trace_path(const struct host_path_trace *what);

/* A decision of the partition controller, when it is made, and when its outcome is known. */
struct host_partition_trace {
	const char *pool;
	uint64_t number, partition, other;
	uint32_t action, reason, result, metaslabs; /* core/partition/decision.h */
	uint64_t size_before, size_after, used;     /* blocks */
	int64_t improvement;     /* thousandths of a percent; of a measured one */
};
void host_trace_partition(const struct host_partition_trace *what);

/* What was read does not have the checksum that it should, by any path. */
struct host_checksum_trace {
	const char *pool;
	uint64_t object, file_block, block; /* file_block: of metadata ~0 */
	uint32_t vdev, dataset;
};
void host_trace_checksum(const struct host_checksum_trace *what);

#endif
