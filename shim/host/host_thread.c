// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_thread.c: the core's own threads.
 *
 * Each runs in NOFS scope for its whole life: these threads commit and clean, and reclaim on their behalf
 * must not wait for a commit. The core tells its threads to end by its own means, so joining first waits for
 * the body to return and then for the kernel thread to be gone, since the code it runs to its last
 * instruction is this module's.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "core/host/host.h"

struct host_thread {
	struct task_struct *task;
	struct completion ended;
	void (*body)(void *context);
	void *context;
};

static int host_thread_main(void *argument)
{
	struct host_thread *thread = argument;
	unsigned int scope = memalloc_nofs_save();

	thread->body(thread->context);
	memalloc_nofs_restore(scope);
	complete(&thread->ended);
	return 0;
}

struct host_thread *host_thread_start(const char *name, void (*body)(void *context), void *context)
{
	struct host_thread *thread = kzalloc(sizeof(*thread), GFP_KERNEL);

	if (!thread)
		return NULL;
	init_completion(&thread->ended);
	thread->body = body;
	thread->context = context;
	thread->task = kthread_create(host_thread_main, thread, "%s", name);
	if (IS_ERR(thread->task)) {
		kfree(thread);
		return NULL;
	}
	get_task_struct(thread->task);
	wake_up_process(thread->task);
	return thread;
}

void host_thread_join(struct host_thread *thread)
{
	wait_for_completion(&thread->ended);
	kthread_stop(thread->task);
	put_task_struct(thread->task);
	kfree(thread);
}

void host_yield(void)
{
	cond_resched();
}

unsigned int host_cpu_index(void)
{
	return raw_smp_processor_id();
}

unsigned int host_cpu_count(void)
{
	return nr_cpu_ids;
}
