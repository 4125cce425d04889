// SPDX-License-Identifier: GPL-2.0-only
/*
 * promise.c: promises of space in hand and in folios. See promise.h.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>
#include <linux/writeback.h>

#include "shim/vfs/promise.h"

static_assert(PAGE_SIZE == CORE_BLOCK_SIZE);

/*
 * A promise is larger than what is used in the end: it covers the metadata of the worst case. When space
 * runs out, writing what is dirty gives the difference back. Only tried for s_umount: who holds it may wait for us.
 */
void lcpfs_promise_make_room(struct super_block *sb)
{
	if (!down_read_trylock(&sb->s_umount))
		return;
	sync_inodes_sb(sb);
	up_read(&sb->s_umount);
}

int lcpfs_promise_try(struct lcpfs_promise *promise, u64 first, u64 count, u64 blocks)
{
	bool backed;
	int error;

	if (promise->backed && (first < promise->first || first + count > promise->end))
		lcpfs_promise_end(promise);
	if (promise->blocks >= blocks)
		return 0;
	error = core_reserve_for(lcpfs_object(promise->inode), first, count, blocks - promise->blocks, &backed);
	if (error)
		return error;
	promise->blocks = blocks;
	if (backed) {
		promise->backed = true;
		promise->first = first;
		promise->end = first + count;
	}
	return 0;
}

int lcpfs_promise_need(struct lcpfs_promise *promise, u64 first, u64 count)
{
	int error = lcpfs_promise_try(promise, first, count, count);

	if (error == -ENOSPC) {
		lcpfs_promise_make_room(promise->inode->i_sb);
		error = lcpfs_promise_try(promise, first, count, count);
	}
	return error;
}

bool lcpfs_promise_holds(struct lcpfs_promise *promise, u64 first, u64 count)
{
	if (!promise->backed || core_is_backed(lcpfs_object(promise->inode), first, count))
		return true;
	lcpfs_promise_end(promise);
	return false;
}

void lcpfs_promise_end(struct lcpfs_promise *promise)
{
	if (promise->blocks)
		core_unreserve(lcpfs_object(promise->inode), promise->blocks);
	promise->blocks = 0;
	promise->backed = false;
}

int lcpfs_folio_prepare(struct folio *folio, gfp_t gfp)
{
	unsigned int blocks = folio_nr_pages(folio);
	struct lcpfs_folio *state;

	if (!folio_test_large(folio) || folio_test_private(folio))
		return 0;
	state = kzalloc(struct_size(state, promised, BITS_TO_LONGS(blocks)), gfp);
	if (!state)
		return -ENOMEM;
	/* Dirty without a state: dirtied from outside. */
	if (folio_test_dirty(folio))
		set_bit(LCPFS_FOLIO_WHOLE, &state->flags);
	folio_attach_private(folio, state);
	return 0;
}

unsigned int lcpfs_folio_missing(struct folio *folio, unsigned int first, unsigned int count)
{
	struct lcpfs_folio *state = lcpfs_folio_state(folio);
	unsigned int i, missing = 0;

	if (!folio_test_large(folio))
		return folio_test_private(folio) ? 0 : count;
	if (!state)
		return count;
	for (i = first; i < first + count; i++)
		missing += !test_bit(i, state->promised);
	return missing;
}

void lcpfs_folio_promise(struct inode *inode, struct folio *folio, unsigned int first, unsigned int count,
			 struct lcpfs_promise *promise)
{
	struct lcpfs_folio *state = lcpfs_folio_state(folio);
	unsigned int missing = lcpfs_folio_missing(folio, first, count);

	if (!missing)
		return;
	if (state)
		bitmap_set(state->promised, first, count);
	else
		folio_attach_private(folio, LCPFS_PROMISED);
	WARN_ON_ONCE(promise->blocks < missing);
	promise->blocks -= missing;
	WRITE_ONCE(lcpfs_inode_of(inode)->promised_last, folio->index);
	atomic64_add(missing, &lcpfs_inode_of(inode)->promised);
}

void lcpfs_folio_consume(struct folio *folio, unsigned int first, unsigned int count)
{
	struct lcpfs_folio *state = lcpfs_folio_state(folio);

	if (state)
		bitmap_clear(state->promised, first, count);
	else
		folio_detach_private(folio);
}

void lcpfs_folio_unpromise(struct inode *inode, struct folio *folio, unsigned int first, unsigned int count)
{
	unsigned int held = count - lcpfs_folio_missing(folio, first, count);

	if (!held)
		return;
	lcpfs_folio_consume(folio, first, count);
	atomic64_sub(held, &lcpfs_inode_of(inode)->promised);
	core_unreserve(lcpfs_object(inode), held);
}

bool lcpfs_folio_next_run(struct folio *folio, unsigned int *first, unsigned int *count)
{
	unsigned int blocks = folio_nr_pages(folio);
	struct lcpfs_folio *state = lcpfs_folio_state(folio);
	unsigned int end;

	if (!folio_test_large(folio)) {
		*count = 1;
		return *first == 0 && folio_test_private(folio);
	}
	if (!state)
		return false;
	*first = find_next_bit(state->promised, blocks, *first);
	if (*first >= blocks)
		return false;
	end = find_next_zero_bit(state->promised, blocks, *first);
	*count = end - *first;
	return true;
}

void lcpfs_folio_forget(struct folio *folio)
{
	void *state = folio_detach_private(folio);

	if (state != LCPFS_PROMISED)
		kfree(state);
}
