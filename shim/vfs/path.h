/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * path.h: administration of the paths of a started pool, through /dev/lcpfs-control.
 */
#ifndef LCPFS_PATH_H
#define LCPFS_PATH_H

/* LCPFS_IOCTL_PATH_GET and _CHANGE; the caller has checked the right to it. */
long lcpfs_path_get(void __user *argument);
long lcpfs_path_change(void __user *argument);

#endif
