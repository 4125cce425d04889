// SPDX-License-Identifier: GPL-2.0-only
/*
 * super.c: the superblock of a mounted dataset: mounting, remounting, statfs, sync, unmounting.
 *
 * A superblock is found by its pool and dataset, so mounting the same dataset again shares it, as for any
 * filesystem on one block device. The device number is anonymous, since a pool has several devices.
 *
 * Order of the end: generic_shutdown_super writes the data and evicts the inodes, which drop their objects;
 * then the dataset is put, then the pool, which commits and closes its devices; all of that after
 * s_umount is let go, because block device locks come before it.
 *
 * When the pool freezes after an error, every superblock of it gets SB_RDONLY from lcpfs_super_set_frozen,
 * without s_umount: a single bit, as other filesystems do it at that point.
 */
#include <linux/backing-dev.h>
#include <linux/fs_context.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/statfs.h>
#include <linux/string.h>

#include "shim/vfs/direct.h"
#include "shim/vfs/inode.h"
#include "shim/vfs/super.h"
#include "shim/vfs/xattr.h"
#include "shim/vfs/transfer.h"

void lcpfs_super_set_frozen(struct lcpfs_super *super)
{
	if (super->vfs && !sb_rdonly(super->vfs)) {
		pr_err("lcpfs (%s): read-only from now on, see the messages above; unmount and run fsck.lcpfs\n",
		       super->vfs->s_id);
		super->vfs->s_flags |= SB_RDONLY;
	}
}

static void lcpfs_super_free(struct lcpfs_super *super)
{
	if (!super)
		return;
	if (super->dataset)
		core_dataset_put(super->dataset);
	if (super->is_writer)
		lcpfs_pool_drop_writer(super->pool); /* where it fails the pool is frozen, which has been told */
	if (super->pool)
		lcpfs_pool_put(super->pool);
	lcpfs_options_destroy(&super->options);
	kfree(super);
}

static void lcpfs_kill_sb(struct super_block *sb)
{
	struct lcpfs_super *super = lcpfs_super_of(sb);

	kill_anon_super(sb);
	lcpfs_super_free(super);
}

static void lcpfs_put_super(struct super_block *sb)
{
	struct lcpfs_super *super = lcpfs_super_of(sb);

	if (!list_empty(&super->pool_node))
		lcpfs_pool_remove_super(super->pool, super);
}

static int lcpfs_sync_fs(struct super_block *sb, int wait)
{
	return core_pool_sync(lcpfs_super_of(sb)->pool->core, wait);
}

/*
 * All writers are stopped and their data is written. What the core does by itself is then at rest too: a group commits only
 * when something changed, deleting an inode waits (lcpfs_evict_inode), and what destroyed datasets hold stops being freed. Other
 * datasets of the pool are not frozen by it.
 */
static int lcpfs_freeze_fs(struct super_block *sb)
{
	struct core_pool *core = lcpfs_super_of(sb)->pool->core;
	int error;

	core_pool_pause(core, true);
	error = core_pool_sync(core, true);
	if (error)
		core_pool_pause(core, false);
	return error;
}

static int lcpfs_unfreeze_fs(struct super_block *sb)
{
	core_pool_pause(lcpfs_super_of(sb)->pool->core, false);
	return 0;
}

static int lcpfs_statfs(struct dentry *dentry, struct kstatfs *out)
{
	struct lcpfs_super *super = lcpfs_super_of(dentry->d_sb);
	struct core_pool_status status;
	struct core_dataset_info info;
	struct core_dataset_space space;
	u64 id[2];

	core_pool_get_status(super->pool->core, &status);
	core_dataset_get_info(super->dataset, &info);
	core_dataset_get_space(super->dataset, &space);
	memcpy(id, status.guid, 16);
	out->f_type = LCPFS_SUPER_MAGIC;
	out->f_bsize = CORE_BLOCK_SIZE;
	out->f_frsize = CORE_BLOCK_SIZE;
	out->f_blocks = space.total_blocks;
	out->f_bfree = space.free_blocks;
	out->f_bavail = space.available_blocks;
	/* Objects are made as needed: as many more as there are blocks. */
	out->f_ffree = space.available_blocks;
	out->f_files = info.objects + out->f_ffree;
	out->f_namelen = CORE_NAME_MAX;
	out->f_fsid = u64_to_fsid(id[0] ^ id[1] ^ (super->dataset_id - 1));
	return 0;
}

