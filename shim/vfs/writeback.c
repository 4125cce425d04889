// SPDX-License-Identifier: GPL-2.0-only
/*
 * writeback.c: dirty folios to the core.
 *
 * write_cache_pages gives the dirty folios of a file in order, locked. Their dirty blocks are gathered, as long as
 * they follow each other, into one core_write straight from the page cache; when it is done, with the extents
 * entered into the file, the folios leave writeback. Checksums are computed on the way, so a folio under
 * writeback does not change (SB_I_STABLE_WRITES).
 *
 * The size given along is read under the lock of the last folio added: whatever was written below it is in
 * the cache. The tail of the last block is zeroed here, since a mapping may have stored beyond the end: on disk it has to
 * be zeros (truncate.c).
 *
 * fsync, msync and O_SYNC write through here with WB_SYNC_ALL. When the file has little that is dirty, it is not written to
 * its place but handed to core_log_write, which copies it: the log write that fsync ends with carries it, and that is the only one.
 * Whatever core_log_write does not take goes the ordinary way: to its place, and the log write says where that is. With
 * logbias=throughput everything does.
 *
 * Errors. What could not be written stays in the cache, clean, and the error is recorded for fsync, syncfs and close, as
 * everywhere in Linux: a device that fails would fail again. But memory comes back: after -ENOMEM the folios are
 * dirty again as well, so that a later pass writes them.
 *
 * Memory: requests come from a mempool, everything is in NOFS scope. Waiting for a request to come back is safe,
 * because core_write completes without any lock of ours.
 */
#include <linux/backing-dev.h>
#include <linux/blkdev.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "shim/host/host_kept.h"
#include "shim/vfs/inode.h"
#include "shim/vfs/promise.h"
#include "shim/vfs/super.h"
#include "shim/vfs/transfer.h"

#define LCPFS_WRITE_RESERVE 16
#define LCPFS_WRITE_SEGMENTS ((PAGE_SIZE - offsetof(struct lcpfs_write, segments)) / sizeof(struct core_segment))

/* A request of one page of memory. Each segment lies within one folio. */
struct lcpfs_write {
	struct inode *inode;
	u64 first;              /* file block */
	unsigned int blocks;
	unsigned int count;
	u64 size;
	struct core_segment segments[];
};

/* One call of writepages. */
struct lcpfs_writeback {
	struct inode *inode;
	struct lcpfs_write *write; /* being gathered, or NULL */
	bool logs;                 /* little, and somebody waits for it */
};

/* Somebody waits for all that the file has to be on disk. */
static bool lcpfs_is_synced(struct inode *inode)
{
	return atomic_read(&lcpfs_inode_of(inode)->fsyncs) != 0;
}

static mempool_t *lcpfs_write_pool;
static struct host_kept lcpfs_write_kept; /* a page each, and short-lived */

static void lcpfs_write_give_back(void *context, void *object)
{
	mempool_free(object, lcpfs_write_pool);
}

int lcpfs_transfer_init(void)
{
	lcpfs_write_pool = mempool_create_kmalloc_pool(LCPFS_WRITE_RESERVE, PAGE_SIZE);
	if (!lcpfs_write_pool)
		return -ENOMEM;
	host_kept_init(&lcpfs_write_kept, PAGE_SIZE, lcpfs_write_give_back, NULL);
	return 0;
}

void lcpfs_transfer_exit(void)
{
	host_kept_end(&lcpfs_write_kept);
	mempool_destroy(lcpfs_write_pool);
}

static struct lcpfs_write *lcpfs_write_take(void)
{
	return host_kept_take(&lcpfs_write_kept) ?: mempool_alloc(lcpfs_write_pool, GFP_NOFS);
}

static void lcpfs_folio_piece_done(struct folio *folio)
{
	struct lcpfs_folio *state = lcpfs_folio_state(folio);

	if (!state || atomic_dec_and_test(&state->writes))
		folio_end_writeback(folio);
}

