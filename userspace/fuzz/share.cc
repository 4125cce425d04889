// SPDX-License-Identifier: GPL-2.0-only
// Entries of the share table.
#include "core/object/shared_run.h"
#include "userspace/fuzz/input.h"

using namespace lcpfs;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    FuzzInput input(data, size);
    std::vector<u8> key = input.take_bytes(input.take<u8>() % 4 ? 8 : 9);
    std::vector<u8> value = input.rest();
    auto decoded = SharedRun::decode(bytes_in(key), bytes_in(value));
    if (decoded.is_error())
        return 0;
    const SharedRun& run = decoded.value();
    FUZZ_CHECK(run.dva.length_blocks != 0 && run.references >= 2 && run.references + 1 > run.references);
    const DiskShare disk = run.encode();
    const BigEndianKey number(run.key());
    auto twice = SharedRun::decode({ number.data(), 8 }, bytes_of(disk));
    FUZZ_CHECK(twice.is_ok() && twice.value().dva == run.dva && twice.value().references == run.references);
    return 0;
}
