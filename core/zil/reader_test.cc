// SPDX-License-Identifier: GPL-2.0-only
// A log of which more has to be done again than may be kept in memory.
#include "core/test/breakage.h"
#include "core/test/log_ground.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr u32 k_frames = 30, k_records = 3 * k_frames; // some 460 KiB of them
constexpr u64 k_bounds[] = { 0, 3 * k_max_log_frame_bytes, 1u << 30 }; // none, a part, all

// With no group committing. Where the last frame begins.
u64 fill(Test& test, LogGround& ground)
{
    u64 last = 0;
    ground.is_slow.store(1);
    for (u32 frame = 0; frame < k_frames; frame++) {
        last = ground.position();
        for (u32 i = 0; i < 3; i++)
            ground.add(5000 + 7 * frame + i);
        CHECK_OK(ground.log->commit());
    }
    return last;
}

void end(LogGround& ground)
{
    ground.is_slow.store(0);
    ground.event.wake();
}

// What the record of that number has to be.
bool is_record(const LogRecordView& record, u32 number)
{
    const u32 bytes = 5000 + 7 * (number / 3) + number % 3;
    bool fits = record.sequence() == number + 1 && record.payload.size() == bytes;
    for (u32 i = 0; fits && i < bytes; i++)
        fits = record.payload[i] == static_cast<u8>(i + bytes);
    return fits;
}

// How many there are, at most `most`; as they have to be. `told` counts along.
Result<u32> go_through(Test& test, LogReader& reader, u32 most, u32* told = nullptr)
{
    u32 count = 0;
    for (; count < most; count++) {
        if (told)
            *told = count;
        const LogRecordView* const record = TRY(reader.next());
        if (!record)
            break;
        CHECK(is_record(*record, count));
    }
    return count;
}

void goes_through_what_is_not_kept(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    fill(test, *ground);
    for (const u64 bound : k_bounds) {
        LogReader reader(*ground->vdevs, ground->log->ring(), LogGround::k_pool);
        reader.keep_at_most(bound);
        u32 frames = 0;
        reader.tell_frames([](void* count, const LogFrameHead&) { ++*static_cast<u32*>(count); }, &frames);
        REQUIRE_OK(ground->read(reader, TxgId(10)));
        CHECK_EQ(reader.record_count(), k_records);
        constexpr u32 k_stops[] = { ~0u, 0, 1, 40, k_records - 1, k_records, ~0u };
        for (const u32 stop : k_stops) {
            CHECK_EQ(REQUIRE_VALUE(go_through(test, reader, stop)), min(stop, k_records));
            CHECK_EQ(reader.end_position(), ground->position());
            CHECK_EQ(reader.last_record(), k_records);
            CHECK_EQ(reader.next_sequence(), k_frames + 1);
            reader.rewind();
        }
        CHECK_EQ(frames, k_frames); // each told of once
    }
    end(*ground);
}

[[gnu::noinline]] u64 count_now(Test& test, LogGround& ground)
{
    LogReader reader(*ground.vdevs, ground.log->ring(), LogGround::k_pool);
    CHECK_OK(ground.read(reader, TxgId(10)));
    return reader.record_count();
}

// What is not there any more when it is read again, or cannot be read, is not passed over.
void says_what_has_gone(Test& test)
{
    if (breakage::skip_checksum)
        return;
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    const u64 last = fill(test, *ground);
    for (const u64 bound : k_bounds) {
        const bool has_all = bound == 1u << 30;
        LogReader reader(*ground->vdevs, ground->log->ring(), LogGround::k_pool);
        reader.keep_at_most(bound);
        REQUIRE_OK(ground->read(reader, TxgId(10)));
        ground->flip(last + 1000);
        CHECK_EQ(count_now(test, *ground), k_records - 3);
        CHECK_EQ(REQUIRE_VALUE(go_through(test, reader, k_records - 3)), k_records - 3);
        CHECK_EQ(reader.next().error(), has_all ? Error::none : Error::io_error);
        CHECK(has_all || reader.at_frame() == k_frames);
        CHECK_EQ(reader.missing().proof, 0u);
        ground->flip(last + 1000);

        // The device has another trouble, once.
        reader.rewind();
        lcpfs_test_device_fail_as(ground->device.get(), HOST_IO_READ, 0, 1, HOST_IO_TARGET);
        u32 told = 0;
        const Error trouble = go_through(test, reader, ~0u, &told).error();
        CHECK_EQ(trouble, has_all ? Error::none : Error::io_target);
        if (!has_all) { // and is asked once more
            const LogRecordView* const record = REQUIRE_VALUE(reader.next());
            CHECK(record && is_record(*record, told));
        }
        lcpfs_test_device_fail(ground->device.get(), HOST_IO_READ, 0, 0);
        reader.rewind();
        CHECK_EQ(REQUIRE_VALUE(go_through(test, reader, ~0u)), k_records);
    }
    end(*ground);
}

