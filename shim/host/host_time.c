// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_time.c: clocks and random bytes. Any context.
 */
#include <linux/ktime.h>
#include <linux/random.h>
#include <linux/timekeeping.h>

#include "core/host/host.h"

uint64_t host_monotonic_ns(void)
{
	return ktime_get_ns();
}

int64_t host_realtime_ns(void)
{
	return ktime_get_real_ns();
}

int64_t host_realtime_coarse_ns(void)
{
	return ktime_get_coarse_real_ns();
}

void host_random_bytes(void *buffer, size_t bytes)
{
	get_random_bytes(buffer, bytes);
}
