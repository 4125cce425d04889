// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/unit_read.h"

#include "core/fs/block_read.h"
#include "core/test/breakage.h"

namespace lcpfs {

void set_unit_part(ReadRun& run, const Extent& extent, u64 file_block)
{
    run.unit.encoding = extent.encoding;
    run.unit.unit_blocks = extent.unit_blocks;
    run.unit.first = static_cast<u8>(extent.unit_offset + (file_block - extent.file_block));
    run.unit.stored_bytes = extent.stored_bytes;
    run.unit.stored = nullptr;
}

bool verify_unit(Pool& pool, ReadRun& run)
{
    const u32 each = checksum_bytes_of(run.checksum_kind);
    for (u32 i = 0; i < run.dva.length_blocks; i++) {
        u8* const block = run.unit.stored->data + (size_t(i) << k_block_shift);
        auto matches = [&] { return breakage::unit_trust || block_matches(run.checksum_kind, block, run.checksums + size_t(i) * each); };
        if (run.error == Error::none && matches())
            continue;
        const core_segment segment { block, k_block_size };
        const Dva place { run.dva.block + i, 1, run.dva.vdev };
        if (run.error != Error::none || !pool.vdevs().reread(place, { &segment, 1 }, run.served_by, matches))
            return false;
    }
    return true;
}

}
