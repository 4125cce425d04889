// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace.c: where the tracepoints are made, and the word by which the core sees which of them somebody listens to.
 */
#include <linux/atomic.h>
#include <linux/cache.h>

#include "core/host/host.h"

/* As in core/mpio/mpio.h and core/partition/decision.h. */
#define LCPFS_TRACE_PATH_STATES { 0, "active" }, { 1, "degraded" }, { 2, "failed" }, { 3, "repairing" }
#define LCPFS_TRACE_PARTITION_ACTIONS { 1, "grow" }, { 2, "shrink" }
#define LCPFS_TRACE_PARTITION_REASONS { 1, "full" }, { 2, "pressure" }, { 3, "idle" }, { 4, "guarantee" }, { 5, "evacuate" }, \
	{ 6, "refused_maximum" }, { 7, "refused_pool" }
#define LCPFS_TRACE_PARTITION_RESULTS { 0, "none" }, { 1, "advised" }, { 2, "open" }, { 3, "measured" }, { 4, "unknowable" }

#define CREATE_TRACE_POINTS
#include "shim/vfs/trace.h"

unsigned int host_tracing __read_mostly;

/* reg and unreg of one tracepoint exclude each other; those of several do not. */
#define LCPFS_TRACE_LISTENER(name, bit)						\
int lcpfs_trace_##name##_reg(void)						\
{										\
	atomic_or(bit, (atomic_t *)&host_tracing);				\
	return 0;								\
}										\
void lcpfs_trace_##name##_unreg(void)						\
{										\
	atomic_andnot(bit, (atomic_t *)&host_tracing);				\
}

LCPFS_TRACE_LISTENER(txg, HOST_TRACE_TXG)
LCPFS_TRACE_LISTENER(log_frame, HOST_TRACE_LOG_FRAME)
LCPFS_TRACE_LISTENER(path, HOST_TRACE_PATH)
LCPFS_TRACE_LISTENER(partition, HOST_TRACE_PARTITION)
LCPFS_TRACE_LISTENER(checksum, HOST_TRACE_CHECKSUM)

void host_trace_txg(const struct host_txg_trace *what)
{
	trace_lcpfs_txg(what);
}

void host_trace_log_frame(const struct host_log_trace *what)
{
	trace_lcpfs_log_frame(what);
}

void host_trace_path(const struct host_path_trace *what)
{
	trace_lcpfs_path(what);
}

void host_trace_partition(const struct host_partition_trace *what)
{
	trace_lcpfs_partition(what);
}

void host_trace_checksum(const struct host_checksum_trace *what)
{
	trace_lcpfs_checksum(what);
}
