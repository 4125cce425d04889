/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xattr.h: extended attributes (xattr.c) and POSIX ACLs (acl.c) of an inode.
 *
 * The core has them all; the VFS inode caches the lists of ACLs, as of all filesystems. i_rwsem is held for every change.
 */
#ifndef LCPFS_XATTR_H
#define LCPFS_XATTR_H

#include <linux/posix_acl.h>

#include "shim/vfs/inode.h"

struct core_xattr;

extern const struct xattr_handler *lcpfs_xattr_handlers[];
ssize_t lcpfs_listxattr(struct dentry *dentry, char *buffer, size_t capacity);
/* `name` with its namespace; a NULL value removes it. With it goes the time of change. */
int lcpfs_xattr_change(struct inode *inode, const struct core_xattr *xattr, unsigned int flags);

struct posix_acl *lcpfs_acl_get(struct inode *inode, int type, bool rcu);
int lcpfs_acl_set(struct mnt_idmap *idmap, lcpfs_acl_target *target, struct posix_acl *acl, int type);
/* The list as the core has it, behind its name; kfree() of xattr->name frees it. */
int lcpfs_acl_encode(const struct posix_acl *acl, int type, struct core_xattr *xattr);
/* What the access list becomes with this mode: NULL when the inode has none. ERR_PTR. */
struct posix_acl *lcpfs_acl_for_mode(struct inode *inode, umode_t mode);
/* Gives the core the list together with the fields of `mask`, and caches it. */
int lcpfs_acl_push(struct inode *inode, struct posix_acl *acl, unsigned int mask);

#endif
