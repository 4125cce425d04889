// SPDX-License-Identifier: GPL-2.0-only
/*
 * acl.c: POSIX ACLs. The core keeps each as an attribute in the form that programs see; what it gives back has been checked there, and
 * is checked by the kernel again. A list that says no more than the mode is not kept, as everywhere.
 *
 * List and mode change in one operation of the core, chmod included: no crash shows them out of step. What a new object
 * inherits goes with its creation (create.c).
 */
#include <linux/iversion.h>
#include <linux/posix_acl_xattr.h>
#include <linux/slab.h>
#include <linux/xattr.h>

#include "shim/vfs/xattr.h"

static const char *lcpfs_acl_name(int type)
{
	return type == ACL_TYPE_ACCESS ? XATTR_NAME_POSIX_ACL_ACCESS : XATTR_NAME_POSIX_ACL_DEFAULT;
}

struct posix_acl *lcpfs_acl_get(struct inode *inode, int type, bool rcu)
{
	const char *name = lcpfs_acl_name(type);
	struct posix_acl *acl;
	void *value = NULL;
	u32 length = 0;
	int error;

	if (rcu)
		return ERR_PTR(-ECHILD);
	do {
		/* It may have grown since it was asked for its length. */
		kfree(value);
		error = core_xattr_get(lcpfs_object(inode), name, strlen(name), NULL, 0, &length);
		if (error)
			return error == -ENODATA ? NULL : ERR_PTR(error);
		value = kmalloc(max(length, 1u), GFP_NOFS);
		if (!value)
			return ERR_PTR(-ENOMEM);
		error = core_xattr_get(lcpfs_object(inode), name, strlen(name), value, max(length, 1u), &length);
	} while (error == -ERANGE);
	if (error) {
		kfree(value);
		return error == -ENODATA ? NULL : ERR_PTR(error);
	}
	acl = posix_acl_from_xattr(&init_user_ns, value, length);
	kfree(value);
	if (!IS_ERR_OR_NULL(acl) && posix_acl_valid(&init_user_ns, acl)) {
		posix_acl_release(acl);
		acl = ERR_PTR(-EUCLEAN);
	}
	return acl;
}

int lcpfs_acl_encode(const struct posix_acl *acl, int type, struct core_xattr *xattr)
{
	const char *name = lcpfs_acl_name(type);
	size_t name_bytes = strlen(name);
	size_t bytes = posix_acl_xattr_size(acl->a_count);
	char *memory;
	int error;

	if (bytes > CORE_XATTR_VALUE_MAX)
		return -E2BIG;
	memory = kmalloc(name_bytes + bytes, GFP_NOFS);
	if (!memory)
		return -ENOMEM;
	memcpy(memory, name, name_bytes);
	error = posix_acl_to_xattr(&init_user_ns, acl, memory + name_bytes, bytes);
	if (error < 0) {
		kfree(memory);
		return error;
	}
	*xattr = (struct core_xattr){
		.name = memory,
		.name_length = name_bytes,
		.value = memory + name_bytes,
		.value_length = bytes,
	};
	return 0;
}

static int lcpfs_acl_write(struct inode *inode, struct posix_acl *acl, int type, unsigned int flags, unsigned int mask)
{
	const char *name = lcpfs_acl_name(type);
	struct core_xattr xattr = { .name = name, .name_length = strlen(name) };
	struct core_attr attr;
	int error = acl ? lcpfs_acl_encode(acl, type, &xattr) : 0;

	if (error)
		return error;
	mutex_lock(&lcpfs_inode_of(inode)->push);
	attr = lcpfs_inode_attr(inode);
	error = core_xattr_set(lcpfs_object(inode), &xattr, acl ? flags : CORE_XATTR_IF_ANY, &attr, mask);
	mutex_unlock(&lcpfs_inode_of(inode)->push);
	if (acl)
		kfree(xattr.name);
	if (!error)
		set_cached_acl(inode, type, acl);
	return error;
}

int lcpfs_acl_set(struct mnt_idmap *idmap, lcpfs_acl_target *target, struct posix_acl *acl, int type)
{
	struct inode *inode = lcpfs_acl_inode(target);
	struct timespec64 ctime = inode_get_ctime(inode);
	umode_t before = inode->i_mode;
	umode_t mode = before;
	int error = 0;

	if (type == ACL_TYPE_DEFAULT && !S_ISDIR(inode->i_mode))
		return acl ? -EACCES : 0;
	if (type == ACL_TYPE_ACCESS && acl)
		error = posix_acl_update_mode(idmap, inode, &mode, &acl);
	if (error)
		return error;
	inode->i_mode = mode;
	inode_set_ctime_to_ts(inode, current_time(inode));
	inode_inc_iversion(inode);
	error = lcpfs_acl_write(inode, acl, type, 0, CORE_SET_MODE | CORE_SET_CTIME | CORE_SET_CHANGE);
	if (error) {
		inode->i_mode = before;
		inode_set_ctime_to_ts(inode, ctime);
		return error;
	}
	return lcpfs_inode_changed(inode);
}

struct posix_acl *lcpfs_acl_for_mode(struct inode *inode, umode_t mode)
{
	struct posix_acl *acl = get_inode_acl(inode, ACL_TYPE_ACCESS);
	int error;

	if (IS_ERR_OR_NULL(acl))
		return acl;
	error = __posix_acl_chmod(&acl, GFP_NOFS, mode);
	return error ? ERR_PTR(error) : acl;
}

int lcpfs_acl_push(struct inode *inode, struct posix_acl *acl, unsigned int mask)
{
	return lcpfs_acl_write(inode, acl, ACL_TYPE_ACCESS, CORE_XATTR_SAME_SIZE, mask);
}
