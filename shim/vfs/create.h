/* SPDX-License-Identifier: GPL-2.0-only */
/* create.h: making objects; see create.c. */
#ifndef LCPFS_CREATE_H
#define LCPFS_CREATE_H

#include <linux/fs.h>

#include "core/api/core.h"
#include "kmod/compat.h"

struct posix_acl;

/* What a new object is made with. */
struct lcpfs_new {
	struct core_new how;
	struct core_xattr *xattrs;           /* each in memory of its own, with its name in front */
	struct posix_acl *access, *fallback; /* of those the lists */
};

/* The whiteout that renaming `name` leaves: `new->how`. lcpfs_new_destroy() when it succeeded. */
int lcpfs_new_whiteout(struct lcpfs_new *new, struct mnt_idmap *idmap, struct inode *directory, const struct qstr *name);
void lcpfs_new_destroy(struct lcpfs_new *new);

int lcpfs_mknod(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, umode_t mode, dev_t device);
int lcpfs_create(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, umode_t mode, bool exclusive);
int lcpfs_mkdir(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, umode_t mode);
int lcpfs_symlink(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, const char *target);
int lcpfs_tmpfile(struct mnt_idmap *idmap, struct inode *directory, struct file *file, umode_t mode);

#endif
