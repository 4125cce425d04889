/* SPDX-License-Identifier: GPL-2.0-only */
/* host_bdev_types.h: the inside of a host_bdev, for host_bdev.c and host_io.c alone. */
#ifndef LCPFS_HOST_BDEV_TYPES_H
#define LCPFS_HOST_BDEV_TYPES_H

#include "kmod/compat.h"

struct host_bdev {
	struct lcpfs_bdev_handle handle;
	char name[BDEVNAME_SIZE];
};

#endif
