// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_device.c: core/test/device.h in the kernel: a gendisk over vmalloc memory, so that the tests go
 * through real bios. Data moves when a bio is submitted; it completes a moment later in a timer's
 * interrupt, where a completion that sleeps or takes the wrong lock is seen by lockdep.
 */
#include <linux/blkdev.h>
#include <linux/bvec.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "core/test/device.h"
#include "core/test/failure.h"
#include "shim/host/host_bdev.h"
#include "shim/host/host_bdev_types.h"

struct test_plan {
	u64 skip;
	u64 count;
	blk_status_t status;
	u64 requests;
	u64 fail_fast_requests;
	bool hold;
};

struct test_range {
	u64 from, to; /* bytes */
};

struct test_device {
	struct host_bdev *bdev;
	struct gendisk *disk;
	u8 *data;
	bool shares_data;      /* a path to another device */
	spinlock_t lock;       /* plans, bad, waiting, held */
	struct test_plan plans[4]; /* by enum host_io_op */
	struct test_range bad[LCPFS_TEST_BAD_RANGES];
	unsigned int bad_count;
	struct bio_list waiting;
	struct bio_list held[4]; /* by enum host_io_op */
	struct hrtimer timer;
};

static DEFINE_IDA(test_device_numbers);

static enum hrtimer_restart test_device_complete(struct hrtimer *timer)
{
	struct test_device *device = container_of(timer, struct test_device, timer);
	struct bio_list done;
	struct bio *bio;
	unsigned long flags;

	spin_lock_irqsave(&device->lock, flags);
	done = device->waiting;
	bio_list_init(&device->waiting);
	spin_unlock_irqrestore(&device->lock, flags);
	while ((bio = bio_list_pop(&done)))
		bio_endio(bio);
	return HRTIMER_NORESTART;
}

static enum host_io_op test_device_op(struct bio *bio)
{
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return HOST_IO_READ;
	case REQ_OP_DISCARD:
		return HOST_IO_DISCARD;
	case REQ_OP_WRITE:
		/* An empty write with a preflush is how a flush reaches a bio driver. */
		return bio->bi_iter.bi_size ? HOST_IO_WRITE : HOST_IO_FLUSH;
	default:
		return HOST_IO_FLUSH;
	}
}

static bool test_device_is_bad(struct test_device *device, struct bio *bio)
{
	u64 from = bio->bi_iter.bi_sector << SECTOR_SHIFT;
	unsigned int i;

	for (i = 0; i < device->bad_count; i++)
		if (from < device->bad[i].to && device->bad[i].from < from + bio->bi_iter.bi_size)
			return true;
	return false;
}

static blk_status_t test_device_planned_failure(struct test_device *device, struct bio *bio)
{
	enum host_io_op op = test_device_op(bio);
	struct test_plan *plan = &device->plans[op];
	unsigned long flags;
	blk_status_t fail = BLK_STS_OK;

	spin_lock_irqsave(&device->lock, flags);
	if (plan->count) {
		if (plan->skip) {
			plan->skip--;
		} else {
			plan->count--;
			fail = plan->status;
		}
	}
	if (!fail && op == HOST_IO_READ && test_device_is_bad(device, bio))
		fail = BLK_STS_MEDIUM;
	spin_unlock_irqrestore(&device->lock, flags);
	return fail;
}

/* Does what the bio asks for and lets the timer end it. */
static void test_device_run(struct test_device *device, struct bio *bio)
{
	enum host_io_op op = test_device_op(bio);
	u8 *at = device->data + (bio->bi_iter.bi_sector << SECTOR_SHIFT);
	struct bvec_iter iter;
	struct bio_vec segment;
	unsigned long flags;

	bio->bi_status = test_device_planned_failure(device, bio);
	if (bio->bi_status) {
		/* No effect. */
	} else if (op == HOST_IO_DISCARD) {
		memset(at, 0, bio->bi_iter.bi_size);
	} else if (op != HOST_IO_FLUSH) {
		bio_for_each_segment(segment, bio, iter) {
			if (op == HOST_IO_WRITE)
				memcpy_from_bvec(at, &segment);
			else
				memcpy_to_bvec(&segment, at);
			at += segment.bv_len;
		}
	}
	spin_lock_irqsave(&device->lock, flags);
	bio_list_add(&device->waiting, bio);
	spin_unlock_irqrestore(&device->lock, flags);
	hrtimer_start(&device->timer, ns_to_ktime(20000), HRTIMER_MODE_REL);
}

