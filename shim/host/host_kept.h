/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * host_kept.h: memory that was given back and goes out again without its allocator.
 *
 * What was given back last is given out next: each CPU keeps a few objects of each kind. A synchronous write takes some fifteen
 * kilobytes of short-lived memory, a direct one as much as it transfers, and a kernel that zeroes what its allocators give out
 * (init_on_alloc, the default of some distributions) would do so each time. What is kept goes when memory is short. Not under KASAN,
 * which has to see every use of what was given back.
 */
#ifndef LCPFS_HOST_KEPT_H
#define LCPFS_HOST_KEPT_H

#include <linux/list.h>
#include <linux/mempool.h>
#include <linux/types.h>

struct host_kept_cpu;

struct host_kept {
	struct list_head node;
	struct host_kept_cpu __percpu *cpus; /* null: nothing is kept */
	unsigned int most;                   /* of a CPU */
	unsigned int object_bytes;
	void (*give_back)(void *context, void *object); /* to whom it is from; atomic */
	void *context;
};

/* Too large objects are not kept, nor any when there is no memory for the lists. Sleeps. */
void host_kept_init(struct host_kept *kept, size_t object_bytes, void (*give_back)(void *context, void *object), void *context);
/* Gives everything back that is kept now. Nobody uses it meanwhile. */
void host_kept_empty(struct host_kept *kept);
/* The same for good. Nobody uses it any more. */
void host_kept_end(struct host_kept *kept);
/* One that was given back, whatever is in it; NULL: there is none. Any context. */
void *host_kept_take(struct host_kept *kept);
/* False: this CPU has enough, the object is the caller's still. Any context. */
bool host_kept_give(struct host_kept *kept, void *object);
/* Whether this CPU, which may not be the caller's any more when it is told, could keep something and has nothing. */
bool host_kept_wants(struct host_kept *kept);
/* As host_kept_give, for what is from a mempool: what is missing in its reserve comes first, for which somebody may wait. */
bool host_kept_give_spare(struct host_kept *kept, const mempool_t *pool, void *object);
/* Then it is kept, or the pool's. */
void host_kept_free(struct host_kept *kept, mempool_t *pool, void *object);

#endif
