// SPDX-License-Identifier: GPL-2.0-only
// Frames and records of the intent log, with and without their checksums put right.
#include "core/zil/frame.h"
#include "userspace/fuzz/input.h"

using namespace lcpfs;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    FuzzInput input(data, size);
    const bool seal = input.take<u8>() % 4;
    DiskLogFrame disk = input.take<DiskLogFrame>();
    if (seal)
        disk.magic.set(k_log_frame_magic);
    auto head = read_log_frame_head(disk, { disk.pool_guid, disk.generation.get() });
    if (head.is_ok())
        FUZZ_CHECK(head.value().used_bytes <= head.value().length_bytes && head.value().length_bytes <= k_max_log_frame_bytes);
    DiskLogRecord record = input.take<DiskLogRecord>();
    std::vector<u8> bytes(sizeof(record));
    std::vector<u8> rest = input.rest();
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    bytes.resize(align_up(bytes.size(), k_log_record_align));
    if (seal && record.payload_bytes.get() <= bytes.size() - sizeof(record)) {
        record.magic.set(k_log_record_magic);
        record.checksum.set(0);
        record.checksum.set(log_record_checksum(record, { bytes.data() + sizeof(record), record.payload_bytes.get() }));
    }
    memcpy(bytes.data(), &record, sizeof(record));
    // A frame of these records, whose own sums will hardly fit: nothing outside is touched, and nothing is changed.
    if (seal)
        disk.used_bytes.set(static_cast<u32>(sizeof(disk) + bytes.size()));
    std::vector<u8> frame(sizeof(disk) + bytes.size());
    memcpy(frame.data(), &disk, sizeof(disk));
    memcpy(frame.data() + sizeof(disk), bytes.data(), bytes.size());
    const std::vector<u8> frame_before = frame;
    (void)log_frame_fits({ frame.data(), frame.size() });
    FUZZ_CHECK(frame == frame_before);
    u32 offset = 0;
    while (offset < bytes.size()) {
        const u32 before = offset;
        auto view = read_log_record(bytes_in(bytes), offset);
        if (view.is_error())
            return 0;
        FUZZ_CHECK(offset > before && offset <= bytes.size() && view.value().payload.size() <= offset - before);
        LogPayload payload(view.value().payload);
        DiskLogCreate create;
        if (payload.take(create).is_ok())
            (void)payload.take_bytes(create.name_bytes.get()).is_ok();
    }
    return 0;
}
