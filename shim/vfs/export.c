// SPDX-License-Identifier: GPL-2.0-only
/*
 * export.c: file handles, for NFS and open_by_handle_at(2).
 *
 * A handle is the object's id and generation, and where asked for its directory's: ids return after an object is gone, with
 * another generation, so an old handle gives ESTALE. They stay good over mounts and reboots.
 */
#include <linux/fs.h>
#include <linux/exportfs.h>

#include "shim/vfs/inode.h"
#include "shim/vfs/super.h"

/* In the memory order of the machine, as handles are opaque to everybody else. */
struct lcpfs_handle {
	u64 id, generation;
	u64 parent, parent_generation; /* in the longer form only */
} __packed;

/* Two that no other filesystem uses. */
enum { LCPFS_HANDLE = 0xc1, LCPFS_HANDLE_WITH_PARENT = 0xc2 };
#define LCPFS_HANDLE_WORDS (offsetof(struct lcpfs_handle, parent) / sizeof(u32))
#define LCPFS_HANDLE_WITH_PARENT_WORDS (sizeof(struct lcpfs_handle) / sizeof(u32))

static int lcpfs_encode_handle(struct inode *inode, u32 *words, int *count, struct inode *parent)
{
	struct lcpfs_handle *handle = (struct lcpfs_handle *)words;
	int needed = parent ? LCPFS_HANDLE_WITH_PARENT_WORDS : LCPFS_HANDLE_WORDS;
	struct core_attr attr;

	if (*count < needed) {
		*count = needed;
		return FILEID_INVALID;
	}
	*count = needed;
	core_object_attr(lcpfs_object(inode), &attr);
	handle->id = attr.id;
	handle->generation = attr.generation;
	if (!parent)
		return LCPFS_HANDLE;
	core_object_attr(lcpfs_object(parent), &attr);
	handle->parent = attr.id;
	handle->parent_generation = attr.generation;
	return LCPFS_HANDLE_WITH_PARENT;
}

static struct dentry *lcpfs_dentry_of(struct super_block *sb, u64 id, u64 generation)
{
	struct core_object *object;
	struct inode *inode;
	int error;

	/* 0 would mean any. */
	if (!id || !generation)
		return ERR_PTR(-ESTALE);
	error = core_object_get(lcpfs_super_of(sb)->dataset, id, generation, &object);
	if (error)
		return ERR_PTR(error == -ENOENT ? -ESTALE : error);
	/* Held until the inode has its own: nobody else gets the id meanwhile. */
	inode = lcpfs_iget(sb, id);
	core_object_put(object);
	if (!IS_ERR(inode) && !inode->i_nlink) {
		/* Open somewhere, or being deleted: without a name it is nothing a handle leads to. */
		iput(inode);
		inode = ERR_PTR(-ESTALE);
	}
	return d_obtain_alias(inode);
}

static struct dentry *lcpfs_handle_to_dentry(struct super_block *sb, struct fid *fid, int words, int type)
{
	const struct lcpfs_handle *handle = (const struct lcpfs_handle *)fid->raw;

	if ((type != LCPFS_HANDLE && type != LCPFS_HANDLE_WITH_PARENT) || words < LCPFS_HANDLE_WORDS)
		return NULL;
	return lcpfs_dentry_of(sb, handle->id, handle->generation);
}

static struct dentry *lcpfs_handle_to_parent(struct super_block *sb, struct fid *fid, int words, int type)
{
	const struct lcpfs_handle *handle = (const struct lcpfs_handle *)fid->raw;

	if (type != LCPFS_HANDLE_WITH_PARENT || words < LCPFS_HANDLE_WITH_PARENT_WORDS)
		return NULL;
	return lcpfs_dentry_of(sb, handle->parent, handle->parent_generation);
}

static struct dentry *lcpfs_get_parent(struct dentry *child)
{
	u64 id;
	int error = core_parent(lcpfs_object(d_inode(child)), &id);

	return error ? ERR_PTR(error) : d_obtain_alias(lcpfs_iget(child->d_sb, id));
}

/* What a server has been told to make durable. */
static int lcpfs_commit_metadata(struct inode *inode)
{
	return core_object_sync(lcpfs_object(inode));
}

const struct export_operations lcpfs_export_operations = {
	.encode_fh = lcpfs_encode_handle,
	.fh_to_dentry = lcpfs_handle_to_dentry,
	.fh_to_parent = lcpfs_handle_to_parent,
	.get_parent = lcpfs_get_parent,
	.commit_metadata = lcpfs_commit_metadata,
};
