// SPDX-License-Identifier: GPL-2.0-only
/*
 * options.c: mount options: parsing, the rules of changing them, and showing them in /proc/mounts such that
 * what is shown, given again, mounts the same. Only options that do something are known here.
 *
 * sync=. The kernel takes a parameter called "sync" for its own flag of that name, before any filesystem sees it and
 * whatever its value is. mount(2) gives its options as one string, which is ours to take apart: there sync= arrives as
 * sync_mode=, which fsconfig(2) has to use itself. A program that gives fsconfig(2) sync= gets a sync mount, which loses nothing.
 */
#include <linux/fs_parser.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "shim/vfs/options.h"

#define LCPFS_SYNC_KEY "sync_mode"

enum {
	LCPFS_OPT_DATASET, LCPFS_OPT_DEVICE, LCPFS_OPT_ERRORS, LCPFS_OPT_NO_RECOVERY, LCPFS_OPT_RECOVER,
	LCPFS_OPT_DISCARD, LCPFS_OPT_TXG_INTERVAL, LCPFS_OPT_NO_PATH_TIMEOUT, LCPFS_OPT_SYNC, LCPFS_OPT_LOG_BIAS,
	LCPFS_OPT_PARTITION_MODE, LCPFS_OPT_COMPRESSION, LCPFS_OPT_CHECKSUM, LCPFS_OPT_SOURCE,
};

static const struct constant_table lcpfs_errors_values[] = {
	{ "remount-ro", CORE_ERRORS_REMOUNT_RO },
	{ "continue", CORE_ERRORS_CONTINUE },
	{ "panic", CORE_ERRORS_PANIC },
	{}
};

static const char *const lcpfs_sync_names[] = {
	[LCPFS_SYNC_STANDARD] = "standard",
	[LCPFS_SYNC_ALWAYS] = "always",
	[LCPFS_SYNC_DISABLED] = "disabled",
};

static const struct constant_table lcpfs_log_bias_values[] = {
	{ "latency", LCPFS_LOG_BIAS_LATENCY },
	{ "throughput", LCPFS_LOG_BIAS_THROUGHPUT },
	{}
};

static const struct constant_table lcpfs_partition_modes[] = {
	{ "off", CORE_PARTITION_OFF },
	{ "advise", CORE_PARTITION_ADVISE },
	{ "auto", CORE_PARTITION_AUTO },
	{}
};

static const char *const lcpfs_compression_names[] = {
	"off", "lz4", "zstd:1", "zstd:2", "zstd:3", "zstd:4", "zstd:5", "zstd:6", "zstd:7", "zstd:8", "zstd:9", "zstd:10",
	"zstd:11", "zstd:12", "zstd:13", "zstd:14", "zstd:15",
};
static_assert(ARRAY_SIZE(lcpfs_compression_names) == CORE_COMPRESSION_MOST + 1);

static const char *const lcpfs_checksum_names[] = {
	[CORE_CHECKSUM_OF_POOL] = "default",
	[CORE_CHECKSUM_CRC32C] = "crc32c",
	[CORE_CHECKSUM_XXH64] = "xxh64",
	[CORE_CHECKSUM_SHA256] = "sha256",
};

static const struct fs_parameter_spec lcpfs_parameters[] = {
	fsparam_string("compression", LCPFS_OPT_COMPRESSION),
	fsparam_string("checksum", LCPFS_OPT_CHECKSUM),
	fsparam_string("dataset", LCPFS_OPT_DATASET),
	fsparam_string("device", LCPFS_OPT_DEVICE),
	fsparam_flag_no("discard", LCPFS_OPT_DISCARD),
	fsparam_enum("errors", LCPFS_OPT_ERRORS, lcpfs_errors_values),
	fsparam_flag("norecovery", LCPFS_OPT_NO_RECOVERY),
	fsparam_string("recover", LCPFS_OPT_RECOVER),
	fsparam_u32("txg_interval", LCPFS_OPT_TXG_INTERVAL),
	fsparam_s32("no_path_timeout", LCPFS_OPT_NO_PATH_TIMEOUT),
	fsparam_string(LCPFS_SYNC_KEY, LCPFS_OPT_SYNC),
	fsparam_enum("logbias", LCPFS_OPT_LOG_BIAS, lcpfs_log_bias_values),
	fsparam_enum("partition_mode", LCPFS_OPT_PARTITION_MODE, lcpfs_partition_modes),
	fsparam_string("source", LCPFS_OPT_SOURCE),
	{}
};

