// SPDX-License-Identifier: GPL-2.0-only
/*
 * partition.c: looking at the partitions of started pools and changing them. What may be done is the core's to say, in words that
 * go to the caller.
 *
 * Locking: a reference on the pool while it is changed, and pool->dataset_lock, held over the group commits that make it durable.
 */
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "core/api/core.h"
#include "shim/vfs/ioctl_abi.h"
#include "shim/vfs/partition.h"
#include "shim/vfs/pool.h"

static_assert(LCPFS_PARTITION_NAME_BYTES >= CORE_PARTITION_NAME_BYTES);
static_assert(sizeof(((struct lcpfs_ioctl_partition_change *)0)->message) == CORE_PARTITION_MESSAGE_BYTES);
static_assert(LCPFS_PARTITION_LEARNED == CORE_LEARNED_COUNT);
static_assert(LCPFS_PARTITION_MINIMUM == CORE_PARTITION_SET_MINIMUM && LCPFS_PARTITION_MAXIMUM == CORE_PARTITION_SET_MAXIMUM);
/* The same for 32- and 64-bit programs. */
static_assert(sizeof(struct lcpfs_ioctl_partition) == 496);
static_assert(sizeof(struct lcpfs_ioctl_partition_change) == 512);
static_assert(sizeof(struct lcpfs_ioctl_partition_decision) == 152);

struct lcpfs_partition_search {
	unsigned int left;
	struct lcpfs_ioctl_partition *out;
};

static void lcpfs_partition_fill(struct lcpfs_ioctl_partition *out, const struct lcpfs_pool *pool,
				 const struct core_partition_info *info)
{
	struct core_partitions all;
	unsigned int i;

	memset(out, 0, sizeof(*out));
	memcpy(out->pool_guid, pool->guid, 16);
	strscpy(out->pool_name, pool->name, sizeof(out->pool_name));
	strscpy(out->name, info->name, sizeof(out->name));
	out->outcomes = info->outcomes;
	out->id = info->id;
	out->size_bytes = info->size_blocks * CORE_BLOCK_SIZE;
	out->used_bytes = info->used_blocks * CORE_BLOCK_SIZE;
	out->minimum_bytes = info->minimum_blocks * CORE_BLOCK_SIZE;
	out->maximum_bytes = info->maximum_blocks * CORE_BLOCK_SIZE;
	out->datasets = info->datasets;
	out->last_resize_s = info->last_resize_s;
	out->frequency = info->frequency;
	out->latency_us = info->latency_us;
	out->utilisation = info->utilisation;
	out->pressure = info->pressure;
	out->epsilon = info->epsilon;
	for (i = 0; i < LCPFS_PARTITION_LEARNED; i++) {
		out->learned[i].value = info->learned[i].value;
		out->learned[i].uncertainty = info->learned[i].uncertainty;
		out->learned[i].rate = info->learned[i].rate;
		out->learned[i].confidence = info->learned[i].confidence;
		out->learned[i].observations = info->learned[i].observations;
	}
	out->moving = info->is_moving;
	out->evacuated_metaslabs = info->evacuated_metaslabs;
	out->evacuation_bytes = info->evacuation_blocks * CORE_BLOCK_SIZE;
	out->evacuation_left_bytes = info->evacuation_left_blocks * CORE_BLOCK_SIZE;
	core_partitions_get(pool->core, &all);
	out->mode = all.mode;
	out->pool_partitions = all.count;
	out->pool_bytes = all.total_blocks * CORE_BLOCK_SIZE;
	out->pool_unassigned_bytes = all.unassigned_blocks * CORE_BLOCK_SIZE;
	out->pool_epsilon = all.epsilon;
	out->pool_last_decision = all.last_decision;
}

/* Counts down over the partitions of one pool; true at the one that was meant. */
static bool lcpfs_partition_visit(struct lcpfs_pool *pool, void *context)
{
	struct lcpfs_partition_search *search = context;
	struct core_partition_info info;
	u64 id;

	for (id = 0; core_partition_next(pool->core, id, &info) == 0; id = info.id + 1) {
		if (search->left-- == 0) {
			lcpfs_partition_fill(search->out, pool, &info);
			return true;
		}
	}
	return false;
}

