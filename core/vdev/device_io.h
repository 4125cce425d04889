// SPDX-License-Identifier: GPL-2.0-only
// DeviceIo: waits for its I/O to one device that need not belong to a pool. For labels at opening, formatting and
// looking, never for a running pool. One thread.
#pragma once

#include "core/base/span.h"
#include "core/host/locks.h"
#include "core/host/memory.h"

namespace lcpfs {

class IoBatch;

class DeviceIo {
public:
    static Result<Box<DeviceIo>> create(host_bdev* bdev);
    ~DeviceIo();

    u64 capacity_blocks() const { return m_capacity_blocks; }
    // Whole 4 KiB blocks inside the device: address_out_of_range else.
    Status read(u64 offset_bytes, MutableBytes into);
    // Several places at once, at most k_most_at_once, together no more than k_window_pages blocks; each has its own outcome, but for
    // no_memory. What is started is finished before anything else is asked for but read_into.
    struct Piece {
        u64 offset_bytes { 0 };
        MutableBytes into;
        Error error { Error::none };
        host_io* request { nullptr };
    };
    static constexpr u32 k_most_at_once = 4;
    Status start_at_once(Span<Piece> pieces);
    void finish_at_once(Span<Piece> pieces);
    // Waits for nothing: `batch` does, and outlives it, as this does. At most k_most_into under way.
    static constexpr u32 k_most_into = 2;
    void read_into(u64 offset_bytes, Span<const core_segment> segments, IoBatch& batch);
    const host_bdev* bdev() const { return m_bdev; }
    Status write(u64 offset_bytes, Bytes from);
    Status write_zeros(u64 offset_bytes, u64 bytes);
    Status flush();

    static constexpr u32 k_window_pages = 16;

private:
    explicit DeviceIo(host_bdev* bdev) : m_bdev(bdev) {}
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);
    Status have_pages(size_t count); // of the window, the first
    // One request over `bytes` of the window from that page on (none: a flush), sent. Null: it cannot be made.
    host_io* start(host_io_op op, u64 offset_bytes, size_t bytes, size_t first_page);
    Error finish(host_io* io);
    void wait();
    // One request over the first `bytes`.
    Status run(host_io_op op, u64 offset_bytes, size_t bytes);
    Status write_pieces(u64 offset_bytes, const u8* from, u64 bytes);
    bool is_inside(u64 offset_bytes, u64 bytes) const;

    host_bdev* m_bdev;
    u64 m_capacity_blocks { 0 };
    host_io_pool* m_requests { nullptr };
    host_pool* m_page_pool { nullptr };
    u8* m_window[k_window_pages] {}; // as many as were needed so far
    Atomic<u32> m_under_way { 0 };
    SpinLock m_lock { LCPFS_RANK_io };
    Event m_event;
};

}
