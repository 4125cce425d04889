// SPDX-License-Identifier: GPL-2.0-only
/*
 * direct_async.c: requests of io_uring and libaio past the page cache that nobody waits for: the call starts one, gives
 * -EIOCBQUEUED, and ki_complete is called when it is done. So those of one caller overlap.
 *
 * A read pins the caller's pages before it starts. Whole blocks that come to whole pages are read straight into these and verified
 * there. The caller may write to them meanwhile, so one that does not verify says nothing: then all of the request is read again, into
 * memory of our own (direct.c says why), and that decides. Others are read so from the first; what was verified is copied where
 * the device's completion comes when that is little, and by a worker when it is much. Pages of a file's cache are not
 * written so: they may be on their way to their disk by then, with a checksum of what they held. A write copies the
 * caller's bytes before it starts, and pins nothing. Where the rest of it has to sleep (pages to be taken out of the
 * cache, a commit of the intent log for O_DSYNC), a worker does that.
 *
 * What is waited for all the same (lcpfs_async_*prepare, lcpfs_async_write say no): requests of more than LCPFS_DIRECT_BLOCKS; reads
 * into mappings of files, which are copied the way a store of the caller's goes, and wait for what is being written; writes
 * that are not whole blocks or that make the file grow; and everything, when requests under way have taken all the memory
 * that they may. IOCB_NOWAIT: a read gives -EAGAIN when a lock, dirty pages or metadata that is not in memory would have to be
 * waited for; a write always, since promising space may wait for a commit.
 *
 * While they are under way i_rwsem is free. i_dio_count counts both kinds: see direct.c. Of writes, `direct_writes` too:
 *   - a page that a mapping has read meanwhile may have what was there before. Nobody stores to it: page_mkwrite waits with the
 *     invalidate lock shared, which starting a write takes. When the write is done the page leaves the cache, or, where
 *     somebody holds it, gets what the file has now. Then the request is completed.
 *   - two that overlap may end up in either order, block by block.
 *
 * The kiocb keeps the file open and with it the inode and the module, until ki_complete, which is the last thing done.
 */
#include <linux/bvec.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "shim/host/host_kept.h"
#include "shim/vfs/direct.h"
#include "shim/vfs/inode.h"
#include "shim/vfs/promise.h"

#define LCPFS_ASYNC_PAGES (LCPFS_DIRECT_BLOCKS + 1)
#define LCPFS_ASYNC_BATCH 16u
/* Copied with interrupts off. */
#define LCPFS_ASYNC_COPY_BYTES 16384u
/* Of the machine's memory, for all requests under way. */
#define LCPFS_ASYNC_SHARE 32

struct lcpfs_async {
	struct kiocb *iocb;
	size_t bytes;
	struct work_struct work;
	bool is_small;
	/* writes */
	bool syncs;
	/* reads */
	size_t skip;              /* of the first block */
	bool straight;            /* first into `pages`; there is memory of our own only if it is small */
	bool is_there;            /* in the caller's memory */
	struct iov_iter to;       /* over `pages`, or the caller's own */
	unsigned int count;
	struct bio_vec *pages;    /* behind the segments */
	struct lcpfs_direct direct; /* last, its segments follow */
};

/* Those of one block have room for two pages of the caller's, and are kept with their memory. */
#define LCPFS_ASYNC_SMALL_PAGES 2u

static struct host_kept lcpfs_async_kept;

static struct workqueue_struct *lcpfs_async_queue;
static atomic_long_t lcpfs_async_blocks;

static size_t lcpfs_async_struct_bytes(unsigned int blocks, unsigned int pages)
{
	return sizeof(struct lcpfs_async) + blocks * sizeof(struct core_segment) + pages * sizeof(struct bio_vec);
}

/* Where its page came from, not to where pages are kept. */
static void lcpfs_async_give_back(void *context, void *object)
{
	struct lcpfs_async *async = object;

	free_page((unsigned long)async->direct.segments[0].data);
	kfree(async);
}

int lcpfs_async_init(void)
{
	/* Memory may wait for them: of a loop device on a file of ours. */
	lcpfs_async_queue = alloc_workqueue("lcpfs-direct", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!lcpfs_async_queue)
		return -ENOMEM;
	host_kept_init(&lcpfs_async_kept, PAGE_SIZE + lcpfs_async_struct_bytes(1, LCPFS_ASYNC_SMALL_PAGES), lcpfs_async_give_back, NULL);
	return 0;
}

void lcpfs_async_exit(void)
{
	host_kept_end(&lcpfs_async_kept);
	destroy_workqueue(lcpfs_async_queue);
}

