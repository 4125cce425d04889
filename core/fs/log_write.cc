// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/log_write.h"

#include "core/codec/checksum.h"
#include "core/fs/extents.h"
#include "core/fs/file_write.h"
#include "core/fs/in_place.h"
#include "core/fs/log_records.h"

namespace lcpfs {

namespace {

// What one such write needs before it changes anything; given back unless it came to be.
struct Prepared {
    explicit Prepared(Pool& pool_) : pool(pool_) {}
    Prepared(const Prepared&) = delete;
    ~Prepared()
    {
        if (run && run->dva.is_used() && !run->is_in_place)
            pool.allocator().cancel(run->dva);
        if (run)
            host_pool_free(pool.requests().write_runs, run);
    }
    Pool& pool;
    Ref<LogData> data;
    Box<LogRecord> record;
    Box<DelayedWrites::Entry> delayed;
    WriteRun* run { nullptr };
    ChecksumKind checksum { ChecksumKind::crc32c }; // the data's
    bool has_checksums { false };                   // of that kind, in the run's item
    bool has_no_unwritten { false };                // the file, when last looked at
};

// The bytes of the file; zeros behind its end.
void copy_data(LogData& data, Span<const core_segment> segments, u64 data_bytes)
{
    u32 at = 0;
    for (const core_segment& segment : segments)
        for (u32 offset = 0; offset < segment.bytes; offset += k_block_size, at += k_block_size) {
            u8* page = data.page(at / k_block_size);
            const u32 valid = data_bytes <= at ? 0 : static_cast<u32>(min<u64>(data_bytes - at, k_block_size));
            copy_bytes(page, static_cast<const u8*>(segment.data) + offset, valid);
            zero_bytes(page + valid, k_block_size - valid);
        }
}

// The extent item of the data at `place`, into the run, for the time being with whatever checksums are there.
u32 encode_run(Prepared& prepared, u64 block, const Dva& place, TxgId birth)
{
    WriteRun& run = *prepared.run;
    Extent extent;
    extent.file_block = block;
    extent.length_blocks = place.length_blocks;
    extent.dva = place;
    extent.birth = birth;
    extent.checksum_kind = prepared.checksum;
    extent.payload = Bytes(run.item + sizeof(DiskExtent), size_t(extent.length_blocks) * checksum_bytes_of(prepared.checksum));
    return extent.encode({ run.item, sizeof(run.item) });
}

// The data's, into the extent item.
void set_checksums(Prepared& prepared)
{
    const u32 each = checksum_bytes_of(prepared.checksum);
    for (u32 i = 0; i < prepared.data->page_count(); i++)
        block_checksum(prepared.checksum, prepared.data->page(i), prepared.run->item + sizeof(DiskExtent) + i * each);
    prepared.has_checksums = true;
}

Bytes checksums_of(const Prepared& prepared)
{
    return { prepared.run->item + sizeof(DiskExtent), size_t(prepared.data->page_count()) * checksum_bytes_of(prepared.checksum) };
}

// Whole blocks go into the frame as they are, under the checksums that they have at their place; of a part of one, which is not worth a
// block, the bytes go into the record.
bool goes_as_blocks(u32 data_bytes)
{
    const u32 rest = data_bytes % k_block_size;
    return rest == 0 || rest > k_block_size / 2;
}

void attach(Prepared& prepared)
{
    LogData& data = *prepared.data;
    set_checksums(prepared);
    for (u32 i = 0; i < data.page_count(); i++) {
        le32 sum;
        if (prepared.checksum == ChecksumKind::crc32c)
            copy_bytes(&sum, checksums_of(prepared).data() + i * sizeof(sum), sizeof(sum));
        else
            sum.set(host_crc32c(data.page(i), k_block_size));
        data.set_sum(i, sum.get());
    }
    set_blocks(*prepared.record, prepared.data, prepared.checksum, checksums_of(prepared));
}

// Nothing of the write can fail any more, but nothing of it has been done: its record is appended and, when its caller waits for that
// next, on its way to the device, which works while the tree is changed. The group is held.
struct Logged : CertainHook {
    Logged(Prepared& prepared_, TxgId txg_, DelayedWrite how_)
        : CertainHook { [](CertainHook& hook) { static_cast<Logged&>(hook).append(); } }, prepared(prepared_), txg(txg_), how(how_)
    {
    }
    void append()
    {
        append_record();
        if (how == DelayedWrite::hastened)
            prepared.pool.intent_log().hasten();
        if (!prepared.has_checksums)
            set_checksums(prepared);
    }
    void append_record()
    {
        if (how != DelayedWrite::replayed)
            prepared.pool.intent_log().append(txg, lcpfs::move(prepared.record));
    }
    Prepared& prepared;
    TxgId txg;
    DelayedWrite how;
};

Status prepare(Prepared& prepared, Object& object, const LoggedWrite& write, u32 data_bytes, DelayedWrite how)
{
    prepared.checksum = object.dataset().data_ways().checksum;
    const bool as_blocks = goes_as_blocks(data_bytes);
    if (how != DelayedWrite::replayed) {
        const u32 checksums_bytes = as_blocks ? write.block_count * checksum_bytes_of(prepared.checksum) : 0;
        const LogWriteForm form = as_blocks ? LogWriteForm::blocks : LogWriteForm::data;
        prepared.record = record_of_write(prepared.pool, object, write, form, checksums_bytes);
        if (!prepared.record)
            return Error::no_memory;
    }
    prepared.run = static_cast<WriteRun*>(host_pool_alloc_reserved(prepared.pool.requests().write_runs));
    prepared.run->dva = Dva();
    prepared.run->is_in_place = prepared.run->is_overtaken = false;
    prepared.run->file_block = write.block;
    prepared.run->block_count = write.block_count;
    if (prepared.record && as_blocks)
        attach(prepared);
    else if (prepared.record)
        set_data(*prepared.record, prepared.data, data_bytes);
    return {};
}

// What has been preallocated is written in place, all of it or nothing: a new place was not promised to it. not_supported: some of it.
Status choose_place(Object& object, const LoggedWrite& write, bool& is_in_place)
{
    ReadGuard guard(object.m_lock);
    is_in_place = false;
    if (!object.m_attributes.has_unwritten())
        return {};
    const InPlacePiece piece = TRY(find_in_place(object, write.block, write.block_count));
    is_in_place = piece.file_block == write.block && piece.dva.length_blocks == write.block_count;
    return is_in_place || !piece.dva.is_used() ? Status() : Status(Error::not_supported);
}

// A place of its own.
Status prepare_place(Prepared& prepared, Object& object, const LoggedWrite& write)
{
    prepared.delayed = TRY(prepared.pool.delayed_writes().make_entry());
    const ChecksumKind kind = object.dataset().data_ways().checksum;
    prepared.has_checksums = prepared.has_checksums && prepared.checksum == kind;
    prepared.checksum = kind;
    if (!prepared.has_no_unwritten)
        TRY(choose_place(object, write, prepared.run->is_in_place));
    if (prepared.run->is_in_place)
        return {};
    prepared.run->dva = TRY(prepared.pool.allocator().allocate_data(object.dataset().owner(), write.block_count, write.block_count));
    (void)encode_run(prepared, write.block, prepared.run->dva, TxgId());
    return {};
}

// When these very blocks were written by way of the log before, in this group, and wait for their place, they keep it. True: done.
Result<bool> enter_again(Prepared& prepared, Object& object, const LoggedWrite& write, DelayedWrite how)
{
    if (object.m_delayed_writes.load() == 0)
        return false;
    Pool& pool = prepared.pool;
    WriteRun& run = *prepared.run;
    WriteGuard guard(object.m_lock);
    if (object.m_deleted)
        return Error::stale_handle;
    prepared.has_no_unwritten = !object.m_attributes.has_unwritten();
    if (write.block >= blocks_for_bytes(object.m_attributes.size_bytes)) // nothing that was written is behind the end
        return false;
    TRY(pool.check_writable());
    TxgHold hold(pool.engine());
    TreeFocus focus(object.m_tree);
    TreeCursor cursor;
    Extent extent;
    const u64 end_bytes = min(write.file_bytes, (write.block + write.block_count) << k_block_shift);
    const bool grows = end_bytes > object.m_attributes.size_bytes;
    if ((grows && object.m_attributes.is_truncating()) || !TRY(find_extent(object.m_tree, write.block, cursor, extent)))
        return false;
    if (extent.file_block != write.block || extent.length_blocks != write.block_count || extent.kind != ExtentKind::mapped
        || extent.birth != hold.txg() || extent.is_compressed())
        return false;
    const Dva place = extent.dva;
    prepared.has_checksums = prepared.has_checksums && prepared.checksum == extent.checksum_kind;
    prepared.checksum = extent.checksum_kind; // the item keeps its size
    cursor.reset();
    BigEndianKey key = extent_key(write.block);
    TRY(object.prepare_change(hold.txg()));
    TRY(object.m_tree.prepare_change(hold.txg(), { key.data(), 8 }));
    if (!pool.delayed_writes().replace(hold.txg(), place, prepared.data))
        return false;
    // Nobody has read these blocks since, nor can, until they are written: the checksums follow in the same breath.
    const u32 item_bytes = encode_run(prepared, write.block, place, hold.txg());
    Logged(prepared, hold.txg(), how).append();
    object.m_tree.update({ key.data(), 8 }, { run.item, item_bytes });
    if (grows)
        object.m_attributes.size_bytes = end_bytes;
    return true;
}

Status enter(Prepared& prepared, Object& object, u64 file_bytes, DelayedWrite how)
{
    Pool& pool = prepared.pool;
    Scratch scratch(pool);
    SpaceLog::Batch batch(pool.space_log());
    WriteGuard guard(object.m_lock);
    if (object.m_deleted)
        return Error::stale_handle;
    TRY(pool.check_writable());
    TxgHold hold(pool.engine());
    TreeFocus focus(object.m_tree);
    TRY(object.prepare_change(hold.txg()));
    SpaceLog::CommitScope commit(batch, hold.txg());
    if (prepared.run->is_in_place) {
        // The blocks are looked for again, now under the lock that they are entered under.
        const u32 count = prepared.data->page_count();
        const InPlacePiece piece = TRY(find_in_place(object, prepared.run->file_block, count));
        if (piece.file_block != prepared.run->file_block || piece.dva.length_blocks != count)
            return Error::not_supported;
        prepared.run->dva = piece.dva;
        (void)encode_run(prepared, prepared.run->file_block, piece.dva, TxgId());
        if (!prepared.has_checksums)
            set_checksums(prepared);
    }
    Logged logged(prepared, hold.txg(), how);
    // In place, no moment is known at which nothing can fail any more.
    CertainHook* const certain = prepared.run->is_in_place ? nullptr : &logged;
    if (!TRY(enter_run(pool, object, hold.txg(), *prepared.run, file_bytes, { *scratch, batch, certain })))
        return Error::busy;
    if (!certain)
        logged.append_record();
    prepared.delayed->data = prepared.data;
    prepared.delayed->dva = prepared.run->dva;
    prepared.delayed->counter = &object.m_delayed_writes;
    prepared.run->dva = Dva(); // the file's now
    pool.delayed_writes().add(hold.txg(), lcpfs::move(prepared.delayed));
    if (how == DelayedWrite::hastened)
        pool.delayed_writes().prime(); // for the next write, while the device is at this one's
    return {};
}

}

static bool has_unwritten(Object& object)
{
    ReadGuard guard(object.m_lock);
    return object.m_attributes.has_unwritten();
}

static bool is_sound(const LoggedWrite& write)
{
    return write.block_count && write.block_count <= k_max_log_data_bytes / k_block_size && is_in_file(write.block, write.block_count)
        && write.file_bytes > write.block << k_block_shift && write.file_bytes >> 63 == 0;
}

bool is_for_record(Object& object, const LoggedWrite& write)
{
    return write.block == 0 && write.block_count == 1 && write.file_bytes <= k_max_inline_data_bytes && !has_unwritten(object);
}

Status write_delayed(Pool& pool, Object& object, const LoggedWrite& write, const Ref<LogData>& data, DelayedWrite how)
{
    if (!is_sound(write))
        return Error::invalid;
    const u64 in_file = write.file_bytes - (write.block << k_block_shift);
    const u32 data_bytes = static_cast<u32>(min(u64(write.block_count) * k_block_size, in_file));
    ScopedPromise promise(pool.space());
    TRY(promise.take(pool.space().write_units() + units_for_cutting(pool, object, write.block_count), Space::For::change));
    Prepared prepared(pool);
    prepared.data = data;
    TRY(prepare(prepared, object, write, data_bytes, how));
    if (!TRY(enter_again(prepared, object, write, how))) {
        TRY(prepare_place(prepared, object, write));
        TRY(enter(prepared, object, write.file_bytes, how));
    }
    pool.space().release_data(object.dataset().owner(), write.block_count);
    return {};
}

Status log_write(Pool& pool, Object& object, u64 block, Span<const core_segment> segments, u64 file_bytes, bool hastens)
{
    TRY(pool.admit_change());
    if (!pool.intent_log().is_on())
        return Error::not_supported;
    u64 bytes = 0;
    for (const core_segment& segment : segments) {
        if (segment.bytes == 0 || (segment.bytes & (k_block_size - 1)) != 0)
            return Error::invalid;
        bytes += segment.bytes;
    }
    const u32 count = static_cast<u32>(min<u64>(bytes >> k_block_shift, ~0u));
    const LoggedWrite write { block, count, file_bytes };
    if (!is_sound(write))
        return Error::invalid;
    if (is_for_record(object, write)) {
        // Writing it is no I/O in any case. What the caller promised has to outlive a failure.
        TRY(write_blocks_and_wait(pool, object, block, segments, file_bytes));
        pool.space().release_data(object.dataset().owner(), count);
        return {};
    }
    Ref<LogData> data = TRY(LogData::create(pool.delayed_writes().memory(), count));
    copy_data(*data, segments, file_bytes - (block << k_block_shift));
    return write_delayed(pool, object, write, data, hastens ? DelayedWrite::hastened : DelayedWrite::logged);
}

Status see_to_waiting(Pool& pool, const Extent& extent, Delayed how)
{
    if (extent.birth <= pool.engine().committed_txg())
        return {};
    return how == Delayed::told ? Status(Error::busy) : pool.delayed_writes().write_all();
}

}
