// SPDX-License-Identifier: GPL-2.0-only
#include "core/repair/claims.h"

#include "core/object/shared_run.h"
#include "core/repair/sort.h"

namespace lcpfs {

Result<Box<Claims>> Claims::create(Pool& pool, RepairRoom& room)
{
    Box<Claims> claims = TRY(make_box<Claims>(pool, room));
    claims->m_own = TRY(BlockMap::create(pool.vdevs()));
    claims->m_shared = TRY(BlockMap::create(pool.vdevs()));
    return claims;
}

Result<bool> Claims::take(const Dva& dva)
{
    if (!m_pool.vdevs().is_valid(dva))
        return false;
    TRY(m_room.keep(dva));
    if (m_own->overlaps(dva) || m_shared->overlaps(dva))
        return false;
    u64 first = 0;
    TRY(m_own->enter(dva, first));
    return true;
}

Result<bool> Claims::share(const Dva& dva)
{
    if (!m_pool.vdevs().is_valid(dva))
        return false;
    TRY(m_room.keep(dva));
    if (m_own->overlaps(dva))
        return false;
    u64 first = 0;
    TRY(m_shared->enter(dva, first));
    const u64 key = share_key(dva.vdev, dva.block);
    TRY(m_begins.push_back(key));
    TRY(m_ends.push_back(key + dva.length_blocks));
    return true;
}

u64 Claims::end_of_metaslab(u64 key) const
{
    const Dva dva = dva_of_share(key, 1);
    const Vdev& vdev = m_pool.vdevs().vdev(dva.vdev);
    const u64 inside = (dva.block - k_first_metaslab_block) % vdev.metaslab_blocks;
    return key + vdev.metaslab_blocks - inside;
}

Status Claims::add_run(NodeBuilder& builder, u64 begin, u64 end, u64 references)
{
    while (begin < end) {
        const u64 stop = min(end, end_of_metaslab(begin));
        const SharedRun run { dva_of_share(begin, static_cast<u32>(stop - begin)), references };
        const BigEndianKey key(begin);
        TRY(builder.add({ key.data(), 8 }, bytes_of(run.encode())));
        begin = stop;
    }
    return {};
}

// Along all begins and ends in order; between two of them as many runs are open as lie over it.
Result<NodePointer> Claims::build_share_table(NodeBuilder& builder)
{
    const auto is_below = [](u64 a, u64 b) { return a < b; };
    sort(m_begins.span(), is_below);
    sort(m_ends.span(), is_below);
    builder.begin({ TreeKind::shares, 0, 0 });
    u64 open = 0, since = 0;
    size_t begun = 0;
    for (size_t ended = 0; ended < m_ends.size();) {
        const u64 at = begun < m_begins.size() ? min(m_begins[begun], m_ends[ended]) : m_ends[ended];
        u64 now = open;
        for (; begun < m_begins.size() && m_begins[begun] == at; begun++)
            now++;
        for (; ended < m_ends.size() && m_ends[ended] == at; ended++)
            now--;
        if (now == open)
            continue;
        if (open >= 2)
            TRY(add_run(builder, since, at, open));
        open = now;
        since = at;
    }
    return builder.finish();
}

}