static void test_device_submit_bio(struct bio *bio)
{
	struct test_device *device = bio->bi_bdev->bd_disk->private_data;
	enum host_io_op op = test_device_op(bio);
	unsigned long flags;
	bool hold;

	spin_lock_irqsave(&device->lock, flags);
	device->plans[op].requests++;
	if (bio->bi_opf & REQ_FAILFAST_TRANSPORT)
		device->plans[op].fail_fast_requests++;
	hold = device->plans[op].hold;
	if (hold)
		bio_list_add(&device->held[op], bio);
	spin_unlock_irqrestore(&device->lock, flags);
	if (!hold)
		test_device_run(device, bio);
}

static const struct block_device_operations test_device_operations = {
	.owner = THIS_MODULE,
	.submit_bio = test_device_submit_bio,
};

static struct test_device *test_device_of(struct host_bdev *bdev)
{
	return bdev->handle.bdev->bd_disk->private_data;
}

static struct gendisk *test_device_add_disk(struct test_device *device, u64 bytes)
{
	struct queue_limits limits = {
		.logical_block_size = 512,
		.physical_block_size = 4096,
		.max_hw_discard_sectors = UINT_MAX,
		.discard_granularity = 4096,
		.features = BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA,
	};
	struct gendisk *disk;
	int number = ida_alloc(&test_device_numbers, GFP_KERNEL);

	if (number < 0)
		return NULL;
	disk = blk_alloc_disk(&limits, NUMA_NO_NODE);
	if (IS_ERR(disk)) {
		ida_free(&test_device_numbers, number);
		return NULL;
	}
	snprintf(disk->disk_name, sizeof(disk->disk_name), "lcpfs_test%d", number);
	disk->fops = &test_device_operations;
	disk->private_data = device;
	disk->flags |= GENHD_FL_NO_PART;
	set_capacity(disk, bytes >> SECTOR_SHIFT);
	if (add_disk(disk)) {
		put_disk(disk);
		ida_free(&test_device_numbers, number);
		return NULL;
	}
	return disk;
}

static void test_device_remove(struct test_device *device)
{
	int number;

	if (device->disk && sscanf(device->disk->disk_name, "lcpfs_test%d", &number) == 1) {
		del_gendisk(device->disk);
		hrtimer_cancel(&device->timer);
		put_disk(device->disk);
		ida_free(&test_device_numbers, number);
	}
	if (!device->shares_data)
		vfree(device->data);
	kfree(device);
}

static struct host_bdev *test_device_create(uint64_t bytes, u8 *data)
{
	struct test_device *device = kzalloc(sizeof(*device), GFP_KERNEL);
	struct host_bdev *bdev;
	struct file *file;
	int i;

