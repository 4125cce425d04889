/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * partition.h: administration of the partitions of a started pool, through /dev/lcpfs-control.
 */
#ifndef LCPFS_PARTITION_H
#define LCPFS_PARTITION_H

/* LCPFS_IOCTL_PARTITION_GET, _CHANGE and _DECISION; the caller has checked the right to it. */
long lcpfs_partition_get(void __user *argument);
long lcpfs_partition_change(void __user *argument);
long lcpfs_partition_decision(void __user *argument);

#endif
