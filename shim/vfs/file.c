// SPDX-License-Identifier: GPL-2.0-only
/*
 * file.c: regular files: the table of operations, opening, and stores through mappings.
 *
 * Buffered reads are the page cache's own (generic_file_read_iter); direct.c has those of O_DIRECT.
 *
 * page_mkwrite: a page becomes writable only with space promised for its whole folio, made before the folio is
 * locked, so that a full pool shows as SIGBUS at the store and never as lost data. Where there is no room for
 * so much, single pages take the place of a large folio. The invalidate lock
 * keeps truncate away between the look at the size and the return with the folio locked.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "shim/vfs/direct.h"
#include "shim/vfs/inode.h"
#include "shim/vfs/promise.h"
#include "shim/vfs/super.h"
#include "shim/vfs/xattr.h"

/* Whether the locked folio is still part of the file. */
static bool lcpfs_folio_is_current(struct inode *inode, struct folio *folio)
{
	return folio->mapping == inode->i_mapping && folio_pos(folio) < i_size_read(inode);
}

/* There is no room for all of it, but for the page that is stored to there may be: faulting again finds that alone. */
static int lcpfs_make_small(struct inode *inode, struct folio *folio)
{
	struct address_space *mapping = inode->i_mapping;
	loff_t position = folio_pos(folio), last = position + folio_size(folio) - 1;
	int error;

	lcpfs_mapping_small_folios(mapping);
	error = filemap_write_and_wait_range(mapping, position, last);
	if (!error)
		/* Where it fails somebody was storing to it. */
		invalidate_inode_pages2_range(mapping, position >> PAGE_SHIFT, last >> PAGE_SHIFT);
	return error ?: -EAGAIN;
}

static int lcpfs_make_writable(struct inode *inode, struct folio *folio)
{
	unsigned int blocks = folio_nr_pages(folio);
	struct lcpfs_promise promise;
	int error;

	lcpfs_promise_init(&promise, inode);
	error = lcpfs_promise_need(&promise, folio->index, blocks);
	if (error == -ENOSPC && blocks > 1)
		error = lcpfs_make_small(inode, folio);
	if (error)
		return error;
	filemap_invalidate_lock_shared(inode->i_mapping);
	/* What the page shows may be from before one of them. */
	lcpfs_async_wait_writes(inode);
	folio_lock(folio);
	/* -EAGAIN: fault again. The size of a folio changes only when it is split, and then it is another. */
	if (!lcpfs_folio_is_current(inode, folio) || folio_nr_pages(folio) != blocks)
		error = -EAGAIN;
	if (!error)
		error = lcpfs_folio_prepare(folio, GFP_NOFS);
	if (!error) {
		folio_wait_stable(folio);
		error = lcpfs_promise_holds(&promise, folio->index, blocks) ? 0 : -EAGAIN;
	}
	if (error) {
		folio_unlock(folio);
	} else {
		lcpfs_folio_promise(inode, folio, 0, blocks, &promise);
		filemap_dirty_folio(inode->i_mapping, folio);
	}
	filemap_invalidate_unlock_shared(inode->i_mapping);
	lcpfs_promise_end(&promise);
	return error;
}

static vm_fault_t lcpfs_page_mkwrite(struct vm_fault *fault)
{
	struct inode *inode = file_inode(fault->vma->vm_file);
	int error;

	if (IS_IMMUTABLE(inode))
		return VM_FAULT_SIGBUS;
	sb_start_pagefault(inode->i_sb);
	file_update_time(fault->vma->vm_file);
	error = lcpfs_make_writable(inode, page_folio(fault->page));
	sb_end_pagefault(inode->i_sb);
	return lcpfs_fault_error(error);
}

static const struct vm_operations_struct lcpfs_file_mapping_operations = {
	.fault = filemap_fault,
	.map_pages = filemap_map_pages,
	.page_mkwrite = lcpfs_page_mkwrite,
};

/*
 * What a fault finds missing is read with what is around it, as much as readahead is for: ours, for a stream of 1 MiB, would read
 * 256 pages for each one that is touched here and there. From here on this open file has what other filesystems have, unless
 * somebody chose otherwise.
 */
static int lcpfs_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (file->f_ra.ra_pages == LCPFS_READAHEAD_BYTES >> PAGE_SHIFT)
		file->f_ra.ra_pages = VM_READAHEAD_PAGES;
	file_accessed(file);
	vma->vm_ops = &lcpfs_file_mapping_operations;
	return 0;
}

/* A synchronous write costs the same from the first one on: what has to be there is seen to here. Not while all writers are stopped. */
static void lcpfs_expect_change(struct super_block *sb)
{
	if (!sb_start_write_trylock(sb))
		return;
	core_pool_expect_change(lcpfs_super_of(sb)->pool->core);
	sb_end_write(sb);
}

static int lcpfs_file_open(struct inode *inode, struct file *file)
{
	if (file->f_mode & FMODE_WRITE)
		lcpfs_expect_change(inode->i_sb);
	/* RWF_NOWAIT is understood: reads that would block and all writes give EAGAIN. */
	file->f_mode |= FMODE_NOWAIT | FMODE_CAN_ODIRECT;
	return generic_file_open(inode, file);
}

const struct file_operations lcpfs_file_operations = {
	.llseek = lcpfs_llseek,
	.open = lcpfs_file_open,
	.read_iter = lcpfs_read_iter,
	.write_iter = lcpfs_write_iter,
	.splice_read = filemap_splice_read,
	.splice_write = iter_file_splice_write,
	.mmap = lcpfs_file_mmap,
	.fsync = lcpfs_fsync,
	.fallocate = lcpfs_fallocate,
	.remap_file_range = lcpfs_remap_file_range,
	.unlocked_ioctl = lcpfs_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

const struct inode_operations lcpfs_file_inode_operations = {
	.setattr = lcpfs_setattr,
	.getattr = lcpfs_getattr,
	.listxattr = lcpfs_listxattr,
	LCPFS_ACL_OPERATIONS,
	.fiemap = lcpfs_fiemap,
	.fileattr_get = lcpfs_fileattr_get,
	.fileattr_set = lcpfs_fileattr_set,
};
