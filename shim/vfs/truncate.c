// SPDX-License-Identifier: GPL-2.0-only
/*
 * truncate.c: changing the size of a file.
 *
 * The size on disk follows the data that was written, so it may be behind the size in memory. Before the core
 * is told a new size, what lies between the two is written: otherwise the new size would make the unwritten part
 * appear as zeros after a crash.
 *
 * Shrinking, or to the same size when there are blocks behind it: size in memory, then the page cache (which waits for writeback of
 * what goes), then the core.
 * Growing: the tail of the old last block is zeroed in the cache, then the core, then the size in memory.
 *
 * The tail of the last block, behind the end of the file. On disk it is zeros in every committed state: writeback
 * zeroes it on the way, and a cut zeroes it together with the new size (core/fs/tail.h). In the cache it is
 * zeros from the moment it is read, but a mapping may store there, so whoever moves the end past it zeroes it first
 * (lcpfs_zero_tail). Nothing need be written for that: a folio changed by a mapping is dirty already.
 *
 * Locking: i_rwsem held exclusively; the mapping's invalidate lock is taken here against faults.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/writeback.h>

#include "shim/vfs/inode.h"
#include "shim/vfs/transfer.h"

void lcpfs_zero_tail(struct inode *inode, loff_t size)
{
	struct folio *folio;

	if (!(size & (CORE_BLOCK_SIZE - 1)))
		return;
	/* Not in the cache: whoever reads it from now on gets zeros from the disk. */
	folio = lcpfs_lock_folio(inode->i_mapping, size >> PAGE_SHIFT);
	if (!folio)
		return;
	if (folio_test_uptodate(folio)) {
		folio_wait_stable(folio);
		folio_zero_segment(folio, offset_in_folio(folio, size), folio_size(folio));
	}
	folio_unlock(folio);
	folio_put(folio);
}

int lcpfs_flush_to(struct inode *inode, loff_t end)
{
	struct core_attr attr;

	core_object_attr(lcpfs_object(inode), &attr);
	if (attr.size_bytes >= end)
		return 0;
	return filemap_write_and_wait_range(inode->i_mapping, attr.size_bytes, end - 1);
}

/*
 * A cut into a block has to read it, and that may fail: then nothing must be missing that the cache had behind it and the disk has not. So
 * it is tried before the cache lets go. Where nothing waits to be written there is nothing to lose.
 */
static int lcpfs_try_cut(struct inode *inode, loff_t size)
{
	struct address_space *mapping = inode->i_mapping;
	loff_t block = round_down(size, CORE_BLOCK_SIZE), last = block + CORE_BLOCK_SIZE - 1;
	int error;

	if (!mapping_tagged(mapping, PAGECACHE_TAG_DIRTY) && !mapping_tagged(mapping, PAGECACHE_TAG_WRITEBACK))
		return 0;
	error = filemap_fdatawrite_range(mapping, block, last);
	if (!error)
		error = filemap_fdatawait_range_keep_errors(mapping, block, last);
	return error ?: lcpfs_try_block(inode, block / CORE_BLOCK_SIZE);
}

static int lcpfs_shrink(struct inode *inode, loff_t size, struct timespec64 time)
{
	loff_t old_size = i_size_read(inode);
	struct core_attr attr;
	int error;

	error = lcpfs_flush_to(inode, size);
	if (!error && size & (CORE_BLOCK_SIZE - 1))
		error = lcpfs_try_cut(inode, size);
	if (error)
		return error;
	truncate_setsize(inode, size);
	error = core_truncate(lcpfs_object(inode), size, lcpfs_time(time));
	if (error) {
		/* The core has kept its size: show what is there, without the zeros that the cache got behind the cut. */
		core_object_attr(lcpfs_object(inode), &attr);
		invalidate_inode_pages2_range(inode->i_mapping, size >> PAGE_SHIFT, -1);
		i_size_write(inode, min_t(u64, attr.size_bytes, old_size));
	}
	return error;
}

static int lcpfs_grow(struct inode *inode, loff_t size, struct timespec64 time)
{
	loff_t old_size = i_size_read(inode);
	int error;

	lcpfs_zero_tail(inode, old_size);
	error = lcpfs_flush_to(inode, old_size);
	if (!error)
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

	inode_dio_wait(inode);
	filemap_invalidate_lock(inode->i_mapping);
	if (size < old_size || (size == old_size && lcpfs_has_blocks_behind(inode, size)))
		error = lcpfs_shrink(inode, size, time);
	else if (size > old_size)
		error = lcpfs_grow(inode, size, time);
	filemap_invalidate_unlock(inode->i_mapping);
	return error;
}