static struct inode *lcpfs_async_inode(const struct lcpfs_async *async)
{
	return file_inode(async->iocb->ki_filp);
}

static struct lcpfs_async *lcpfs_async_make(struct inode *inode, unsigned int blocks, unsigned int pages, bool straight)
{
	bool is_small = blocks == 1 && pages <= LCPFS_ASYNC_SMALL_PAGES;
	struct lcpfs_async *async = is_small ? host_kept_take(&lcpfs_async_kept) : NULL;

	if (async) {
		async->direct.inode = inode;
		return async;
	}
	if (is_small)
		pages = LCPFS_ASYNC_SMALL_PAGES;
	async = kmalloc(lcpfs_async_struct_bytes(blocks, pages), GFP_KERNEL);
	if (!async)
		return NULL;
	async->direct.inode = inode;
	async->direct.blocks = blocks;
	async->direct.count = 0;
	if ((is_small || !straight) && !lcpfs_direct_fill(&async->direct, inode, blocks)) {
		kfree(async);
		return NULL;
	}
	async->is_small = is_small;
	async->pages = (struct bio_vec *)&async->direct.segments[blocks];
	return async;
}

/* With memory for all of the request, unless that goes straight; NULL when there is none, or others have it. */
static struct lcpfs_async *lcpfs_async_alloc(struct kiocb *iocb, size_t skip, size_t bytes, unsigned int pages, bool straight)
{
	unsigned int blocks = DIV_ROUND_UP(skip + bytes, CORE_BLOCK_SIZE);
	struct lcpfs_async *async;

	if (atomic_long_add_return(blocks, &lcpfs_async_blocks) > totalram_pages() / LCPFS_ASYNC_SHARE)
		goto full;
	async = lcpfs_async_make(file_inode(iocb->ki_filp), blocks, pages, straight);
	if (!async)
		goto full;
	async->iocb = iocb;
	async->skip = skip;
	async->bytes = bytes;
	async->straight = straight;
	async->is_there = false;
	async->syncs = false;
	async->count = 0;
	return async;
full:
	atomic_long_sub(blocks, &lcpfs_async_blocks);
	return NULL;
}

static void lcpfs_async_free(struct lcpfs_async *async)
{
	unsigned int i;

	for (i = 0; i < async->count; i++)
		lcpfs_unpin_page(async->pages[i].bv_page);
	atomic_long_sub(async->direct.blocks, &lcpfs_async_blocks);
	if (!async->is_small) {
		lcpfs_direct_empty(&async->direct);
		kfree(async);
	} else if (!host_kept_give(&lcpfs_async_kept, async)) {
		lcpfs_async_give_back(NULL, async);
	}
}

/* The end of a request: `result` is bytes or an error. */
static void lcpfs_async_complete(struct lcpfs_async *async, ssize_t result)
{
	struct kiocb *iocb = async->iocb;
	bool syncs = async->syncs;

	lcpfs_async_free(async);
	inode_dio_end(file_inode(iocb->ki_filp));
	if (result > 0) {
		iocb->ki_pos += result;
		if (syncs)
			result = lcpfs_written(iocb, result);
	}
	iocb->ki_complete(iocb, result);
}

/* Reads */

static void lcpfs_async_unpin(struct lcpfs_async *async, struct iov_iter *to, size_t before)
{
	while (async->count)
		lcpfs_unpin_page(async->pages[--async->count].bv_page);
	iov_iter_revert(to, before - iov_iter_count(to));
}

static bool lcpfs_async_is_of_file(struct page *page)
{
	struct folio *folio = page_folio(page);

	return !folio_test_anon(folio) && !folio_test_swapbacked(folio) && !folio_test_hugetlb(folio);
}

/* All of `to`, which moves to its end; or nothing. */
static bool lcpfs_async_pin(struct lcpfs_async *async, struct iov_iter *to, unsigned int most)
{
	size_t before = iov_iter_count(to);
	struct page *pages[LCPFS_ASYNC_BATCH];

	while (iov_iter_count(to)) {
		unsigned int room = min(most - async->count, LCPFS_ASYNC_BATCH);
		size_t offset = 0;
		ssize_t got = room ? lcpfs_pin_pages(to, pages, iov_iter_count(to), room, &offset) : 0;
		bool is_of_file = false;
		unsigned int i;

		for (i = 0; got > 0; i++) {
			size_t part = min_t(size_t, got, PAGE_SIZE - offset);

			is_of_file |= lcpfs_async_is_of_file(pages[i]);
			async->pages[async->count++] = (struct bio_vec){ pages[i], part, offset };
			got -= part;
			offset = 0;
		}
		if (!i || is_of_file) {
			lcpfs_async_unpin(async, to, before);
			return false;
		}
	}
	/* So that nothing has to be waited for when they have been written to, unless they are cleaned meanwhile. */
	for (most = 0; most < async->count; most++)
		if (!PageDirty(async->pages[most].bv_page))
			set_page_dirty_lock(async->pages[most].bv_page);
	iov_iter_bvec(&async->to, READ, async->pages, async->count, before);
	return true;
}

