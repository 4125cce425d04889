// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/file_write.h"

#include "core/codec/checksum.h"
#include "core/fs/extents.h"

namespace lcpfs {

namespace {

void note_error(WriteOperation& operation, Error error)
{
    u32 none = 0;
    operation.error.compare_exchange(none, static_cast<u32>(error));
}

void end_operation(WriteOperation* operation)
{
    Pool& pool = *operation->pool;
    int result = -errno_of(static_cast<Error>(operation->error.load()));
    pool.space().release(promise_for_data(operation->block_count));
    if (operation->promised_units)
        pool.space().end_operation(operation->promised_units, Space::For::change);
    auto done = operation->done;
    void* context = operation->context;
    operation->~WriteOperation();
    host_pool_free(pool.requests().writes, operation);
    done(context, result);
}

// A cut that failed left extents behind the end: they go before the file grows over them.
Status finish_cut(Pool& pool, Object& object, TxgId txg, ExtentScratch& scratch) REQUIRES(object.m_lock)
{
    bool finished = false;
    while (!finished)
        TRY(unmap_from(pool, object, txg, blocks_for_bytes(object.m_attributes.size_bytes), ~0u, finished, scratch));
    object.m_attributes.state &= ~k_object_truncating;
    return {};
}

// Enters one written run; on failure the mapping is as before.
Status enter_run(Pool& pool, Object& object, TxgId txg, WriteRun& run, WriteOperation& operation) REQUIRES(object.m_lock)
{
    const u64 end_bytes = min(operation.file_bytes, (run.file_block + run.dva.length_blocks) << k_block_shift);
    if (object.m_attributes.is_truncating() && end_bytes > object.m_attributes.size_bytes)
        TRY(finish_cut(pool, object, txg, operation.scratch));
    // The extent is born in the group whose tree first reaches it.
    DiskExtent head;
    copy_bytes(&head, run.item, sizeof(head));
    head.birth_txg.set(txg.value());
    copy_bytes(run.item, &head, sizeof(head));
    ChecksumKind kind = static_cast<ChecksumKind>(head.checksum_kind);
    size_t bytes = sizeof(DiskExtent) + size_t(run.dva.length_blocks) * checksum_bytes_of(kind);
    TRY(replace_range(pool, object, txg, run.file_block, run.dva.length_blocks, { run.item, bytes }, &run.dva, operation.scratch));
    if (end_bytes > object.m_attributes.size_bytes)
        object.m_attributes.size_bytes = end_bytes;
    return {};
}

// Enters the runs in file order, in one group. Those entered leave the list; what a failure leaves there is the caller's to
// give back.
Status enter_runs(Pool& pool, Object& object, WriteOperation& operation) EXCLUDES(object.m_lock)
{
    WriteGuard guard(object.m_lock);
    if (object.m_deleted)
        return Error::stale_handle;
    TRY(pool.check_writable());
    TxgHold hold(pool.engine());
    TRY(object.prepare_change(hold.txg()));
    while (WriteRun* run = operation.first_run) {
        TRY(enter_run(pool, object, hold.txg(), *run, operation));
        operation.first_run = run->next;
        host_pool_free(pool.requests().write_runs, run);
    }
    return {};
}

// All data is on disk, or some of it failed: the file gets its new extents.
void finish_write(host_work* work)
{
    WriteOperation* operation = reinterpret_cast<WriteOperation*>(work);
    Pool& pool = *operation->pool;
    if (operation->error.load() == 0 && operation->first_run) {
        Status entered = enter_runs(pool, *operation->object, *operation);
        if (entered.is_error())
            note_error(*operation, entered.error());
    }
    while (WriteRun* run = operation->first_run) {
        operation->first_run = run->next;
        pool.allocator().cancel(run->dva);
        host_pool_free(pool.requests().write_runs, run);
    }
    end_operation(operation);
}

void run_part_done(WriteOperation& operation)
{
    if (operation.remaining.sub(1) == 0)
        host_work_queue(operation.pool->completions(), &operation.work);
}

void run_written(void* context, Error error)
{
    WriteRun* run = static_cast<WriteRun*>(context);
    if (error != Error::none)
        note_error(*run->operation, error);
    run_part_done(*run->operation);
}

// A small file written whole goes into its record.
bool try_inline(WriteOperation& operation)
{
    static_assert(k_max_inline_data_bytes >= 2048);
    Pool& pool = *operation.pool;
    Object& object = *operation.object;
    if (operation.block != 0 || operation.block_count != 1 || operation.file_bytes == 0 || operation.file_bytes > k_max_inline_data_bytes)
        return false;
    DiskExtent* head = reinterpret_cast<DiskExtent*>(operation.scratch.second);
    u32 bytes = static_cast<u32>(operation.file_bytes);
    copy_bytes(operation.scratch.second + sizeof(*head), operation.segments[0].data, bytes);

    WriteGuard guard(object.m_lock);
    Status status = object.m_deleted ? Status(Error::stale_handle) : pool.check_writable();
    if (status.is_ok()) {
        TxgHold hold(pool.engine());
        status = object.prepare_change(hold.txg());
        if (status.is_ok()) {
            Extent extent;
            extent.kind = ExtentKind::inlined;
            extent.length_blocks = 1;
            extent.birth = hold.txg();
            extent.payload = Bytes(operation.scratch.second + sizeof(*head), bytes);
            u32 item_bytes = extent.encode({ operation.scratch.second, sizeof(operation.scratch.second) });
            // replace_range cuts through scratch.first and scratch.second: the item must not stand there.
            Scratch cutting(pool);
            status = replace_range(pool, object, hold.txg(), 0, 1, { operation.scratch.second, item_bytes }, nullptr, *cutting);
            if (status.is_ok() && object.m_attributes.size_bytes < operation.file_bytes)
                object.m_attributes.size_bytes = operation.file_bytes;
        }
    }
    if (status.is_error())
        note_error(operation, status.error());
    return true;
}

// Splits segment `index` after `blocks` blocks when it is longer: the tail stays in place for the next run.
u32 take_segments(WriteOperation& operation, u32 first, u32 blocks, core_segment& rest)
{
    u32 index = first;
    rest = { nullptr, 0 };
    while (blocks > 0) {
        core_segment& segment = operation.segments[index];
        u32 here = segment.bytes >> k_block_shift;
        if (here > blocks) {
            rest = { static_cast<u8*>(segment.data) + (u64(blocks) << k_block_shift), (here - blocks) << k_block_shift };
            segment.bytes = blocks << k_block_shift;
            here = blocks;
        }
        blocks -= here;
        index++;
    }
    return index - first;
}

void seal_item(WriteRun& run, ChecksumKind kind, Span<const core_segment> segments)
{
    Extent extent;
    extent.file_block = run.file_block;
    extent.length_blocks = run.dva.length_blocks;
    extent.dva = run.dva;
    extent.checksum_kind = kind;
    u8* out = run.item + sizeof(DiskExtent);
    u32 each = checksum_bytes_of(kind);
    for (const core_segment& segment : segments)
        for (u32 offset = 0; offset < segment.bytes; offset += k_block_size, out += each)
            block_checksum(kind, static_cast<const u8*>(segment.data) + offset, out);
    extent.payload = Bytes(run.item + sizeof(DiskExtent), size_t(extent.length_blocks) * each);
    extent.encode({ run.item, sizeof(run.item) });
}

// Allocates and starts the runs. Each started run counts in `remaining`.
Status start_runs(WriteOperation& operation)
{
    Pool& pool = *operation.pool;
    TRY(pool.check_writable());
    ChecksumKind kind = pool.data_checksum();
    u32 longest = max_extent_blocks(kind);
    u64 block = operation.block;
    u32 left = operation.block_count;
    u32 segment = 0;
    while (left > 0) {
        Dva dva = TRY(pool.allocator().allocate(AllocClass::data, min(left, longest), 1));
        WriteRun* run = static_cast<WriteRun*>(host_pool_alloc_reserved(pool.requests().write_runs));
        run->next = nullptr;
        run->operation = &operation;
        run->file_block = block;
        run->dva = dva;
        core_segment rest;
        u32 taken = take_segments(operation, segment, dva.length_blocks, rest);
        Span<const core_segment> mine { operation.segments + segment, taken };
        seal_item(*run, kind, mine);
        if (operation.last_run)
            operation.last_run->next = run;
        else
            operation.first_run = run;
        operation.last_run = run;
        operation.remaining.add(1);
        pool.vdevs().write(dva, mine, HOST_IO_SYNC, run_written, run);
        pool.m_data_writes.add_relaxed(dva.length_blocks);
        segment += taken;
        if (rest.bytes)
            operation.segments[--segment] = rest;
        block += dva.length_blocks;
        left -= dva.length_blocks;
    }
    return {};
}

}

Status reserve_blocks(Pool& pool, u64 blocks)
{
    TRY(pool.check_writable());
    if (blocks > k_max_file_blocks)
        return Error::no_space;
    pool.space().throttle();
    return pool.space().promise(promise_for_data(blocks), Space::For::growth);
}

void unreserve_blocks(Pool& pool, u64 blocks) { pool.space().release(promise_for_data(blocks)); }

// Entering what was written dirties nodes, on a nearly full pool as fast as it can commit and no faster.
static Status promise_entering(Pool& pool, WriteOperation& operation)
{
    TRY(pool.check_writable());
    pool.space().throttle();
    const u64 units = pool.space().write_units();
    TRY(pool.space().begin_operation(units, Space::For::change));
    operation.promised_units = units;
    return {};
}

void write_blocks(Pool& pool, Object& object, u64 block, Span<const core_segment> segments, u64 file_bytes,
    void (*done)(void* context, int error), void* context)
{
    // Without parentheses: what has no initialiser, some 8 KiB, is not cleared.
    WriteOperation* operation = ::new (host_pool_alloc_reserved(pool.requests().writes)) WriteOperation;
    host_work_init(&operation->work, finish_write);
    operation->pool = &pool;
    operation->object = Ref<Object>(object);
    operation->block = block;
    operation->file_bytes = file_bytes;
    operation->promised_units = 0;
    operation->done = done;
    operation->context = context;
    u64 bytes = 0;
    bool sound = segments.size() > 0 && segments.size() <= k_write_max_blocks;
    for (const core_segment& segment : segments) {
        bytes += segment.bytes;
        sound = sound && segment.bytes > 0 && (segment.bytes & (k_block_size - 1)) == 0;
    }
    const u64 blocks = bytes >> k_block_shift;
    operation->block_count = static_cast<u32>(min<u64>(blocks, ~0u));
    operation->segment_count = static_cast<u32>(segments.size());
    if (!sound || blocks > k_write_max_blocks || !is_in_file(block, blocks)) {
        note_error(*operation, Error::invalid);
        end_operation(operation);
        return;
    }
    Status promised = promise_entering(pool, *operation);
    if (promised.is_error()) {
        note_error(*operation, promised.error());
        end_operation(operation);
        return;
    }
    for (size_t i = 0; i < segments.size(); i++)
        operation->segments[i] = segments[i];
    if (try_inline(*operation)) {
        end_operation(operation);
        return;
    }
    operation->remaining.store(1);
    Status started = start_runs(*operation);
    if (started.is_error())
        note_error(*operation, started.error());
    run_part_done(*operation);
}

}
