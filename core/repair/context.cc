// SPDX-License-Identifier: GPL-2.0-only
#include "core/repair/context.h"

#include "core/codec/checksum.h"

namespace lcpfs {

Status RepairContext::start()
{
    tables = TRY(TreeWalk::create(pool.vdevs(), pool.cache().node_bytes()));
    bodies = TRY(TreeWalk::create(pool.vdevs(), pool.cache().node_bytes()));
    room = TRY(RepairRoom::create(pool));
    claims = TRY(Claims::create(pool, *room));
    tables_builder = TRY(NodeBuilder::create(pool, *room, txg));
    bodies_builder = TRY(NodeBuilder::create(pool, *room, txg));
    xattrs_builder = TRY(NodeBuilder::create(pool, *room, txg));
    for (u16 i = 0; i < pool.vdevs().count(); i++) {
        TRY(first_row.push_back(rows.size()));
        TRY(rows.resize(rows.size() + pool.vdevs().vdev(VdevId(i)).metaslab_count));
    }
    return {};
}

Status RepairContext::mend_copies()
{
    host_pool* const pages = host_pool_create("lcpfs_repair_copy", pool.cache().node_bytes(), 0);
    u8* const bytes = pages ? static_cast<u8*>(host_pool_alloc(pages, 0)) : nullptr;
    for (size_t i = 0; bytes && i < bad_copies.size(); i++)
        mend_copy(bad_copies[i].pointer, bad_copies[i].copy, bytes);
    if (bytes)
        host_pool_free(pages, bytes);
    if (pages)
        host_pool_destroy(pages);
    return bytes ? pool.vdevs().flush_written() : Status(Error::no_memory);
}

void RepairContext::mend_copy(const NodePointer& pointer, u32 bad, u8* bytes)
{
    const core_segment segment { bytes, pointer.size_bytes };
    IoBatch batch;
    bool is_whole = false;
    for (u32 copy = 0; copy < pointer.copies && !is_whole; copy++) {
        if (copy == bad)
            continue;
        batch.begin();
        pool.vdevs().read(pointer.dva[copy], { &segment, 1 }, HOST_IO_META, IoBatch::done, &batch);
        is_whole = batch.wait().is_ok() && checksum_of(pointer.checksum_kind, { bytes, pointer.size_bytes }) == pointer.checksum;
    }
    if (is_whole) {
        batch.begin();
        pool.vdevs().write(pointer.dva[bad], { &segment, 1 }, HOST_IO_META, IoBatch::done, &batch);
        is_whole = batch.wait().is_ok();
    }
    findings.say("device ", u64(pointer.dva[bad].vdev.value()), " block ", pointer.dva[bad].block, ": copy ", u64(bad + 1),
                 is_whole ? " of a node written again" : " of a node cannot be written again");
}

RepairContext::Row* RepairContext::row_of(VdevId vdev, u64 metaslab)
{
    if (vdev.value() >= pool.vdevs().count() || metaslab >= pool.vdevs().vdev(vdev).metaslab_count)
        return nullptr;
    return &rows[first_row[vdev.value()] + metaslab];
}

void RepairContext::note_home(const Dva& dva, u64 partition)
{
    Row* const row = row_of(dva.vdev, (dva.block - k_first_metaslab_block) / pool.vdevs().vdev(dva.vdev).metaslab_blocks);
    const u64 owner = row ? row->entry.partition.get() : 0;
    if (owner && owner != partition)
        row->has_foreign_data = true;
}

bool RepairContext::has_partition(u64 id) const
{
    for (const u64 other : partitions)
        if (other == id)
            return true;
    return id == k_default_partition.value();
}

bool RepairVisitor::node(const NodePointer& pointer, const TreeOwner& owner)
{
    const u64 place = m_place++;
    bool mine = pointer.size_bytes == m_context.pool.cache().node_bytes() && pointer.birth <= m_context.from;
    for (u32 copy = 0; copy < pointer.copies && mine; copy++) {
        const Result<bool> taken = m_context.claims->take(pointer.dva[copy]);
        if (taken.is_error())
            m_context.failure = taken.error();
        mine = taken.is_ok() && taken.value();
    }
    if (!mine) {
        const Status noted = m_context.refused.push_back({ static_cast<u8>(owner.kind), owner.object, place });
        if (noted.is_error())
            m_context.failure = noted.error();
        damage(pointer, owner, k_max_copies, Error::node_damaged);
    }
    m_context.findings.report().nodes++;
    m_context.findings.advance(u64(pointer.copies) * pointer.size_bytes / k_block_size);
    return mine;
}

bool RepairAgain::node(const NodePointer&, const TreeOwner& owner)
{
    const RepairContext::Refused here { static_cast<u8>(owner.kind), owner.object, m_place++ };
    size_t low = 0, high = m_context.refused.size();
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (m_context.refused[middle] < here)
            low = middle + 1;
        else
            high = middle;
    }
    return low == m_context.refused.size() || here < m_context.refused[low];
}

void RepairVisitor::bad_copy(const NodePointer& pointer, u32 copy, Bytes)
{
    const Status noted = m_context.bad_copies.push_back({ pointer, copy });
    if (noted.is_error())
        m_context.failure = noted.error();
}

void RepairVisitor::damage(const NodePointer& pointer, const TreeOwner& owner, u32 copy, Error error)
{
    if (copy < k_max_copies)
        return;
    m_is_damaged = true;
    m_context.findings.say_of(owner, "level ", u64(pointer.level), " node at device ", u64(pointer.dva[0].vdev.value()), " block ",
                              pointer.dva[0].block, ": ", text_of(error), "; what only it leads to is lost");
}

}
