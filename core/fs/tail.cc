// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/tail.h"

#include "core/codec/checksum.h"

namespace lcpfs {

TailCut::TailCut(Pool& pool)
    : m_pool(pool), m_page(static_cast<u8*>(host_pool_alloc_reserved(pool.requests().pages))), m_scratch(pool)
{
}

TailCut::~TailCut()
{
    drop_copy();
    host_pool_free(m_pool.requests().pages, m_page);
}

void TailCut::drop_copy()
{
    if (m_copy.is_used())
        m_pool.allocator().cancel(m_copy);
    m_copy = Dva();
}

bool TailCut::is_needed(const ObjectAttributes& attributes) const
{
    return attributes.is_regular() && (m_size_bytes & (k_block_size - 1)) != 0 && m_size_bytes < attributes.size_bytes;
}

static bool is_zero(const u8* bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i])
            return false;
    return true;
}

// On a full pool from what is kept for removals, which this is.
Result<Dva> TailCut::allocate_block(OwnerSlot owner)
{
    auto place = m_pool.allocator().allocate_data(owner, 1, 1);
    if (place.is_ok() || place.error() != Error::no_space)
        return place;
    return m_pool.allocator().allocate_kept(owner);
}

Status TailCut::prepare(Object& object, u64 size_bytes)
{
    drop_copy();
    m_size_bytes = size_bytes;
    m_source = BlockSource();
    {
        ReadGuard guard(object.m_lock);
        if (!is_needed(object.m_attributes))
            return {};
        if (!TRY(find_block(object, size_bytes >> k_block_shift)).mapped)
            return {};
    }
    TRY(read_block(m_pool, object, size_bytes >> k_block_shift, m_page, m_source));
    u8* rest = m_page + (size_bytes & (k_block_size - 1));
    size_t rest_bytes = static_cast<size_t>(m_page + k_block_size - rest);
    if (!m_source.mapped || is_zero(rest, rest_bytes))
        return {};
    zero_bytes(rest, rest_bytes);
    m_copy = TRY(allocate_block(object.dataset().owner()));
    IoBatch batch;
    core_segment segment { m_page, k_block_size };
    batch.begin();
    m_pool.vdevs().write(m_copy, { &segment, 1 }, HOST_IO_SYNC, IoBatch::done, &batch);
    m_pool.m_data_writes.add_relaxed(1);
    return batch.wait();
}

Result<bool> TailCut::enter(Object& object, TxgId txg, SpaceLog::Batch& batch)
{
    if (!is_needed(object.m_attributes))
        return true;
    u64 block = m_size_bytes >> k_block_shift;
    if (!(TRY(find_block(object, block)) == m_source))
        return false;
    if (!m_copy.is_used())
        return true;
    Extent extent;
    extent.file_block = block;
    extent.length_blocks = 1;
    extent.dva = m_copy;
    extent.birth = txg;
    extent.checksum_kind = object.dataset().data_ways().checksum;
    u8 checksum[k_checksum_bytes];
    block_checksum(extent.checksum_kind, m_page, checksum);
    extent.payload = Bytes(checksum, checksum_bytes_of(extent.checksum_kind));
    u8 item[sizeof(DiskExtent) + k_checksum_bytes];
    u32 bytes = extent.encode({ item, sizeof(item) });
    const NewBlocks copy { m_copy, SpaceUse::used, 1 };
    TRY(replace_range(m_pool, object, txg, block, 1, { item, bytes }, &copy, *m_scratch, batch));
    m_copy = Dva();
    return true;
}

}
