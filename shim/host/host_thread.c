// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_thread.c: the core's own threads.
 *
 * Each runs in NOFS scope for its whole life: these threads commit and clean, and reclaim on their behalf
 * must not wait for a commit. The core tells its threads to end by its own means, so joining first waits for
 * the body to return and then for the kernel thread to be gone, since the code it runs to its last
 * instruction is this module's.
 *
 * What they do comes in bursts, and nobody waits for any one piece of it, while those who wait for the intent log are woken many
 * thousand times a second and run for microseconds. So a thread asks for short slices, and where its work is long it offers the
 * processor (host_yield): who has had less than a fair share goes first. Left to the scheduler that would be decided at a
 * tick, milliseconds later, since those who wait run already and wake up no more. With a slice this short, offering costs nothing of
 * the share. (Kernels before 6.12 have no slices of a thread's own and ignore the wish.)
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <uapi/linux/sched/types.h>

#include "core/host/host.h"

struct host_thread {
	struct task_struct *task;
	struct completion ended;
	void (*body)(void *context);
	void *context;
	int nice;
};

#define HOST_THREAD_SLICE_NS 100000
#define HOST_THREAD_URGENT_NICE -10 /* 9.3 times the weight of a thread at 0 */

static int host_thread_main(void *argument)
{
	struct host_thread *thread = argument;
	const struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = SCHED_NORMAL,
		.sched_nice = thread->nice,
		.sched_runtime = HOST_THREAD_SLICE_NS,
	};
	unsigned int scope = memalloc_nofs_save();

	sched_setattr_nocheck(current, &attr);
	thread->body(thread->context);
	memalloc_nofs_restore(scope);
	complete(&thread->ended);
	return 0;
}

static struct host_thread *host_thread_start_nice(const char *name, void (*body)(void *context), void *context, int nice)
{
	struct host_thread *thread = kzalloc(sizeof(*thread), GFP_KERNEL);

	if (!thread)
		return NULL;
	init_completion(&thread->ended);
	thread->body = body;
	thread->context = context;
	thread->nice = nice;
	thread->task = kthread_create(host_thread_main, thread, "%s", name);
	if (IS_ERR(thread->task)) {
		kfree(thread);
		return NULL;
	}
	get_task_struct(thread->task);
	wake_up_process(thread->task);
	return thread;
}

struct host_thread *host_thread_start(const char *name, void (*body)(void *context), void *context)
{
	return host_thread_start_nice(name, body, context, 0);
}

struct host_thread *host_thread_start_urgent(const char *name, void (*body)(void *context), void *context)
{
	return host_thread_start_nice(name, body, context, HOST_THREAD_URGENT_NICE);
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
	yield();
}

unsigned int host_cpu_index(void)
{
	return raw_smp_processor_id();
}

unsigned int host_cpu_count(void)
{
	return nr_cpu_ids;
}
