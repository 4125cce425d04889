// SPDX-License-Identifier: GPL-2.0-only
/*
 * holes.c: where a file has data and where holes: SEEK_HOLE and SEEK_DATA, FIEMAP, and punching holes.
 *
 * One question answers all: core_map says what is on disk. What is only in the page cache is written first, with i_rwsem
 * held against writers, so that the answer is exact: blocks that were never written are holes, all others are data, and bytes
 * behind the end are neither.
 *
 * Punching. What is not whole blocks is zeroed in the page cache like a write, unless it is a hole already; the whole blocks
 * leave the cache, unmapped from everybody, and then the file. What is in memory of a file that has grown is
 * written first, since the size on disk follows the data (truncate.c). Zeroing a range is punching it, and growing the file if
 * that is asked for. Collapsing and inserting drop the cache from there on and move the extents.
 *
 * Blocks are not allocated ahead of being written: plain allocation and unsharing are refused, and callers fall back to writing.
 */
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "shim/vfs/inode.h"

#define LCPFS_BLOCK(position) ((u64)(position) / CORE_BLOCK_SIZE)

/* -ENXIO: nothing like it up to the end. i_rwsem held, the rest of the file written. */
static loff_t lcpfs_seek_mapped(struct inode *inode, loff_t offset, bool hole)
{
	loff_t size = i_size_read(inode);
	struct core_extent extent;
	int error;

	while (offset < size) {
		error = core_map(lcpfs_object(inode), LCPFS_BLOCK(offset), &extent);
		if (error)
			return error;
		if (extent.hole == hole)
			return offset;
		if (extent.blocks >= LCPFS_BLOCK(size) + 1 - extent.block)
			break;
		offset = (loff_t)((extent.block + extent.blocks) * CORE_BLOCK_SIZE);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return hole ? size : -ENXIO;
}

loff_t lcpfs_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	loff_t size;

	if (whence != SEEK_HOLE && whence != SEEK_DATA)
		return generic_file_llseek(file, offset, whence);
	inode_lock_shared(inode);
	size = i_size_read(inode);
	if (offset < 0 || offset >= size)
		offset = -ENXIO;
	else
		offset = filemap_write_and_wait_range(inode->i_mapping, offset, LLONG_MAX) ?:
			 lcpfs_seek_mapped(inode, offset, whence == SEEK_HOLE);
	inode_unlock_shared(inode);
	if (offset < 0)
		return offset;
	return vfs_setpos(file, offset, inode->i_sb->s_maxbytes);
}

/* Extents that follow each other, in the file and on the device, are told as one. */
struct lcpfs_fiemap {
	struct fiemap_extent_info *info;
	u64 start, physical, bytes;
	u32 device, flags;
};

/* 1: there is room for no more. */
static int lcpfs_fiemap_tell(struct lcpfs_fiemap *map, u32 flags)
{
	int result = 0;

	if (map->bytes)
		result = fiemap_fill_next_extent(map->info, map->start, map->physical, map->bytes, map->flags | flags);
	map->bytes = 0;
	return result;
}

static int lcpfs_fiemap_add(struct lcpfs_fiemap *map, const struct core_extent *extent)
{
	u64 start = extent->block * CORE_BLOCK_SIZE;
	u64 physical = extent->inlined ? 0 : extent->device_block * CORE_BLOCK_SIZE;
	u64 bytes = extent->blocks * CORE_BLOCK_SIZE;
	u32 flags = (extent->inlined ? FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_NOT_ALIGNED : 0) |
		    (extent->shared ? FIEMAP_EXTENT_SHARED : 0);
	int result;

	if (map->bytes && !extent->inlined && map->flags == flags && map->device == extent->device && map->start + map->bytes == start &&
	    map->physical + map->bytes == physical) {
		map->bytes += bytes;
		return 0;
	}
	result = lcpfs_fiemap_tell(map, 0);
	map->start = start;
	map->physical = physical;
	map->bytes = bytes;
	map->device = extent->device;
	map->flags = flags;
	return result;
}

/* Addresses are of the pool's device that the extent is on; which one that is FIEMAP cannot say. */
int lcpfs_fiemap(struct inode *inode, struct fiemap_extent_info *info, u64 start, u64 bytes)
{
	struct lcpfs_fiemap map = { .info = info };
	struct core_extent extent;
	u64 block, end;
	int result;

	inode_lock_shared(inode);
	result = fiemap_prep(inode, info, start, &bytes, 0);
	if (!result)
		result = filemap_write_and_wait(inode->i_mapping) ?: core_settle_shares(lcpfs_object(inode));
	end = DIV_ROUND_UP_ULL(min_t(u64, start + bytes, i_size_read(inode)), CORE_BLOCK_SIZE);
	for (block = LCPFS_BLOCK(start); !result && block < end; block = extent.block + extent.blocks) {
		result = fatal_signal_pending(current) ? -EINTR : core_map(lcpfs_object(inode), block, &extent);
		if (result)
			break;
		if (extent.hole && extent.blocks >= LCPFS_BLOCK(i_size_read(inode)) + 1 - block)
			break;
		if (!extent.hole)
			result = lcpfs_fiemap_add(&map, &extent);
		cond_resched();
	}
	/* The last extent of the file, not just of what was asked for. */
	if (!result && map.bytes)
		result = lcpfs_fiemap_tell(&map, lcpfs_seek_mapped(inode, map.start + map.bytes, false) == -ENXIO ?
							 FIEMAP_EXTENT_LAST : 0);
	inode_unlock_shared(inode);
	return result < 0 ? result : 0;
}

