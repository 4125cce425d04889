// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_kept.c: what host_kept.h says.
 *
 * Cost: some twenty instructions, no lock and no atomic one: a CPU's list is its own, with interrupts off, since requests end and give
 * back their memory in them. One shrinker for all kinds; it calls one CPU after the other, to have it hand over what it keeps. What a CPU
 * kept that is offline now stays until the kind ends, 1 MiB of it at most.
 *
 * Locking: `host_kept_lock` over the list of kinds. Nothing allocates below it, nor takes it with interrupts off, so that the shrinker may
 * wait for other CPUs under it. A kind's memory is given back below it: `give_back` takes no lock that allocates below it.
 */
#include <linux/kernel.h>
#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/smp.h>
#include <linux/spinlock.h>

#include "core/host/host.h"
#include "shim/host/host_kept.h"
#include "shim/host/host_module.h"

#define HOST_KEPT_OBJECT_BYTES SZ_64K /* larger ones are not worth holding on to */
#define HOST_KEPT_BYTES SZ_1M         /* of one kind, on each CPU */
#define HOST_KEPT_MOST 64U

struct host_kept_cpu {
	unsigned int count;
	void *objects[HOST_KEPT_MOST];
};

static DEFINE_SPINLOCK(host_kept_lock);
static LIST_HEAD(host_kept_kinds);
static struct host_shrinker *host_kept_shrinker;

void host_kept_init(struct host_kept *kept, size_t object_bytes, void (*give_back)(void *context, void *object), void *context)
{
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
	spin_lock(&host_kept_lock);
	list_add_tail(&kept->node, &host_kept_kinds);
	spin_unlock(&host_kept_lock);
}

/* What one CPU hands over. */
struct host_kept_handed {
	struct host_kept *kept;
	unsigned int count; /* wanted, and then had */
	void *objects[HOST_KEPT_MOST];
};

static void host_kept_hand_over(struct host_kept_handed *handed, struct host_kept_cpu *cpu)
{
	handed->count = min(handed->count, cpu->count);
	cpu->count -= handed->count;
	memcpy(handed->objects, cpu->objects + cpu->count, handed->count * sizeof(*handed->objects));
}

/* On the CPU that keeps them, interrupts off. */
static void host_kept_called(void *context)
{
	struct host_kept_handed *handed = context;

	host_kept_hand_over(handed, this_cpu_ptr(handed->kept->cpus));
}

static unsigned int host_kept_give_back(const struct host_kept_handed *handed)
{
	unsigned int i;

	for (i = 0; i < handed->count; i++)
		handed->kept->give_back(handed->kept->context, handed->objects[i]);
	return handed->count;
}

/* Others' lists are touched: their users are gone, and the lock keeps the shrinker from calling them. */
void host_kept_empty(struct host_kept *kept)
{
	struct host_kept_handed handed = { .kept = kept };
	int cpu;

	if (!kept->cpus)
		return;
	spin_lock(&host_kept_lock);
	for_each_possible_cpu(cpu) {
		handed.count = HOST_KEPT_MOST;
		host_kept_hand_over(&handed, per_cpu_ptr(kept->cpus, cpu));
		host_kept_give_back(&handed);
	}
	spin_unlock(&host_kept_lock);
}

void host_kept_end(struct host_kept *kept)
{
	if (!kept->cpus)
		return;
	host_kept_empty(kept);
	spin_lock(&host_kept_lock);
	list_del(&kept->node);
	spin_unlock(&host_kept_lock);
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
	local_irq_save(flags);
	cpu = this_cpu_ptr(kept->cpus);
	if (cpu->count)
		object = cpu->objects[--cpu->count];
	local_irq_restore(flags);
	return object;
}

bool host_kept_give(struct host_kept *kept, void *object)
{
	struct host_kept_cpu *cpu;
	unsigned long flags;
	bool is_kept;

	if (!kept->cpus)
		return false;
	local_irq_save(flags);
	cpu = this_cpu_ptr(kept->cpus);
	is_kept = cpu->count < kept->most;
	if (is_kept)
		cpu->objects[cpu->count++] = object;
	local_irq_restore(flags);
	return is_kept;
}

bool host_kept_wants(struct host_kept *kept)
{
	return kept->cpus && !READ_ONCE(raw_cpu_ptr(kept->cpus)->count);
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

/* Pages' worth of what is kept of one kind on one CPU, as much as is wanted. */
static u64 host_kept_scan_cpu(struct host_kept *kept, int cpu, u64 wanted)
{
	struct host_kept_handed handed = { .kept = kept };
	const u64 objects = min_t(u64, wanted, HOST_KEPT_MOST) * host_kept_per_page(kept);

	handed.count = min_t(u64, objects, HOST_KEPT_MOST);
	/* Seen from another CPU the count is a guess. One that is offline cannot be called. */
	if (!READ_ONCE(per_cpu_ptr(kept->cpus, cpu)->count) || smp_call_function_single(cpu, host_kept_called, &handed, 1))
		return 0;
	return DIV_ROUND_UP((u64)host_kept_give_back(&handed) * kept->object_bytes, PAGE_SIZE);
}

static u64 host_kept_scan(void *context, u64 wanted)
{
	struct host_kept *kept;
	u64 pages = 0;
	int cpu;

	spin_lock(&host_kept_lock);
	list_for_each_entry(kept, &host_kept_kinds, node) {
		for_each_possible_cpu(cpu) {
			if (pages >= wanted)
				break;
			pages += host_kept_scan_cpu(kept, cpu, wanted - pages);
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