/* The promise is used up: dirty as by somebody from outside, the next writeback makes another (promise.h). */
static void lcpfs_write_again(struct inode *inode, struct folio *folio)
{
	struct lcpfs_folio *state = lcpfs_folio_state(folio);

	if (state)
		set_bit(LCPFS_FOLIO_WHOLE, &state->flags);
	filemap_dirty_folio(inode->i_mapping, folio);
}

static void lcpfs_write_done(void *context, int error)
{
	struct lcpfs_write *write = context;
	struct inode *inode = write->inode;
	unsigned int i;

	if (error)
		mapping_set_error(inode->i_mapping, error);
	atomic64_sub(write->blocks, &lcpfs_inode_of(inode)->promised);
	/* The last folio to leave writeback may let the inode go. */
	for (i = 0; i < write->count; i++) {
		struct folio *folio = virt_to_folio(write->segments[i].data);

		if (error == -ENOMEM)
			lcpfs_write_again(inode, folio);
		lcpfs_folio_piece_done(folio);
	}
	host_kept_free(&lcpfs_write_kept, lcpfs_write_pool, write);
}

static void lcpfs_write_submit(struct lcpfs_writeback *writeback, bool is_last)
{
	struct lcpfs_write *write = writeback->write;

	writeback->write = NULL;
	if (!write)
		return;
	if (writeback->logs && write->blocks <= CORE_LOG_MAX_BLOCKS &&
	    !core_log_write(lcpfs_object(writeback->inode), write->first, write->segments, write->count, write->size, is_last))
		lcpfs_write_done(write, 0);
	else
		core_write(lcpfs_object(writeback->inode), write->first, write->segments, write->count, write->size,
			   lcpfs_write_done, write);
}

/* A request that block `block` can be added to. */
static struct lcpfs_write *lcpfs_write_for(struct lcpfs_writeback *writeback, u64 block)
{
	struct lcpfs_write *write = writeback->write;

	if (write && (write->first + write->blocks != block || write->blocks == CORE_WRITE_MAX_BLOCKS ||
		      write->count == LCPFS_WRITE_SEGMENTS))
		lcpfs_write_submit(writeback, false);
	if (!writeback->write) {
		write = lcpfs_write_take();
		write->inode = writeback->inode;
		write->first = block;
		write->blocks = 0;
		write->count = 0;
		writeback->write = write;
	}
	return writeback->write;
}

/* Adds a run of promised blocks of a folio under writeback, in as many pieces as requests take. */
static void lcpfs_write_add(struct lcpfs_writeback *writeback, struct folio *folio, unsigned int first,
			    unsigned int count, loff_t size)
{
	struct lcpfs_folio *state = lcpfs_folio_state(folio);

	while (count) {
		struct lcpfs_write *write = lcpfs_write_for(writeback, folio->index + first);
		unsigned int part = min(count, CORE_WRITE_MAX_BLOCKS - write->blocks);
		struct core_segment *segment = &write->segments[write->count++];

		segment->data = folio_address(folio) + (size_t)first * CORE_BLOCK_SIZE;
		segment->bytes = part * CORE_BLOCK_SIZE;
		write->blocks += part;
		write->size = size;
		if (state)
			atomic_inc(&state->writes);
		first += part;
		count -= part;
	}
}

/* Dirtied from outside (see promise.h): makes the promises that are missing, as far as there is room. */
static void lcpfs_write_promise_whole(struct inode *inode, struct folio *folio, unsigned int blocks)
{
	struct lcpfs_folio *state = lcpfs_folio_state(folio);
	struct lcpfs_promise promise;
	int error;

	if (state ? !test_and_clear_bit(LCPFS_FOLIO_WHOLE, &state->flags) : folio_test_private(folio))
		return;
	lcpfs_promise_init(&promise, inode);
	error = lcpfs_folio_prepare(folio, GFP_NOFS);
	if (!error)
		error = lcpfs_promise_try(&promise, folio->index, blocks, lcpfs_folio_missing(folio, 0, blocks));
	if (error)
		mapping_set_error(inode->i_mapping, error);
	else
		lcpfs_folio_promise(inode, folio, 0, blocks, &promise);
	lcpfs_promise_end(&promise);
}

