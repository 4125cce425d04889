// SPDX-License-Identifier: GPL-2.0-only
/*
 * write.c: write(2) into the page cache.
 *
 * For each piece: promise its blocks, take the folio (as large as the piece where the kernel can), make it
 * uptodate when the piece does not cover it, copy, mark the blocks dirty, move the size. Promises are made
 * with no folio locked; when the folio turns out to need more than is in hand (another writer cleaned it
 * meanwhile), it is let go first. What is in hand is carried from piece to piece and given back at the end.
 *
 * Locking: i_rwsem is held over the whole call, so there is one writer; the size changes under the folio lock,
 * where writeback reads it. Errors after some bytes were written give the number of bytes. A fatal
 * signal ends the call between two pieces.
 *
 * A write past the end first zeroes the tail of the old last block in the cache: what a mapping stored there must
 * not appear in the file. See truncate.c.
 */
#include <linux/backing-dev.h>
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>
#include <linux/writeback.h>

#include "shim/vfs/inode.h"
#include "shim/vfs/promise.h"
#include "shim/vfs/transfer.h"

/* The most that is promised and copied with one folio. */
#define LCPFS_WRITE_PIECE (1u << 20)

struct lcpfs_range {
	unsigned int first, count; /* blocks of a folio */
};

static struct lcpfs_range lcpfs_range_of(struct folio *folio, loff_t position, size_t bytes)
{
	size_t offset = offset_in_folio(folio, position);
	unsigned int first = offset / CORE_BLOCK_SIZE;

	return (struct lcpfs_range){ first, DIV_ROUND_UP(offset + bytes, CORE_BLOCK_SIZE) - first };
}

static unsigned int lcpfs_blocks_of(loff_t position, size_t bytes)
{
	return DIV_ROUND_UP(offset_in_page(position) + bytes, CORE_BLOCK_SIZE);
}

/*
 * The folio at `position`, locked, stable, uptodate unless the piece covers it, with a state, and with
 * enough promises in hand for its part of the piece; *bytes is cut to that part.
 */
static struct folio *lcpfs_write_begin(struct inode *inode, loff_t position, size_t *bytes,
				       struct lcpfs_promise *promise)
{
	unsigned int need = lcpfs_blocks_of(position, *bytes);
	struct folio *folio;
	size_t part;
	int error;

	for (;;) {
		struct lcpfs_range range;

		error = lcpfs_promise_need(promise, position >> PAGE_SHIFT, need);
		if (error == -ENOSPC && *bytes > PAGE_SIZE) {
			/* Up to the last block that fits. */
			*bytes = PAGE_SIZE - offset_in_page(position);
			need = 1;
			continue;
		}
		if (error)
			return ERR_PTR(error);
		folio = lcpfs_grab_folio(inode->i_mapping, position >> PAGE_SHIFT, *bytes);
		if (IS_ERR(folio))
			return folio;
		part = min(*bytes, folio_size(folio) - offset_in_folio(folio, position));
		if (!folio_test_uptodate(folio) && part < folio_size(folio)) {
			error = lcpfs_fill_folio(inode, folio);
			if (error)
				goto again;
		}
		error = lcpfs_folio_prepare(folio, GFP_NOFS);
		if (error)
			goto again;
		range = lcpfs_range_of(folio, position, part);
		if (lcpfs_folio_missing(folio, range.first, range.count) <= promise->blocks &&
		    lcpfs_promise_holds(promise, position >> PAGE_SHIFT, range.count))
			break;
again:
		folio_unlock(folio);
		folio_put(folio);
		if (error && error != AOP_TRUNCATED_PAGE)
			return ERR_PTR(error);
	}
	*bytes = part;
	return folio;
}

/* Ends a piece of which `copied` bytes arrived; gives how many count. Unlocks the folio. */
static size_t lcpfs_write_end(struct inode *inode, struct folio *folio, loff_t position, size_t copied,
			      struct lcpfs_promise *promise)
{
	struct lcpfs_range range;

	flush_dcache_folio(folio);
	if (!folio_test_uptodate(folio)) {
		/* Nothing was read, as all was to be overwritten: all or nothing counts. */
		if (copied < folio_size(folio))
			copied = 0;
		else
			folio_mark_uptodate(folio);
	}
	if (copied) {
		range = lcpfs_range_of(folio, position, copied);
		lcpfs_folio_promise(inode, folio, range.first, range.count, promise);
		filemap_dirty_folio(inode->i_mapping, folio);
		if (position + copied > i_size_read(inode))
			i_size_write(inode, position + copied);
	}
	folio_unlock(folio);
	folio_put(folio);
	return copied;
}

