/* SPDX-License-Identifier: GPL-2.0-only */
/* kept_group.h: see kept_group.c. */
#ifndef LCPFS_KEPT_GROUP_H
#define LCPFS_KEPT_GROUP_H

struct file;

/* LCPFS_IOCTL_KEEP_GROUP on `file`; the caller has checked the right to it. A descriptor, or -EBUSY, -EMFILE, -ENOMEM. */
long lcpfs_keep_group(struct file *file);

#endif
