// SPDX-License-Identifier: GPL-2.0-only
// What the core's tests need of their runner, in a process: the device is a memory_bdev, allocation failures
// are the host's.
#include "core/test/device.h"

#include <string.h>

#include "core/test/failure.h"
#include "userspace/host/common/thread_context.h"
#include "userspace/host/posix_bdev.h"

using namespace lcpfs;

struct host_bdev* lcpfs_test_device_create(uint64_t bytes) { return memory_bdev_create(bytes); }

void lcpfs_test_device_destroy(struct host_bdev* bdev)
{
    if (bdev)
        memory_bdev_destroy(bdev);
}

void lcpfs_test_device_peek(struct host_bdev* bdev, uint64_t offset_bytes, void* buffer, size_t bytes)
{
    memcpy(buffer, memory_bdev_data(bdev) + offset_bytes, bytes);
}

void lcpfs_test_device_poke(struct host_bdev* bdev, uint64_t offset_bytes, const void* buffer, size_t bytes)
{
    memcpy(memory_bdev_data(bdev) + offset_bytes, buffer, bytes);
}

void lcpfs_test_device_fail(struct host_bdev* bdev, enum host_io_op op, uint64_t skip, uint64_t count)
{
    memory_bdev_fail(bdev, op, skip, count, HOST_IO_ERROR);
}

void lcpfs_test_device_fail_as(struct host_bdev* bdev, enum host_io_op op, uint64_t skip, uint64_t count, enum host_io_status status)
{
    memory_bdev_fail(bdev, op, skip, count, status);
}

void lcpfs_test_device_spoil(struct host_bdev* bdev, uint64_t offset_bytes, uint64_t bytes)
{
    memory_bdev_spoil(bdev, offset_bytes, bytes);
}

struct host_bdev* lcpfs_test_device_create_path(struct host_bdev* of)
{
    host_bdev_info info;
    host_bdev_get_info(of, &info);
    return memory_bdev_over(memory_bdev_data(of), info.capacity_bytes);
}

void lcpfs_test_device_hold(struct host_bdev* bdev, enum host_io_op op, bool hold) { memory_bdev_hold(bdev, op, hold); }
uint64_t lcpfs_test_device_requests(struct host_bdev* bdev, enum host_io_op op) { return memory_bdev_requests(bdev, op); }
uint64_t lcpfs_test_device_fail_fast_requests(struct host_bdev* bdev, enum host_io_op op)
{
    return memory_bdev_fail_fast_requests(bdev, op);
}

bool lcpfs_test_fail_allocation(unsigned int n)
{
    thread_context().fail_allocation = n;
    return true;
}