/* Zeroes bytes of one block. Nothing is to be done where there is a hole. */
static int lcpfs_zero_edge(struct inode *inode, loff_t from, loff_t to)
{
	struct core_extent extent;
	int error;

	if (from >= to)
		return 0;
	error = filemap_write_and_wait_range(inode->i_mapping, from, to - 1);
	if (!error)
		error = core_map(lcpfs_object(inode), LCPFS_BLOCK(from), &extent);
	if (error || extent.hole)
		return error;
	return lcpfs_zero_cached(inode, from, to - from);
}

/* i_rwsem held. */
static int lcpfs_punch(struct inode *inode, loff_t offset, loff_t end)
{
	loff_t size = i_size_read(inode);
	loff_t first, last;
	int error;

	if (offset >= size)
		return 0;
	if (end >= size)
		end = round_up(size, CORE_BLOCK_SIZE);
	first = round_up(offset, CORE_BLOCK_SIZE);
	last = round_down(end, CORE_BLOCK_SIZE);
	error = lcpfs_flush_to(inode, size);
	/* Not past the end: that would move it. */
	if (!error)
		error = lcpfs_zero_edge(inode, offset, min3(first, end, size));
	if (!error && last >= first)
		error = lcpfs_zero_edge(inode, last, end);
	if (error || last <= first)
		return error;
	filemap_invalidate_lock(inode->i_mapping);
	truncate_pagecache_range(inode, first, last - 1);
	error = core_punch(lcpfs_object(inode), LCPFS_BLOCK(first), LCPFS_BLOCK(last - first),
			   lcpfs_time(inode_get_mtime(inode)));
	filemap_invalidate_unlock(inode->i_mapping);
	return error;
}

/* What follows moves. i_rwsem held. */
static int lcpfs_shift(struct inode *inode, int mode, loff_t offset, loff_t bytes)
{
	bool collapses = mode == FALLOC_FL_COLLAPSE_RANGE;
	loff_t size = i_size_read(inode);
	struct core_time time = lcpfs_time(inode_get_mtime(inode));
	struct core_attr attr;
	int error;

	if ((offset | bytes) & (CORE_BLOCK_SIZE - 1))
		return -EINVAL;
	if (collapses ? offset + bytes >= size : offset >= size)
		return -EINVAL;
	if (!collapses && bytes > inode->i_sb->s_maxbytes - size)
		return -EFBIG;
	filemap_invalidate_lock(inode->i_mapping);
	/* Nothing of it becomes dirty again: no fault, no write. */
	error = lcpfs_flush_to(inode, size);
	if (!error)
		error = filemap_write_and_wait_range(inode->i_mapping, offset, LLONG_MAX);
	if (!error) {
		truncate_pagecache(inode, offset);
		error = collapses ? core_collapse(lcpfs_object(inode), LCPFS_BLOCK(offset), LCPFS_BLOCK(bytes), time) :
				    core_insert(lcpfs_object(inode), LCPFS_BLOCK(offset), LCPFS_BLOCK(bytes), time);
		core_object_attr(lcpfs_object(inode), &attr);
		i_size_write(inode, attr.size_bytes);
	}
	filemap_invalidate_unlock(inode->i_mapping);
	return error;
}

/* Whole blocks become a hole, as for whoever writes elsewhere anyway: there is nothing to be had by keeping them. i_rwsem held. */
static int lcpfs_zero_range(struct inode *inode, int mode, loff_t offset, loff_t end)
{
	int error = lcpfs_punch(inode, offset, end);

	if (error || (mode & FALLOC_FL_KEEP_SIZE) || end <= i_size_read(inode))
		return error;
	error = inode_newsize_ok(inode, end);
	return error ?: lcpfs_truncate(inode, end, inode_get_mtime(inode));
}

static int lcpfs_fallocate_locked(struct inode *inode, int mode, loff_t offset, loff_t bytes)
{
	switch (mode) {
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
		return lcpfs_punch(inode, offset, offset + bytes);
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
		return lcpfs_zero_range(inode, mode, offset, offset + bytes);
	default:
		return lcpfs_shift(inode, mode, offset, bytes);
	}
}

static bool lcpfs_fallocate_knows(int mode)
{
	return mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) || mode == FALLOC_FL_COLLAPSE_RANGE ||
	       mode == FALLOC_FL_INSERT_RANGE || (mode & ~FALLOC_FL_KEEP_SIZE) == FALLOC_FL_ZERO_RANGE;
}

long lcpfs_fallocate(struct file *file, int mode, loff_t offset, loff_t bytes)
{
	struct inode *inode = file_inode(file);
	int error;

	if (!S_ISREG(inode->i_mode) || !lcpfs_fallocate_knows(mode))
		return -EOPNOTSUPP;
	inode_lock(inode);
	error = IS_IMMUTABLE(inode) ? -EPERM : file_modified(file);
	if (!error)
		error = lcpfs_fallocate_locked(inode, mode, offset, bytes);
	inode_unlock(inode);
	if (error)
		return error;
	if (file->f_flags & O_DSYNC)
		return vfs_fsync(file, !(file->f_flags & __O_SYNC));
	return lcpfs_inode_changed(inode);
}
