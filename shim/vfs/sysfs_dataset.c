// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysfs_dataset.c: /sys/fs/lcpfs/<pool GUID>/datasets/<name>/, each dataset of a started pool but those being destroyed. One value
 * per file, read-only: id, objects, used_bytes (file data), sync, logbias, compression and checksum (the properties), mounted (0 or 1).
 *
 * A directory is known by its dataset's id, so that what is read is that dataset's, whatever it is called. They are brought in
 * line with the core by lcpfs_sysfs_update_datasets, when the pool starts and after each change of a dataset; calls do not
 * overlap (pool->dataset_lock).
 */
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "core/api/core.h"
#include "shim/vfs/sysfs.h"

struct lcpfs_sysfs_datasets {
	struct kobject *directory;
	struct core_pool *core;
	struct list_head list;
};

struct lcpfs_sysfs_dataset {
	struct kobject kobject;
	struct list_head node;
	struct core_pool *core;
	u64 id;
	bool is_seen;
};

enum lcpfs_dataset_file { FILE_ID, FILE_OBJECTS, FILE_USED, FILE_SYNC, FILE_LOG_BIAS, FILE_COMPRESSION, FILE_CHECKSUM, FILE_MOUNTED };
struct lcpfs_dataset_attribute {
	struct attribute attribute;
	enum lcpfs_dataset_file file;
};

static ssize_t lcpfs_dataset_show(struct kobject *kobject, struct attribute *attribute, char *page)
{
	static const char *const sync_words[] = { "standard", "always", "disabled" };
	static const char *const log_bias_words[] = { "latency", "throughput" };
	static const char *const checksum_words[] = { "default", "crc32c", "xxh64", "sha256" };
	struct lcpfs_sysfs_dataset *dataset = container_of(kobject, struct lcpfs_sysfs_dataset, kobject);
	struct core_dataset_info info;

	if (core_dataset_next(dataset->core, dataset->id, &info) || info.id != dataset->id)
		return -ENODEV;
	switch (container_of(attribute, struct lcpfs_dataset_attribute, attribute)->file) {
	case FILE_ID:
		return sysfs_emit(page, "%llu\n", info.id);
	case FILE_OBJECTS:
		return sysfs_emit(page, "%llu\n", info.objects);
	case FILE_USED:
		return sysfs_emit(page, "%llu\n", info.used_blocks * CORE_BLOCK_SIZE);
	case FILE_SYNC:
		return sysfs_emit(page, "%s\n", sync_words[info.sync]);
	case FILE_LOG_BIAS:
		return sysfs_emit(page, "%s\n", log_bias_words[info.log_bias]);
	case FILE_COMPRESSION:
		if (info.compression > CORE_COMPRESSION_LZ4)
			return sysfs_emit(page, "zstd:%u\n", info.compression - CORE_COMPRESSION_LZ4);
		return sysfs_emit(page, "%s\n", info.compression ? "lz4" : "off");
	case FILE_CHECKSUM:
		return sysfs_emit(page, "%s\n", checksum_words[info.checksum]);
	case FILE_MOUNTED:
		return sysfs_emit(page, "%u\n", info.users != 0);
	}
	return -EINVAL;
}

#define LCPFS_DATASET_FILE(file_name, which)                                                   \
	static struct lcpfs_dataset_attribute lcpfs_dataset_##file_name = {                     \
		.attribute = { .name = #file_name, .mode = 0444 }, .file = which,              \
	}
LCPFS_DATASET_FILE(id, FILE_ID);
LCPFS_DATASET_FILE(objects, FILE_OBJECTS);
LCPFS_DATASET_FILE(used_bytes, FILE_USED);
LCPFS_DATASET_FILE(sync, FILE_SYNC);
LCPFS_DATASET_FILE(logbias, FILE_LOG_BIAS);
LCPFS_DATASET_FILE(compression, FILE_COMPRESSION);
LCPFS_DATASET_FILE(checksum, FILE_CHECKSUM);
LCPFS_DATASET_FILE(mounted, FILE_MOUNTED);
static struct attribute *lcpfs_dataset_attrs[] = {
	&lcpfs_dataset_id.attribute, &lcpfs_dataset_objects.attribute, &lcpfs_dataset_used_bytes.attribute,
	&lcpfs_dataset_sync.attribute, &lcpfs_dataset_logbias.attribute, &lcpfs_dataset_compression.attribute,
	&lcpfs_dataset_checksum.attribute, &lcpfs_dataset_mounted.attribute, NULL,
};
ATTRIBUTE_GROUPS(lcpfs_dataset);

