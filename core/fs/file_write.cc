// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/file_write.h"

#include "core/codec/checksum.h"
#include "core/fs/extents.h"
#include "core/fs/in_place.h"
#include "core/fs/log_records.h"
#include "core/fs/unit_write.h"

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
    const OwnerSlot owner = operation->object->dataset().owner();
    pool.space().release_data(owner, operation->block_count);
    pool.partitions().end_access(owner, operation->began_ns);
    if (operation->promised_units)
        pool.space().end_operation(operation->promised_units, Space::For::change);
    auto done = operation->done;
    void* context = operation->context;
    operation->~WriteOperation();
    host_pool_free(pool.requests().writes, operation);
    done(context, result);
}

// Extents that one round takes away of what a cut that failed left behind the file's end.
constexpr u32 k_cut_extents = 64;
// What a round may enter into the space log, so that one chunk always does: each run itself, what it replaces, and the cut at its end;
// at the first one's beginning, and at the file's end, there is another.
constexpr u32 k_round_entries = SpaceLog::k_entries_per_chunk - k_cut_extents - 2;
constexpr u32 entries_of_run(u32 blocks) { return blocks + 2; }
static_assert(entries_of_run(k_write_max_blocks) <= k_round_entries);

void give_back_run(WriteOperation& operation, WriteRun* run)
{
    free_pages(*operation.pool, *run);
    if (run == &operation.own_run)
        operation.own_run_busy = false;
    else
        host_pool_free(operation.pool->requests().write_runs, run);
}

Bytes item_of(const WriteRun& run)
{
    const DiskExtent& head = *reinterpret_cast<const DiskExtent*>(run.item);
    return { run.item, sizeof(head) + size_t(run.dva.length_blocks) * checksum_bytes_of(static_cast<ChecksumKind>(head.checksum_kind)) };
}

// With room for the extents of all runs that wait to be entered.
Box<LogRecord> record_of_runs(Pool& pool, Object& object, const WriteOperation& operation)
{
    u32 bytes = 0;
    LoggedWrite write { operation.first_run->file_block, 0, operation.file_bytes };
    for (const WriteRun* run = operation.first_run; run; run = run->next) {
        bytes += static_cast<u32>(item_of(*run).size());
        write.block_count += run->block_count;
    }
    return record_of_write(pool, object, write, LogWriteForm::extents, bytes);
}

// Appends the record of what was entered when the scope ends, while the group is held.
struct RunsLogged {
    IntentLog& log;
    TxgId txg;
    Box<LogRecord> record;
    bool entered { false };

    ~RunsLogged()
    {
        if (entered)
            log.append(txg, lcpfs::move(record));
    }
    void add(const WriteRun& run)
    {
        entered = true;
        if (run.is_overtaken) // a record of the parts that are left cannot be made: the group has to be waited for
            record = {};
        if (record)
            add_extent(*record, item_of(run), run.is_in_place);
    }
};

}

Result<bool> enter_run(Pool& pool, Object& object, TxgId txg, WriteRun& run, u64 file_bytes, const Entering& entering)
{
    const u64 end_bytes = min(file_bytes, (run.file_block + run.block_count) << k_block_shift);
    if (object.m_attributes.is_truncating() && end_bytes > object.m_attributes.size_bytes) {
        bool finished = false;
        TRY(unmap_from(pool, object, txg, blocks_for_bytes(object.m_attributes.size_bytes), k_cut_extents, finished, entering.scratch,
                       entering.batch));
        if (!finished)
            return false;
        object.m_attributes.state &= ~k_object_truncating;
    }
    // The extent is born in the group whose tree first reaches it.
    DiskExtent head;
    copy_bytes(&head, run.item, sizeof(head));
    head.birth_txg.set(txg.value());
    copy_bytes(run.item, &head, sizeof(head));
    if (run.is_in_place) {
        const BigEndianKey key = extent_key(run.file_block);
        const Extent written = TRY(Extent::decode({ key.data(), 8 }, item_of(run)));
        run.is_overtaken = TRY(convert_range(object, txg, written, entering.scratch)) != run.block_count;
    } else {
        // Of a unit that is whole all that is stored counts.
        const NewBlocks blocks { run.dva, SpaceUse::used, run.dva.length_blocks };
        TRY(replace_range(pool, object, txg, run.file_block, run.block_count, item_of(run), &blocks, entering.scratch, entering.batch,
                          entering.certain));
        if (head.encoding != static_cast<u8>(Encoding::none))
            object.m_attributes.state |= k_object_has_shares;
    }
    if (end_bytes > object.m_attributes.size_bytes)
        object.m_attributes.size_bytes = end_bytes;
    return true;
}