void lcpfs_options_init(struct lcpfs_options *options)
{
	memset(options, 0, sizeof(*options));
	options->errors = CORE_ERRORS_REMOUNT_RO;
	options->txg_interval = LCPFS_TXG_INTERVAL_DEFAULT;
	options->no_path_timeout = LCPFS_NO_PATH_TIMEOUT_DEFAULT;
}

void lcpfs_options_destroy(struct lcpfs_options *options)
{
	while (options->device_count)
		kfree(options->devices[--options->device_count]);
	kfree(options->dataset);
	options->dataset = NULL;
}

/* With "sync=" turned into "sync_mode=" wherever an option begins. NULL: no memory. */
static char *lcpfs_options_rename_sync(const char *from)
{
	static const char word[] = "sync=", key[] = LCPFS_SYNC_KEY "=";
	size_t bytes = strlen(from) + 1, extra = 0;
	const char *at;
	char *copy, *out;

	for (at = from; (at = strstr(at, word)); at += sizeof(word) - 1)
		extra += sizeof(key) - sizeof(word);
	copy = kmalloc(bytes + extra, GFP_KERNEL);
	for (at = from, out = copy; copy && *at;) {
		if ((at == from || at[-1] == ',') && !strncmp(at, word, sizeof(word) - 1)) {
			memcpy(out, key, sizeof(key) - 1);
			out += sizeof(key) - 1;
			at += sizeof(word) - 1;
		} else {
			*out++ = *at++;
		}
	}
	if (copy)
		*out = 0;
	return copy;
}

int lcpfs_options_parse_string(struct fs_context *context, void *data)
{
	char *copy;
	int error;

	if (!data)
		return 0;
	copy = lcpfs_options_rename_sync(data);
	if (!copy)
		return -ENOMEM;
	error = generic_parse_monolithic(context, copy);
	kfree(copy);
	return error;
}

/* The string of a parameter, taken over; the caller of parse_param frees only what is left. */
static char *lcpfs_options_take(struct fs_parameter *parameter)
{
	char *string = parameter->string;

	parameter->string = NULL;
	return string;
}

static int lcpfs_options_parse_compression(struct fs_context *context, struct lcpfs_options *options, const char *word)
{
	int code = match_string(lcpfs_compression_names, ARRAY_SIZE(lcpfs_compression_names), word);

	if (!strcmp(word, "zstd"))
		code = CORE_COMPRESSION_ZSTD_DEFAULT;
	if (code < 0)
		return invalf(context, "lcpfs: compression= takes off, lz4, zstd or zstd:1 to zstd:15");
	options->compression = code;
	options->named |= LCPFS_NAMED_COMPRESSION;
	return 0;
}

static int lcpfs_options_parse_checksum(struct fs_context *context, struct lcpfs_options *options, const char *word)
{
	int kind = match_string(lcpfs_checksum_names, ARRAY_SIZE(lcpfs_checksum_names), word);

	if (kind <= CORE_CHECKSUM_OF_POOL)
		return invalf(context, "lcpfs: checksum= takes crc32c, xxh64 or sha256");
	options->checksum = kind;
	options->named |= LCPFS_NAMED_CHECKSUM;
	return 0;
}

