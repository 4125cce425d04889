// SPDX-License-Identifier: GPL-2.0-only
#include "core/txg/space.h"

namespace lcpfs {

Space::Space(Allocator& allocator, TreeContext& trees, TxgEngine& engine, u64 dirty_limit_bytes)
    : m_allocator(allocator), m_trees(trees), m_engine(engine), m_dirty_limit_bytes(dirty_limit_bytes)
{
    u64 total = allocator.counts().total_blocks;
    m_slop_blocks = min(max<u64>(total / 32, 2048), total / 8);
    allocator.set_quad_reserve(m_slop_blocks / trees.cache.node_blocks());
}

u64 Space::promised_blocks() const
{
    u64 metadata = (m_trees.dirty_bytes.load_relaxed() + m_dirty_objects.load_relaxed() * k_object_charge_bytes) * m_trees.copies;
    return m_promised.load() / k_promise_unit + blocks_for_bytes(metadata);
}

u64 Space::available_blocks() const
{
    u64 free = m_allocator.counts().free_blocks;
    u64 taken = promised_blocks() + m_slop_blocks;
    return free > taken ? free - taken : 0;
}

bool Space::fits(u64, For what) const
{
    // The units asked for are in m_promised already.
    u64 kept = what == For::growth ? m_slop_blocks : m_slop_blocks / 4;
    return m_allocator.counts().free_blocks >= promised_blocks() + kept;
}

Status Space::promise(u64 units, For what)
{
    for (u32 attempt = 0;; attempt++) {
        m_promised.add(units);
        if (fits(units, what))
            return {};
        m_promised.sub(units);
        if (attempt == 3)
            return Error::no_space;
        TRY(m_engine.force_commit());
    }
}

u64 Space::dirty_limit() const
{
    // Up to five groups' worth of nodes can be on disk or under way at once: three in the pipeline, two kept
    // for the last two uberblocks.
    u64 bytes = (m_slop_blocks + available_blocks() / 2) * k_block_size / (5 * m_trees.copies);
    return min(m_dirty_limit_bytes, bytes);
}

bool Space::is_group_full() const
{
    return m_trees.dirty_bytes.load_relaxed() + m_dirty_objects.load_relaxed() * k_object_charge_bytes > dirty_limit();
}

void Space::throttle()
{
    if (!is_group_full())
        return;
    m_engine.poke();
    // Twice the limit: the sync under way has to catch up first.
    if (m_trees.dirty_bytes.load_relaxed() > 2 * dirty_limit())
        (void)m_engine.wait_committed(m_engine.newest_changed()).is_ok();
}

}
