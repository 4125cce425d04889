// SPDX-License-Identifier: GPL-2.0-only
/*
 * read.c: filling the page cache.
 *
 * Readahead gathers as many folios into one core_read as that takes; the core reads and verifies straight into them
 * and its completion, in any context, unlocks them. A locked folio pins its inode. Nothing is copied.
 *
 * The size on disk may be behind or, while a file is being cut, ahead of the one in memory, which is the truth: bytes past
 * it are zeroed here. A size that grows meanwhile does no harm, since nothing is in the new part of a folio whose
 * lock is held here.
 *
 * Damage is given to the reader of the damaged block alone. A folio of one page is that block. When a
 * large folio fails, the file gets no more large folios, the folio is dropped, and the caller looks again.
 */
#include <linux/completion.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "shim/vfs/inode.h"
#include "shim/vfs/transfer.h"

/* A request of one page of memory. */
#define LCPFS_READ_SEGMENTS ((PAGE_SIZE - offsetof(struct lcpfs_read, segments)) / sizeof(struct core_segment))

struct lcpfs_read {
	struct inode *inode;
	u64 first;              /* file block */
	unsigned int blocks;
	unsigned int count;     /* segments, one per folio */
	struct core_segment segments[];
};

static bool lcpfs_read_is_bad(const u64 *bad, unsigned int first, unsigned int count)
{
	unsigned int i;

	for (i = first; i < first + count; i++)
		if (bad[i / 64] >> (i % 64) & 1)
			return true;
	return false;
}

/* The folio holds what is on disk: hide what is past the end of the file. */
static void lcpfs_read_finish(struct inode *inode, struct folio *folio)
{
	loff_t size = i_size_read(inode);
	loff_t start = folio_pos(folio);

	if (start + folio_size(folio) > size)
		folio_zero_segment(folio, size > start ? size - start : 0, folio_size(folio));
	flush_dcache_folio(folio);
	folio_mark_uptodate(folio);
}

static void lcpfs_readahead_done(void *context, int error, const uint64_t *bad)
{
	struct lcpfs_read *read = context;
	struct inode *inode = read->inode;
	unsigned int i, at = 0;

	for (i = 0; i < read->count; i++) {
		struct folio *folio = virt_to_folio(read->segments[i].data);
		unsigned int blocks = folio_nr_pages(folio);

		if (!error || (bad && !lcpfs_read_is_bad(bad, at, blocks)))
			lcpfs_read_finish(inode, folio);
		at += blocks;
		/* The last unlock may let the inode go. */
		folio_unlock(folio);
	}
	kfree(read);
}

static void lcpfs_readahead_submit(struct lcpfs_read *read)
{
	if (read)
		core_read(lcpfs_object(read->inode), read->first, read->segments, read->count, lcpfs_readahead_done,
			  read);
}

void lcpfs_readahead(struct readahead_control *control)
{
	struct inode *inode = control->mapping->host;
	gfp_t gfp = readahead_gfp_mask(control->mapping) & ~__GFP_FS & ~__GFP_HIGHMEM & ~__GFP_MOVABLE;
	unsigned int scope = memalloc_nofs_save();
	struct lcpfs_read *read = NULL;
	struct folio *folio;

	while ((folio = readahead_folio(control))) {
		unsigned int blocks = folio_nr_pages(folio);

		if (read && (read->count == LCPFS_READ_SEGMENTS || read->blocks + blocks > CORE_READ_MAX_BLOCKS ||
			     read->first + read->blocks != folio->index)) {
			lcpfs_readahead_submit(read);
			read = NULL;
		}
		if (!read) {
			read = kmalloc(PAGE_SIZE, gfp);
			if (!read) {
				/* Only readahead: who wants the page reads it himself. */
				folio_unlock(folio);
				continue;
			}
			read->inode = inode;
			read->first = folio->index;
			read->blocks = 0;
			read->count = 0;
		}
		read->segments[read->count].data = folio_address(folio);
		read->segments[read->count].bytes = folio_size(folio);
		read->count++;
		read->blocks += blocks;
	}
	lcpfs_readahead_submit(read);
	memalloc_nofs_restore(scope);
}

struct lcpfs_read_wait {
	struct completion done;
	int error;
};

static void lcpfs_fill_done(void *context, int error, const uint64_t *bad)
{
	struct lcpfs_read_wait *wait = context;

	wait->error = error;
	complete(&wait->done);
}

static void lcpfs_read_and_wait(struct inode *inode, u64 block, struct core_segment *segment, struct lcpfs_read_wait *wait)
{
	unsigned int scope = memalloc_nofs_save();

	init_completion(&wait->done);
	core_read(lcpfs_object(inode), block, segment, 1, lcpfs_fill_done, wait);
	memalloc_nofs_restore(scope);
	wait_for_completion_io(&wait->done);
}

int lcpfs_fill_folio(struct inode *inode, struct folio *folio)
{
	struct core_segment segment = { .data = folio_address(folio), .bytes = folio_size(folio) };
	pgoff_t first = folio->index;
	pgoff_t last = first + folio_nr_pages(folio) - 1;
	struct lcpfs_read_wait wait;

	if (folio_test_uptodate(folio))
		return 0;
	if (folio_pos(folio) >= i_size_read(inode)) {
		folio_zero_segment(folio, 0, folio_size(folio));
		folio_mark_uptodate(folio);
		return 0;
	}
	lcpfs_read_and_wait(inode, first, &segment, &wait);
	if (!wait.error) {
		lcpfs_read_finish(inode, folio);
		return 0;
	}
	if (!folio_test_large(folio))
		return wait.error;

	lcpfs_mapping_small_folios(inode->i_mapping);
	folio_unlock(folio);
	if (invalidate_inode_pages2_range(inode->i_mapping, first, last))
		wait.error = -EIO;
	else
		wait.error = AOP_TRUNCATED_PAGE;
	folio_lock(folio);
	return wait.error;
}

int lcpfs_try_block(struct inode *inode, u64 block)
{
	struct page *page = alloc_page(GFP_NOFS);
	struct core_segment segment = { .bytes = CORE_BLOCK_SIZE };
	struct lcpfs_read_wait wait;

	if (!page)
		return -ENOMEM;
	segment.data = page_address(page);
	lcpfs_read_and_wait(inode, block, &segment, &wait);
	__free_page(page);
	return wait.error;
}

int lcpfs_read_folio(struct file *file, struct folio *folio)
{
	int error = lcpfs_fill_folio(folio->mapping->host, folio);

	folio_unlock(folio);
	return error;
}
