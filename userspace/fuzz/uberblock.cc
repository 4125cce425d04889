// SPDX-License-Identifier: GPL-2.0-only
// Uberblocks, with and without their checksum put right.
#include "core/host/host.h"
#include "core/vdev/uberblock.h"
#include "userspace/fuzz/input.h"

using namespace lcpfs;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    FuzzInput input(data, size);
    bool seal = input.take<u8>() % 4;
    DiskUberblock disk = input.take<DiskUberblock>();
    DiskGuid guid = disk.pool_guid;
    if (seal) {
        disk.magic.set(k_uberblock_magic);
        disk.checksum.set(host_xxh64(&disk, offsetof(DiskUberblock, checksum), disk.txg.get()));
    }
    auto decoded = Uberblock::decode(disk, guid);
    if (decoded.is_error())
        return 0;
    DiskUberblock again;
    decoded.value().encode(again, guid);
    auto twice = Uberblock::decode(again, guid);
    FUZZ_CHECK(twice.is_ok() && twice.value().txg == decoded.value().txg);
    return 0;
}