long lcpfs_partition_get(void __user *argument)
{
	struct lcpfs_ioctl_partition *partition = memdup_user(argument, sizeof(*partition));
	struct lcpfs_partition_search search;
	long error;

	if (IS_ERR(partition))
		return PTR_ERR(partition);
	search.left = partition->n;
	search.out = partition;
	error = lcpfs_pool_visit(lcpfs_partition_visit, &search);
	if (!error && copy_to_user(argument, partition, sizeof(*partition)))
		error = -EFAULT;
	kfree(partition);
	return error;
}

static int lcpfs_partition_do(struct lcpfs_pool *pool, struct lcpfs_ioctl_partition_change *change)
{
	struct core_partition_change wanted = {
		.name = change->name,
		.new_name = change->new_name,
		.mask = change->mask,
		.minimum_blocks = DIV_ROUND_UP_ULL(change->minimum_bytes, CORE_BLOCK_SIZE),
		.maximum_blocks = change->maximum_bytes / CORE_BLOCK_SIZE,
	};

	if (change->mask & ~(LCPFS_PARTITION_MINIMUM | LCPFS_PARTITION_MAXIMUM))
		return -EINVAL;
	switch (change->operation) {
	case LCPFS_PARTITION_CREATE:
		wanted.operation = CORE_PARTITION_CREATE;
		break;
	case LCPFS_PARTITION_DESTROY:
		wanted.operation = CORE_PARTITION_DESTROY;
		break;
	case LCPFS_PARTITION_SET:
		wanted.operation = CORE_PARTITION_SET;
		break;
	case LCPFS_PARTITION_MODE:
		if (change->mode > CORE_PARTITION_AUTO)
			return -EINVAL;
		core_partitions_set_mode(pool->core, change->mode);
		return 0;
	default:
		return -EINVAL;
	}
	return core_partition_do(pool->core, &wanted, change->message);
}

long lcpfs_partition_change(void __user *argument)
{
	struct lcpfs_ioctl_partition_change *change = memdup_user(argument, sizeof(*change));
	struct lcpfs_pool *pool;
	long error;

	if (IS_ERR(change))
		return PTR_ERR(change);
	memset(change->message, 0, sizeof(change->message));
	error = strnlen(change->name, sizeof(change->name)) == sizeof(change->name) ||
		strnlen(change->new_name, sizeof(change->new_name)) == sizeof(change->new_name) ? -ENAMETOOLONG : 0;
	pool = error ? NULL : lcpfs_pool_find(change->pool_guid);
	if (!error)
		error = pool ? mutex_lock_killable(&pool->dataset_lock) : -ENODEV;
	if (!error) {
		error = lcpfs_partition_do(pool, change);
		mutex_unlock(&pool->dataset_lock);
		if (copy_to_user(argument, change, sizeof(*change)))
			error = -EFAULT;
	}
	if (pool)
		lcpfs_pool_put(pool);
	kfree(change);
	return error;
}

static void lcpfs_partition_decision_fill(struct lcpfs_ioctl_partition_decision *out, const struct core_partition_decision *from)
{
	out->number = from->number;
	out->time_s = from->time_s;
	out->partition = from->partition;
	out->other = from->other;
	out->action = from->action;
	out->reason = from->reason;
	out->result = from->result;
	out->metaslabs = from->metaslabs;
	out->size_before = from->size_before * CORE_BLOCK_SIZE;
	out->size_after = from->size_after * CORE_BLOCK_SIZE;
	out->used = from->used * CORE_BLOCK_SIZE;
	out->pressure = from->pressure;
	out->threshold = from->threshold;
	out->benefit = from->benefit;
	out->uncertainty = from->uncertainty;
	out->epsilon_before = from->epsilon_before;
	out->epsilon_expected = from->epsilon_expected;
	out->epsilon_after = from->epsilon_after;
	out->improvement = from->improvement;
}

long lcpfs_partition_decision(void __user *argument)
{
	struct lcpfs_ioctl_partition_decision decision;
	struct core_partition_decision found;
	struct lcpfs_pool *pool;
	long error;

	if (copy_from_user(&decision, argument, sizeof(decision)))
		return -EFAULT;
	pool = lcpfs_pool_find(decision.pool_guid);
	if (!pool)
		return -ENODEV;
	error = core_partition_decision_get(pool->core, decision.number, &found);
	lcpfs_pool_put(pool);
	if (error)
		return error;
	lcpfs_partition_decision_fill(&decision, &found);
	return copy_to_user(argument, &decision, sizeof(decision)) ? -EFAULT : 0;
}
