// SPDX-License-Identifier: GPL-2.0-only
#include "core/vdev/device_io.h"

#include "core/vdev/vdev_set.h"

namespace lcpfs {

Result<Box<DeviceIo>> DeviceIo::create(host_bdev* bdev)
{
    Box<DeviceIo> io = TRY(make_box<DeviceIo>(bdev));
    host_bdev_info info;
    host_bdev_get_info(bdev, &info);
    io->m_capacity_blocks = info.capacity_bytes / k_block_size;
    io->m_requests = host_io_pool_create("lcpfs_label_io", k_most_at_once + k_most_into);
    io->m_page_pool = host_pool_create("lcpfs_label_page", k_block_size, 0);
    if (!io->m_requests || !io->m_page_pool)
        return Error::no_memory;
    return io;
}

Status DeviceIo::have_pages(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!m_window[i])
            m_window[i] = static_cast<u8*>(host_pool_alloc(m_page_pool, 0));
        if (!m_window[i])
            return Error::no_memory;
    }
    return {};
}

DeviceIo::~DeviceIo()
{
    for (u8* page : m_window)
        if (page)
            host_pool_free(m_page_pool, page);
    host_pool_destroy(m_page_pool);
    if (m_requests)
        host_io_pool_destroy(m_requests);
}

bool DeviceIo::is_inside(u64 offset_bytes, u64 bytes) const
{
    u64 end;
    return checked_add(offset_bytes, bytes, end) && end <= m_capacity_blocks * k_block_size && offset_bytes % k_block_size == 0
        && bytes % k_block_size == 0;
}

host_io* DeviceIo::start(host_io_op op, u64 offset_bytes, size_t bytes, size_t first_page)
{
    host_io* io = host_io_alloc(m_requests, m_bdev, op, op == HOST_IO_READ ? HOST_IO_META : HOST_IO_META | HOST_IO_SYNC,
                                static_cast<unsigned>(bytes / k_block_size));
    io->offset_bytes = offset_bytes;
    io->context = this;
    bool added = true;
    for (size_t at = 0; at < bytes; at += k_block_size)
        added = host_io_add(io, m_window[first_page + at / k_block_size], k_block_size) && added;
    if (!added) {
        host_io_free(io);
        return nullptr;
    }
    io->done = [](host_io* finished) {
        DeviceIo* self = static_cast<DeviceIo*>(finished->context);
        SpinGuard guard(self->m_lock);
        if (self->m_under_way.sub(1) == 0)
            self->m_event.wake();
    };
    m_under_way.add(1);
    host_io_submit(io);
    return io;
}

void DeviceIo::wait()
{
    m_event.wait([this] { return m_under_way.load() == 0; });
    SpinGuard guard(m_lock); // the completion is out of here
}

Error DeviceIo::finish(host_io* io)
{
    if (!io)
        return Error::io_error;
    const Error error = error_of(io->status);
    host_io_free(io);
    return error;
}

Status DeviceIo::run(host_io_op op, u64 offset_bytes, size_t bytes)
{
    host_io* const io = start(op, offset_bytes, bytes, 0);
    wait();
    return finish(io);
}

Status DeviceIo::start_at_once(Span<Piece> pieces)
{
    size_t page = 0;
    for (const Piece& piece : pieces)
        page += piece.into.size() / k_block_size;
    TRY(have_pages(min<size_t>(page, k_window_pages)));
    page = 0;
    for (size_t i = 0; i < pieces.size(); i++) {
        Piece& piece = pieces[i];
        const size_t blocks = piece.into.size() / k_block_size;
        const bool fits = i < k_most_at_once && page + blocks <= k_window_pages && is_inside(piece.offset_bytes, piece.into.size());
        piece.error = fits ? Error::none : Error::address_out_of_range;
        if (!fits)
            continue;
        piece.request = start(HOST_IO_READ, piece.offset_bytes, piece.into.size(), page);
        page += blocks;
    }
    return {};
}

void DeviceIo::finish_at_once(Span<Piece> pieces)
{
    wait();
    size_t page = 0;
    for (Piece& piece : pieces) {
        if (piece.error != Error::none)
            continue;
        piece.error = finish(piece.request);
        for (size_t at = 0; at < piece.into.size(); at += k_block_size, page++)
            copy_bytes(piece.into.data() + at, m_window[page], k_block_size);
    }
}

void DeviceIo::read_into(u64 offset_bytes, Span<const core_segment> segments, IoBatch& batch)
{
    batch.begin();
    host_io* const io = host_io_alloc(m_requests, m_bdev, HOST_IO_READ, HOST_IO_META, static_cast<unsigned>(segments.size()));
    io->offset_bytes = offset_bytes;
    io->context = &batch;
    bool added = true;
    for (const core_segment& segment : segments)
        added = added && host_io_add(io, segment.data, segment.bytes);
    if (!added || !is_inside(offset_bytes, io->length_bytes)) {
        host_io_free(io);
        batch.finish(Error::io_error);
        return;
    }
    io->done = [](host_io* finished) {
        IoBatch* const waiting = static_cast<IoBatch*>(finished->context);
        const Error error = error_of(finished->status);
        host_io_free(finished);
        waiting->finish(error);
    };
    host_io_submit(io);
}

Status DeviceIo::read(u64 offset_bytes, MutableBytes into)
{
    if (!is_inside(offset_bytes, into.size()))
        return Error::address_out_of_range;
    TRY(have_pages(min<size_t>(into.size() / k_block_size, k_window_pages)));
    for (size_t at = 0; at < into.size();) {
        const size_t piece = min<size_t>(into.size() - at, k_window_pages * k_block_size);
        TRY(run(HOST_IO_READ, offset_bytes + at, piece));
        for (size_t page = 0; page < piece; page += k_block_size)
            copy_bytes(into.data() + at + page, m_window[page / k_block_size], k_block_size);
        at += piece;
    }
    return {};
}

// Zeros when `from` is null.
Status DeviceIo::write_pieces(u64 offset_bytes, const u8* from, u64 bytes)
{
    if (!is_inside(offset_bytes, bytes))
        return Error::address_out_of_range;
    TRY(have_pages(min<u64>(bytes / k_block_size, k_window_pages)));
    for (u64 at = 0; at < bytes;) {
        const u64 piece = min<u64>(bytes - at, k_window_pages * k_block_size);
        for (u64 page = 0; page < piece; page += k_block_size) {
            if (from)
                copy_bytes(m_window[page / k_block_size], from + at + page, k_block_size);
            else
                zero_bytes(m_window[page / k_block_size], k_block_size);
        }
        TRY(run(HOST_IO_WRITE, offset_bytes + at, piece));
        at += piece;
    }
    return {};
}

Status DeviceIo::write(u64 offset_bytes, Bytes from) { return write_pieces(offset_bytes, from.data(), from.size()); }
Status DeviceIo::write_zeros(u64 offset_bytes, u64 bytes) { return write_pieces(offset_bytes, nullptr, bytes); }
Status DeviceIo::flush() { return run(HOST_IO_FLUSH, 0, 0); }

}