static bool lcpfs_async_goes_straight(const struct kiocb *iocb, const struct iov_iter *to)
{
	return !IS_ENABLED(CONFIG_HIGHMEM) && user_backed_iter(to) && !((iocb->ki_pos | iov_iter_alignment(to)) & (PAGE_SIZE - 1));
}

struct lcpfs_async *lcpfs_async_read_prepare(struct kiocb *iocb, struct iov_iter *to)
{
	size_t skip = iocb->ki_pos & (CORE_BLOCK_SIZE - 1);
	size_t bytes = iov_iter_count(to);
	bool is_users = user_backed_iter(to);
	struct lcpfs_async *async;
	unsigned int pages;

	if (is_sync_kiocb(iocb) || (!is_users && !iov_iter_is_bvec(to)) ||
	    skip + bytes > (size_t)LCPFS_DIRECT_BLOCKS * CORE_BLOCK_SIZE)
		return NULL;
	pages = is_users ? iov_iter_npages(to, LCPFS_ASYNC_PAGES + 1) : 0;
	if (pages > LCPFS_ASYNC_PAGES)
		return NULL;
	async = lcpfs_async_alloc(iocb, skip, bytes, pages, lcpfs_async_goes_straight(iocb, to));
	if (!async)
		return NULL;
	if (!is_users) {
		async->to = *to;
		iov_iter_advance(to, bytes);
	} else if (!lcpfs_async_pin(async, to, pages)) {
		lcpfs_async_free(async);
		return NULL;
	}
	return async;
}

static bool lcpfs_async_is_dirty(const struct lcpfs_async *async)
{
	unsigned int i;

	for (i = 0; i < async->count; i++)
		if (!PageDirty(async->pages[i].bv_page))
			return false;
	return true;
}

/* A block into a page. */
static void lcpfs_async_copy_page(struct lcpfs_async *async)
{
	struct page *page = async->pages[0].bv_page;
	void *at = kmap_local_page(page);

	copy_page(at, async->direct.segments[0].data);
	flush_dcache_page(page);
	kunmap_local(at);
}

static void lcpfs_async_copy(struct lcpfs_async *async)
{
	async->bytes = lcpfs_direct_readable(&async->direct, async->skip, async->bytes);
	if (async->bytes == PAGE_SIZE && !async->skip && async->count == 1)
		lcpfs_async_copy_page(async);
	else if (async->bytes)
		lcpfs_direct_copy(&async->direct, async->skip, async->bytes, &async->to, true);
	async->is_there = true;
}

static void lcpfs_async_end_read(struct lcpfs_async *async)
{
	lcpfs_async_complete(async, async->bytes ?: async->direct.error);
}

/* Into memory of our own, after something that went straight did not verify. */
static void lcpfs_async_read_again(struct lcpfs_async *async)
{
	struct lcpfs_direct *direct = &async->direct;

	if (!direct->count && !lcpfs_direct_fill(direct, direct->inode, direct->blocks))
		lcpfs_direct_was_read(direct, -ENOMEM, NULL);
	else
		core_read_wait(lcpfs_object(direct->inode), async->iocb->ki_pos / CORE_BLOCK_SIZE, direct->segments, direct->count,
			       lcpfs_direct_was_read, direct);
}

static void lcpfs_async_read_work(struct work_struct *work)
{
	struct lcpfs_async *async = container_of(work, struct lcpfs_async, work);
	unsigned int scope = memalloc_nofs_save();
	unsigned int i;

	if (!async->is_there) {
		if (async->straight)
			lcpfs_async_read_again(async);
		lcpfs_async_copy(async);
	}
	for (i = 0; i < async->count; i++)
		if (!PageDirty(async->pages[i].bv_page))
			set_page_dirty_lock(async->pages[i].bv_page);
	lcpfs_async_end_read(async);
	memalloc_nofs_restore(scope);
}

