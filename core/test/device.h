/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A block device in memory, for tests: the same functions in a process (userspace/test) and in KUnit, where
 * it is a real gendisk, so that the kernel's bio path runs too (kunit/test_device.c).
 * Volatile cache, FUA and discard; 512-byte logical blocks.
 */
#ifndef LCPFS_TEST_DEVICE_H
#define LCPFS_TEST_DEVICE_H

#include "core/host/host.h"

#ifdef __cplusplus
extern "C" {
#endif

/* NULL when it cannot be made. Zeroed. */
struct host_bdev *lcpfs_test_device_create(uint64_t bytes);
void lcpfs_test_device_destroy(struct host_bdev *bdev); /* NULL allowed */
/* The contents, not through the I/O path. Within the device. */
void lcpfs_test_device_peek(struct host_bdev *bdev, uint64_t offset_bytes, void *buffer, size_t bytes);
void lcpfs_test_device_poke(struct host_bdev *bdev, uint64_t offset_bytes, const void *buffer, size_t bytes);
/* After `skip` more requests of kind `op`, the next `count` fail as an I/O error and have no effect. */
void lcpfs_test_device_fail(struct host_bdev *bdev, enum host_io_op op, uint64_t skip, uint64_t count);

/* The same with another status, where the host can tell it apart from an I/O error. */
void lcpfs_test_device_fail_as(struct host_bdev *bdev, enum host_io_op op, uint64_t skip, uint64_t count,
			       enum host_io_status status);
/*
 * Reads that touch these bytes fail from now on as a medium error, at most LCPFS_TEST_BAD_RANGES of them;
 * no bytes: what was bad is good again.
 */
#define LCPFS_TEST_BAD_RANGES 8
void lcpfs_test_device_spoil(struct host_bdev *bdev, uint64_t offset_bytes, uint64_t bytes);
/*
 * Another device over the same contents, as a second path to one disk is; with plans of its own. Destroyed
 * before `of`.
 */
struct host_bdev *lcpfs_test_device_create_path(struct host_bdev *of);
/* While held, requests of kind `op` neither end nor have an effect; letting go does both, in order. */
void lcpfs_test_device_hold(struct host_bdev *bdev, enum host_io_op op, bool hold);
/* Requests of this kind so far. */
uint64_t lcpfs_test_device_requests(struct host_bdev *bdev, enum host_io_op op);
/* Those among them that were to fail fast. */
uint64_t lcpfs_test_device_fail_fast_requests(struct host_bdev *bdev, enum host_io_op op);

#ifdef __cplusplus
}

namespace lcpfs {

// Owns one. Empty when it could not be made: tests REQUIRE(device).
class TestDevice {
public:
    explicit TestDevice(uint64_t bytes) : m_bdev(lcpfs_test_device_create(bytes)) {}
    struct PathTo {
        TestDevice& of;
    };
    explicit TestDevice(PathTo path) : m_bdev(path.of ? lcpfs_test_device_create_path(path.of.get()) : nullptr) {}
    ~TestDevice() { lcpfs_test_device_destroy(m_bdev); }
    TestDevice(const TestDevice&) = delete;
    explicit operator bool() const { return m_bdev != nullptr; }
    host_bdev* get() const { return m_bdev; }

private:
    host_bdev* m_bdev;
};

}
#endif

#endif
