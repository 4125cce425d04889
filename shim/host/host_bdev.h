/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * host_bdev.h: opening block devices, for the side of the shim that mounts. What the core may do with them
 * is in core/host/host.h.
 */
#ifndef LCPFS_HOST_BDEV_H
#define LCPFS_HOST_BDEV_H

#include <linux/types.h>

struct block_device;
struct host_bdev;

/*
 * Opens the block device at `path`. With `holder` it is claimed for that holder alone: -EBUSY when somebody
 * else has it. ERR_PTR on failure. Sleepable, no locks held.
 */
struct host_bdev *host_bdev_open(const char *path, bool write, void *holder);
void host_bdev_close(struct host_bdev *bdev); /* NULL allowed */

dev_t host_bdev_number(const struct host_bdev *bdev);
dev_t host_bdev_disk_number(const struct host_bdev *bdev); /* of a partition: of the disk it is on */

#endif
