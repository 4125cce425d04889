// SPDX-License-Identifier: GPL-2.0-only
/*
 * namei.c: names: lookup, linking, removing and renaming; create.c makes what they name.
 *
 * Each operation is one call of the core, atomic on disk, and then a refresh of the inodes it touched, so that
 * the VFS shows what the core did. Checks that need only the VFS (permissions, types, loops, sticky
 * directories) the VFS has made. The directories are locked by it, exclusively for changes. Where a change has to be
 * durable when its call returns (durable.c) and that fails, the change stands all the same, as with a failed fsync.
 */
#include <linux/fs.h>
#include <linux/iversion.h>
#include <linux/namei.h>

#include "shim/vfs/create.h"
#include "shim/vfs/inode.h"
#include "shim/vfs/super.h"
#include "shim/vfs/xattr.h"

static struct dentry *lcpfs_lookup(struct inode *directory, struct dentry *dentry, unsigned int flags)
{
	struct inode *inode = NULL;
	u8 type;
	u64 id;
	int error;

	if (dentry->d_name.len > CORE_NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	error = core_lookup(lcpfs_object(directory), dentry->d_name.name, dentry->d_name.len, &id, &type);
	if (!error) {
		inode = lcpfs_iget(directory->i_sb, id);
		if (inode == ERR_PTR(-ENOENT)) {
			pr_err_ratelimited("lcpfs (%s): object %llu has a name in directory %lu and does not exist\n",
					   directory->i_sb->s_id, id, directory->i_ino);
			inode = ERR_PTR(-EUCLEAN);
		}
	} else if (error != -ENOENT) {
		inode = ERR_PTR(error);
	}
	return d_splice_alias(inode, dentry);
}

static int lcpfs_link(struct dentry *old, struct inode *directory, struct dentry *dentry)
{
	struct core_time time = lcpfs_time(current_time(directory));
	struct inode *inode = d_inode(old);
	int error;

	if (!lcpfs_project_allows(directory, inode))
		return -EXDEV;
	error = core_link(lcpfs_object(directory), dentry->d_name.name, dentry->d_name.len, lcpfs_object(inode), time);
	if (error)
		return error;
	lcpfs_inode_refresh(directory, time);
	lcpfs_inode_refresh(inode, time);
	ihold(inode);
	d_instantiate(dentry, inode);
	return lcpfs_inode_dirsync(directory);
}

/* Files and empty directories; the object itself goes when its inode is evicted. */
static int lcpfs_unlink(struct inode *directory, struct dentry *dentry)
{
	struct core_time time = lcpfs_time(current_time(directory));
	struct inode *inode = d_inode(dentry);
	int error;

	error = core_unlink(lcpfs_object(directory), dentry->d_name.name, dentry->d_name.len, lcpfs_object(inode), time);
	if (error)
		return error;
	lcpfs_inode_refresh(directory, time);
	lcpfs_inode_refresh(inode, time);
	return lcpfs_inode_dirsync(directory);
}

static int lcpfs_rename(struct mnt_idmap *idmap, struct inode *from_directory, struct dentry *from,
			struct inode *to_directory, struct dentry *to, unsigned int flags)
{
	struct inode *inode = d_inode(from);
	struct inode *victim = d_inode(to);
	struct core_rename rename = {
		.from_directory = lcpfs_object(from_directory),
		.to_directory = lcpfs_object(to_directory),
		.from_name = from->d_name.name,
		.from_length = from->d_name.len,
		.to_name = to->d_name.name,
		.to_length = to->d_name.len,
		.object = lcpfs_object(inode),
		.victim = victim ? lcpfs_object(victim) : NULL,
		.time = lcpfs_time(current_time(from_directory)),
	};
	struct lcpfs_new whiteout;
	int error;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if (!lcpfs_project_allows(to_directory, inode) ||
	    ((flags & RENAME_EXCHANGE) && !lcpfs_project_allows(from_directory, victim)))
		return -EXDEV;
	if (flags & RENAME_NOREPLACE)
		rename.flags |= CORE_RENAME_NOREPLACE;
	if (flags & RENAME_EXCHANGE)
		rename.flags |= CORE_RENAME_EXCHANGE;
	if (flags & RENAME_WHITEOUT) {
		error = lcpfs_new_whiteout(&whiteout, idmap, from_directory, &from->d_name);
		if (error)
			return error;
		rename.flags |= CORE_RENAME_WHITEOUT;
		rename.whiteout = &whiteout.how;
	}
	error = core_rename(&rename);
	if (flags & RENAME_WHITEOUT)
		lcpfs_new_destroy(&whiteout);
	if (error)
		return error;
	lcpfs_inode_refresh(from_directory, rename.time);
	if (to_directory != from_directory)
		lcpfs_inode_refresh(to_directory, rename.time);
	lcpfs_inode_refresh(inode, rename.time);
	if (victim)
		lcpfs_inode_refresh(victim, rename.time);
	return lcpfs_inode_dirsync(from_directory) ?: lcpfs_inode_dirsync(to_directory);
}

const struct inode_operations lcpfs_directory_inode_operations = {
	.lookup = lcpfs_lookup,
	.create = lcpfs_create,
	.mkdir = lcpfs_mkdir,
	.mknod = lcpfs_mknod,
	.symlink = lcpfs_symlink,
	.tmpfile = lcpfs_tmpfile,
	.link = lcpfs_link,
	.unlink = lcpfs_unlink,
	.rmdir = lcpfs_unlink,
	.rename = lcpfs_rename,
	.setattr = lcpfs_setattr,
	.getattr = lcpfs_getattr,
	.listxattr = lcpfs_listxattr,
	LCPFS_ACL_OPERATIONS,
	.fileattr_get = lcpfs_fileattr_get,
	.fileattr_set = lcpfs_fileattr_set,
};

const struct inode_operations lcpfs_symlink_inode_operations = {
	.get_link = simple_get_link,
	.setattr = lcpfs_setattr,
	.getattr = lcpfs_getattr,
	.listxattr = lcpfs_listxattr,
	.fileattr_get = lcpfs_fileattr_get,
	.fileattr_set = lcpfs_fileattr_set,
};

const struct inode_operations lcpfs_special_inode_operations = {
	.setattr = lcpfs_setattr,
	.getattr = lcpfs_getattr,
	.listxattr = lcpfs_listxattr,
	LCPFS_ACL_OPERATIONS,
	.fileattr_get = lcpfs_fileattr_get,
	.fileattr_set = lcpfs_fileattr_set,
};