static int lcpfs_show_options(struct seq_file *out, struct dentry *root)
{
	struct lcpfs_super *super = lcpfs_super_of(root->d_sb);
	struct core_dataset_info info;
	struct lcpfs_options pool;

	lcpfs_pool_get_options(super->pool, &pool);
	core_dataset_get_info(super->dataset, &info);
	lcpfs_options_show(out, &super->options, &pool, &info);
	return 0;
}

static const struct super_operations lcpfs_super_operations = {
	.alloc_inode = lcpfs_alloc_inode,
	.free_inode = lcpfs_free_inode,
	.evict_inode = lcpfs_evict_inode,
	.write_inode = lcpfs_write_inode,
	.put_super = lcpfs_put_super,
	.sync_fs = lcpfs_sync_fs,
	.freeze_fs = lcpfs_freeze_fs,
	.unfreeze_fs = lcpfs_unfreeze_fs,
	.statfs = lcpfs_statfs,
	.show_options = lcpfs_show_options,
};

static int lcpfs_fill_super(struct super_block *sb, struct fs_context *context)
{
	struct lcpfs_super *super = lcpfs_super_of(sb);
	struct core_pool_status status;
	struct inode *root;
	__le64 apart = cpu_to_le64(super->dataset_id - 1);
	u8 uuid[16];
	unsigned int i;
	int error;

	core_pool_get_status(super->pool->core, &status);
	sb->s_magic = LCPFS_SUPER_MAGIC;
	sb->s_op = &lcpfs_super_operations;
	sb->s_export_op = &lcpfs_export_operations;
	sb->s_blocksize = CORE_BLOCK_SIZE;
	sb->s_blocksize_bits = ilog2(CORE_BLOCK_SIZE);
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_max_links = CORE_LINK_MAX;
	sb->s_time_gran = 1;
	sb->s_time_min = S64_MIN;
	sb->s_time_max = S64_MAX;
	sb->s_xattr = lcpfs_xattr_handlers;
	/* SB_NOSEC: that an inode has no security attributes is remembered (S_NOSEC), so that writing does not ask each time. */
	sb->s_flags |= SB_I_VERSION | SB_POSIXACL | SB_NOSEC;
	/* Blocks are checksummed as they are written: a page under writeback must not change. */
	sb->s_iflags |= SB_I_STABLE_WRITES;
	/* The first dataset has the pool's, each other one its own. */
	memcpy(uuid, status.guid, sizeof(uuid));
	for (i = 0; i < sizeof(apart); i++)
		uuid[8 + i] ^= ((u8 *)&apart)[i];
	memcpy(&sb->s_uuid, uuid, sizeof(sb->s_uuid));
	strscpy(sb->s_id, status.name, sizeof(sb->s_id));

	error = super_setup_bdi(sb);
	if (error)
		return error;
	sb->s_bdi->ra_pages = LCPFS_READAHEAD_BYTES >> PAGE_SHIFT;
	sb->s_bdi->io_pages = CORE_WRITE_MAX_BLOCKS;

	root = lcpfs_iget(sb, CORE_ROOT_OBJECT);
	if (IS_ERR(root)) {
		pr_err("lcpfs (%s): cannot mount: the root directory cannot be read: error %ld\n", sb->s_id, PTR_ERR(root));
		return PTR_ERR(root);
	}
	if (!S_ISDIR(root->i_mode)) {
		pr_err("lcpfs (%s): the root is not a directory\n", sb->s_id);
		iput(root);
		return -EUCLEAN;
	}
	sb->s_root = d_make_root(root);
	if (!sb->s_root)
		return -ENOMEM;
	super->vfs = sb;
	lcpfs_options_warn(sb->s_id, LCPFS_SYNC_STANDARD, super->options.sync);
	lcpfs_pool_add_super(super->pool, super);
	return 0;
}

