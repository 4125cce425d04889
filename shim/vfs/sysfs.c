// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysfs.c: a pool seen from outside, /sys/fs/lcpfs/<pool GUID>/:
 *
 *   name state group objects devices     state: active, read-only or frozen; group: the last committed one
 *   seconds     since it was mounted first
 *   log_device  none, active, failed (the log is in the pool until the next mount), missing, unused, or degraded (of several
 *               some have failed or are missing)
 *   space/      total, free, available and reserved bytes
 *   caches/     metadata nodes and bytes in memory, and how many of the nodes are dirty
 *   counters/   since the pool was started: commits, nodes, data, device I/O, errors, repairs
 *   log/        the intent log, see sysfs_log.c
 *   datasets/   each dataset, see sysfs_dataset.c
 *   tunables/   what can be changed; 0644
 *
 * The rest of what is here comes from one core_pool_status and is read-only. The directory is its own object, not
 * part of the pool: removing it waits for readers and writers, after which the pool may go at once.
 */
#include <linux/fs.h>
#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "core/api/core.h"
#include "shim/vfs/sysfs.h"

struct lcpfs_sysfs {
	struct kobject kobject;
	struct core_pool *core;
	struct lcpfs_sysfs_datasets *datasets; /* may be NULL */
};

struct lcpfs_status_attribute {
	struct lcpfs_attribute common;
	size_t offset;    /* of a u64 in core_pool_status */
	u32 unit;         /* bytes of one */
	ssize_t (*text)(const struct core_pool_status *status, char *page);
};

static struct kset *lcpfs_kset;

static ssize_t lcpfs_show_name(const struct core_pool_status *status, char *page)
{
	return sysfs_emit(page, "%s\n", status->name);
}

static const char *lcpfs_state_word(const struct core_pool_status *status)
{
	return status->frozen ? "frozen" : status->read_only ? "read-only" : "active";
}

static ssize_t lcpfs_show_state(const struct core_pool_status *status, char *page)
{
	return sysfs_emit(page, "%s\n", lcpfs_state_word(status));
}

static ssize_t lcpfs_show_devices(const struct core_pool_status *status, char *page)
{
	return sysfs_emit(page, "%u\n", status->device_count);
}

static ssize_t lcpfs_show_log_device(const struct core_pool_status *status, char *page)
{
	static const char *const words[] = { "none", "active", "failed", "missing", "unused", "degraded" };

	return sysfs_emit(page, "%s\n", words[status->log_device]);
}

static ssize_t lcpfs_show_status(struct core_pool *core, const struct lcpfs_attribute *attribute, char *page)
{
	const struct lcpfs_status_attribute *what = container_of(attribute, struct lcpfs_status_attribute, common);
	struct core_pool_status status;
	u64 value;

	core_pool_get_status(core, &status);
	if (what->text)
		return what->text(&status, page);
	memcpy(&value, (const char *)&status + what->offset, sizeof(value));
	return sysfs_emit(page, "%llu\n", value * what->unit);
}

#define LCPFS_COMMON(file) .common = { .attribute = { .name = #file, .mode = 0444 }, .show = lcpfs_show_status }
#define LCPFS_TEXT(file)                                                          \
	static struct lcpfs_status_attribute lcpfs_attribute_##file = {           \
		LCPFS_COMMON(file), .text = lcpfs_show_##file,                    \
	}
#define LCPFS_NUMBER(file, field, bytes)                                          \
	static struct lcpfs_status_attribute lcpfs_attribute_##file = {           \
		LCPFS_COMMON(file), .offset = offsetof(struct core_pool_status, field), .unit = bytes, \
	}
#define LCPFS_ATTRIBUTE(file) &lcpfs_attribute_##file.common.attribute

LCPFS_TEXT(name);
LCPFS_TEXT(state);
LCPFS_TEXT(devices);
LCPFS_TEXT(log_device);
LCPFS_NUMBER(group, committed_txg, 1);
LCPFS_NUMBER(objects, objects, 1);
LCPFS_NUMBER(seconds, open_seconds, 1);
static struct attribute *lcpfs_pool_attrs[] = {
	LCPFS_ATTRIBUTE(name), LCPFS_ATTRIBUTE(state), LCPFS_ATTRIBUTE(devices), LCPFS_ATTRIBUTE(group),
	LCPFS_ATTRIBUTE(objects), LCPFS_ATTRIBUTE(log_device), LCPFS_ATTRIBUTE(seconds), NULL,
};
static const struct attribute_group lcpfs_pool_group = { .attrs = lcpfs_pool_attrs };

