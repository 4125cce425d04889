// SPDX-License-Identifier: GPL-2.0-only
/*
 * truncate.c: changing the size of a file.
 *
 * The size on disk follows the data that was written, so it may be behind the size in memory. Before the core
 * is told a new size, what lies between the two is written: otherwise the new size would make the unwritten part
 * appear as zeros after a crash.
 *
 * Shrinking: size in memory, then the page cache (which waits for writeback of what goes), then the core.
 * Growing: the tail of the old last block is zeroed and written, then the core, then the size in memory.
 *
 * The tail of the last block. On disk it may hold anything; in the cache it is zero from the moment it is read.
 * Whoever moves the end past it makes the zeros dirty first (lcpfs_zero_tail). Shrinking does so as well,
 * when there is space: it must succeed on a full pool.
 *
 * Locking: i_rwsem held exclusively; the mapping's invalidate lock is taken here against faults.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/writeback.h>

#include "shim/vfs/inode.h"
#include "shim/vfs/promise.h"
#include "shim/vfs/transfer.h"

/* Whether the block is nowhere but in memory, if there. */
static bool lcpfs_is_hole(struct inode *inode, u64 block)
{
	struct core_extent extent;

	return !core_map(lcpfs_object(inode), block, &extent) && extent.hole;
}

/* The folio of the block, locked and uptodate; NULL when there is nothing to zero. ERR_PTR. */
static struct folio *lcpfs_tail_folio(struct inode *inode, pgoff_t index)
{
	struct folio *folio;
	int error;

	for (;;) {
		folio = lcpfs_lock_folio(inode->i_mapping, index);
		if (!folio) {
			if (lcpfs_is_hole(inode, index))
				return NULL;
			folio = lcpfs_grab_folio(inode->i_mapping, index, PAGE_SIZE);
			if (IS_ERR(folio))
				return folio;
		}
		error = lcpfs_fill_folio(inode, folio);
		if (!error)
			error = lcpfs_folio_prepare(folio, GFP_NOFS);
		if (!error) {
			folio_wait_stable(folio);
			return folio;
		}
		folio_unlock(folio);
		folio_put(folio);
		if (error != AOP_TRUNCATED_PAGE)
			return ERR_PTR(error);
	}
}

int lcpfs_zero_tail(struct inode *inode, loff_t size)
{
	struct lcpfs_promise promise;
	struct folio *folio;
	unsigned int block;
	int error;

	if (!(size & (CORE_BLOCK_SIZE - 1)))
		return 0;
	lcpfs_promise_init(&promise, inode);
	error = lcpfs_promise_need(&promise, 1);
	if (error)
		return error;
	folio = lcpfs_tail_folio(inode, size >> PAGE_SHIFT);
	if (!IS_ERR_OR_NULL(folio)) {
		folio_zero_segment(folio, offset_in_folio(folio, size), folio_size(folio));
		block = offset_in_folio(folio, size) / CORE_BLOCK_SIZE;
		lcpfs_folio_promise(inode, folio, block, 1, &promise);
		filemap_dirty_folio(inode->i_mapping, folio);
		folio_unlock(folio);
		folio_put(folio);
	}
	lcpfs_promise_end(&promise);
	return PTR_ERR_OR_ZERO(folio);
}

/* Writes what is in memory between the size on disk and `end`. */
static int lcpfs_flush_to(struct inode *inode, loff_t end)
{
	struct core_attr attr;

	core_object_attr(lcpfs_object(inode), &attr);
	if (attr.size_bytes >= end)
		return 0;
	return filemap_write_and_wait_range(inode->i_mapping, attr.size_bytes, end - 1);
}

static int lcpfs_shrink(struct inode *inode, loff_t size, struct timespec64 time)
{
	loff_t old_size = i_size_read(inode);
	struct core_attr attr;
	int error;

	error = lcpfs_flush_to(inode, size);
	if (error)
		return error;
	error = lcpfs_zero_tail(inode, size);
	if (error && error != -ENOSPC)
		return error;
	truncate_setsize(inode, size);
	error = core_truncate(lcpfs_object(inode), size, lcpfs_time(time));
	if (error) {
		/* The core has kept its size: show what is there. */
		core_object_attr(lcpfs_object(inode), &attr);
		i_size_write(inode, min_t(u64, attr.size_bytes, old_size));
	}
	return error;
}

static int lcpfs_grow(struct inode *inode, loff_t size, struct timespec64 time)
{
	loff_t old_size = i_size_read(inode);
	int error;

	error = lcpfs_zero_tail(inode, old_size);
	if (error)
		return error;
	error = lcpfs_flush_to(inode, old_size);
	if (!error && (old_size & (CORE_BLOCK_SIZE - 1)))
		error = filemap_write_and_wait_range(inode->i_mapping, old_size - 1, old_size - 1);
	if (error)
		return error;
	error = core_truncate(lcpfs_object(inode), size, lcpfs_time(time));
	if (error)
		return error;
	i_size_write(inode, size);
	pagecache_isize_extended(inode, old_size, size);
	return 0;
}

int lcpfs_truncate(struct inode *inode, loff_t size, struct timespec64 time)
{
	loff_t old_size = i_size_read(inode);
	int error = 0;

	filemap_invalidate_lock(inode->i_mapping);
	if (size < old_size)
		error = lcpfs_shrink(inode, size, time);
	else if (size > old_size)
		error = lcpfs_grow(inode, size, time);
	filemap_invalidate_unlock(inode->i_mapping);
	return error;
}
