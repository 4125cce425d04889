// SPDX-License-Identifier: GPL-2.0-only
// The contents of a simulated disk, in 4 KiB chunks laid over another image: ten thousand crash images of
// one run share what they have in common. Nothing written and no base reads as zeros.
#pragma once

#include <memory>
#include <string.h>
#include <vector>

#include "core/base/types.h"

namespace lcpfs::sim {

class Image {
public:
    static constexpr u64 k_chunk = 4096;

    // `base` stays unchanged and alive as long as this image.
    explicit Image(u64 bytes, const Image* base = nullptr)
        : m_bytes(bytes)
        , m_base(base)
        , m_chunks(bytes / k_chunk)
    {
    }
    u64 bytes() const { return m_bytes; }

    void read(u64 offset, u8* to, u64 bytes) const
    {
        for (u64 part; bytes; offset += part, to += part, bytes -= part) {
            part = part_of(offset, bytes);
            if (const u8* chunk = find(offset / k_chunk))
                memcpy(to, chunk + offset % k_chunk, part);
            else
                memset(to, 0, part);
        }
    }
    void write(u64 offset, const u8* from, u64 bytes)
    {
        for (u64 part; bytes; offset += part, from += part, bytes -= part) {
            part = part_of(offset, bytes);
            memcpy(own(offset / k_chunk) + offset % k_chunk, from, part);
        }
    }
    // What was written to an image over this one is this one's from now on.
    void take(Image& over)
    {
        for (size_t i = 0; i < m_chunks.size(); i++)
            if (over.m_chunks[i])
                m_chunks[i] = std::move(over.m_chunks[i]);
    }
    void flip_bit(u64 offset, u32 bit) { own(offset / k_chunk)[offset % k_chunk] ^= static_cast<u8>(1u << (bit & 7)); }

private:
    static u64 part_of(u64 offset, u64 bytes)
    {
        u64 left = k_chunk - offset % k_chunk;
        return bytes < left ? bytes : left;
    }
    const u8* find(u64 chunk) const
    {
        for (const Image* image = this; image; image = image->m_base)
            if (image->m_chunks[chunk])
                return image->m_chunks[chunk].get();
        return nullptr;
    }
    u8* own(u64 chunk)
    {
        if (!m_chunks[chunk]) {
            std::unique_ptr<u8[]> fresh(new u8[k_chunk]);
            if (const u8* old = find(chunk))
                memcpy(fresh.get(), old, k_chunk);
            else
                memset(fresh.get(), 0, k_chunk);
            m_chunks[chunk] = std::move(fresh);
        }
        return m_chunks[chunk].get();
    }

    u64 m_bytes;
    const Image* m_base;
    std::vector<std::unique_ptr<u8[]>> m_chunks;
};

}
