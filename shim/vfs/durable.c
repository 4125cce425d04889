// SPDX-License-Identifier: GPL-2.0-only
/*
 * durable.c: what is durable when a call returns: fsync, O_SYNC and O_DSYNC, sync and dirsync mounts, and sync=.
 *
 *   standard   as the caller, the open file or the mount asks
 *   always     every call that changes something, as if each were followed by fsync
 *   disabled   nothing: fsync returns at once, O_SYNC and sync mounts mean nothing. sync(2), syncfs(2), unmounting, remounting
 *              read-only and freezing still commit a group, and a crash still leaves a prefix of what was done
 *
 * All of it goes by core_object_sync, which is one write of the intent log however many records wait; where a pool has no log, it
 * is a group commit. Whoever changes two directories asks for both: the second time there is nothing left to write.
 *
 * A change that is done and cannot be made durable stands, and its call fails, as a failed fsync does.
 */
#include <linux/fs.h>
#include <linux/writeback.h>

#include "shim/vfs/inode.h"
#include "shim/vfs/super.h"
#include "shim/vfs/transfer.h"

/* One word that a remount may change meanwhile. */
static enum lcpfs_sync_mode lcpfs_sync_mode(const struct inode *inode)
{
	return READ_ONCE(lcpfs_super_of(inode->i_sb)->options.sync);
}

static int lcpfs_inode_commit_if(struct inode *inode, bool asked)
{
	enum lcpfs_sync_mode mode = lcpfs_sync_mode(inode);

	if (mode == LCPFS_SYNC_DISABLED || (mode == LCPFS_SYNC_STANDARD && !asked))
		return 0;
	return core_object_sync(lcpfs_object(inode));
}

int lcpfs_inode_dirsync(struct inode *directory)
{
	return lcpfs_inode_commit_if(directory, IS_DIRSYNC(directory));
}

int lcpfs_inode_changed(struct inode *inode)
{
	return lcpfs_inode_commit_if(inode, IS_SYNC(inode));
}

bool lcpfs_write_syncs(const struct kiocb *iocb)
{
	enum lcpfs_sync_mode mode = lcpfs_sync_mode(file_inode(iocb->ki_filp));

	return mode == LCPFS_SYNC_ALWAYS || (mode == LCPFS_SYNC_STANDARD && iocb_is_dsync(iocb));
}

bool lcpfs_write_syncs_data(const struct kiocb *iocb)
{
	return lcpfs_sync_mode(file_inode(iocb->ki_filp)) == LCPFS_SYNC_STANDARD && iocb_is_dsync(iocb) &&
	       !(iocb->ki_flags & IOCB_SYNC);
}

ssize_t lcpfs_written(struct kiocb *iocb, ssize_t bytes)
{
	switch (lcpfs_sync_mode(file_inode(iocb->ki_filp))) {
	case LCPFS_SYNC_DISABLED:
		return bytes;
	case LCPFS_SYNC_ALWAYS:
		/* With the times, which a write moves as well. */
		iocb->ki_flags |= IOCB_DSYNC | IOCB_SYNC;
		break;
	case LCPFS_SYNC_STANDARD:
		break;
	}
	return generic_write_sync(iocb, bytes);
}

/*
 * Whether the inode has something of its own to be written, or somebody is just writing it. That its data was dirty does not
 * count: it has been written by now, and going through the inode's writeback for it would look through the pages once more.
 */
static bool lcpfs_inode_is_dirty(const struct inode *inode)
{
	return READ_ONCE(inode->i_state) & (I_DIRTY_SYNC | I_DIRTY_DATASYNC | I_DIRTY_TIME | I_SYNC);
}

/* file_write_and_wait_range, but that it goes through the pages a second time only where one is being written: not those logged. */
static int lcpfs_write_and_wait(struct file *file, loff_t start, loff_t end)
{
	struct address_space *mapping = file->f_mapping;
	int error = 0, found;

	if (mapping->nrpages && !lcpfs_sync_only_folio(file_inode(file), start, end))
		error = filemap_fdatawrite_range(mapping, start, end);
	if (error != -EIO && mapping_tagged(mapping, PAGECACHE_TAG_WRITEBACK))
		filemap_fdatawait_range_keep_errors(mapping, start, end);
	found = file_check_and_advance_wb_err(file);
	return error ?: found;
}

/*
 * Files and directories: what the inode keeps, data, then everything the core knows of it. The times go before the data, since the
 * data's record is the last before the log write and starts it (core_log_write); what the inode's own writeback has to do is
 * done behind it, while that is under way, and finds nothing changed.
 */
int lcpfs_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	int error = 0;

	/* What writeback found out meanwhile is told all the same. */
	if (lcpfs_sync_mode(inode) == LCPFS_SYNC_DISABLED)
		return file_check_and_advance_wb_err(file);
	if (!datasync && lcpfs_inode_is_dirty(inode))
		error = lcpfs_write_inode(inode, NULL);
	atomic_inc(&lcpfs_inode_of(inode)->fsyncs);
	error = lcpfs_write_and_wait(file, start, end) ?: error;
	atomic_dec(&lcpfs_inode_of(inode)->fsyncs);
	if (error)
		return error;
	if (datasync ? inode->i_state & I_DIRTY_DATASYNC : lcpfs_inode_is_dirty(inode))
		error = sync_inode_metadata(inode, 1);
	if (error)
		return error;
	error = core_object_sync(lcpfs_object(inode));
	/* Every open file is told of a failure, once. */
	if (error) {
		mapping_set_error(inode->i_mapping, error);
		error = file_check_and_advance_wb_err(file) ?: error;
	}
	return error;
}
