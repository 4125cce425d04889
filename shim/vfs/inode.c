// SPDX-License-Identifier: GPL-2.0-only
/*
 * inode.c: inodes in memory: where they come from, what they give the core, how they go. See inode.h.
 *
 * Times, the change counter and what chmod and chown set are in the VFS inode first. setattr pushes at once, since
 * it must report ENOSPC and EROFS; times moved by reads and writes mark the inode dirty and go with
 * write_inode, so with the flusher, sync(2) and fsync(2).
 *
 * The target of a symlink is read at iget and kept in i_link, so that path walks stay in RCU mode; it is
 * freed with the inode, after the grace period.
 */
#include <linux/iversion.h>
#include <linux/slab.h>
#include <linux/statfs.h>
#include <linux/writeback.h>

#include "shim/vfs/inode.h"
#include "shim/vfs/super.h"
#include "shim/vfs/xattr.h"

static struct kmem_cache *lcpfs_inode_cache;

static void lcpfs_inode_construct(void *memory)
{
	struct lcpfs_inode *inode = memory;

	inode_init_once(&inode->vfs);
	mutex_init(&inode->push);
}

int lcpfs_inode_cache_init(void)
{
	lcpfs_inode_cache = kmem_cache_create("lcpfs_inode", sizeof(struct lcpfs_inode), 0,
					      SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT, lcpfs_inode_construct);
	return lcpfs_inode_cache ? 0 : -ENOMEM;
}

void lcpfs_inode_cache_exit(void)
{
	kmem_cache_destroy(lcpfs_inode_cache);
}

struct inode *lcpfs_alloc_inode(struct super_block *sb)
{
	struct lcpfs_inode *inode = alloc_inode_sb(sb, lcpfs_inode_cache, GFP_NOFS);

	if (!inode)
		return NULL;
	inode->object = NULL;
	atomic64_set(&inode->promised, 0);
	inode->promised_last = 0;
	atomic_set(&inode->fsyncs, 0);
	atomic_set(&inode->direct_writes, 0);
	return &inode->vfs;
}

void lcpfs_free_inode(struct inode *inode)
{
	if (S_ISLNK(inode->i_mode))
		kfree(inode->i_link);
	kmem_cache_free(lcpfs_inode_cache, lcpfs_inode_of(inode));
}

void lcpfs_evict_inode(struct inode *inode)
{
	struct core_object *object = lcpfs_object(inode);

	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (!object)
		return;
	WARN_ON_ONCE(atomic64_read(&lcpfs_inode_of(inode)->promised));
	/* What goes wrong is in the core's log, and the next mount goes on with it. A frozen filesystem waits for its thaw. */
	if (!inode->i_nlink && !is_bad_inode(inode)) {
		sb_start_intwrite(inode->i_sb);
		core_object_delete(object);
		sb_end_intwrite(inode->i_sb);
	}
	core_object_put(object);
	lcpfs_inode_of(inode)->object = NULL;
}

static int lcpfs_inode_read_target(struct inode *inode, struct core_object *object)
{
	char *buffer = kmalloc(CORE_SYMLINK_MAX + 1, GFP_NOFS);
	u32 length = 0;
	int error;

	if (!buffer)
		return -ENOMEM;
	error = core_read_link(object, buffer, &length);
	if (!error) {
		buffer[min(length, CORE_SYMLINK_MAX)] = 0;
		inode->i_link = kstrdup(buffer, GFP_NOFS);
		if (!inode->i_link)
			error = -ENOMEM;
	}
	kfree(buffer);
	return error;
}

static int lcpfs_inode_set_operations(struct inode *inode, const struct core_attr *attr)
{
	switch (inode->i_mode & S_IFMT) {
	case S_IFREG:
		inode->i_op = &lcpfs_file_inode_operations;
		inode->i_fop = &lcpfs_file_operations;
		inode->i_mapping->a_ops = &lcpfs_address_operations;
		mapping_set_large_folios(inode->i_mapping);
		return 0;
	case S_IFDIR:
		inode->i_op = &lcpfs_directory_inode_operations;
		inode->i_fop = &lcpfs_directory_operations;
		return 0;
	case S_IFLNK:
		inode->i_op = &lcpfs_symlink_inode_operations;
		return lcpfs_inode_read_target(inode, lcpfs_object(inode));
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		inode->i_op = &lcpfs_special_inode_operations;
		init_special_inode(inode, inode->i_mode, new_decode_dev(attr->rdev));
		return 0;
	default:
		pr_err_ratelimited("lcpfs (%s): object %llu has no type of file (mode %o)\n", inode->i_sb->s_id,
				   attr->id, attr->mode);
		return -EUCLEAN;
	}
}