static void lcpfs_dataset_release(struct kobject *kobject)
{
	kfree(container_of(kobject, struct lcpfs_sysfs_dataset, kobject));
}

static const struct sysfs_ops lcpfs_dataset_operations = { .show = lcpfs_dataset_show };
static const struct kobj_type lcpfs_dataset_type = {
	.release = lcpfs_dataset_release,
	.sysfs_ops = &lcpfs_dataset_operations,
	.default_groups = lcpfs_dataset_groups,
};

static struct lcpfs_sysfs_dataset *lcpfs_dataset_find(struct lcpfs_sysfs_datasets *all, u64 id)
{
	struct lcpfs_sysfs_dataset *dataset;

	list_for_each_entry(dataset, &all->list, node)
		if (dataset->id == id)
			return dataset;
	return NULL;
}

static void lcpfs_dataset_remove(struct lcpfs_sysfs_dataset *dataset)
{
	list_del(&dataset->node);
	kobject_del(&dataset->kobject);
	kobject_put(&dataset->kobject);
}

/* Without memory there is no directory of it; the dataset does without. */
static void lcpfs_dataset_add(struct lcpfs_sysfs_datasets *all, const struct core_dataset_info *info)
{
	struct lcpfs_sysfs_dataset *dataset = kzalloc(sizeof(*dataset), GFP_KERNEL);

	if (!dataset)
		return;
	dataset->core = all->core;
	dataset->id = info->id;
	dataset->is_seen = true;
	if (kobject_init_and_add(&dataset->kobject, &lcpfs_dataset_type, all->directory, "%s", info->name)) {
		kobject_put(&dataset->kobject);
		return;
	}
	list_add(&dataset->node, &all->list);
}

void lcpfs_sysfs_update_datasets(struct lcpfs_sysfs_datasets *all)
{
	struct lcpfs_sysfs_dataset *dataset, *next;
	struct core_dataset_info info;
	u64 id;

	if (!all)
		return;
	list_for_each_entry(dataset, &all->list, node)
		dataset->is_seen = false;
	for (id = 0; core_dataset_next(all->core, id, &info) == 0; id = info.id + 1) {
		dataset = info.is_destroying ? NULL : lcpfs_dataset_find(all, info.id);
		if (dataset)
			dataset->is_seen = true;
	}
	/* First what is gone, whose name another may have now. */
	list_for_each_entry_safe(dataset, next, &all->list, node)
		if (!dataset->is_seen)
			lcpfs_dataset_remove(dataset);
	for (id = 0; core_dataset_next(all->core, id, &info) == 0; id = info.id + 1) {
		if (info.is_destroying || !info.name[0])
			continue;
		dataset = lcpfs_dataset_find(all, info.id);
		if (!dataset)
			lcpfs_dataset_add(all, &info);
		else if (strcmp(kobject_name(&dataset->kobject), info.name) && kobject_rename(&dataset->kobject, info.name))
			lcpfs_dataset_remove(dataset);
	}
}

struct lcpfs_sysfs_datasets *lcpfs_sysfs_add_datasets(struct kobject *pool, struct core_pool *core)
{
	struct lcpfs_sysfs_datasets *all = kzalloc(sizeof(*all), GFP_KERNEL);

	if (!all)
		return NULL;
	INIT_LIST_HEAD(&all->list);
	all->core = core;
	all->directory = kobject_create_and_add("datasets", pool);
	if (!all->directory) {
		kfree(all);
		return NULL;
	}
	lcpfs_sysfs_update_datasets(all);
	return all;
}

void lcpfs_sysfs_remove_datasets(struct lcpfs_sysfs_datasets *all)
{
	struct lcpfs_sysfs_dataset *dataset, *next;

	if (!all)
		return;
	list_for_each_entry_safe(dataset, next, &all->list, node)
		lcpfs_dataset_remove(dataset);
	kobject_del(all->directory);
	kobject_put(all->directory);
	kfree(all);
}
