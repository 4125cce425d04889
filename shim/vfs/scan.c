// SPDX-License-Identifier: GPL-2.0-only
/*
 * scan.c: /dev/lcpfs-control and the devices it was told of.
 *
 * Only paths are remembered, under the GUIDs found in the labels at the time: a device is not held open, may
 * go and come back as another one, and whoever mounts opens it and reads its labels again. One entry per
 * device GUID and path; a path that now shows another device replaces what it showed before.
 *
 * Locking: `lcpfs_scan_lock` over the list, held only for memory operations, never over I/O. Both ioctls need
 * CAP_SYS_ADMIN: they decide what a mount opens.
 */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "core/api/core.h"
#include "shim/host/host_bdev.h"
#include "shim/vfs/ioctl_abi.h"
#include "shim/vfs/dataset.h"
#include "shim/vfs/event.h"
#include "shim/vfs/partition.h"
#include "shim/vfs/path.h"
#include "shim/vfs/scan.h"

struct lcpfs_known_device {
	struct list_head node;
	u8 pool_guid[16];
	u8 device_guid[16];
	char *path;
};

static DEFINE_MUTEX(lcpfs_scan_lock);
static LIST_HEAD(lcpfs_scan_list);

static void lcpfs_scan_free(struct lcpfs_known_device *known)
{
	list_del(&known->node);
	kfree(known->path);
	kfree(known);
}

int lcpfs_scan_read_label(const char *path, struct core_label *label, bool quiet)
{
	struct host_bdev *bdev = host_bdev_open(path, false, NULL);
	int error;

	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	error = core_read_label(bdev, label, quiet);
	host_bdev_close(bdev);
	return error;
}

static int lcpfs_scan_remember(const char *path, const struct core_label *label)
{
	struct lcpfs_known_device *known, *next, *fresh;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		return -ENOMEM;
	fresh->path = kstrdup(path, GFP_KERNEL);
	if (!fresh->path) {
		kfree(fresh);
		return -ENOMEM;
	}
	memcpy(fresh->pool_guid, label->pool_guid, 16);
	memcpy(fresh->device_guid, label->device_guid, 16);

	mutex_lock(&lcpfs_scan_lock);
	list_for_each_entry_safe(known, next, &lcpfs_scan_list, node)
		if (!strcmp(known->path, path))
			lcpfs_scan_free(known);
	list_add_tail(&fresh->node, &lcpfs_scan_list);
	mutex_unlock(&lcpfs_scan_lock);
	return 0;
}

/* Forgets one path, or with "" all. */
static int lcpfs_scan_forget(const char *path)
{
	struct lcpfs_known_device *known, *next;
	int error = *path ? -ENOENT : 0;

	mutex_lock(&lcpfs_scan_lock);
	list_for_each_entry_safe(known, next, &lcpfs_scan_list, node) {
		if (*path && strcmp(known->path, path))
			continue;
		lcpfs_scan_free(known);
		error = 0;
	}
	mutex_unlock(&lcpfs_scan_lock);
	return error;
}

int lcpfs_scan_paths(const u8 pool_guid[16], char **paths, unsigned int limit)
{
	struct lcpfs_known_device *known;
	unsigned int count = 0;
	int error = 0;

	mutex_lock(&lcpfs_scan_lock);
	list_for_each_entry(known, &lcpfs_scan_list, node) {
		if (count == limit || memcmp(known->pool_guid, pool_guid, 16))
			continue;
		paths[count] = kstrdup(known->path, GFP_KERNEL);
		if (!paths[count]) {
			error = -ENOMEM;
			break;
		}
		count++;
	}
	mutex_unlock(&lcpfs_scan_lock);
	if (error)
		while (count)
			kfree(paths[--count]);
	return error ?: (int)count;
}

static long lcpfs_scan_one(struct lcpfs_ioctl_scan *request)
{
	struct core_label label;
	int error;

	error = lcpfs_scan_read_label(request->path, &label, true);
	if (error)
		return error;
	error = lcpfs_scan_remember(request->path, &label);
	if (error)
		return error;
	memcpy(request->pool_guid, label.pool_guid, 16);
	memcpy(request->device_guid, label.device_guid, 16);
	request->device_index = label.device_index;
	request->device_count = label.device_count;
	strscpy(request->pool_name, label.name, sizeof(request->pool_name));
	return 0;
}

static long lcpfs_control_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct lcpfs_ioctl_scan __user *user = (struct lcpfs_ioctl_scan __user *)argument;
	struct lcpfs_ioctl_scan *request;
	long error;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch (command) {
	case LCPFS_IOCTL_PATH_GET:
		return lcpfs_path_get(user);
	case LCPFS_IOCTL_PATH_CHANGE:
		return lcpfs_path_change(user);
	case LCPFS_IOCTL_DATASET_GET:
		return lcpfs_dataset_get(user);
	case LCPFS_IOCTL_DATASET_CHANGE:
		return lcpfs_dataset_change(user);
	case LCPFS_IOCTL_EVENT_GET:
		return lcpfs_event_get(user);
	case LCPFS_IOCTL_PARTITION_GET:
		return lcpfs_partition_get(user);
	case LCPFS_IOCTL_PARTITION_CHANGE:
		return lcpfs_partition_change(user);
	case LCPFS_IOCTL_PARTITION_DECISION:
		return lcpfs_partition_decision(user);
	case LCPFS_IOCTL_SCAN:
	case LCPFS_IOCTL_FORGET:
		break;
	default:
		return -ENOTTY;
	}
	request = memdup_user(user, sizeof(*request));
	if (IS_ERR(request))
		return PTR_ERR(request);
	request->path[sizeof(request->path) - 1] = 0;

	if (command == LCPFS_IOCTL_SCAN) {
		error = lcpfs_scan_one(request);
		if (!error && copy_to_user(user, request, sizeof(*request)))
			error = -EFAULT;
	} else {
		error = lcpfs_scan_forget(request->path);
	}
	kfree(request);
	return error;
}

static const struct file_operations lcpfs_control_operations = {
	.owner = THIS_MODULE,
	.open = nonseekable_open,
	.unlocked_ioctl = lcpfs_control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice lcpfs_control_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = LCPFS_CONTROL_NAME,
	.fops = &lcpfs_control_operations,
	.mode = 0600,
};

int lcpfs_scan_init(void)
{
	return misc_register(&lcpfs_control_device);
}

void lcpfs_scan_exit(void)
{
	misc_deregister(&lcpfs_control_device);
	lcpfs_scan_forget("");
}
