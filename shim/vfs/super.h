/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * super.h: a mounted dataset.
 */
#ifndef LCPFS_SUPER_H
#define LCPFS_SUPER_H

#include <linux/fs.h>
#include <linux/list.h>

#include "shim/vfs/options.h"
#include "shim/vfs/pool.h"

/* "LCPF" as statfs shows it. */
#define LCPFS_SUPER_MAGIC 0x4650434c

/* Of a file that is read in order; mappings: lcpfs_file_mmap. */
#define LCPFS_READAHEAD_BYTES (1u << 20)

struct lcpfs_super {
	struct lcpfs_pool *pool;
	struct core_dataset *dataset;
	u64 dataset_id;
	bool is_writer;                 /* one of pool->writers; s_umount */
	struct super_block *vfs;        /* NULL until filled */
	struct list_head pool_node;     /* pool->lock */
	struct lcpfs_options options;
};

static inline struct lcpfs_super *lcpfs_super_of(const struct super_block *sb)
{
	return sb->s_fs_info;
}

int lcpfs_super_init(void);
void lcpfs_super_exit(void);

/* The pool turned read-only by itself. Atomic context. */
void lcpfs_super_set_frozen(struct lcpfs_super *super);

#endif
