// SPDX-License-Identifier: GPL-2.0-only
/*
 * direct.c: O_DIRECT: transfers that leave nothing in the page cache.
 *
 * They go through memory of our own, not straight to and from the caller's: blocks are checksummed as they are written and verified as
 * they are read, and a buffer that changes meanwhile must not make a block that fails its checksum, nor a good one look damaged. The price
 * is one copy. (Reads that nobody waits for do without it where they can: direct_async.c.) Here is what the caller waits for: pieces of up
 * to LCPFS_DIRECT_BLOCKS blocks go one after the other. Requests of io_uring and libaio overlap where they can: direct_async.c.
 *
 * Position, length and addresses are multiples of the logical block of 512 bytes (-EINVAL). What is not whole blocks of ours is
 * written through the page cache, which leaves again.
 *
 * One truth with the page cache: before a read what is dirty in the range is written; before a write it is written and leaves the
 * cache, under the invalidate lock, which keeps it out until the write is done. The caller's bytes are copied before that lock is
 * taken, since they may lie in a mapping of this very file. A page that cannot leave (somebody stores to it all the time) makes
 * the rest of the write go through the cache. A file grows when what makes it grow has been written; what its cache
 * has beyond the size on disk goes first (truncate.c).
 *
 * A synchronous write of little is handed to the intent log, like one of fsync (writeback.c).
 *
 * Locking: i_rwsem shared for reads, exclusive for writes. Who has it exclusively and changes data or size, other than by an
 * asynchronous direct write, waits for the asynchronous requests under way (inode_dio_wait).
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "shim/host/host_kept.h"
#include "shim/vfs/direct.h"
#include "shim/vfs/inode.h"
#include "shim/vfs/promise.h"
#include "shim/vfs/super.h"
#include "shim/vfs/transfer.h"

#define LCPFS_DIRECT_ORDER 4 /* of the largest piece */

static struct host_kept lcpfs_direct_kept[LCPFS_DIRECT_ORDER + 1]; /* pieces, by their order */

static_assert(LCPFS_DIRECT_BLOCKS <= CORE_READ_MAX_BLOCKS);

static void lcpfs_direct_give_back(void *context, void *memory)
{
	free_pages((unsigned long)memory, (struct host_kept *)context - lcpfs_direct_kept);
}

void lcpfs_direct_init(void)
{
	unsigned int order;

	for (order = 0; order <= LCPFS_DIRECT_ORDER; order++)
		host_kept_init(&lcpfs_direct_kept[order], PAGE_SIZE << order, lcpfs_direct_give_back, &lcpfs_direct_kept[order]);
}

void lcpfs_direct_exit(void)
{
	unsigned int order;

	for (order = 0; order <= LCPFS_DIRECT_ORDER; order++)
		host_kept_end(&lcpfs_direct_kept[order]);
}

/* NULL: there is none; larger pieces are not searched for. */
static void *lcpfs_direct_piece(unsigned int order)
{
	gfp_t gfp = GFP_KERNEL | (order ? __GFP_NORETRY | __GFP_NOWARN : 0);

	return host_kept_take(&lcpfs_direct_kept[order]) ?: (void *)__get_free_pages(gfp, order);
}

void lcpfs_direct_empty(struct lcpfs_direct *direct)
{
	unsigned int i;

	for (i = 0; i < direct->count; i++) {
		void *memory = direct->segments[i].data;
		unsigned int order = get_order(direct->segments[i].bytes);

		if (!host_kept_give(&lcpfs_direct_kept[order], memory))
			free_pages((unsigned long)memory, order);
	}
	direct->count = 0;
}

/* Pieces as large as there are, single pages at last. */
bool lcpfs_direct_fill(struct lcpfs_direct *direct, struct inode *inode, unsigned int blocks)
{
	unsigned int left = blocks;

	direct->inode = inode;
	direct->blocks = blocks;
	direct->count = 0;
	while (left) {
		unsigned int order = min_t(unsigned int, ilog2(left), LCPFS_DIRECT_ORDER);
		void *memory = lcpfs_direct_piece(order);

		if (!memory && order) {
			order = 0;
			memory = lcpfs_direct_piece(order);
		}
		if (!memory) {
			lcpfs_direct_empty(direct);
			return false;
		}
		direct->segments[direct->count].data = memory;
		direct->segments[direct->count].bytes = PAGE_SIZE << order;
		direct->count++;
		left -= 1u << order;
	}
	return true;
}

