// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/file_read.h"

#include "core/base/format_text.h"
#include "core/codec/checksum.h"
#include "core/fs/extents.h"

#ifdef LCPFS_BROKEN_BUILDS
#include "core/test/breakage.h"
#endif

namespace lcpfs {

namespace {

// Walks the memory of an operation block by block.
class BlockWalk {
public:
    BlockWalk(ReadOperation& operation, u32 first_segment) : m_segment(operation.segments() + first_segment) {}
    void* next()
    {
        void* here = static_cast<u8*>(m_segment->data) + m_offset;
        m_offset += k_block_size;
        if (m_offset == m_segment->bytes) {
            m_segment++;
            m_offset = 0;
        }
        return here;
    }

private:
    core_segment* m_segment;
    u32 m_offset { 0 };
};

// Index of the segment that begins at block `offset` of the operation, splitting the one that spans it.
u32 segment_at(ReadOperation& operation, u32 offset)
{
    core_segment* segments = operation.segments();
    u32 at = 0;
    for (u32 i = 0;; i++) {
        if (at == offset)
            return i;
        u32 blocks = segments[i].bytes >> k_block_shift;
        if (at + blocks <= offset) {
            at += blocks;
            continue;
        }
        move_bytes(segments + i + 1, segments + i, (operation.segment_count - i) * sizeof(*segments));
        operation.segment_count++;
        segments[i].bytes = (offset - at) << k_block_shift;
        segments[i + 1].data = static_cast<u8*>(segments[i + 1].data) + segments[i].bytes;
        segments[i + 1].bytes -= segments[i].bytes;
        return i + 1;
    }
}

void* block_memory(ReadOperation& operation, u32 offset)
{
    core_segment* segment = operation.segments();
    u64 bytes = u64(offset) << k_block_shift;
    while (bytes >= segment->bytes)
        bytes -= (segment++)->bytes;
    return static_cast<u8*>(segment->data) + bytes;
}

void mark_bad(ReadOperation& operation, u64 file_block, Error error)
{
    u32 none = 0;
    operation.error.compare_exchange(none, static_cast<u32>(error));
    u64 offset = file_block - operation.block;
    u64 bit = 1ull << (offset % 64);
    Atomic<u64>& word = operation.bad[offset / 64];
    u64 seen = word.load();
    while (!word.compare_exchange(seen, seen | bit)) {
    }
}

// Bytes behind the end of the file in its last block are zeros whatever is stored.
void zero_tail(ReadOperation& operation)
{
    u64 end_block = blocks_for_bytes(operation.file_bytes);
    u64 tail = operation.file_bytes & (k_block_size - 1);
    if (tail == 0 || end_block <= operation.block || end_block > operation.block + operation.block_count)
        return;
    u8* memory = static_cast<u8*>(block_memory(operation, static_cast<u32>(end_block - 1 - operation.block)));
    zero_bytes(memory + tail, k_block_size - tail);
}

void end_operation(ReadOperation* operation)
{
    Pool& pool = *operation->pool;
    zero_tail(*operation);
    u64 bad[k_read_max_blocks / 64];
    Error error = static_cast<Error>(operation->error.load());
    if (error != Error::none)
        for (u32 i = 0; i < k_read_max_blocks / 64; i++)
            bad[i] = operation->bad[i].load();
    auto done = operation->done;
    void* context = operation->context;
    host_pool* home = operation->is_large ? pool.requests().large_reads : pool.requests().small_reads;
    operation->~ReadOperation();
    host_pool_free(home, operation);
    done(context, -errno_of(error), error == Error::none ? nullptr : bad);
}

void operation_part_done(ReadOperation* operation)
{
    if (operation->remaining.sub(1) == 0)
        end_operation(operation);
}

bool matches(ChecksumKind kind, const void* block, const u8* expected)
{
#ifdef LCPFS_BROKEN_BUILDS
    if (breakage::skip_checksum)
        return true;
#endif
    return block_checksum_matches(kind, block, expected);
}

Status read_one(Pool& pool, const Dva& dva, void* memory)
{
    IoBatch batch;
    core_segment segment { memory, k_block_size };
    batch.begin();
    pool.vdevs().read(dva, { &segment, 1 }, HOST_IO_SYNC, IoBatch::done, &batch);
    return batch.wait();
}

// One block by itself, from where the file has it now: it may have been moved since the first try.
Status reread_block(ReadOperation& operation, u64 file_block, void* memory, Dva& place)
{
    Pool& pool = *operation.pool;
    Object& object = *operation.object;
    u8 expected[k_checksum_bytes];
    ChecksumKind kind;
    {
        ReadGuard guard(object.m_lock);
        TreeCursor cursor;
        Extent extent;
        if (!TRY(find_extent(object.m_tree, file_block, cursor, extent)) || !extent.covers(file_block)) {
            zero_bytes(memory, k_block_size);
            return {};
        }
        if (extent.kind == ExtentKind::inlined) {
            zero_bytes(memory, k_block_size);
            copy_bytes(memory, extent.payload.data(), extent.payload.size());
            return {};
        }
        u32 offset = static_cast<u32>(file_block - extent.file_block);
        Bytes checksum = extent.checksums(offset, 1);
        copy_bytes(expected, checksum.data(), checksum.size());
        kind = extent.checksum_kind;
        place = Dva { extent.dva.block + offset, 1, extent.dva.vdev };
    }
    TRY(read_one(pool, place, memory));
    return matches(kind, memory, expected) ? Status() : Status(Error::data_checksum);
}

void recover_block(ReadRun& run, u64 file_block, void* memory)
{
    ReadOperation& operation = *run.operation;
    Dva place { run.dva.block + (file_block - run.file_block), 1, run.dva.vdev };
    Status status = Error::data_checksum;
    for (u32 attempt = 0; attempt < 3 && status.is_error(); attempt++)
        status = reread_block(operation, file_block, memory, place);
    if (status.is_ok())
        return;
    operation.pool->m_checksum_errors.add_relaxed(status.error() == Error::data_checksum);
    TextLine line;
    line.add("file data of object ").add(operation.object->id().value()).add(" block ").add(file_block);
    line.add(" at device ").add(u64(place.vdev.value())).add(" block ").add(place.block).add(": ").add(text_of(status.error()));
    operation.pool->log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
    mark_bad(operation, file_block, status.error());
}

// Verifies a run that was read. Completion thread.
void finish_run(host_work* work)
{
    ReadRun* run = reinterpret_cast<ReadRun*>(work);
    ReadOperation* operation = run->operation;
    u32 each = checksum_bytes_of(run->checksum_kind);
    BlockWalk walk(*operation, run->first_segment);
    for (u32 i = 0; i < run->block_count; i++) {
        void* memory = walk.next();
        if (run->error != Error::none || !matches(run->checksum_kind, memory, run->checksums + i * each))
            recover_block(*run, run->file_block + i, memory);
    }
    host_pool_free(operation->pool->requests().read_runs, run);
    operation_part_done(operation);
}

void run_read(void* context, Error error)
{
    ReadRun* run = static_cast<ReadRun*>(context);
    run->error = error;
    host_work_queue(run->operation->pool->completions(), &run->work);
}

// Makes the run for the part of a mapped extent that begins at `file_block`.
void prepare_run(ReadOperation& operation, const Extent& extent, u64 file_block, u32 count, ReadRun*& list)
{
    Pool& pool = *operation.pool;
    ReadRun* run = static_cast<ReadRun*>(host_pool_alloc_reserved(pool.requests().read_runs));
    u32 offset = static_cast<u32>(file_block - extent.file_block);
    host_work_init(&run->work, finish_run);
    run->operation = &operation;
    run->file_block = file_block;
    run->block_count = count;
    run->first_segment = segment_at(operation, static_cast<u32>(file_block - operation.block));
    run->segment_count = segment_at(operation, static_cast<u32>(file_block - operation.block) + count) - run->first_segment;
    run->error = Error::none;
    run->dva = Dva { extent.dva.block + offset, count, extent.dva.vdev };
    run->checksum_kind = extent.checksum_kind;
    Bytes checksums = extent.checksums(offset, count);
    copy_bytes(run->checksums, checksums.data(), checksums.size());
    operation.remaining.add(1);
    list = run;
}

void zero_blocks(ReadOperation& operation, u64 file_block, u64 count)
{
    for (u64 i = 0; i < count; i++)
        zero_bytes(block_memory(operation, static_cast<u32>(file_block + i - operation.block)), k_block_size);
}

// The next piece of the range at `block`: zeros and inline bytes are filled in, a mapped piece becomes `run`. Gives its length.
Result<u32> map_piece(ReadOperation& operation, u64 block, ReadRun*& run)
{
    Object& object = *operation.object;
    u64 end = operation.block + operation.block_count;
    run = nullptr;
    ReadGuard guard(object.m_lock);
    operation.file_bytes = object.m_attributes.size_bytes;
    TreeCursor cursor;
    Extent extent;
    bool found = TRY(find_extent(object.m_tree, block, cursor, extent));
    if (!found || extent.file_block > block) {
        u64 hole = min(end, found ? extent.file_block : end) - block;
        zero_blocks(operation, block, hole);
        return static_cast<u32>(hole);
    }
    if (extent.kind == ExtentKind::inlined) {
        u8* memory = static_cast<u8*>(block_memory(operation, static_cast<u32>(block - operation.block)));
        copy_bytes(memory, extent.payload.data(), extent.payload.size());
        zero_bytes(memory + extent.payload.size(), k_block_size - extent.payload.size());
        return 1u;
    }
    u32 count = static_cast<u32>(min(end, extent.end()) - block);
    prepare_run(operation, extent, block, count, run);
    return count;
}

// Fills in the operation. Runs are started outside the object's lock.
void start_runs(ReadOperation& operation)
{
    u64 block = operation.block;
    u64 end = block + operation.block_count;
    while (block < end) {
        ReadRun* run;
        auto piece = map_piece(operation, block, run);
        if (piece.is_error()) {
            for (; block < end; block++)
                mark_bad(operation, block, piece.error());
            return;
        }
        if (run) {
            Pool& pool = *operation.pool;
            pool.m_data_reads.add_relaxed(run->block_count);
            pool.vdevs().read(run->dva, { operation.segments() + run->first_segment, run->segment_count }, HOST_IO_SYNC, run_read, run);
        }
        block += piece.value();
    }
}

}

void read_blocks(Pool& pool, Object& object, u64 block, Span<const core_segment> segments,
    void (*done)(void* context, int error, const u64* bad), void* context)
{
    u64 bytes = 0;
    bool sound = segments.size() <= k_read_max_blocks;
    for (const core_segment& segment : segments) {
        bytes += segment.bytes;
        sound = sound && segment.bytes > 0 && (segment.bytes & (k_block_size - 1)) == 0;
    }
    u32 blocks = static_cast<u32>(min<u64>(bytes >> k_block_shift, k_read_max_blocks + 1));
    if (!sound || blocks > k_read_max_blocks || block + blocks > k_max_file_blocks) {
        u64 bad[k_read_max_blocks / 64];
        __builtin_memset(bad, 0xff, sizeof(bad));
        done(context, -errno_of(Error::invalid), bad);
        return;
    }
    bool large = blocks > k_small_read_segments;
    void* memory = host_pool_alloc_reserved(large ? pool.requests().large_reads : pool.requests().small_reads);
    ReadOperation* operation = ::new (memory) ReadOperation();
    operation->pool = &pool;
    operation->object = Ref<Object>(object);
    operation->block = block;
    operation->block_count = blocks;
    operation->segment_count = static_cast<u32>(segments.size());
    operation->file_bytes = ~0ull;
    operation->done = done;
    operation->context = context;
    operation->is_large = large;
    for (size_t i = 0; i < segments.size(); i++)
        operation->segments()[i] = segments[i];
    operation->remaining.store(1);
    start_runs(*operation);
    operation_part_done(operation);
}

}
