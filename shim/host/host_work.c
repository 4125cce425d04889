// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_work.c: work items on the kernel's workqueues.
 *
 * WQ_MEM_RECLAIM, because completions of writeback run here and memory may depend on them. WQ_UNBOUND,
 * because an item may checksum a megabyte: it should run on any idle CPU near the one that took the
 * interrupt, not wait behind whatever occupies that one. Bodies run in NOFS scope.
 *
 * One queue that nobody uses any more is kept for the next who wants one of its name: making one starts a thread for when there is no
 * memory, and ending one waits for that thread to end, with every mount and unmount.
 */
#include <linux/atomic.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "core/host/host.h"
#include "shim/host/host_module.h"
#include "shim/host/host_work.h"

static_assert(sizeof(struct host_work) >= sizeof(struct lcpfs_work));

struct host_workqueue {
	struct workqueue_struct *queue;
	const char *name; /* only compared: who asks again asks with the same constant */
};

static struct host_workqueue *host_spare_queue;

static struct lcpfs_work *work_of(struct host_work *work)
{
	return (struct lcpfs_work *)work->opaque;
}

static void host_workqueue_free(struct host_workqueue *queue)
{
	destroy_workqueue(queue->queue);
	kfree(queue);
}

/* A drained one. */
static void host_workqueue_keep(struct host_workqueue *queue)
{
	if (cmpxchg(&host_spare_queue, NULL, queue))
		host_workqueue_free(queue);
}

struct host_workqueue *host_workqueue_create(const char *name)
{
	struct host_workqueue *queue = xchg(&host_spare_queue, NULL);

	if (queue && queue->name == name)
		return queue;
	if (queue)
		host_workqueue_keep(queue);
	queue = kzalloc(sizeof(*queue), GFP_KERNEL);
	if (!queue)
		return NULL;
	queue->name = name;
	queue->queue = alloc_workqueue("%s", WQ_MEM_RECLAIM | WQ_UNBOUND, 0, name);
	if (!queue->queue) {
		kfree(queue);
		return NULL;
	}
	return queue;
}

void host_workqueue_destroy(struct host_workqueue *queue)
{
	if (!queue)
		return;
	drain_workqueue(queue->queue);
	host_workqueue_keep(queue);
}

void host_workqueues_end(void)
{
	struct host_workqueue *queue = xchg(&host_spare_queue, NULL);

	if (queue)
		host_workqueue_free(queue);
}

void host_workqueue_drain(struct host_workqueue *queue)
{
	flush_workqueue(queue->queue);
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
	queue_work(queue->queue, &work_of(work)->work);
}
