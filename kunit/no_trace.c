// SPDX-License-Identifier: GPL-2.0-only
/*
 * no_trace.c: the test module has no tracepoints. Their names are lcpfs.ko's, which may be loaded beside it.
 */
#include "core/host/host.h"

unsigned int host_tracing;

void host_trace_txg(const struct host_txg_trace *what)
{
}

void host_trace_log_frame(const struct host_log_trace *what)
{
}

void host_trace_path(const struct host_path_trace *what)
{
}

void host_trace_partition(const struct host_partition_trace *what)
{
}

void host_trace_checksum(const struct host_checksum_trace *what)
{
}
