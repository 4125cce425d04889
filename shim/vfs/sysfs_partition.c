// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysfs_partition.c: /sys/fs/lcpfs/<pool GUID>/partitions/, read-only, one value per file. What each one has and what was decided is for
 * lcpfs partition list and log.
 *
 *   mode               off, advise or auto (mount option partition_mode=, lcpfs partition mode)
 *   count              how many there are
 *   total_bytes        that partitions may have; unassigned_bytes: that none has
 *   epsilon            of the pool: sum of latency (us) x share in use x accesses per second, to three places
 *   moving             1 while a decision has no outcome yet
 *   last_decision      its number; 0: there was none since the pool was started
 */
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/sysfs.h>

#include "core/api/core.h"
#include "shim/vfs/sysfs.h"

struct lcpfs_partition_attribute {
	struct lcpfs_attribute common;
	u64 (*value)(const struct core_partitions *all);
};

static u64 lcpfs_partition_count(const struct core_partitions *all) { return all->count; }
static u64 lcpfs_partition_total(const struct core_partitions *all) { return all->total_blocks * CORE_BLOCK_SIZE; }
static u64 lcpfs_partition_unassigned(const struct core_partitions *all) { return all->unassigned_blocks * CORE_BLOCK_SIZE; }
static u64 lcpfs_partition_moving(const struct core_partitions *all) { return all->is_moving; }
static u64 lcpfs_partition_decision_number(const struct core_partitions *all) { return all->last_decision; }

static ssize_t lcpfs_partition_show_number(struct core_pool *core, const struct lcpfs_attribute *attribute, char *page)
{
	struct core_partitions all;

	core_partitions_get(core, &all);
	return sysfs_emit(page, "%llu\n", container_of(attribute, struct lcpfs_partition_attribute, common)->value(&all));
}

static ssize_t lcpfs_partition_show_mode(struct core_pool *core, const struct lcpfs_attribute *attribute, char *page)
{
	static const char *const names[] = { "off", "advise", "auto" };
	struct core_partitions all;

	core_partitions_get(core, &all);
	return sysfs_emit(page, "%s\n", names[all.mode]);
}

static ssize_t lcpfs_partition_show_epsilon(struct core_pool *core, const struct lcpfs_attribute *attribute, char *page)
{
	struct core_partitions all;
	u32 rest;
	u64 whole;

	core_partitions_get(core, &all);
	whole = div_u64_rem(all.epsilon, 1000, &rest);
	return sysfs_emit(page, "%llu.%03u\n", whole, rest);
}

#define LCPFS_PARTITION_FILE(variable, file, how, what)                                               \
	static struct lcpfs_partition_attribute lcpfs_partition_attribute_##variable = {              \
		.common = { .attribute = { .name = file, .mode = 0444 }, .show = how }, .value = what, \
	}
LCPFS_PARTITION_FILE(mode, "mode", lcpfs_partition_show_mode, NULL);
LCPFS_PARTITION_FILE(count, "count", lcpfs_partition_show_number, lcpfs_partition_count);
LCPFS_PARTITION_FILE(total, "total_bytes", lcpfs_partition_show_number, lcpfs_partition_total);
LCPFS_PARTITION_FILE(unassigned, "unassigned_bytes", lcpfs_partition_show_number, lcpfs_partition_unassigned);
LCPFS_PARTITION_FILE(epsilon, "epsilon", lcpfs_partition_show_epsilon, NULL);
LCPFS_PARTITION_FILE(moving, "moving", lcpfs_partition_show_number, lcpfs_partition_moving);
LCPFS_PARTITION_FILE(decision, "last_decision", lcpfs_partition_show_number, lcpfs_partition_decision_number);

static struct attribute *lcpfs_partition_attrs[] = {
	&lcpfs_partition_attribute_mode.common.attribute, &lcpfs_partition_attribute_count.common.attribute,
	&lcpfs_partition_attribute_total.common.attribute, &lcpfs_partition_attribute_unassigned.common.attribute,
	&lcpfs_partition_attribute_epsilon.common.attribute, &lcpfs_partition_attribute_moving.common.attribute,
	&lcpfs_partition_attribute_decision.common.attribute, NULL,
};
const struct attribute_group lcpfs_partition_group = { .name = "partitions", .attrs = lcpfs_partition_attrs };
