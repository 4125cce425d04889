// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_bdev.c: a block device, opened, and what the core wants to know of it. The requests are in
 * host_io.c. Immutable between open and close, so it needs no lock.
 */
#include <linux/blkdev.h>
#include <linux/slab.h>

#include "core/host/host.h"
#include "kmod/compat.h"
#include "shim/host/host_bdev.h"
#include "shim/host/host_bdev_types.h"

struct host_bdev *host_bdev_open(const char *path, bool write, void *holder)
{
	struct host_bdev *bdev = kzalloc(sizeof(*bdev), GFP_KERNEL);
	int error;

	if (!bdev)
		return ERR_PTR(-ENOMEM);
	error = lcpfs_bdev_open(&bdev->handle, path, write, holder);
	if (error) {
		kfree(bdev);
		return ERR_PTR(error);
	}
	snprintf(bdev->name, sizeof(bdev->name), "%pg", bdev->handle.bdev);
	return bdev;
}

void host_bdev_close(struct host_bdev *bdev)
{
	if (!bdev)
		return;
	lcpfs_bdev_close(&bdev->handle);
	kfree(bdev);
}

dev_t host_bdev_number(const struct host_bdev *bdev)
{
	return bdev->handle.bdev->bd_dev;
}

dev_t host_bdev_disk_number(const struct host_bdev *bdev)
{
	return bdev_whole(bdev->handle.bdev)->bd_dev;
}

void host_bdev_get_info(const struct host_bdev *bdev, struct host_bdev_info *info)
{
	struct block_device *device = bdev->handle.bdev;

	*info = (struct host_bdev_info){
		.capacity_bytes = bdev_nr_bytes(device),
		.logical_block_bytes = bdev_logical_block_size(device),
		.physical_block_bytes = bdev_physical_block_size(device),
		.read_only = bdev_read_only(device),
		.volatile_cache = bdev_write_cache(device),
		.fua = bdev_fua(device),
		.rotational = !bdev_nonrot(device),
		.discard = bdev_max_discard_sectors(device) != 0,
	};
}

const char *host_bdev_name(const struct host_bdev *bdev)
{
	return bdev->name;
}
