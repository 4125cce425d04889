// SPDX-License-Identifier: GPL-2.0-only
/*
 * xattr.c: extended attributes: user, trusted and security. What may be set by whom, and on what, the VFS has checked.
 */
#include <linux/capability.h>
#include <linux/iversion.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>

#include "shim/vfs/xattr.h"

static_assert(CORE_XATTR_CREATE == XATTR_CREATE && CORE_XATTR_REPLACE == XATTR_REPLACE);
static_assert(CORE_XATTR_NAME_MAX == XATTR_NAME_MAX && CORE_XATTR_VALUE_MAX == XATTR_SIZE_MAX);

int lcpfs_xattr_change(struct inode *inode, const struct core_xattr *xattr, unsigned int flags)
{
	struct timespec64 before = inode_get_ctime(inode);
	struct core_attr attr;
	int error;

	inode_set_ctime_to_ts(inode, current_time(inode));
	inode_inc_iversion(inode);
	mutex_lock(&lcpfs_inode_of(inode)->push);
	attr = lcpfs_inode_attr(inode);
	error = core_xattr_set(lcpfs_object(inode), xattr, flags, &attr, CORE_SET_CTIME | CORE_SET_CHANGE);
	mutex_unlock(&lcpfs_inode_of(inode)->push);
	if (error) {
		inode_set_ctime_to_ts(inode, before);
		return error;
	}
	return lcpfs_inode_changed(inode);
}

static int lcpfs_xattr_get(const struct xattr_handler *handler, struct dentry *dentry, struct inode *inode,
			   const char *suffix, void *buffer, size_t size)
{
	const char *name = xattr_full_name(handler, suffix);
	u32 length;
	int error;

	error = core_xattr_get(lcpfs_object(inode), name, strlen(name), buffer, min_t(size_t, size, U32_MAX), &length);
	return error ?: (int)length;
}

static int lcpfs_xattr_set(const struct xattr_handler *handler, struct mnt_idmap *idmap, struct dentry *dentry,
			   struct inode *inode, const char *suffix, const void *value, size_t size, int flags)
{
	struct core_xattr xattr = { .name = xattr_full_name(handler, suffix), .value = value, .value_length = size };

	if (size > CORE_XATTR_VALUE_MAX)
		return -E2BIG;
	xattr.name_length = strlen(xattr.name);
	return lcpfs_xattr_change(inode, &xattr, flags & (XATTR_CREATE | XATTR_REPLACE));
}

#define LCPFS_XATTR_HANDLER(space, text)                              \
	static const struct xattr_handler lcpfs_xattr_##space##_handler = { \
		.prefix = text,                                       \
		.get = lcpfs_xattr_get,                               \
		.set = lcpfs_xattr_set,                               \
	}
LCPFS_XATTR_HANDLER(user, XATTR_USER_PREFIX);
LCPFS_XATTR_HANDLER(trusted, XATTR_TRUSTED_PREFIX);
LCPFS_XATTR_HANDLER(security, XATTR_SECURITY_PREFIX);

const struct xattr_handler *lcpfs_xattr_handlers[] = {
	&lcpfs_xattr_user_handler,
	&lcpfs_xattr_trusted_handler,
	&lcpfs_xattr_security_handler,
	LCPFS_ACL_XATTR_HANDLERS
	NULL,
};

/* trusted.* is shown to the administrator alone. */
static bool lcpfs_xattr_is_shown(void *context, const char *name, u32 length)
{
	const bool *shows_trusted = context;

	return *shows_trusted || length < XATTR_TRUSTED_PREFIX_LEN ||
	       memcmp(name, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN) != 0;
}

ssize_t lcpfs_listxattr(struct dentry *dentry, char *buffer, size_t capacity)
{
	bool shows_trusted = ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);
	u32 length;
	int error;

	error = core_xattr_list(lcpfs_object(d_inode(dentry)), lcpfs_xattr_is_shown, &shows_trusted, buffer,
				min_t(size_t, capacity, U32_MAX), &length);
	return error ?: (ssize_t)length;
}
