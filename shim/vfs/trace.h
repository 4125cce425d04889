/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h: the tracepoints, as tracefs shows them in events/lcpfs. What they say is in core/host/trace.h.
 *
 * Each tells the core when somebody begins to listen and when the last one stops (reg, unreg), so that the core need not
 * call to be told that nobody does.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM lcpfs

#if !defined(LCPFS_VFS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define LCPFS_VFS_TRACE_H

#include <linux/string.h>
#include <linux/tracepoint.h>

#include "core/host/host.h"

#define LCPFS_TRACE_NAME_BYTES 64

#ifndef LCPFS_TRACE_LISTENERS
#define LCPFS_TRACE_LISTENERS
int lcpfs_trace_txg_reg(void);
void lcpfs_trace_txg_unreg(void);
int lcpfs_trace_log_frame_reg(void);
void lcpfs_trace_log_frame_unreg(void);
int lcpfs_trace_path_reg(void);
void lcpfs_trace_path_unreg(void);
int lcpfs_trace_partition_reg(void);
void lcpfs_trace_partition_unreg(void);
int lcpfs_trace_checksum_reg(void);
void lcpfs_trace_checksum_unreg(void);
#endif

TRACE_EVENT_FN(lcpfs_txg,
	TP_PROTO(const struct host_txg_trace *what),
	TP_ARGS(what),
	TP_STRUCT__entry(
		__array(char, pool, LCPFS_TRACE_NAME_BYTES)
		__field(u64, txg)
		__field(u32, stage)
		__field(u32, error)
	),
	TP_fast_assign(
		strscpy(__entry->pool, what->pool, LCPFS_TRACE_NAME_BYTES);
		__entry->txg = what->txg;
		__entry->stage = what->stage;
		__entry->error = what->error;
	),
	TP_printk("pool=%s txg=%llu stage=%s error=%u", __entry->pool, __entry->txg,
		  __print_symbolic(__entry->stage, { 0, "syncing" }, { 1, "committed" }, { 2, "failed" }), __entry->error),
	lcpfs_trace_txg_reg, lcpfs_trace_txg_unreg
);

TRACE_EVENT_FN(lcpfs_log_frame,
	TP_PROTO(const struct host_log_trace *what),
	TP_ARGS(what),
	TP_STRUCT__entry(
		__array(char, pool, LCPFS_TRACE_NAME_BYTES)
		__field(u64, sequence)
		__field(u64, offset_bytes)
		__field(u64, latency_ns)
		__field(u32, vdev)
		__field(u32, length_bytes)
		__field(u32, records)
		__field(u32, error)
		__field(bool, is_complete)
	),
	TP_fast_assign(
		strscpy(__entry->pool, what->pool, LCPFS_TRACE_NAME_BYTES);
		__entry->sequence = what->sequence;
		__entry->offset_bytes = what->offset_bytes;
		__entry->latency_ns = what->latency_ns;
		__entry->vdev = what->vdev;
		__entry->length_bytes = what->length_bytes;
		__entry->records = what->records;
		__entry->error = what->error;
		__entry->is_complete = what->is_complete;
	),
	TP_printk("pool=%s sequence=%llu %s vdev=%u offset=%llu bytes=%u records=%u latency_ns=%llu error=%u", __entry->pool,
		  __entry->sequence, __entry->is_complete ? "complete" : "submit", __entry->vdev, __entry->offset_bytes,
		  __entry->length_bytes, __entry->records, __entry->latency_ns, __entry->error),
	lcpfs_trace_log_frame_reg, lcpfs_trace_log_frame_unreg
);

