// SPDX-License-Identifier: GPL-2.0-only
// host_io for all userspace devices. Everything the kernel's block layer would reject is a violation here.
#include <string.h>

#include <atomic>

#include "userspace/host/common/bdev.h"
#include "userspace/host/common/thread_context.h"

struct host_io_pool {
    std::atomic<lcpfs::u64> live { 0 };
};

namespace lcpfs {

void IoRequest::gather(u8* to) const
{
    for (const iovec& segment : segments) {
        memcpy(to, segment.iov_base, segment.iov_len);
        to += segment.iov_len;
    }
}

void IoRequest::scatter(const u8* from)
{
    for (const iovec& segment : segments) {
        memcpy(segment.iov_base, from, segment.iov_len);
        from += segment.iov_len;
    }
}

void IoRequest::complete(host_io_status status)
{
    io.status = status;
    submitted = false;
    InterruptScope scope;
    io.done(&io);
}

}

using namespace lcpfs;

void host_bdev_get_info(const struct host_bdev* bdev, struct host_bdev_info* info) { *info = bdev->info; }
const char* host_bdev_name(const struct host_bdev* bdev) { return bdev->name; }

struct host_io_pool* host_io_pool_create(const char*, unsigned int) { return new host_io_pool; }

bool host_io_pool_reserve(struct host_io_pool*, unsigned int)
{
    check_may_sleep("host_io_pool_reserve");
    return true;
}

void host_io_pool_destroy(struct host_io_pool* pool)
{
    if (pool && pool->live)
        host_violation("I/O pool destroyed with %llu live requests", static_cast<unsigned long long>(pool->live));
    delete pool;
}

struct host_io* host_io_alloc(struct host_io_pool* pool, struct host_bdev* bdev, enum host_io_op op, unsigned int flags,
                              unsigned int segments)
{
    check_may_sleep("host_io_alloc");
    IoRequest* request = new IoRequest {};
    request->pool = pool;
    request->segment_limit = segments < 256 ? segments : 256;
    request->io.bdev = bdev;
    request->io.op = op;
    request->io.flags = flags;
    pool->live++;
    return &request->io;
}

bool host_io_add(struct host_io* io, void* data, uint32_t bytes)
{
    IoRequest& request = IoRequest::of(*io);
    // The device may not be known yet; whole logical blocks are asked for at submission.
    if (bytes == 0 || bytes % 512)
        host_violation("host_io_add of %u bytes: not whole sectors", bytes);
    if (request.submitted)
        host_violation("host_io_add to a request under way");
    if (request.segments.size() >= request.segment_limit) {
        // Memory that goes on where the last segment ended needs no segment of its own.
        if (request.segments.empty())
            return false;
        iovec& last = request.segments.back();
        if (static_cast<char*>(last.iov_base) + last.iov_len != data)
            return false;
        last.iov_len += bytes;
    } else {
        request.segments.push_back({ data, bytes });
    }
    io->length_bytes += bytes;
    return true;
}

void host_io_submit(struct host_io* io)
{
    check_may_sleep("host_io_submit");
    IoRequest& request = IoRequest::of(*io);
    if (!io->bdev)
        host_violation("host_io_submit without a device");
    const host_bdev_info& info = io->bdev->info;
    if (request.submitted)
        host_violation("host_io_submit of a request under way");
    if (!io->done)
        host_violation("host_io_submit without a completion");
    if (io->op != HOST_IO_FLUSH) {
        if (io->offset_bytes % info.logical_block_bytes || io->length_bytes % info.logical_block_bytes || io->length_bytes == 0)
            host_violation("request to %s at %llu+%llu is not aligned", io->bdev->name,
                           static_cast<unsigned long long>(io->offset_bytes), static_cast<unsigned long long>(io->length_bytes));
        if (io->offset_bytes > info.capacity_bytes || io->length_bytes > info.capacity_bytes - io->offset_bytes)
            host_violation("request to %s at %llu+%llu is past its end", io->bdev->name,
                           static_cast<unsigned long long>(io->offset_bytes), static_cast<unsigned long long>(io->length_bytes));
    }
    request.submitted = true;
    io->bdev->submit(request);
}

void host_io_free(struct host_io* io)
{
    IoRequest& request = IoRequest::of(*io);
    if (request.submitted)
        host_violation("host_io_free of a request under way");
    request.pool->live--;
    delete &request;
}

void host_plug_start(struct host_plug*) {}
void host_plug_finish(struct host_plug*) {}