LCPFS_NUMBER(total_bytes, total_blocks, CORE_BLOCK_SIZE);
LCPFS_NUMBER(free_bytes, free_blocks, CORE_BLOCK_SIZE);
LCPFS_NUMBER(available_bytes, available_blocks, CORE_BLOCK_SIZE);
LCPFS_NUMBER(reserved_bytes, reserved_blocks, CORE_BLOCK_SIZE);
static struct attribute *lcpfs_space_attrs[] = {
	LCPFS_ATTRIBUTE(total_bytes), LCPFS_ATTRIBUTE(free_bytes), LCPFS_ATTRIBUTE(available_bytes),
	LCPFS_ATTRIBUTE(reserved_bytes), NULL,
};
static const struct attribute_group lcpfs_space_group = { .name = "space", .attrs = lcpfs_space_attrs };

LCPFS_NUMBER(metadata_nodes, cached_nodes, 1);
LCPFS_NUMBER(metadata_bytes, cached_bytes, 1);
LCPFS_NUMBER(metadata_dirty_nodes, dirty_nodes, 1);
static struct attribute *lcpfs_caches_attrs[] = {
	LCPFS_ATTRIBUTE(metadata_nodes), LCPFS_ATTRIBUTE(metadata_bytes), LCPFS_ATTRIBUTE(metadata_dirty_nodes), NULL,
};
static const struct attribute_group lcpfs_caches_group = { .name = "caches", .attrs = lcpfs_caches_attrs };

static ssize_t lcpfs_show_dirty_limit(struct core_pool *core, const struct lcpfs_attribute *attribute, char *page)
{
	return sysfs_emit(page, "%llu\n", core_pool_dirty_limit(core));
}

static int lcpfs_store_dirty_limit(struct core_pool *core, const struct lcpfs_attribute *attribute, u64 value)
{
	return core_pool_set_dirty_limit(core, value);
}

static struct lcpfs_attribute lcpfs_dirty_limit = {
	.attribute = { .name = "dirty_limit_bytes", .mode = 0644 },
	.show = lcpfs_show_dirty_limit,
	.store = lcpfs_store_dirty_limit,
};

static ssize_t lcpfs_show_cache_limit(struct core_pool *core, const struct lcpfs_attribute *attribute, char *page)
{
	return sysfs_emit(page, "%llu\n", core_pool_cache_limit(core));
}

static int lcpfs_store_cache_limit(struct core_pool *core, const struct lcpfs_attribute *attribute, u64 value)
{
	return core_pool_set_cache_limit(core, value);
}

static struct lcpfs_attribute lcpfs_cache_limit = {
	.attribute = { .name = "cache_limit_bytes", .mode = 0644 },
	.show = lcpfs_show_cache_limit,
	.store = lcpfs_store_cache_limit,
};
static struct attribute *lcpfs_tunables_attrs[] = { &lcpfs_dirty_limit.attribute, &lcpfs_cache_limit.attribute, NULL };
static const struct attribute_group lcpfs_tunables_group = { .name = "tunables", .attrs = lcpfs_tunables_attrs };

LCPFS_NUMBER(commits, txg_commits, 1);
LCPFS_NUMBER(node_reads, node_reads, 1);
LCPFS_NUMBER(node_writes, node_writes, 1);
LCPFS_NUMBER(data_read_bytes, data_reads_blocks, CORE_BLOCK_SIZE);
LCPFS_NUMBER(data_written_bytes, data_writes_blocks, CORE_BLOCK_SIZE);
LCPFS_NUMBER(device_reads, device_reads, 1);
LCPFS_NUMBER(device_writes, device_writes, 1);
LCPFS_NUMBER(device_flushes, device_flushes, 1);
LCPFS_NUMBER(discarded_bytes, discarded_bytes, 1);
LCPFS_NUMBER(checksum_errors, checksum_errors, 1);
LCPFS_NUMBER(io_errors, io_errors, 1);
LCPFS_NUMBER(repaired_bytes, repaired_blocks, CORE_BLOCK_SIZE);
static struct attribute *lcpfs_counters_attrs[] = {
	LCPFS_ATTRIBUTE(commits), LCPFS_ATTRIBUTE(node_reads), LCPFS_ATTRIBUTE(node_writes),
	LCPFS_ATTRIBUTE(data_read_bytes), LCPFS_ATTRIBUTE(data_written_bytes), LCPFS_ATTRIBUTE(device_reads),
	LCPFS_ATTRIBUTE(device_writes), LCPFS_ATTRIBUTE(device_flushes), LCPFS_ATTRIBUTE(checksum_errors),
	LCPFS_ATTRIBUTE(discarded_bytes), LCPFS_ATTRIBUTE(io_errors), LCPFS_ATTRIBUTE(repaired_bytes), NULL,
};
static const struct attribute_group lcpfs_counters_group = { .name = "counters", .attrs = lcpfs_counters_attrs };

