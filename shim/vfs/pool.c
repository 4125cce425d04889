// SPDX-License-Identifier: GPL-2.0-only
/*
 * pool.c: finding the devices of a pool, starting it, sharing it, closing it. See pool.h.
 *
 * Devices are claimed with the lcpfs_pool as holder and opened for writing where they allow it, so that a
 * read-only mount can be remounted read-write. A device named by the user that is not of this pool is an
 * error; one that the scan remembered is passed over.
 *
 * The source of a mount is claimed and read before lcpfs_pools_lock is taken (look.h); whoever cannot have the lock at once gives the
 * device back before waiting for it.
 *
 * Lock order: lcpfs_pools_lock, then block device locks. s_umount is not held over any of it.
 */
#include <linux/blkdev.h>
#include <linux/err.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "shim/host/host_bdev.h"
#include "shim/vfs/look.h"
#include "shim/vfs/options.h"
#include "shim/vfs/pool.h"
#include "shim/vfs/scan.h"
#include "shim/vfs/super.h"
#include "shim/vfs/sysfs.h"

static DEFINE_MUTEX(lcpfs_pools_lock);
static LIST_HEAD(lcpfs_pools);
/*
 * How many have ended; written under the lock. Two device nodes may lead to one disk without anybody saying so: what was read by one
 * while a pool had the other is read again when that pool is gone.
 */
static unsigned int lcpfs_pools_ended;

/* In its own time: the core tells of events in any context. */
static void lcpfs_pool_tell(struct work_struct *work)
{
	lcpfs_sysfs_changed(container_of(work, struct lcpfs_pool, event_work)->sysfs);
}

static void lcpfs_pool_logged(void *context, u8 level)
{
	struct lcpfs_pool *pool = context;
	unsigned long flags;

	if (level > HOST_LOG_WARNING)
		return;
	spin_lock_irqsave(&pool->event_lock, flags);
	if (pool->tells)
		schedule_work(&pool->event_work);
	spin_unlock_irqrestore(&pool->event_lock, flags);
}

static void lcpfs_pool_set_tells(struct lcpfs_pool *pool, bool tells)
{
	spin_lock_irq(&pool->event_lock);
	pool->tells = tells;
	spin_unlock_irq(&pool->event_lock);
}

static void lcpfs_pool_notify(void *context, int event)
{
	struct lcpfs_pool *pool = context;
	struct lcpfs_super *super;

	if (event != CORE_EVENT_FROZEN)
		return;
	spin_lock(&pool->lock);
	pool->frozen = true;
	list_for_each_entry(super, &pool->supers, pool_node)
		lcpfs_super_set_frozen(super);
	spin_unlock(&pool->lock);
}

void lcpfs_pool_add_super(struct lcpfs_pool *pool, struct lcpfs_super *super)
{
	spin_lock(&pool->lock);
	list_add(&super->pool_node, &pool->supers);
	if (pool->frozen)
		lcpfs_super_set_frozen(super);
	spin_unlock(&pool->lock);
}

void lcpfs_pool_remove_super(struct lcpfs_pool *pool, struct lcpfs_super *super)
{
	spin_lock(&pool->lock);
	list_del_init(&super->pool_node);
	spin_unlock(&pool->lock);
}

void lcpfs_pool_dataset_changed(struct lcpfs_pool *pool, u64 id)
{
	struct core_dataset_info info;
	struct lcpfs_super *super;

	if (core_dataset_next(pool->core, id, &info) || info.id != id)
		return;
	spin_lock(&pool->lock);
	list_for_each_entry(super, &pool->supers, pool_node)
		if (super->dataset_id == id)
			lcpfs_options_take_dataset(&super->options, &info);
	spin_unlock(&pool->lock);
}

int lcpfs_pool_add_writer(struct lcpfs_pool *pool)
{
	int error = 0;

	/* Somebody who turns it read-only may be waiting for its devices. */
	if (mutex_lock_killable(&pool->write_lock))
		return -EINTR;
	if (pool->read_only)
		error = core_pool_set_read_only(pool->core, false);
	if (!error) {
		pool->read_only = false;
		pool->writers++;
	}
	mutex_unlock(&pool->write_lock);
	return error;
}

int lcpfs_pool_drop_writer(struct lcpfs_pool *pool)
{
	int error = 0;

	mutex_lock(&pool->write_lock);
	if (pool->writers == 1) {
		error = core_pool_set_read_only(pool->core, true);
		if (!error)
			pool->read_only = true;
	}
	if (!error)
		pool->writers--;
	mutex_unlock(&pool->write_lock);
	return error;
}