static void lcpfs_async_was_read(void *context, int error, const uint64_t *bad)
{
	struct lcpfs_async *async = context;

	if (async->straight) {
		async->is_there = !error;
	} else {
		lcpfs_direct_was_read(&async->direct, error, bad);
		if (in_task() || async->bytes <= LCPFS_ASYNC_COPY_BYTES)
			lcpfs_async_copy(async);
	}
	if (async->is_there && lcpfs_async_is_dirty(async)) {
		lcpfs_async_end_read(async);
		return;
	}
	INIT_WORK(&async->work, lcpfs_async_read_work);
	queue_work(lcpfs_async_queue, &async->work);
}

/* i_rwsem held, shared. What the cache has of the range is on disk afterwards. */
static int lcpfs_async_write_back(struct inode *inode, loff_t position, size_t bytes, bool nowait)
{
	struct address_space *mapping = inode->i_mapping;

	if (!mapping->nrpages)
		return 0;
	if (!nowait)
		return filemap_write_and_wait_range(mapping, position, position + bytes - 1);
	if ((mapping_tagged(mapping, PAGECACHE_TAG_DIRTY) || mapping_tagged(mapping, PAGECACHE_TAG_WRITEBACK)) &&
	    filemap_range_has_page(mapping, position, position + bytes - 1))
		return -EAGAIN;
	return 0;
}

/* Bytes to be read, with i_dio_count raised; 0 at the end of the file; or an error. */
static ssize_t lcpfs_async_begin_read(const struct lcpfs_async *async)
{
	struct inode *inode = lcpfs_async_inode(async);
	bool nowait = async->iocb->ki_flags & IOCB_NOWAIT;
	loff_t position = async->iocb->ki_pos;
	ssize_t result = 0;
	loff_t size;

	if (!nowait)
		inode_lock_shared(inode);
	else if (!inode_trylock_shared(inode))
		return -EAGAIN;
	size = i_size_read(inode);
	if (position < size)
		result = lcpfs_async_write_back(inode, position, async->bytes, nowait);
	if (!result && nowait && core_read_waits(lcpfs_object(inode), position / CORE_BLOCK_SIZE, async->direct.blocks))
		result = -EAGAIN;
	if (!result && position < size) {
		result = min_t(u64, async->bytes, size - position);
		inode_dio_begin(inode);
	}
	inode_unlock_shared(inode);
	return result;
}

static void lcpfs_async_start_read(struct lcpfs_async *async)
{
	struct core_object *object = lcpfs_object(lcpfs_async_inode(async));
	struct lcpfs_direct *direct = &async->direct;
	u64 first = async->iocb->ki_pos / CORE_BLOCK_SIZE;
	struct core_segment one;
	struct core_segment *segments = async->is_small ? &one : direct->segments;
	unsigned int i;

	if (!async->straight) {
		core_read(object, first, direct->segments, direct->count, lcpfs_async_was_read, async);
		return;
	}
	for (i = 0; i < async->count; i++)
		segments[i] = (struct core_segment){ .data = page_address(async->pages[i].bv_page), .bytes = PAGE_SIZE };
	core_read_once(object, first, segments, async->count, lcpfs_async_was_read, async);
}

ssize_t lcpfs_async_read(struct lcpfs_async *async, struct iov_iter *to)
{
	ssize_t result = lcpfs_async_begin_read(async);
	unsigned int scope;

	if (result != -EAGAIN)
		file_accessed(async->iocb->ki_filp);
	if (result <= 0) {
		iov_iter_revert(to, async->bytes);
		lcpfs_async_free(async);
		return result;
	}
	async->bytes = result;
	scope = memalloc_nofs_save();
	lcpfs_async_start_read(async);
	memalloc_nofs_restore(scope);
	return -EIOCBQUEUED;
}

/* Writes */

void lcpfs_async_wait_writes(struct inode *inode)
{
	atomic_t *writes = &lcpfs_inode_of(inode)->direct_writes;

	wait_var_event(writes, !atomic_read(writes));
}

static void lcpfs_async_end_write(struct lcpfs_async *async)
{
	atomic_t *writes = &lcpfs_inode_of(lcpfs_async_inode(async))->direct_writes;
	int error = async->direct.error;

	if (atomic_dec_and_test(writes))
		wake_up_var(writes);
	lcpfs_async_complete(async, error ?: async->bytes);
}

static void lcpfs_async_block_was_read(void *context, int error, const uint64_t *bad)
{
	struct lcpfs_direct *direct = context;

	direct->error = error;
	complete(&direct->done);
}

