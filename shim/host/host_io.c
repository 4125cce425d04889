// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_io.c: one request of the core is one bio.
 *
 * The host_io lies in the front padding of the bio, so a request is a single allocation out of a bio_set,
 * whose reserve makes allocation always succeed in the end. Contiguous memory given in several pieces is
 * merged into one segment by bio_add_page. `done` is called straight from the bio's end_io, in whatever
 * context that is: no thread stands between the interrupt and who waits for it.
 *
 * A request may be submitted again from `done` (a retry, perhaps to another path): the segments and their
 * sum are kept, everything the block layer consumed is set anew at each submission but the first.
 *
 * Small bios that were given back go out again: host_kept.h.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "core/host/host.h"
#include "shim/host/host_bdev_types.h"
#include "shim/host/host_kept.h"
#include "shim/host/host_module.h"

static_assert(sizeof(struct host_plug) >= sizeof(struct blk_plug));

/* A discard larger than this goes out as several chained bios (bi_size has 32 bits). */
#define HOST_IO_DISCARD_BYTES ((u64)SZ_1G)

/* What a bio has room for by itself: the block layer's BIO_INLINE_VECS. */
#define HOST_IO_SMALL_SEGMENTS 4

struct host_io_bio {
	struct host_io io;
	struct host_io_pool *pool;
	bool was_submitted;
	struct bio bio; /* last: the bio_set puts its inline segments behind it */
};

struct host_io_pool {
	struct bio_set set;
	struct host_kept kept;
};

static struct bio_set host_io_module_set;

static int host_io_set_init(struct bio_set *set, unsigned int reserve)
{
	return bioset_init(set, reserve, offsetof(struct host_io_bio, bio), BIOSET_NEED_BVECS);
}

int __init host_bios_start(void)
{
	return host_io_set_init(&host_io_module_set, 1);
}

void host_bios_end(void)
{
	bioset_exit(&host_io_module_set);
}

static struct host_io_bio *host_io_bio_of(struct host_io *io)
{
	return container_of(io, struct host_io_bio, io);
}

static void host_io_give_back(void *context, void *bio)
{
	bio_put(bio);
}

struct host_io_pool *host_io_pool_create(const char *name, unsigned int reserve)
{
	struct host_io_pool *pool = kzalloc(sizeof(*pool), GFP_KERNEL);

	if (!pool)
		return NULL;
	if (host_io_set_init(&pool->set, max(reserve, 1u))) {
		kfree(pool);
		return NULL;
	}
	host_kept_init(&pool->kept, sizeof(struct host_io_bio) + HOST_IO_SMALL_SEGMENTS * sizeof(struct bio_vec),
		       host_io_give_back, pool);
	return pool;
}

bool host_io_pool_reserve(struct host_io_pool *pool, unsigned int reserve)
{
	return host_reserve(&pool->set.bio_pool, reserve) && host_reserve(&pool->set.bvec_pool, reserve);
}

void host_io_pool_destroy(struct host_io_pool *pool)
{
	if (!pool)
		return;
	host_kept_end(&pool->kept);
	bioset_exit(&pool->set);
	kfree(pool);
}

static enum host_io_status host_io_status_of(blk_status_t status)
{
	switch (status) {
	case BLK_STS_OK:
		return HOST_IO_OK;
	case BLK_STS_NOTSUPP:
		return HOST_IO_NOT_SUPPORTED;
	case BLK_STS_NOSPC:
		return HOST_IO_NO_SPACE;
	case BLK_STS_TARGET:
		return HOST_IO_TARGET;
	case BLK_STS_TRANSPORT:
		return HOST_IO_TRANSPORT;
	case BLK_STS_MEDIUM:
		return HOST_IO_MEDIUM;
	case BLK_STS_PROTECTION:
		return HOST_IO_PROTECTION;
	case BLK_STS_RESOURCE:
	case BLK_STS_AGAIN:
		return HOST_IO_NO_MEMORY;
	case BLK_STS_DEV_RESOURCE:
		return HOST_IO_NO_MEMORY;
	case BLK_STS_TIMEOUT:
		return HOST_IO_TIMEOUT;
	case BLK_STS_OFFLINE:
		return HOST_IO_OFFLINE;
	case LCPFS_BLK_STS_RESERVATION:
		return HOST_IO_RESERVATION;
	default:
		return HOST_IO_ERROR;
	}
}

static void host_io_end(struct bio *bio)
{
	struct host_io *io = bio->bi_private;

	io->status = host_io_status_of(bio->bi_status);
	io->done(io);
}

