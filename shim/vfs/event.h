/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LCPFS_EVENT_H
#define LCPFS_EVENT_H

#include <linux/types.h>

/* LCPFS_IOCTL_EVENT_GET; the caller has checked the right to it. */
long lcpfs_event_get(void __user *argument);

#endif