static struct lcpfs_direct *lcpfs_direct_alloc(struct inode *inode, unsigned int blocks)
{
	struct lcpfs_direct *direct = kmalloc(struct_size(direct, segments, blocks), GFP_KERNEL);

	if (direct && !lcpfs_direct_fill(direct, inode, blocks)) {
		kfree(direct);
		direct = NULL;
	}
	return direct;
}

static void lcpfs_direct_free(struct lcpfs_direct *direct)
{
	lcpfs_direct_empty(direct);
	kfree(direct);
}

/* The general way checks what kind of memory it is given; a page is a page. */
static size_t lcpfs_direct_copy_part(void *at, size_t bytes, struct iov_iter *iter, bool out)
{
	size_t offset = offset_in_page(at);

	if (offset + bytes > PAGE_SIZE)
		return out ? copy_to_iter(at, bytes, iter) : copy_from_iter(at, bytes, iter);
	if (out)
		return copy_page_to_iter(virt_to_page(at), offset, bytes, iter);
	return copy_page_from_iter(virt_to_page(at), offset, bytes, iter);
}

size_t lcpfs_direct_copy(struct lcpfs_direct *direct, size_t skip, size_t bytes, struct iov_iter *iter, bool out)
{
	size_t done = 0;
	unsigned int i;

	for (i = 0; i < direct->count && done < bytes; i++) {
		struct core_segment *segment = &direct->segments[i];
		size_t part = min_t(size_t, bytes - done, segment->bytes - skip);
		void *at = segment->data + skip;
		size_t copied = lcpfs_direct_copy_part(at, part, iter, out);

		done += copied;
		if (copied < part)
			break;
		skip = 0;
	}
	return done;
}

void lcpfs_direct_was_read(void *context, int error, const uint64_t *bad)
{
	struct lcpfs_direct *direct = context;

	direct->error = error;
	direct->bad = error && bad ? find_first_bit((const unsigned long *)bad, direct->blocks) : 0;
}

size_t lcpfs_direct_readable(const struct lcpfs_direct *direct, size_t skip, size_t bytes)
{
	if (!direct->error)
		return bytes;
	return direct->bad ? min_t(size_t, bytes, direct->bad * CORE_BLOCK_SIZE - skip) : 0;
}

static void lcpfs_direct_was_written(void *context, int error)
{
	struct lcpfs_direct *direct = context;

	direct->error = error;
	complete(&direct->done);
}

/* Up to LCPFS_DIRECT_BLOCKS blocks from `position` on; gives bytes, as far as they could be read. */
static ssize_t lcpfs_direct_read_some(struct inode *inode, loff_t position, size_t bytes, struct iov_iter *to)
{
	size_t skip = position & (CORE_BLOCK_SIZE - 1);
	struct lcpfs_direct *direct;
	unsigned int scope, waits;
	ssize_t result;

	bytes = min_t(size_t, bytes, LCPFS_DIRECT_BLOCKS * CORE_BLOCK_SIZE - skip);
	direct = lcpfs_direct_alloc(inode, DIV_ROUND_UP(skip + bytes, CORE_BLOCK_SIZE));
	if (!direct)
		return -ENOMEM;
	scope = memalloc_nofs_save();
	/* As io_schedule does it: whoever waits here waits for a device. */
	waits = current->in_iowait;
	current->in_iowait = 1;
	core_read_wait(lcpfs_object(inode), position / CORE_BLOCK_SIZE, direct->segments, direct->count, lcpfs_direct_was_read,
		       direct);
	current->in_iowait = waits;
	memalloc_nofs_restore(scope);
	bytes = lcpfs_direct_readable(direct, skip, bytes);
	if (bytes)
		result = lcpfs_direct_copy(direct, skip, bytes, to, true) ?: -EFAULT;
	else
		result = direct->error;
	lcpfs_direct_free(direct);
	return result;
}

