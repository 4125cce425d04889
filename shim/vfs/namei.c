// SPDX-License-Identifier: GPL-2.0-only
/*
 * namei.c: names: lookup, making, linking, removing and renaming.
 *
 * Each operation is one call of the core, atomic on disk, and then a refresh of the inodes it touched, so that
 * the VFS shows what the core did. Checks that need only the VFS (permissions, types, loops, sticky
 * directories) the VFS has made. The directories are locked by it, exclusively for changes. Where a change has to be
 * durable when its call returns (durable.c) and that fails, the change stands all the same, as with a failed fsync.
 */
#include <linux/fs.h>
#include <linux/iversion.h>
#include <linux/namei.h>

#include "shim/vfs/inode.h"
#include "shim/vfs/super.h"

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

/* Who owns a new object, by the rules of the mount and of setgid directories. */
static void lcpfs_new_init(struct core_new *how, struct mnt_idmap *idmap, struct inode *directory, umode_t mode,
			   dev_t device)
{
	struct user_namespace *ns = directory->i_sb->s_user_ns;

	memset(how, 0, sizeof(*how));
	how->uid = from_kuid(ns, mapped_fsuid(idmap, ns));
	if (directory->i_mode & S_ISGID) {
		how->gid = i_gid_read(directory);
		if (S_ISDIR(mode))
			mode |= S_ISGID;
	} else {
		how->gid = from_kgid(ns, mapped_fsgid(idmap, ns));
	}
	how->mode = mode;
	how->rdev = new_encode_dev(device);
	how->time = lcpfs_time(current_time(directory));
	lcpfs_flags_inherit(directory, how);
}

static int lcpfs_make(struct inode *directory, struct dentry *dentry, const struct core_new *how)
{
	struct core_object *object;
	struct inode *inode;
	int error;

	error = core_create(lcpfs_object(directory), dentry->d_name.name, dentry->d_name.len, how, &object);
	if (error)
		return error;
	lcpfs_inode_refresh(directory);
	inode = lcpfs_inode_new(directory->i_sb, object);
	if (IS_ERR(inode)) {
		/* The name is there all the same: the next one who asks has to look. */
		d_drop(dentry);
		return PTR_ERR(inode);
	}
	d_instantiate_new(dentry, inode);
	return lcpfs_inode_dirsync(directory);
}

static int lcpfs_mknod(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, umode_t mode,
		       dev_t device)
{
	struct core_new how;

	lcpfs_new_init(&how, idmap, directory, mode, device);
	return lcpfs_make(directory, dentry, &how);
}

static int lcpfs_create(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, umode_t mode,
			bool exclusive)
{
	return lcpfs_mknod(idmap, directory, dentry, mode, 0);
}

static int lcpfs_mkdir(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, umode_t mode)
{
	return lcpfs_mknod(idmap, directory, dentry, mode | S_IFDIR, 0);
}

static int lcpfs_symlink(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, const char *target)
{
	size_t length = strlen(target);
	struct core_new how;

	if (length > CORE_SYMLINK_MAX)
		return -ENAMETOOLONG;
	lcpfs_new_init(&how, idmap, directory, S_IFLNK | 0777, 0);
	how.target = target;
	how.target_length = length;
	return lcpfs_make(directory, dentry, &how);
}

static int lcpfs_tmpfile(struct mnt_idmap *idmap, struct inode *directory, struct file *file, umode_t mode)
{
	struct core_object *object;
	struct core_new how;
	struct inode *inode;
	int error;

	lcpfs_new_init(&how, idmap, directory, mode, 0);
	error = core_create_unnamed(lcpfs_object(directory), &how, &object);
	if (error)
		return finish_open_simple(file, error);
	inode = lcpfs_inode_new(directory->i_sb, object);
	if (IS_ERR(inode))
		return finish_open_simple(file, PTR_ERR(inode));
	/* d_tmpfile takes away the link that it expects a new inode to have. */
	set_nlink(inode, 1);
	d_tmpfile(file, inode);
	unlock_new_inode(inode);
	return finish_open_simple(file, lcpfs_inode_dirsync(directory));
}

static int lcpfs_link(struct dentry *old, struct inode *directory, struct dentry *dentry)
{
	struct inode *inode = d_inode(old);
	int error;

	if (!lcpfs_project_allows(directory, inode))
		return -EXDEV;
	error = core_link(lcpfs_object(directory), dentry->d_name.name, dentry->d_name.len, lcpfs_object(inode),
			  lcpfs_time(current_time(directory)));
	if (error)
		return error;
	lcpfs_inode_refresh(directory);
	lcpfs_inode_refresh(inode);
	ihold(inode);
	d_instantiate(dentry, inode);
	return lcpfs_inode_dirsync(directory);
}

/* Files and empty directories; the object itself goes when its inode is evicted. */
static int lcpfs_unlink(struct inode *directory, struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	int error;

	error = core_unlink(lcpfs_object(directory), dentry->d_name.name, dentry->d_name.len, lcpfs_object(inode),
			    lcpfs_time(current_time(directory)));
	if (error)
		return error;
	lcpfs_inode_refresh(directory);
	lcpfs_inode_refresh(inode);
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
	int error;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if (!lcpfs_project_allows(to_directory, inode) ||
	    ((flags & RENAME_EXCHANGE) && !lcpfs_project_allows(from_directory, victim)))
		return -EXDEV;
	if (flags & RENAME_NOREPLACE)
		rename.flags |= CORE_RENAME_NOREPLACE;
	if (flags & RENAME_EXCHANGE)
		rename.flags |= CORE_RENAME_EXCHANGE;
	error = core_rename(&rename);
	if (error)
		return error;
	lcpfs_inode_refresh(from_directory);
	if (to_directory != from_directory)
		lcpfs_inode_refresh(to_directory);
	lcpfs_inode_refresh(inode);
	if (victim)
		lcpfs_inode_refresh(victim);
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
	.fileattr_get = lcpfs_fileattr_get,
	.fileattr_set = lcpfs_fileattr_set,
};

const struct inode_operations lcpfs_symlink_inode_operations = {
	.get_link = simple_get_link,
	.setattr = lcpfs_setattr,
	.getattr = lcpfs_getattr,
	.fileattr_get = lcpfs_fileattr_get,
	.fileattr_set = lcpfs_fileattr_set,
};

const struct inode_operations lcpfs_special_inode_operations = {
	.setattr = lcpfs_setattr,
	.getattr = lcpfs_getattr,
	.fileattr_get = lcpfs_fileattr_get,
	.fileattr_set = lcpfs_fileattr_set,
};
