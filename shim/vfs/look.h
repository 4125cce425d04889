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
	dev_t number; /* 0: there is no device */
};

/*
 * Before the device at `path` is claimed; after it was given back, or when it belongs to a pool that can be found. Which one it is is
 * known from the first: to open it may take forever, and who waits for another one is not to wait for that.
 */
void lcpfs_look_begin(struct lcpfs_look *look, const char *path);
void lcpfs_look_end(struct lcpfs_look *look); /* more than once is allowed */

/* How many looks have ended. */
unsigned int lcpfs_look_count(void);

/*
 * Waits until nobody looks at the device at `path`, or at the whole disk that it is a partition of. Whether it is worth another try:
 * a look has ended since there were `count`, from before the last one. Not after a signal that kills.
 */
bool lcpfs_look_wait(const char *path, unsigned int count);

#endif
