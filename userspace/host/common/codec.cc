// SPDX-License-Identifier: GPL-2.0-only
// Compression of host.h for userspace, by liblz4 and libzstd.
#include <lz4.h>
#include <zstd.h>

#include "core/base/types.h"
#include "core/host/host.h"

struct host_compressor {
    host_codec codec;
    unsigned max_level;
    void* lz4;      // state
    ZSTD_CCtx* zstd;
};

struct host_decompressor {
    ZSTD_DCtx* zstd;
};

bool host_codec_compresses(enum host_codec) { return true; }

host_compressor* host_compressor_create(enum host_codec codec, unsigned int max_level)
{
    void* memory = host_alloc(sizeof(host_compressor), HOST_ALLOC_ZERO);
    if (!memory)
        return nullptr;
    host_compressor* compressor = static_cast<host_compressor*>(memory);
    compressor->codec = codec;
    compressor->max_level = max_level;
    if (codec == HOST_CODEC_LZ4)
        compressor->lz4 = host_alloc(static_cast<size_t>(LZ4_sizeofState()), 0);
    else if (max_level >= 1 && max_level <= HOST_ZSTD_MAX_LEVEL)
        compressor->zstd = ZSTD_createCCtx();
    if (compressor->lz4 || compressor->zstd)
        return compressor;
    host_free(memory);
    return nullptr;
}

void host_compressor_destroy(host_compressor* compressor)
{
    if (!compressor)
        return;
    host_free(compressor->lz4);
    ZSTD_freeCCtx(compressor->zstd);
    host_free(compressor);
}

size_t host_compress(host_compressor* compressor, unsigned int level, const void* data, size_t bytes, void* out, size_t room)
{
    if (bytes > HOST_CODEC_MAX_BYTES)
        return 0;
    if (compressor->codec == HOST_CODEC_LZ4) {
        const int made = LZ4_compress_fast_extState(compressor->lz4, static_cast<const char*>(data), static_cast<char*>(out),
                                                    static_cast<int>(bytes), static_cast<int>(room), 1);
        return made > 0 ? static_cast<size_t>(made) : 0;
    }
    if (level < 1 || level > compressor->max_level)
        return 0;
    const size_t made = ZSTD_compressCCtx(compressor->zstd, out, room, data, bytes, static_cast<int>(level));
    return ZSTD_isError(made) ? 0 : made;
}

host_decompressor* host_decompressor_create(void)
{
    void* memory = host_alloc(sizeof(host_decompressor), HOST_ALLOC_ZERO);
    if (!memory)
        return nullptr;
    host_decompressor* decompressor = static_cast<host_decompressor*>(memory);
    decompressor->zstd = ZSTD_createDCtx();
    if (decompressor->zstd)
        return decompressor;
    host_free(memory);
    return nullptr;
}

void host_decompressor_destroy(host_decompressor* decompressor)
{
    if (!decompressor)
        return;
    ZSTD_freeDCtx(decompressor->zstd);
    host_free(decompressor);
}

bool host_decompress(host_decompressor* decompressor, enum host_codec codec, const void* data, size_t bytes, void* out, size_t out_bytes)
{
    if (bytes > HOST_CODEC_MAX_BYTES || out_bytes > HOST_CODEC_MAX_BYTES)
        return false;
    if (codec == HOST_CODEC_LZ4)
        return LZ4_decompress_safe(static_cast<const char*>(data), static_cast<char*>(out), static_cast<int>(bytes),
                                   static_cast<int>(out_bytes)) == static_cast<int>(out_bytes);
    return codec == HOST_CODEC_ZSTD && ZSTD_decompressDCtx(decompressor->zstd, out, out_bytes, data, bytes) == out_bytes;
}
