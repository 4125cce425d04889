// SPDX-License-Identifier: GPL-2.0-only
/*
 * allocate.c: fallocate(2), all of it.
 *
 * Allocating gives every hole blocks that read zeros until they are written, and that makes sure of the first write to each of them on a
 * full pool; with KEEP_SIZE also behind the end, where they stay until the file is cut (truncated, be it to its size). What is written
 * is copied on write, so that writing over it again needs a new block: no mode of fallocate promises that (core/fs/allocate.h).
 *
 * Punching. What is not whole blocks is zeroed in the page cache like a write, unless it reads zeros already; the whole blocks
 * leave the cache, unmapped from everybody, and then the file. What is in memory of a file that has grown is
 * written first, since the size on disk follows the data (truncate.c). Zeroing a range is punching it and allocating what is a hole
 * then, as in XFS. Collapsing and inserting drop the cache from there on and move the extents. Unsharing writes anew what others
 * have too, and allocates the holes.
 */
#include <linux/backing-dev.h>
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/writeback.h>

#include "shim/vfs/inode.h"
#include "shim/vfs/promise.h"

#define LCPFS_BLOCK(position) ((u64)(position) / CORE_BLOCK_SIZE)

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
	if (error || extent.hole || extent.unwritten)
		return error;
	return lcpfs_zero_cached(inode, from, to - from);
}

