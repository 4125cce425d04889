/* SPDX-License-Identifier: GPL-2.0-only */
/* sysfs.h: /sys/fs/lcpfs/<pool GUID>/, while a pool is started. One value per file; what they are: sysfs.c. */
#ifndef LCPFS_SYSFS_H
#define LCPFS_SYSFS_H

#include <linux/sysfs.h>
#include <linux/types.h>

struct core_pool;
struct kobject;
struct lcpfs_sysfs;
struct lcpfs_sysfs_datasets;

/* A file of a pool's directory. */
struct lcpfs_attribute {
	struct attribute attribute;
	ssize_t (*show)(struct core_pool *core, const struct lcpfs_attribute *attribute, char *page);
	int (*store)(struct core_pool *core, const struct lcpfs_attribute *attribute, u64 value); /* may be NULL */
};

extern const struct attribute_group lcpfs_partition_group; /* sysfs_partition.c */
extern const struct attribute_group lcpfs_log_group; /* sysfs_log.c */

int lcpfs_sysfs_init(void);
void lcpfs_sysfs_exit(void);

/* NULL when there is no memory; a pool does without. */
struct lcpfs_sysfs *lcpfs_sysfs_add(struct core_pool *core, const u8 guid[16]);
/* Returns when nobody reads any more: the pool can be closed. NULL allowed. */
void lcpfs_sysfs_remove(struct lcpfs_sysfs *sysfs);

/* Its state may have changed, or something was told the log: a change uevent says so. NULL allowed. Sleepable. */
void lcpfs_sysfs_changed(struct lcpfs_sysfs *sysfs);

/* A dataset was made, renamed or destroyed. NULL allowed; one at a time. */
void lcpfs_sysfs_datasets_changed(struct lcpfs_sysfs *sysfs);

/* sysfs_dataset.c; NULL when there is no memory. */
struct lcpfs_sysfs_datasets *lcpfs_sysfs_add_datasets(struct kobject *pool, struct core_pool *core);
void lcpfs_sysfs_update_datasets(struct lcpfs_sysfs_datasets *datasets);
void lcpfs_sysfs_remove_datasets(struct lcpfs_sysfs_datasets *datasets);

#endif
