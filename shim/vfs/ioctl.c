// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl.c: the ioctls of files and directories.
 *
 * A group of the pool can be kept readable while it is checked (kept_group.c).
 *
 * FITRIM tells the devices what is free (fstrim(8)); offsets are bytes of the pool's data devices put one behind the other.
 *
 * Shutting down takes the filesystem down at once, as XFS and ext4 have it, for tests and for administrators whose storage goes away.
 * From then on everything that would change the pool fails with EIO, in all its mounts, until it is unmounted; the next mount
 * finds what was durable.
 */
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "shim/vfs/inode.h"
#include "shim/vfs/ioctl_abi.h"
#include "shim/vfs/kept_group.h"
#include "shim/vfs/super.h"

#define LCPFS_IOC_SHUTDOWN _IOR('X', 125, u32)
enum {
	LCPFS_SHUTDOWN_SYNC = 0,    /* everything is written first */
	LCPFS_SHUTDOWN_LOG = 1,     /* the intent log is: what was done by calls that have returned, but for data in the cache */
	LCPFS_SHUTDOWN_AT_ONCE = 2, /* nothing is */
};

static int lcpfs_shutdown(struct super_block *sb, u32 how)
{
	int error = 0;

	switch (how) {
	case LCPFS_SHUTDOWN_SYNC:
		down_read(&sb->s_umount);
		error = sync_filesystem(sb);
		up_read(&sb->s_umount);
		break;
	case LCPFS_SHUTDOWN_LOG:
		error = core_object_sync(lcpfs_object(d_inode(sb->s_root)));
		break;
	case LCPFS_SHUTDOWN_AT_ONCE:
		break;
	default:
		return -EINVAL;
	}
	/* A device that is going may fail that: it is no reason to stay up. */
	if (error)
		pr_warn("lcpfs (%s): shutting down although writing failed: error %d\n", sb->s_id, error);
	pr_warn("lcpfs (%s): shut down by an ioctl\n", sb->s_id);
	core_pool_shutdown(lcpfs_super_of(sb)->pool->core);
	return 0;
}

static bool lcpfs_trim_is_interrupted(void *context)
{
	return fatal_signal_pending(current);
}

static int lcpfs_trim(struct super_block *sb, struct fstrim_range __user *argument)
{
	struct fstrim_range range;
	u64 trimmed = 0;
	int error;

	if (copy_from_user(&range, argument, sizeof(range)))
		return -EFAULT;
	error = core_pool_trim(lcpfs_super_of(sb)->pool->core, range.start, range.len, range.minlen, lcpfs_trim_is_interrupted, NULL,
			       &trimmed);
	if (error)
		return error == -EBUSY ? -EINTR : error;
	range.len = trimmed;
	return copy_to_user(argument, &range, sizeof(range)) ? -EFAULT : 0;
}

long lcpfs_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct super_block *sb = file_inode(file)->i_sb;
	u32 how;

	if (command != LCPFS_IOC_SHUTDOWN && command != FITRIM && command != LCPFS_IOCTL_KEEP_GROUP)
		return -ENOTTY;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (command == LCPFS_IOCTL_KEEP_GROUP)
		return lcpfs_keep_group(file);
	if (command == FITRIM)
		return lcpfs_trim(sb, (struct fstrim_range __user *)argument);
	if (get_user(how, (u32 __user *)argument))
		return -EFAULT;
	return lcpfs_shutdown(sb, how);
}