int lcpfs_options_parse(struct fs_context *context, struct lcpfs_options *options, struct fs_parameter *parameter)
{
	struct fs_parse_result result;
	int option = fs_parse(context, lcpfs_parameters, parameter, &result);
	int mode;

	if (option < 0)
		return option;
	switch (option) {
	case LCPFS_OPT_DATASET:
		if (!*parameter->string)
			return invalf(context, "lcpfs: dataset= needs a name");
		kfree(options->dataset);
		options->dataset = lcpfs_options_take(parameter);
		if (!strcmp(options->dataset, "default")) {
			kfree(options->dataset);
			options->dataset = NULL;
		}
		return 0;
	case LCPFS_OPT_DEVICE:
		if (options->device_count == CORE_MAX_DEVICES)
			return invalf(context, "lcpfs: more than %u device= options", CORE_MAX_DEVICES);
		options->devices[options->device_count++] = lcpfs_options_take(parameter);
		return 0;
	case LCPFS_OPT_ERRORS:
		options->errors = result.uint_32;
		options->named |= LCPFS_NAMED_ERRORS;
		return 0;
	case LCPFS_OPT_DISCARD:
		options->discard = !result.negated;
		options->named |= LCPFS_NAMED_DISCARD;
		return 0;
	case LCPFS_OPT_TXG_INTERVAL:
		if (result.uint_32 < 1 || result.uint_32 > LCPFS_TXG_INTERVAL_MAX)
			return invalf(context, "lcpfs: txg_interval= takes 1 to %u seconds", LCPFS_TXG_INTERVAL_MAX);
		options->txg_interval = result.uint_32;
		options->named |= LCPFS_NAMED_TXG_INTERVAL;
		return 0;
	case LCPFS_OPT_NO_PATH_TIMEOUT:
		if (result.int_32 < -1 || result.int_32 > LCPFS_NO_PATH_TIMEOUT_MAX)
			return invalf(context, "lcpfs: no_path_timeout= takes -1 to %u seconds", LCPFS_NO_PATH_TIMEOUT_MAX);
		options->no_path_timeout = result.int_32;
		options->named |= LCPFS_NAMED_NO_PATH_TIMEOUT;
		return 0;
	case LCPFS_OPT_SYNC:
		mode = match_string(lcpfs_sync_names, ARRAY_SIZE(lcpfs_sync_names), parameter->string);
		if (mode < 0)
			return invalf(context, "lcpfs: sync= (or sync_mode=) takes standard, always or disabled");
		options->sync = mode;
		options->named |= LCPFS_NAMED_SYNC;
		return 0;
	case LCPFS_OPT_LOG_BIAS:
		options->log_bias = result.uint_32;
		options->named |= LCPFS_NAMED_LOG_BIAS;
		return 0;
	case LCPFS_OPT_PARTITION_MODE:
		options->partition_mode = result.uint_32;
		options->named |= LCPFS_NAMED_PARTITION_MODE;
		return 0;
	case LCPFS_OPT_COMPRESSION:
		return lcpfs_options_parse_compression(context, options, parameter->string);
	case LCPFS_OPT_CHECKSUM:
		return lcpfs_options_parse_checksum(context, options, parameter->string);
	case LCPFS_OPT_NO_RECOVERY:
		options->no_recovery = true;
		return 0;
	case LCPFS_OPT_RECOVER:
		if (strcmp(parameter->string, "discard-log"))
			return invalf(context, "lcpfs: recover= takes discard-log");
		options->discard_log = true;
		return 0;
	case LCPFS_OPT_SOURCE:
		if (context->source)
			return invalf(context, "lcpfs: more than one device to mount");
		context->source = lcpfs_options_take(parameter);
		return 0;
	}
	return -EINVAL;
}

static bool lcpfs_options_has_device(const struct lcpfs_options *options, const char *path)
{
	unsigned int i;

	for (i = 0; i < options->device_count; i++)
		if (!strcmp(options->devices[i], path))
			return true;
	return false;
}

int lcpfs_options_check_change(struct fs_context *context, const struct lcpfs_options *from,
			       const struct lcpfs_options *to, const char *dataset)
{
	unsigned int i;

	if (to->dataset && strcmp(to->dataset, dataset))
		return invalf(context, "lcpfs: dataset= cannot be changed by remount");
	for (i = 0; i < to->device_count; i++)
		if (!lcpfs_options_has_device(from, to->devices[i]))
			return invalf(context, "lcpfs: device= cannot be changed by remount");
	return 0;
}

void lcpfs_options_take_pool(struct lcpfs_options *to, const struct lcpfs_options *from)
{
	if (from->named & LCPFS_NAMED_ERRORS)
		to->errors = from->errors;
	if (from->named & LCPFS_NAMED_DISCARD)
		to->discard = from->discard;
	if (from->named & LCPFS_NAMED_TXG_INTERVAL)
		to->txg_interval = from->txg_interval;
	if (from->named & LCPFS_NAMED_NO_PATH_TIMEOUT)
		to->no_path_timeout = from->no_path_timeout;
}

