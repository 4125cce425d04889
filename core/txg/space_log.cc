// SPDX-License-Identifier: GPL-2.0-only
#include "core/txg/space_log.h"

namespace lcpfs {

static_assert(sizeof(SpaceLog::Chunk) <= k_block_size);

Result<Box<SpaceLog>> SpaceLog::create()
{
    void* memory = host_alloc(sizeof(SpaceLog), 0);
    if (!memory)
        return Error::no_memory;
    Box<SpaceLog> log(::new (memory) SpaceLog());
    log->m_pool = host_pool_create("lcpfs_space_log", sizeof(Chunk), 0);
    if (!log->m_pool)
        return Error::no_memory;
    return log;
}

Status SpaceLog::reserve()
{
    constexpr u32 k_chunks = 16;
    return host_pool_reserve(m_pool, k_chunks) ? Error::none : Error::no_memory;
}

SpaceLog::~SpaceLog()
{
    for (auto& chunks : m_chunks)
        while (Chunk* chunk = chunks.pop_front())
            host_pool_free(m_pool, chunk);
    host_pool_destroy(m_pool);
}

SpaceLog::Batch::~Batch()
{
    while (Chunk* chunk = m_filled.pop_front())
        host_pool_free(m_log.m_pool, chunk);
    while (Chunk* chunk = m_empty.pop_front())
        host_pool_free(m_log.m_pool, chunk);
}

Status SpaceLog::Batch::prepare(u32 entries)
{
    u32 room = m_filled.is_empty() ? 0 : k_entries_per_chunk - m_filled.last()->count;
    room += static_cast<u32>(m_empty.size()) * k_entries_per_chunk;
    while (room < entries) {
        void* memory = host_pool_alloc(m_log.m_pool, 0);
        if (!memory)
            return Error::no_memory;
        add_chunk(memory);
        room += k_entries_per_chunk;
    }
    return {};
}

void SpaceLog::Batch::prepare_chunk() { add_chunk(host_pool_alloc_reserved(m_log.m_pool)); }

void SpaceLog::Batch::add_chunk(void* memory)
{
    Chunk* chunk = static_cast<Chunk*>(memory);
    chunk->link = ListLink();
    chunk->count = 0;
    m_empty.push_back(*chunk);
}

void SpaceLog::Batch::add(const Dva& dva, SpaceUse use)
{
    m_has_frees = m_has_frees || use == SpaceUse::freed || use == SpaceUse::dropped;
    m_share_changes += use == SpaceUse::shared || use == SpaceUse::dropped;
    Chunk* chunk = m_filled.last();
    if (!chunk || chunk->count == k_entries_per_chunk) {
        chunk = m_empty.pop_front();
        m_filled.push_back(*chunk);
    }
    chunk->entries[chunk->count++] = { static_cast<u32>(dva.block), static_cast<u16>(dva.block >> 32), dva.vdev.value(),
        dva.length_blocks << 2 | static_cast<u32>(use) };
}

// Small batches are copied behind those of others, so that a group of many small operations stays compact.
void SpaceLog::Batch::commit(TxgId txg)
{
    if (m_has_frees)
        m_log.m_frees.add(1);
    if (m_share_changes)
        m_log.m_share_changes[txg.value() & 3].add(m_share_changes);
    m_share_changes = 0;
    SpinGuard guard(m_log.m_lock);
    auto& chunks = m_log.m_chunks[txg.value() & 3];
    while (Chunk* chunk = m_filled.pop_front()) {
        Chunk* last = chunks.last();
        if (last && last->count + chunk->count <= k_entries_per_chunk) {
            copy_bytes(last->entries + last->count, chunk->entries, chunk->count * sizeof(Entry));
            last->count += chunk->count;
            m_empty.push_back(*chunk);
        } else {
            chunks.push_back(*chunk);
        }
    }
}

}