void lcpfs_pool_set_options(struct lcpfs_pool *pool, const struct lcpfs_options *options)
{
	mutex_lock(&pool->write_lock);
	lcpfs_options_take_pool(&pool->options, options);
	core_pool_set_no_path_timeout(pool->core, lcpfs_options_no_path_ms(&pool->options));
	core_pool_set_options(pool->core, pool->options.txg_interval * 1000, pool->options.errors);
	core_pool_set_discard(pool->core, pool->options.discard);
	if (options->named & LCPFS_NAMED_PARTITION_MODE)
		core_partitions_set_mode(pool->core, options->partition_mode);
	mutex_unlock(&pool->write_lock);
}

void lcpfs_pool_get_options(struct lcpfs_pool *pool, struct lcpfs_options *options)
{
	struct core_partitions partitions;

	core_partitions_get(pool->core, &partitions);
	options->partition_mode = partitions.mode;
	mutex_lock(&pool->write_lock);
	options->errors = pool->options.errors;
	options->txg_interval = pool->options.txg_interval;
	options->no_path_timeout = pool->options.no_path_timeout;
	options->discard = pool->options.discard;
	mutex_unlock(&pool->write_lock);
}

bool lcpfs_pool_has_device(const struct lcpfs_pool *pool, const struct host_bdev *bdev)
{
	unsigned int i;

	for (i = 0; i < pool->bdev_count; i++)
		if (host_bdev_number(pool->bdevs[i]) == host_bdev_number(bdev))
			return true;
	return false;
}

static bool lcpfs_pool_has_guid(const struct lcpfs_pool *pool, const u8 guid[16])
{
	unsigned int i;

	for (i = 0; i < pool->bdev_count; i++)
		if (!memcmp(pool->device_guids[i], guid, 16))
			return true;
	return false;
}

static struct host_bdev *lcpfs_pool_try_device(struct lcpfs_pool *pool, const char *path, bool read_only)
{
	struct host_bdev *bdev = host_bdev_open(path, true, pool);

	if (read_only && (bdev == ERR_PTR(-EACCES) || bdev == ERR_PTR(-EROFS)))
		bdev = host_bdev_open(path, false, pool);
	return bdev;
}

struct host_bdev *lcpfs_pool_open_device(struct lcpfs_pool *pool, const char *path, bool read_only)
{
	struct host_bdev *bdev;
	unsigned int looks;

	do {
		looks = lcpfs_look_count();
		bdev = lcpfs_pool_try_device(pool, path, read_only);
	} while (bdev == ERR_PTR(-EBUSY) && lcpfs_look_wait(path, looks));
	return bdev;
}

static void lcpfs_pool_take_device(struct lcpfs_pool *pool, struct host_bdev *bdev, const struct core_label *label,
				   struct core_labels *labels)
{
	memcpy(pool->device_guids[pool->bdev_count], label->device_guid, 16);
	pool->labels[pool->bdev_count] = labels;
	pool->bdevs[pool->bdev_count++] = bdev;
}

/* Adds the device at `path`. `named` by the user: what is wrong with it is an error. */
static int lcpfs_pool_add_device(struct lcpfs_pool *pool, const char *path, bool read_only, bool named)
{
	struct core_labels *labels = NULL;
	struct core_label label;
	struct host_bdev *bdev;
	int error = 0;

	bdev = lcpfs_pool_open_device(pool, path, read_only);
	if (IS_ERR(bdev)) {
		if (named)
			pr_err("lcpfs (%s): cannot open %s: error %ld\n", pool->name, path, PTR_ERR(bdev));
		return named ? PTR_ERR(bdev) : 0;
	}
	if (lcpfs_pool_has_device(pool, bdev))
		goto close;
	error = core_read_labels(bdev, &label, !named, &labels);
	if (error)
		goto close;
	if (memcmp(label.pool_guid, pool->guid, 16)) {
		if (named)
			pr_err("lcpfs (%s): %s belongs to another pool (%s): leave it out\n", pool->name, path, label.name);
		error = -EINVAL;
		goto close;
	}
	/* A second device with one GUID is a path to it, which the core proves; a read-only pool takes one of each. */
	if (!named && read_only && lcpfs_pool_has_guid(pool, label.device_guid))
		goto close;
	if (pool->bdev_count == LCPFS_MAX_BDEVS) {
		pr_err("lcpfs (%s): more than %u devices\n", pool->name, LCPFS_MAX_BDEVS);
		error = -EINVAL;
		goto close;
	}
	lcpfs_pool_take_device(pool, bdev, &label, labels);
	return 0;

close:
	core_labels_free(labels);
	host_bdev_close(bdev);
	return named ? error : 0;
}

