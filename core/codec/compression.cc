// SPDX-License-Identifier: GPL-2.0-only
#include "core/codec/compression.h"

namespace lcpfs {

Result<Box<Compression>> Compression::create()
{
    Box<Compression> compression = TRY(make_box<Compression>());
    TRY(compression->make_benches());
    return compression;
}

Status Compression::make_benches()
{
    const u32 wanted = max(1u, min(host_cpu_count(), k_most));
    for (; m_count < wanted; m_count++) {
        Bench& bench = m_benches[m_count];
        bench.unit = static_cast<u8*>(host_alloc(k_unit_bytes, 0));
        bench.stored = static_cast<u8*>(host_alloc(k_unit_bytes, 0));
        bench.decompressor = host_decompressor_create();
        if (bench.unit && bench.stored && bench.decompressor)
            continue;
        m_count++; // for the destructor
        return Error::no_memory;
    }
    m_idle.store((1u << m_count) - 1);
    return {};
}

Compression::~Compression()
{
    for (u32 i = 0; i < m_count; i++) {
        Bench& bench = m_benches[i];
        host_compressor_destroy(bench.lz4);
        host_compressor_destroy(bench.zstd);
        host_decompressor_destroy(bench.decompressor);
        host_free(bench.unit);
        host_free(bench.stored);
    }
}

Status Compression::equip(Bench& bench, const CompressionChoice& choice)
{
    // Also what zstd asks first.
    if (!bench.lz4 && host_codec_compresses(HOST_CODEC_LZ4)) {
        bench.lz4 = host_compressor_create(HOST_CODEC_LZ4, 0);
        if (!bench.lz4)
            return Error::no_memory;
    }
    if (choice.encoding != Encoding::zstd || bench.zstd_level >= choice.level)
        return {};
    host_compressor* const zstd = host_compressor_create(HOST_CODEC_ZSTD, choice.level);
    if (!zstd)
        return Error::no_memory;
    host_compressor_destroy(bench.zstd);
    bench.zstd = zstd;
    bench.zstd_level = choice.level;
    return {};
}

Status Compression::enable(const CompressionChoice& choice)
{
    if (!choice.is_on())
        return {};
    if (!host_codec_compresses(static_cast<host_codec>(choice.encoding)))
        return Error::not_supported;
    // Each bench is taken from the others' sight for as long as it takes.
    for (u32 i = 0; i < m_count; i++) {
        const u32 bit = 1u << i;
        m_waiting.add(1);
        m_freed.wait([&] {
            u32 idle = m_idle.load();
            while (idle & bit)
                if (m_idle.compare_exchange(idle, idle & ~bit))
                    return true;
            return false;
        });
        m_waiting.sub(1);
        const Status equipped = equip(m_benches[i], choice);
        give_back(i);
        TRY(Status(equipped.error()));
    }
    return {};
}

u32 Compression::take()
{
    u32 taken = 0;
    auto try_take = [&] {
        u32 idle = m_idle.load();
        while (idle) {
            taken = static_cast<u32>(__builtin_ctz(idle));
            if (m_idle.compare_exchange(idle, idle & (idle - 1)))
                return true;
        }
        return false;
    };
    if (try_take())
        return taken;
    m_waiting.add(1);
    m_freed.wait(try_take);
    m_waiting.sub(1);
    return taken;
}

void Compression::give_back(u32 index)
{
    m_idle.add(1u << index);
    if (m_waiting.load())
        m_freed.wake();
}

// Sixteen bytes of every 256. The sum of the squares of how often each value occurs is least, n * n / 256, when all occur equally often:
// half as much more is far beyond chance.
bool looks_random(const u8* data, u32 bytes)
{
    u16 counts[256] = {};
    u32 sampled = 0;
    for (u32 at = 0; at + 16 <= bytes; at += 256, sampled += 16)
        for (u32 i = 0; i < 16; i++)
            counts[data[at + i]]++;
    u64 squares = 0;
    for (u32 count : counts)
        squares += u64(count) * count;
    return squares * 512 < u64(sampled) * sampled * 3 + u64(sampled) * 512;
}

u32 Compression::Turn::compress(const CompressionChoice& choice, u32 blocks)
{
    Bench& bench = m_compression.m_benches[m_index];
    const size_t bytes = size_t(blocks) << k_block_shift;
    const size_t room = bytes - k_block_size;
    if (blocks < 2 || blocks > k_max_unit_blocks)
        return 0;
    size_t made = bench.lz4 ? host_compress(bench.lz4, 0, bench.unit, bytes, bench.stored, room) : 0;
    if (choice.encoding == Encoding::zstd) {
        const bool is_hopeless = bench.lz4 && made == 0 && looks_random(bench.unit, static_cast<u32>(bytes));
        const u32 level = min<u32>(choice.level, bench.zstd_level);
        made = bench.zstd && !is_hopeless ? host_compress(bench.zstd, level, bench.unit, bytes, bench.stored, room) : 0;
    }
    if (made > room)
        return 0;
    zero_bytes(bench.stored + made, (size_t(blocks_for_bytes(made)) << k_block_shift) - made);
    return static_cast<u32>(made);
}

Status Compression::Turn::decompress(Encoding encoding, const u8* stored, u32 stored_bytes, u32 blocks)
{
    Bench& bench = m_compression.m_benches[m_index];
    VERIFY_DISK(stored_bytes <= k_unit_bytes && blocks <= k_max_unit_blocks, extent_damaged);
    const bool is_whole = host_decompress(bench.decompressor, static_cast<host_codec>(encoding), stored, stored_bytes, bench.unit,
                                          size_t(blocks) << k_block_shift);
    return is_whole ? Status() : Status(Error::data_checksum);
}

}
