// SPDX-License-Identifier: GPL-2.0-only
// Items of a file's tree.
#include "core/object/extent.h"
#include "userspace/fuzz/input.h"

using namespace lcpfs;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    FuzzInput input(data, size);
    std::vector<u8> key = input.take_bytes(input.take<u8>() % 4 ? 8 : 9);
    std::vector<u8> value = input.rest();
    auto decoded = Extent::decode(bytes_in(key), bytes_in(value));
    if (decoded.is_error())
        return 0;
    const Extent& extent = decoded.value();
    FUZZ_CHECK(extent.length_blocks != 0 && extent.end() > extent.file_block);
    FUZZ_CHECK(extent.payload.size() <= value.size());
    if (extent.kind == ExtentKind::mapped)
        for (u32 i = 0; i < extent.dva.length_blocks; i++)
            for (u8 byte : extent.checksums(i, 1))
                FUZZ_CHECK(byte == byte);
    FUZZ_CHECK(extent.counted_blocks() <= extent.length_blocks);
    if (extent.is_compressed()) {
        FUZZ_CHECK(extent.unit_offset + extent.length_blocks <= extent.unit_blocks && extent.unit_blocks <= k_max_unit_blocks);
        FUZZ_CHECK(extent.dva.length_blocks < extent.unit_blocks && extent.stored_bytes <= extent.dva.length_blocks << k_block_shift);
    }
    if (extent.kind == ExtentKind::mapped && extent.length_blocks > 1) {
        const Extent left = extent.part(0, 1), right = extent.part(1, extent.length_blocks - 1);
        FUZZ_CHECK(left.counted_blocks() + right.counted_blocks() == extent.counted_blocks());
        std::vector<u8> cut(right.encoded_bytes());
        right.encode({ cut.data(), cut.size() });
        BigEndianKey right_key(right.file_block);
        FUZZ_CHECK(Extent::decode({ right_key.data(), 8 }, bytes_in(cut)).is_ok());
    }
    std::vector<u8> again(extent.encoded_bytes());
    u32 bytes = extent.encode({ again.data(), again.size() });
    FUZZ_CHECK(bytes == again.size());
    auto twice = Extent::decode(bytes_in(key), bytes_in(again));
    FUZZ_CHECK(twice.is_ok() && twice.value().dva == extent.dva && twice.value().length_blocks == extent.length_blocks
               && twice.value().unit_offset == extent.unit_offset);
    return 0;
}
