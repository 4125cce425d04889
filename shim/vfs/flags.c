// SPDX-License-Identifier: GPL-2.0-only
/*
 * flags.c: the attribute flags of chattr(1) and project ids, by FS_IOC_GETFLAGS/SETFLAGS and FS_IOC_FSGETXATTR/FSSETXATTR.
 *
 * Kept as FS_*_FL bits in the object; the VFS acts on the i_flags made from them and asks for CAP_LINUX_IMMUTABLE where it is
 * due. FS_COMPR_FL has new data of a file compressed in a dataset that is not compressed as a whole; the core looks at it. Flags that
 * would promise what is not done (journalled data, secure deletion) are refused.
 *
 * What is made in a directory gets its flags, as far as they mean something for its type. With FS_PROJINHERIT_FL it gets its
 * project id too, and nothing of another project can be linked or moved there (-EXDEV, as XFS and ext4 have it).
 */
#include <linux/fs.h>
#include <linux/fileattr.h>
#include <linux/iversion.h>

#include "shim/vfs/inode.h"

#define LCPFS_FLAGS_FILE (FS_SYNC_FL | FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL | FS_COMPR_FL)
#define LCPFS_FLAGS_DIRECTORY (LCPFS_FLAGS_FILE | FS_DIRSYNC_FL | FS_PROJINHERIT_FL)
#define LCPFS_FLAGS_INHERITED \
	(FS_SYNC_FL | FS_NODUMP_FL | FS_NOATIME_FL | FS_DIRSYNC_FL | FS_PROJINHERIT_FL | FS_COMPR_FL)

static u32 lcpfs_flags_of_type(umode_t mode)
{
	if (S_ISDIR(mode))
		return LCPFS_FLAGS_DIRECTORY;
	return S_ISREG(mode) ? LCPFS_FLAGS_FILE : FS_NODUMP_FL | FS_NOATIME_FL;
}

void lcpfs_flags_take(struct inode *inode, u32 flags, u32 project)
{
	unsigned int set = 0;

	lcpfs_inode_of(inode)->flags = flags;
	lcpfs_inode_of(inode)->project = project;
	if (flags & FS_SYNC_FL)
		set |= S_SYNC;
	if (flags & FS_APPEND_FL)
		set |= S_APPEND;
	if (flags & FS_IMMUTABLE_FL)
		set |= S_IMMUTABLE;
	if (flags & FS_NOATIME_FL)
		set |= S_NOATIME;
	if (flags & FS_DIRSYNC_FL)
		set |= S_DIRSYNC;
	inode_set_flags(inode, set, S_SYNC | S_APPEND | S_IMMUTABLE | S_NOATIME | S_DIRSYNC);
}

void lcpfs_flags_inherit(const struct inode *directory, struct core_new *how)
{
	const struct lcpfs_inode *parent = lcpfs_inode_of(directory);

	how->flags = parent->flags & LCPFS_FLAGS_INHERITED & lcpfs_flags_of_type(how->mode);
	how->project = parent->flags & FS_PROJINHERIT_FL ? parent->project : 0;
}

bool lcpfs_project_allows(const struct inode *directory, const struct inode *inode)
{
	return !(lcpfs_inode_of(directory)->flags & FS_PROJINHERIT_FL) ||
	       lcpfs_inode_of(directory)->project == lcpfs_inode_of(inode)->project;
}

int lcpfs_fileattr_get(struct dentry *dentry, struct fileattr *attributes)
{
	const struct lcpfs_inode *inode = lcpfs_inode_of(d_inode(dentry));

	fileattr_fill_flags(attributes, inode->flags);
	attributes->fsx_projid = inode->project;
	return 0;
}

/* i_rwsem held. */
int lcpfs_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry, struct fileattr *attributes)
{
	struct inode *inode = d_inode(dentry);
	struct core_attr change = { .flags = attributes->flags, .project = lcpfs_inode_of(inode)->project };
	int error;

	if ((attributes->flags & ~lcpfs_flags_of_type(inode->i_mode)) || attributes->fsx_extsize ||
	    attributes->fsx_cowextsize || (attributes->fsx_valid && (attributes->fsx_xflags & ~FS_XFLAG_COMMON)))
		return -EOPNOTSUPP;
	if (attributes->fsx_valid)
		change.project = attributes->fsx_projid;
	inode_set_ctime_to_ts(inode, current_time(inode));
	inode_inc_iversion(inode);
	mutex_lock(&lcpfs_inode_of(inode)->push);
	change.ctime = lcpfs_time(inode_get_ctime(inode));
	change.change = inode_peek_iversion(inode);
	error = core_object_set_attr(lcpfs_object(inode), &change,
				     CORE_SET_FLAGS | CORE_SET_PROJECT | CORE_SET_CTIME | CORE_SET_CHANGE);
	mutex_unlock(&lcpfs_inode_of(inode)->push);
	if (error)
		return error;
	lcpfs_flags_take(inode, change.flags, change.project);
	return lcpfs_inode_changed(inode);
}
