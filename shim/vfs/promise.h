/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * promise.h: which blocks of a folio are dirty, and that space is promised for each of them.
 *
 * Data is allocated at writeback, so space must be sure before a page is dirtied: core_reserve promises it.
 * One promise belongs to each dirty block in the page cache. It is made before the folio is locked
 * (core_reserve may wait for a commit), moves into the folio under its lock, and leaves it exactly once:
 * into core_write at writeback, or back by core_unreserve when the block is truncated or dropped.
 *
 * Where it is kept: PG_private. A folio of one page has the word LCPFS_PROMISED in `private`, or nothing. A large
 * folio has a struct lcpfs_folio with one bit per block, so that writing 4 KiB into a large folio writes
 * 4 KiB back. It stays with the folio until the folio is released.
 *
 * A folio can be dirtied behind our back: pages pinned for direct I/O elsewhere are marked dirty when that ends,
 * perhaps long after we cleaned them. Nobody can wait for space at that point, so such a folio is only marked
 * (`whole`, or dirty with nothing in `private`) and writeback makes the missing promises. This is the
 * one case in which a full pool may lose a store, reported as ENOSPC by fsync.
 *
 * Locking: everything here is under the folio lock, but `whole`, which lcpfs_dirty_folio sets without it, and
 * `writes`, an atomic.
 */
#ifndef LCPFS_PROMISE_H
#define LCPFS_PROMISE_H

#include <linux/atomic.h>
#include <linux/pagemap.h>

#include "core/api/core.h"
#include "shim/vfs/inode.h"

/*
 * Promises made and not yet given to a folio. Lives on the stack of one operation. Those that are `backed` by preallocated blocks are good
 * for [first, end) only.
 */
struct lcpfs_promise {
	struct inode *inode;
	u64 blocks;
	bool backed;
	u64 first, end;
};

struct lcpfs_folio {
	atomic_t writes;            /* pieces under writeback, and one while they are being cut */
	unsigned long flags;
	unsigned long promised[];   /* one bit per block */
};
enum { LCPFS_FOLIO_WHOLE = 0 }; /* bit of flags: dirtied from outside, write all of it */

#define LCPFS_PROMISED ((void *)1ul)

static inline void lcpfs_promise_init(struct lcpfs_promise *promise, struct inode *inode)
{
	promise->inode = inode;
	promise->blocks = 0;
	promise->backed = false;
}

/*
 * Makes sure of as many in hand as blocks [first, first + count) may need. May wait for a commit, and for writeback of everything
 * when space is short: no folio locked, and no writeback waits for the caller.
 */
int lcpfs_promise_need(struct lcpfs_promise *promise, u64 first, u64 count);
/* The same of `blocks` of them, without writing anything: for writeback itself. */
int lcpfs_promise_try(struct lcpfs_promise *promise, u64 first, u64 count, u64 blocks);
/*
 * Whether blocks [first, first + count), of those that were asked about, may have what is in hand. Once nobody else can write to them: a
 * write that was under way when the promise was made has used up what it was backed by. False: to be asked for again, what there was is
 * given back.
 */
bool lcpfs_promise_holds(struct lcpfs_promise *promise, u64 first, u64 count);
/* Writes what is dirty, of everything: promises of more than was needed come back. No folio locked. */
void lcpfs_promise_make_room(struct super_block *sb);
/* Gives back what is left in hand. */
void lcpfs_promise_end(struct lcpfs_promise *promise);

/* The state of a large folio, NULL when it has none. */
static inline struct lcpfs_folio *lcpfs_folio_state(struct folio *folio)
{
	return folio_test_large(folio) ? folio_get_private(folio) : NULL;
}

/* Gives a large folio its state. -ENOMEM. */
int lcpfs_folio_prepare(struct folio *folio, gfp_t gfp);
/* How many of the blocks have no promise. */
unsigned int lcpfs_folio_missing(struct folio *folio, unsigned int first, unsigned int count);
/* Moves promises from hand into the blocks that have none; the folio is prepared, the hand holds enough. */
void lcpfs_folio_promise(struct inode *inode, struct folio *folio, unsigned int first, unsigned int count,
			 struct lcpfs_promise *promise);
/* Gives the promises of these blocks back to the core. */
void lcpfs_folio_unpromise(struct inode *inode, struct folio *folio, unsigned int first, unsigned int count);
/* Finds the next run of promised blocks at or after *first; false when there is none. */
bool lcpfs_folio_next_run(struct folio *folio, unsigned int *first, unsigned int *count);
/* The promises of these blocks go with a write. */
void lcpfs_folio_consume(struct folio *folio, unsigned int first, unsigned int count);
/* Detaches and frees the state; nothing is promised any more. */
void lcpfs_folio_forget(struct folio *folio);

#endif
