/* SPDX-License-Identifier: GPL-2.0-only */
/* events.h: a part of core.h, which includes it: what pools tell the log. */
#ifndef LCPFS_EVENTS_H
#define LCPFS_EVENTS_H

/* What a pool has told the log: the last 128 lines of warnings and worse, and of what is worth knowing. */
#define CORE_EVENT_TEXT_BYTES 240u
struct core_event_line {
	uint64_t number;             /* from 1 on, since the pool was opened */
	int64_t time_ns;             /* since the epoch */
	uint8_t level;               /* enum host_log_level */
	char text[CORE_EVENT_TEXT_BYTES];
};
/* The first from `number` on. -ENOENT: there is none; -ENOMEM. Sleepable. */
int core_event_next(struct core_pool *pool, uint64_t number, struct core_event_line *line);

#endif
