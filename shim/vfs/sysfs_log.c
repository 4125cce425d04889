// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysfs_log.c: /sys/fs/lcpfs/<pool GUID>/log/, the intent log. One value per file. All zeros where a pool has none.
 *
 * To be written, at any time:
 *   batch_records      1..64: records that end the wait for company (32)
 *   batch_bytes        4096..131072: of a log write that has more than one record (131072)
 *   batch_timeout_us   0..100: how long a frame waits for company at most while others are in flight; 0: not at all
 *   frames_in_flight   1..8: log writes under way at once (4)
 *   remove add         the number of a log device: it leaves the ring, or comes (back) to it, which is committed on return
 *
 * To be read, since the pool was started:
 *   ring_bytes         size of the ring; position: bytes of it used so far, all laps
 *   bytes frames operations flushes errors     written, by log writes, of records; writes and flushes that failed
 *   records_per_frame  to two places
 *   pending_entries pending_bytes  records in memory that no group has committed and no frame has taken; those and the frames under way
 *   frames_pending     frames under way
 *   latency_ns         of a frame, from its submission to its acknowledgement, the average of late
 *   latency            sixteen numbers: how many frames took less than 16 us, 33 us, 66 us, and so on, twice the time each
 *                      (2^(14 + i) ns), the last one all that took longer than 0.27 s
 *   members            the log devices, one to a line: number, name ("-": not there), and active, failed, missing or unused
 *   durable            what makes a log write durable: write (no volatile cache), fua, or flush
 *   fua_ns flush_ns    what the two took when the log was opened; 0 where there was nothing to choose
 */
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/sysfs.h>

#include "core/api/core.h"
#include "shim/vfs/sysfs.h"

struct lcpfs_log_attribute {
	struct lcpfs_attribute common;
	size_t offset;                  /* of a u64 in core_log */
	enum core_log_setting setting;  /* where it can be written */
};

static const struct lcpfs_log_attribute *lcpfs_log_attribute_of(const struct lcpfs_attribute *common)
{
	return container_of(common, struct lcpfs_log_attribute, common);
}

static ssize_t lcpfs_log_show_number(struct core_pool *core, const struct lcpfs_attribute *attribute, char *page)
{
	struct core_log log;
	u64 value;

	core_log_get(core, &log);
	memcpy(&value, (const char *)&log + lcpfs_log_attribute_of(attribute)->offset, sizeof(value));
	return sysfs_emit(page, "%llu\n", value);
}

static int lcpfs_log_store_number(struct core_pool *core, const struct lcpfs_attribute *attribute, u64 value)
{
	return core_log_set(core, lcpfs_log_attribute_of(attribute)->setting, value);
}

static ssize_t lcpfs_log_show_records_per_frame(struct core_pool *core, const struct lcpfs_attribute *attribute,
						char *page)
{
	struct core_log log;
	u64 hundredths = 0;
	u32 rest;

	core_log_get(core, &log);
	if (log.frames)
		hundredths = div64_u64(log.operations * 100, log.frames);
	hundredths = div_u64_rem(hundredths, 100, &rest);
	return sysfs_emit(page, "%llu.%02u\n", hundredths, rest);
}

static ssize_t lcpfs_log_show_latency(struct core_pool *core, const struct lcpfs_attribute *attribute, char *page)
{
	struct core_log log;
	ssize_t length = 0;
	unsigned int i;

	core_log_get(core, &log);
	for (i = 0; i < CORE_LOG_LATENCIES; i++)
		length += sysfs_emit_at(page, length, "%llu%c", log.latency[i], i + 1 < CORE_LOG_LATENCIES ? ' ' : '\n');
	return length;
}

static ssize_t lcpfs_log_show_durable(struct core_pool *core, const struct lcpfs_attribute *attribute, char *page)
{
	static const char *const names[] = { "write", "fua", "flush" };
	struct core_log log;

	core_log_get(core, &log);
	return sysfs_emit(page, "%s\n", names[log.durable]);
}

static ssize_t lcpfs_log_show_members(struct core_pool *core, const struct lcpfs_attribute *attribute, char *page)
{
	static const char *const states[] = { "active", "failed", "missing", "unused" };
	struct core_log_member members[CORE_LOG_MEMBERS];
	unsigned int count = core_log_get_members(core, members, CORE_LOG_MEMBERS);
	ssize_t length = 0;
	unsigned int i;

	for (i = 0; i < count; i++)
		length += sysfs_emit_at(page, length, "%u %s %s\n", members[i].device, members[i].name[0] ? members[i].name : "-",
					states[members[i].state]);
	return length;
}

