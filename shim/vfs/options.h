/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * options.h: the mount options, parsed. Those of a mounted superblock are changed only by remount, under
 * s_umount; show_options and durable.c read single words of them.
 *
 * errors=, txg_interval= and no_path_timeout= are the whole pool's: the mount that starts it sets them, a further one of another
 * dataset and every remount those that it names. sync=, logbias=, compression= and checksum= are the superblock's; not named, they are
 * what the dataset's properties say, and follow these.
 */
#ifndef LCPFS_OPTIONS_H
#define LCPFS_OPTIONS_H

#include <linux/fs_context.h>
#include <linux/seq_file.h>

#include "core/api/core.h"

#define LCPFS_TXG_INTERVAL_DEFAULT 5
#define LCPFS_TXG_INTERVAL_MAX 30
#define LCPFS_NO_PATH_TIMEOUT_DEFAULT 30
#define LCPFS_NO_PATH_TIMEOUT_MAX 86400

enum lcpfs_sync_mode { LCPFS_SYNC_STANDARD, LCPFS_SYNC_ALWAYS, LCPFS_SYNC_DISABLED };      /* durable.c */
enum lcpfs_log_bias { LCPFS_LOG_BIAS_LATENCY, LCPFS_LOG_BIAS_THROUGHPUT };                  /* writeback.c */

/* Named, rather than left as they are. */
enum {
	LCPFS_NAMED_ERRORS = 1, LCPFS_NAMED_TXG_INTERVAL = 2, LCPFS_NAMED_NO_PATH_TIMEOUT = 4, LCPFS_NAMED_SYNC = 8,
	LCPFS_NAMED_LOG_BIAS = 16, LCPFS_NAMED_DISCARD = 32, LCPFS_NAMED_PARTITION_MODE = 64,
	LCPFS_NAMED_COMPRESSION = 128, LCPFS_NAMED_CHECKSUM = 256,
};

struct lcpfs_options {
	unsigned int named;                   /* LCPFS_NAMED_* */
	char *dataset;                        /* NULL: the default one */
	char *devices[CORE_MAX_DEVICES];      /* device=, in the order given */
	unsigned int device_count;
	enum core_errors_policy errors;
	unsigned int txg_interval;            /* seconds */
	int no_path_timeout;                  /* seconds; -1: for ever */
	bool discard;                         /* what is freed is told to the devices */
	enum core_partition_mode partition_mode; /* set when it is named; lcpfs partition mode changes it too */
	enum lcpfs_sync_mode sync;
	enum lcpfs_log_bias log_bias;
	unsigned int compression;             /* core_compression */
	enum core_checksum checksum;
	bool no_recovery;                     /* norecovery: with ro, what was committed */
	bool discard_log;                     /* recover=discard-log */
};

static inline s64 lcpfs_options_no_path_ms(const struct lcpfs_options *options)
{
	return options->no_path_timeout < 0 ? -1 : options->no_path_timeout * 1000ll;
}

void lcpfs_options_init(struct lcpfs_options *options);
void lcpfs_options_destroy(struct lcpfs_options *options);
/* All options of a mount(2), as one string, to the context's parse_param one by one. */
int lcpfs_options_parse_string(struct fs_context *context, void *data);
/* One option; unknown ones are refused by name. */
int lcpfs_options_parse(struct fs_context *context, struct lcpfs_options *options, struct fs_parameter *parameter);
/* Whether a remount of `dataset` may go from `from` to `to`; says by name what it may not change. */
int lcpfs_options_check_change(struct fs_context *context, const struct lcpfs_options *from,
			       const struct lcpfs_options *to, const char *dataset);
/* Takes over what `from` names of the pool's options. */
void lcpfs_options_take_pool(struct lcpfs_options *to, const struct lcpfs_options *from);
/* What it does not name of the dataset's properties is as they say. */
void lcpfs_options_take_dataset(struct lcpfs_options *to, const struct core_dataset_info *info);
/* Tells the core how the mounted dataset is to be written. */
int lcpfs_options_use(struct fs_context *context, const struct lcpfs_options *options, struct core_dataset *dataset);
/* Says in the kernel log what sync=disabled means, where it was not so before. */
void lcpfs_options_warn(const char *pool, enum lcpfs_sync_mode before, enum lcpfs_sync_mode now);
void lcpfs_options_show(struct seq_file *out, const struct lcpfs_options *options, const struct lcpfs_options *pool,
			const struct core_dataset_info *dataset);

#endif
