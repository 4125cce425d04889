// SPDX-License-Identifier: GPL-2.0-only
// Reading compressed units (format/extent_format.h): all that is stored of one is read and verified, then it is decompressed once for as
// many of its blocks as are wanted.
#pragma once

#include "core/pool/pool.h"
#include "core/pool/requests.h"

namespace lcpfs {

// What a run of a unit reads, from the extent at `file_block`. The checksums are in the run already. Not its memory.
void set_unit_part(ReadRun& run, const Extent& extent, u64 file_block);

// Whether what is in run.unit.stored verifies; what does not, and whatever a failed read may not have brought, is read again by another
// path, if there is one. Sleepable.
bool verify_unit(Pool& pool, ReadRun& run);

// Decompresses it. `take` gets the wanted blocks, one after the other, with their number from the first one: const u8*, u32. data_checksum:
// it does not come to what its extent says.
template <typename Take>
Status decompress_unit(Pool& pool, const ReadRun& run, Take take)
{
    Compression* const compression = pool.compression();
    VERIFY_DISK(compression, extent_damaged); // no label says that anything is compressed
    Compression::Turn turn(*compression);
    TRY(turn.decompress(run.unit.encoding, run.unit.stored->data, run.unit.stored_bytes, run.unit.unit_blocks));
    for (u32 i = 0; i < run.block_count; i++)
        take(turn.unit() + (size_t(run.unit.first + i) << k_block_shift), i);
    return {};
}

}
