// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_pool.c: pools of equal objects with a reserve.
 *
 * A pool is a mempool over a slab cache. Every object goes back through the mempool, so that the reserve is
 * refilled first, whichever way the object was taken. Objects of whole pages ask the slab for page alignment; a
 * slab is contiguous memory, so they are as well. They are not zeroed unless asked for.
 *
 * Pools of one name and size share a slab cache, which stays until the module goes: a mount has some twenty
 * pools, and making and destroying a cache costs far more than making a pool (it registers with sysfs, and its end
 * waits for RCU). What a pool was not given back is told when it is destroyed, and by the slab code when the cache is.
 *
 * What is given back is kept for the next who asks, once the reserve has what it is to have: host_kept.h. Pools that share a cache
 * share that too; with the last of them all of it goes.
 *
 * Locking: `host_slabs_lock` over the list of caches and who uses them. `live` is a plain atomic.
 */
#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "core/host/host.h"
#include "kmod/compat.h"
#include "shim/host/host_kept.h"
#include "shim/host/host_module.h"

struct host_slab {
	struct list_head node;
	struct kmem_cache *cache;
	const char *name; /* as it was asked for; only compared */
	size_t object_bytes;
	unsigned int pools; /* that use it */
	struct host_kept kept;
	char cache_name[];
};

struct host_pool {
	struct host_slab *slab;
	mempool_t *reserve;
	size_t object_bytes;
	atomic64_t live;
};

static DEFINE_MUTEX(host_slabs_lock);
static LIST_HEAD(host_slabs);

static void host_slab_give_back(void *context, void *object)
{
	struct host_slab *slab = context;

	kmem_cache_free(slab->cache, object);
}

static struct host_slab *host_slab_create(const char *cache_name, size_t object_bytes)
{
	struct host_slab *slab = kzalloc(struct_size(slab, cache_name, strlen(cache_name) + 1), GFP_KERNEL);

	if (!slab)
		return NULL;
	strcpy(slab->cache_name, cache_name);
	if (object_bytes % PAGE_SIZE)
		slab->cache = kmem_cache_create(slab->cache_name, object_bytes, 0, 0, NULL);
	else
		slab->cache = lcpfs_page_cache_create(slab->cache_name, object_bytes);
	if (!slab->cache) {
		kfree(slab);
		return NULL;
	}
	host_kept_init(&slab->kept, object_bytes, host_slab_give_back, slab);
	list_add(&slab->node, &host_slabs);
	return slab;
}

static struct host_slab *host_slab_get(const char *name, size_t object_bytes)
{
	/* No two caches may have one name: pools with nodes of other sizes have others, and so has the test module. */
	const char *prefix = str_has_prefix(name, KBUILD_MODNAME) ? "" : KBUILD_MODNAME "_";
	char cache_name[64];
	struct host_slab *slab;

	/* Who asks again asks with the same constant. */
	mutex_lock(&host_slabs_lock);
	list_for_each_entry(slab, &host_slabs, node)
		if (slab->name == name && slab->object_bytes == object_bytes)
			goto unlock;
	snprintf(cache_name, sizeof(cache_name), "%s%s_%zu", prefix, name, object_bytes);
	list_for_each_entry(slab, &host_slabs, node)
		if (!strcmp(slab->cache_name, cache_name))
			goto unlock;
	slab = host_slab_create(cache_name, object_bytes);
	if (slab) {
		slab->name = name;
		slab->object_bytes = object_bytes;
	}
unlock:
	if (slab)
		slab->pools++;
	mutex_unlock(&host_slabs_lock);
	return slab;
}

static void host_slab_put(struct host_slab *slab)
{
	mutex_lock(&host_slabs_lock);
	if (!--slab->pools)
		host_kept_empty(&slab->kept);
	mutex_unlock(&host_slabs_lock);
}

void host_slabs_destroy(void)
{
	struct host_slab *slab, *next;

	list_for_each_entry_safe(slab, next, &host_slabs, node) {
		host_kept_end(&slab->kept);
		kmem_cache_destroy(slab->cache);
		kfree(slab);
	}
	INIT_LIST_HEAD(&host_slabs);
}

struct host_pool *host_pool_create(const char *name, size_t object_bytes, unsigned int reserve)
{
	struct host_pool *pool = kzalloc(sizeof(*pool), GFP_KERNEL);

	if (!pool)
		return NULL;
	pool->slab = host_slab_get(name, object_bytes);
	if (pool->slab)
		pool->reserve = mempool_create(max(reserve, 1u), mempool_alloc_slab, mempool_free_slab, pool->slab->cache);
	if (!pool->reserve) {
		if (pool->slab)
			host_slab_put(pool->slab);
		kfree(pool);
		return NULL;
	}
	pool->object_bytes = object_bytes;
	return pool;
}

/* mempool_resize leaves off where it finds no memory, and says nothing. */
bool host_reserve(mempool_t *pool, unsigned int reserve)
{
	unsigned int scope = memalloc_nofs_save();
	bool is_there = reserve <= pool->min_nr || !mempool_resize(pool, reserve);

	while (is_there && READ_ONCE(pool->curr_nr) < reserve) {
		void *object = pool->alloc(GFP_KERNEL, pool->pool_data);

		is_there = object;
		if (object)
			mempool_free(object, pool);
	}
	memalloc_nofs_restore(scope);
	return is_there;
}

bool host_pool_reserve(struct host_pool *pool, unsigned int reserve)
{
	return host_reserve(pool->reserve, reserve);
}

void host_pool_destroy(struct host_pool *pool)
{
	s64 live;

	if (!pool)
		return;
	live = atomic64_read(&pool->live);
	if (live)
		pr_err("lcpfs: %lld objects of %s were never freed: a bug, please report it\n", live, pool->slab->cache_name);
	mempool_destroy(pool->reserve);
	host_slab_put(pool->slab);
	kfree(pool);
}

void *host_pool_alloc(struct host_pool *pool, unsigned int flags)
{
	gfp_t gfp = flags & HOST_ALLOC_ATOMIC ? GFP_ATOMIC | __GFP_NOWARN : GFP_NOFS;
	void *object = host_kept_take(&pool->slab->kept);

	if (flags & HOST_ALLOC_ZERO)
		gfp |= __GFP_ZERO;
	if (!object)
		object = kmem_cache_alloc(pool->slab->cache, gfp);
	else if (flags & HOST_ALLOC_ZERO)
		memset(object, 0, pool->object_bytes);
	if (object)
		atomic64_inc(&pool->live);
	return object;
}

void *host_pool_alloc_reserved(struct host_pool *pool)
{
	void *object = host_kept_take(&pool->slab->kept) ?: mempool_alloc(pool->reserve, GFP_NOIO);

	atomic64_inc(&pool->live);
	return object;
}

void host_pool_free(struct host_pool *pool, void *object)
{
	atomic64_dec(&pool->live);
	host_kept_free(&pool->slab->kept, pool->reserve, object);
}

void host_pool_prime(struct host_pool *pool)
{
	void *object;

	if (!host_kept_wants(&pool->slab->kept))
		return;
	object = kmem_cache_alloc(pool->slab->cache, GFP_NOWAIT | __GFP_NOWARN);
	if (object && !host_kept_give(&pool->slab->kept, object))
		kmem_cache_free(pool->slab->cache, object);
}

uint64_t host_pool_live(const struct host_pool *pool)
{
	return atomic64_read(&pool->live);
}
