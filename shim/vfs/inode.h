/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * inode.h: an inode in memory.
 *
 * The core's object is the truth of names, links, sizes of directories and everything on disk; the VFS inode
 * is the truth, while it is in memory, of a file's size, its times and its change counter. What names change
 * goes to the core at once and comes back by lcpfs_inode_refresh; times go by lcpfs_inode_push, late.
 *
 * The inode holds one reference on its object from iget to evict.
 */
#ifndef LCPFS_INODE_H
#define LCPFS_INODE_H

#include <linux/atomic.h>
#include <linux/fs.h>

#include "core/api/core.h"
#include "kmod/compat.h"

struct export_operations;
struct fileattr;

struct lcpfs_inode {
	struct core_object *object;
	atomic64_t promised;        /* blocks dirty or being written that the core does not count yet */
	pgoff_t promised_last;      /* the folio that the last of them came with: a hint */
	struct timespec64 birth;    /* constant */
	atomic_t fsyncs;            /* that write its data just now: what they log is the last before the log write */
	atomic_t direct_writes;     /* under way with i_rwsem let go (direct_async.c) */
	u32 flags, project;         /* flags.c; i_rwsem */
	struct mutex push;          /* over reading what the VFS has and giving it to the core: the last one gives the newest */
	struct inode vfs;
};

static inline struct lcpfs_inode *lcpfs_inode_of(const struct inode *inode)
{
	return container_of(inode, struct lcpfs_inode, vfs);
}

static inline struct core_object *lcpfs_object(const struct inode *inode)
{
	return lcpfs_inode_of(inode)->object;
}

static inline struct core_time lcpfs_time(struct timespec64 time)
{
	return (struct core_time){ .seconds = time.tv_sec, .nanoseconds = time.tv_nsec };
}

static inline struct timespec64 lcpfs_timespec(struct core_time time)
{
	return (struct timespec64){ .tv_sec = time.seconds, .tv_nsec = time.nanoseconds };
}

extern const struct inode_operations lcpfs_file_inode_operations;
extern const struct inode_operations lcpfs_directory_inode_operations;
extern const struct inode_operations lcpfs_symlink_inode_operations;
extern const struct inode_operations lcpfs_special_inode_operations;
extern const struct file_operations lcpfs_file_operations;
extern const struct file_operations lcpfs_directory_operations;
extern const struct address_space_operations lcpfs_address_operations;
extern const struct export_operations lcpfs_export_operations;

int lcpfs_inode_cache_init(void);
void lcpfs_inode_cache_exit(void);
struct inode *lcpfs_alloc_inode(struct super_block *sb);
void lcpfs_free_inode(struct inode *inode);
void lcpfs_evict_inode(struct inode *inode);
int lcpfs_write_inode(struct inode *inode, struct writeback_control *control);

/* The inode of an object; ERR_PTR. */
struct inode *lcpfs_iget(struct super_block *sb, u64 id);
/*
 * `inode`, of new_inode(), becomes that of an object just made, locked (I_NEW). Takes over both references, and drops them when it
 * fails.
 */
int lcpfs_inode_adopt(struct inode *inode, struct core_object *object);

/* Takes links, times and for directories the size from the core, after a change of names at `time`. i_rwsem held. */
void lcpfs_inode_refresh(struct inode *inode, struct core_time time);
/* What of an inode the VFS has the truth of, but for its size. To give it to the core, read it with `push` held. */
struct core_attr lcpfs_inode_attr(const struct inode *inode);
/* Gives the core the fields of `mask` (CORE_SET_*). */
int lcpfs_inode_push(struct inode *inode, unsigned int mask);

int lcpfs_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *change);
int lcpfs_getattr(struct mnt_idmap *idmap, const struct path *path, struct kstat *stat, u32 request_mask,
		  unsigned int flags);

/* durable.c: last thing in a call, with the change done. Of names in a directory; of an inode's attributes or size; of data. */
int lcpfs_inode_dirsync(struct inode *directory);
int lcpfs_inode_changed(struct inode *inode);
ssize_t lcpfs_written(struct kiocb *iocb, ssize_t bytes);
/* Whether lcpfs_written waits until the data is durable, and whether that is all: not the times as well. */
bool lcpfs_write_syncs(const struct kiocb *iocb);
bool lcpfs_write_syncs_data(const struct kiocb *iocb);
int lcpfs_fsync(struct file *file, loff_t start, loff_t end, int datasync);

/* flags.c */
void lcpfs_flags_take(struct inode *inode, u32 flags, u32 project);
void lcpfs_flags_inherit(const struct inode *directory, struct core_new *how);
/* Whether the directory takes something with this project id. */
bool lcpfs_project_allows(const struct inode *directory, const struct inode *inode);
int lcpfs_fileattr_get(struct dentry *dentry, struct fileattr *attributes);
int lcpfs_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry, struct fileattr *attributes);

/* ioctl.c: ioctls of files and directories */
long lcpfs_ioctl(struct file *file, unsigned int command, unsigned long argument);

/* truncate.c; i_rwsem held. */
int lcpfs_truncate(struct inode *inode, loff_t size, struct timespec64 time);
/* Zeroes what follows `size`, the end of the file, in its last block if that is cached. i_rwsem held, no folio lock. */
void lcpfs_zero_tail(struct inode *inode, loff_t size);
/* Writes what is in memory between the size on disk and `end`. i_rwsem held. */
int lcpfs_flush_to(struct inode *inode, loff_t end);

/* Of position, length and addresses of direct I/O, in bytes. */
#define LCPFS_DIRECT_ALIGN 512u

/* direct.c; writes with i_rwsem held and the checks done. */
ssize_t lcpfs_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t lcpfs_direct_write(struct kiocb *iocb, struct iov_iter *from);

/* holes.c */
loff_t lcpfs_llseek(struct file *file, loff_t offset, int whence);
/* Whether it has blocks behind its end: preallocated, or left by a cut that failed. */
bool lcpfs_has_blocks_behind(struct inode *inode, loff_t size);
int lcpfs_fiemap(struct inode *inode, struct fiemap_extent_info *info, u64 start, u64 bytes);

/* allocate.c */
long lcpfs_fallocate(struct file *file, int mode, loff_t offset, loff_t bytes);

/* clone.c */
loff_t lcpfs_remap_file_range(struct file *file_in, loff_t pos_in, struct file *file_out, loff_t pos_out, loff_t len,
			      unsigned int flags);

/* write.c */
ssize_t lcpfs_write_iter(struct kiocb *iocb, struct iov_iter *from);
/* Into the page cache at ki_pos, which moves. i_rwsem held. */
ssize_t lcpfs_buffered_write(struct kiocb *iocb, struct iov_iter *from);
/* Zeroes bytes of one page as a write would: inside the file, i_rwsem held, no folio lock. */
int lcpfs_zero_cached(struct inode *inode, loff_t position, size_t bytes);
/* Makes the page at `position`, inside the file, dirty as it is. i_rwsem held, no folio lock. */
int lcpfs_rewrite_cached(struct inode *inode, loff_t position);

#endif
