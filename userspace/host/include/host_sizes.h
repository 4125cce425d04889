/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sizes of the opaque lock objects for both userspace hosts (POSIX and the simulator). Each host
 * asserts that its real structs fit.
 */
#ifndef LCPFS_HOST_SIZES_H
#define LCPFS_HOST_SIZES_H

#define LCPFS_MUTEX_SIZE 64
#define LCPFS_RWLOCK_SIZE 80
#define LCPFS_SPINLOCK_SIZE 64
#define LCPFS_EVENT_SIZE 112
#define LCPFS_WORK_SIZE 64
#define LCPFS_PLUG_SIZE 16

#endif
