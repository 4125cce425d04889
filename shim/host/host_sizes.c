// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_sizes.c: never linked. Compiled to assembler, from which the build makes host_sizes.h: the sizes
 * of this kernel's lock objects for code that may not include its headers.
 */
#include <linux/kbuild.h>
#include <linux/blkdev.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "shim/host/host_work.h"

int main(void)
{
	DEFINE(LCPFS_MUTEX_SIZE, sizeof(struct mutex));
	DEFINE(LCPFS_RWLOCK_SIZE, sizeof(struct rw_semaphore));
	DEFINE(LCPFS_SPINLOCK_SIZE, sizeof(spinlock_t));
	DEFINE(LCPFS_EVENT_SIZE, sizeof(wait_queue_head_t));
	DEFINE(LCPFS_WORK_SIZE, sizeof(struct lcpfs_work));
	DEFINE(LCPFS_PLUG_SIZE, sizeof(struct blk_plug));
	return 0;
}
