// SPDX-License-Identifier: GPL-2.0-only
/*
 * create.c: making files, directories, symbolic links and special files.
 *
 * An object comes to be with all that it begins with, in one operation of the core: its lists of ACLs, inherited from the directory,
 * and what the security modules label it with. So no crash shows it without. For that the VFS inode is made first, without a
 * number: the security modules want to see it. Where neither lists nor labels are, nothing is allocated for them.
 */
#include <linux/namei.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/xattr.h>

#include "shim/vfs/create.h"
#include "shim/vfs/inode.h"
#include "shim/vfs/xattr.h"

/* Who owns a new object, by the rules of the mount and of setgid directories. */
static void lcpfs_new_init(struct lcpfs_new *new, struct mnt_idmap *idmap, struct inode *directory, umode_t mode,
			   dev_t device)
{
	struct user_namespace *ns = directory->i_sb->s_user_ns;
	struct core_new *how = &new->how;

	memset(new, 0, sizeof(*new));
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

void lcpfs_new_destroy(struct lcpfs_new *new)
{
	u32 i;

	for (i = 0; i < new->how.xattr_count; i++)
		kfree(new->xattrs[i].name);
	kfree(new->xattrs);
	posix_acl_release(new->access);
	posix_acl_release(new->fallback);
}

static int lcpfs_new_grow(struct lcpfs_new *new, u32 more)
{
	struct core_xattr *grown;

	grown = krealloc_array(new->xattrs, new->how.xattr_count + more, sizeof(*grown), GFP_NOFS);
	if (!grown)
		return -ENOMEM;
	new->xattrs = grown;
	new->how.xattrs = grown;
	return 0;
}

static int lcpfs_new_add_acl(struct lcpfs_new *new, const struct posix_acl *acl, int type)
{
	int error;

	if (!acl)
		return 0;
	error = lcpfs_new_grow(new, 1);
	if (!error)
		error = lcpfs_acl_encode(acl, type, &new->xattrs[new->how.xattr_count]);
	if (!error)
		new->how.xattr_count++;
	return error;
}

/* What the security modules give, which is theirs again when this returns. */
static int lcpfs_new_add_labels(struct inode *inode, const struct xattr *labels, void *context)
{
	struct lcpfs_new *new = context;
	const struct xattr *label;

	for (label = labels; label->name; label++) {
		size_t suffix_bytes = strlen(label->name);
		size_t name_bytes = XATTR_SECURITY_PREFIX_LEN + suffix_bytes;
		char *memory;
		int error = lcpfs_new_grow(new, 1);

		if (error)
			return error;
		memory = kmalloc(name_bytes + label->value_len, GFP_NOFS);
		if (!memory)
			return -ENOMEM;
		memcpy(memory, XATTR_SECURITY_PREFIX, XATTR_SECURITY_PREFIX_LEN);
		memcpy(memory + XATTR_SECURITY_PREFIX_LEN, label->name, suffix_bytes);
		memcpy(memory + name_bytes, label->value, label->value_len);
		new->xattrs[new->how.xattr_count++] = (struct core_xattr){
			.name = memory,
			.name_length = name_bytes,
			.value = memory + name_bytes,
			.value_length = label->value_len,
		};
	}
	return 0;
}

/* The inode to be, of which nobody knows, and what it begins with. */
static struct inode *lcpfs_new_prepare(struct lcpfs_new *new, struct inode *directory, const struct qstr *name)
{
	struct inode *inode = new_inode(directory->i_sb);
	umode_t mode = new->how.mode;
	int error;

	if (!inode)
		return ERR_PTR(-ENOMEM);
	error = posix_acl_create(directory, &mode, &new->fallback, &new->access);
	new->how.mode = mode;
	inode->i_mode = mode;
	i_uid_write(inode, new->how.uid);
	i_gid_write(inode, new->how.gid);
	if (!error)
		error = lcpfs_new_add_acl(new, new->access, ACL_TYPE_ACCESS);
	if (!error)
		error = lcpfs_new_add_acl(new, new->fallback, ACL_TYPE_DEFAULT);
	if (!error)
		error = security_inode_init_security(inode, directory, name, lcpfs_new_add_labels, new);
	if (!error)
		return inode;
	iput(inode);
	return ERR_PTR(error);
}

/* The object has been made. Consumes inode and object when it fails. */
static int lcpfs_new_finish(struct lcpfs_new *new, struct inode *inode, struct core_object *object)
{
	int error = lcpfs_inode_adopt(inode, object);

	if (error)
		return error;
	cache_no_acl(inode);
	if (new->access)
		set_cached_acl(inode, ACL_TYPE_ACCESS, new->access);
	if (new->fallback)
		set_cached_acl(inode, ACL_TYPE_DEFAULT, new->fallback);
	return 0;
}

static int lcpfs_make(struct inode *directory, struct dentry *dentry, struct lcpfs_new *new)
{
	struct inode *inode = lcpfs_new_prepare(new, directory, &dentry->d_name);
	struct core_object *object;
	int error;

	if (IS_ERR(inode)) {
		error = PTR_ERR(inode);
		goto out;
	}
	error = core_create(lcpfs_object(directory), dentry->d_name.name, dentry->d_name.len, &new->how, &object);
	if (error) {
		iput(inode);
		goto out;
	}
	lcpfs_inode_refresh(directory, new->how.time);
	error = lcpfs_new_finish(new, inode, object);
	if (error) {
		/* The name is there all the same: the next one who asks has to look. */
		d_drop(dentry);
		goto out;
	}
	d_instantiate_new(dentry, inode);
	error = lcpfs_inode_dirsync(directory);
out:
	lcpfs_new_destroy(new);
	return error;
}

int lcpfs_new_whiteout(struct lcpfs_new *new, struct mnt_idmap *idmap, struct inode *directory, const struct qstr *name)
{
	struct inode *inode;

	lcpfs_new_init(new, idmap, directory, S_IFCHR | WHITEOUT_MODE, WHITEOUT_DEV);
	inode = lcpfs_new_prepare(new, directory, name);
	if (IS_ERR(inode)) {
		lcpfs_new_destroy(new);
		return PTR_ERR(inode);
	}
	/* It was there for its label. Who looks the name up gets another. */
	iput(inode);
	return 0;
}

int lcpfs_mknod(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, umode_t mode, dev_t device)
{
	struct lcpfs_new new;

	lcpfs_new_init(&new, idmap, directory, mode, device);
	return lcpfs_make(directory, dentry, &new);
}

int lcpfs_create(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, umode_t mode, bool exclusive)
{
	return lcpfs_mknod(idmap, directory, dentry, mode, 0);
}

int lcpfs_mkdir(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, umode_t mode)
{
	return lcpfs_mknod(idmap, directory, dentry, mode | S_IFDIR, 0);
}

int lcpfs_symlink(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, const char *target)
{
	size_t length = strlen(target);
	struct lcpfs_new new;

	if (length > CORE_SYMLINK_MAX)
		return -ENAMETOOLONG;
	lcpfs_new_init(&new, idmap, directory, S_IFLNK | 0777, 0);
	new.how.target = target;
	new.how.target_length = length;
	return lcpfs_make(directory, dentry, &new);
}

static int lcpfs_make_unnamed(struct inode *directory, struct file *file, struct lcpfs_new *new)
{
	struct inode *inode = lcpfs_new_prepare(new, directory, NULL);
	struct core_object *object;
	int error;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	error = core_create_unnamed(lcpfs_object(directory), &new->how, &object);
	if (error) {
		iput(inode);
		return error;
	}
	error = lcpfs_new_finish(new, inode, object);
	if (error)
		return error;
	/* d_tmpfile takes away the link that it expects a new inode to have. */
	set_nlink(inode, 1);
	d_tmpfile(file, inode);
	unlock_new_inode(inode);
	return lcpfs_inode_dirsync(directory);
}

int lcpfs_tmpfile(struct mnt_idmap *idmap, struct inode *directory, struct file *file, umode_t mode)
{
	struct lcpfs_new new;
	int error;

	lcpfs_new_init(&new, idmap, directory, mode, 0);
	error = lcpfs_make_unnamed(directory, file, &new);
	lcpfs_new_destroy(&new);
	return finish_open_simple(file, error);
}