static int lcpfs_log_store_remove(struct core_pool *core, const struct lcpfs_attribute *attribute, u64 value)
{
	return value > UINT_MAX ? -ENOENT : core_log_remove(core, value);
}

static int lcpfs_log_store_add(struct core_pool *core, const struct lcpfs_attribute *attribute, u64 value)
{
	return value > UINT_MAX ? -ENOENT : core_log_add(core, value);
}

#define LCPFS_LOG_ACTION(file)                                                          \
	static struct lcpfs_log_attribute lcpfs_log_##file = {                          \
		.common = { .attribute = { .name = #file, .mode = 0200 }, .store = lcpfs_log_store_##file }, \
	}
#define LCPFS_LOG_TEXT(file)                                                            \
	static struct lcpfs_log_attribute lcpfs_log_##file = {                          \
		.common = { .attribute = { .name = #file, .mode = 0444 }, .show = lcpfs_log_show_##file }, \
	}
#define LCPFS_LOG_NUMBER(file)                                                          \
	static struct lcpfs_log_attribute lcpfs_log_##file = {                          \
		.common = { .attribute = { .name = #file, .mode = 0444 }, .show = lcpfs_log_show_number }, \
		.offset = offsetof(struct core_log, file),                              \
	}
#define LCPFS_LOG_TUNABLE(file, which)                                                  \
	static struct lcpfs_log_attribute lcpfs_log_##file = {                          \
		.common = { .attribute = { .name = #file, .mode = 0644 }, .show = lcpfs_log_show_number, \
			    .store = lcpfs_log_store_number },                          \
		.offset = offsetof(struct core_log, file), .setting = which,            \
	}
#define LCPFS_LOG(file) &lcpfs_log_##file.common.attribute

LCPFS_LOG_TUNABLE(batch_records, CORE_LOG_SET_BATCH_RECORDS);
LCPFS_LOG_TUNABLE(batch_bytes, CORE_LOG_SET_BATCH_BYTES);
LCPFS_LOG_TUNABLE(batch_timeout_us, CORE_LOG_SET_BATCH_TIMEOUT_US);
LCPFS_LOG_TUNABLE(frames_in_flight, CORE_LOG_SET_FRAMES_IN_FLIGHT);
LCPFS_LOG_NUMBER(ring_bytes);
LCPFS_LOG_NUMBER(position);
LCPFS_LOG_NUMBER(bytes);
LCPFS_LOG_NUMBER(frames);
LCPFS_LOG_NUMBER(operations);
LCPFS_LOG_NUMBER(flushes);
LCPFS_LOG_NUMBER(errors);
LCPFS_LOG_NUMBER(pending_entries);
LCPFS_LOG_NUMBER(pending_bytes);
LCPFS_LOG_NUMBER(frames_pending);
LCPFS_LOG_NUMBER(latency_ns);
LCPFS_LOG_NUMBER(fua_ns);
LCPFS_LOG_NUMBER(flush_ns);
LCPFS_LOG_TEXT(records_per_frame);
LCPFS_LOG_TEXT(latency);
LCPFS_LOG_TEXT(durable);
LCPFS_LOG_TEXT(members);
LCPFS_LOG_ACTION(remove);
LCPFS_LOG_ACTION(add);

static struct attribute *lcpfs_log_attrs[] = {
	LCPFS_LOG(batch_records), LCPFS_LOG(batch_bytes), LCPFS_LOG(batch_timeout_us), LCPFS_LOG(frames_in_flight), LCPFS_LOG(ring_bytes),
	LCPFS_LOG(position), LCPFS_LOG(bytes), LCPFS_LOG(frames), LCPFS_LOG(operations), LCPFS_LOG(flushes),
	LCPFS_LOG(errors), LCPFS_LOG(pending_entries), LCPFS_LOG(pending_bytes), LCPFS_LOG(frames_pending),
	LCPFS_LOG(latency_ns), LCPFS_LOG(fua_ns), LCPFS_LOG(flush_ns), LCPFS_LOG(records_per_frame), LCPFS_LOG(latency),
	LCPFS_LOG(durable), LCPFS_LOG(members), LCPFS_LOG(remove), LCPFS_LOG(add), NULL,
};
const struct attribute_group lcpfs_log_group = { .name = "log", .attrs = lcpfs_log_attrs };