// Frames without a record that is wanted are not looked at again.
void needs_no_committed_frame(Test& test)
{
    if (breakage::log_replay_committed)
        return;
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    const u64 last = fill(test, *ground);
    LogReader reader(*ground->vdevs, ground->log->ring(), LogGround::k_pool);
    reader.keep_at_most(0);
    REQUIRE_OK(ground->read(reader, TxgId(1000)));
    CHECK_EQ(reader.record_count(), 0u);
    CHECK_EQ(reader.last_record(), k_records);
    ground->flip(last + 1000);
    CHECK(!REQUIRE_VALUE(reader.next()));
    end(*ground);
}

// A block that cannot be read stops who needs it, and nobody else.
void needs_no_bad_sector(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    const u64 last = fill(test, *ground);
    const u64 next = ground->position(), ring = ground->log->ring().bytes();
    const auto read = [&](u64 bound, u64& unread) -> Error {
        LogReader reader(*ground->vdevs, ground->log->ring(), LogGround::k_pool);
        reader.keep_at_most(bound);
        const Status status = ground->read(reader, TxgId(10));
        unread = reader.unread_bytes();
        if (status.is_error())
            return status.error();
        CHECK_EQ(reader.end_position(), next);
        const Result<u32> count = go_through(test, reader, ~0u);
        CHECK(count.is_ok() && count.value() == k_records);
        return Error::none;
    };
    const u64 harmless[] = { next + k_block_size, next + 20 * k_block_size, ring - 512 };
    for (const u64 position : harmless) {
        ground->spoil(position);
        for (const u64 bound : k_bounds) {
            u64 unread = 0;
            CHECK_EQ(read(bound, unread), Error::none);
            CHECK_EQ(unread, k_block_size);
        }
        ground->mend();
    }
    // There may have been a frame. What is before it can be told of.
    const u64 needed[] = { 0, 512, last, last + 512, next - 512, next, next + 512 };
    for (const u64 position : needed) {
        ground->spoil(position);
        for (const u64 bound : k_bounds) {
            LogReader reader(*ground->vdevs, ground->log->ring(), LogGround::k_pool);
            reader.keep_at_most(bound);
            CHECK_ERROR(ground->read(reader, TxgId(10)), io_medium);
            CHECK_EQ(reader.next_sequence(), position >= next ? k_frames + 1 : position < last ? 1u : k_frames);
            CHECK_EQ(reader.record_count(), position >= next ? k_records : position < last ? 0u : k_records - 3);
        }
        ground->mend();
    }
    end(*ground);
}

// Unless there is another path, and so what one of them may still write is evaded: then the next frame may stand further on.
void needs_what_evading_reaches(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    const u64 next = (fill(test, *ground), ground->position());
    const u64 bad = ground->log->ring().place(next + k_block_size).offset_bytes;
    REQUIRE(ground->second);
    PathManager& paths = ground->vdevs->paths();
    REQUIRE_OK(paths.add_path(TargetId(0), ground->second.get(), 1));
    paths.look_again();
    lcpfs_test_device_spoil(ground->device.get(), bad, 512);
    lcpfs_test_device_spoil(ground->second.get(), bad, 512);
    LogReader reader(*ground->vdevs, ground->log->ring(), LogGround::k_pool);
    CHECK_ERROR(ground->read(reader, TxgId(10)), io_medium);
    CHECK_EQ(reader.record_count(), k_records);
    end(*ground);
}

// Where a run ends, the next one's beginning counts when what is left may be too short for a frame, and only then.
void needs_no_other_run(Test& test)
{
    constexpr u64 k_run = u64(LogGround::k_first_blocks) * k_block_size;
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    ground->is_slow.store(1);
    u64 left_out = 0;
    const auto read = [&]() -> Error {
        LogReader reader(*ground->vdevs, ground->log->ring(), LogGround::k_pool);
        const Status status = ground->read(reader, TxgId(10));
        CHECK(status.is_error() || reader.end_position() == ground->position());
        return status.error();
    };
    for (u32 frame = 0; frame < k_frames; frame++) {
        const u64 next = ground->position();
        ground->spoil(k_run);
        CHECK_EQ(read(), next < k_run && k_run - next >= k_max_log_frame_bytes ? Error::none : Error::io_medium);
        ground->mend();
        for (u32 i = 0; i < 3; i++)
            ground->add(5000);
        CHECK_OK(ground->log->commit());
        if (next < k_run && ground->position() > k_run)
            left_out = next;
    }
    REQUIRE(left_out != 0);
    ground->spoil(left_out);
    CHECK_EQ(read(), Error::none);
    end(*ground);
}

