// SPDX-License-Identifier: GPL-2.0-only
/*
 * dataset.c: looking at the datasets of started pools and changing them. What may be done is the core's to say; here superblocks
 * follow what changed.
 *
 * Locking: a reference on the pool while it is changed, and pool->dataset_lock, held over the group commits that make it durable.
 */
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "core/api/core.h"
#include "shim/vfs/dataset.h"
#include "shim/vfs/ioctl_abi.h"
#include "shim/vfs/pool.h"
#include "shim/vfs/sysfs.h"

static_assert(sizeof(((struct lcpfs_ioctl_dataset *)0)->name) == CORE_DATASET_NAME_BYTES);
static_assert((int)LCPFS_DATASET_SYNC == (int)CORE_DATASET_SET_SYNC);
static_assert((int)LCPFS_DATASET_LOG_BIAS == (int)CORE_DATASET_SET_LOG_BIAS);
static_assert((int)LCPFS_DATASET_COMPRESSION == (int)CORE_DATASET_SET_COMPRESSION);
static_assert((int)LCPFS_DATASET_CHECKSUM == (int)CORE_DATASET_SET_CHECKSUM);
/* The same for 32- and 64-bit programs. */
static_assert(sizeof(struct lcpfs_ioctl_dataset) == 216);
static_assert(sizeof(struct lcpfs_ioctl_dataset_change) == 176);

struct lcpfs_dataset_search {
	unsigned int left;
	struct lcpfs_ioctl_dataset *out;
};

static void lcpfs_dataset_fill(struct lcpfs_ioctl_dataset *out, const struct lcpfs_pool *pool,
			       const struct core_dataset_info *info)
{
	memcpy(out->pool_guid, pool->guid, 16);
	strscpy(out->pool_name, pool->name, sizeof(out->pool_name));
	strscpy(out->name, info->name, sizeof(out->name));
	out->state = info->is_damaged ? 2 : info->is_destroying ? 1 : 0;
	out->id = info->id;
	out->objects = info->objects;
	out->used_bytes = info->used_blocks * CORE_BLOCK_SIZE;
	out->created_group = info->created_txg;
	out->users = info->users;
	out->sync = info->sync;
	out->log_bias = info->log_bias;
	out->compression = info->compression;
	out->checksum = info->checksum;
	memset(out->reserved, 0, sizeof(out->reserved));
}

/* Counts down over the datasets of one pool; true at the one that was meant. */
static bool lcpfs_dataset_visit(struct lcpfs_pool *pool, void *context)
{
	struct lcpfs_dataset_search *search = context;
	struct core_dataset_info info;
	u64 id;

	for (id = 0; core_dataset_next(pool->core, id, &info) == 0; id = info.id + 1) {
		if (search->left-- == 0) {
			lcpfs_dataset_fill(search->out, pool, &info);
			return true;
		}
	}
	return false;
}

long lcpfs_dataset_get(void __user *argument)
{
	struct lcpfs_ioctl_dataset *dataset = memdup_user(argument, sizeof(*dataset));
	struct lcpfs_dataset_search search;
	long error;

	if (IS_ERR(dataset))
		return PTR_ERR(dataset);
	search.left = dataset->n;
	search.out = dataset;
	error = lcpfs_pool_visit(lcpfs_dataset_visit, &search);
	if (!error && copy_to_user(argument, dataset, sizeof(*dataset)))
		error = -EFAULT;
	kfree(dataset);
	return error;
}

static int lcpfs_dataset_create(struct lcpfs_pool *pool, const struct lcpfs_ioctl_dataset_change *change)
{
	struct timespec64 now;
	struct core_new_dataset how = {
		.name = change->name,
		.partition = change->new_name,
		.root_mode = change->mode,
		.root_uid = change->uid,
		.root_gid = change->gid,
	};

	if (change->mode & ~07777u)
		return -EINVAL;
	ktime_get_real_ts64(&now);
	how.time.seconds = now.tv_sec;
	how.time.nanoseconds = now.tv_nsec;
	return core_dataset_create(pool->core, &how);
}

/* 0: there is none. */
static u64 lcpfs_dataset_id(struct lcpfs_pool *pool, const char *name)
{
	struct core_dataset_info info;
	u64 id;

	for (id = 0; core_dataset_next(pool->core, id, &info) == 0; id = info.id + 1)
		if (!info.is_destroying && !strcmp(info.name, name))
			return info.id;
	return 0;
}

static int lcpfs_dataset_do(struct lcpfs_pool *pool, const struct lcpfs_ioctl_dataset_change *change)
{
	int error;

	switch (change->operation) {
	case LCPFS_DATASET_CREATE:
		return lcpfs_dataset_create(pool, change);
	case LCPFS_DATASET_DESTROY:
		return core_dataset_destroy(pool->core, change->name);
	case LCPFS_DATASET_RENAME:
		return core_dataset_rename(pool->core, change->name, change->new_name);
	case LCPFS_DATASET_SET:
		error = core_dataset_set(pool->core, change->name, change->property, change->value);
		if (!error)
			lcpfs_pool_dataset_changed(pool, lcpfs_dataset_id(pool, change->name));
		return error;
	}
	return -EINVAL;
}

long lcpfs_dataset_change(void __user *argument)
{
	struct lcpfs_ioctl_dataset_change *change = memdup_user(argument, sizeof(*change));
	struct lcpfs_pool *pool;
	long error;

	if (IS_ERR(change))
		return PTR_ERR(change);
	error = strnlen(change->name, sizeof(change->name)) == sizeof(change->name) ||
		strnlen(change->new_name, sizeof(change->new_name)) == sizeof(change->new_name) ? -ENAMETOOLONG : 0;
	pool = error ? NULL : lcpfs_pool_find(change->pool_guid);
	if (!error)
		error = pool ? mutex_lock_killable(&pool->dataset_lock) : -ENODEV;
	if (!error) {
		error = lcpfs_dataset_do(pool, change);
		lcpfs_sysfs_datasets_changed(pool->sysfs);
		mutex_unlock(&pool->dataset_lock);
	}
	if (pool)
		lcpfs_pool_put(pool);
	kfree(change);
	return error;
}
