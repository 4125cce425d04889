// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/clone.h"

#include "core/fs/block_read.h"
#include "core/fs/file_write.h"
#include "core/fs/log_records.h"
#include "core/fs/names.h"

namespace lcpfs {

namespace {

// Of the source, and of what the target has in its place, that one group takes at most.
constexpr u32 k_extents_per_group = 64;
// Entries of the space log for them: those cloned, those replaced, and where these are cut: at the end of each.
constexpr u32 k_shares_per_group = 3 * k_extents_per_group + 2;

struct RunItem {
    explicit RunItem(Pool& pool_) : pool(pool_), run(static_cast<WriteRun*>(host_pool_alloc_reserved(pool_.requests().write_runs))) {}
    ~RunItem() { host_pool_free(pool.requests().write_runs, run); }
    RunItem(const RunItem&) = delete;
    MutableBytes bytes() { return { run->item, sizeof(run->item) }; }
    Pool& pool;
    WriteRun* run;
};

struct Step {
    Pool& pool;
    const CloneRange& range;
    TxgId txg;
    ExtentScratch& scratch;
    RunItem& item;
    SpaceLog::Batch& batch;
};

// What the source has at `at` (from the front of the range), as far as that goes up to `end`: an extent or a hole. Gives where it ends.
Result<u64> clone_piece(const Step& step, u64 at, u64 end) NO_THREAD_SAFETY_ANALYSIS
{
    const CloneRange& range = step.range;
    const u64 from = range.source_block + at;
    const u64 to = range.target_block + at;
    // What a cut that failed left behind the source's end is a hole to everybody.
    const u64 source_end = min(range.source_block + end, blocks_for_bytes(range.source.m_attributes.size_bytes));
    TreeCursor cursor;
    Extent extent;
    const bool found = from < source_end && TRY(find_extent(range.source.m_tree, from, cursor, extent)) && extent.file_block < source_end;
    // So is what is unwritten: its blocks stay the source's own, since they are yet to be written in place.
    const bool is_unwritten = found && extent.file_block <= from && extent.is_unwritten();
    if (!found || extent.file_block > from || is_unwritten) {
        u64 stop = found ? extent.file_block - range.source_block : end;
        if (is_unwritten)
            stop = min(extent.end(), source_end) - range.source_block;
        cursor.reset();
        u64 next = 0;
        TRY(unmap_range(step.pool, range.target, step.txg, to, range.target_block + stop, ~0u, next, step.scratch, step.batch));
        return stop;
    }
    VERIFY_DISK(extent.kind == ExtentKind::mapped, extent_damaged); // data in the record stands at block 0, and was copied
    const u32 skip = static_cast<u32>(from - extent.file_block);
    const u32 count = static_cast<u32>(min(extent.end(), source_end) - from);
    Extent part = extent.part(skip, count);
    part.file_block = to;
    const u32 bytes = part.encode(step.item.bytes());
    cursor.reset();
    TRY(look_at_shares(step.pool, part.dva));
    const NewBlocks blocks { part.dva, SpaceUse::shared, part.counted_blocks() };
    TRY(replace_range(step.pool, range.target, step.txg, to, count, { step.item.run->item, bytes }, &blocks, step.scratch, step.batch));
    return at + count;
}

// Appends the record of what was cloned when the scope ends, while the group is held.
struct CloneLogged {
    Pool& pool;
    const CloneRange& range;
    TxgId txg;
    Box<LogRecord> record;
    u64 first, done;

