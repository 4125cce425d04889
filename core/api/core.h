/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * core.h: everything the shim and the tools may call. The other half of the boundary is core/host/host.h. It is
 * long because it is all of that in one place.
 *
 * Functions returning int give 0 or a negative errno. All may sleep unless said otherwise and must not be
 * called from interrupt context or under a spinlock. Objects are opaque and reference counted by the core.
 *
 * Locking by the caller: none is required for memory safety; the core's own object locks make each call
 * atomic. Linux's inode locks give the usual serialisation on top. The core never calls back into the VFS
 * except through the completion callbacks named here.
 */
#ifndef LCPFS_CORE_H
#define LCPFS_CORE_H

#include "core/host/host.h"

#ifdef __cplusplus
extern "C" {
#endif

struct core_time { int64_t seconds; uint32_t nanoseconds; };

struct core_pool;
struct core_dataset;
struct core_object;
struct core_xattr;

#define CORE_BLOCK_SIZE 4096u
#define CORE_NAME_MAX 255u
#define CORE_SYMLINK_MAX 4095u
#define CORE_LINK_MAX 0x7fffffffu
#define CORE_ROOT_OBJECT 2ull
#define CORE_LABEL_NAME_BYTES 64u
#define CORE_MAX_DEVICES 64u

/* ---- labels and pools --------------------------------------------------------------------------- */

struct core_label {
	uint8_t pool_guid[16];
	uint8_t device_guid[16];
	uint32_t device_index;
	uint32_t device_count;
	uint64_t device_bytes;
	uint32_t log_device_count; /* of device_count; a pool may have gone on without them */
	bool is_log;               /* this is one */
	char name[CORE_LABEL_NAME_BYTES]; /* NUL-terminated, printable */
};

/*
 * Reads the labels of one device. -EINVAL: no lcpfs label, or an unknown version or incompatible
 * feature; -EUCLEAN: damaged beyond use; -EIO. Says why in the host's log unless `quiet`.
 */
int core_read_label(struct host_bdev *bdev, struct core_label *label, bool quiet);
/* The same, and all that they say, for core_pool_open: to be freed by core_labels_free (NULL allowed). */
struct core_labels;
int core_read_labels(struct host_bdev *bdev, struct core_label *label, bool quiet, struct core_labels **labels);
/* The same of a device that is held by who will open its pool, until then: what opening reads next is read at once. */
int core_read_labels_ahead(struct host_bdev *bdev, struct core_label *label, struct core_labels **labels);
void core_labels_free(struct core_labels *labels); /* before the device is closed */

/*
 * What errors= decides. None of them is about damage that is found in one object or one file's data: that is an error of
 * the calls concerned (-EUCLEAN, -EIO), is logged with object and address, is repaired from another copy where there is one, and
 * everything else goes on being read and written. Nor do they go on after a commit that failed: memory and disk may disagree from
 * there on, so nothing more is written, whatever the policy; the disk keeps the last group, whole, and what is in memory is
 * read until unmounting.
 *   REMOUNT_RO  a contradiction in the pool's own accounts (a block that is freed is not in use) also ends writing
 *   CONTINUE    there the blocks concerned are logged and left alone, lost until fsck at worst, and the commit goes on; but not
 *               where going on could overwrite something (a block that is to be used belongs to something else)
 *   PANIC       whatever ends writing panics instead
 */
enum core_errors_policy { CORE_ERRORS_REMOUNT_RO, CORE_ERRORS_CONTINUE, CORE_ERRORS_PANIC };

struct core_pool_options {
	bool read_only;
	enum core_errors_policy errors;
	uint32_t txg_interval_ms;      /* 1000..30000; 0: the default of 5000 */
	uint64_t cache_limit_bytes;    /* clean metadata kept at most; 0: a quarter of the memory */
	uint64_t dirty_limit_bytes;    /* dirty metadata of a group before it syncs early; 0: chosen */
	bool no_recovery;              /* with read_only: the committed state, whatever the intent log holds */
	uint64_t group;                /* with no_recovery: as that transaction group left it (core_pool_keep_group); 0: the newest */
	bool discard;                  /* devices are told what commits release */
	struct core_labels *const *labels; /* of each device, read since it was opened; NULL, or one that is NULL: to be read */
	bool discard_log;              /* what only the intent log holds is given up, and a log device that is missing */
	void (*notify)(void *context, int event); /* enum core_event; any sleepable context; may be NULL */
	void (*logged)(void *context, uint8_t level); /* a new event (core_event_next), host_log_level; any context; may be NULL */
	void *notify_context;
};

enum core_event { CORE_EVENT_FROZEN = 1 }; /* the pool stopped writing after an error */

/*
 * Starts a pool from all of its devices (any order), of which a log device may be missing when discard_log is set or only
 * what was committed is looked at (read_only and no_recovery). Several that show the same device of the pool are paths to it
 * (a read-only pool uses one of them). The devices stay the caller's, open until core_pool_close returned.
 * Errors: -ENXIO a device is missing, -EINVAL foreign, duplicate or unsupported, -EUCLEAN damaged, -EIO, -ENOMEM,
 * -EROFS (device is read-only, options are not).
 * Each refusal logs one line that says what and why.
 */
int core_pool_open(struct host_bdev *const *bdevs, unsigned int count, const struct core_pool_options *options,
		   struct core_pool **pool);
/*
 * Writes everything, stops the threads, frees all memory. All objects and datasets must have been put, and no other
 * call of the pool may run or come.
 * `pool` is gone afterwards whatever is returned; an error tells that the last group did not commit.
 */
int core_pool_close(struct core_pool *pool);

struct core_format_options {
	const char *name;             /* pool name, 1..63 printable bytes without '/' */
	const uint8_t *guid;          /* NULL: random */
	uint32_t node_bytes;          /* 0: 16384; a power of two, 4096..65536 */
	uint32_t metadata_copies;     /* 0: 2; 1..3 */
	uint32_t data_checksum;       /* enum core_checksum; 0: crc32c */
	uint64_t metaslab_bytes;      /* 0: chosen by the size of the device */
	uint64_t log_bytes;           /* of the intent log's ring; 0: 256 MiB; at most 1/16 of the pool in any case */
	uint32_t log_devices;         /* so many of the devices, the last, are log devices, mirrors of each other: 0..4 */
	uint32_t root_mode, root_uid, root_gid;
};
enum core_checksum { CORE_CHECKSUM_OF_POOL = 0, CORE_CHECKSUM_CRC32C = 1, CORE_CHECKSUM_XXH64 = 2, CORE_CHECKSUM_SHA256 = 3 };
/* Writes an empty pool over the devices, durably. Whatever was there is lost: the caller has asked. */
int core_pool_format(struct host_bdev *const *bdevs, unsigned int count, const struct core_format_options *options);

/*
 * Read-write to read-only (commits first; what is under way gets into that commit or is refused, and nothing is written after
 * it returned) and back. -EROFS when the pool is frozen or a device read-only.
 */
int core_pool_set_read_only(struct core_pool *pool, bool read_only);
void core_pool_set_options(struct core_pool *pool, uint32_t txg_interval_ms, enum core_errors_policy errors);
/*
 * Bytes of dirty metadata that a transaction group may have before it is closed early. -EINVAL below 1 MiB or above a quarter of the
 * machine's memory. Any context.
 */
uint64_t core_pool_dirty_limit(struct core_pool *pool);
int core_pool_set_dirty_limit(struct core_pool *pool, uint64_t bytes);
/*
 * Bytes of clean metadata that the pool may keep in memory; more is dropped at once where nothing uses it. -EINVAL below 1 MiB or
 * above the machine's memory. Takes no lock that sleeps.
 */
uint64_t core_pool_cache_limit(struct core_pool *pool);
int core_pool_set_cache_limit(struct core_pool *pool, uint64_t bytes);
void core_pool_set_discard(struct core_pool *pool, bool discard);
/*
 * Tells the devices what is free in [begin, begin + length) of the bytes of all data devices in a row, in runs of at least
 * min_bytes; `trimmed`: how much that was. -EOPNOTSUPP: no device has a use for it; -EBUSY: `is_interrupted` (may be NULL) said so.
 */
int core_pool_trim(struct core_pool *pool, uint64_t begin, uint64_t length, uint64_t min_bytes, bool (*is_interrupted)(void *context),
		   void *context, uint64_t *trimmed);
/*
 * For checking a pool in use: keeps what the last committed group reaches on disk as it is until core_pool_release_group, whatever
 * commits after it. `group`: its number, for another reader of the same devices (core_pool_options). -EBUSY: somebody keeps one.
 * The pool gives it up rather than run out of space (core_pool_keeps_group). No I/O. Any context that may sleep.
 */
int core_pool_keep_group(struct core_pool *pool, uint64_t *group);
bool core_pool_keeps_group(struct core_pool *pool, uint64_t group);
void core_pool_release_group(struct core_pool *pool);
/* Reads all bitmaps of a pool that is only looked at: -EUCLEAN when one does not fit the table. They are not read again. */
int core_pool_load_bitmaps(struct core_pool *pool);
/* Commits everything done before the call. With `wait` returns when durable. */
int core_pool_sync(struct core_pool *pool, bool wait);
/*
 * Something is likely to be changed soon. The first change after a mount has to have memory and the intent log ready, which takes
 * a few I/Os; who asks for it early spares it that. What fails is told to who makes the change. Sleepable, no core lock.
 */
void core_pool_expect_change(struct core_pool *pool);
/* Stops all changes at once; what is not committed is lost on purpose (shutdown ioctl, tests). */
void core_pool_shutdown(struct core_pool *pool);

enum core_log_device {
	CORE_LOG_DEVICE_NONE,
	CORE_LOG_DEVICE_ACTIVE,
	CORE_LOG_DEVICE_FAILED,  /* while mounted: the log is in the pool until the next mount */
	CORE_LOG_DEVICE_MISSING, /* and only what was committed is looked at */
	CORE_LOG_DEVICE_UNUSED,  /* it is there, but the pool has gone on without it */
	CORE_LOG_DEVICE_DEGRADED, /* of several that mirror each other some have failed or are not there */
};

struct core_pool_status {
	uint8_t guid[16];
	char name[CORE_LABEL_NAME_BYTES];
	uint32_t device_count;
	uint32_t node_bytes;
	uint32_t metadata_copies;
	bool read_only;
	bool frozen;
	uint64_t committed_txg;
	uint64_t discarded_bytes;      /* since it was opened, */
	uint64_t open_seconds;         /* this long ago */
	uint64_t open_txg;
	uint64_t total_blocks;       /* usable for files and metadata, in 4 KiB blocks */
	uint64_t free_blocks;        /* allocatable now or after the frees under way commit */
	uint64_t available_blocks;   /* free less what is promised and the reserve for removals */
	uint64_t reserved_blocks;    /* promised to dirty data and metadata */
	uint64_t objects;            /* objects in use, all datasets */
	uint64_t txg_commits, node_writes, node_reads, data_writes_blocks, data_reads_blocks;
	uint64_t device_writes, device_reads, device_flushes;
	uint64_t cached_nodes, cached_bytes, dirty_nodes;
	uint64_t checksum_errors, repaired_blocks, io_errors;
	enum core_log_device log_device;
	uint64_t log_bytes;          /* of the intent log's ring; 0: there is none */
	uint64_t log_position;       /* bytes written to it so far, all laps */
	uint64_t log_frames, log_records, log_written_bytes, log_flushes, log_errors, log_pending_frames;
};
void core_pool_get_status(struct core_pool *pool, struct core_pool_status *status);

#include "core/api/events.h"
#include "core/api/log.h"

/* ---- datasets (core/dataset/datasets.h) ---------------------------------------------------------------- */

/*
 * The dataset `name` ("" or "default": the one every pool has). -ENOENT; -EUCLEAN its record is damaged. Balanced by
 * core_dataset_put, until which it cannot be destroyed.
 */
int core_dataset_get(struct core_pool *pool, const char *name, struct core_dataset **dataset);
void core_dataset_put(struct core_dataset *dataset);

#define CORE_DATASET_NAME_BYTES 64u
/* What its mounts do that are not told otherwise: see the options sync= and logbias=. */
enum core_sync_mode { CORE_SYNC_STANDARD, CORE_SYNC_ALWAYS, CORE_SYNC_DISABLED };
enum core_log_bias { CORE_LOG_BIAS_LATENCY, CORE_LOG_BIAS_THROUGHPUT };
/* How new data is stored: CORE_COMPRESSION_ZSTD(level), 1..15. See the options compression= and checksum=. */
enum core_compression { CORE_COMPRESSION_OFF, CORE_COMPRESSION_LZ4, CORE_COMPRESSION_MOST = 16 };
#define CORE_COMPRESSION_ZSTD(level) (CORE_COMPRESSION_LZ4 + (level))
#define CORE_COMPRESSION_ZSTD_DEFAULT CORE_COMPRESSION_ZSTD(3)

struct core_dataset_info {
	uint64_t id;                          /* never another's in this pool */
	char name[CORE_DATASET_NAME_BYTES];   /* NUL-terminated; of one being destroyed: what it was */
	uint64_t objects, used_blocks;        /* as the last group has them; file data alone */
	uint64_t created_txg;
	uint32_t users;                       /* gets without their put */
	enum core_sync_mode sync;
	enum core_log_bias log_bias;
	uint32_t compression;                 /* core_compression, as below */
	enum core_checksum checksum;
	uint64_t partition;                   /* that its data is in */
	bool is_destroying;                   /* its space is being freed */
	bool is_damaged;                      /* it cannot be used */
};
void core_dataset_get_info(struct core_dataset *dataset, struct core_dataset_info *info);
/* The first one at or after `id`. -ENOENT: there is none. */
int core_dataset_next(struct core_pool *pool, uint64_t id, struct core_dataset_info *info);

struct core_new_dataset {
	const char *name;            /* 1..63 of letters, digits and "._:-", the first a letter or a digit */
	const char *partition;       /* whose space its data takes, for good; "" or NULL: the default one */
	uint32_t root_mode, root_uid, root_gid;
	struct core_time time;
};
/*
 * These return when what they do is durable. -ENOENT, -EEXIST, -EINVAL (the name), -ENAMETOOLONG, -EPERM (the one every pool
 * has), -EROFS.
 */
int core_dataset_create(struct core_pool *pool, const struct core_new_dataset *how); /* -ENOSPC: no space, or 256 of them */
/* -EBUSY: it has users. Its space comes back in the background; after a crash in between the next mount goes on. */
int core_dataset_destroy(struct core_pool *pool, const char *name);
int core_dataset_rename(struct core_pool *pool, const char *from, const char *to);
enum core_dataset_setting {
	CORE_DATASET_SET_SYNC, CORE_DATASET_SET_LOG_BIAS, CORE_DATASET_SET_COMPRESSION, CORE_DATASET_SET_CHECKSUM,
};
/* -EOPNOTSUPP: this host cannot compress so. */
int core_dataset_set(struct core_pool *pool, const char *name, enum core_dataset_setting setting, uint64_t value);
/*
 * How new data of it is stored until its last user puts it, whatever its properties say; negative: as they say. -EOPNOTSUPP, nothing
 * changed: this host cannot compress so. Sleepable.
 */
int core_dataset_use(struct core_dataset *dataset, int compression, int checksum);

/*
 * What statfs shows: of the dataset's partition. With a maximum, that is its size, and free is what it may still grow by; without,
 * the pool less what the others use or are guaranteed.
 */
struct core_dataset_space {
	uint64_t total_blocks, free_blocks, available_blocks; /* available: free, less what only removals may use */
};
void core_dataset_get_space(struct core_dataset *dataset, struct core_dataset_space *space);

#include "core/api/partitions.h"

/* What the core does by itself stands still when this returns, until the pause is ended as often as it was begun. */
void core_pool_pause(struct core_pool *pool, bool pause);

/* ---- paths: several block devices that lead to one device of the pool (core/mpio/mpio.h) ------------- */

#define CORE_MAX_PATHS 16u /* to one device */
#define CORE_PATH_NAME_BYTES 32u
#define CORE_PATH_SIZES 4u /* up to 8 KiB, 64 KiB, 256 KiB, larger */
enum core_path_state { CORE_PATH_ACTIVE, CORE_PATH_DEGRADED, CORE_PATH_FAILED, CORE_PATH_REPAIRING };
enum core_path_policy { CORE_PATH_ROUND_ROBIN, CORE_PATH_LEAST_QUEUE, CORE_PATH_LEAST_LATENCY, CORE_PATH_SERVICE_TIME };

struct core_path {
	uint32_t id;
	uint32_t device;                   /* index in the pool */
	char name[CORE_PATH_NAME_BYTES];   /* of the block device */
	enum core_path_state state;
	enum core_path_policy policy;      /* of all paths of the device */
	uint32_t priority;                 /* 0 is best */
	uint32_t depth, average_us;
	bool only;                         /* the device never had another: nothing is counted */
	uint64_t ios, bytes, errors, failures, repairs, wrong_bytes;
	struct { uint64_t samples; uint32_t median_us, tail_us; } latency[CORE_PATH_SIZES];
};
/* The n-th path of the pool. -ENOENT behind the last. */
int core_path_get(struct core_pool *pool, uint32_t n, struct core_path *path);

struct core_path_statistics {
	uint64_t ios, bytes, path_failures, failovers, path_repairs, waiting;
};
void core_path_get_statistics(struct core_pool *pool, struct core_path_statistics *statistics);

/*
 * Adds a path to the device whose labels it shows. The bdev is used until core_path_remove gave it back or the pool
 * is closed. -EINVAL: another pool's, or a copy and not the same disk; -EROFS: the proof takes a write; -EIO; -ENOMEM.
 * Each refusal logs a line. Waits as long as the device takes to answer.
 */
int core_path_add(struct core_pool *pool, struct host_bdev *bdev, uint32_t priority, uint32_t *id);
/* Waits until nothing is under way on it and gives its bdev back. -EBUSY: the last one, or the last usable one. */
int core_path_remove(struct core_pool *pool, uint32_t id, struct host_bdev **bdev);
/* No longer used, nor probed, until it is reinstated. -EBUSY: the last usable one. */
int core_path_fail(struct core_pool *pool, uint32_t id);
/* Used again, after proof that it still leads to the disk. */
int core_path_reinstate(struct core_pool *pool, uint32_t id);

enum core_path_setting {
	CORE_PATH_SET_PRIORITY,        /* of the path: 0..255; the rest of all paths of its device */
	CORE_PATH_SET_POLICY,          /* enum core_path_policy */
	CORE_PATH_SET_FAILBACK_MS,     /* a path that came back is not used for so long; 0 */
	CORE_PATH_SET_NO_PATH_MS,      /* requests wait for a path so long; 30000; 0: not at all, -1: for ever */
	CORE_PATH_SET_TIME_LIMIT_MS,   /* after which a request is sent down another path as well; 10000; 0: none */
	CORE_PATH_SET_COPY_BYTES,      /* requests up to this size, at most 65536 */
	CORE_PATH_SET_SHARED_CACHE,    /* a flush by one path is one for all; 0 */
	CORE_PATH_SET_HEDGED_READS,    /* 0 */
};
/* -EINVAL: no such value. */
int core_path_set(struct core_pool *pool, uint32_t id, enum core_path_setting setting, int64_t value);
/* CORE_PATH_SET_NO_PATH_MS for every device of the pool. */
void core_pool_set_no_path_timeout(struct core_pool *pool, int64_t timeout_ms);

/* ---- objects -------------------------------------------------------------------------------------- */

struct core_attr {
	uint64_t id;
	uint64_t generation;
	uint64_t size_bytes;    /* directories: bytes of the names */
	uint64_t blocks;        /* 4 KiB blocks allocated to data */
	uint64_t change;        /* rises with every change (NFS change attribute) */
	uint32_t mode;          /* with the type bits of stat(2) */
	uint32_t uid, gid, project;
	uint32_t links;
	uint32_t flags;         /* FS_*_FL bits that are stored */
	uint32_t rdev;          /* device nodes: as new_encode_dev */
	struct core_time atime, mtime, ctime, btime;
	bool has_xattrs;        /* any; of core_object_attr */
	bool has_data;          /* something of a file is stored, although `blocks` may be 0; likewise */
};

/* Which fields of core_attr to set. */
enum {
	CORE_SET_MODE = 1, CORE_SET_UID = 2, CORE_SET_GID = 4, CORE_SET_ATIME = 8, CORE_SET_MTIME = 16,
	CORE_SET_CTIME = 32, CORE_SET_PROJECT = 64, CORE_SET_FLAGS = 128, CORE_SET_CHANGE = 256,
};

/*
 * The object with this id; with `generation` not 0, -ESTALE when it is another one. -ENOENT when there is
 * none, -EUCLEAN when its record is damaged. While a reference is held the object stays in memory.
 */
int core_object_get(struct core_dataset *dataset, uint64_t id, uint64_t generation, struct core_object **object);
/* Drops the reference. Needs no I/O, never fails. */
void core_object_put(struct core_object *object);
void core_object_attr(struct core_object *object, struct core_attr *attr);
int core_object_set_attr(struct core_object *object, const struct core_attr *attr, unsigned int mask);
/*
 * The last user is gone and links is 0: frees the object and its space. Works on a full pool. A large
 * file is freed over several groups; after a crash in between the next mount goes on. Does not put.
 */
int core_object_delete(struct core_object *object);
/*
 * Makes everything done so far durable, what was done to this object and before it to others. Data must have been given to
 * core_write (and be done) or core_log_write before.
 */
int core_object_sync(struct core_object *object);

/* ---- extended attributes, POSIX ACLs among them (core/fs/xattrs.h) ------------------------------------ */

#define CORE_XATTR_NAME_MAX 255u
#define CORE_XATTR_VALUE_MAX 65536u

struct core_xattr {
	const char *name;        /* with its namespace: "user.", "trusted.", "security.", or one of the two lists */
	uint32_t name_length;
	const void *value;
	uint32_t value_length;
};
enum {
	CORE_XATTR_CREATE = 1,    /* -EEXIST when it is there */
	CORE_XATTR_REPLACE = 2,   /* -ENODATA when it is not */
	CORE_XATTR_IF_ANY = 4,    /* removing: no error when it is not there */
	CORE_XATTR_SAME_SIZE = 8, /* the value there is as long: possible on a full pool */
};
/*
 * Sets it, or removes it (`value` NULL), and with it the fields of `mask` (CORE_SET_*) of the object: one change. The values of
 * "system.posix_acl_access" and "system.posix_acl_default" are lists as programs have them (-EINVAL). -ENODATA, -EEXIST, -E2BIG,
 * -ENAMETOOLONG, -EOPNOTSUPP (the namespace), -ENOSPC.
 */
int core_xattr_set(struct core_object *object, const struct core_xattr *xattr, unsigned int flags,
		   const struct core_attr *attr, unsigned int mask);
/*
 * Copies the value, gives its length; with `capacity` 0 only that. -ENODATA, -ERANGE; -EUCLEAN: what is stored is none, a list
 * that is none included.
 */
int core_xattr_get(struct core_object *object, const char *name, uint32_t name_length, void *buffer, uint32_t capacity,
		   uint32_t *length);
/*
 * The names that `wanted` says yes to, each with a zero byte; with `capacity` 0 their length only. `wanted` runs under the
 * object's lock: it calls nothing of the core.
 */
int core_xattr_list(struct core_object *object, bool (*wanted)(void *context, const char *name, uint32_t length),
		    void *context, char *buffer, uint32_t capacity, uint32_t *length);

/* ---- names ---------------------------------------------------------------------------------------- */

/* -ENOENT; `type` is the dirent type (DT_*) stored with the name. */
int core_lookup(struct core_object *directory, const char *name, uint32_t length, uint64_t *id, uint8_t *type);

struct core_new {
	uint32_t mode, uid, gid, project, flags, rdev;
	struct core_time time;   /* all four times of the new object, and mtime/ctime of the directory */
	const char *target;      /* symlink: its target, 1..4095 bytes */
	uint32_t target_length;
	const struct core_xattr *xattrs; /* that it begins with, each of another name: -EEXIST; errors as core_xattr_set */
	uint32_t xattr_count;
};
/* Creates any type of object under a name. Gives it referenced. A directory starts with links = 2. */
int core_create(struct core_object *directory, const char *name, uint32_t length, const struct core_new *how,
		struct core_object **object);
/* O_TMPFILE: an object without a name (links = 0); core_link gives it its first. */
int core_create_unnamed(struct core_object *directory, const struct core_new *how, struct core_object **object);
int core_link(struct core_object *directory, const char *name, uint32_t length, struct core_object *object,
	      struct core_time time);
/* Removes the name of `object` (file or empty directory, -ENOTEMPTY else). The object stays until core_object_delete. */
int core_unlink(struct core_object *directory, const char *name, uint32_t length, struct core_object *object,
		struct core_time time);

enum { CORE_RENAME_NOREPLACE = 1, CORE_RENAME_EXCHANGE = 2, CORE_RENAME_WHITEOUT = 4 };
struct core_rename {
	struct core_object *from_directory, *to_directory;
	const char *from_name, *to_name;
	uint32_t from_length, to_length;
	struct core_object *object;   /* what from_name names */
	struct core_object *victim;   /* what to_name names, or NULL */
	unsigned int flags;
	struct core_time time;
	const struct core_new *whiteout; /* CORE_RENAME_WHITEOUT: what from_name names from then on; not with EXCHANGE */
};
/* One atomic change. Type rules (EISDIR, ENOTDIR, loops) are the VFS's; -ENOTEMPTY is checked here. */
int core_rename(const struct core_rename *rename);

/*
 * Entries at or after *cookie (0 starts), without "." and "..". `emit` gives false to stop; *cookie is
 * then the place to go on from. Cookies are below 2^63, stable for the life of a name, never 0, 1 or 2.
 * `emit` runs without core locks and may fault on user memory.
 */
int core_readdir(struct core_object *directory, uint64_t *cookie,
		 bool (*emit)(void *context, const char *name, uint32_t length, uint64_t id, uint8_t type, uint64_t cookie),
		 void *context);
/* Copies the target, not terminated; gives its length in *length (buffer of CORE_SYMLINK_MAX). */
int core_read_link(struct core_object *symlink, char *buffer, uint32_t *length);
/* The directory that holds a directory (for NFS and ".."). */
int core_parent(struct core_object *directory, uint64_t *id);

/* ---- file data -------------------------------------------------------------------------------------- */

/* File data comes and goes as arrays of struct core_segment (host.h). */

/*
 * Reads blocks [block, block + sum of segments) of the file, holes as zeros, each block verified. A block
 * past the end reads as zeros. `done` runs once when all is in memory or failed, in any context
 * (possibly before this returns), with 0 or the first error; `bad` is a bitmap of the blocks that failed,
 * bit i of word i/64, valid in `done` only (NULL on success).
 * Until `done` the caller keeps the memory of the segments and its reference on the object; the segment array only
 * until this returns.
 * At most 1024 blocks.
 */
#define CORE_READ_MAX_BLOCKS 1024u
void core_read(struct core_object *object, uint64_t block, const struct core_segment *segments, unsigned int count,
	       void (*done)(void *context, int error, const uint64_t *bad), void *context);
/* The same, and waits until `done` has run. The caller verifies what has arrived while the rest is under way, and nobody else is woken. */
void core_read_wait(struct core_object *object, uint64_t block, const struct core_segment *segments, unsigned int count,
		    void (*done)(void *context, int error, const uint64_t *bad), void *context);
/*
 * core_read into memory that others may write to meanwhile, which makes a sound block look damaged. So what does not verify, or cannot be
 * read, is not tried a second time, repaired, counted or told of: an error here says that the caller has to read it with core_read, into
 * memory of his own, to know.
 */
void core_read_once(struct core_object *object, uint64_t block, const struct core_segment *segments, unsigned int count,
		    void (*done)(void *context, int error, const uint64_t *bad), void *context);
/*
 * Whether core_read of these blocks would, before it returns, wait for a lock, for metadata to be read or for what only the intent log
 * has to be written. A hint, of the moment; waits for nothing.
 */
bool core_read_waits(struct core_object *object, uint64_t block, uint64_t blocks);

/*
 * Promises space for `blocks` dirty blocks of the object. -ENOSPC; may wait for a group to commit to get
 * freed space back, so the caller holds no folio lock. Each promise ends in core_write or
 * core_unreserve.
 */
int core_reserve(struct core_object *object, uint64_t blocks);
/*
 * The same for `blocks` of [block, block + count), which are to be written. When all of that is preallocated it cannot fail for want of
 * space, and `backed` is set: such a promise is good for these blocks only, and for as long as core_is_backed holds of them: a write that
 * the caller did not wait for before it asked uses the blocks up. So it asks again once nobody else can write to them.
 */
int core_reserve_for(struct core_object *object, uint64_t block, uint64_t count, uint64_t blocks, bool *backed);
/* All of it is preallocated, and not being written. Also false when that cannot be told for an error. */
bool core_is_backed(struct core_object *object, uint64_t block, uint64_t count);
void core_unreserve(struct core_object *object, uint64_t blocks);

/*
 * Gives every hole in [block, block + blocks) blocks of its own, which read zeros until they are written; then writing there does not
 * fail for want of space. The size stays; they may lie behind it, until the next core_truncate. -ENOSPC before anything is done.
 * -EINVAL: no such blocks, or not a file. Data in the record gets a block. See core/fs/allocate.h.
 */
int core_allocate(struct core_object *object, uint64_t block, uint64_t blocks);

/*
 * Writes file blocks [block, ...) to newly allocated places, or in place what is preallocated, and enters them into the file in the group
 * open when they are on disk, all in one; the promises of these blocks are used up in any case. `size_bytes` is the
 * file's size as the page cache has it: the file on disk grows to min(size_bytes, end of what was written). What is
 * given behind size_bytes is zeros, so that a file that grows later shows nothing else (core/fs/tail.h).
 * A file of at most CORE_INLINE_MAX bytes that is written whole is kept in its record.
 * May wait for groups to commit on a nearly full pool; commits wait for no write.
 * `done` as in core_read, in a sleepable context, after the extents are visible to core_read. The contents
 * must not change until then. At most CORE_WRITE_MAX_BLOCKS.
 */
#define CORE_WRITE_MAX_BLOCKS 256u
#define CORE_INLINE_MAX 2048u
void core_write(struct core_object *object, uint64_t block, const struct core_segment *segments, unsigned int count,
		uint64_t size_bytes, void (*done)(void *context, int error), void *context);

/*
 * For fsync of little data: takes a copy of blocks [block, ...), which is in the file at once and rides in the intent log; it
 * becomes durable with the next core_object_sync, and goes to its place later. Parameters and promises as core_write;
 * at most CORE_LOG_MAX_BLOCKS. An error leaves everything as it was, promises included: use core_write then.
 * `hastens` for the last thing before the caller's core_object_sync: the log write starts at once, if it can.
 */
#define CORE_LOG_MAX_BLOCKS 16u
int core_log_write(struct core_object *object, uint64_t block, const struct core_segment *segments, unsigned int count,
		   uint64_t size_bytes, bool hastens);

/*
 * Sets the size. Shrinking frees whole blocks past the end and zeroes what is stored of the last block behind
 * it, in the group of the new size (works on a full pool; an error that keeps the last block from being read keeps the
 * size). The caller has zeroed the rest of the last block in its cache; page cache beyond the end must be gone and not
 * under writeback.
 */
int core_truncate(struct core_object *object, uint64_t size_bytes, struct core_time time);

/*
 * Makes a hole of blocks [block, block + blocks); the size stays. Works on a full pool. A range of many extents takes several
 * groups: a crash in between leaves a front of it. Page cache of these blocks must be gone and not under writeback.
 * -EINVAL: no such blocks, or not a file.
 */
int core_punch(struct core_object *object, uint64_t block, uint64_t blocks, struct core_time time);

/*
 * Blocks [block, block + blocks) of `source` come to be `target`'s from `to` on as well, without a copy; it grows to what of them lies
 * within `size_bytes`. Many extents take several groups: a crash, or an error, may leave a front of the range cloned. Page cache of
 * both ranges must have been written, that of the target's must be gone. keeps_times: the contents stay as they are (deduplication).
 * -EINVAL: no such blocks, ranges that overlap, not files; -EXDEV: other datasets; -ENOSPC.
 */
struct core_clone {
	struct core_object *source, *target;
	uint64_t block, to, blocks, size_bytes;
	struct core_time time;
	bool keeps_times;
};
int core_clone_range(const struct core_clone *clone);

/*
 * Takes blocks out of the file, or puts a hole in; what follows moves, the size changes with it. Page cache from `block` on must be
 * gone and not under writeback, and the size on disk the file's. Each is one change unless more than 64 extents move: then a crash or
 * an error may leave a part of it done (core/fs/shift.h). -EINVAL: not within the file, all of it included, or no file; -EFBIG.
 */
int core_collapse(struct core_object *object, uint64_t block, uint64_t blocks, struct core_time time);
int core_insert(struct core_object *object, uint64_t block, uint64_t blocks, struct core_time time);

struct core_extent {
	uint64_t block;      /* file block */
	uint64_t blocks;     /* length */
	bool hole;
	bool inlined;
	bool unwritten;      /* it has blocks, and reads zeros */
	bool shared;         /* with other extents, as of the last committed group; compressed: or with another part of its unit */
	bool compressed;     /* device_block is where its unit begins, whose bytes are not the file's */
	uint32_t device;     /* where it is, when neither hole nor inlined */
	uint64_t device_block;
};
/* Waits until `shared` below tells what was cloned or freed so far: no wait for a file that has nothing to share. Sleepable. */
int core_settle_shares(struct core_object *object);
/* The extent or hole at `block`, clipped to start there; blocks past the last extent are one hole to the end of time. */
int core_map(struct core_object *object, uint64_t block, struct core_extent *extent);

/* ---- checking and looking -------------------------------------------------------------------------- */

struct core_check_report {
	uint64_t objects, directories, names, extents, nodes, blocks_used;
	uint64_t problems;
};
/*
 * Every pass of fsck over a pool opened read-only (or with nothing changing): trees, records, extents, names, link
 * counts, orphans, bitmaps against what is reachable, space counts; with `read_data` each data block is
 * read and verified. `problem` gets one line per finding; `progress` (may be NULL) done and total, in blocks.
 * 0 when the walk ended, whatever it found.
 */
int core_check(struct core_pool *pool, bool read_data, void (*problem)(void *context, const char *text),
	       void (*progress)(void *context, uint64_t done, uint64_t total), void *context,
	       struct core_check_report *report);

/*
 * Description lines of the on-disk structures for `lcpfs dump`. `what`: "labels", "uberblocks", "trees", "metaslabs",
 * "log" (the intent log), "object:ID" (of the first dataset), "object:DATASET-ID:ID".
 */
int core_dump(struct core_pool *pool, const char *what, void (*line)(void *context, const char *text), void *context);
/* The same of one device that need not belong to a working pool: "labels", "uberblocks". */
int core_dump_device(struct host_bdev *bdev, const char *what, void (*line)(void *context, const char *text), void *context);

#ifdef __cplusplus
}
#endif

#endif
