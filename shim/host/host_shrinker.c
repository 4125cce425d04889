// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_shrinker.c: the core's caches under the kernel's memory pressure.
 *
 * The callbacks run in whatever task reclaims, with whatever it holds; the core promises only to try its
 * locks in them, so they run in NOFS reclaim as well. Unregistering waits for running calls (the kernel's
 * shrinker code does).
 */
#include <linux/slab.h>

#include "core/host/host.h"
#include "kmod/compat.h"

struct host_shrinker {
	uint64_t (*count)(void *context);
	uint64_t (*scan)(void *context, uint64_t wanted);
	void *context;
#if LCPFS_SHRINKER_EMBEDDED
	struct shrinker shrinker;
#else
	struct shrinker *shrinker;
#endif
};

static struct host_shrinker *host_shrinker_of(struct shrinker *shrinker)
{
#if LCPFS_SHRINKER_EMBEDDED
	return container_of(shrinker, struct host_shrinker, shrinker);
#else
	return shrinker->private_data;
#endif
}

static unsigned long host_shrinker_count(struct shrinker *shrinker, struct shrink_control *control)
{
	struct host_shrinker *self = host_shrinker_of(shrinker);

	return min_t(u64, self->count(self->context), LONG_MAX);
}

static unsigned long host_shrinker_scan(struct shrinker *shrinker, struct shrink_control *control)
{
	struct host_shrinker *self = host_shrinker_of(shrinker);
	u64 freed = self->scan(self->context, control->nr_to_scan);

	return freed ? min_t(u64, freed, LONG_MAX) : SHRINK_STOP;
}

struct host_shrinker *host_shrinker_register(const char *name, uint64_t (*count)(void *context),
					     uint64_t (*scan)(void *context, uint64_t wanted), void *context)
{
	struct host_shrinker *self = kzalloc(sizeof(*self), GFP_KERNEL);

	if (!self)
		return NULL;
	self->count = count;
	self->scan = scan;
	self->context = context;
#if LCPFS_SHRINKER_EMBEDDED
	self->shrinker.count_objects = host_shrinker_count;
	self->shrinker.scan_objects = host_shrinker_scan;
	self->shrinker.seeks = DEFAULT_SEEKS;
	if (register_shrinker(&self->shrinker, "%s", name)) {
		kfree(self);
		return NULL;
	}
#else
	self->shrinker = shrinker_alloc(0, "%s", name);
	if (!self->shrinker) {
		kfree(self);
		return NULL;
	}
	self->shrinker->count_objects = host_shrinker_count;
	self->shrinker->scan_objects = host_shrinker_scan;
	self->shrinker->private_data = self;
	shrinker_register(self->shrinker);
#endif
	return self;
}

void host_shrinker_unregister(struct host_shrinker *self)
{
	if (!self)
		return;
#if LCPFS_SHRINKER_EMBEDDED
	unregister_shrinker(&self->shrinker);
#else
	shrinker_free(self->shrinker);
#endif
	kfree(self);
}