/* Fills an inode fresh from iget_locked; takes over the reference on the object. */
static int lcpfs_inode_fill(struct inode *inode, struct core_object *object)
{
	struct core_attr attr;

	lcpfs_inode_of(inode)->object = object;
	inode->i_link = NULL;
	core_object_attr(object, &attr);
	if (attr.size_bytes > (u64)inode->i_sb->s_maxbytes) {
		pr_err_ratelimited("lcpfs (%s): object %llu has an impossible size\n", inode->i_sb->s_id, attr.id);
		return -EUCLEAN;
	}
	inode->i_mode = attr.mode;
	i_uid_write(inode, attr.uid);
	i_gid_write(inode, attr.gid);
	inode->i_generation = attr.generation;
	inode->i_size = attr.size_bytes;
	set_nlink(inode, attr.links);
	inode_set_atime_to_ts(inode, lcpfs_timespec(attr.atime));
	inode_set_mtime_to_ts(inode, lcpfs_timespec(attr.mtime));
	inode_set_ctime_to_ts(inode, lcpfs_timespec(attr.ctime));
	lcpfs_inode_of(inode)->birth = lcpfs_timespec(attr.btime);
	inode_set_iversion_queried(inode, attr.change);
	lcpfs_flags_take(inode, attr.flags, attr.project);
	if (!attr.has_xattrs) {
		/* Nobody needs to ask for them. */
		cache_no_acl(inode);
		inode_has_no_xattr(inode);
	}
	return lcpfs_inode_set_operations(inode, &attr);
}

struct inode *lcpfs_iget(struct super_block *sb, u64 id)
{
	struct core_object *object;
	struct inode *inode;
	int error;

	inode = iget_locked(sb, id);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	if (!(inode->i_state & I_NEW))
		return inode;
	error = core_object_get(lcpfs_super_of(sb)->dataset, id, 0, &object);
	if (!error)
		error = lcpfs_inode_fill(inode, object);
	if (error) {
		iget_failed(inode);
		return ERR_PTR(error);
	}
	unlock_new_inode(inode);
	return inode;
}

int lcpfs_inode_adopt(struct inode *inode, struct core_object *object)
{
	struct core_attr attr;
	int error;

	core_object_attr(object, &attr);
	inode->i_ino = attr.id;
	error = insert_inode_locked(inode);
	if (error) {
		pr_err("lcpfs (%s): new object %llu is in use: a bug, please report it\n", inode->i_sb->s_id, attr.id);
		core_object_put(object);
		iput(inode);
		return -EUCLEAN;
	}
	error = lcpfs_inode_fill(inode, object);
	if (error)
		iget_failed(inode);
	return error;
}

void lcpfs_inode_refresh(struct inode *inode, struct core_time time)
{
	struct timespec64 changed = lcpfs_timespec(time), found;
	struct core_attr attr;

	core_object_attr(lcpfs_object(inode), &attr);
	set_nlink(inode, attr.links);
	found = lcpfs_timespec(attr.ctime);
	/* The flusher may have come after the change with what it had read before. */
	if (timespec64_compare(&found, &changed) < 0 && !S_ISDIR(inode->i_mode)) {
		found = changed;
		mark_inode_dirty_sync(inode);
	}
	inode_set_ctime_to_ts(inode, found);
	if (S_ISDIR(inode->i_mode)) {
		i_size_write(inode, attr.size_bytes);
		inode_set_mtime_to_ts(inode, lcpfs_timespec(attr.mtime));
	}
	inode_inc_iversion(inode);
}

struct core_attr lcpfs_inode_attr(const struct inode *inode)
{
	return (struct core_attr){
		.mode = inode->i_mode,
		.uid = i_uid_read(inode),
		.gid = i_gid_read(inode),
		.atime = lcpfs_time(inode_get_atime(inode)),
		.mtime = lcpfs_time(inode_get_mtime(inode)),
		.ctime = lcpfs_time(inode_get_ctime(inode)),
		.change = inode_peek_iversion(inode),
	};
}

