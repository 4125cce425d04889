/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * host_work.h: what a struct host_work is inside. Apart from host.h, because the size of it is an input
 * of host.h (host_sizes.c).
 */
#ifndef LCPFS_HOST_WORK_H
#define LCPFS_HOST_WORK_H

#include <linux/workqueue.h>

struct host_work;

struct lcpfs_work {
	struct work_struct work;
	void (*body)(struct host_work *work);
};

#endif
