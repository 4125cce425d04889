// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/block_read.h"

#include "core/base/format_text.h"
#include "core/codec/checksum.h"
#include "core/fs/log_write.h"
#include "core/fs/unit_read.h"
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
    source.mapped = true;
    source.is_compressed = extent.is_compressed();
    if (source.is_compressed) {
        source.place = extent.dva;
        source.birth = extent.birth;
        source.unit_block = extent.unit_offset + offset;
        copy_bytes(source.checksum, extent.payload.data(), checksum_bytes_of(extent.checksum_kind));
        return;
    }
    Bytes checksum = extent.checksums(offset, 1);
    source.place = Dva { extent.dva.block + offset, 1, extent.dva.vdev };
    copy_bytes(source.checksum, checksum.data(), checksum.size());
}

// One block of a unit by itself, with memory from the reserves.
class UnitBlock {
public:
    explicit UnitBlock(Pool& pool)
        : m_pool(pool), m_run(static_cast<ReadRun*>(host_pool_alloc_reserved(pool.requests().read_runs))),
          m_stored(static_cast<StoredUnit*>(host_pool_alloc_reserved(pool.requests().units)))
    {
    }
    ~UnitBlock()
    {
        host_pool_free(m_pool.requests().units, m_stored);
        host_pool_free(m_pool.requests().read_runs, m_run);
    }
    UnitBlock(const UnitBlock&) = delete;
    // Under the object's lock.
    void set(const Extent& extent, u64 file_block)
    {
        set_unit_part(*m_run, extent, file_block);
        m_run->unit.stored = m_stored;
        m_run->dva = extent.dva;
        m_run->block_count = 1;
        m_run->checksum_kind = extent.checksum_kind;
        m_run->served_by = 0;
        copy_bytes(m_run->checksums, extent.payload.data(), extent.payload.size());
    }
    Status read(void* memory)
    {
        const core_segment segment { m_stored, m_run->dva.length_blocks << k_block_shift };
        IoBatch batch;
        batch.begin();
        m_pool.vdevs().read(m_run->dva, { &segment, 1 }, HOST_IO_SYNC, IoBatch::done, &batch, &m_run->served_by);
        m_run->error = batch.wait().error();
        if (!verify_unit(m_pool, *m_run))
            return m_run->error != Error::none ? m_run->error : Error::data_checksum;
        return decompress_unit(m_pool, *m_run, [&](const u8* block, u32) { copy_bytes(memory, block, k_block_size); });
    }

private:
    Pool& m_pool;
    ReadRun* m_run;
    StoredUnit* m_stored;
};

// The same for a block that was found to be compressed a moment ago.
Status read_unit_once(Pool& pool, Object& object, u64 file_block, void* memory, BlockSource& source)
{
    VERIFY_DISK(pool.compression(), extent_damaged);
    UnitBlock unit(pool);
    source = BlockSource();
    {
        ReadGuard guard(object.m_lock);
        TreeCursor cursor;
        Extent extent;
        if (!TRY(find_extent(object.m_tree, file_block, cursor, extent)) || !extent.covers(file_block) || !extent.is_compressed())
            return Error::data_checksum; // looked for again
        take_source(extent, file_block, source);
        unit.set(extent, file_block);
    }
    return unit.read(memory);
}

// busy: the block is not written yet (see_to_delayed).
Status read_once(Pool& pool, Object& object, u64 file_block, void* memory, BlockSource& source, Delayed delayed)
{
    source = BlockSource();
    ChecksumKind kind;
    {
        ReadGuard guard(object.m_lock);
        TreeCursor cursor;
        Extent extent;
        bool found = TRY(find_extent(object.m_tree, file_block, cursor, extent)) && extent.covers(file_block);
        if (!found || extent.kind != ExtentKind::mapped) {
            size_t bytes = found ? extent.payload.size() : 0; // none of an unwritten one
            if (found)
                copy_bytes(memory, extent.payload.data(), bytes);
            zero_bytes(static_cast<u8*>(memory) + bytes, k_block_size - bytes);
            return {};
        }
        TRY(see_to_delayed(pool, object, extent, delayed));
        take_source(extent, file_block, source);
        kind = extent.checksum_kind;
    }
    if (source.is_compressed)
        return read_unit_once(pool, object, file_block, memory, source);
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

void note_bad_block(Pool& pool, Object& object, u64 file_block, const Dva& place, Error error)
{
    if (error == Error::data_checksum) {
        pool.m_checksum_errors.add_relaxed(1);
        if (host_tracing & HOST_TRACE_CHECKSUM) {
            const host_checksum_trace what { pool.name(), object.id().value(), file_block, place.block, place.vdev.value(),
                                             static_cast<u32>(object.dataset().id().value()) };
            host_trace_checksum(&what);
        }
    }
    TextLine line;
    line.add("file data of object ").add(object.id().value()).add(" block ").add(file_block);
    line.add(" at device ").add(u64(place.vdev.value())).add(" block ").add(place.block);
    line.add(": ").add(text_of(error));
    pool.log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
}

Status read_block(Pool& pool, Object& object, u64 file_block, void* memory, BlockSource& source)
{
    Status status = Error::data_checksum;
    for (u32 attempt = 0; attempt < k_attempts && status.is_error(); attempt++)
    {
        status = read_once(pool, object, file_block, memory, source, Delayed::told);
        if (status.error() == Error::busy && pool.delayed_writes().write_all().is_ok())
            status = read_once(pool, object, file_block, memory, source, Delayed::written);
    }
    if (status.is_ok())
        return {};
    note_bad_block(pool, object, file_block, source.place, status.error());
    return status;
}

}
