// SPDX-License-Identifier: GPL-2.0-only
// Compression of units of file data (format/extent_format.h), and the workbenches for it.
//
// A workbench has the memory for compressing and decompressing one unit: room for its data and for what is stored, and the states of
// the codecs. There are a few of them, as many as processors but at most eight, made when the pool is opened or compression is turned on,
// never while anything is written or read: whoever finds all in use waits until one is given back, which needs neither memory nor
// I/O. So a bench is the last thing anybody takes, and nothing is waited for with it.
//
// What does not compress costs little: lz4 gives up by itself, in about the time of a copy, and zstd is only asked when lz4 found
// something or the bytes are not evenly spread.
//
// What comes out of the decompressor is data like any other: only its length is known to be right. What goes in has been verified, and
// the codecs take any bytes nonetheless.
#pragma once

#include "core/base/result.h"
#include "core/base/span.h"
#include "core/format/address_format.h"
#include "core/format/extent_format.h"
#include "core/host/host.h"
#include "core/host/locks.h"
#include "core/host/memory.h"

namespace lcpfs {

constexpr u32 k_unit_bytes = k_max_unit_blocks << k_block_shift;
static_assert(k_unit_bytes == HOST_CODEC_MAX_BYTES);
static_assert(static_cast<int>(Encoding::lz4) == HOST_CODEC_LZ4 && static_cast<int>(Encoding::zstd) == HOST_CODEC_ZSTD);

// How data is to be compressed.
struct CompressionChoice {
    Encoding encoding { Encoding::none };
    u8 level { 0 }; // of zstd; else 0
    bool is_on() const { return encoding != Encoding::none; }
    friend bool operator==(const CompressionChoice&, const CompressionChoice&) = default;
};
// For a file that asks for it by its flag, in a dataset that does not say how.
constexpr CompressionChoice k_choice_by_flag { Encoding::lz4, 0 };
constexpr u8 k_default_zstd_level = 3;
constexpr u8 k_max_zstd_level = HOST_ZSTD_MAX_LEVEL;
constexpr bool is_choice(Encoding encoding, u32 level)
{
    return encoding == Encoding::zstd ? level >= 1 && level <= k_max_zstd_level : level == 0 && encoding <= Encoding::lz4;
}

class Compression {
private:
    struct Bench;

public:
    // Benches that decompress. no_memory.
    static Result<Box<Compression>> create();
    ~Compression();

    // Makes all benches compress by this choice, too, and those below its level. not_supported: this host cannot. Sleepable; one at a
    // time. No lock but the pool's state.
    Status enable(const CompressionChoice& choice);

    // A bench for a scope. Waits for others that have one: nothing may be waited for, and no lock taken, meanwhile.
    class Turn {
    public:
        explicit Turn(Compression& compression) : m_compression(compression), m_index(compression.take()) {}
        ~Turn() { m_compression.give_back(m_index); }
        Turn(const Turn&) = delete;

        u8* unit() const { return m_compression.m_benches[m_index].unit; }
        u8* stored() const { return m_compression.m_benches[m_index].stored; }
        // The first `blocks` of unit() into stored(), which zeros fill up to whole blocks. Gives the bytes, at least a block less than the
        // data; 0: it is better left as it is.
        u32 compress(const CompressionChoice& choice, u32 blocks);
        // Into unit(). data_checksum: it does not come to just these blocks.
        Status decompress(Encoding encoding, const u8* stored, u32 stored_bytes, u32 blocks);

    private:
        Compression& m_compression;
        u32 m_index;
    };

private:
    static constexpr u32 k_most = 8;
    struct Bench {
        u8* unit { nullptr };
        u8* stored { nullptr };
        host_decompressor* decompressor { nullptr };
        host_compressor* lz4 { nullptr };
        host_compressor* zstd { nullptr };
        u32 zstd_level { 0 };
    };
    Compression() = default;
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);
    Status make_benches();
    static Status equip(Bench& bench, const CompressionChoice& choice);
    u32 take();
    void give_back(u32 index);

    u32 m_count { 0 };
    Atomic<u32> m_idle { 0 };   // a bit of each
    Atomic<u32> m_waiting { 0 };
    Event m_freed;
    Bench m_benches[k_most];    // its taker's
};

// Whether these bytes are so evenly spread that only repetitions could be compressed, by a sample of them.
bool looks_random(const u8* data, u32 bytes);

}