int lcpfs_inode_push(struct inode *inode, unsigned int mask)
{
	struct core_attr attr;
	int error;

	mutex_lock(&lcpfs_inode_of(inode)->push);
	attr = lcpfs_inode_attr(inode);
	error = core_object_set_attr(lcpfs_object(inode), &attr, mask);
	mutex_unlock(&lcpfs_inode_of(inode)->push);
	return error;
}

/* Of a directory's times the core moves all but the access time itself, with its entries. */
int lcpfs_write_inode(struct inode *inode, struct writeback_control *control)
{
	return lcpfs_inode_push(inode, S_ISDIR(inode->i_mode) ? CORE_SET_ATIME :
							 CORE_SET_ATIME | CORE_SET_MTIME | CORE_SET_CTIME | CORE_SET_CHANGE);
}

static int lcpfs_set_size(struct inode *inode, struct iattr *change)
{
	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	if (IS_IMMUTABLE(inode))
		return -EPERM;
	if (change->ia_size == i_size_read(inode) && !lcpfs_has_blocks_behind(inode, change->ia_size))
		return 0;
	if (!(change->ia_valid & ATTR_MTIME)) {
		change->ia_valid |= ATTR_MTIME | ATTR_CTIME;
		change->ia_mtime = current_time(inode);
		change->ia_ctime = change->ia_mtime;
	}
	return lcpfs_truncate(inode, change->ia_size, change->ia_mtime);
}

int lcpfs_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *change)
{
	const unsigned int mask = CORE_SET_MODE | CORE_SET_UID | CORE_SET_GID | CORE_SET_ATIME | CORE_SET_MTIME |
				  CORE_SET_CTIME | CORE_SET_CHANGE;
	struct inode *inode = d_inode(dentry);
	struct posix_acl *acl = NULL;
	struct core_attr old;
	int error;

	error = setattr_prepare(idmap, dentry, change);
	if (!error && (change->ia_valid & ATTR_MODE))
		acl = lcpfs_acl_for_mode(inode, change->ia_mode);
	if (IS_ERR(acl))
		return PTR_ERR(acl);
	if (!error && (change->ia_valid & ATTR_SIZE))
		error = lcpfs_set_size(inode, change);
	if (error)
		goto out;
	old = lcpfs_inode_attr(inode);
	setattr_copy(idmap, inode, change);
	inode_inc_iversion(inode);
	error = acl ? lcpfs_acl_push(inode, acl, mask) : lcpfs_inode_push(inode, mask);
	if (error) {
		inode->i_mode = old.mode;
		i_uid_write(inode, old.uid);
		i_gid_write(inode, old.gid);
		inode_set_atime_to_ts(inode, lcpfs_timespec(old.atime));
		inode_set_mtime_to_ts(inode, lcpfs_timespec(old.mtime));
		inode_set_ctime_to_ts(inode, lcpfs_timespec(old.ctime));
	} else {
		error = lcpfs_inode_changed(inode);
	}
out:
	posix_acl_release(acl);
	return error;
}

int lcpfs_getattr(struct mnt_idmap *idmap, const struct path *path, struct kstat *stat, u32 request_mask,
		  unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct core_attr attr;

	lcpfs_fillattr(idmap, request_mask, inode, stat);
	if (request_mask & STATX_BTIME) {
		stat->btime = lcpfs_inode_of(inode)->birth;
		stat->result_mask |= STATX_BTIME;
	}
	if ((request_mask & STATX_DIOALIGN) && S_ISREG(inode->i_mode)) {
		stat->dio_mem_align = LCPFS_DIRECT_ALIGN;
		stat->dio_offset_align = LCPFS_DIRECT_ALIGN;
		stat->result_mask |= STATX_DIOALIGN;
	}
	core_object_attr(lcpfs_object(inode), &attr);
	/* What is dirty counts as if it were allocated, so that nobody takes a new file for sparse. */
	stat->blocks = (attr.blocks + atomic64_read(&lcpfs_inode_of(inode)->promised)) * (CORE_BLOCK_SIZE >> SECTOR_SHIFT);
	/* Data within the inode's record, or a small part of a compressed unit, is no block: tar -S takes none for one great hole. */
	if (!stat->blocks && attr.has_data && S_ISREG(inode->i_mode))
		stat->blocks = DIV_ROUND_UP(min_t(u64, attr.size_bytes, CORE_BLOCK_SIZE), SECTOR_SIZE);
	return 0;
}