static_assert((int)LCPFS_SYNC_ALWAYS == (int)CORE_SYNC_ALWAYS && (int)LCPFS_SYNC_DISABLED == (int)CORE_SYNC_DISABLED);
static_assert((int)LCPFS_LOG_BIAS_THROUGHPUT == (int)CORE_LOG_BIAS_THROUGHPUT);

void lcpfs_options_take_dataset(struct lcpfs_options *to, const struct core_dataset_info *info)
{
	if (!(to->named & LCPFS_NAMED_SYNC))
		WRITE_ONCE(to->sync, (enum lcpfs_sync_mode)info->sync);
	if (!(to->named & LCPFS_NAMED_LOG_BIAS))
		WRITE_ONCE(to->log_bias, (enum lcpfs_log_bias)info->log_bias);
	if (!(to->named & LCPFS_NAMED_COMPRESSION))
		WRITE_ONCE(to->compression, info->compression);
	if (!(to->named & LCPFS_NAMED_CHECKSUM))
		WRITE_ONCE(to->checksum, info->checksum);
}

int lcpfs_options_use(struct fs_context *context, const struct lcpfs_options *options, struct core_dataset *dataset)
{
	int error = core_dataset_use(dataset, options->named & LCPFS_NAMED_COMPRESSION ? (int)options->compression : -1,
				     options->named & LCPFS_NAMED_CHECKSUM ? (int)options->checksum : -1);

	if (error == -EOPNOTSUPP)
		errorf(context, "lcpfs: compression=%s cannot be done: the kernel's module for it (%s) was not there when lcpfs was loaded",
		       lcpfs_compression_names[options->compression],
		       options->compression == CORE_COMPRESSION_LZ4 ? "lz4_compress" : "zstd_compress");
	else if (error)
		errorf(context, "lcpfs: compression=%s cannot be set up: error %d",
		       lcpfs_compression_names[options->compression], error);
	return error;
}

void lcpfs_options_warn(const char *pool, enum lcpfs_sync_mode before, enum lcpfs_sync_mode now)
{
	if (now == LCPFS_SYNC_DISABLED && before != now)
		pr_warn("lcpfs (%s): sync=disabled: fsync and synchronous writes return before they are durable; %s\n", pool,
			"sync(2), syncfs(2), unmounting and freezing still wait for everything");
}

void lcpfs_options_show(struct seq_file *out, const struct lcpfs_options *options, const struct lcpfs_options *pool,
			const struct core_dataset_info *dataset)
{
	unsigned int i;

	seq_show_option(out, "errors", lcpfs_errors_values[pool->errors].name);
	seq_printf(out, ",txg_interval=%u", pool->txg_interval);
	if (pool->discard)
		seq_puts(out, ",discard");
	if (pool->partition_mode != CORE_PARTITION_AUTO)
		seq_show_option(out, "partition_mode", lcpfs_partition_modes[pool->partition_mode].name);
	if (pool->no_path_timeout != LCPFS_NO_PATH_TIMEOUT_DEFAULT)
		seq_printf(out, ",no_path_timeout=%d", pool->no_path_timeout);
	if (options->sync != LCPFS_SYNC_STANDARD || (int)options->sync != (int)dataset->sync)
		seq_show_option(out, "sync", lcpfs_sync_names[options->sync]);
	if (options->log_bias != LCPFS_LOG_BIAS_LATENCY || (int)options->log_bias != (int)dataset->log_bias)
		seq_show_option(out, "logbias", lcpfs_log_bias_values[options->log_bias].name);
	if (options->compression != CORE_COMPRESSION_OFF || options->compression != dataset->compression)
		seq_show_option(out, "compression", lcpfs_compression_names[options->compression]);
	if (options->checksum != CORE_CHECKSUM_OF_POOL)
		seq_show_option(out, "checksum", lcpfs_checksum_names[options->checksum]);
	if (options->no_recovery)
		seq_puts(out, ",norecovery");
	if (strcmp(dataset->name, "default"))
		seq_show_option(out, "dataset", dataset->name);
	for (i = 0; i < options->device_count; i++)
		seq_show_option(out, "device", options->devices[i]);
}