	if (!device)
		return NULL;
	spin_lock_init(&device->lock);
	bio_list_init(&device->waiting);
	hrtimer_init(&device->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	device->timer.function = test_device_complete;
	for (i = 0; i < ARRAY_SIZE(device->held); i++)
		bio_list_init(&device->held[i]);
	device->shares_data = data;
	device->data = data ?: vzalloc(bytes);
	if (device->data)
		device->disk = test_device_add_disk(device, bytes);
	if (!device->disk)
		goto no_disk;
	bdev = kzalloc(sizeof(*bdev), GFP_KERNEL);
	if (!bdev)
		goto no_disk;
	/* By number: a test need not have a /dev. */
	file = bdev_file_open_by_dev(disk_devt(device->disk), BLK_OPEN_READ | BLK_OPEN_WRITE, device, NULL);
	if (IS_ERR(file)) {
		kfree(bdev);
		goto no_disk;
	}
	bdev->handle.file = file;
	bdev->handle.bdev = file_bdev(file);
	strscpy(bdev->name, device->disk->disk_name, sizeof(bdev->name));
	device->bdev = bdev;
	return bdev;

no_disk:
	test_device_remove(device);
	return NULL;
}

struct host_bdev *lcpfs_test_device_create(uint64_t bytes)
{
	return test_device_create(bytes, NULL);
}

struct host_bdev *lcpfs_test_device_create_path(struct host_bdev *of)
{
	return test_device_create(bdev_nr_bytes(of->handle.bdev), test_device_of(of)->data);
}

void lcpfs_test_device_destroy(struct host_bdev *bdev)
{
	struct test_device *device;

	if (!bdev)
		return;
	device = test_device_of(bdev);
	host_bdev_close(bdev);
	test_device_remove(device);
}

void lcpfs_test_device_peek(struct host_bdev *bdev, uint64_t offset_bytes, void *buffer, size_t bytes)
{
	memcpy(buffer, test_device_of(bdev)->data + offset_bytes, bytes);
}

void lcpfs_test_device_poke(struct host_bdev *bdev, uint64_t offset_bytes, const void *buffer, size_t bytes)
{
	memcpy(test_device_of(bdev)->data + offset_bytes, buffer, bytes);
}

static blk_status_t test_device_status(enum host_io_status status)
{
	switch (status) {
	case HOST_IO_NOT_SUPPORTED:
		return BLK_STS_NOTSUPP;
	case HOST_IO_NO_SPACE:
		return BLK_STS_NOSPC;
	case HOST_IO_TARGET:
		return BLK_STS_TARGET;
	case HOST_IO_RESERVATION:
		return LCPFS_BLK_STS_RESERVATION;
	case HOST_IO_MEDIUM:
		return BLK_STS_MEDIUM;
	case HOST_IO_PROTECTION:
		return BLK_STS_PROTECTION;
	case HOST_IO_TRANSPORT:
		return BLK_STS_TRANSPORT;
	case HOST_IO_TIMEOUT:
		return BLK_STS_TIMEOUT;
	case HOST_IO_OFFLINE:
		return BLK_STS_OFFLINE;
	case HOST_IO_NO_MEMORY:
		return BLK_STS_RESOURCE;
	default:
		return BLK_STS_IOERR;
	}
}

void lcpfs_test_device_fail_as(struct host_bdev *bdev, enum host_io_op op, uint64_t skip, uint64_t count,
			       enum host_io_status status)
{
	struct test_device *device = test_device_of(bdev);
	unsigned long flags;

	spin_lock_irqsave(&device->lock, flags);
	device->plans[op].skip = skip;
	device->plans[op].count = count;
	device->plans[op].status = test_device_status(status);
	spin_unlock_irqrestore(&device->lock, flags);
}

void lcpfs_test_device_fail(struct host_bdev *bdev, enum host_io_op op, uint64_t skip, uint64_t count)
{
	lcpfs_test_device_fail_as(bdev, op, skip, count, HOST_IO_ERROR);
}

void lcpfs_test_device_spoil(struct host_bdev *bdev, uint64_t offset_bytes, uint64_t bytes)
{
	struct test_device *device = test_device_of(bdev);
	unsigned long flags;

	spin_lock_irqsave(&device->lock, flags);
	if (!bytes)
		device->bad_count = 0;
	else if (!WARN_ON(device->bad_count == LCPFS_TEST_BAD_RANGES))
		device->bad[device->bad_count++] = (struct test_range){ offset_bytes, offset_bytes + bytes };
	spin_unlock_irqrestore(&device->lock, flags);
}

void lcpfs_test_device_hold(struct host_bdev *bdev, enum host_io_op op, bool hold)
{
	struct test_device *device = test_device_of(bdev);
	struct bio_list held;
	unsigned long flags;
	struct bio *bio;

	bio_list_init(&held);
	spin_lock_irqsave(&device->lock, flags);
	device->plans[op].hold = hold;
	if (!hold) {
		held = device->held[op];
		bio_list_init(&device->held[op]);
	}
	spin_unlock_irqrestore(&device->lock, flags);
	while ((bio = bio_list_pop(&held)))
		test_device_run(device, bio);
}

uint64_t lcpfs_test_device_requests(struct host_bdev *bdev, enum host_io_op op)
{
	return test_device_of(bdev)->plans[op].requests;
}

uint64_t lcpfs_test_device_fail_fast_requests(struct host_bdev *bdev, enum host_io_op op)
{
	return test_device_of(bdev)->plans[op].fail_fast_requests;
}

bool lcpfs_test_fail_allocation(unsigned int n)
{
	return false;
}
