// SPDX-License-Identifier: GPL-2.0-only
/*
 * clone.c: FICLONE, FICLONERANGE, FIDEDUPERANGE, and copy_file_range within a dataset: blocks shared by reference.
 *
 * Both ranges are written, under both i_rwsem and invalidate locks, so that nothing is added to the cache and no mapping becomes
 * writable until the core has the clone. Contents are compared by the kernel, through the cache. The target's pages of the range
 * leave the cache; what is in memory of a target that has grown is written first, since the size on disk follows the data.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "shim/vfs/inode.h"

/* Locks held, ranges written, `len` not 0; the end of the range may lie within the last block of both files. */
static int lcpfs_clone_locked(struct inode *in, loff_t pos_in, struct inode *out, loff_t pos_out, loff_t len, bool same_contents)
{
	loff_t old_size = i_size_read(out);
	struct core_clone clone = {
		.source = lcpfs_object(in),
		.target = lcpfs_object(out),
		.block = pos_in / CORE_BLOCK_SIZE,
		.to = pos_out / CORE_BLOCK_SIZE,
		.blocks = DIV_ROUND_UP_ULL(len, CORE_BLOCK_SIZE),
		.size_bytes = max(old_size, pos_out + len),
		.time = lcpfs_time(inode_get_mtime(out)),
		.keeps_times = same_contents,
	};
	struct core_attr attr;
	loff_t size;
	int error;

	if (pos_out + len > old_size)
		lcpfs_zero_tail(out, old_size);
	/* The clone moves the size on disk to its end, if that is behind it: not past what only the cache has. */
	error = lcpfs_flush_to(out, min(old_size, pos_out + len));
	if (error)
		return error;
	truncate_pagecache_range(out, pos_out, round_up(pos_out + len, CORE_BLOCK_SIZE) - 1);
	error = core_clone_range(&clone);
	core_object_attr(lcpfs_object(out), &attr);
	size = error ? min_t(u64, attr.size_bytes, clone.size_bytes) : clone.size_bytes;
	if (size > old_size) {
		i_size_write(out, size);
		pagecache_isize_extended(out, old_size, size);
	}
	return error;
}

loff_t lcpfs_remap_file_range(struct file *file_in, loff_t pos_in, struct file *file_out, loff_t pos_out, loff_t len,
			      unsigned int flags)
{
	struct inode *in = file_inode(file_in);
	struct inode *out = file_inode(file_out);
	int error;

	if (flags & ~(REMAP_FILE_DEDUP | REMAP_FILE_ADVISORY))
		return -EINVAL;
	lock_two_nondirectories(in, out);
	filemap_invalidate_lock_two(in->i_mapping, out->i_mapping);
	error = generic_remap_file_range_prep(file_in, pos_in, file_out, pos_out, &len, flags);
	if (!error && len > 0)
		error = lcpfs_clone_locked(in, pos_in, out, pos_out, len, flags & REMAP_FILE_DEDUP);
	filemap_invalidate_unlock_two(in->i_mapping, out->i_mapping);
	unlock_two_nondirectories(in, out);
	if (error)
		return error;
	if (file_out->f_flags & O_DSYNC)
		error = vfs_fsync(file_out, !(file_out->f_flags & __O_SYNC));
	else
		error = lcpfs_inode_changed(out);
	return error ? error : len;
}