namespace {

// What entering may take memory from: with Must::kit everything is at hand, and nothing is refused.
struct Provision {
    SpaceLog::Batch& batch;
    SpareVersion* spare;
    Must must;
};

// Enters the runs in file order, in one group. Those entered leave the list; what a failure leaves there is the caller's to
// give back. False: to be called again.
Result<bool> enter_runs(Pool& pool, Object& object, WriteOperation& operation, const Provision& provision) EXCLUDES(object.m_lock)
{
    Box<LogRecord> record = record_of_runs(pool, object, operation);
    WriteGuard guard(object.m_lock);
    if (object.m_deleted)
        return Error::stale_handle;
    TRY(pool.check_writable());
    TxgHold hold(pool.engine());
    Tree::MustScope must(object.m_tree, provision.must);
    TreeFocus focus(object.m_tree);
    TRY(object.prepare_change(hold.txg(), provision.spare));
    SpaceLog::CommitScope commit(provision.batch, hold.txg());
    RunsLogged logged { pool.intent_log(), hold.txg(), lcpfs::move(record) };
    while (WriteRun* run = operation.first_run) {
        if (!TRY(enter_run(pool, object, hold.txg(), *run, operation.file_bytes, { operation.scratch, provision.batch })))
            return false;
        logged.add(*run);
        operation.first_run = run->next;
        if (run->is_in_place)
            drop_in_place(pool, object, *run);
        give_back_run(operation, run);
    }
    return true;
}

// The data is on disk: for want of memory it is not lost. What could not be had under the locks is waited for without them.
Status enter_all(Pool& pool, Object& object, WriteOperation& operation)
{
    bool finished = false;
    while (!finished) {
        SpaceLog::Batch batch(pool.space_log());
        auto entered = enter_runs(pool, object, operation, { batch, nullptr, Must::may_fail });
        if (entered.is_ok()) {
            finished = entered.value();
            continue;
        }
        if (entered.error() != Error::no_memory)
            return entered.error();
        pool.engine().request(pool.engine().newest_changed()); // a commit gives back
        NodeCache::KitTurn turn(pool.cache());
        SpareVersion spare(object.dataset());
        SpaceLog::Batch sure(pool.space_log());
        sure.prepare_chunk();
        finished = TRY(enter_runs(pool, object, operation, { sure, &spare, Must::kit }));
    }
    return {};
}

void do_round(WriteOperation* operation);

// All data of a round is on disk, or some of it failed: the file gets its new extents.
void finish_round(WriteOperation* operation)
{
    Pool& pool = *operation->pool;
    if (operation->error.load() == 0 && operation->first_run) {
        Status entered = enter_all(pool, *operation->object, *operation);
        if (entered.is_error())
            note_error(*operation, entered.error());
    }
    while (WriteRun* run = operation->first_run) {
        operation->first_run = run->next;
        if (run->is_in_place) {
            WriteGuard guard(operation->object->m_lock);
            drop_in_place(pool, *operation->object, *run);
        } else {
            pool.allocator().cancel(run->dva);
        }
        give_back_run(*operation, run);
    }
    if (operation->packed && operation->error.load() != 0) {
        give_back_run(*operation, operation->packed);
        operation->packed = nullptr;
    }
    if (operation->error.load() == 0 && operation->started_blocks < operation->block_count)
        do_round(operation);
    else
        end_operation(operation);
}

void finish_write(host_work* work) { finish_round(reinterpret_cast<WriteOperation*>(work)); }

// The writes of a file whose last rounds are through. One thread does what several would do one after the other, for the file's lock.
void finish_written(host_work* work)
{
    Object& object = *reinterpret_cast<WriteOperation*>(work)->object;
    const Ref<Object> held(object);
    WriteOperation* in_order = nullptr;
    for (WriteOperation *next, *last = object.m_to_enter.exchange(nullptr); last; last = next) {
        next = last->next_written;
        last->next_written = in_order;
        in_order = last;
    }
    while (WriteOperation* operation = in_order) {
        in_order = operation->next_written;
        finish_round(operation);
    }
}

void run_part_done(WriteOperation& operation)
{
    if (operation.remaining.sub(1) != 0)
        return;
    if (operation.error.load() != 0 || operation.started_blocks < operation.block_count) {
        host_work_queue(operation.pool->completions(), &operation.work);
        return;
    }
    host_work_init(&operation.work, finish_written);
    Atomic<WriteOperation*>& to_enter = operation.object->m_to_enter;
    WriteOperation* before = to_enter.load();
    do
        operation.next_written = before;
    while (!to_enter.compare_exchange(before, &operation));
    // With others there already one of them was the first.
    if (!before)
        host_work_queue(operation.pool->completions(), &operation.work);
}

void run_written(void* context, Error error)
{
    WriteRun* run = static_cast<WriteRun*>(context);
    if (error != Error::none)
        note_error(*run->operation, error);
    if (run->is_in_place)
        run->operation->pool->in_place_writes().end(run->group_slot);
    run_part_done(*run->operation);
}

// A small file's only block as an item of its record, in place of whatever is there. The item is in the run that the
// operation has no other use for: the scratch is for cutting.
Status enter_inline(WriteOperation& operation, u32 bytes, const Provision& provision)
{
    Pool& pool = *operation.pool;
    Object& object = *operation.object;
    Box<LogRecord> record = record_of_write(pool, object, { 0, 1, operation.file_bytes }, LogWriteForm::data, bytes);
    if (record)
        set_data(*record, { operation.own_run.item + sizeof(DiskExtent), bytes });
    WriteGuard guard(object.m_lock);
    if (object.m_deleted)
        return Error::stale_handle;
    TRY(pool.check_writable());
    TxgHold hold(pool.engine());
    Tree::MustScope must(object.m_tree, provision.must);
    TRY(object.prepare_change(hold.txg(), provision.spare));
    SpaceLog::CommitScope commit(provision.batch, hold.txg());
    Extent extent;
    extent.kind = ExtentKind::inlined;
    extent.length_blocks = 1;
    extent.birth = hold.txg();
    extent.payload = Bytes(operation.own_run.item + sizeof(DiskExtent), bytes);
    u32 item_bytes = extent.encode({ operation.own_run.item, sizeof(operation.own_run.item) });
    TRY(replace_range(pool, object, hold.txg(), 0, 1, { operation.own_run.item, item_bytes }, nullptr, operation.scratch, provision.batch));
    object.m_attributes.size_bytes = max(object.m_attributes.size_bytes, operation.file_bytes);
    pool.intent_log().append(hold.txg(), lcpfs::move(record));
    return {};
}

// A small file written whole goes into its record.
bool try_inline(WriteOperation& operation)
{
    static_assert(k_max_inline_data_bytes >= 2048);
    Pool& pool = *operation.pool;
    if (operation.block != 0 || operation.block_count != 1 || operation.file_bytes == 0 || operation.file_bytes > k_max_inline_data_bytes
        || operation.may_be_in_place || !operation.may_be_inline)
        return false;
    u32 bytes = static_cast<u32>(operation.file_bytes);
    copy_bytes(operation.own_run.item + sizeof(DiskExtent), operation.segments[0].data, bytes);
    Status status;
    {
        SpaceLog::Batch batch(pool.space_log());
        status = enter_inline(operation, bytes, { batch, nullptr, Must::may_fail });
    }
    if (status.is_error() && status.error() == Error::no_memory) {
        pool.engine().request(pool.engine().newest_changed());
        NodeCache::KitTurn turn(pool.cache());
        SpareVersion spare(operation.object->dataset());
        SpaceLog::Batch sure(pool.space_log());
        sure.prepare_chunk();
        status = enter_inline(operation, bytes, { sure, &spare, Must::kit });
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
    u8* out = run.item + sizeof(DiskExtent);
    u32 each = checksum_bytes_of(kind);
    for (const core_segment& segment : segments)
        for (u32 offset = 0; offset < segment.bytes; offset += k_block_size, out += each)
            block_checksum(kind, static_cast<const u8*>(segment.data) + offset, out);
    Extent::encode_mapped(run.dva, kind, run.item);
}

// Null: no more in this round.
WriteRun* take_run(WriteOperation& operation, u32 entries)
{
    if (!operation.own_run_busy) {
        operation.own_run_busy = true;
        return &operation.own_run;
    }
    if (operation.entries + entries > k_round_entries)
        return nullptr;
    return static_cast<WriteRun*>(host_pool_alloc(operation.pool->requests().write_runs, 0));
}

// Puts it behind those of the round.
void add_run(WriteOperation& operation, WriteRun* run)
{
    if (operation.first_run)
        operation.last_run->next = run;
    else
        operation.first_run = run;
    operation.last_run = run;
    operation.remaining.add(1);
    operation.started_blocks += run->block_count;
    operation.entries += entries_of_run(run->block_count);
}

// Takes the next segments for a run and starts it.
void start_run(WriteOperation& operation, WriteRun* run, ChecksumKind kind)
{
    Pool& pool = *operation.pool;
    const u32 blocks = run->block_count;
    core_segment rest;
    u32 taken = take_segments(operation, operation.next_segment, blocks, rest);
    Span<const core_segment> mine { operation.segments + operation.next_segment, taken };
    add_run(operation, run);
    pool.m_data_writes.add_relaxed(blocks);
    pool.vdevs().write(run->dva, mine, HOST_IO_SYNC, run_written, run);
    // While the device is at it. The operation cannot end meanwhile: its round is not through.
    seal_item(*run, kind, mine);
    operation.next_segment += taken;
    if (rest.bytes)
        operation.segments[--operation.next_segment] = rest;
}

enum class UnitStart : u8 { started, round_is_full, not_here };

// Starts the unit that was found. Not here: no place for it in one piece, its blocks are stored as they are.
UnitStart start_unit(WriteOperation& operation, ChecksumKind kind)
{
    Pool& pool = *operation.pool;
    WriteRun* const run = operation.packed;
    // The first of a round always fits.
    if (operation.entries && operation.entries + entries_of_run(run->block_count) > k_round_entries)
        return UnitStart::round_is_full;
    operation.packed = nullptr;
    auto place = pool.allocator().allocate_data(operation.object->dataset().owner(), run->page_count, run->page_count);
    if (place.is_error()) {
        operation.plain_until += run->block_count;
        give_back_run(operation, run);
        return UnitStart::not_here;
    }
    run->dva = place.value();
    seal_unit(*run, kind);
    core_segment rest;
    operation.next_segment += take_segments(operation, operation.next_segment, run->block_count, rest);
    if (rest.bytes)
        operation.segments[--operation.next_segment] = rest;
    add_run(operation, run);
    operation.plain_until = operation.started_blocks; // what follows is not known
    pool.m_data_writes.add_relaxed(run->page_count);
    pool.vdevs().write(run->dva, { run->pages, run->page_count }, HOST_IO_SYNC, run_written, run);
    return UnitStart::started;
}

// A place for up to `wanted` blocks: the file's own ones where these are unwritten, else new ones.
Status place_run(WriteOperation& operation, WriteRun& run, u32 wanted)
{
    Pool& pool = *operation.pool;
    run.is_in_place = run.is_overtaken = false;
    if (operation.may_be_in_place)
        wanted = TRY(take_in_place(pool, *operation.object, run, wanted));
    if (!run.is_in_place)
        run.dva = TRY(pool.allocator().allocate_data(operation.object->dataset().owner(), wanted, 1));
    return {};
}

// Allocates and starts as many runs as a round takes, at least one. Each started run counts in `remaining`.
Status start_runs(WriteOperation& operation)
{
    Pool& pool = *operation.pool;
    TRY(pool.check_writable());
    const ChecksumKind kind = operation.object->dataset().data_ways().checksum;
    while (operation.started_blocks < operation.block_count) {
        if (operation.started_blocks == operation.plain_until) {
            if (!operation.packed)
                find_next_unit(operation);
            if (operation.started_blocks == operation.plain_until && start_unit(operation, kind) == UnitStart::round_is_full)
                break;
            continue;
        }
        const u32 wanted = min(operation.plain_until - operation.started_blocks, max_extent_blocks(kind));
        WriteRun* run = take_run(operation, entries_of_run(wanted));
        if (!run)
            break;
        run->page_count = 0;
        run->next = nullptr;
        run->operation = &operation;
        run->file_block = operation.block + operation.started_blocks;
        const Status placed = place_run(operation, *run, wanted);
        if (placed.is_error()) {
            give_back_run(operation, run);
            return placed;
        }
        run->block_count = run->dva.length_blocks;
        start_run(operation, run, kind);
    }
    return {};
}

void do_round(WriteOperation* operation)
{
    operation->remaining.store(1);
    operation->entries = 0;
    Status started = start_runs(*operation);
    if (started.is_error())
        note_error(*operation, started.error());
    run_part_done(*operation);
}

}

// Entering what was written dirties nodes, on a nearly full pool as fast as it can commit and no faster.
static Status promise_entering(Pool& pool, WriteOperation& operation)
{
    TRY(pool.admit_change());
    pool.space().throttle();
    u64 units = pool.space().write_units();
    const Object::Ways ways = operation.object->ways_now();
    if (ways.may_have_shares)
        units += pool.space().share_units(operation.block_count + k_cuts);
    operation.may_be_in_place = ways.has_unwritten;
    operation.compression = ways.compression;
    // What has been allocated ahead is there to be written in place.
    const bool compresses = operation.compression.is_on() && operation.block_count > 1 && !operation.may_be_in_place;
    operation.plain_until = compresses ? 0 : operation.block_count;
    TRY(pool.space().begin_operation(units, Space::For::change));
    operation.promised_units = units;
    return {};
}

static void begin_write(Pool& pool, Object& object, u64 block, Span<const core_segment> segments, u64 file_bytes, bool may_be_inline,
    void (*done)(void* context, int error), void* context)
{
    // Without parentheses: what has no initialiser, some 8 KiB, is not cleared.
    WriteOperation* operation = ::new (host_pool_alloc_reserved(pool.requests().writes)) WriteOperation;
    host_work_init(&operation->work, finish_write);
    operation->pool = &pool;
    operation->object = Ref<Object>(object);
    operation->began_ns = pool.partitions().begin_access(object.dataset().owner());
    operation->block = block;
    operation->file_bytes = file_bytes;
    operation->promised_units = 0;
    operation->may_be_inline = may_be_inline;
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
    // Compressing takes long: several writes of one caller do it at the same time.
    if (operation->plain_until == 0 && operation->block_count > k_max_unit_blocks) {
        host_work_init(&operation->work, [](host_work* work) {
            host_work_init(work, finish_write);
            do_round(reinterpret_cast<WriteOperation*>(work));
        });
        host_work_queue(pool.completions(), &operation->work);
        return;
    }
    do_round(operation);
}

void write_blocks(Pool& pool, Object& object, u64 block, Span<const core_segment> segments, u64 file_bytes,
    void (*done)(void* context, int error), void* context)
{
    begin_write(pool, object, block, segments, file_bytes, true, done, context);
}

Status write_blocks_and_wait(Pool& pool, Object& object, u64 block, Span<const core_segment> segments, u64 file_bytes, bool may_be_inline)
{
    struct Waiting {
        IoBatch batch;
        int error { 0 };
    } waiting;
    u64 bytes = 0;
    for (const core_segment& segment : segments)
        bytes += segment.bytes;
    TRY(pool.space().promise_data(object.dataset().owner(), bytes >> k_block_shift));
    waiting.batch.begin();
    begin_write(
        pool, object, block, segments, file_bytes, may_be_inline,
        [](void* context, int error) {
            Waiting& waiting = *static_cast<Waiting*>(context);
            waiting.error = error;
            waiting.batch.finish(Error::none);
        },
        &waiting);
    TRY(waiting.batch.wait());
    if (waiting.error == -errno_of(Error::no_memory))
        return Error::no_memory;
    if (waiting.error == -errno_of(Error::no_space))
        return Error::no_space;
    return waiting.error ? Error::io_error : Error::none;
}

}
