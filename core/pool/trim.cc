// SPDX-License-Identifier: GPL-2.0-only
#include "core/pool/trim.h"

namespace lcpfs {

namespace {

struct Blocks {
    u64 begin, end;
};

// One device, which begins at block `at` of all.
Status trim_device(Pool& pool, const Vdev& vdev, u64 at, const Blocks& wanted, const TrimRange& range, u64& blocks)
{
    const u32 min_blocks = static_cast<u32>(min<u64>(max<u64>(blocks_for_bytes(range.min_bytes), 1), ~0u));
    for (u32 metaslab = 0; metaslab < vdev.metaslab_count; metaslab++) {
        const u64 first = at + k_first_metaslab_block + u64(metaslab) * vdev.metaslab_blocks;
        const u64 from = max(first, wanted.begin);
        const u64 to = min(first + vdev.metaslab_blocks, wanted.end);
        if (from >= to)
            continue;
        if (range.is_interrupted && range.is_interrupted(range.context))
            return Error::busy;
        TRY(pool.check_writable());
        const Status trimmed = pool.allocator().trim(vdev.id, metaslab, static_cast<u32>(from - first), static_cast<u32>(to - first),
                                                     min_blocks, blocks);
        // A bitmap that cannot be read was logged, and keeps nobody else.
        if (trimmed.error() == Error::no_memory)
            return trimmed;
        host_yield();
    }
    return {};
}

}

Result<u64> trim_pool(Pool& pool, const TrimRange& range)
{
    TRY(pool.admit_change());
    VdevSet& vdevs = pool.vdevs();
    u64 total = 0;
    bool any = false;
    for (u16 i = 0; i < vdevs.count(); i++) {
        const Vdev& vdev = vdevs.vdev(VdevId(i));
        total += vdev.metaslab_count ? vdev.capacity_blocks : 0;
        any = any || (vdev.metaslab_count && vdev.info.discard);
    }
    if (!any)
        return Error::io_not_supported;
    u64 end_bytes = 0;
    if (!checked_add(range.begin_bytes, range.length_bytes, end_bytes))
        end_bytes = ~0ull;
    const Blocks wanted { blocks_for_bytes(range.begin_bytes), min(total, end_bytes >> k_block_shift) };
    if (wanted.begin >= total || range.length_bytes < k_block_size)
        return Error::invalid;
    u64 blocks = 0;
    u64 at = 0;
    for (u16 i = 0; i < vdevs.count(); i++) {
        const Vdev& vdev = vdevs.vdev(VdevId(i));
        if (vdev.metaslab_count && vdev.info.discard)
            TRY(trim_device(pool, vdev, at, wanted, range, blocks));
        at += vdev.metaslab_count ? vdev.capacity_blocks : 0;
    }
    return blocks << k_block_shift;
}

}
