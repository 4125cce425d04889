// SPDX-License-Identifier: GPL-2.0-only
#include "core/check/block_map.h"

namespace lcpfs {

Result<Box<BlockMap>> BlockMap::create(VdevSet& vdevs)
{
    Box<BlockMap> map = TRY(make_box<BlockMap>(vdevs));
    size_t count = 0;
    for (u16 i = 0; i < vdevs.count(); i++) {
        TRY(map->m_first.push_back(count));
        count += vdevs.vdev(VdevId(i)).metaslab_count;
    }
    TRY(map->m_maps.resize(count));
    return map;
}

Result<u32> BlockMap::enter(const Dva& dva, u64& first_block)
{
    const Vdev& vdev = m_vdevs.vdev(dva.vdev);
    const u64 relative = dva.block - k_first_metaslab_block;
    Vector<u64>& map = m_maps[m_first[dva.vdev.value()] + relative / vdev.metaslab_blocks];
    if (map.is_empty())
        TRY(map.resize(vdev.metaslab_blocks / 64));
    u32 again = 0;
    for (u32 i = 0; i < dva.length_blocks; i++) {
        const u64 bit = relative % vdev.metaslab_blocks + i;
        const u64 mask = 1ull << bit % 64;
        if (map[bit / 64] & mask) {
            if (again++ == 0)
                first_block = dva.block + i;
        }
        map[bit / 64] |= mask;
    }
    return again;
}

bool BlockMap::overlaps(const Dva& dva) const
{
    const Vdev& vdev = m_vdevs.vdev(dva.vdev);
    const u64 relative = dva.block - k_first_metaslab_block;
    const Vector<u64>& map = m_maps[m_first[dva.vdev.value()] + relative / vdev.metaslab_blocks];
    if (map.is_empty())
        return false;
    for (u32 i = 0; i < dva.length_blocks; i++) {
        const u64 bit = relative % vdev.metaslab_blocks + i;
        if (map[bit / 64] >> bit % 64 & 1)
            return true;
    }
    return false;
}

Status BlockMap::merge(VdevId vdev, u32 metaslab, Span<const u64> words)
{
    Vector<u64>& map = m_maps[m_first[vdev.value()] + metaslab];
    if (map.is_empty())
        TRY(map.resize(m_vdevs.vdev(vdev).metaslab_blocks / 64));
    for (size_t i = 0; i < words.size(); i++)
        map[i] |= words[i];
    return {};
}

const u64* BlockMap::words(VdevId vdev, u32 metaslab) const
{
    const Vector<u64>& map = m_maps[m_first[vdev.value()] + metaslab];
    return map.is_empty() ? nullptr : map.begin();
}

}