static int lcpfs_pool_add_known_devices(struct lcpfs_pool *pool, bool read_only)
{
	char **paths = kcalloc(LCPFS_MAX_BDEVS, sizeof(*paths), GFP_KERNEL);
	int count, i, error = 0;

	if (!paths)
		return -ENOMEM;
	count = lcpfs_scan_paths(pool->guid, paths, LCPFS_MAX_BDEVS);
	if (count < 0)
		error = count;
	for (i = 0; i < count; i++) {
		if (!error)
			error = lcpfs_pool_add_device(pool, paths[i], read_only, false);
		kfree(paths[i]);
	}
	kfree(paths);
	return error;
}

static int lcpfs_pool_add_devices(struct lcpfs_pool *pool, const struct lcpfs_options *options, bool read_only)
{
	unsigned int i;
	int error = 0;

	for (i = 0; !error && i < options->device_count; i++)
		error = lcpfs_pool_add_device(pool, options->devices[i], read_only, true);
	return error ?: lcpfs_pool_add_known_devices(pool, read_only);
}

static void lcpfs_pool_free_labels(struct lcpfs_pool *pool)
{
	unsigned int i;

	for (i = 0; i < pool->bdev_count; i++) {
		core_labels_free(pool->labels[i]);
		pool->labels[i] = NULL;
	}
}

static void lcpfs_pool_drop_devices(struct lcpfs_pool *pool)
{
	lcpfs_pool_free_labels(pool);
	while (pool->bdev_count)
		host_bdev_close(pool->bdevs[--pool->bdev_count]);
}

static void lcpfs_pool_free(struct lcpfs_pool *pool)
{
	lcpfs_pool_drop_devices(pool);
	kfree(pool);
}

static struct lcpfs_pool *lcpfs_pool_create(const struct lcpfs_options *options, bool read_only)
{
	struct lcpfs_pool *pool = kzalloc(sizeof(*pool), GFP_KERNEL);

	if (!pool)
		return NULL;
	spin_lock_init(&pool->lock);
	spin_lock_init(&pool->event_lock);
	INIT_WORK(&pool->event_work, lcpfs_pool_tell);
	mutex_init(&pool->path_lock);
	mutex_init(&pool->write_lock);
	mutex_init(&pool->dataset_lock);
	pool->read_only = read_only;
	lcpfs_options_init(&pool->options);
	lcpfs_options_take_pool(&pool->options, options);
	INIT_LIST_HEAD(&pool->supers);
	return pool;
}

/* Reads a device that is to be the pool's first one, and closes it if that fails. */
static int lcpfs_pool_take_source(struct lcpfs_pool *pool, struct host_bdev *bdev, struct core_label *label)
{
	struct core_labels *labels = NULL;
	int error = core_read_labels_ahead(bdev, label, &labels);

	if (error)
		host_bdev_close(bdev);
	else
		lcpfs_pool_take_device(pool, bdev, label, labels);
	return error;
}

/*
 * What the device at `source` says. It is held from before it is read, so that nothing has to be read again, unless it is in use:
 * by the pool it belongs to, most likely.
 */
static int lcpfs_pool_look(struct lcpfs_pool *pool, const char *source, struct lcpfs_look *look, struct core_label *label)
{
	struct host_bdev *bdev = lcpfs_pool_try_device(pool, source, pool->read_only);

	if (!IS_ERR(bdev) && host_bdev_number(bdev) != look->number) { /* the path has just become another's */
		host_bdev_close(bdev);
		bdev = ERR_PTR(-EBUSY);
	}
	if (IS_ERR(bdev)) {
		lcpfs_look_end(look);
		return lcpfs_scan_read_label(source, label, false);
	}
	return lcpfs_pool_take_source(pool, bdev, label);
}

/* Of a device that was only looked at: since then it may have become another pool's, which `label` tells then. */
static int lcpfs_pool_look_again(struct lcpfs_pool *pool, const char *source, struct core_label *label)
{
	struct host_bdev *bdev = lcpfs_pool_open_device(pool, source, pool->read_only);

	if (IS_ERR(bdev)) {
		pr_err("lcpfs (%s): cannot open %s: error %ld\n", label->name, source, PTR_ERR(bdev));
		return PTR_ERR(bdev);
	}
	return lcpfs_pool_take_source(pool, bdev, label);
}

/* The last that one of our pools has written to its devices is there now. */
static void lcpfs_pool_ended(struct lcpfs_pool *pool)
{
	lcpfs_pool_free(pool);
	WRITE_ONCE(lcpfs_pools_ended, lcpfs_pools_ended + 1);
}

