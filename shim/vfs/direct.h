/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * direct.h: what the synchronous (direct.c) and the asynchronous (direct_async.c) part of O_DIRECT share: memory of our own for some
 * blocks.
 */
#ifndef LCPFS_DIRECT_H
#define LCPFS_DIRECT_H

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/uio.h>

#include "core/api/core.h"

/* Of one request. */
#define LCPFS_DIRECT_BLOCKS CORE_WRITE_MAX_BLOCKS

struct lcpfs_promise;

struct lcpfs_direct {
	struct inode *inode;
	struct completion done; /* of who waits */
	int error;
	unsigned int bad;       /* the first block that could not be read */
	unsigned int count;     /* segments */
	unsigned int blocks;
	struct core_segment segments[];
};

void lcpfs_direct_init(void);
void lcpfs_direct_exit(void); /* no request is left */

/* Gives `direct`, with room for so many segments, its memory; false: there is none. */
bool lcpfs_direct_fill(struct lcpfs_direct *direct, struct inode *inode, unsigned int blocks);
/* Takes it away again. */
void lcpfs_direct_empty(struct lcpfs_direct *direct);
/* Between the caller's memory and ours from `skip` on: all of `bytes`, or up to where the caller's is not there. */
size_t lcpfs_direct_copy(struct lcpfs_direct *direct, size_t skip, size_t bytes, struct iov_iter *iter, bool out);
/* A `done` for core_read into it: keeps what it is given. */
void lcpfs_direct_was_read(void *direct, int error, const uint64_t *bad);
/* How many of `bytes` from `skip` on are there: all, or up to the first block that could not be read. */
size_t lcpfs_direct_readable(const struct lcpfs_direct *direct, size_t skip, size_t bytes);
/* Whether the intent log takes what is to be written: little, and the caller waits until it is durable. */
bool lcpfs_direct_is_for_log(struct kiocb *iocb, const struct lcpfs_direct *direct);
/*
 * Before whole blocks are written from `position` on: space is promised for them, and they have left the cache, with the invalidate lock
 * held, which is the caller's to end. -EBUSY: a page does not leave. After an error it is not held.
 */
int lcpfs_direct_claim(struct inode *inode, loff_t position, unsigned int blocks, struct lcpfs_promise *promise);

/* plug.c */

/* So many bytes were submitted, by whoever may submit more before it ends its plug. Sleeps. */
void lcpfs_plug_written(size_t bytes);

/* direct_async.c */

int lcpfs_async_init(void);
void lcpfs_async_exit(void); /* no request is left */

struct lcpfs_async;
/* A read that need not be waited for; NULL: it has to be. No lock held. */
struct lcpfs_async *lcpfs_async_read_prepare(struct kiocb *iocb, struct iov_iter *to);
/* -EIOCBQUEUED, or what the call gives at once. Uses `async` up. */
ssize_t lcpfs_async_read(struct lcpfs_async *async, struct iov_iter *to);
/* Starts a write inside the file. False: nothing was done, it has to be waited for. i_rwsem held. */
bool lcpfs_async_write(struct kiocb *iocb, struct iov_iter *from);
/* No write is under way that was not waited for, nor starts. Invalidate lock held, shared or not. */
void lcpfs_async_wait_writes(struct inode *inode);

#endif
