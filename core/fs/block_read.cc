// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/block_read.h"

#include "core/base/format_text.h"
#include "core/codec/checksum.h"
#include "core/fs/extents.h"
#include "core/test/breakage.h"

namespace lcpfs {

bool block_matches(ChecksumKind kind, const void* block, const u8* expected)
{
    return breakage::skip_checksum || block_checksum_matches(kind, block, expected);
}

namespace {

constexpr u32 k_attempts = 3;

void take_source(const Extent& extent, u64 file_block, BlockSource& source)
{
    u32 offset = static_cast<u32>(file_block - extent.file_block);
    Bytes checksum = extent.checksums(offset, 1);
    source.mapped = true;
    source.place = Dva { extent.dva.block + offset, 1, extent.dva.vdev };
    copy_bytes(source.checksum, checksum.data(), checksum.size());
}

// busy: some blocks of the file are not written yet (DelayedWrites).
Status read_once(Pool& pool, Object& object, u64 file_block, void* memory, BlockSource& source)
{
    source = BlockSource();
    ChecksumKind kind;
    {
        ReadGuard guard(object.m_lock);
        if (object.m_delayed_writes.load())
            return Error::busy;
        TreeCursor cursor;
        Extent extent;
        bool found = TRY(find_extent(object.m_tree, file_block, cursor, extent)) && extent.covers(file_block);
        if (!found || extent.kind == ExtentKind::inlined) {
            size_t bytes = found ? extent.payload.size() : 0;
            if (found)
                copy_bytes(memory, extent.payload.data(), bytes);
            zero_bytes(static_cast<u8*>(memory) + bytes, k_block_size - bytes);
            return {};
        }
        take_source(extent, file_block, source);
        kind = extent.checksum_kind;
    }
    IoBatch batch;
    core_segment segment { memory, k_block_size };
    u8 served_by = 0;
    batch.begin();
    pool.vdevs().read(source.place, { &segment, 1 }, HOST_IO_SYNC, IoBatch::done, &batch, &served_by);
    TRY(batch.wait());
    auto matches = [&] { return block_matches(kind, memory, source.checksum); };
    const bool is_right = matches() || pool.vdevs().reread(source.place, { &segment, 1 }, served_by, matches);
    return is_right ? Status() : Status(Error::data_checksum);
}

}

Result<BlockSource> find_block(Object& object, u64 file_block)
{
    BlockSource source;
    TreeCursor cursor;
    Extent extent;
    if (TRY(find_extent(object.m_tree, file_block, cursor, extent)) && extent.covers(file_block) && extent.kind == ExtentKind::mapped)
        take_source(extent, file_block, source);
    return source;
}

Status read_block(Pool& pool, Object& object, u64 file_block, void* memory, BlockSource& source)
{
    Status status = Error::data_checksum;
    for (u32 attempt = 0; attempt < k_attempts && status.is_error(); attempt++)
    {
        do
            status = read_once(pool, object, file_block, memory, source).error();
        while (status.error() == Error::busy && pool.delayed_writes().write_all().is_ok());
    }
    if (status.is_ok())
        return {};
    pool.m_checksum_errors.add_relaxed(status.error() == Error::data_checksum);
    TextLine line;
    line.add("file data of object ").add(object.id().value()).add(" block ").add(file_block);
    line.add(" at device ").add(u64(source.place.vdev.value())).add(" block ").add(source.place.block);
    line.add(": ").add(text_of(status.error()));
    pool.log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
    return status;
}

}
