/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * ioctl_abi.h: what programs and /dev/lcpfs-control agree on. Fixed-width, the same for 32- and 64-bit
 * programs; never changed once released, only added to.
 */
#ifndef LCPFS_IOCTL_ABI_H
#define LCPFS_IOCTL_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define LCPFS_CONTROL_NAME "lcpfs-control"
#define LCPFS_IOCTL_PATH_BYTES 4096

/* `path` in, NUL-terminated; the rest out. */
struct lcpfs_ioctl_scan {
	__u8 pool_guid[16];
	__u8 device_guid[16];
	__u32 device_index;
	__u32 device_count;
	char pool_name[64];
	char path[LCPFS_IOCTL_PATH_BYTES];
};

/* Remembers a block device for the pool its labels name. -EINVAL: not one of lcpfs. */
#define LCPFS_IOCTL_SCAN _IOWR(0xf5, 1, struct lcpfs_ioctl_scan)
/* Forgets the device at `path`, or all devices when `path` is empty. -ENOENT: was not known. */
#define LCPFS_IOCTL_FORGET _IOW(0xf5, 2, struct lcpfs_ioctl_scan)

/* One path of a started pool: `n` in, counting over all pools; the rest out. */
#define LCPFS_PATH_SIZES 4 /* requests up to 8 KiB, 64 KiB, 256 KiB, larger */
struct lcpfs_ioctl_path {
	__u8 pool_guid[16];
	char pool_name[64];
	char name[32];       /* of the block device */
	__u32 n;
	__u32 id;
	__u32 device;        /* index in the pool */
	__u32 state;         /* 0 active, 1 degraded, 2 failed, 3 repairing */
	__u32 policy;        /* 0 round-robin, 1 least-queue, 2 least-latency, 3 service-time */
	__u32 priority;
	__u32 depth;
	__u32 average_us;
	__u32 only;          /* the device has no other and never had: nothing is counted */
	__u32 reserved;
	__u64 ios, bytes, errors, failures, repairs, wrong_bytes;
	struct {
		__u64 samples;
		__u32 median_us, tail_us;
	} latency[LCPFS_PATH_SIZES];
	__u64 pool_ios, pool_bytes, pool_path_failures, pool_failovers, pool_path_repairs, pool_waiting;
};

enum {
	LCPFS_PATH_ADD,       /* the device at `path`; `value` its priority; gives `id` */
	LCPFS_PATH_REMOVE,    /* by `id`, as the rest; waits until nothing is under way on it */
	LCPFS_PATH_FAIL,
	LCPFS_PATH_REINSTATE,
	LCPFS_PATH_SET,       /* `setting` to `value` */
};
/* Settings: of the path its priority, of its device all others. Times in ms. */
enum {
	LCPFS_PATH_PRIORITY, LCPFS_PATH_POLICY, LCPFS_PATH_FAILBACK, LCPFS_PATH_NO_PATH_TIMEOUT, LCPFS_PATH_TIME_LIMIT,
	LCPFS_PATH_COPY_BYTES, LCPFS_PATH_SHARED_CACHE, LCPFS_PATH_HEDGED_READS,
};
struct lcpfs_ioctl_path_change {
	__u8 pool_guid[16];
	__u32 operation;
	__u32 id;
	__u32 setting;
	__u32 reserved;
	__s64 value;
	char path[LCPFS_IOCTL_PATH_BYTES];
};

/* -ENOENT: there are not that many. */
#define LCPFS_IOCTL_PATH_GET _IOWR(0xf5, 16, struct lcpfs_ioctl_path)
/* -ENODEV: no such pool is started; -ENOENT: no such path; see core/api/core.h for the rest. */
#define LCPFS_IOCTL_PATH_CHANGE _IOWR(0xf5, 17, struct lcpfs_ioctl_path_change)

/* One dataset of a started pool: `n` in, counting over all pools; the rest out. */
struct lcpfs_ioctl_dataset {
	__u8 pool_guid[16];
	char pool_name[64];
	char name[64];
	__u32 n;
	__u32 state;         /* 0 ready, 1 being destroyed, 2 damaged */
	__u64 id;
	__u64 objects;
	__u64 used_bytes;    /* file data */
	__u64 created_group;
	__u32 users;         /* mounted superblocks, and those being mounted */
	__u32 sync;          /* property: 0 standard, 1 always, 2 disabled */
	__u32 log_bias;      /* property: 0 latency, 1 throughput */
	__u32 compression;   /* property: 0 off, 1 lz4, 1 + level zstd */
	__u32 checksum;      /* property: 0 the pool's, 1 crc32c, 2 xxh64, 3 sha256 */
	__u32 reserved[3];
};

enum {
	LCPFS_DATASET_CREATE,  /* with a root directory of `mode`, `uid` and `gid`; in the partition `new_name`, if any */
	LCPFS_DATASET_DESTROY, /* -EBUSY: it is mounted */
	LCPFS_DATASET_RENAME,  /* to `new_name` */
	LCPFS_DATASET_SET,     /* `property` to `value` */
};
enum { LCPFS_DATASET_SYNC, LCPFS_DATASET_LOG_BIAS, LCPFS_DATASET_COMPRESSION, LCPFS_DATASET_CHECKSUM };
struct lcpfs_ioctl_dataset_change {
	__u8 pool_guid[16];
	char name[64];       /* NUL-terminated, as new_name */
	char new_name[64];
	__u32 operation;
	__u32 property;
	__u64 value;
	__u32 mode, uid, gid;
	__u32 reserved;
};

