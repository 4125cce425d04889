// SPDX-License-Identifier: GPL-2.0-only
#include "core/zil/zil.h"

#include "core/test/log_ground.h"
#include "core/test/pool.h"
#include "core/test/test.h"
#include "core/zil/fletcher.h"

namespace lcpfs {

namespace {

constexpr DiskGuid k_pool = LogGround::k_pool;

void sums(Test& test)
{
    const u8 one[] = { 1, 0, 0, 0, 2, 0, 0, 0, 3 };
    const u8 other[] = { 2, 0, 0, 0, 1, 0, 0, 0, 3 };
    Fletcher4 whole, pieces, swapped;
    whole.add({ one, 9 });
    for (const u8& byte : one)
        pieces.add({ &byte, 1 });
    swapped.add({ other, 9 });
    const u64 sum = whole.folded();
    CHECK_EQ(pieces.folded(), sum);
    CHECK(swapped.folded() != sum);
}

// Long ones, in pieces of any size, against the definition.
void long_sums(Test& test)
{
    constexpr u32 k_most = 20000;
    Vector<u8> bytes;
    REQUIRE_OK(bytes.resize(k_most));
    TestRandom random(3);
    for (u8& byte : bytes)
        byte = static_cast<u8>(random.below(5) ? random.below(256) : 255);
    for (u32 round = 0; round < 60; round++) {
        const u32 size = round < 20 ? 1000 + round : 4 * random.below(k_most / 4) + (round % 3 ? 0 : random.below(4));
        u64 a = 0, b = 0, c = 0, d = 0;
        for (u32 at = 0; at < size; at += 4) {
            u32 word = 0;
            for (u32 i = at; i < min(at + 4, size); i++)
                word |= u32(bytes[i]) << 8 * (i - at);
            a += word, b += a, c += b, d += c;
        }
        Fletcher4 sum;
        for (u32 at = 0; at < size;) {
            const u32 piece = min(size - at, round % 2 ? 1 + random.below(6000) : k_most);
            sum.add({ bytes.begin() + at, piece });
            at += piece;
        }
        constexpr u64 k_factor = 0x9e3779b97f4a7c15ull;
        CHECK_EQ(sum.folded(), ((a * k_factor + b) * k_factor + c) * k_factor + d);
    }
}

// Every byte of a sealed frame matters, and of a record.
void frames(Test& test)
{
    host_pool* pages = host_pool_create("test_frame", k_block_size, 0);
    const LogData::Memory memory { pages, host_pool_create("test_single", LogData::single_bytes(), 0) };
    host_pool* small = host_pool_create("test_record", LogRecord::k_small_bytes, 0);
    REQUIRE(pages && memory.singles && small);
    {
        Box<LogFrame> frame = REQUIRE_VALUE(make_box<LogFrame>());
        REQUIRE_OK(frame->prepare(pages));
        const LogIdentity identity { k_pool, 5 };
        const u32 sizes[] = { 0, 1, 40, 41, 3000 };
        const u32 blocks[] = { 0, 2, 0, 1, 0 };
        Box<LogRecord> records[5];
        LogFrameSize size;
        for (u32 n = 0; n < 5; n++) {
            records[n] = LogRecord::create(LogOpcode::write, 9, sizes[n], n % 2 ? nullptr : small); // of both kinds of memory
            REQUIRE(records[n]);
            for (u32 i = 0; i < sizes[n]; i++)
                records[n]->payload()[i] = static_cast<u8>(i);
            records[n]->header.txg.set(3);
            records[n]->header.sequence.set(sizes[n] + 1);
            if (blocks[n]) {
                records[n]->data = REQUIRE_VALUE(LogData::create(memory, blocks[n]));
                records[n]->data_blocks = blocks[n];
            }
            for (u32 i = 0; i < blocks[n]; i++) {
                u8* const page = records[n]->data->page(i);
                for (u32 at = 0; at < k_block_size; at++)
                    page[at] = static_cast<u8>(at * 7 + n + i);
                records[n]->data->set_sum(i, host_crc32c(page, k_block_size));
            }
            CHECK(size.has_room_for(*records[n]));
            size.add(*records[n]);
        }
        frame->start(size.area_bytes(512));
        for (Box<LogRecord>& record : records)
            frame->add(*record, 0);
        frame->seal(identity, { 8, 4096, 7, TxgId(2) });
        CHECK_EQ(frame->length_bytes(), size.length_bytes(512));
        CHECK_EQ(frame->length_bytes() % 512, 0u);
        core_segment segments[k_log_frame_pages];
        const u32 count = frame->segments(segments);
        for (u32 i = 1; i < count; i++) // in a row of pages, but for where it begins
            CHECK_EQ(segments[i].bytes, k_block_size);
        Vector<u8> bytes;
        REQUIRE_OK(bytes.resize(frame->length_bytes()));
        u32 at = 0;
        for (u32 i = 0; i < count; i++) {
            copy_bytes(bytes.begin() + at, segments[i].data, segments[i].bytes);
            at += segments[i].bytes;
        }
        REQUIRE_EQ(at, frame->length_bytes());
        DiskLogFrame disk;
        copy_bytes(&disk, bytes.begin(), sizeof(disk));
        LogFrameHead head = REQUIRE_VALUE(read_log_frame_head(disk, identity));
        CHECK_EQ(head.record_count, 5u);
        CHECK_EQ(head.data_blocks, 3u);
        CHECK_EQ(head.acknowledged, 7u);
        const u8* const data = bytes.begin() + head.length_bytes - head.data_bytes();
        CHECK(compare_bytes(data, records[1]->data->page(0), k_block_size) == 0);
        CHECK(compare_bytes(data + k_block_size, records[1]->data->page(1), k_block_size) == 0);
        CHECK(compare_bytes(data + 2 * k_block_size, records[3]->data->page(0), k_block_size) == 0);
        CHECK_ERROR(read_log_frame_head(disk, { k_pool, 6 }), log_damaged);
        CHECK_ERROR(read_log_frame_head(disk, { { { 1 } }, 5 }), log_damaged);
        u32 missed = 0;
        for (u32 i = 0; i < bytes.size(); i++) {
            bytes[i] ^= 0x10;
            missed += log_frame_fits({ bytes.begin(), bytes.size() });
            copy_bytes(bytes.begin(), segments[0].data, sizeof(DiskLogFrame)); // the checksum field was zeroed
            if (i >= sizeof(DiskLogFrame))
                bytes[i] ^= 0x10;
        }
        CHECK_EQ(missed, 0u);
        CHECK(log_frame_fits({ bytes.begin(), bytes.size() }));
        u32 offset = sizeof(DiskLogFrame), found = 0;
        while (offset < head.used_bytes) {
            const u32 start = offset;
            u32 again = offset;
            bytes[start + 90] ^= 1; // in the payload, or the padding of the record without one
            const bool refused = read_log_record({ bytes.begin(), head.used_bytes }, again).is_error();
            bytes[start + 90] ^= 1;
            CHECK_EQ(refused, found >= 2);
            LogRecordView view = REQUIRE_VALUE(read_log_record({ bytes.begin(), head.used_bytes }, offset));
            CHECK_EQ(view.sequence(), view.payload.size() + 1);
            CHECK_EQ(view.header.data_blocks.get(), blocks[found]);
            found++;
        }
        CHECK_EQ(found, 5u);
    }
    host_pool_destroy(small);
    host_pool_destroy(memory.singles);
    host_pool_destroy(pages);
}

void finds_nothing(Test& test, LogGround& ground, const DiskGuid& pool, TxgId committed)
{
    LogReader reader(*ground.vdevs, ground.log->ring(), pool);
    REQUIRE_OK(ground.read(reader, committed));
    CHECK_EQ(reader.record_count(), 0u);
}

void lone_caller(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    for (u32 i = 0; i < 20; i++) {
        const u64 writes = ground->writes(), flushes = ground->flushes();
        ground->add(100 + i);
        ground->add(10);
        CHECK_OK(ground->log->commit());
        CHECK_EQ(ground->writes(), writes + 1);
        CHECK_EQ(ground->flushes(), flushes); // FUA
        CHECK_OK(ground->log->commit());      // nothing to do
        CHECK_EQ(ground->writes(), writes + 1);
    }
    CHECK_EQ(ground->engine->committed_txg().value(), 10u);
    LogReader reader(*ground->vdevs, ground->log->ring(), k_pool);
    REQUIRE_OK(ground->read(reader, TxgId(10)));
    REQUIRE_EQ(reader.record_count(), 40u);
    u32 i = 0;
    while (const LogRecordView* record = REQUIRE_VALUE(reader.next())) {
        CHECK_EQ(record->sequence(), i + 1);
        CHECK_EQ(record->txg().value(), 11u);
        CHECK_EQ(record->payload.size(), i % 2 ? 10u : 100 + i / 2);
        CHECK(record->payload.size() == 0 || record->payload[0] == static_cast<u8>(record->payload.size()));
        i++;
    }
    CHECK_EQ(i, 40u);
    CHECK_EQ(reader.last_record(), 40u);
    CHECK_EQ(reader.end_position(), ground->position());
    finds_nothing(test, *ground, k_pool, TxgId(11));
    finds_nothing(test, *ground, DiskGuid { { 1 } }, TxgId(10));
}

// A frame as it was before it could have data blocks, or before its hash was of the records' sums.
void make_older(Test& test, host_bdev* device, u64 at, u32 length, u64 magic)
{
    Vector<u8> bytes;
    REQUIRE_OK(bytes.resize(length));
    lcpfs_test_device_peek(device, at, bytes.begin(), length);
    DiskLogFrame head;
    copy_bytes(&head, bytes.begin(), sizeof(head));
    head.magic.set(magic);
    zero_bytes(head.checksum, sizeof(head.checksum));
    copy_bytes(bytes.begin(), &head, sizeof(head));
    u64 hash = 0x4c4350465a494c31ull, cyclic = 0x9e3779b97f4a7c15ull;
    const bool is_hashed = magic == k_log_hashed_frame_magic;
    for (u32 offset = sizeof(DiskLogFrame); !is_hashed && offset < head.used_bytes.get();) {
        const LogRecordView record = REQUIRE_VALUE(read_log_record({ bytes.begin(), head.used_bytes.get() }, offset));
        const le64 sum(log_record_checksum(record.header, record.payload));
        hash = host_xxh64(&sum, sizeof(sum), hash);
    }
    if (!is_hashed)
        hash = host_xxh64(&head, sizeof(head), hash);
    for (u32 from = 0; from < length; from += k_block_size) {
        const u32 piece = min(length - from, k_block_size);
        if (is_hashed)
            hash = host_xxh64(bytes.begin() + from, piece, hash);
        cyclic = (cyclic << 13 | cyclic >> 51) ^ host_crc32c(bytes.begin() + from, piece);
    }
    const le64 sums[2] = { le64(hash), le64(cyclic) };
    copy_bytes(bytes.begin() + offsetof(DiskLogFrame, checksum), sums, sizeof(sums));
    lcpfs_test_device_poke(device, at, bytes.begin(), length);
}

// How many records are read, and how that ends.
[[gnu::noinline]] size_t read_records(LogGround& ground, Error& error)
{
    LogReader reader(*ground.vdevs, ground.log->ring(), k_pool);
    error = ground.read(reader, TxgId(10)).error();
    return reader.record_count();
}

// The log of a machine that stopped with an older version is read as far as it goes; frames of all kinds may follow each other.
void older_frames(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    u64 places[6];
    u32 lengths[6];
    for (u32 i = 0; i < 6; i++) {
        places[i] = ground->log->ring().place(ground->position()).offset_bytes;
        ground->add(i * 1500);
        ground->add(3);
        REQUIRE_OK(ground->log->commit());
        DiskLogFrame head;
        lcpfs_test_device_peek(ground->device.get(), places[i], &head, sizeof(head));
        REQUIRE_EQ(head.magic.get(), k_log_frame_magic);
        lengths[i] = head.length_bytes.get();
    }
    for (u32 i = 0; i < 5; i++)
        make_older(test, ground->device.get(), places[i], lengths[i], i % 2 ? k_log_plain_frame_magic : k_log_hashed_frame_magic);
    Error error;
    CHECK_EQ(read_records(*ground, error), 12u);
    CHECK(error == Error::none);
    u8 byte;
    lcpfs_test_device_peek(ground->device.get(), places[4] + lengths[4] - 1, &byte, 1); // padding: the hash is of this, too
    byte ^= 4;
    lcpfs_test_device_poke(ground->device.get(), places[4] + lengths[4] - 1, &byte, 1);
    CHECK_EQ(read_records(*ground, error), 8u);
    CHECK(error == Error::log_missing); // the sixth says that it was acknowledged
}

// Many times around the ring, with groups committing when it fills.
void around(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    TestRandom random(5);
    u64 added = 0;
    for (u32 i = 0; i < 400; i++) {
        const u32 count = 1 + random.below(4);
        for (u32 r = 0; r < count; r++, added++)
            ground->add(random.below(random.below(8) ? 400 : 30000));
        REQUIRE_OK(ground->log->commit());
        if (i % 10)
            continue;
        // Both of the last two groups find all that they need, each record once.
        TxgId newest;
        LogTail tails[2];
        tails[0] = ground->newest(newest, &tails[1]);
        const u64 committed = newest.value();
        for (u32 back = 0; back < 2 && committed > 10 + back; back++) {
            LogReader reader(*ground->vdevs, ground->log->ring(), k_pool);
            reader.keep_at_most(u64(i / 10 % 3) * 3 * k_max_log_frame_bytes); // none, a part, all
            REQUIRE_OK(reader.read(tails[back], TxgId(committed - back)));
            CHECK_EQ(reader.last_record(), added);
            CHECK(back == 1 || !reader.lacks_group());
            u64 before = 0, told = 0;
            while (const LogRecordView* record = REQUIRE_VALUE(reader.next())) {
                CHECK(!before || record->sequence() == before + 1 || !back);
                before = record->sequence();
                told++;
            }
            CHECK_EQ(told, reader.record_count());
            if (test.failed())
                return;
        }
    }
    CHECK(ground->position() > 2 * ground->log->ring().bytes());
    CHECK(ground->engine->committed_txg().value() > 15);
    LogStatistics statistics {};
    ground->log->get_statistics(statistics);
    u64 counted = 0;
    for (u64 bucket : statistics.latency)
        counted += bucket;
    CHECK_EQ(counted, statistics.frames);
    CHECK_EQ(statistics.pending_frames, 0u);
}

// A change without a record: what comes after it waits for its group, what came before does not.
void barriers(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    ground->add(8);
    ground->add_barrier();
    ground->add(8);
    CHECK_OK(ground->log->commit());
    CHECK(ground->engine->committed_txg().value() >= 11);
    ground->add(8);
    const u64 committed = ground->engine->committed_txg().value();
    CHECK_OK(ground->log->commit());
    CHECK_EQ(ground->engine->committed_txg().value(), committed);
    // One larger than a frame is a barrier too.
    ground->add(k_max_log_record_bytes);
    CHECK_OK(ground->log->commit());
    CHECK(ground->engine->committed_txg().value() > committed);
    CHECK_EQ(ground->log->waiting_records(), 0u);
}

// A failed write is told to its callers; then a group's commit takes over, and the log goes on behind it.
void failing(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    ground->add(8);
    CHECK_OK(ground->log->commit());
    lcpfs_test_device_fail(ground->device.get(), HOST_IO_WRITE, 0, 1);
    const TxgId lost = ground->add(8);
    CHECK_ERROR(ground->log->commit(), io_error);
    CHECK_EQ(ground->failures, 1u);
    // Who comes later is not told again: a group makes the same records durable.
    CHECK_OK(ground->log->commit());
    CHECK(ground->engine->committed_txg() >= lost);
    CHECK_EQ(ground->failures, 1u);
    ground->add(8);
    CHECK_OK(ground->log->commit());
    CHECK(ground->engine->committed_txg() >= lost);
    for (u32 i = 0; i < 3; i++) {
        const TxgId committed = ground->engine->committed_txg();
        ground->add(20);
        CHECK_OK(ground->log->commit());
        CHECK_EQ(ground->engine->committed_txg(), committed);
    }
    CHECK_EQ(ground->failures, 1u);
    LogReader reader(*ground->vdevs, ground->log->ring(), k_pool);
    REQUIRE_OK(ground->read(reader, ground->engine->committed_txg()));
    CHECK_EQ(reader.record_count(), 4u);
}

// Damage in the last frame ends the log; in one that a later one knows to be acknowledged it is an error.
void damaged(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    u64 starts[12];
    for (u64& start : starts) {
        start = ground->position();
        ground->add(700);
        REQUIRE_OK(ground->log->commit());
    }
    const u32 offsets[] = { 0, 60, 200, 1000 };
    for (u32 at : offsets) {
        for (u32 frame = 0; frame < 12; frame++) {
            ground->flip(starts[frame] + at);
            LogReader reader(*ground->vdevs, ground->log->ring(), k_pool);
            const Status status = ground->read(reader, TxgId(10));
            CHECK_EQ(status.error(), frame == 11 ? Error::none : Error::log_missing);
            if (frame == 11)
                CHECK_EQ(reader.record_count(), 11u);
            else
                CHECK(reader.missing().sequence == frame + 1 && reader.missing().position == starts[frame]);
            u64 told = 0;
            if (status.is_error())
                CHECK_OK(reader.find_lost(
                    TxgId(10), [](void* told, const LogRecordView& record) { *static_cast<u64*>(told) |= 1ull << record.sequence(); },
                    &told));
            // Those behind it, and its own where the damage is not in the record.
            u64 expected = 0;
            for (u32 lost = frame + (at == 200); lost < 12; lost++)
                expected |= 2ull << lost;
            CHECK_EQ(told, frame == 11 ? 0 : expected);
            ground->flip(starts[frame] + at);
        }
    }
    LogReader reader(*ground->vdevs, ground->log->ring(), k_pool);
    REQUIRE_OK(ground->read(reader, TxgId(10)));
    CHECK_EQ(reader.record_count(), 12u);
}

void shut_down(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    ground->add(8);
    ground->engine->fail(Error::shut_down);
    CHECK_ERROR(ground->log->commit(), shut_down);
    ground->log->writer().shutdown();
    CHECK(!ground->log->writer().try_acquire());
}

// Callers without a frame of their own do not wait for a device that does not answer when the pool has frozen; a caller whose
// frame is on its way learns what became of it.
void frozen(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    ground->log->writer().set_in_flight_limit(1);
    struct Waiting {
        LogGround* ground;
        Status status;
        Atomic<u32> begun { 0 };
        host_thread* thread { nullptr };
    } waiting[2];
    Event pause;
    lcpfs_test_device_hold(ground->device.get(), HOST_IO_WRITE, true);
    for (Waiting& one : waiting) {
        one.ground = ground.get();
        ground->add(8);
        one.thread = host_thread_start("test-log",
                                       [](void* context) {
                                           Waiting& self = *static_cast<Waiting*>(context);
                                           self.begun.store(1);
                                           self.status = self.ground->log->commit().error();
                                       },
                                       &one);
        REQUIRE(one.thread);
        while (!one.begun.load() || ground->log->writer().in_flight() == 0)
            pause.wait_timeout(1000000, [] { return false; });
    }
    pause.wait_timeout(20000000, [] { return false; });
    ground->engine->fail(Error::shut_down);
    ground->log->note_freeze();
    host_thread_join(waiting[1].thread);
    CHECK_ERROR(waiting[1].status, shut_down);
    lcpfs_test_device_hold(ground->device.get(), HOST_IO_WRITE, false);
    host_thread_join(waiting[0].thread);
    CHECK_OK(waiting[0].status);
}

struct Caller {
    LogGround* ground;
    u32 rounds;
    Status status;
    host_thread* thread;
};

// Callers that come together share frames; each returns only when its own is there.
void together(Test& test)
{
    Box<LogGround> ground = REQUIRE_VALUE(make_box<LogGround>());
    REQUIRE_OK(ground->start());
    ground->log->writer().set_in_flight_limit(2);
    constexpr u32 k_callers = 8, k_rounds = 60;
    Caller callers[k_callers];
    for (Caller& caller : callers) {
        caller.ground = ground.get();
        caller.rounds = k_rounds;
        caller.thread = host_thread_start("test-log",
                                          [](void* context) {
                                              Caller& self = *static_cast<Caller*>(context);
                                              for (u32 i = 0; i < self.rounds && self.status.is_ok(); i++) {
                                                  self.ground->add(50 + i);
                                                  const Status status = self.ground->log->commit();
                                                  if (status.is_error())
                                                      self.status = status.error();
                                              }
                                          },
                                          &caller);
        CHECK(caller.thread);
    }
    for (Caller& caller : callers) {
        if (caller.thread)
            host_thread_join(caller.thread);
        CHECK_OK(caller.status);
    }
    LogStatistics statistics {};
    ground->log->get_statistics(statistics);
    CHECK(statistics.frames <= k_callers * k_rounds);
    CHECK(statistics.records <= k_callers * k_rounds && statistics.records > k_callers * k_rounds / 2);
    TxgId txg;
    const LogTail tail = ground->newest(txg);
    LogReader reader(*ground->vdevs, ground->log->ring(), k_pool);
    REQUIRE_OK(reader.read(tail, txg));
    CHECK_EQ(reader.last_record(), k_callers * k_rounds);
}

constexpr TestCase k_cases[] = { { "sums", sums }, { "long_sums", long_sums }, { "frames", frames },       { "lone_caller", lone_caller },
                                 { "older_frames", older_frames },
                                 { "around", around },   { "barriers", barriers },   { "failing", failing },
                                 { "damaged", damaged }, { "together", together },   { "shut_down", shut_down }, { "frozen", frozen } };
}
LCPFS_SUITE(zil, k_cases);

}