// A device that gives nothing any more has no bad sectors; it is not asked for each of them.
void takes_no_device_for_bad_sectors(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    const u64 next = (fill(test, *ground), ground->position());
    lcpfs_test_device_spoil(ground->device.get(), ground->log->ring().place(next + k_block_size).offset_bytes, 20 * k_block_size);
    LogReader reader(*ground->vdevs, ground->log->ring(), LogGround::k_pool);
    const u64 before = lcpfs_test_device_requests(ground->device.get(), HOST_IO_READ);
    CHECK_ERROR(ground->read(reader, TxgId(10)), io_medium);
    CHECK_EQ(reader.record_count(), k_records);
    CHECK(lcpfs_test_device_requests(ground->device.get(), HOST_IO_READ) - before < 100);
    end(*ground);
}

// A frame that is missing is missed, whatever else cannot be read: its neighbours tell, and what is lost is listed past bad sectors.
void misses_frames_past_bad_sectors(Test& test)
{
    if (breakage::skip_checksum)
        return;
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    const u64 last = fill(test, *ground);
    ground->flip(1000); // the first
    ground->spoil(last);
    LogReader reader(*ground->vdevs, ground->log->ring(), LogGround::k_pool);
    CHECK_ERROR(ground->read(reader, TxgId(10)), log_missing);
    CHECK_EQ(reader.missing().sequence, 1u);
    u32 found = 0;
    CHECK_OK(reader.find_lost(TxgId(10), [](void* count, const LogRecordView&) { ++*static_cast<u32*>(count); }, &found));
    CHECK(found >= k_records - 3);
    // Not when it may be where the bad sector is.
    ground->spoil(512);
    ground->spoil(4096);
    Box<LogReader> other = REQUIRE_VALUE(make_box<LogReader>(*ground->vdevs, ground->log->ring(), LogGround::k_pool));
    CHECK_ERROR(ground->read(*other, TxgId(10)), io_medium);
    end(*ground);
}

// Of small records the list takes more than the frames.
void stays_within_its_bound(Test& test)
{
    constexpr u64 k_bound = 2 << 20;
    constexpr u32 k_bytes = 4096, k_in_frame = 60;
    KeptFrames kept(k_bound);
    Vector<u8> bytes;
    REQUIRE_OK(bytes.resize(k_bytes));
    u32 frames = 0;
    for (; frames < k_bound / k_bytes; frames++) {
        const size_t first = kept.record_count();
        zero_bytes(bytes.begin(), k_bytes);
        bytes[64] = static_cast<u8>(frames);
        LogRecordView record {};
        record.payload = { bytes.begin() + 64, 1 };
        for (u32 i = 0; i < k_in_frame; i++)
            REQUIRE(kept.add(record));
        if (!kept.keep(bytes.span(), first)) {
            kept.forget_from(first);
            break;
        }
    }
    CHECK(frames > 64); // the first piece is full
    CHECK(frames * (k_bytes + k_in_frame * sizeof(LogRecordView)) <= k_bound);
    REQUIRE_EQ(kept.record_count(), size_t(frames) * k_in_frame);
    for (u32 i = 0; i < frames * k_in_frame; i++)
        CHECK_EQ(kept.record(i).payload[0], static_cast<u8>(i / k_in_frame));
}

constexpr TestCase k_cases[] = {
    { "goes_through_what_is_not_kept", goes_through_what_is_not_kept },
    { "says_what_has_gone", says_what_has_gone },
    { "needs_no_committed_frame", needs_no_committed_frame },
    { "needs_no_bad_sector", needs_no_bad_sector },
    { "needs_what_evading_reaches", needs_what_evading_reaches },
    { "needs_no_other_run", needs_no_other_run },
    { "takes_no_device_for_bad_sectors", takes_no_device_for_bad_sectors },
    { "misses_frames_past_bad_sectors", misses_frames_past_bad_sectors },
    { "stays_within_its_bound", stays_within_its_bound },
};

}

LCPFS_SUITE(log_reader, k_cases);

}
