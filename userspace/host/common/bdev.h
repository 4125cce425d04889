// SPDX-License-Identifier: GPL-2.0-only
// What a block device is in the userspace hosts: a class with one entry, `submit`. Files, memory and the
// simulator's disks derive from it; the request object and its checks are shared (common/io.cc).
#pragma once

#include <vector>

#include <sys/uio.h>

#include "core/base/types.h"
#include "core/host/host.h"

namespace lcpfs {

// A host_io with the memory it covers. `io` first: host_io* and IoRequest* convert.
struct IoRequest {
    host_io io;
    host_io_pool* pool;
    std::vector<iovec> segments;
    u32 segment_limit;
    bool submitted;
    u64 tag[2]; // the device's own

    static IoRequest& of(host_io& io) { return reinterpret_cast<IoRequest&>(io); }
    // Copies between the segments and one flat buffer of length_bytes.
    void gather(u8* to) const;
    void scatter(const u8* from);
    // Gives the result to the core. The request may be gone afterwards.
    void complete(host_io_status status);
};

}

struct host_bdev {
    virtual ~host_bdev() = default;
    // `request` passed every check of range and alignment. Ends, now or later, in request.complete.
    virtual void submit(lcpfs::IoRequest& request) = 0;

    const char* name { "" };
    host_bdev_info info {};
};
