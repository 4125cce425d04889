// SPDX-License-Identifier: GPL-2.0-only
/* look.c: see look.h. */
#include <linux/blkdev.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "shim/vfs/look.h"

static DEFINE_SPINLOCK(lcpfs_look_lock);
static LIST_HEAD(lcpfs_looks);
static DECLARE_WAIT_QUEUE_HEAD(lcpfs_look_queue);

void lcpfs_look_begin(struct lcpfs_look *look)
{
	look->number = 0;
	spin_lock(&lcpfs_look_lock);
	list_add(&look->node, &lcpfs_looks);
	spin_unlock(&lcpfs_look_lock);
}

void lcpfs_look_at(struct lcpfs_look *look, dev_t number)
{
	spin_lock(&lcpfs_look_lock);
	look->number = number;
	spin_unlock(&lcpfs_look_lock);
	wake_up_all(&lcpfs_look_queue);
}

void lcpfs_look_end(struct lcpfs_look *look)
{
	spin_lock(&lcpfs_look_lock);
	list_del_init(&look->node);
	spin_unlock(&lcpfs_look_lock);
	wake_up_all(&lcpfs_look_queue);
}

static bool lcpfs_is_looked_at(dev_t number)
{
	struct lcpfs_look *look;
	bool found = false;

	spin_lock(&lcpfs_look_lock);
	list_for_each_entry(look, &lcpfs_looks, node)
		found |= !look->number || look->number == number;
	spin_unlock(&lcpfs_look_lock);
	return found;
}

bool lcpfs_look_wait(const char *path)
{
	dev_t number;

	return !lookup_bdev(path, &number) && !wait_event_killable(lcpfs_look_queue, !lcpfs_is_looked_at(number));
}