static ssize_t lcpfs_direct_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t size = i_size_read(inode);
	ssize_t done = 0, result = 0;

	if (iocb->ki_pos >= size)
		return 0;
	result = filemap_write_and_wait_range(inode->i_mapping, iocb->ki_pos, iocb->ki_pos + iov_iter_count(to) - 1);
	while (!result && iov_iter_count(to) && iocb->ki_pos < size) {
		result = lcpfs_direct_read_some(inode, iocb->ki_pos, min_t(u64, iov_iter_count(to), size - iocb->ki_pos), to);
		if (result <= 0)
			break;
		done += result;
		iocb->ki_pos += result;
		result = fatal_signal_pending(current) ? -EINTR : 0;
	}
	return done ?: result;
}

static bool lcpfs_direct_is_aligned(const struct kiocb *iocb, const struct iov_iter *iter)
{
	return !((iocb->ki_pos | iov_iter_alignment(iter)) & (LCPFS_DIRECT_ALIGN - 1));
}

ssize_t lcpfs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct lcpfs_async *async;
	ssize_t result;

	if (!(iocb->ki_flags & IOCB_DIRECT))
		return generic_file_read_iter(iocb, to);
	if (!lcpfs_direct_is_aligned(iocb, to))
		return -EINVAL;
	if (!iov_iter_count(to))
		return 0;
	async = lcpfs_async_read_prepare(iocb, to);
	if (async)
		return lcpfs_async_read(async, to);
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	inode_lock_shared(inode);
	result = lcpfs_direct_read(iocb, to);
	inode_unlock_shared(inode);
	file_accessed(iocb->ki_filp);
	return result;
}

bool lcpfs_direct_is_for_log(struct kiocb *iocb, const struct lcpfs_direct *direct)
{
	const struct lcpfs_options *options = &lcpfs_super_of(direct->inode->i_sb)->options;

	return direct->blocks <= CORE_LOG_MAX_BLOCKS && READ_ONCE(options->log_bias) == LCPFS_LOG_BIAS_LATENCY &&
	       lcpfs_write_syncs(iocb);
}

/*
 * Writes what the cache has of [position, end), and what it has between the size on disk and there, and takes the range out. -EBUSY: a page
 * does not leave. Invalidate lock held.
 */
static int lcpfs_direct_clear_cache(struct inode *inode, loff_t position, loff_t end)
{
	struct address_space *mapping = inode->i_mapping;
	int error;

	if (!mapping->nrpages)
		return 0;
	error = lcpfs_flush_to(inode, position);
	if (!error)
		error = filemap_write_and_wait_range(mapping, position, end - 1);
	if (!error && invalidate_inode_pages2_range(mapping, position >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT))
		error = -EBUSY;
	return error;
}

int lcpfs_direct_claim(struct inode *inode, loff_t position, unsigned int blocks, struct lcpfs_promise *promise)
{
	loff_t end = position + (loff_t)blocks * CORE_BLOCK_SIZE;
	u64 first = position / CORE_BLOCK_SIZE;
	int error;

	for (;;) {
		error = lcpfs_promise_need(promise, first, blocks);
		if (error)
			return error;
		filemap_invalidate_lock(inode->i_mapping);
		error = lcpfs_direct_clear_cache(inode, position, end);
		if (!error && lcpfs_promise_holds(promise, first, blocks))
			return 0;
		filemap_invalidate_unlock(inode->i_mapping);
		if (error)
			return error;
	}
}

/* Space is promised; uses the promise up. The range is not in the cache and does not get there. */
static int lcpfs_direct_to_core(struct kiocb *iocb, struct lcpfs_direct *direct, loff_t size)
{
	struct core_object *object = lcpfs_object(direct->inode);
	u64 first = iocb->ki_pos / CORE_BLOCK_SIZE;
	unsigned int scope = memalloc_nofs_save();

	if (!lcpfs_direct_is_for_log(iocb, direct) ||
	    core_log_write(object, first, direct->segments, direct->count, size, lcpfs_write_syncs_data(iocb))) {
		init_completion(&direct->done);
		core_write(object, first, direct->segments, direct->count, size, lcpfs_direct_was_written, direct);
		wait_for_completion_io(&direct->done);
	} else {
		direct->error = 0;
	}
	memalloc_nofs_restore(scope);
	return direct->error;
}

