// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/unit_write.h"

#include "core/codec/checksum.h"

namespace lcpfs {

namespace {

// Blocks [first, first + count) of those not started yet, one after the other.
void gather(const WriteOperation& operation, u32 first, u32 count, u8* out)
{
    u64 skip = u64(first) << k_block_shift;
    u64 left = u64(count) << k_block_shift;
    for (u32 i = operation.next_segment; left > 0; i++) {
        const core_segment& segment = operation.segments[i];
        if (skip >= segment.bytes) {
            skip -= segment.bytes;
            continue;
        }
        const u64 here = min<u64>(segment.bytes - skip, left);
        copy_bytes(out, static_cast<const u8*>(segment.data) + skip, here);
        out += here;
        left -= here;
        skip = 0;
    }
}

bool take_pages(Pool& pool, WriteRun& run, u32 count)
{
    for (run.page_count = 0; run.page_count < count; run.page_count++) {
        void* const page = host_pool_alloc(pool.requests().pages, 0);
        if (!page) {
            free_pages(pool, run);
            return false;
        }
        run.pages[run.page_count] = { page, k_block_size };
    }
    return true;
}

// Compresses blocks [first, first + count) of those not started yet into `run`. False: they are better left as they are.
bool pack(const WriteOperation& operation, u32 first, u32 count, WriteRun& run)
{
    Pool& pool = *operation.pool;
    Compression::Turn turn(*pool.compression());
    gather(operation, first, count, turn.unit());
    const u32 stored_bytes = turn.compress(operation.compression, count);
    if (stored_bytes == 0 || !take_pages(pool, run, static_cast<u32>(blocks_for_bytes(stored_bytes))))
        return false;
    for (u32 i = 0; i < run.page_count; i++)
        copy_bytes(run.pages[i].data, turn.stored() + (size_t(i) << k_block_shift), k_block_size);
    Extent unit;
    unit.encoding = operation.compression.encoding;
    unit.unit_blocks = static_cast<u8>(count);
    unit.length_blocks = count;
    unit.stored_bytes = stored_bytes;
    unit.payload = Bytes(run.item + sizeof(DiskExtent), 0); // checksums come when it is certain to be written
    unit.encode({ run.item, sizeof(run.item) });
    run.next = nullptr;
    run.block_count = count;
    run.dva = Dva();
    run.is_in_place = run.is_overtaken = false;
    return true;
}

}

void free_pages(Pool& pool, WriteRun& run)
{
    while (run.page_count)
        host_pool_free(pool.requests().pages, run.pages[--run.page_count].data);
}

void find_next_unit(WriteOperation& operation)
{
    Pool& pool = *operation.pool;
    operation.plain_until = operation.started_blocks;
    // From the pool: the operation's own is for what is started next, without fail.
    WriteRun* run = nullptr;
    if (pool.compression())
        run = static_cast<WriteRun*>(host_pool_alloc(pool.requests().write_runs, 0));
    while (run && operation.plain_until < operation.block_count && !operation.packed) {
        const u64 at = operation.block + operation.plain_until;
        const u32 to_edge = k_max_unit_blocks - static_cast<u32>(at % k_max_unit_blocks);
        const u32 count = min(to_edge, operation.block_count - operation.plain_until);
        if (count > 1 && pack(operation, operation.plain_until - operation.started_blocks, count, *run)) {
            run->operation = &operation;
            run->file_block = at;
            operation.packed = run;
            return;
        }
        operation.plain_until += count;
    }
    if (run)
        host_pool_free(pool.requests().write_runs, run);
    operation.plain_until = operation.block_count;
}

void seal_unit(WriteRun& run, ChecksumKind kind)
{
    DiskExtent head;
    copy_bytes(&head, run.item, sizeof(head));
    const u32 each = checksum_bytes_of(kind);
    u8* const checksums = run.item + sizeof(DiskExtent);
    for (u32 i = 0; i < run.page_count; i++)
        block_checksum(kind, run.pages[i].data, checksums + size_t(i) * each);
    head.device_block.set(run.dva.block);
    head.vdev.set(run.dva.vdev.value());
    head.checksum_kind = static_cast<u8>(kind);
    copy_bytes(run.item, &head, sizeof(head));
}

}
