// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/allocate.h"

#include "core/fs/log_records.h"
#include "core/fs/shift.h"
#include "core/fs/shrink.h"

namespace lcpfs {

namespace {

struct Hole {
    u64 first { 0 };
    u64 count { 0 };
};

// The first hole in [first, end).
Result<Hole> find_hole(Object& object, u64 first, u64 end) REQUIRES_SHARED(object.m_lock)
{
    while (first < end) {
        TreeCursor cursor;
        Extent extent;
        if (!TRY(find_extent(object.m_tree, first, cursor, extent)) || extent.file_block >= end)
            return Hole { first, end - first };
        if (extent.file_block > first)
            return Hole { first, extent.file_block - first };
        first = extent.end();
    }
    return Hole();
}

Status check_file(Object& object)
{
    ReadGuard guard(object.m_lock);
    if (object.m_deleted)
        return Error::stale_handle;
    if (object.m_attributes.is_directory())
        return Error::is_directory;
    return object.m_attributes.is_regular() ? Error::none : Error::invalid;
}

// Of a file of many pieces the lock is let go now and then.
Result<u64> count_holes(Object& object, u64 first, u64 end)
{
    constexpr u32 k_at_once = 256;
    u64 blocks = 0;
    while (first < end) {
        ReadGuard guard(object.m_lock);
        for (u32 i = 0; i < k_at_once && first < end; i++) {
            const Hole hole = TRY(find_hole(object, first, end));
            blocks += hole.count;
            first = hole.count ? hole.first + hole.count : end;
        }
    }
    return blocks;
}

// Promised blocks that are not allocated yet.
struct Promised {
    Promised(Pool& pool_, Object& object) : pool(pool_), owner(object.dataset().owner()) {}
    ~Promised() { give_back(left); }
    Promised(const Promised&) = delete;
    Status take(u64 blocks)
    {
        pool.space().throttle();
        TRY(pool.space().promise_data(owner, blocks));
        left = blocks;
        return {};
    }
    void give_back(u64 blocks)
    {
        if (blocks)
            pool.space().release_data(owner, blocks);
        left -= blocks;
    }
    Pool& pool;
    OwnerSlot owner;
    u64 left { 0 };
};

// Blocks for the front of a hole, entered. Gives where to go on: nothing was done when somebody else was faster.
Result<u64> fill_hole(Pool& pool, Object& object, const Hole& hole, Promised& promised)
{
    const u32 wanted = static_cast<u32>(min<u64>(min(hole.count, promised.left), k_max_unwritten_blocks));
    Extent extent;
    extent.file_block = hole.first;
    extent.kind = ExtentKind::unwritten;
    extent.dva = TRY(pool.allocator().allocate_data(object.dataset().owner(), wanted, 1));
    extent.length_blocks = extent.dva.length_blocks;
    const Result<bool> entered = enter_allocated(pool, object, extent);
    if (entered.is_error() || !entered.value()) {
        pool.allocator().cancel(extent.dva);
        TRY(Status(entered.error()));
        return hole.first;
    }
    promised.give_back(extent.length_blocks);
    return extent.end();
}

}

Result<bool> enter_allocated(Pool& pool, Object& object, const Extent& extent)
{
    ScopedPromise promise(pool.space());
    TRY(promise.take(pool.space().write_units(), Space::For::change));
    Scratch scratch(pool);
    Box<LogRecord> record = record_of_allocate(pool, object);
    WriteGuard guard(object.m_lock);
    if (object.m_deleted)
        return Error::stale_handle;
    TRY(pool.check_writable());
    const Hole hole = TRY(find_hole(object, extent.file_block, extent.end()));
    if (hole.first != extent.file_block || hole.count < extent.length_blocks)
        return false;
    TxgHold hold(pool.engine());
    TRY(object.prepare_change(hold.txg()));
    SpaceLog::Batch batch(pool.space_log());
    SpaceLog::CommitScope commit(batch, hold.txg());
    Extent born = extent;
    born.birth = hold.txg();
    u8 item[sizeof(DiskExtent)];
    const u32 bytes = born.encode({ item, sizeof(item) });
    const NewBlocks blocks { extent.dva, SpaceUse::used, extent.length_blocks };
    TRY(replace_range(pool, object, hold.txg(), extent.file_block, extent.length_blocks, { item, bytes }, &blocks, *scratch, batch));
    object.m_attributes.state |= k_object_has_unwritten;
    set_allocated(record, extent.file_block, { item, bytes });
    pool.intent_log().append(hold.txg(), lcpfs::move(record));
    return true;
}

Status allocate_object(Pool& pool, Object& object, u64 first, u64 count)
{
    if (count == 0 || !is_in_file(first, count))
        return Error::invalid;
    TRY(pool.admit_change());
    TRY(check_file(object));
    TRY(finish_cut(pool, object));
    if (first == 0)
        TRY(write_out_inline(pool, object));
    const u64 end = first + count;
    Promised promised(pool, object);
    while (first < end) {
        TRY(pool.check_writable());
        // Once; more only when holes are being made at the same time.
        if (promised.left == 0) {
            const u64 blocks = TRY(count_holes(object, first, end));
            if (blocks == 0)
                return {};
            TRY(promised.take(blocks));
        }
        Hole hole;
        {
            ReadGuard guard(object.m_lock);
            hole = TRY(find_hole(object, first, end));
        }
        if (hole.count == 0)
            return {};
        first = TRY(fill_hole(pool, object, hole, promised));
    }
    return {};
}

}
