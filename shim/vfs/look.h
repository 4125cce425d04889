/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * look.h: who is looking at a device, to find out which pool it belongs to.
 *
 * A mount claims its source before it knows whether it will start the pool or share one that is there. For that time the device is
 * busy for all others; they wait until it is decided. Who looks waits for nobody meanwhile, but for the device to answer.
 */
#ifndef LCPFS_LOOK_H
#define LCPFS_LOOK_H

#include <linux/list.h>
#include <linux/types.h>

struct lcpfs_look {
	struct list_head node;
	dev_t number; /* 0: not known yet */
};

/* Before the device is claimed; which one it is; after it was given back, or when it belongs to a pool that can be found. */
void lcpfs_look_begin(struct lcpfs_look *look);
void lcpfs_look_at(struct lcpfs_look *look, dev_t number);
void lcpfs_look_end(struct lcpfs_look *look); /* more than once is allowed */

/* Waits until nobody looks at the device at `path`. False: it is none, or the wait was ended by a signal that kills. */
bool lcpfs_look_wait(const char *path);

#endif
