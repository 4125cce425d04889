// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/file_read.h"

#include "core/fs/block_read.h"
#include "core/fs/log_write.h"
#include "core/fs/unit_read.h"

namespace lcpfs {

namespace {

// At some 2 GB/s the interrupt is held for less than 10 us.
constexpr u32 k_verify_in_place_blocks = 4;
// Of a long read, what arrives first is verified while the device is at the rest.
constexpr u32 k_run_blocks = 128;

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

// The segments of the next `blocks` blocks; one that goes on behind them is split. What was given out before stays as it is.
Span<const core_segment> take_segments(ReadOperation& operation, u32 blocks)
{
    core_segment* segments = operation.segments();
    const u32 first = operation.next_segment;
    u32 i = first;
    for (u32 left = blocks; left > 0; i++) {
        u32 here = segments[i].bytes >> k_block_shift;
        if (here <= left) {
            left -= here;
            continue;
        }
        move_bytes(segments + i + 1, segments + i, (operation.segment_count - i) * sizeof(*segments));
        operation.segment_count++;
        segments[i].bytes = left << k_block_shift;
        segments[i + 1].data = static_cast<u8*>(segments[i + 1].data) + segments[i].bytes;
        segments[i + 1].bytes -= segments[i].bytes;
        left = 0;
    }
    operation.next_segment = i;
    return { segments + first, i - first };
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

void tell(ReadWaiter& waiter) REQUIRES(waiter.lock)
{
    waiter.has_news.store(1);
    waiter.event.wake();
}

void end_wait(ReadWaiter& waiter)
{
    SpinGuard guard(waiter.lock);
    waiter.is_over = true;
    tell(waiter);
}

void end_operation(ReadOperation* operation)
{
    Pool& pool = *operation->pool;
    pool.partitions().end_access(operation->object->dataset().owner(), operation->began_ns);
    zero_tail(*operation);
    LCPFS_UNINITIALIZED u64 bad[k_read_max_blocks / 64];
    Error error = static_cast<Error>(operation->error.load());
    if (error != Error::none)
        for (u32 i = 0; i < k_read_max_blocks / 64; i++)
            bad[i] = operation->bad[i].load();
    auto done = operation->done;
    void* context = operation->context;
    ReadWaiter* waiter = operation->waiter;
    host_pool* home = operation->is_large ? pool.requests().large_reads : pool.requests().small_reads;
    host_pool_free(home, operation);
    done(context, -errno_of(error), error == Error::none ? nullptr : bad);
    if (waiter)
        end_wait(*waiter);
}

void next_round(host_work* work);

void operation_part_done(ReadOperation* operation)
{
    if (operation->remaining.sub(1) != 0)
        return;
    if (operation->next_block < operation->block + operation->block_count) {
        host_work_init(&operation->work, next_round);
        host_work_queue(operation->pool->completions(), &operation->work);
    } else {
        end_operation(operation);
    }
}

// Null: the operation's own is in use, and there is no memory.
ReadRun* take_run(ReadOperation& operation)
{
    if (operation.own_run_busy.load())
        return static_cast<ReadRun*>(host_pool_alloc(operation.pool->requests().read_runs, 0));
    operation.own_run_busy.store(1);
    return &operation.own_run;
}

void give_back_run(ReadOperation& operation, ReadRun* run)
{
    if (run == &operation.own_run)
        operation.own_run_busy.store(0);
    else
        host_pool_free(operation.pool->requests().read_runs, run);
}

bool block_of_run_matches(const ReadRun& run, u32 i, const void* memory)
{
    return block_matches(run.checksum_kind, memory, run.checksums + i * checksum_bytes_of(run.checksum_kind));
}

void recover_block(ReadRun& run, u32 i, void* memory)
{
    ReadOperation& operation = *run.operation;
    const u64 file_block = run.file_block + i;
    if (operation.is_once)
        return mark_bad(operation, file_block, Error::io_error);
    // By another path first, which tells a bad path from a bad block.
    const core_segment segment { memory, k_block_size };
    const Dva place { run.dva.block + i, 1, run.dva.vdev };
    auto matches = [&] { return block_of_run_matches(run, i, memory); };
    if (run.error == Error::none && operation.pool->vdevs().reread(place, { &segment, 1 }, run.served_by, matches))
        return;
    BlockSource source;
    Status status = read_block(*operation.pool, *operation.object, file_block, memory, source);
    if (status.is_error())
        mark_bad(operation, file_block, status.error());
}

void run_done(ReadRun* run)
{
    ReadOperation* operation = run->operation;
    give_back_run(*operation, run);
    operation_part_done(operation);
}

// Verifies a run that was read, and reads again what does not verify. Completion thread, or who waits.
void finish_run(host_work* work)
{
    ReadRun* run = reinterpret_cast<ReadRun*>(work);
    BlockWalk walk(*run->operation, run->first_segment);
    for (u32 i = 0; i < run->block_count; i++) {
        void* memory = walk.next();
        if (run->error != Error::none || !block_of_run_matches(*run, i, memory))
            recover_block(*run, i, memory);
    }
    run_done(run);
}

// A unit that stays bad is read again at the place the file has each block then, which may have moved meanwhile; those that are still in
// one that cannot be read are not tried one by one.
void recover_unit(ReadRun& run)
{
    ReadOperation& operation = *run.operation;
    BlockWalk walk(operation, run.first_segment);
    BlockSource bad, source;
    Error error = Error::none;
    for (u32 i = 0; i < run.block_count; i++) {
        const u64 file_block = run.file_block + i;
        void* const memory = walk.next();
        if (operation.is_once) {
            mark_bad(operation, file_block, Error::io_error);
            continue;
        }
        if (error != Error::none) {
            ReadGuard guard(operation.object->m_lock);
            auto now = find_block(*operation.object, file_block);
            if (now.is_ok() && now.value().is_compressed && now.value().is_in_unit_of(bad)) {
                mark_bad(operation, file_block, error);
                continue;
            }
        }
        const Status status = read_block(*operation.pool, *operation.object, file_block, memory, source);
        if (status.is_ok())
            continue;
        error = status.error();
        bad = source;
        mark_bad(operation, file_block, error);
    }
}

// The same for a run of a unit.
void finish_unit_run(host_work* work)
{
    ReadRun* run = reinterpret_cast<ReadRun*>(work);
    Pool& pool = *run->operation->pool;
    BlockWalk walk(*run->operation, run->first_segment);
    const bool is_right = verify_unit(pool, *run)
        && decompress_unit(pool, *run, [&](const u8* block, u32) { copy_bytes(walk.next(), block, k_block_size); }).is_ok();
    host_pool_free(pool.requests().units, run->unit.stored);
    if (!is_right)
        recover_unit(*run);
    run_done(run);
}

// To where it may take its time.
void hand_over(ReadRun& run)
{
    ReadWaiter* waiter = run.operation->waiter;
    if (!waiter) {
        host_work_init(&run.work, run.is_of_unit ? finish_unit_run : finish_run);
        host_work_queue(run.operation->pool->completions(), &run.work);
        return;
    }
    SpinGuard guard(waiter->lock);
    run.next = waiter->arrived;
    waiter->arrived = &run;
    tell(*waiter);
}

void unit_read(void* context, Error error)
{
    ReadRun* run = static_cast<ReadRun*>(context);
    run->error = error;
    hand_over(*run);
}

// A few blocks cost less to verify where they arrive, in whatever context, than a thread costs to wake.
bool verifies_in_place(const ReadRun& run)
{
    if (run.error != Error::none || run.block_count > k_verify_in_place_blocks || run.checksum_kind == ChecksumKind::sha256)
        return false;
    BlockWalk walk(*run.operation, run.first_segment);
    for (u32 i = 0; i < run.block_count; i++)
        if (!block_of_run_matches(run, i, walk.next()))
            return false;
    return true;
}

void run_read(void* context, Error error)
{
    ReadRun* run = static_cast<ReadRun*>(context);
    run->error = error;
    if (verifies_in_place(*run))
        run_done(run);
    else
        hand_over(*run);
}

// What the next blocks of a read are. For a mapped piece the run is prepared, but for the segments.
struct Piece {
    u32 blocks;
    enum class Kind : u8 { hole, inlined, mapped, compressed } kind;
};

void prepare_run(ReadOperation& operation, const Extent& extent, u64 file_block, u32 count, ReadRun& run)
{
    u32 offset = static_cast<u32>(file_block - extent.file_block);
    run.operation = &operation;
    run.file_block = file_block;
    run.block_count = count;
    run.error = Error::none;
    run.served_by = 0;
    run.checksum_kind = extent.checksum_kind;
    run.is_of_unit = extent.is_compressed();
    Bytes checksums = extent.payload;
    if (extent.is_compressed()) {
        run.dva = extent.dva;
        set_unit_part(run, extent, file_block);
    } else {
        run.dva = Dva { extent.dva.block + offset, count, extent.dva.vdev };
        checksums = extent.checksums(offset, count);
    }
    if (checksums.size() == sizeof(u32)) // of one block, as a rule
        copy_bytes(run.checksums, checksums.data(), sizeof(u32));
    else
        copy_bytes(run.checksums, checksums.data(), checksums.size());
}

// The piece at `block`. What is in the record is copied here, under the lock; everything else is done without it.
// busy: some of its blocks are not written yet (see_to_delayed).
Result<Piece> map_piece(ReadOperation& operation, u64 block, ReadRun& run, Delayed delayed)
{
    Object& object = *operation.object;
    u64 end = operation.block + operation.block_count;
    ReadGuard guard(object.m_lock);
    operation.file_bytes = object.m_attributes.size_bytes;
    LCPFS_UNINITIALIZED TreeCursor cursor;
    Extent extent;
    bool found = TRY(find_extent(object.m_tree, block, cursor, extent));
    if (!found || extent.file_block > block)
        return Piece { static_cast<u32>(min(end, found ? extent.file_block : end) - block), Piece::Kind::hole };
    if (extent.kind == ExtentKind::inlined) {
        u8* memory = static_cast<u8*>(take_segments(operation, 1)[0].data);
        copy_bytes(memory, extent.payload.data(), extent.payload.size());
        zero_bytes(memory + extent.payload.size(), k_block_size - extent.payload.size());
        return Piece { 1, Piece::Kind::inlined };
    }
    VERIFY_DISK(!extent.is_compressed() || operation.pool->compression(), extent_damaged);
    u32 count = static_cast<u32>(min(end, extent.end()) - block);
    if (extent.is_unwritten())
        return Piece { count, Piece::Kind::hole };
    TRY(see_to_delayed(*operation.pool, object, extent, delayed));
    if (!extent.is_compressed())
        count = min(count, k_run_blocks);
    prepare_run(operation, extent, block, count, run);
    return Piece { count, extent.is_compressed() ? Piece::Kind::compressed : Piece::Kind::mapped };
}

// The same, once no block of it is one that only the log has.
Result<Piece> map_readable_piece(ReadOperation& operation, u64 block, ReadRun& run)
{
    auto piece = map_piece(operation, block, run, Delayed::told);
    if (piece.is_ok() || piece.error() != Error::busy)
        return piece;
    TRY(operation.pool->delayed_writes().write_all());
    return map_piece(operation, block, run, Delayed::written);
}

void start_run(ReadOperation& operation, ReadRun* run)
{
    Pool& pool = *operation.pool;
    run->first_segment = operation.next_segment;
    Span<const core_segment> segments = take_segments(operation, run->block_count);
    operation.remaining.add(1);
    pool.m_data_reads.add_relaxed(run->block_count);
    pool.vdevs().read(run->dva, segments, HOST_IO_SYNC, run_read, run, &run->served_by);
}

// False: there is no memory for it now; what is under way gives some back.
bool start_unit_run(ReadOperation& operation, ReadRun* run)
{
    Pool& pool = *operation.pool;
    host_pool* const units = pool.requests().units;
    // Its own run waits: nothing of this operation is under way that would have to give memory back.
    void* const stored = run == &operation.own_run ? host_pool_alloc_reserved(units) : host_pool_alloc(units, HOST_ALLOC_ATOMIC);
    if (!stored)
        return false;
    run->unit.stored = static_cast<StoredUnit*>(stored);
    run->first_segment = operation.next_segment;
    (void)take_segments(operation, run->block_count);
    operation.remaining.add(1);
    pool.m_data_reads.add_relaxed(run->dva.length_blocks);
    run->whole = { stored, run->dva.length_blocks << k_block_shift };
    pool.vdevs().read(run->dva, { &run->whole, 1 }, HOST_IO_SYNC, unit_read, run, &run->served_by);
    return true;
}

// As many runs as there is memory for, at least one.
void start_runs(ReadOperation& operation)
{
    const u64 end = operation.block + operation.block_count;
    ReadRun* run = nullptr;
    while (operation.next_block < end && (run || (run = take_run(operation)))) {
        auto piece = map_readable_piece(operation, operation.next_block, *run);
        if (piece.is_error()) {
            for (; operation.next_block < end; operation.next_block++)
                mark_bad(operation, operation.next_block, piece.error());
            break;
        }
        if (piece.value().kind == Piece::Kind::compressed) {
            if (!start_unit_run(operation, run))
                break;
            run = nullptr;
        }
        operation.next_block += piece.value().blocks;
        if (piece.value().kind == Piece::Kind::mapped) {
            start_run(operation, run);
            run = nullptr;
        } else if (piece.value().kind == Piece::Kind::hole) {
            for (const core_segment& segment : take_segments(operation, piece.value().blocks))
                zero_bytes(segment.data, segment.bytes);
        }
    }
    if (run)
        give_back_run(operation, run);
}

void do_round(ReadOperation* operation)
{
    operation->remaining.store(1);
    start_runs(*operation);
    operation_part_done(operation);
}

void next_round(host_work* work) { do_round(reinterpret_cast<ReadOperation*>(work)); }

void take_arrived(ReadWaiter& waiter)
{
    for (bool is_over = false; !is_over;) {
        ReadRun* run = nullptr;
        waiter.event.wait([&] { return waiter.has_news.load() != 0; });
        {
            SpinGuard guard(waiter.lock);
            waiter.has_news.store(0);
            run = waiter.arrived;
            waiter.arrived = nullptr;
            is_over = waiter.is_over;
        }
        while (run) {
            ReadRun* const next = run->next;
            (run->is_of_unit ? finish_unit_run : finish_run)(&run->work);
            run = next;
        }
    }
}

struct ReadHow {
    ReadWaiter* waiter;
    bool is_once;
};

void begin_read(Pool& pool, Object& object, u64 block, Span<const core_segment> segments, ReadHow how,
    void (*done)(void* context, int error, const u64* bad), void* context)
{
    u64 bytes = 0;
    bool sound = segments.size() > 0 && segments.size() <= k_read_max_blocks;
    for (const core_segment& segment : segments) {
        bytes += segment.bytes;
        sound = sound && segment.bytes > 0 && (segment.bytes & (k_block_size - 1)) == 0;
    }
    u32 blocks = static_cast<u32>(min<u64>(bytes >> k_block_shift, k_read_max_blocks + 1));
    if (!sound || blocks > k_read_max_blocks || !is_in_file(block, blocks)) {
        u64 bad[k_read_max_blocks / 64];
        __builtin_memset(bad, 0xff, sizeof(bad));
        done(context, -errno_of(Error::invalid), bad);
        if (how.waiter)
            end_wait(*how.waiter);
        return;
    }
    bool large = blocks > k_small_read_segments;
    void* memory = host_pool_alloc_reserved(large ? pool.requests().large_reads : pool.requests().small_reads);
    ReadOperation* operation = ::new (memory) ReadOperation;
    operation->next_block = block;
    operation->pool = &pool;
    operation->object = &object;
    operation->began_ns = pool.partitions().begin_access(object.dataset().owner());
    operation->block = block;
    operation->block_count = blocks;
    operation->segment_count = static_cast<u32>(segments.size());
    operation->file_bytes = ~0ull;
    operation->done = done;
    operation->context = context;
    operation->waiter = how.waiter;
    operation->is_once = how.is_once;
    operation->is_large = large;
    for (size_t i = 0; i < segments.size(); i++)
        operation->segments()[i] = segments[i];
    do_round(operation);
}

}

void read_blocks(Pool& pool, Object& object, u64 block, Span<const core_segment> segments,
    void (*done)(void* context, int error, const u64* bad), void* context)
{
    begin_read(pool, object, block, segments, { nullptr, false }, done, context);
}

void read_blocks_and_wait(Pool& pool, Object& object, u64 block, Span<const core_segment> segments,
    void (*done)(void* context, int error, const u64* bad), void* context)
{
    ReadWaiter waiter;
    begin_read(pool, object, block, segments, { &waiter, false }, done, context);
    take_arrived(waiter);
}

void read_blocks_once(Pool& pool, Object& object, u64 block, Span<const core_segment> segments,
    void (*done)(void* context, int error, const u64* bad), void* context)
{
    begin_read(pool, object, block, segments, { nullptr, true }, done, context);
}

// All of it is one extent, of a group that has committed: the leaf that has it is in memory.
static bool is_committed(Object& object, u64 block, u64 count) REQUIRES_SHARED(object.m_lock)
{
    LCPFS_UNINITIALIZED TreeCursor cursor;
    Extent extent;
    auto found = find_extent(object.m_tree, block, cursor, extent);
    return found.is_ok() && found.value() && extent.covers(block) && extent.end() >= block + count
        && see_to_delayed(*object.dataset().host().pool, object, extent, Delayed::told).is_ok();
}

bool read_waits(Object& object, u64 block, u64 count)
{
    if (count == 0 || !is_in_file(block, count))
        return false;
    const BigEndianKey first = extent_key(block), last = extent_key(block + count - 1);
    if (!object.m_lock.try_lock_shared())
        return true;
    const bool waits = !object.m_tree.is_in_memory({ first.data(), 8 }) || !object.m_tree.is_in_memory({ last.data(), 8 })
        || (object.m_delayed_writes.load() && !is_committed(object, block, count));
    object.m_lock.unlock_shared();
    return waits;
}

}