/*
 * A clean folio loses the cache's marks, as by folio_start_writeback, without being under writeback. A store that comes meanwhile finds
 * the lock taken before it can set them again.
 */
static void lcpfs_folio_unmark(struct address_space *mapping, struct folio *folio)
{
	unsigned long flags;

	xa_lock_irqsave(&mapping->i_pages, flags);
	if (!folio_test_dirty(folio))
		__xa_clear_mark(&mapping->i_pages, folio->index, PAGECACHE_TAG_DIRTY);
	if (mapping_tagged(mapping, PAGECACHE_TAG_TOWRITE))
		__xa_clear_mark(&mapping->i_pages, folio->index, PAGECACHE_TAG_TOWRITE);
	xa_unlock_irqrestore(&mapping->i_pages, flags);
}

/*
 * The only dirty page of a file goes into the log from under its lock: it has been copied when the call returns, so that there is nothing
 * that writeback would be waited for (which by its marks, lists and statistics costs as much as all that the log does). The mark of a
 * dirty page goes last: whoever else syncs the file finds it until then, and waits for the lock. False: nothing has happened.
 */
static bool lcpfs_log_folio(struct lcpfs_writeback *writeback, struct folio *folio, loff_t size)
{
	struct inode *inode = writeback->inode;
	struct core_segment segment = { .data = folio_address(folio), .bytes = PAGE_SIZE };

	if (!writeback->logs || writeback->write || folio_test_large(folio) ||
	    atomic64_read(&lcpfs_inode_of(inode)->promised) != 1 ||
	    core_log_write(lcpfs_object(inode), folio->index, &segment, 1, size, lcpfs_is_synced(inode)))
		return false;
	lcpfs_folio_consume(folio, 0, 1);
	atomic64_dec(&lcpfs_inode_of(inode)->promised);
	lcpfs_folio_unmark(inode->i_mapping, folio);
	wb_writeout_inc(&inode_to_bdi(inode)->wb);
	folio_unlock(folio);
	return true;
}

static int lcpfs_write_folio(struct folio *folio, struct writeback_control *control, void *data)
{
	struct lcpfs_writeback *writeback = data;
	struct inode *inode = writeback->inode;
	unsigned int blocks = folio_nr_pages(folio);
	loff_t size = i_size_read(inode);
	loff_t start = folio_pos(folio);
	unsigned int valid = 0, first = 0, count;
	struct lcpfs_folio *state;

	if (start < size)
		valid = min_t(u64, DIV_ROUND_UP_ULL(size - start, CORE_BLOCK_SIZE), blocks);
	if (valid)
		lcpfs_write_promise_whole(inode, folio, valid);
	/* Blocks wholly past the end are being truncated. */
	if (valid < blocks)
		lcpfs_folio_unpromise(inode, folio, valid, blocks - valid);
	if (!lcpfs_folio_next_run(folio, &first, &count)) {
		lcpfs_folio_unmark(inode->i_mapping, folio);
		folio_unlock(folio);
		return 0;
	}
	if (start + folio_size(folio) > size)
		folio_zero_segment(folio, size - start, folio_size(folio));
	if (lcpfs_log_folio(writeback, folio, size))
		return 0;

	state = lcpfs_folio_state(folio);
	if (state)
		atomic_set(&state->writes, 1);
	folio_start_writeback(folio);
	do {
		lcpfs_folio_consume(folio, first, count);
		lcpfs_write_add(writeback, folio, first, count, size);
		first += count;
	} while (first < blocks && lcpfs_folio_next_run(folio, &first, &count));
	folio_unlock(folio);
	if (state)
		lcpfs_folio_piece_done(folio);
	return 0;
}

