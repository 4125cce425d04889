// SPDX-License-Identifier: GPL-2.0-only
/*
 * dir.c: reading directories.
 *
 * Positions: 0 and 1 are "." and "..", 2 is the start of the core's entries, everything above is the core's cookie
 * of an entry, stable for the life of its name. seekdir and NFS may come back with any of them. The VFS
 * holds i_rwsem shared; the core emits without locks of its own, so copying to the user may fault.
 */
#include <linux/fs.h>

#include "shim/vfs/inode.h"

#define LCPFS_READDIR_START 2

static bool lcpfs_readdir_emit(void *context, const char *name, uint32_t length, uint64_t id, uint8_t type,
			       uint64_t cookie)
{
	struct dir_context *out = context;

	out->pos = cookie;
	return dir_emit(out, name, length, id, type);
}

static int lcpfs_readdir(struct file *file, struct dir_context *out)
{
	u64 cookie;
	int error;

	if (!dir_emit_dots(file, out))
		return 0;
	cookie = out->pos == LCPFS_READDIR_START ? 0 : out->pos;
	error = core_readdir(lcpfs_object(file_inode(file)), &cookie, lcpfs_readdir_emit, out);
	if (!error && cookie)
		out->pos = cookie;
	return error;
}

const struct file_operations lcpfs_directory_operations = {
	.llseek = generic_file_llseek,
	.read = generic_read_dir,
	.iterate_shared = lcpfs_readdir,
	.fsync = lcpfs_fsync,
	.unlocked_ioctl = lcpfs_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};
