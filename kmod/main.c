// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c: entry and exit of lcpfs.ko. Nothing is decided here: the sysfs directory, the control device and the
 * filesystem type are registered in this order, so that a device can be made known as soon as a mount can ask for
 * it, and removed in the opposite one. While anything is mounted or the control device is open the
 * module is in use and cannot go.
 */
#include <linux/init.h>
#include <linux/module.h>

#include "shim/host/host_module.h"
#include "shim/vfs/scan.h"
#include "shim/vfs/super.h"
#include "shim/vfs/sysfs.h"

static int __init lcpfs_init(void)
{
	int error;

	host_checksum_start();
	error = host_bios_start();
	if (error)
		return error;
	error = host_kept_start();
	if (error)
		goto end_bios;
	error = lcpfs_sysfs_init();
	if (error)
		goto stop_kept;
	error = lcpfs_scan_init();
	if (error)
		goto exit_sysfs;
	error = lcpfs_super_init();
	if (error)
		goto exit_scan;
	return 0;

exit_scan:
	lcpfs_scan_exit();
exit_sysfs:
	lcpfs_sysfs_exit();
stop_kept:
	host_kept_stop();
end_bios:
	host_bios_end();
	return error;
}

static void __exit lcpfs_exit(void)
{
	lcpfs_super_exit();
	lcpfs_scan_exit();
	lcpfs_sysfs_exit();
	host_workqueues_end();
	host_kept_stop();
	host_slabs_destroy();
	host_bios_end();
}

module_init(lcpfs_init);
module_exit(lcpfs_exit);

MODULE_DESCRIPTION("lcpfs: copy-on-write checksummed filesystem");
MODULE_AUTHOR("The lcpfs authors");
MODULE_LICENSE("GPL");
MODULE_ALIAS_FS("lcpfs");
MODULE_ALIAS("devname:lcpfs-control");
MODULE_SOFTDEP("pre: crc32c");
