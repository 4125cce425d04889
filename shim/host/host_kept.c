// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_kept.c: what host_kept.h says.
 *
 * Cost: a lock that nobody else wants, and interrupts off, since requests end and give back their memory in them. One shrinker for
 * all kinds; it takes from one CPU's list after the other.
 *
 * Locking: `host_kept_lock` over the list of kinds, outside the lock of a CPU's list. Neither allocates below them, so that the
 * shrinker may take both. A kind's memory is given back below them: `give_back` takes no lock that allocates below it.
 */
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>

#include "core/host/host.h"
#include "shim/host/host_kept.h"
#include "shim/host/host_module.h"

#define HOST_KEPT_OBJECT_BYTES SZ_64K /* larger ones are not worth holding on to */
#define HOST_KEPT_BYTES SZ_1M         /* of one kind, on each CPU */
#define HOST_KEPT_MOST 32U

struct host_kept_cpu {
	spinlock_t lock;
	unsigned int count;
	void *objects[HOST_KEPT_MOST];
};

static DEFINE_SPINLOCK(host_kept_lock);
static LIST_HEAD(host_kept_kinds);
static struct host_shrinker *host_kept_shrinker;

void host_kept_init(struct host_kept *kept, size_t object_bytes, void (*give_back)(void *context, void *object), void *context)
{
	int cpu;

	kept->cpus = NULL;
	kept->object_bytes = object_bytes;
	kept->most = clamp_t(size_t, HOST_KEPT_BYTES / object_bytes, 1, HOST_KEPT_MOST);
	kept->give_back = give_back;
	kept->context = context;
	if (IS_ENABLED(CONFIG_KASAN) || object_bytes > HOST_KEPT_OBJECT_BYTES)
		return;
	kept->cpus = alloc_percpu(struct host_kept_cpu);
	if (!kept->cpus)
		return;
	for_each_possible_cpu(cpu)
		spin_lock_init(&per_cpu_ptr(kept->cpus, cpu)->lock);
	spin_lock(&host_kept_lock);
	list_add_tail(&kept->node, &host_kept_kinds);
	spin_unlock(&host_kept_lock);
}

static unsigned int host_kept_drop(struct host_kept *kept, struct host_kept_cpu *cpu, unsigned int most)
{
	unsigned int dropped = 0;
	unsigned long flags;

	spin_lock_irqsave(&cpu->lock, flags);
	for (; dropped < most && cpu->count; dropped++)
		kept->give_back(kept->context, cpu->objects[--cpu->count]);
	spin_unlock_irqrestore(&cpu->lock, flags);
	return dropped;
}

void host_kept_end(struct host_kept *kept)
{
	int cpu;

	if (!kept->cpus)
		return;
	spin_lock(&host_kept_lock);
	list_del(&kept->node);
	spin_unlock(&host_kept_lock);
	for_each_possible_cpu(cpu)
		host_kept_drop(kept, per_cpu_ptr(kept->cpus, cpu), HOST_KEPT_MOST);
	free_percpu(kept->cpus);
	kept->cpus = NULL;
}

void *host_kept_take(struct host_kept *kept)
{
	struct host_kept_cpu *cpu;
	unsigned long flags;
	void *object = NULL;

	if (!kept->cpus)
		return NULL;
	cpu = raw_cpu_ptr(kept->cpus); /* another one's would do as well */
	spin_lock_irqsave(&cpu->lock, flags);
	if (cpu->count)
		object = cpu->objects[--cpu->count];
	spin_unlock_irqrestore(&cpu->lock, flags);
	return object;
}

bool host_kept_give(struct host_kept *kept, void *object)
{
	struct host_kept_cpu *cpu;
	unsigned long flags;
	bool is_kept;

	if (!kept->cpus)
		return false;
	cpu = raw_cpu_ptr(kept->cpus);
	spin_lock_irqsave(&cpu->lock, flags);
	is_kept = cpu->count < kept->most;
	if (is_kept)
		cpu->objects[cpu->count++] = object;
	spin_unlock_irqrestore(&cpu->lock, flags);
	return is_kept;
}

bool host_kept_give_spare(struct host_kept *kept, const mempool_t *pool, void *object)
{
	/* As in mempool_free: whoever took this from the reserve did so before, and that is seen here. */
	smp_rmb();
	return READ_ONCE(pool->curr_nr) >= pool->min_nr && host_kept_give(kept, object);
}

void host_kept_free(struct host_kept *kept, mempool_t *pool, void *object)
{
	if (!host_kept_give_spare(kept, pool, object))
		mempool_free(object, pool);
}

/* The shrinker counts pages: of what is smaller than one, as many as make one. */
static unsigned int host_kept_per_page(const struct host_kept *kept)
{
	return max_t(size_t, PAGE_SIZE / kept->object_bytes, 1);
}

static u64 host_kept_count(void *context)
{
	struct host_kept *kept;
	u64 pages = 0;
	int cpu;

	spin_lock(&host_kept_lock);
	list_for_each_entry(kept, &host_kept_kinds, node) {
		u64 objects = 0;

		for_each_possible_cpu(cpu)
			objects += READ_ONCE(per_cpu_ptr(kept->cpus, cpu)->count);
		pages += objects * kept->object_bytes / PAGE_SIZE;
	}
	spin_unlock(&host_kept_lock);
	return pages;
}

static u64 host_kept_scan(void *context, u64 wanted)
{
	struct host_kept *kept;
	u64 pages = 0;
	int cpu;

	spin_lock(&host_kept_lock);
	list_for_each_entry(kept, &host_kept_kinds, node) {
		for_each_possible_cpu(cpu) {
			u64 objects = min_t(u64, wanted, HOST_KEPT_MOST) * host_kept_per_page(kept);

			if (pages >= wanted)
				break;
			objects = host_kept_drop(kept, per_cpu_ptr(kept->cpus, cpu), objects);
			pages += DIV_ROUND_UP(objects * kept->object_bytes, PAGE_SIZE);
		}
	}
	/* The next time begins with others. */
	if (!list_empty(&host_kept_kinds))
		list_rotate_left(&host_kept_kinds);
	spin_unlock(&host_kept_lock);
	return pages;
}

int host_kept_start(void)
{
	host_kept_shrinker = host_shrinker_register("lcpfs-kept", host_kept_count, host_kept_scan, NULL);
	return host_kept_shrinker ? 0 : -ENOMEM;
}

void host_kept_stop(void)
{
	host_shrinker_unregister(host_kept_shrinker);
}