/*
 * The folio of a file's only dirty block, locked, if it is among [index, last]: the one that was made dirty last, as a rule. Otherwise the
 * first dirty one that is.
 */
static struct folio *lcpfs_lock_only_folio(struct address_space *mapping, unsigned long index, unsigned long last)
{
	unsigned long hint = READ_ONCE(lcpfs_inode_of(mapping->host)->promised_last);
	struct folio *folio;

	if (hint >= index && hint <= last) {
		/* One that has been written may be gone and just be read again, which is not waited for. */
		folio = lcpfs_find_folio(mapping, hint);
		if (folio && folio_test_dirty(folio)) {
			folio_lock(folio);
			if (folio->mapping == mapping && folio_test_dirty(folio))
				return folio;
			folio_unlock(folio);
		}
		if (folio)
			folio_put(folio);
	}
	if (!xa_find(&mapping->i_pages, &index, last, PAGECACHE_TAG_DIRTY))
		return NULL;
	return lcpfs_lock_folio(mapping, index);
}

/*
 * Where a file has one dirty page, as most that are synced have, it is looked for once, not marked first and looked for again. True: there
 * is no other.
 */
static bool lcpfs_write_only_folio(struct lcpfs_writeback *writeback, struct writeback_control *control)
{
	struct address_space *mapping = writeback->inode->i_mapping;
	struct folio *folio;

	if (!writeback->logs || atomic64_read(&lcpfs_inode_of(writeback->inode)->promised) != 1)
		return false;
	folio = lcpfs_lock_only_folio(mapping, control->range_start >> PAGE_SHIFT, control->range_end >> PAGE_SHIFT);
	if (!folio)
		return false;
	if (!folio_test_writeback(folio) && folio_clear_dirty_for_io(folio)) {
		control->nr_to_write -= folio_nr_pages(folio);
		lcpfs_write_folio(folio, control, writeback);
	} else {
		folio_unlock(folio);
	}
	folio_put(folio);
	return !mapping_tagged(mapping, PAGECACHE_TAG_DIRTY);
}

static bool lcpfs_logs_writes(struct inode *inode)
{
	return READ_ONCE(lcpfs_super_of(inode->i_sb)->options.log_bias) == LCPFS_LOG_BIAS_LATENCY;
}

/* What filemap_fdatawrite_range has around a file's writepages is no more than for it to be looked at by those who share a device. */
bool lcpfs_sync_only_folio(struct inode *inode, loff_t start, loff_t end)
{
	struct lcpfs_writeback writeback = { .inode = inode, .logs = lcpfs_logs_writes(inode) };
	struct writeback_control control = { .sync_mode = WB_SYNC_ALL, .range_start = start, .range_end = end };
	unsigned int scope = memalloc_nofs_save();
	bool is_done = lcpfs_write_only_folio(&writeback, &control);

	lcpfs_write_submit(&writeback, lcpfs_is_synced(inode));
	memalloc_nofs_restore(scope);
	return is_done;
}

int lcpfs_writepages(struct address_space *mapping, struct writeback_control *control)
{
	struct lcpfs_writeback writeback = {
		.inode = mapping->host,
		.logs = control->sync_mode == WB_SYNC_ALL && !control->for_sync &&
			atomic64_read(&lcpfs_inode_of(mapping->host)->promised) <= CORE_LOG_MAX_BLOCKS &&
			lcpfs_logs_writes(mapping->host),
	};
	unsigned int scope = memalloc_nofs_save();
	struct blk_plug plug;
	int error = 0;

	/* The log's write does not wait in a plug. */
	if (!writeback.logs)
		blk_start_plug(&plug);
	if (!lcpfs_write_only_folio(&writeback, control))
		error = lcpfs_write_cache_folios(mapping, control, lcpfs_write_folio, &writeback);
	lcpfs_write_submit(&writeback, lcpfs_is_synced(mapping->host));
	if (!writeback.logs)
		blk_finish_plug(&plug);
	memalloc_nofs_restore(scope);
	return error;
}