    ~CloneLogged()
    {
        if (done == first)
            return;
        set_cloned(record, range, first, done - first);
        pool.intent_log().append(txg, lcpfs::move(record));
    }
};

Status check_file(Object& object)
{
    ReadGuard guard(object.m_lock);
    if (object.m_attributes.is_directory())
        return Error::is_directory;
    return object.m_attributes.is_regular() ? Error::none : Error::invalid;
}

// What a cut that failed left behind the target's end must not come into view. False: some of it is still there.
Result<bool> finish_cut(const Step& step) NO_THREAD_SAFETY_ANALYSIS
{
    Object& target = step.range.target;
    if (!target.m_attributes.is_truncating())
        return true;
    bool finished = false;
    const u64 end = blocks_for_bytes(target.m_attributes.size_bytes);
    TRY(unmap_from(step.pool, target, step.txg, end, k_extents_per_group, finished, step.scratch, step.batch));
    if (finished)
        target.m_attributes.state &= ~k_object_truncating;
    return finished;
}

void touch_target(const CloneRange& range, u64 done) NO_THREAD_SAFETY_ANALYSIS
{
    ObjectAttributes& attributes = range.target.m_attributes;
    const u64 end_bytes = min(range.target_bytes, (range.target_block + done) << k_block_shift);
    attributes.size_bytes = max(attributes.size_bytes, end_bytes);
    if (range.keeps_times)
        return;
    attributes.mtime = attributes.ctime = range.time;
    attributes.change++;
}

// From `done` on, what one group takes.
Result<u64> end_of_step(const CloneRange& range, u64 done) NO_THREAD_SAFETY_ANALYSIS
{
    const u64 source = range.source_block;
    const u64 target = range.target_block;
    const u64 in_source = TRY(end_of_extents(range.source, source + done, source + range.count, k_extents_per_group)) - source;
    return TRY(end_of_extents(range.target, target + done, target + in_source, k_extents_per_group)) - target;
}

enum class Outcome : u8 { more, write_delayed };

// One group's share from `done` on, which it moves.
Result<Outcome> clone_some(Pool& pool, const CloneRange& range, u64& done) NO_THREAD_SAFETY_ANALYSIS
{
    ScopedPromise promise(pool.space(), range.target.dataset().owner());
    TRY(promise.take(3 * pool.space().operation_units() + pool.space().share_units(k_shares_per_group), Space::For::growth));
    Scratch scratch(pool);
    RunItem item(pool);
    Box<LogRecord> record = record_of_clone(pool, range);
    ObjectLocks locks;
    locks.add(&range.source);
    locks.add(&range.target);
    locks.lock();
    if (range.source.m_deleted || range.target.m_deleted)
        return Error::stale_handle;
    // The blocks do not hold it yet, and whoever reads them by way of the target would not know.
    if (range.source.m_delayed_writes.load())
        return Outcome::write_delayed;
    TxgHold hold(pool.engine());
    TRY(range.source.prepare_change(hold.txg()));
    TRY(range.target.prepare_change(hold.txg()));
    SpaceLog::Batch batch(pool.space_log());
    SpaceLog::CommitScope commit(batch, hold.txg());
    const Step step { pool, range, hold.txg(), *scratch, item, batch };
    if (!TRY(finish_cut(step)))
        return Outcome::more;
    const u64 end = TRY(end_of_step(range, done));
    range.source.m_attributes.state |= k_object_has_shares;
    range.target.m_attributes.state |= k_object_has_shares;
    CloneLogged logged { pool, range, hold.txg(), lcpfs::move(record), done, done };
    while (done < end) {
        done = TRY(clone_piece(step, done, end));
        touch_target(range, done);
        logged.done = done;
    }
    return Outcome::more;
}

// Data in the source's record is copied: there is no block to share. True: there was.
Result<bool> copy_inline(Pool& pool, const CloneRange& range)
{
    {
        ReadGuard guard(range.source.m_lock);
        TreeCursor cursor;
        Extent extent;
        if (range.source.m_attributes.size_bytes == 0 || !TRY(find_extent(range.source.m_tree, 0, cursor, extent)))
            return false;
        if (extent.kind != ExtentKind::inlined || extent.file_block != 0)
            return false;
    }
    struct Page {
        explicit Page(host_pool* pool_) : pool(pool_), memory(host_pool_alloc_reserved(pool_)) {}
        ~Page() { host_pool_free(pool, memory); }
        Page(const Page&) = delete;
        host_pool* pool;
        void* memory;
    } page(pool.requests().pages);
    BlockSource source;
    TRY(read_block(pool, range.source, 0, page.memory, source));
    const core_segment segment { page.memory, k_block_size };
    TRY(write_blocks_and_wait(pool, range.target, range.target_block, { &segment, 1 }, range.target_bytes));
    return true;
}

bool overlaps(const CloneRange& range)
{
    return &range.source == &range.target && range.source_block < range.target_block + range.count
        && range.target_block < range.source_block + range.count;
}

}

Status clone_range(Pool& pool, const CloneRange& range)
{
    if (range.count == 0 || !is_in_file(range.source_block, range.count) || !is_in_file(range.target_block, range.count) || overlaps(range)
        || range.target_bytes >> 63)
        return Error::invalid;
    if (&range.source.dataset() != &range.target.dataset())
        return Error::cross_dataset;
    TRY(check_file(range.source));
    TRY(check_file(range.target));
    TRY(pool.admit_change());
    u64 done = 0;
    if (range.source_block == 0 && TRY(copy_inline(pool, range)))
        done = 1;
    while (done < range.count) {
        TRY(pool.check_writable());
        if (TRY(clone_some(pool, range, done)) == Outcome::write_delayed)
            TRY(pool.delayed_writes().write_all());
    }
    return {};
}

}
