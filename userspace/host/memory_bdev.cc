// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include <deque>
#include <mutex>
#include <vector>

#include <sys/mman.h>

#include "userspace/host/common/bdev.h"
#include "userspace/host/posix_bdev.h"

namespace lcpfs {
namespace {

class MemoryBdev final : public host_bdev {
public:
    MemoryBdev(u8* data, u64 bytes, bool owned)
        : m_data(data)
        , m_owned(owned)
    {
        name = "memory";
        info.capacity_bytes = bytes;
        info.logical_block_bytes = 512;
        info.physical_block_bytes = 4096;
        info.volatile_cache = info.fua = info.discard = true;
    }
    ~MemoryBdev() override
    {
        if (m_owned)
            munmap(m_data, info.capacity_bytes);
    }
    u8* data() { return m_data; }

    struct Plan {
        u64 skip, count;
        host_io_status status;
        u64 requests, fail_fast_requests;
        bool hold;
        std::deque<IoRequest*> held;

        void count_request(const host_io& io)
        {
            requests++;
            fail_fast_requests += (io.flags & HOST_IO_FAIL_FAST) != 0;
        }
    };
    Plan& plan(host_io_op op) { return m_plans[op]; }

    void spoil(u64 offset, u64 bytes)
    {
        std::lock_guard guard(m_lock);
        if (bytes)
            m_bad.push_back({ offset, bytes });
        else
            m_bad.clear();
    }

    void submit(IoRequest& request) override
    {
        {
            std::lock_guard guard(m_lock);
            Plan& plan = m_plans[request.io.op];
            if (plan.hold) {
                plan.count_request(request.io);
                plan.held.push_back(&request);
                return;
            }
        }
        host_io_status status = run(request, true);
        request.complete(status);
    }

    void hold(host_io_op op, bool on)
    {
        std::deque<IoRequest*> held;
        {
            std::lock_guard guard(m_lock);
            m_plans[op].hold = on;
            if (!on)
                held.swap(m_plans[op].held);
        }
        for (IoRequest* request : held)
            request->complete(run(*request, false));
    }

private:
    host_io_status run(IoRequest& request, bool counts)
    {
        std::lock_guard guard(m_lock);
        const host_io& io = request.io;
        Plan& plan = m_plans[io.op];
        if (counts)
            plan.count_request(io);
        if (plan.count) {
            if (plan.skip) {
                plan.skip--;
            } else {
                plan.count--;
                return plan.status;
            }
        }
        for (const Range& bad : m_bad)
            if (io.op == HOST_IO_READ && io.offset_bytes < bad.offset + bad.bytes && bad.offset < io.offset_bytes + io.length_bytes)
                return HOST_IO_MEDIUM;
        u8* at = m_data + io.offset_bytes;
        if (io.op == HOST_IO_READ)
            request.scatter(at);
        else if (io.op == HOST_IO_WRITE)
            request.gather(at);
        else if (io.op == HOST_IO_DISCARD)
            memset(at, 0, io.length_bytes);
        return HOST_IO_OK;
    }

    struct Range {
        u64 offset, bytes;
    };
    std::mutex m_lock;
    std::vector<Range> m_bad;
    u8* m_data;
    bool m_owned;
    Plan m_plans[4] {};
};

MemoryBdev& of(host_bdev* bdev) { return *static_cast<MemoryBdev*>(bdev); }

}

host_bdev* memory_bdev_create(u64 bytes)
{
    void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return data == MAP_FAILED ? nullptr : new MemoryBdev(static_cast<u8*>(data), bytes, true);
}

host_bdev* memory_bdev_over(void* memory, u64 bytes) { return new MemoryBdev(static_cast<u8*>(memory), bytes, false); }
void memory_bdev_destroy(host_bdev* bdev) { delete bdev; }
u8* memory_bdev_data(host_bdev* bdev) { return of(bdev).data(); }

void memory_bdev_fail(host_bdev* bdev, host_io_op op, u64 skip, u64 count, host_io_status status)
{
    MemoryBdev::Plan& plan = of(bdev).plan(op);
    plan.skip = skip;
    plan.count = count;
    plan.status = status;
}

void memory_bdev_spoil(host_bdev* bdev, u64 offset_bytes, u64 bytes) { of(bdev).spoil(offset_bytes, bytes); }
void memory_bdev_hold(host_bdev* bdev, host_io_op op, bool hold) { of(bdev).hold(op, hold); }

u64 memory_bdev_requests(host_bdev* bdev, host_io_op op) { return of(bdev).plan(op).requests; }
u64 memory_bdev_fail_fast_requests(host_bdev* bdev, host_io_op op) { return of(bdev).plan(op).fail_fast_requests; }

}
