/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one order in which locks are taken: a thread that holds a lock takes only locks further down this
 * table. Several of one rank: in rising subclass (object locks: by rising object id).
 * A C header, since the kernel host makes one lockdep class of each row.
 */
#ifndef LCPFS_LOCK_RANK_H
#define LCPFS_LOCK_RANK_H

#define LCPFS_LOCK_RANKS(X)                                                        \
	X(pool_state)     /* Pool: open, close, freeze, remount */                 \
	X(path_admin)     /* PathManager: adding, removing, setting paths */       \
	X(txg_sync)       /* TxgEngine: one sync at a time */                      \
	X(node_kit)       /* NodeKit: whose turn it is */                          \
	X(datasets)       /* Datasets: the list of them, names and properties */   \
	X(object)         /* Object: attributes and trees of one object */         \
	X(object_table)   /* Dataset: the object table and orphan trees */         \
	X(pool_tree)      /* Pool: the pool tree */                                \
	X(partition)      /* PartitionController: entries, decisions, learned state */ \
	X(share_table)    /* ShareTable: its tree */                               \
	X(metaslab_table) /* Allocator: the metaslab table tree */                 \
	X(metaslab)       /* Metaslab: bitmaps */                                  \
	X(delayed_writes) /* DelayedWrites: one writer at a time */                \
	X(object_cache)   /* Dataset: hash of objects in memory (spin) */          \
	X(txg_state)      /* TxgEngine: lists of the open groups (spin) */         \
	X(node_cache)     /* NodeCache: one shard (spin) */                        \
	X(free_log)       /* FreeLog: chunks of one group (spin) */                \
	X(intent_log)     /* IntentLog: records waiting (spin) */                  \
	X(log_writer)     /* LogWriter: frames in flight (spin) */                 \
	X(vdev)           /* Vdev: written-since-flush state (spin) */             \
	X(path_copy)      /* PathCopy: attempts of one request (spin) */           \
	X(path)           /* PathGroup: states, waiting requests (spin) */         \
	X(io)             /* I/O completion state (spin) */                        \
	X(event)          /* EventRing: lines for the log (spin) */                \
	X(test)           /* for tests */

enum lcpfs_lock_rank {
#define LCPFS_LOCK_RANK_ENUM(name) LCPFS_RANK_##name,
	LCPFS_LOCK_RANKS(LCPFS_LOCK_RANK_ENUM)
#undef LCPFS_LOCK_RANK_ENUM
	LCPFS_RANK_COUNT
};

#endif