static const struct attribute_group *lcpfs_groups[] = {
	&lcpfs_pool_group, &lcpfs_space_group, &lcpfs_caches_group, &lcpfs_counters_group, &lcpfs_log_group,
	&lcpfs_partition_group, &lcpfs_tunables_group, NULL,
};

static ssize_t lcpfs_sysfs_show(struct kobject *kobject, struct attribute *attribute, char *page)
{
	struct lcpfs_sysfs *sysfs = container_of(kobject, struct lcpfs_sysfs, kobject);
	const struct lcpfs_attribute *what = container_of(attribute, struct lcpfs_attribute, attribute);

	return what->show ? what->show(sysfs->core, what, page) : -EIO;
}

static ssize_t lcpfs_sysfs_store(struct kobject *kobject, struct attribute *attribute, const char *page, size_t length)
{
	struct lcpfs_sysfs *sysfs = container_of(kobject, struct lcpfs_sysfs, kobject);
	const struct lcpfs_attribute *what = container_of(attribute, struct lcpfs_attribute, attribute);
	u64 value;
	int error;

	if (!what->store)
		return -EIO;
	error = kstrtou64(page, 0, &value);
	if (!error)
		error = what->store(sysfs->core, what, value);
	return error ?: (ssize_t)length;
}

static void lcpfs_sysfs_release(struct kobject *kobject)
{
	kfree(container_of(kobject, struct lcpfs_sysfs, kobject));
}

static const struct sysfs_ops lcpfs_sysfs_operations = {
	.show = lcpfs_sysfs_show,
	.store = lcpfs_sysfs_store,
};

static const struct kobj_type lcpfs_sysfs_type = {
	.release = lcpfs_sysfs_release,
	.sysfs_ops = &lcpfs_sysfs_operations,
	.default_groups = lcpfs_groups,
};

struct lcpfs_sysfs *lcpfs_sysfs_add(struct core_pool *core, const u8 guid[16])
{
	struct lcpfs_sysfs *sysfs = kzalloc(sizeof(*sysfs), GFP_KERNEL);

	if (!sysfs)
		return NULL;
	sysfs->core = core;
	sysfs->kobject.kset = lcpfs_kset;
	if (kobject_init_and_add(&sysfs->kobject, &lcpfs_sysfs_type, NULL, "%pUb", guid)) {
		kobject_put(&sysfs->kobject);
		return NULL;
	}
	sysfs->datasets = lcpfs_sysfs_add_datasets(&sysfs->kobject, core);
	return sysfs;
}

void lcpfs_sysfs_changed(struct lcpfs_sysfs *sysfs)
{
	struct core_pool_status status;
	char name[sizeof(status.name) + 16], state[32];
	char *environment[] = { name, state, NULL };

	if (!sysfs)
		return;
	core_pool_get_status(sysfs->core, &status);
	snprintf(name, sizeof(name), "LCPFS_POOL=%s", status.name);
	snprintf(state, sizeof(state), "LCPFS_STATE=%s", lcpfs_state_word(&status));
	kobject_uevent_env(&sysfs->kobject, KOBJ_CHANGE, environment);
}

void lcpfs_sysfs_remove(struct lcpfs_sysfs *sysfs)
{
	if (!sysfs)
		return;
	lcpfs_sysfs_remove_datasets(sysfs->datasets);
	kobject_del(&sysfs->kobject);
	kobject_put(&sysfs->kobject);
}

void lcpfs_sysfs_datasets_changed(struct lcpfs_sysfs *sysfs)
{
	if (sysfs)
		lcpfs_sysfs_update_datasets(sysfs->datasets);
}

int lcpfs_sysfs_init(void)
{
	lcpfs_kset = kset_create_and_add("lcpfs", NULL, fs_kobj);
	return lcpfs_kset ? 0 : -ENOMEM;
}

void lcpfs_sysfs_exit(void)
{
	kset_unregister(lcpfs_kset);
}