ssize_t lcpfs_buffered_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct lcpfs_promise promise;
	const size_t piece = LCPFS_WRITE_PIECE;
	size_t limit = piece;
	ssize_t written = 0;
	int error = 0;

	lcpfs_promise_init(&promise, inode);
	while (iov_iter_count(from)) {
		loff_t position = iocb->ki_pos + written;
		size_t bytes = min3(iov_iter_count(from), limit, piece - ((size_t)position & (piece - 1)));
		struct folio *folio;
		size_t copied;

		if (fatal_signal_pending(current)) {
			error = -EINTR;
			break;
		}
		/* Not under the folio lock: the memory written from may be this very folio. */
		if (fault_in_iov_iter_readable(from, bytes) == bytes) {
			error = -EFAULT;
			break;
		}
		folio = lcpfs_write_begin(inode, position, &bytes, &promise);
		if (IS_ERR(folio)) {
			error = PTR_ERR(folio);
			break;
		}
		if (mapping_writably_mapped(inode->i_mapping))
			flush_dcache_folio(folio);
		copied = lcpfs_copy_to_folio(folio, offset_in_folio(folio, position), bytes, from);
		bytes = lcpfs_write_end(inode, folio, position, copied, &promise);
		iov_iter_revert(from, copied - bytes);
		/*
		 * Nothing counted, because only part of the memory was there: next time just that part, with the rest of
		 * the folio read; or a smaller piece, when what was faulted in went away again.
		 */
		if (bytes)
			limit = piece;
		else
			limit = copied ?: max_t(size_t, limit / 2, PAGE_SIZE);
		written += bytes;
		cond_resched();
		balance_dirty_pages_ratelimited(inode->i_mapping);
	}
	lcpfs_promise_end(&promise);
	iocb->ki_pos += written;
	return written ?: error;
}

int lcpfs_zero_cached(struct inode *inode, loff_t position, size_t bytes)
{
	struct lcpfs_promise promise;
	struct folio *folio;

	lcpfs_promise_init(&promise, inode);
	folio = lcpfs_write_begin(inode, position, &bytes, &promise);
	if (!IS_ERR(folio)) {
		folio_zero_range(folio, offset_in_folio(folio, position), bytes);
		lcpfs_write_end(inode, folio, position, bytes, &promise);
	}
	lcpfs_promise_end(&promise);
	return PTR_ERR_OR_ZERO(folio);
}

int lcpfs_rewrite_cached(struct inode *inode, loff_t position)
{
	/* Less than the page, so that the rest of it is read. */
	size_t bytes = min_t(loff_t, PAGE_SIZE - 1, i_size_read(inode) - position);
	struct lcpfs_promise promise;
	struct folio *folio;

	lcpfs_promise_init(&promise, inode);
	folio = lcpfs_write_begin(inode, position, &bytes, &promise);
	if (!IS_ERR(folio))
		lcpfs_write_end(inode, folio, position, bytes, &promise);
	lcpfs_promise_end(&promise);
	return PTR_ERR_OR_ZERO(folio);
}

/* Of a block of which only part is written the rest is read: not before what is under way has been written. */
static ssize_t lcpfs_cached_write(struct kiocb *iocb, struct iov_iter *from)
{
	inode_dio_wait(file_inode(iocb->ki_filp));
	return lcpfs_buffered_write(iocb, from);
}

ssize_t lcpfs_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	struct inode *inode = file_inode(file);
	ssize_t result;

	/* Promising and copying may wait. */
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	inode_lock(inode);
	/* Open since before it was: XFS lets those write on, ext4 does not. */
	result = IS_IMMUTABLE(inode) ? -EPERM : generic_write_checks(iocb, from);
	if (result <= 0)
		goto unlock;
	result = file_modified(file);
	if (result)
		goto unlock;
	if (iocb->ki_pos > i_size_read(inode))
		lcpfs_zero_tail(inode, i_size_read(inode));
	if (iocb->ki_flags & IOCB_DIRECT)
		result = lcpfs_direct_write(iocb, from);
	else
		result = lcpfs_cached_write(iocb, from);
unlock:
	inode_unlock(inode);
	if (result > 0)
		result = lcpfs_written(iocb, result);
	return result;
}