static int lcpfs_test_super(struct super_block *sb, struct fs_context *context)
{
	struct lcpfs_super *ours = context->s_fs_info;
	struct lcpfs_super *other = lcpfs_super_of(sb);

	return ours->pool == other->pool && ours->dataset == other->dataset;
}

/* What has to be there before a superblock is. Whatever comes of it, lcpfs_super_free puts it. */
static int lcpfs_get_dataset(struct fs_context *context, struct lcpfs_super *super, bool read_only)
{
	struct core_dataset_info info;
	int error;

	error = lcpfs_pool_get(context->source, &super->options, read_only, &super->pool);
	if (error)
		return error;
	error = core_dataset_get(super->pool->core, super->options.dataset ?: "", &super->dataset);
	if (error == -ENOENT)
		errorf(context, "lcpfs: the pool has no dataset %s", super->options.dataset);
	if (error == -EUCLEAN)
		errorf(context, "lcpfs: the record of dataset %s is damaged", super->options.dataset);
	if (error)
		return error;
	core_dataset_get_info(super->dataset, &info);
	super->dataset_id = info.id;
	lcpfs_options_take_dataset(&super->options, &info);
	return 0;
}

/* A superblock that is new. */
static int lcpfs_start_super(struct super_block *sb, struct fs_context *context, bool read_only)
{
	struct lcpfs_super *super = lcpfs_super_of(sb);
	int error;

	if (!read_only) {
		error = lcpfs_pool_add_writer(super->pool);
		if (error) {
			errorf(context, "lcpfs: the pool is in use read-only and cannot be written now: error %d", error);
			return error;
		}
		super->is_writer = true;
	}
	error = lcpfs_options_use(context, &super->options, super->dataset);
	if (error)
		return error;
	lcpfs_pool_set_options(super->pool, &super->options);
	return lcpfs_fill_super(sb, context);
}

static int lcpfs_get_tree(struct fs_context *context)
{
	struct lcpfs_super *super = context->s_fs_info;
	bool read_only = context->sb_flags & SB_RDONLY;
	struct super_block *sb;
	int error;

	if (!context->source)
		return invalf(context, "lcpfs: no device given");
	if (super->options.no_recovery && !read_only)
		return invalf(context, "lcpfs: norecovery needs ro");
	error = lcpfs_get_dataset(context, super, read_only);
	if (error)
		return error;

	/* A new superblock takes s_fs_info over; for an old one it stays the context's, which drops it. */
	sb = sget_fc(context, lcpfs_test_super, set_anon_super_fc);
	if (IS_ERR(sb))
		return PTR_ERR(sb);
	if (sb->s_root) {
		if (sb_rdonly(sb) != read_only) {
			deactivate_locked_super(sb);
			return -EBUSY;
		}
	} else {
		error = lcpfs_start_super(sb, context, read_only);
		if (error) {
			deactivate_locked_super(sb);
			return error;
		}
		sb->s_flags |= SB_ACTIVE;
	}
	context->root = dget(sb->s_root);
	return 0;
}

/* Under s_umount. */
static int lcpfs_set_read_only(struct super_block *sb, bool read_only)
{
	struct lcpfs_super *super = lcpfs_super_of(sb);
	int error;

	error = read_only ? sync_filesystem(sb) : 0;
	/* A writer that is read-only is one of a frozen pool: the core refuses. */
	if (!error && !read_only && super->is_writer)
		error = core_pool_set_read_only(super->pool->core, false);
	else if (!error && read_only == super->is_writer)
		error = read_only ? lcpfs_pool_drop_writer(super->pool) : lcpfs_pool_add_writer(super->pool);
	if (!error)
		super->is_writer = !read_only;
	return error;
}

