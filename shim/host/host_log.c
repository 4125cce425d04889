// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_log.c: the core's messages in the kernel log. Limited in rate per level, so that a storm of
 * warnings does not swallow the error that explains it; the fatal ones, which end a mount or freeze a pool, are not
 * limited. Any context.
 */
#include <linux/panic.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>

#include "core/host/host.h"

#define HOST_LOG_BURST 50

static struct ratelimit_state host_log_limits[] = {
	[HOST_LOG_ERROR] = RATELIMIT_STATE_INIT("lcpfs errors", DEFAULT_RATELIMIT_INTERVAL, HOST_LOG_BURST),
	[HOST_LOG_WARNING] = RATELIMIT_STATE_INIT("lcpfs warnings", DEFAULT_RATELIMIT_INTERVAL, HOST_LOG_BURST),
	[HOST_LOG_INFO] = RATELIMIT_STATE_INIT("lcpfs messages", DEFAULT_RATELIMIT_INTERVAL, HOST_LOG_BURST),
	[HOST_LOG_DEBUG] = RATELIMIT_STATE_INIT("lcpfs debugging", DEFAULT_RATELIMIT_INTERVAL, HOST_LOG_BURST),
};

void host_log(enum host_log_level level, const char *text)
{
	const char *separator = *text == '(' ? " " : ": ";

	if (level != HOST_LOG_FATAL && !__ratelimit(&host_log_limits[level]))
		return;
	switch (level) {
	case HOST_LOG_FATAL:
	case HOST_LOG_ERROR:
		pr_err("lcpfs%s%s\n", separator, text);
		break;
	case HOST_LOG_WARNING:
		pr_warn("lcpfs%s%s\n", separator, text);
		break;
	case HOST_LOG_INFO:
		pr_info("lcpfs%s%s\n", separator, text);
		break;
	case HOST_LOG_DEBUG:
		pr_debug("lcpfs%s%s\n", separator, text);
		break;
	}
}

void host_panic(const char *text)
{
	/* Conditional, so that objtool does not ask for a noreturn annotation it has no list entry for. */
	if (text)
		panic("lcpfs: %s", text);
}
