// SPDX-License-Identifier: GPL-2.0-only
/*
 * options.c: mount options: parsing, the rules of changing them, and showing them in /proc/mounts such that
 * what is shown, given again, mounts the same. Only options that do something are known here.
 */
#include <linux/fs_parser.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "shim/vfs/options.h"

enum {
	LCPFS_OPT_DATASET, LCPFS_OPT_DEVICE, LCPFS_OPT_ERRORS, LCPFS_OPT_NO_RECOVERY, LCPFS_OPT_RECOVER,
	LCPFS_OPT_TXG_INTERVAL, LCPFS_OPT_NO_PATH_TIMEOUT, LCPFS_OPT_SOURCE,
};

static const struct constant_table lcpfs_errors_values[] = {
	{ "remount-ro", CORE_ERRORS_REMOUNT_RO },
	{ "continue", CORE_ERRORS_CONTINUE },
	{ "panic", CORE_ERRORS_PANIC },
	{}
};

static const struct fs_parameter_spec lcpfs_parameters[] = {
	fsparam_string("dataset", LCPFS_OPT_DATASET),
	fsparam_string("device", LCPFS_OPT_DEVICE),
	fsparam_enum("errors", LCPFS_OPT_ERRORS, lcpfs_errors_values),
	fsparam_flag("norecovery", LCPFS_OPT_NO_RECOVERY),
	fsparam_string("recover", LCPFS_OPT_RECOVER),
	fsparam_u32("txg_interval", LCPFS_OPT_TXG_INTERVAL),
	fsparam_s32("no_path_timeout", LCPFS_OPT_NO_PATH_TIMEOUT),
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

/* The string of a parameter, taken over; the caller of parse_param frees only what is left. */
static char *lcpfs_options_take(struct fs_parameter *parameter)
{
	char *string = parameter->string;

	parameter->string = NULL;
	return string;
}

int lcpfs_options_parse(struct fs_context *context, struct lcpfs_options *options, struct fs_parameter *parameter)
{
	struct fs_parse_result result;
	int option = fs_parse(context, lcpfs_parameters, parameter, &result);

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
		return 0;
	case LCPFS_OPT_TXG_INTERVAL:
		if (result.uint_32 < 1 || result.uint_32 > LCPFS_TXG_INTERVAL_MAX)
			return invalf(context, "lcpfs: txg_interval= takes 1 to %u seconds", LCPFS_TXG_INTERVAL_MAX);
		options->txg_interval = result.uint_32;
		return 0;
	case LCPFS_OPT_NO_PATH_TIMEOUT:
		if (result.int_32 < -1 || result.int_32 > LCPFS_NO_PATH_TIMEOUT_MAX)
			return invalf(context, "lcpfs: no_path_timeout= takes -1 to %u seconds", LCPFS_NO_PATH_TIMEOUT_MAX);
		options->no_path_timeout = result.int_32;
		return 0;
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
			       const struct lcpfs_options *to)
{
	unsigned int i;

	if (to->dataset && strcmp(to->dataset, from->dataset ?: "default"))
		return invalf(context, "lcpfs: dataset= cannot be changed by remount");
	for (i = 0; i < to->device_count; i++)
		if (!lcpfs_options_has_device(from, to->devices[i]))
			return invalf(context, "lcpfs: device= cannot be changed by remount");
	return 0;
}

void lcpfs_options_show(struct seq_file *out, const struct lcpfs_options *options)
{
	unsigned int i;

	seq_show_option(out, "errors", lcpfs_errors_values[options->errors].name);
	seq_printf(out, ",txg_interval=%u", options->txg_interval);
	if (options->no_path_timeout != LCPFS_NO_PATH_TIMEOUT_DEFAULT)
		seq_printf(out, ",no_path_timeout=%d", options->no_path_timeout);
	if (options->no_recovery)
		seq_puts(out, ",norecovery");
	if (options->dataset)
		seq_show_option(out, "dataset", options->dataset);
	for (i = 0; i < options->device_count; i++)
		seq_show_option(out, "device", options->devices[i]);
}
