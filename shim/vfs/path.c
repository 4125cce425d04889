// SPDX-License-Identifier: GPL-2.0-only
/*
 * path.c: looking at the paths of started pools and changing them, live. The block devices belong to the
 * lcpfs_pool: it opens one before the core gets it as a path, and closes it when the core gave it back.
 *
 * Locking: a reference on the pool while it is changed, and pool->path_lock over its table of devices; both may be
 * held for as long as a device takes to answer. The lock over all pools is not.
 */
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "core/api/core.h"
#include "shim/host/host_bdev.h"
#include "shim/vfs/ioctl_abi.h"
#include "shim/vfs/path.h"
#include "shim/vfs/pool.h"

static_assert(LCPFS_PATH_SIZES == CORE_PATH_SIZES);

static void lcpfs_path_fill(struct lcpfs_ioctl_path *out, const struct lcpfs_pool *pool, const struct core_path *path)
{
	struct core_path_statistics sum;
	unsigned int i;

	core_path_get_statistics(pool->core, &sum);
	memcpy(out->pool_guid, pool->guid, 16);
	strscpy(out->pool_name, pool->name, sizeof(out->pool_name));
	strscpy(out->name, path->name, sizeof(out->name));
	out->id = path->id;
	out->device = path->device;
	out->state = path->state;
	out->policy = path->policy;
	out->priority = path->priority;
	out->depth = path->depth;
	out->average_us = path->average_us;
	out->only = path->only;
	out->ios = path->ios;
	out->bytes = path->bytes;
	out->errors = path->errors;
	out->failures = path->failures;
	out->repairs = path->repairs;
	out->wrong_bytes = path->wrong_bytes;
	for (i = 0; i < LCPFS_PATH_SIZES; i++) {
		out->latency[i].samples = path->latency[i].samples;
		out->latency[i].median_us = path->latency[i].median_us;
		out->latency[i].tail_us = path->latency[i].tail_us;
	}
	out->pool_ios = sum.ios;
	out->pool_bytes = sum.bytes;
	out->pool_path_failures = sum.path_failures;
	out->pool_failovers = sum.failovers;
	out->pool_path_repairs = sum.path_repairs;
	out->pool_waiting = sum.waiting;
}

struct lcpfs_path_search {
	unsigned int left;
	struct lcpfs_ioctl_path *out;
};

/* Counts down over the paths of one pool; true at the one that was meant. */
static bool lcpfs_path_visit(struct lcpfs_pool *pool, void *context)
{
	struct lcpfs_path_search *search = context;
	struct core_path path;
	unsigned int n;

	for (n = 0; core_path_get(pool->core, n, &path) == 0; n++) {
		if (search->left-- == 0) {
			lcpfs_path_fill(search->out, pool, &path);
			return true;
		}
	}
	return false;
}

long lcpfs_path_get(void __user *argument)
{
	struct lcpfs_ioctl_path *path = memdup_user(argument, sizeof(*path));
	struct lcpfs_path_search search;
	long error;

	if (IS_ERR(path))
		return PTR_ERR(path);
	search.left = path->n;
	search.out = path;
	error = lcpfs_pool_visit(lcpfs_path_visit, &search);
	if (!error && copy_to_user(argument, path, sizeof(*path)))
		error = -EFAULT;
	kfree(path);
	return error;
}

static long lcpfs_path_add(struct lcpfs_pool *pool, struct lcpfs_ioctl_path_change *change)
{
	struct host_bdev *bdev;
	int error;

	if (pool->bdev_count == LCPFS_MAX_BDEVS)
		return -ENOSPC;
	bdev = lcpfs_pool_open_device(pool, change->path, false);
	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	error = lcpfs_pool_has_device(pool, bdev) ? -EEXIST : core_path_add(pool->core, bdev, change->value, &change->id);
	if (error) {
		host_bdev_close(bdev);
		return error;
	}
	pool->bdevs[pool->bdev_count++] = bdev;
	return 0;
}

static long lcpfs_path_remove(struct lcpfs_pool *pool, u32 id)
{
	struct host_bdev *bdev = NULL;
	unsigned int i;
	int error;

	error = core_path_remove(pool->core, id, &bdev);
	if (error)
		return error;
	for (i = 0; i < pool->bdev_count; i++) {
		if (pool->bdevs[i] == bdev) {
			pool->bdevs[i] = pool->bdevs[--pool->bdev_count];
			break;
		}
	}
	host_bdev_close(bdev);
	return 0;
}

static long lcpfs_path_do(struct lcpfs_pool *pool, struct lcpfs_ioctl_path_change *change)
{
	switch (change->operation) {
	case LCPFS_PATH_ADD:
		if (change->value < 0 || change->value > 255)
			return -EINVAL;
		return lcpfs_path_add(pool, change);
	case LCPFS_PATH_REMOVE:
		return lcpfs_path_remove(pool, change->id);
	case LCPFS_PATH_FAIL:
		return core_path_fail(pool->core, change->id);
	case LCPFS_PATH_REINSTATE:
		return core_path_reinstate(pool->core, change->id);
	case LCPFS_PATH_SET:
		return core_path_set(pool->core, change->id, change->setting, change->value);
	}
	return -EINVAL;
}

long lcpfs_path_change(void __user *argument)
{
	struct lcpfs_ioctl_path_change *change = memdup_user(argument, sizeof(*change));
	struct lcpfs_pool *pool;
	long error;

	if (IS_ERR(change))
		return PTR_ERR(change);
	change->path[sizeof(change->path) - 1] = 0;
	pool = lcpfs_pool_find(change->pool_guid);
	error = pool ? mutex_lock_killable(&pool->path_lock) : -ENODEV;
	if (!error) {
		error = lcpfs_path_do(pool, change);
		mutex_unlock(&pool->path_lock);
		if (!error && copy_to_user(argument, change, sizeof(*change)))
			error = -EFAULT;
	}
	if (pool)
		lcpfs_pool_put(pool);
	kfree(change);
	return error;
}
