/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * transfer.h: moving folios to and from the core. See read.c and writeback.c.
 */
#ifndef LCPFS_TRANSFER_H
#define LCPFS_TRANSFER_H

#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/writeback.h>

int lcpfs_transfer_init(void);
void lcpfs_transfer_exit(void);

/* read.c */
int lcpfs_read_folio(struct file *file, struct folio *folio);
void lcpfs_readahead(struct readahead_control *control);
/*
 * Makes a locked folio uptodate, for somebody about to change part of it. The folio stays locked;
 * AOP_TRUNCATED_PAGE says that it left the cache and another, smaller one is to be looked up.
 */
int lcpfs_fill_folio(struct inode *inode, struct folio *folio);
/* Whether the block can be read from its place now: 0, or why not. No folio locked. */
int lcpfs_try_block(struct inode *inode, u64 block);

/* writeback.c */
int lcpfs_writepages(struct address_space *mapping, struct writeback_control *control);
/*
 * For who waits for the data of [start, end]: writes the only dirty block of a file, which the log takes most of the time. False: there was
 * none, or there are others.
 */
bool lcpfs_sync_only_folio(struct inode *inode, loff_t start, loff_t end);

#endif
