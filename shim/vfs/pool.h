/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pool.h: a started pool, shared by the superblocks of its datasets.
 *
 * A pool is started by the first mount that needs it and closed when the last reference goes. There is one
 * lcpfs_pool per pool GUID, found under one mutex; starting and closing happen under that mutex too, so
 * nobody sees a pool half way.
 *
 * It is written as long as one of its superblocks is: the first writer makes a pool that was opened read-only writable, and when
 * the last one goes it turns read-only again, before it is closed, too: where it has no path left that waits for one, and nobody who
 * brings one, or has other pools to do with, may have to wait for the mutex meanwhile.
 */
#ifndef LCPFS_POOL_H
#define LCPFS_POOL_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "core/api/core.h"
#include "shim/vfs/options.h"

/* Block devices of one pool at once, all paths counted. */
#define LCPFS_MAX_BDEVS 256u

struct lcpfs_super;
struct lcpfs_sysfs;

struct lcpfs_pool {
	struct list_head node;      /* lcpfs_pools, lcpfs_pools_lock */
	unsigned int references;    /* lcpfs_pools_lock */
	struct core_pool *core;
	struct lcpfs_sysfs *sysfs;  /* may be NULL */
	u8 guid[16];
	char name[CORE_LABEL_NAME_BYTES];
	struct mutex path_lock;
	struct host_bdev *bdevs[LCPFS_MAX_BDEVS]; /* path_lock, once started; devices and further paths to them */
	unsigned int bdev_count;                  /* likewise */
	u8 device_guids[LCPFS_MAX_BDEVS][16];     /* of the bdevs, while the pool is being started */
	struct core_labels *labels[LCPFS_MAX_BDEVS]; /* likewise */
	struct mutex write_lock;    /* taken under s_umount */
	unsigned int writers;       /* write_lock: superblocks that are not read-only */
	bool read_only;             /* write_lock: what was asked of the core */
	struct lcpfs_options options; /* write_lock; those that are the pool's */
	struct mutex dataset_lock;  /* one changes datasets at a time */
	spinlock_t event_lock;      /* with interrupts off */
	bool tells;                 /* event_lock: changes are told by uevents */
	struct work_struct event_work;
	spinlock_t lock;
	struct list_head supers;    /* lock */
	bool frozen;                /* lock */
};

/*
 * The pool that the device at `source` belongs to, started when it is not. Devices come from `source`,
 * device= and the scan. Sleepable, s_umount of no superblock of ours held.
 */
int lcpfs_pool_get(const char *source, const struct lcpfs_options *options, bool read_only,
		   struct lcpfs_pool **pool);
void lcpfs_pool_put(struct lcpfs_pool *pool);

/* The started pool with this GUID, with a reference, or NULL. */
struct lcpfs_pool *lcpfs_pool_find(const u8 guid[16]);
/* Visits the started pools until one visit gives true. -ENOENT when none did, -EINTR. */
int lcpfs_pool_visit(bool (*visit)(struct lcpfs_pool *pool, void *context), void *context);
/* Claims a device for the pool, once no mount is looking at it any more (look.h). ERR_PTR on failure. */
struct host_bdev *lcpfs_pool_open_device(struct lcpfs_pool *pool, const char *path, bool read_only);
bool lcpfs_pool_has_device(const struct lcpfs_pool *pool, const struct host_bdev *bdev);

/* One more superblock writes, or one less. The pool turns writable, or read-only, which may wait for its devices. */
int lcpfs_pool_add_writer(struct lcpfs_pool *pool);
int lcpfs_pool_drop_writer(struct lcpfs_pool *pool);
/* What `options` name of the pool's own. */
void lcpfs_pool_set_options(struct lcpfs_pool *pool, const struct lcpfs_options *options);
void lcpfs_pool_get_options(struct lcpfs_pool *pool, struct lcpfs_options *options);

/* The superblocks that turn read-only with the pool. */
void lcpfs_pool_add_super(struct lcpfs_pool *pool, struct lcpfs_super *super);
void lcpfs_pool_remove_super(struct lcpfs_pool *pool, struct lcpfs_super *super);
/* The properties of a dataset changed: its superblocks follow. */
void lcpfs_pool_dataset_changed(struct lcpfs_pool *pool, u64 id);

#endif
