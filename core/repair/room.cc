// SPDX-License-Identifier: GPL-2.0-only
#include "core/repair/room.h"

namespace lcpfs {

Result<Box<RepairRoom>> RepairRoom::create(Pool& pool)
{
    Box<RepairRoom> room = TRY(make_box<RepairRoom>(pool));
    room->m_kept = TRY(BlockMap::create(pool.vdevs()));
    TRY(room->m_next.resize(pool.vdevs().count()));
    return room;
}

Status RepairRoom::keep(const Dva& dva)
{
    u64 first = 0;
    return m_kept->enter(dva, first).error();
}

// What the bitmap says is in use, and its own copies.
Result<bool> RepairRoom::prepare(VdevId id, u32 metaslab)
{
    const Vdev& vdev = m_pool.vdevs().vdev(id);
    TRY(m_words.resize(vdev.metaslab_blocks / 64));
    const Status loaded = m_pool.allocator().load(id, metaslab);
    if (loaded.error() == Error::no_memory)
        return Error::no_memory;
    const bool is_known = loaded.is_ok() && m_pool.allocator().copy_committed(id, metaslab, m_words.span());
    if (!is_known)
        zero_bytes(m_words.begin(), m_words.size() * sizeof(u64));
    for (u32 i = 0; i < 2 * bitmap_blocks(vdev.metaslab_blocks); i++)
        m_words[i / 64] |= 1ull << i % 64;
    TRY(m_kept->merge(id, metaslab, m_words.span()));
    return is_known;
}

Result<bool> RepairRoom::keep_bitmaps()
{
    bool are_known = true;
    for (u16 i = 0; i < m_pool.vdevs().count(); i++)
        for (u32 metaslab = 0; metaslab < m_pool.vdevs().vdev(VdevId(i)).metaslab_count; metaslab++)
            are_known = TRY(prepare(VdevId(i), metaslab)) && are_known;
    return are_known;
}

Result<Dva> RepairRoom::take_on(VdevId id, u32 blocks)
{
    const Vdev& vdev = m_pool.vdevs().vdev(id);
    Place& next = m_next[id.value()];
    for (; next.done < vdev.metaslab_count; next.done++, next.block = 0) {
        const u32 metaslab = vdev.metaslab_count - 1 - next.done;
        const u64 first = k_first_metaslab_block + u64(metaslab) * vdev.metaslab_blocks;
        for (; next.block + blocks <= vdev.metaslab_blocks; next.block += blocks) {
            const Dva dva { first + next.block, blocks, id };
            if (!m_pool.vdevs().is_valid(dva) || m_kept->overlaps(dva))
                continue;
            TRY(keep(dva));
            next.block += blocks;
            return dva;
        }
    }
    return Error::no_space;
}

Result<Dva> RepairRoom::take(u32 blocks, VdevId avoid)
{
    for (u32 pass = 0; pass < 2; pass++) {
        for (u16 i = 0; i < m_pool.vdevs().count(); i++) {
            const Vdev& vdev = m_pool.vdevs().vdev(VdevId(i));
            if (vdev.role != VdevRole::data || (vdev.id == avoid) != (pass == 1))
                continue;
            Result<Dva> taken = take_on(vdev.id, blocks);
            if (taken.is_ok() || taken.error() != Error::no_space)
                return taken;
        }
    }
    return Error::no_space;
}

Result<Dva> RepairRoom::take_run(u32 want, u32 minimum)
{
    Dva best;
    for (u16 i = 0; i < m_pool.vdevs().count() && best.length_blocks < want; i++) {
        const Vdev& vdev = m_pool.vdevs().vdev(VdevId(i));
        for (u32 metaslab = 0; metaslab < vdev.metaslab_count && best.length_blocks < want; metaslab++) {
            Dva run { k_first_metaslab_block + u64(metaslab) * vdev.metaslab_blocks, 0, vdev.id };
            for (u32 block = 0; block < vdev.metaslab_blocks && best.length_blocks < want; block++) {
                const Dva one { run.block + run.length_blocks, 1, vdev.id };
                if (!m_pool.vdevs().is_valid(one) || m_kept->overlaps(one))
                    run = { one.block + 1, 0, vdev.id };
                else if (++run.length_blocks > best.length_blocks)
                    best = run;
            }
        }
    }
    if (best.length_blocks < minimum)
        return Error::no_space;
    TRY(keep(best));
    return best;
}

}