/* A page that did not leave the cache gets what the file has now, which need not be what this request wrote. */
static int lcpfs_async_renew(struct lcpfs_direct *direct, pgoff_t index)
{
	struct core_segment segment = { .data = direct->segments[0].data, .bytes = CORE_BLOCK_SIZE };
	struct folio *folio = lcpfs_lock_folio(direct->inode->i_mapping, index);

	if (!folio)
		return 0;
	direct->error = 0;
	if (folio_test_uptodate(folio)) {
		folio_wait_writeback(folio);
		init_completion(&direct->done);
		core_read(lcpfs_object(direct->inode), index, &segment, 1, lcpfs_async_block_was_read, direct);
		wait_for_completion_io(&direct->done);
		if (!direct->error)
			memcpy(page_address(folio_page(folio, index - folio->index)), segment.data, PAGE_SIZE);
		flush_dcache_folio(folio);
	}
	folio_unlock(folio);
	folio_put(folio);
	return direct->error;
}

static int lcpfs_async_clear_cache(struct lcpfs_async *async)
{
	struct lcpfs_direct *direct = &async->direct;
	pgoff_t first = async->iocb->ki_pos >> PAGE_SHIFT;
	pgoff_t index;
	int error = 0;

	if (!invalidate_inode_pages2_range(direct->inode->i_mapping, first, first + direct->blocks - 1))
		return 0;
	for (index = first; index < first + direct->blocks && !error; index++)
		error = lcpfs_async_renew(direct, index);
	return error;
}

static void lcpfs_async_write_work(struct work_struct *work)
{
	struct lcpfs_async *async = container_of(work, struct lcpfs_async, work);
	unsigned int scope = memalloc_nofs_save();
	int error;

	error = async->direct.error;
	error = lcpfs_async_clear_cache(async) ?: error;
	async->direct.error = error;
	lcpfs_async_end_write(async);
	memalloc_nofs_restore(scope);
}

static void lcpfs_async_was_written(void *context, int error)
{
	struct lcpfs_async *async = context;
	struct inode *inode = lcpfs_async_inode(async);

	async->direct.error = error;
	if (!READ_ONCE(inode->i_mapping->nrpages) && (error || !async->syncs)) {
		lcpfs_async_end_write(async);
		return;
	}
	INIT_WORK(&async->work, lcpfs_async_write_work);
	queue_work(lcpfs_async_queue, &async->work);
}

/* With space promised, the range out of the cache, and the write counted. */
static int lcpfs_async_begin_write(struct lcpfs_async *async, struct lcpfs_promise *promise)
{
	struct inode *inode = lcpfs_async_inode(async);
	int error = lcpfs_direct_claim(inode, async->iocb->ki_pos, async->direct.blocks, promise);

	if (error)
		return error;
	atomic_inc(&lcpfs_inode_of(inode)->direct_writes);
	inode_dio_begin(inode);
	filemap_invalidate_unlock(inode->i_mapping);
	return 0;
}

/* Uses the promise up. `async` is not there any more afterwards. */
static void lcpfs_async_submit_write(struct lcpfs_async *async, loff_t size)
{
	struct lcpfs_direct *direct = &async->direct;
	struct core_object *object = lcpfs_object(direct->inode);
	u64 first = async->iocb->ki_pos / CORE_BLOCK_SIZE;
	unsigned int scope = memalloc_nofs_save();

	if (lcpfs_direct_is_for_log(async->iocb, direct) &&
	    !core_log_write(object, first, direct->segments, direct->count, size, lcpfs_write_syncs_data(async->iocb)))
		lcpfs_async_was_written(async, 0);
	else
		core_write(object, first, direct->segments, direct->count, size, lcpfs_async_was_written, async);
	memalloc_nofs_restore(scope);
}

bool lcpfs_async_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	size_t bytes = iov_iter_count(from);
	loff_t size = i_size_read(inode);
	struct lcpfs_promise promise;
	struct lcpfs_async *async;
	size_t copied;
	bool started;

	if (is_sync_kiocb(iocb) || !bytes || (iocb->ki_pos | bytes) & (CORE_BLOCK_SIZE - 1) ||
	    bytes > (size_t)LCPFS_DIRECT_BLOCKS * CORE_BLOCK_SIZE || iocb->ki_pos + bytes > size)
		return false;
	async = lcpfs_async_alloc(iocb, 0, bytes, 0, false);
	if (!async)
		return false;
	async->syncs = lcpfs_write_syncs(iocb);
	lcpfs_promise_init(&promise, inode);
	copied = lcpfs_direct_copy(&async->direct, 0, bytes, from, false);
	started = copied == bytes && !lcpfs_async_begin_write(async, &promise);
	if (started) {
		promise.blocks -= async->direct.blocks;
		lcpfs_async_submit_write(async, size);
	} else {
		iov_iter_revert(from, copied);
		lcpfs_async_free(async);
	}
	lcpfs_promise_end(&promise);
	if (started)
		lcpfs_plug_written(bytes);
	return started;
}