static int lcpfs_reconfigure(struct fs_context *context)
{
	struct super_block *sb = context->root->d_sb;
	struct lcpfs_super *super = lcpfs_super_of(sb);
	struct lcpfs_super *wanted = context->s_fs_info;
	bool read_only = context->sb_flags & SB_RDONLY;
	struct core_dataset_info info;
	int error;

	core_dataset_get_info(super->dataset, &info);
	error = lcpfs_options_check_change(context, &super->options, &wanted->options, info.name);
	if (error)
		return error;
	/* The flag is only an answer where it was asked for. */
	if ((context->sb_flags_mask & SB_RDONLY) && read_only != sb_rdonly(sb)) {
		error = lcpfs_set_read_only(sb, read_only);
		if (error)
			return error;
	}
	error = lcpfs_options_use(context, &wanted->options, super->dataset);
	if (error)
		return error;
	lcpfs_options_warn(sb->s_id, super->options.sync, wanted->options.sync);
	super->options.named = wanted->options.named;
	WRITE_ONCE(super->options.sync, wanted->options.sync);
	WRITE_ONCE(super->options.log_bias, wanted->options.log_bias);
	WRITE_ONCE(super->options.compression, wanted->options.compression);
	WRITE_ONCE(super->options.checksum, wanted->options.checksum);
	lcpfs_pool_set_options(super->pool, &wanted->options);
	return 0;
}

static int lcpfs_parse_param(struct fs_context *context, struct fs_parameter *parameter)
{
	struct lcpfs_super *super = context->s_fs_info;

	return lcpfs_options_parse(context, &super->options, parameter);
}

static void lcpfs_free_context(struct fs_context *context)
{
	lcpfs_super_free(context->s_fs_info);
}

static const struct fs_context_operations lcpfs_context_operations = {
	.parse_monolithic = lcpfs_options_parse_string,
	.parse_param = lcpfs_parse_param,
	.get_tree = lcpfs_get_tree,
	.reconfigure = lcpfs_reconfigure,
	.free = lcpfs_free_context,
};

static int lcpfs_init_context(struct fs_context *context)
{
	struct lcpfs_super *super = kzalloc(sizeof(*super), GFP_KERNEL);

	if (!super)
		return -ENOMEM;
	INIT_LIST_HEAD(&super->pool_node);
	lcpfs_options_init(&super->options);
	/* Remounting starts from what is, so that an option not named stays. */
	if (context->purpose == FS_CONTEXT_FOR_RECONFIGURE) {
		struct lcpfs_super *old = lcpfs_super_of(context->root->d_sb);

		super->options.named = old->options.named & (LCPFS_NAMED_SYNC | LCPFS_NAMED_LOG_BIAS |
							     LCPFS_NAMED_COMPRESSION | LCPFS_NAMED_CHECKSUM);
		super->options.sync = old->options.sync;
		super->options.log_bias = old->options.log_bias;
		super->options.compression = old->options.compression;
		super->options.checksum = old->options.checksum;
	}
	context->s_fs_info = super;
	context->ops = &lcpfs_context_operations;
	return 0;
}

static struct file_system_type lcpfs_filesystem_type = {
	.owner = THIS_MODULE,
	.name = "lcpfs",
	.init_fs_context = lcpfs_init_context,
	.kill_sb = lcpfs_kill_sb,
	.fs_flags = FS_ALLOW_IDMAP,
};

int lcpfs_super_init(void)
{
	int error;

	error = lcpfs_inode_cache_init();
	if (error)
		return error;
	error = lcpfs_transfer_init();
	if (error)
		goto exit_inodes;
	error = lcpfs_async_init();
	if (error)
		goto exit_transfer;
	lcpfs_direct_init();
	error = register_filesystem(&lcpfs_filesystem_type);
	if (error)
		goto exit_direct;
	return 0;

exit_direct:
	lcpfs_direct_exit();
	lcpfs_async_exit();
exit_transfer:
	lcpfs_transfer_exit();
exit_inodes:
	lcpfs_inode_cache_exit();
	return error;
}

void lcpfs_super_exit(void)
{
	unregister_filesystem(&lcpfs_filesystem_type);
	lcpfs_async_exit();
	lcpfs_direct_exit();
	lcpfs_transfer_exit();
	/* Inodes are freed after a grace period; the cache they go to must still be there. */
	rcu_barrier();
	lcpfs_inode_cache_exit();
}
