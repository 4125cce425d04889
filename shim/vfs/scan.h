/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scan.h: the devices that were made known to us, so that naming one device of a pool mounts it whole.
 */
#ifndef LCPFS_SCAN_H
#define LCPFS_SCAN_H

#include <linux/types.h>

struct core_label;

int lcpfs_scan_init(void);
void lcpfs_scan_exit(void);

/*
 * Gives the paths of the known devices of a pool, at most `limit`, each to be freed with kfree. How many
 * there are, or -ENOMEM. Sleepable.
 */
int lcpfs_scan_paths(const u8 pool_guid[16], char **paths, unsigned int limit);

/* Reads the labels of the device at `path` without claiming it. */
int lcpfs_scan_read_label(const char *path, struct core_label *label, bool quiet);

#endif
