// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_event.c: waiting for a condition, on the kernel's wait queues.
 *
 * Who waits tells how: a kernel thread of ours sleeps in TASK_IDLE, since waiting for something to do is
 * what it is for, and neither the load average nor the hung-task detector should count it. A task that
 * came in through a system call sleeps uninterruptibly: an operation half done cannot be left, and one that
 * takes minutes deserves the detector's line in the log.
 */
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "core/host/host.h"

static_assert(sizeof(struct host_event) >= sizeof(wait_queue_head_t));

static wait_queue_head_t *queue_of(struct host_event *event)
{
	return (wait_queue_head_t *)event->opaque;
}

void host_event_init(struct host_event *event)
{
	init_waitqueue_head(queue_of(event));
}

void host_event_destroy(struct host_event *event)
{
	WARN_ON_ONCE(waitqueue_active(queue_of(event)));
}

void host_event_wait(struct host_event *event, bool (*condition)(void *context), void *context)
{
	if (current->flags & PF_KTHREAD)
		wait_event_idle(*queue_of(event), condition(context));
	else
		wait_event(*queue_of(event), condition(context));
}

struct host_waiter {
	struct wait_queue_entry entry;
	bool (*condition)(void *context);
	void *context;
};

/* Under the queue's lock. What is not over stays in the queue, asleep. */
static int host_wake_checked(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	struct host_waiter *waiter = container_of(entry, struct host_waiter, entry);

	return waiter->condition(waiter->context) && autoremove_wake_function(entry, mode, flags, key);
}

void host_event_wait_checked(struct host_event *event, bool (*condition)(void *context), void *context)
{
	const int state = current->flags & PF_KTHREAD ? TASK_IDLE : TASK_UNINTERRUPTIBLE;
	struct host_waiter waiter = { .condition = condition, .context = context };

	might_sleep();
	if (condition(context))
		return;
	init_waitqueue_func_entry(&waiter.entry, host_wake_checked);
	waiter.entry.private = current;
	INIT_LIST_HEAD(&waiter.entry.entry);
	for (;;) {
		/* Into the queue and its state changed before the condition is looked at: a wake between is not lost. */
		prepare_to_wait(queue_of(event), &waiter.entry, state);
		if (condition(context))
			break;
		schedule();
	}
	finish_wait(queue_of(event), &waiter.entry);
}

bool host_event_wait_timeout(struct host_event *event, bool (*condition)(void *context), void *context,
			     uint64_t timeout_ns)
{
	unsigned long ticks;

	/* A timer tick is too coarse for short waits. */
	if (timeout_ns < 10 * NSEC_PER_MSEC)
		return !wait_event_hrtimeout(*queue_of(event), condition(context), ns_to_ktime(timeout_ns));

	ticks = min_t(u64, nsecs_to_jiffies64(timeout_ns) + 1, MAX_JIFFY_OFFSET);
	if (current->flags & PF_KTHREAD)
		return wait_event_idle_timeout(*queue_of(event), condition(context), ticks);
	return wait_event_timeout(*queue_of(event), condition(context), ticks);
}

void host_event_wake(struct host_event *event)
{
	wake_up_all(queue_of(event));
}
