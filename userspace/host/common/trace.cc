// SPDX-License-Identifier: GPL-2.0-only
// Nobody listens to a process.
#include "core/host/host.h"

unsigned int host_tracing;

void host_trace_txg(const struct host_txg_trace*) {}
void host_trace_log_frame(const struct host_log_trace*) {}
void host_trace_path(const struct host_path_trace*) {}
void host_trace_partition(const struct host_partition_trace*) {}
void host_trace_checksum(const struct host_checksum_trace*) {}
