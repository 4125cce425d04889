// SPDX-License-Identifier: GPL-2.0-only
/* look.c: see look.h. */
#include <linux/blkdev.h>
#include <linux/err.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "shim/host/host_bdev.h"
#include "shim/vfs/look.h"

static DEFINE_SPINLOCK(lcpfs_look_lock);
static LIST_HEAD(lcpfs_looks);
static unsigned int lcpfs_looks_ended;
static DECLARE_WAIT_QUEUE_HEAD(lcpfs_look_queue);

void lcpfs_look_begin(struct lcpfs_look *look, const char *path)
{
	if (lookup_bdev(path, &look->number))
		look->number = 0;
	spin_lock(&lcpfs_look_lock);
	list_add(&look->node, &lcpfs_looks);
	spin_unlock(&lcpfs_look_lock);
}

void lcpfs_look_end(struct lcpfs_look *look)
{
	spin_lock(&lcpfs_look_lock);
	if (!list_empty(&look->node))
		lcpfs_looks_ended++;
	list_del_init(&look->node);
	spin_unlock(&lcpfs_look_lock);
	wake_up_all(&lcpfs_look_queue);
}

unsigned int lcpfs_look_count(void)
{
	unsigned int count;

	spin_lock(&lcpfs_look_lock);
	count = lcpfs_looks_ended;
	spin_unlock(&lcpfs_look_lock);
	return count;
}

static bool lcpfs_is_looked_at(dev_t number, dev_t disk)
{
	struct lcpfs_look *look;
	bool found = false;

	spin_lock(&lcpfs_look_lock);
	list_for_each_entry(look, &lcpfs_looks, node)
		found |= look->number == number || look->number == disk;
	spin_unlock(&lcpfs_look_lock);
	return found;
}

bool lcpfs_look_wait(const char *path, unsigned int count)
{
	struct host_bdev *bdev = host_bdev_open(path, false, NULL);
	dev_t number, disk;

	if (IS_ERR(bdev))
		return false;
	number = host_bdev_number(bdev);
	disk = host_bdev_disk_number(bdev);
	host_bdev_close(bdev);
	return !wait_event_killable(lcpfs_look_queue, !lcpfs_is_looked_at(number, disk)) && lcpfs_look_count() != count;
}
