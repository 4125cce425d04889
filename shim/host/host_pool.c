// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_pool.c: pools of equal objects with a reserve.
 *
 * A pool is a slab cache with a mempool over it. Every object goes back through the mempool, so that the
 * reserve is refilled first, whichever way the object was taken. The cache carries a number in its name:
 * several pools of the filesystem may be open at once, and the slab code wants distinct names. Objects of
 * whole pages ask the slab for page alignment; a slab is contiguous memory, so they are as well.
 *
 * Locking: none of our own. `live` is a plain atomic.
 */
#include <linux/atomic.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/slab.h>

#include "core/host/host.h"

struct host_pool {
	struct kmem_cache *cache;
	mempool_t *reserve;
	size_t object_bytes;
	atomic64_t live;
	char *name;
};

static atomic_t host_pool_sequence;

struct host_pool *host_pool_create(const char *name, size_t object_bytes, unsigned int reserve)
{
	unsigned int align = object_bytes % PAGE_SIZE ? 0 : PAGE_SIZE;
	struct host_pool *pool = kzalloc(sizeof(*pool), GFP_KERNEL);

	if (!pool)
		return NULL;
	pool->object_bytes = object_bytes;
	pool->name = kasprintf(GFP_KERNEL, "%s-%u", name,
			       (unsigned int)atomic_inc_return(&host_pool_sequence));
	if (!pool->name)
		goto free_pool;
	pool->cache = kmem_cache_create(pool->name, object_bytes, align, 0, NULL);
	if (!pool->cache)
		goto free_name;
	pool->reserve = mempool_create(max(reserve, 1u), mempool_alloc_slab, mempool_free_slab, pool->cache);
	if (!pool->reserve)
		goto free_cache;
	return pool;

free_cache:
	kmem_cache_destroy(pool->cache);
free_name:
	kfree(pool->name);
free_pool:
	kfree(pool);
	return NULL;
}

void host_pool_destroy(struct host_pool *pool)
{
	s64 live;

	if (!pool)
		return;
	live = atomic64_read(&pool->live);
	if (live)
		pr_err("lcpfs: %lld objects of %s were never freed: a bug, please report it\n", live, pool->name);
	mempool_destroy(pool->reserve);
	kmem_cache_destroy(pool->cache);
	kfree(pool->name);
	kfree(pool);
}

void *host_pool_alloc(struct host_pool *pool, unsigned int flags)
{
	gfp_t gfp = flags & HOST_ALLOC_ATOMIC ? GFP_ATOMIC | __GFP_NOWARN : GFP_NOFS;
	void *object;

	if (flags & HOST_ALLOC_ZERO)
		gfp |= __GFP_ZERO;
	object = kmem_cache_alloc(pool->cache, gfp);
	if (object)
		atomic64_inc(&pool->live);
	return object;
}

void *host_pool_alloc_reserved(struct host_pool *pool)
{
	void *object = mempool_alloc(pool->reserve, GFP_NOIO);

	atomic64_inc(&pool->live);
	return object;
}

void host_pool_free(struct host_pool *pool, void *object)
{
	atomic64_dec(&pool->live);
	mempool_free(object, pool->reserve);
}

uint64_t host_pool_live(const struct host_pool *pool)
{
	return atomic64_read(&pool->live);
}
