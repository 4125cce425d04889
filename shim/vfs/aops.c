// SPDX-License-Identifier: GPL-2.0-only
/*
 * aops.c: what the page cache asks of us besides reading and writing: keeping the promises of a folio in
 * step when it is dirtied, truncated or dropped. See promise.h. There is no write_begin and write_end: all
 * writes come through lcpfs_write_iter; and no swap_activate, so swapon refuses files here.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "shim/vfs/inode.h"
#include "shim/vfs/promise.h"
#include "shim/vfs/transfer.h"

/*
 * Called for stores through mappings, after page_mkwrite had promised all blocks, and for pages dirtied from
 * outside. May be without the folio lock and must not sleep.
 */
static bool lcpfs_dirty_folio(struct address_space *mapping, struct folio *folio)
{
	struct lcpfs_folio *state = lcpfs_folio_state(folio);

	if (state && lcpfs_folio_missing(folio, 0, folio_nr_pages(folio)))
		set_bit(LCPFS_FOLIO_WHOLE, &state->flags);
	return filemap_dirty_folio(mapping, folio);
}

/* The folio lock is held and it is not under writeback. */
static void lcpfs_invalidate_folio(struct folio *folio, size_t offset, size_t length)
{
	struct inode *inode = folio->mapping->host;
	unsigned int first = DIV_ROUND_UP(offset, CORE_BLOCK_SIZE);
	unsigned int end = (offset + length) / CORE_BLOCK_SIZE;

	if (first < end)
		lcpfs_folio_unpromise(inode, folio, first, end - first);
	if (offset == 0 && length == folio_size(folio))
		lcpfs_folio_forget(folio);
}

static bool lcpfs_release_folio(struct folio *folio, gfp_t gfp)
{
	if (folio_test_dirty(folio) || folio_test_writeback(folio))
		return false;
	lcpfs_folio_forget(folio);
	return true;
}

const struct address_space_operations lcpfs_address_operations = {
	.read_folio = lcpfs_read_folio,
	.readahead = lcpfs_readahead,
	.writepages = lcpfs_writepages,
	.dirty_folio = lcpfs_dirty_folio,
	.invalidate_folio = lcpfs_invalidate_folio,
	.release_folio = lcpfs_release_folio,
	.migrate_folio = filemap_migrate_folio,
	LCPFS_ERROR_REMOVE,
};
