// SPDX-License-Identifier: GPL-2.0-only
// Block devices of the POSIX host: a file, a real block device, or memory. Requests complete inside
// submit, on the caller's thread, as a completion interrupt would: it may not sleep in `done`.
#pragma once

#include <string>

#include "core/base/types.h"
#include "core/host/host.h"

namespace lcpfs {

// Opens a regular file or a block device (exclusively, unless read-only or `shared`; `direct`: past the page cache, read-only).
// Gives nullptr and sets `why` to a sentence that names the path.
host_bdev* posix_bdev_open(const std::string& path, bool read_only, std::string& why, bool shared = false, bool direct = false);
void posix_bdev_close(host_bdev* bdev);

// Memory as a device, zeroed, with errors on request: for unit tests and fuzzing.
host_bdev* memory_bdev_create(u64 bytes);
// Over memory of the caller's, which stays the caller's.
host_bdev* memory_bdev_over(void* memory, u64 bytes);
void memory_bdev_destroy(host_bdev* bdev);
u8* memory_bdev_data(host_bdev* bdev);
// After `skip` more requests of this kind, the next `count` fail with `status` and have no effect.
void memory_bdev_fail(host_bdev* bdev, host_io_op op, u64 skip, u64 count, host_io_status status);
// Reads that touch these bytes fail from now on as a medium error; no bytes: none does any more.
void memory_bdev_spoil(host_bdev* bdev, u64 offset_bytes, u64 bytes);
// While held, requests of this kind neither end nor have an effect; letting go does both, in order.
void memory_bdev_hold(host_bdev* bdev, host_io_op op, bool hold);
u64 memory_bdev_requests(host_bdev* bdev, host_io_op op);
u64 memory_bdev_fail_fast_requests(host_bdev* bdev, host_io_op op);

}
