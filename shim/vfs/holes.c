// SPDX-License-Identifier: GPL-2.0-only
/*
 * holes.c: where a file has data and where holes: SEEK_HOLE and SEEK_DATA, and FIEMAP.
 *
 * One question answers all: core_map says what is on disk. What is only in the page cache is written first, with i_rwsem
 * held against writers, so that the answer is exact: blocks that were never written are holes, also those that are preallocated
 * (allocate.c), all others are data, and bytes behind the end are neither. FIEMAP tells what is preallocated, behind the end too.
 */
#include <linux/fs.h>
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
		if ((extent.hole || extent.unwritten) == hole)
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
		    (extent->shared ? FIEMAP_EXTENT_SHARED : 0) | (extent->unwritten ? FIEMAP_EXTENT_UNWRITTEN : 0) |
		    (extent->compressed ? FIEMAP_EXTENT_ENCODED : 0);
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

/* Whether there is nothing more of the file at or behind a block, preallocated or not. */
static int lcpfs_is_end(struct inode *inode, u64 block, bool *end)
{
	struct core_extent extent;
	int error = core_map(lcpfs_object(inode), block, &extent);

	*end = !error && extent.hole && extent.blocks > LCPFS_BLOCK(inode->i_sb->s_maxbytes) - block;
	return error;
}

bool lcpfs_has_blocks_behind(struct inode *inode, loff_t size)
{
	bool end;

	return !lcpfs_is_end(inode, DIV_ROUND_UP_ULL(size, CORE_BLOCK_SIZE), &end) && !end;
}

/* Addresses are of the pool's device that the extent is on; which one that is FIEMAP cannot say. */
int lcpfs_fiemap(struct inode *inode, struct fiemap_extent_info *info, u64 start, u64 bytes)
{
	struct lcpfs_fiemap map = { .info = info };
	struct core_extent extent;
	u64 block, end, data_end;
	bool last = false;
	int result;

	inode_lock_shared(inode);
	result = fiemap_prep(inode, info, start, &bytes, 0);
	if (!result)
		result = filemap_write_and_wait(inode->i_mapping) ?: core_settle_shares(lcpfs_object(inode));
	end = DIV_ROUND_UP_ULL(start + bytes, CORE_BLOCK_SIZE);
	data_end = DIV_ROUND_UP_ULL(i_size_read(inode), CORE_BLOCK_SIZE);
	for (block = LCPFS_BLOCK(start); !result && block < end; block = extent.block + extent.blocks) {
		result = fatal_signal_pending(current) ? -EINTR : core_map(lcpfs_object(inode), block, &extent);
		if (result)
			break;
		if (extent.hole && extent.blocks > LCPFS_BLOCK(inode->i_sb->s_maxbytes) - block)
			break;
		/* Behind the end a cut that failed may have left something. */
		if (!extent.hole && (extent.unwritten || block < data_end))
			result = lcpfs_fiemap_add(&map, &extent);
		cond_resched();
	}
	/* The last extent of the file, not just of what was asked for. */
	if (!result && map.bytes)
		result = lcpfs_is_end(inode, LCPFS_BLOCK(map.start + map.bytes), &last) ?:
			 lcpfs_fiemap_tell(&map, last ? FIEMAP_EXTENT_LAST : 0);
	inode_unlock_shared(inode);
	return result < 0 ? result : 0;
}
