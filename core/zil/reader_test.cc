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
        lcpfs_test_device_fail(ground->device.get(), HOST_IO_READ, 0, 1);
        u32 told = 0;
        const Error trouble = go_through(test, reader, ~0u, &told).error();
        CHECK_EQ(trouble, has_all ? Error::none : Error::io_error);
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
    { "stays_within_its_bound", stays_within_its_bound },
};

}

LCPFS_SUITE(log_reader, k_cases);

}