static blk_opf_t host_io_opf(enum host_io_op op, unsigned int flags)
{
	blk_opf_t opf;

	switch (op) {
	case HOST_IO_READ:
		opf = REQ_OP_READ;
		break;
	case HOST_IO_DISCARD:
		opf = REQ_OP_DISCARD;
		break;
	case HOST_IO_FLUSH:
		/* A flush alone is an empty write that asks for one. */
		opf = REQ_OP_WRITE | REQ_PREFLUSH | REQ_SYNC;
		break;
	default:
		opf = REQ_OP_WRITE;
		break;
	}
	if (flags & HOST_IO_FUA)
		opf |= REQ_FUA;
	if (flags & HOST_IO_PREFLUSH)
		opf |= REQ_PREFLUSH;
	if (flags & HOST_IO_SYNC)
		opf |= REQ_SYNC;
	if (flags & HOST_IO_META)
		opf |= REQ_META | REQ_PRIO;
	/*
	 * Of the transport's errors only, as device-mapper's multipath does it. With REQ_FAILFAST_DEV a SCSI disk would also
	 * report what the next try clears, as the unit attention after a reset, and a good path would be failed for it. NVMe
	 * drivers take any of the flags for all errors.
	 */
	if (flags & HOST_IO_FAIL_FAST)
		opf |= REQ_FAILFAST_TRANSPORT;
	return opf;
}

static struct bio *host_io_bio_alloc(struct host_io_pool *pool, unsigned int segments)
{
	struct bio *bio = segments <= HOST_IO_SMALL_SEGMENTS ? host_kept_take(&pool->kept) : NULL;

	if (!bio)
		return bio_alloc_bioset(NULL, min_t(unsigned int, segments, BIO_MAX_VECS), 0, GFP_NOIO, &pool->set);
	bio_reset(bio, NULL, 0);
	return bio;
}

struct host_io *host_io_alloc(struct host_io_pool *pool, struct host_bdev *bdev, enum host_io_op op,
			      unsigned int flags, unsigned int segments)
{
	struct host_io_bio *self = container_of(host_io_bio_alloc(pool, segments), struct host_io_bio, bio);

	memset(&self->io, 0, sizeof(self->io));
	self->pool = pool;
	self->was_submitted = false;
	self->io.bdev = bdev;
	self->io.op = op;
	self->io.flags = flags;
	return &self->io;
}

bool host_io_add(struct host_io *io, void *data, uint32_t bytes)
{
	struct bio *bio = &host_io_bio_of(io)->bio;

	if (IS_ENABLED(CONFIG_DEBUG_VM) && WARN_ON_ONCE(!virt_addr_valid(data)))
		return false;
	if (bio_add_page(bio, virt_to_page(data), bytes, offset_in_page(data)) != bytes)
		return false;
	io->length_bytes += bytes;
	return true;
}

/* All but the last part of a large discard; gives where the last one starts. */
static u64 host_io_discard_parts(struct host_io *io, struct bio *last)
{
	u64 at = io->offset_bytes;
	u64 end = at + io->length_bytes;

	while (end - at > HOST_IO_DISCARD_BYTES) {
		struct bio *part = bio_alloc_bioset(io->bdev->handle.bdev, 0, REQ_OP_DISCARD, GFP_NOIO,
						    &host_io_bio_of(io)->pool->set);

		part->bi_iter.bi_sector = at >> SECTOR_SHIFT;
		part->bi_iter.bi_size = HOST_IO_DISCARD_BYTES;
		bio_chain(part, last);
		submit_bio(part);
		at += HOST_IO_DISCARD_BYTES;
	}
	return at;
}

void host_io_submit(struct host_io *io)
{
	struct host_io_bio *self = host_io_bio_of(io);
	struct bio *bio = &self->bio;
	unsigned short segments = bio->bi_vcnt;
	u64 offset = io->offset_bytes;

	if (self->was_submitted) {
		bio_reset(bio, NULL, 0);
		bio->bi_vcnt = segments;
	}
	self->was_submitted = true;
	bio_set_dev(bio, io->bdev->handle.bdev);
	bio->bi_opf = host_io_opf(io->op, io->flags);
	bio->bi_private = io;
	bio->bi_end_io = host_io_end;
	if (io->op == HOST_IO_DISCARD)
		offset = host_io_discard_parts(io, bio);
	bio->bi_iter.bi_sector = offset >> SECTOR_SHIFT;
	bio->bi_iter.bi_size = io->offset_bytes + io->length_bytes - offset;
	submit_bio(bio);
}

void host_io_free(struct host_io *io)
{
	struct host_io_bio *self = host_io_bio_of(io);
	struct host_io_pool *pool = self->pool;
	struct bio *bio = &self->bio;

	if (bio->bi_max_vecs == HOST_IO_SMALL_SEGMENTS) {
		bio_uninit(bio);
		if (host_kept_give_spare(&pool->kept, &pool->set.bio_pool, bio))
			return;
	}
	bio_put(bio);
}

void host_plug_start(struct host_plug *plug)
{
	blk_start_plug((struct blk_plug *)plug->opaque);
}

void host_plug_finish(struct host_plug *plug)
{
	blk_finish_plug((struct blk_plug *)plug->opaque);
}