/* i_rwsem held. */
static int lcpfs_punch(struct inode *inode, loff_t offset, loff_t end)
{
	/* In blocks: the last byte that a file can have lies in one whose end is no loff_t. */
	u64 size = i_size_read(inode), blocks = DIV_ROUND_UP_ULL(size, CORE_BLOCK_SIZE);
	u64 first = DIV_ROUND_UP_ULL((u64)offset, CORE_BLOCK_SIZE), last = LCPFS_BLOCK(end);
	int error;

	/* There it is whole blocks, and what is preallocated behind. */
	if (end >= size)
		last = lcpfs_has_blocks_behind(inode, size) ? max(last, blocks) : blocks;
	if (offset >= size && last <= first)
		return 0;
	error = lcpfs_flush_to(inode, size);
	/* Not past the end: that would move it. */
	if (!error)
		error = lcpfs_zero_edge(inode, offset, min3(first * CORE_BLOCK_SIZE, (u64)end, size));
	if (!error && last >= first && end < size)
		error = lcpfs_zero_edge(inode, last * CORE_BLOCK_SIZE, end);
	if (error || last <= first)
		return error;
	filemap_invalidate_lock(inode->i_mapping);
	/* Nothing that was not on disk yet is to be missing where the punch fails. */
	error = filemap_write_and_wait_range(inode->i_mapping, first * CORE_BLOCK_SIZE, (last * CORE_BLOCK_SIZE) - 1);
	if (!error) {
		truncate_pagecache_range(inode, first * CORE_BLOCK_SIZE, (last * CORE_BLOCK_SIZE) - 1);
		error = core_punch(lcpfs_object(inode), first, last - first, lcpfs_time(inode_get_mtime(inode)));
	}
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

/*
 * Blocks for all holes between; the size grows unless it is to be kept. Nothing stores to a mapping meanwhile: data in the record moves
 * to a block, and what the cache has of it has to be there before. i_rwsem held.
 */
static int lcpfs_allocate(struct inode *inode, int mode, loff_t offset, loff_t end)
{
	bool grows = !(mode & FALLOC_FL_KEEP_SIZE) && end > i_size_read(inode);
	u64 first = LCPFS_BLOCK(offset);
	u64 blocks = DIV_ROUND_UP_ULL(end, CORE_BLOCK_SIZE) - first;
	unsigned int tries;
	int error = grows ? inode_newsize_ok(inode, end) : 0;

	for (tries = 0; !error && tries < 2; tries++) {
		filemap_invalidate_lock(inode->i_mapping);
		if (!first)
			error = filemap_write_and_wait_range(inode->i_mapping, 0, CORE_BLOCK_SIZE - 1);
		if (!error)
			error = core_allocate(lcpfs_object(inode), first, blocks);
		filemap_invalidate_unlock(inode->i_mapping);
		if (error != -ENOSPC || tries)
			break;
		lcpfs_promise_make_room(inode->i_sb);
		error = 0;
	}
	if (error || !grows)
		return error;
	return lcpfs_truncate(inode, end, inode_get_mtime(inode));
}

/* Whole blocks become a hole, and then, as all others of the range, blocks that read zeros. i_rwsem held. */
static int lcpfs_zero_range(struct inode *inode, int mode, loff_t offset, loff_t end)
{
	return lcpfs_punch(inode, offset, end) ?: lcpfs_allocate(inode, mode, offset, end);
}

/* Blocks that others have too are written anew, as if by a program that writes what it has read. i_rwsem held. */
static int lcpfs_unshare(struct inode *inode, loff_t offset, loff_t end)
{
	struct core_extent extent;
	loff_t at, stop;
	int error;

	offset = round_down(offset, CORE_BLOCK_SIZE);
	end = min(end, i_size_read(inode));
	if (offset >= end)
		return 0;
	error = filemap_write_and_wait_range(inode->i_mapping, offset, end - 1) ?: core_settle_shares(lcpfs_object(inode));
	for (at = offset; !error && at < end; at = stop) {
		error = core_map(lcpfs_object(inode), LCPFS_BLOCK(at), &extent);
		if (error)
			break;
		stop = extent.blocks > LCPFS_BLOCK(end - at) ? end : at + (loff_t)(extent.blocks * CORE_BLOCK_SIZE);
		for (; !error && extent.shared && at < stop; at += CORE_BLOCK_SIZE) {
			error = fatal_signal_pending(current) ? -EINTR : lcpfs_rewrite_cached(inode, at);
			balance_dirty_pages_ratelimited(inode->i_mapping);
		}
	}
	return error ?: filemap_write_and_wait_range(inode->i_mapping, offset, end - 1);
}

static int lcpfs_fallocate_locked(struct inode *inode, int mode, loff_t offset, loff_t end)
{
	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case 0:
		return lcpfs_allocate(inode, mode, offset, end);
	case FALLOC_FL_PUNCH_HOLE:
		return lcpfs_punch(inode, offset, end);
	case FALLOC_FL_ZERO_RANGE:
		return lcpfs_zero_range(inode, mode, offset, end);
	case FALLOC_FL_UNSHARE_RANGE:
		return lcpfs_unshare(inode, offset, end) ?: lcpfs_allocate(inode, mode, offset, end);
	default:
		return lcpfs_shift(inode, mode, offset, end - offset);
	}
}

static bool lcpfs_fallocate_knows(int mode)
{
	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case 0:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_UNSHARE_RANGE:
		return true;
	case FALLOC_FL_PUNCH_HOLE:
		return mode & FALLOC_FL_KEEP_SIZE;
	case FALLOC_FL_COLLAPSE_RANGE:
	case FALLOC_FL_INSERT_RANGE:
		return !(mode & FALLOC_FL_KEEP_SIZE);
	default:
		return false;
	}
}

long lcpfs_fallocate(struct file *file, int mode, loff_t offset, loff_t bytes)
{
	struct inode *inode = file_inode(file);
	int error;

	if (!S_ISREG(inode->i_mode) || !lcpfs_fallocate_knows(mode))
		return -EOPNOTSUPP;
	inode_lock(inode);
	inode_dio_wait(inode);
	error = IS_IMMUTABLE(inode) ? -EPERM : file_modified(file);
	if (!error)
		error = lcpfs_fallocate_locked(inode, mode, offset, offset + bytes);
	inode_unlock(inode);
	if (error)
		return error;
	if (file->f_flags & O_DSYNC)
		return vfs_fsync(file, !(file->f_flags & __O_SYNC));
	return lcpfs_inode_changed(inode);
}
