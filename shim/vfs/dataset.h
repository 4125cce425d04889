/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dataset.h: administration of the datasets of a started pool, through /dev/lcpfs-control.
 */
#ifndef LCPFS_DATASET_H
#define LCPFS_DATASET_H

/* LCPFS_IOCTL_DATASET_GET and _CHANGE; the caller has checked the right to it. */
long lcpfs_dataset_get(void __user *argument);
long lcpfs_dataset_change(void __user *argument);

#endif
