/* SPDX-License-Identifier: GPL-2.0-only */
/* create.h: the inode operations that make objects; see create.c. */
#ifndef LCPFS_CREATE_H
#define LCPFS_CREATE_H

#include <linux/fs.h>

#include "kmod/compat.h"

int lcpfs_mknod(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, umode_t mode, dev_t device);
int lcpfs_create(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, umode_t mode, bool exclusive);
int lcpfs_mkdir(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, umode_t mode);
int lcpfs_symlink(struct mnt_idmap *idmap, struct inode *directory, struct dentry *dentry, const char *target);
int lcpfs_tmpfile(struct mnt_idmap *idmap, struct inode *directory, struct file *file, umode_t mode);

#endif
