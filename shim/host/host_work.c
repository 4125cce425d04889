// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_work.c: work items on the kernel's workqueues.
 *
 * WQ_MEM_RECLAIM, because completions of writeback run here and memory may depend on them. WQ_UNBOUND,
 * because an item may checksum a megabyte: it should run on any idle CPU near the one that took the
 * interrupt, not wait behind whatever occupies that one. Bodies run in NOFS scope.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "core/host/host.h"
#include "shim/host/host_work.h"

static_assert(sizeof(struct host_work) >= sizeof(struct lcpfs_work));

static struct lcpfs_work *work_of(struct host_work *work)
{
	return (struct lcpfs_work *)work->opaque;
}

static struct workqueue_struct *queue_of(struct host_workqueue *queue)
{
	return (struct workqueue_struct *)queue;
}

struct host_workqueue *host_workqueue_create(const char *name)
{
	return (struct host_workqueue *)alloc_workqueue("%s", WQ_MEM_RECLAIM | WQ_UNBOUND, 0, name);
}

void host_workqueue_destroy(struct host_workqueue *queue)
{
	if (queue)
		destroy_workqueue(queue_of(queue));
}

void host_workqueue_drain(struct host_workqueue *queue)
{
	flush_workqueue(queue_of(queue));
}

static void host_work_main(struct work_struct *item)
{
	struct lcpfs_work *work = container_of(item, struct lcpfs_work, work);
	unsigned int scope = memalloc_nofs_save();

	/* The body may free the item: it is not touched afterwards. */
	work->body((struct host_work *)work);
	memalloc_nofs_restore(scope);
}

void host_work_init(struct host_work *work, void (*body)(struct host_work *work))
{
	INIT_WORK(&work_of(work)->work, host_work_main);
	work_of(work)->body = body;
}

void host_work_queue(struct host_workqueue *queue, struct host_work *work)
{
	queue_work(queue_of(queue), &work_of(work)->work);
}