/* -ENOENT: there are not that many. */
#define LCPFS_IOCTL_DATASET_GET _IOWR(0xf5, 18, struct lcpfs_ioctl_dataset)
/* -ENODEV: no such pool is started; see core/api/core.h for the rest. Durable when it returns. */
#define LCPFS_IOCTL_DATASET_CHANGE _IOW(0xf5, 19, struct lcpfs_ioctl_dataset_change)

/* One partition of a started pool: `n` in, counting over all pools; the rest out. Numbers "in thousandths" are fractions times 1000. */
#define LCPFS_PARTITION_NAME_BYTES 72
#define LCPFS_PARTITION_LEARNED 4 /* pressure, cooldown (s), growth (%), shrink (%) */
struct lcpfs_ioctl_partition {
	__u8 pool_guid[16];
	char pool_name[64];
	char name[LCPFS_PARTITION_NAME_BYTES];
	__u32 n;
	__u32 outcomes;
	__u64 id;
	__u64 size_bytes, used_bytes, minimum_bytes, maximum_bytes; /* maximum 0: none */
	__u64 datasets;
	__u64 last_resize_s;                                        /* since the epoch; 0: never */
	__u64 frequency, latency_us, utilisation, pressure, epsilon; /* in thousandths */
	struct {
		__u64 value, uncertainty, rate, confidence;         /* in thousandths */
		__u64 observations;
	} learned[LCPFS_PARTITION_LEARNED];
	__u32 moving;                                               /* a decision about it has no outcome yet */
	__u32 mode;                                                 /* of the pool, as the rest: 0 off, 1 advise, 2 auto */
	__u64 pool_partitions, pool_bytes, pool_unassigned_bytes, pool_epsilon, pool_last_decision;
	__u64 evacuated_metaslabs;                                  /* of this one again: being emptied so that it can shrink; 0: none */
	__u64 evacuation_bytes, evacuation_left_bytes;              /* in use in them when that began; still in use */
	__u64 reserved[1];
};

enum {
	LCPFS_PARTITION_CREATE,  /* with the limits that `mask` names */
	LCPFS_PARTITION_DESTROY,
	LCPFS_PARTITION_SET,     /* the limits that `mask` names, and `new_name` unless empty */
	LCPFS_PARTITION_MODE,    /* of the pool: `mode` */
};
enum { LCPFS_PARTITION_MINIMUM = 1, LCPFS_PARTITION_MAXIMUM = 2 };
struct lcpfs_ioctl_partition_change {
	__u8 pool_guid[16];
	char name[LCPFS_PARTITION_NAME_BYTES];     /* NUL-terminated, as new_name */
	char new_name[LCPFS_PARTITION_NAME_BYTES];
	__u32 operation;
	__u32 mask;
	__u64 minimum_bytes, maximum_bytes;        /* maximum 0: none */
	__u32 mode;
	__u32 reserved;
	char message[320];                         /* out: what was refused and why */
};

/* A decision about partitions: pool_guid and `number` in, the first from that on that is still known out. */
struct lcpfs_ioctl_partition_decision {
	__u8 pool_guid[16];
	__u64 number, time_s, partition, other;    /* ids of partitions; other 0: unassigned space */
	__u32 action, reason, result, metaslabs;   /* core/partition/decision.h */
	__u64 size_before, size_after, used;       /* bytes */
	__u64 pressure, threshold, benefit, uncertainty, epsilon_before, epsilon_expected, epsilon_after; /* in thousandths */
	__s64 improvement;                         /* percent, in thousandths */
};

/* What a started pool told the log: pool_guid and `number` in, the first from that on that is still known out. */
struct lcpfs_ioctl_event {
	__u8 pool_guid[16];
	__u64 number;
	__s64 time_ns;                             /* since the epoch */
	__u32 level;                               /* 0 fatal, 1 error, 2 warning, 3 information */
	__u32 reserved;
	char text[240];                            /* NUL-terminated */
};

/* -ENOENT: there is none from that number on; -ENODEV: no such pool is started. */
#define LCPFS_IOCTL_EVENT_GET _IOWR(0xf5, 23, struct lcpfs_ioctl_event)
/* A committed group that stays readable on the devices of its pool as long as the descriptor is open. */
struct lcpfs_ioctl_kept_group {
	__u8 pool_guid[16];
	__u64 group;
	__u32 is_kept;                             /* 0: the pool needed the space, and has given it up */
	__u32 reserved;
};

/* On a file or directory of a mount: keeps the group committed last, and gives a descriptor. -EBUSY: one is kept already. */
#define LCPFS_IOCTL_KEEP_GROUP _IO(0xf5, 24)
/* On that descriptor. */
#define LCPFS_IOCTL_KEPT_GROUP _IOR(0xf5, 25, struct lcpfs_ioctl_kept_group)
/* -ENOENT: there are not that many. */
#define LCPFS_IOCTL_PARTITION_GET _IOWR(0xf5, 20, struct lcpfs_ioctl_partition)
/* -ENODEV: no such pool is started; else the message says what is wrong. Durable when it returns, but for the mode. */
#define LCPFS_IOCTL_PARTITION_CHANGE _IOWR(0xf5, 21, struct lcpfs_ioctl_partition_change)
/* -ENOENT: there is none from that number on. */
#define LCPFS_IOCTL_PARTITION_DECISION _IOWR(0xf5, 22, struct lcpfs_ioctl_partition_decision)

#endif