/* Frees it when it fails. */
static int lcpfs_pool_start(struct lcpfs_pool *pool, const struct core_label *label, const struct lcpfs_options *options)
{
	struct core_pool_options how = {
		.read_only = pool->read_only,
		.errors = options->errors,
		.txg_interval_ms = options->txg_interval * 1000,
		.discard = options->discard,
		.no_recovery = options->no_recovery,
		.discard_log = options->discard_log,
		.notify = lcpfs_pool_notify,
		.logged = lcpfs_pool_logged,
		.notify_context = pool,
		.labels = pool->labels,
	};
	int error;

	memcpy(pool->guid, label->pool_guid, 16);
	strscpy(pool->name, label->name, sizeof(pool->name));
	error = lcpfs_pool_add_devices(pool, options, pool->read_only);
	if (!error)
		error = core_pool_open(pool->bdevs, pool->bdev_count, &how, &pool->core);
	if (error) {
		lcpfs_pool_ended(pool);
		return error;
	}
	lcpfs_pool_free_labels(pool);
	core_pool_set_no_path_timeout(pool->core, lcpfs_options_no_path_ms(options));
	pool->sysfs = lcpfs_sysfs_add(pool->core, pool->guid);
	lcpfs_pool_set_tells(pool, true);
	pool->references = 1;
	list_add(&pool->node, &lcpfs_pools);
	return 0;
}

/* With a reference. */
static struct lcpfs_pool *lcpfs_pool_find_locked(const u8 guid[16])
{
	struct lcpfs_pool *pool;

	list_for_each_entry(pool, &lcpfs_pools, node) {
		if (!memcmp(pool->guid, guid, 16)) {
			pool->references++;
			return pool;
		}
	}
	return NULL;
}

int lcpfs_pool_get(const char *source, const struct lcpfs_options *options, bool read_only,
		   struct lcpfs_pool **result)
{
	const unsigned int ended = READ_ONCE(lcpfs_pools_ended);
	struct lcpfs_pool *pool = lcpfs_pool_create(options, read_only);
	struct core_label label;
	struct lcpfs_look look;
	bool is_locked;
	int error;

	if (!pool)
		return -ENOMEM;
	lcpfs_look_begin(&look, source);
	/* Without the lock: whatever it is, it may not answer. */
	error = lcpfs_pool_look(pool, source, &look, &label);
	if (error) {
		lcpfs_pool_free(pool);
		lcpfs_look_end(&look);
		return error;
	}
	is_locked = mutex_trylock(&lcpfs_pools_lock);
	if (is_locked && ended != lcpfs_pools_ended) {
		mutex_unlock(&lcpfs_pools_lock);
		is_locked = false;
	}
	/* Who has it may be waiting for this look to end. */
	if (!is_locked) {
		lcpfs_pool_drop_devices(pool);
		lcpfs_look_end(&look);
		if (mutex_lock_killable(&lcpfs_pools_lock)) {
			lcpfs_pool_free(pool);
			return -EINTR;
		}
	}
	*result = lcpfs_pool_find_locked(label.pool_guid);
	if (!*result && !pool->bdev_count) {
		error = lcpfs_pool_look_again(pool, source, &label);
		if (!error)
			*result = lcpfs_pool_find_locked(label.pool_guid);
	}
	if (!error && !*result) {
		lcpfs_look_end(&look);
		error = lcpfs_pool_start(pool, &label, options);
		if (!error)
			*result = pool;
		pool = NULL;
	}
	mutex_unlock(&lcpfs_pools_lock);
	if (pool) { /* Without the lock: what is under way from its device may take its time. */
		lcpfs_pool_free(pool);
		lcpfs_look_end(&look);
	}
	return error;
}

struct lcpfs_pool *lcpfs_pool_find(const u8 guid[16])
{
	struct lcpfs_pool *pool;

	if (mutex_lock_killable(&lcpfs_pools_lock))
		return NULL;
	pool = lcpfs_pool_find_locked(guid);
	mutex_unlock(&lcpfs_pools_lock);
	return pool;
}

int lcpfs_pool_visit(bool (*visit)(struct lcpfs_pool *pool, void *context), void *context)
{
	struct lcpfs_pool *pool;
	int error = -ENOENT;

	if (mutex_lock_killable(&lcpfs_pools_lock))
		return -EINTR;
	list_for_each_entry(pool, &lcpfs_pools, node) {
		if (visit(pool, context)) {
			error = 0;
			break;
		}
	}
	mutex_unlock(&lcpfs_pools_lock);
	return error;
}

void lcpfs_pool_put(struct lcpfs_pool *pool)
{
	int error;

	mutex_lock(&lcpfs_pools_lock);
	if (--pool->references) {
		mutex_unlock(&lcpfs_pools_lock);
		return;
	}
	list_del(&pool->node);
	lcpfs_pool_set_tells(pool, false);
	cancel_work_sync(&pool->event_work);
	lcpfs_sysfs_remove(pool->sysfs);
	error = core_pool_close(pool->core);
	if (error)
		pr_err("lcpfs (%s): closing: error %d, the last changes may be lost\n", pool->name, error);
	lcpfs_pool_ended(pool);
	mutex_unlock(&lcpfs_pools_lock);
}
