// SPDX-License-Identifier: GPL-2.0-only
/* event.c: what pools have told the log, for programs. */
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "core/api/core.h"
#include "shim/vfs/event.h"
#include "shim/vfs/ioctl_abi.h"
#include "shim/vfs/pool.h"

/* The same for 32- and 64-bit programs. */
static_assert(sizeof(struct lcpfs_ioctl_event) == 280);
static_assert(sizeof(((struct lcpfs_ioctl_event *)0)->text) == CORE_EVENT_TEXT_BYTES);

long lcpfs_event_get(void __user *argument)
{
	struct lcpfs_ioctl_event event;
	struct core_event_line line;
	struct lcpfs_pool *pool;
	long error;

	if (copy_from_user(&event, argument, sizeof(event)))
		return -EFAULT;
	pool = lcpfs_pool_find(event.pool_guid);
	if (!pool)
		return -ENODEV;
	error = core_event_next(pool->core, event.number, &line);
	lcpfs_pool_put(pool);
	if (error)
		return error;
	event.number = line.number;
	event.time_ns = line.time_ns;
	event.level = line.level;
	event.reserved = 0;
	memcpy(event.text, line.text, sizeof(event.text));
	return copy_to_user(argument, &event, sizeof(event)) ? -EFAULT : 0;
}
