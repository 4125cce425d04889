/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * partitions.h: the part of core.h that is about partitions: shares of the pool, with a guaranteed minimum and a maximum
 * (core/partition/controller.h). Included by core.h alone. All calls: any sleepable context, no lock held that the core takes.
 */
#ifndef LCPFS_CORE_PARTITIONS_H
#define LCPFS_CORE_PARTITIONS_H

#define CORE_PARTITION_NAME_BYTES 65u
#define CORE_PARTITION_MESSAGE_BYTES 320u
enum core_partition_learned { CORE_LEARNED_PRESSURE, CORE_LEARNED_COOLDOWN, CORE_LEARNED_GROWTH, CORE_LEARNED_SHRINK, CORE_LEARNED_COUNT };

/* All that are not whole numbers: thousandths. */
struct core_partition_info {
	uint64_t id;                            /* never another's in this pool */
	char name[CORE_PARTITION_NAME_BYTES];
	uint64_t size_blocks, used_blocks;      /* used: with what is promised */
	uint64_t minimum_blocks, maximum_blocks; /* maximum 0: none */
	uint64_t datasets;
	uint64_t last_resize_s;                 /* realtime; 0: never */
	uint64_t frequency, latency_us, utilisation, pressure, epsilon;
	struct {
		uint64_t value, uncertainty, rate, confidence;
		uint64_t observations;          /* a whole number */
	} learned[CORE_LEARNED_COUNT];          /* pressure; seconds; percent; percent */
	uint32_t outcomes;
	bool is_moving;                         /* a decision about it has no outcome yet */
	/*
	 * Metaslabs that are being emptied so that it can shrink, and what was in use in them when that began; 0: that is not going
	 * on. What is still in use in them goes down with the groups that are committed.
	 */
	uint64_t evacuated_metaslabs, evacuation_blocks, evacuation_left_blocks;
};
/* The first one with an id from `id` on. -ENOENT: there is none. */
int core_partition_next(struct core_pool *pool, uint64_t id, struct core_partition_info *info);

enum core_partition_mode { CORE_PARTITION_OFF, CORE_PARTITION_ADVISE, CORE_PARTITION_AUTO };
struct core_partitions {
	uint32_t count;
	uint64_t total_blocks, unassigned_blocks; /* that partitions may have */
	uint64_t epsilon;                       /* thousandths */
	bool is_moving;
	enum core_partition_mode mode;
	uint64_t last_decision;                 /* number; 0: none yet */
};
void core_partitions_get(struct core_pool *pool, struct core_partitions *out);
void core_partitions_set_mode(struct core_pool *pool, enum core_partition_mode mode);

/* One decision of the controller; reason, action and result as in core/partition/decision.h. */
struct core_partition_decision {
	uint64_t number, time_s, partition, other;
	uint32_t action, reason, result, metaslabs;
	uint64_t size_before, size_after, used; /* blocks */
	uint64_t pressure, threshold, benefit, uncertainty, epsilon_before, epsilon_expected, epsilon_after; /* thousandths */
	int64_t improvement;                    /* thousandths of a percent */
};
/* The first one from `number` on that is still known. -ENOENT: there is none. */
int core_partition_decision_get(struct core_pool *pool, uint64_t number, struct core_partition_decision *out);

enum core_partition_operation { CORE_PARTITION_CREATE, CORE_PARTITION_DESTROY, CORE_PARTITION_SET };
#define CORE_PARTITION_SET_MINIMUM 1u
#define CORE_PARTITION_SET_MAXIMUM 2u
struct core_partition_change {
	enum core_partition_operation operation;
	unsigned int mask;               /* which limits are set; of a new one the others are 0: no minimum, no maximum */
	const char *name;
	const char *new_name;            /* set: "" or NULL: it keeps its own */
	uint64_t minimum_blocks, maximum_blocks;
};
/*
 * Durable when it returns. On failure nothing was changed, and `message` says what was refused and why. -ENOENT, -EEXIST, -EINVAL,
 * -ENOSPC (minimums that do not fit), -EBUSY (in use), -EPERM (the default one), -EROFS.
 */
int core_partition_do(struct core_pool *pool, const struct core_partition_change *change,
		      char message[CORE_PARTITION_MESSAGE_BYTES]);

#endif
