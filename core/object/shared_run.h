// SPDX-License-Identifier: GPL-2.0-only
// An entry of the share table in memory (format/share_format.h).
#pragma once

#include "core/base/result.h"
#include "core/format/share_format.h"

namespace lcpfs {

struct SharedRun {
    Dva dva;
    u64 references { 0 };

    u64 key() const { return share_key(dva.vdev, dva.block); }
    // share_damaged for anything out of form. Whether the run lies in a metaslab is the vdev layer's check.
    static Result<SharedRun> decode(Bytes key, Bytes value)
    {
        VERIFY_DISK(key.size() == 8 && value.size() == sizeof(DiskShare), share_damaged);
        BigEndianKey number;
        copy_bytes(&number, key.data(), 8);
        DiskShare disk;
        copy_bytes(&disk, value.data(), sizeof(disk));
        SharedRun run { dva_of_share(number.get(), disk.length_blocks.get()), disk.references.get() };
        VERIFY_DISK(run.dva.length_blocks > 0 && run.references >= 2 && run.references >> 62 == 0, share_damaged);
        return run;
    }
    DiskShare encode() const
    {
        DiskShare disk {};
        disk.length_blocks.set(dva.length_blocks);
        disk.references.set(references);
        return disk;
    }
};

}