/* -EBUSY: a page of the range does not leave the cache. */
static int lcpfs_direct_write_blocks(struct kiocb *iocb, struct lcpfs_direct *direct)
{
	struct inode *inode = direct->inode;
	loff_t end = iocb->ki_pos + (loff_t)direct->blocks * CORE_BLOCK_SIZE;
	loff_t size = i_size_read(inode);
	struct lcpfs_promise promise;
	int error;

	lcpfs_promise_init(&promise, inode);
	error = lcpfs_direct_claim(inode, iocb->ki_pos, direct->blocks, &promise);
	if (!error) {
		promise.blocks -= direct->blocks;
		error = lcpfs_direct_to_core(iocb, direct, max(size, end));
		if (!error && end > size)
			i_size_write(inode, end);
		filemap_invalidate_unlock(inode->i_mapping);
	}
	lcpfs_promise_end(&promise);
	return error;
}

/* Whole blocks, as many as one request takes; gives bytes. */
static ssize_t lcpfs_direct_write_some(struct kiocb *iocb, struct iov_iter *from)
{
	size_t bytes = min_t(size_t, iov_iter_count(from), LCPFS_DIRECT_BLOCKS * CORE_BLOCK_SIZE);
	struct lcpfs_direct *direct;
	ssize_t result;

	bytes = round_down(bytes, CORE_BLOCK_SIZE);
	direct = lcpfs_direct_alloc(file_inode(iocb->ki_filp), bytes / CORE_BLOCK_SIZE);
	if (!direct)
		return -ENOMEM;
	result = lcpfs_direct_copy(direct, 0, bytes, from, false);
	if (result < bytes) {
		iov_iter_revert(from, result);
		result = -EFAULT;
	} else {
		result = lcpfs_direct_write_blocks(iocb, direct);
		if (result)
			iov_iter_revert(from, bytes);
		else
			iocb->ki_pos += bytes;
	}
	lcpfs_direct_free(direct);
	return result ?: bytes;
}

/* Through the cache, at most `bytes`, and out of it again. */
static ssize_t lcpfs_direct_write_cached(struct kiocb *iocb, struct iov_iter *from, size_t bytes)
{
	struct address_space *mapping = file_inode(iocb->ki_filp)->i_mapping;
	size_t rest = iov_iter_count(from);
	loff_t position = iocb->ki_pos;
	ssize_t result;
	int error;

	iov_iter_truncate(from, bytes);
	result = lcpfs_buffered_write(iocb, from);
	iov_iter_reexpand(from, rest - max_t(ssize_t, result, 0));
	if (result <= 0)
		return result;
	error = filemap_write_and_wait_range(mapping, position, position + result - 1);
	if (error)
		return error;
	invalidate_mapping_pages(mapping, position >> PAGE_SHIFT, (position + result - 1) >> PAGE_SHIFT);
	return result;
}

ssize_t lcpfs_direct_write(struct kiocb *iocb, struct iov_iter *from)
{
	ssize_t done = 0, result = 0;

	if (!lcpfs_direct_is_aligned(iocb, from))
		return -EINVAL;
	if (lcpfs_async_write(iocb, from))
		return -EIOCBQUEUED;
	inode_dio_wait(file_inode(iocb->ki_filp));
	while (iov_iter_count(from)) {
		size_t in_block = iocb->ki_pos & (CORE_BLOCK_SIZE - 1);

		if (in_block || iov_iter_count(from) < CORE_BLOCK_SIZE)
			result = lcpfs_direct_write_cached(iocb, from, CORE_BLOCK_SIZE - in_block);
		else
			result = lcpfs_direct_write_some(iocb, from);
		/* Or there is no room for so much at once: the cache takes what fits. */
		if (result == -EBUSY || result == -ENOSPC)
			result = lcpfs_direct_write_cached(iocb, from, iov_iter_count(from));
		if (result <= 0)
			break;
		done += result;
		if (fatal_signal_pending(current))
			break;
	}
	return done ?: result;
}
