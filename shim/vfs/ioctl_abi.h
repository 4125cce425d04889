/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * ioctl_abi.h: what programs and /dev/lcpfs-control agree on. Fixed-width, the same for 32- and 64-bit
 * programs; never changed once released, only added to.
 */
#ifndef LCPFS_IOCTL_ABI_H
#define LCPFS_IOCTL_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define LCPFS_CONTROL_NAME "lcpfs-control"
#define LCPFS_IOCTL_PATH_BYTES 4096

/* `path` in, NUL-terminated; the rest out. */
struct lcpfs_ioctl_scan {
	__u8 pool_guid[16];
	__u8 device_guid[16];
	__u32 device_index;
	__u32 device_count;
	char pool_name[64];
	char path[LCPFS_IOCTL_PATH_BYTES];
};

/* Remembers a block device for the pool its labels name. -EINVAL: not one of lcpfs. */
#define LCPFS_IOCTL_SCAN _IOWR(0xf5, 1, struct lcpfs_ioctl_scan)
/* Forgets the device at `path`, or all devices when `path` is empty. -ENOENT: was not known. */
#define LCPFS_IOCTL_FORGET _IOW(0xf5, 2, struct lcpfs_ioctl_scan)

#endif
