// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_pool.c: pools of equal objects with a reserve.
 *
 * A pool is a mempool over a slab cache. Every object goes back through the mempool, so that the reserve is
 * refilled first, whichever way the object was taken. Objects of whole pages ask the slab for page alignment; a
 * slab is contiguous memory, so they are as well.
 *
 * Pools of one name and size share a slab cache, which stays until the module goes: a mount has some twenty
 * pools, and making and destroying a cache costs far more than making a pool (it registers with sysfs, and its end
 * waits for RCU). What a pool was not given back is told when it is destroyed, and by the slab code when the cache is.
 *
 * What was given back last is given out next: each CPU keeps a few objects of each pool, and the slab is asked when it has
 * none. A synchronous write takes some ten kilobytes of such memory and gives them back, and a kernel that zeroes what the slab gives
 * out (init_on_alloc, the default of some distributions) would do so each time. Not under KASAN, which has to see every use of what
 * was given back.
 *
 * Locking: `host_slabs_lock` over the list of caches. `live` is a plain atomic. What a CPU keeps is its own, with interrupts off,
 * since requests end and give back their memory in them.
 */
#include <linux/atomic.h>
#include <linux/irqflags.h>
#include <linux/list.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "core/host/host.h"
#include "shim/host/host_module.h"

struct host_slab {
	struct list_head node;
	struct kmem_cache *cache;
	char cache_name[];
};

#define HOST_POOL_KEPT 4
#define HOST_POOL_KEPT_BYTES SZ_8K /* of one object: larger ones are not worth holding on to */

struct host_kept {
	unsigned int count;
	void *objects[HOST_POOL_KEPT];
};

struct host_pool {
	struct host_slab *slab;
	mempool_t *reserve;
	struct host_kept __percpu *kept; /* null: nothing is kept */
	size_t object_bytes;
	atomic64_t live;
};

static DEFINE_MUTEX(host_slabs_lock);
static LIST_HEAD(host_slabs);

static struct host_slab *host_slab_create(const char *cache_name, size_t object_bytes)
{
	unsigned int align = object_bytes % PAGE_SIZE ? 0 : PAGE_SIZE;
	struct host_slab *slab = kzalloc(struct_size(slab, cache_name, strlen(cache_name) + 1), GFP_KERNEL);

	if (!slab)
		return NULL;
	strcpy(slab->cache_name, cache_name);
	slab->cache = kmem_cache_create(slab->cache_name, object_bytes, align, 0, NULL);
	if (!slab->cache) {
		kfree(slab);
		return NULL;
	}
	list_add(&slab->node, &host_slabs);
	return slab;
}

static struct host_slab *host_slab_get(const char *name, size_t object_bytes)
{
	/* No two caches may have one name: pools with nodes of other sizes have others, and so has the test module. */
	const char *prefix = str_has_prefix(name, KBUILD_MODNAME) ? "" : KBUILD_MODNAME "_";
	char cache_name[64];
	struct host_slab *slab;

	snprintf(cache_name, sizeof(cache_name), "%s%s_%zu", prefix, name, object_bytes);
	mutex_lock(&host_slabs_lock);
	list_for_each_entry(slab, &host_slabs, node)
		if (!strcmp(slab->cache_name, cache_name))
			goto unlock;
	slab = host_slab_create(cache_name, object_bytes);
unlock:
	mutex_unlock(&host_slabs_lock);
	return slab;
}

void host_slabs_destroy(void)
{
	struct host_slab *slab, *next;

	list_for_each_entry_safe(slab, next, &host_slabs, node) {
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
		kfree(pool);
		return NULL;
	}
	pool->object_bytes = object_bytes;
	if (!IS_ENABLED(CONFIG_KASAN) && object_bytes <= HOST_POOL_KEPT_BYTES)
		pool->kept = alloc_percpu(struct host_kept);
	return pool;
}

/* One that this CPU has kept, or null. */
static void *host_kept_take(struct host_pool *pool)
{
	struct host_kept *kept;
	unsigned long flags;
	void *object = NULL;

	if (!pool->kept)
		return NULL;
	local_irq_save(flags);
	kept = this_cpu_ptr(pool->kept);
	if (kept->count)
		object = kept->objects[--kept->count];
	local_irq_restore(flags);
	return object;
}

/* False: it has enough, or the reserve, which comes first, has not. */
static bool host_kept_give(struct host_pool *pool, void *object)
{
	struct host_kept *kept;
	unsigned long flags;
	bool is_kept = false;

	if (!pool->kept)
		return false;
	/* As in mempool_free: whoever took this from the reserve did so before, and that is seen here. */
	smp_rmb();
	if (READ_ONCE(pool->reserve->curr_nr) < pool->reserve->min_nr)
		return false;
	local_irq_save(flags);
	kept = this_cpu_ptr(pool->kept);
	if (kept->count < HOST_POOL_KEPT) {
		kept->objects[kept->count++] = object;
		is_kept = true;
	}
	local_irq_restore(flags);
	return is_kept;
}

static void host_kept_end(struct host_pool *pool)
{
	int cpu;

	if (!pool->kept)
		return;
	for_each_possible_cpu(cpu) {
		struct host_kept *kept = per_cpu_ptr(pool->kept, cpu);

		while (kept->count)
			mempool_free(kept->objects[--kept->count], pool->reserve);
	}
	free_percpu(pool->kept);
}

void host_pool_destroy(struct host_pool *pool)
{
	s64 live;

	if (!pool)
		return;
	live = atomic64_read(&pool->live);
	if (live)
		pr_err("lcpfs: %lld objects of %s were never freed: a bug, please report it\n", live, pool->slab->cache_name);
	host_kept_end(pool);
	mempool_destroy(pool->reserve);
	kfree(pool);
}

void *host_pool_alloc(struct host_pool *pool, unsigned int flags)
{
	gfp_t gfp = flags & HOST_ALLOC_ATOMIC ? GFP_ATOMIC | __GFP_NOWARN : GFP_NOFS;
	void *object = host_kept_take(pool);

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
	void *object = host_kept_take(pool) ?: mempool_alloc(pool->reserve, GFP_NOIO);

	atomic64_inc(&pool->live);
	return object;
}

void host_pool_free(struct host_pool *pool, void *object)
{
	atomic64_dec(&pool->live);
	if (!host_kept_give(pool, object))
		mempool_free(object, pool->reserve);
}

uint64_t host_pool_live(const struct host_pool *pool)
{
	return atomic64_read(&pool->live);
}
