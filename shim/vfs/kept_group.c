// SPDX-License-Identifier: GPL-2.0-only
/*
 * kept_group.c: a committed group of a mounted pool that stays readable on its devices as long as a descriptor is open, for
 * fsck.lcpfs. The descriptor keeps the mount busy; closing it, or the end of who has it, lets the group go.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/path.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "shim/vfs/ioctl_abi.h"
#include "shim/vfs/kept_group.h"
#include "shim/vfs/pool.h"
#include "shim/vfs/super.h"

/* The same for 32- and 64-bit programs. */
static_assert(sizeof(struct lcpfs_ioctl_kept_group) == 32);

struct lcpfs_kept_group {
	struct path path;        /* on the mount, which keeps the pool */
	struct lcpfs_pool *pool;
	u64 group;
};

static int lcpfs_kept_group_release(struct inode *inode, struct file *file)
{
	struct lcpfs_kept_group *kept = file->private_data;

	core_pool_release_group(kept->pool->core);
	path_put(&kept->path);
	kfree(kept);
	return 0;
}

static long lcpfs_kept_group_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	const struct lcpfs_kept_group *kept = file->private_data;
	struct lcpfs_ioctl_kept_group answer = { .group = kept->group };

	if (command != LCPFS_IOCTL_KEPT_GROUP)
		return -ENOTTY;
	memcpy(answer.pool_guid, kept->pool->guid, sizeof(answer.pool_guid));
	answer.is_kept = core_pool_keeps_group(kept->pool->core, kept->group);
	return copy_to_user((void __user *)argument, &answer, sizeof(answer)) ? -EFAULT : 0;
}

static const struct file_operations lcpfs_kept_group_operations = {
	.owner = THIS_MODULE,
	.release = lcpfs_kept_group_release,
	.unlocked_ioctl = lcpfs_kept_group_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

long lcpfs_keep_group(struct file *file)
{
	struct lcpfs_pool *pool = lcpfs_super_of(file_inode(file)->i_sb)->pool;
	struct lcpfs_kept_group *kept = kzalloc(sizeof(*kept), GFP_KERNEL);
	int error;

	if (!kept)
		return -ENOMEM;
	error = core_pool_keep_group(pool->core, &kept->group);
	if (error)
		goto free;
	kept->pool = pool;
	kept->path = file->f_path;
	path_get(&kept->path);
	error = anon_inode_getfd("lcpfs-group", &lcpfs_kept_group_operations, kept, O_RDONLY | O_CLOEXEC);
	if (error >= 0)
		return error;
	core_pool_release_group(pool->core);
	path_put(&kept->path);
free:
	kfree(kept);
	return error;
}