TRACE_EVENT_FN(lcpfs_path,
	TP_PROTO(const struct host_path_trace *what),
	TP_ARGS(what),
	TP_STRUCT__entry(
		__array(char, pool, LCPFS_TRACE_NAME_BYTES)
		__array(char, path, LCPFS_TRACE_NAME_BYTES)
		__field(u32, device)
		__field(u32, id)
		__field(u32, before)
		__field(u32, after)
	),
	TP_fast_assign(
		strscpy(__entry->pool, what->pool, LCPFS_TRACE_NAME_BYTES);
		strscpy(__entry->path, what->path, LCPFS_TRACE_NAME_BYTES);
		__entry->device = what->device;
		__entry->id = what->id;
		__entry->before = what->before;
		__entry->after = what->after;
	),
	TP_printk("pool=%s device=%u path=%u (%s) %s -> %s", __entry->pool, __entry->device, __entry->id, __entry->path,
		  __print_symbolic(__entry->before, LCPFS_TRACE_PATH_STATES),
		  __print_symbolic(__entry->after, LCPFS_TRACE_PATH_STATES)),
	lcpfs_trace_path_reg, lcpfs_trace_path_unreg
);

TRACE_EVENT_FN(lcpfs_partition,
	TP_PROTO(const struct host_partition_trace *what),
	TP_ARGS(what),
	TP_STRUCT__entry(
		__array(char, pool, LCPFS_TRACE_NAME_BYTES)
		__field(u64, number)
		__field(u64, partition)
		__field(u64, other)
		__field(u64, size_before)
		__field(u64, size_after)
		__field(u64, used)
		__field(s64, improvement)
		__field(u32, action)
		__field(u32, reason)
		__field(u32, result)
		__field(u32, metaslabs)
	),
	TP_fast_assign(
		strscpy(__entry->pool, what->pool, LCPFS_TRACE_NAME_BYTES);
		__entry->number = what->number;
		__entry->partition = what->partition;
		__entry->other = what->other;
		__entry->size_before = what->size_before;
		__entry->size_after = what->size_after;
		__entry->used = what->used;
		__entry->improvement = what->improvement;
		__entry->action = what->action;
		__entry->reason = what->reason;
		__entry->result = what->result;
		__entry->metaslabs = what->metaslabs;
	),
	TP_printk("pool=%s number=%llu partition=%llu other=%llu %s reason=%s result=%s metaslabs=%u blocks=%llu->%llu used=%llu "
		  "improvement=%lld/1000",
		  __entry->pool, __entry->number, __entry->partition, __entry->other,
		  __print_symbolic(__entry->action, LCPFS_TRACE_PARTITION_ACTIONS),
		  __print_symbolic(__entry->reason, LCPFS_TRACE_PARTITION_REASONS),
		  __print_symbolic(__entry->result, LCPFS_TRACE_PARTITION_RESULTS), __entry->metaslabs, __entry->size_before,
		  __entry->size_after, __entry->used, __entry->improvement),
	lcpfs_trace_partition_reg, lcpfs_trace_partition_unreg
);

TRACE_EVENT_FN(lcpfs_checksum,
	TP_PROTO(const struct host_checksum_trace *what),
	TP_ARGS(what),
	TP_STRUCT__entry(
		__array(char, pool, LCPFS_TRACE_NAME_BYTES)
		__field(u64, object)
		__field(u64, file_block)
		__field(u64, block)
		__field(u32, vdev)
		__field(u32, dataset)
	),
	TP_fast_assign(
		strscpy(__entry->pool, what->pool, LCPFS_TRACE_NAME_BYTES);
		__entry->object = what->object;
		__entry->file_block = what->file_block;
		__entry->block = what->block;
		__entry->vdev = what->vdev;
		__entry->dataset = what->dataset;
	),
	TP_printk("pool=%s %s dataset=%u object=%llu file_block=%lld vdev=%u block=%llu", __entry->pool,
		  __entry->file_block == ~0ull ? "metadata" : "data", __entry->dataset, __entry->object,
		  (long long)__entry->file_block, __entry->vdev, __entry->block),
	lcpfs_trace_checksum_reg, lcpfs_trace_checksum_unreg
);

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH shim/vfs
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
