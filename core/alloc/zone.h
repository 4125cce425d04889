// SPDX-License-Identifier: GPL-2.0-only
// Zone: the part of a metaslab whose bits stand in one 4 KiB page, with the summary that lets a search pass it by.
//
// Positions count bits from the start of the page; the first zone of a metaslab begins behind the on-disk header
// (64 bytes). A run never crosses zones: one short run per 128 MiB is the price of searching one page at
// a time. `longest` is an upper bound: freeing raises it, a search that went over the whole page makes it exact.
//
// Locking: the metaslab's.
#pragma once

#include "core/alloc/bits.h"
#include "core/base/result.h"

namespace lcpfs {

constexpr u32 k_page_bits = k_block_size * 8;
constexpr u32 k_page_words = k_page_bits / 64;

struct BitPage {
    u64 words[k_page_words];
};
static_assert(sizeof(BitPage) == k_block_size);

struct Run {
    u32 position { 0 };
    u32 length { 0 }; // 0: none
};

// Calls with (word index, mask) for each word of a range of bits; stops at false.
template <typename Body>
bool for_words(Run run, Body body)
{
    while (run.length) {
        const u32 first = run.position % 64;
        const u32 count = min(run.length, 64 - first);
        if (!body(run.position / 64, to_disk(bit_range(first, count))))
            return false;
        run.position += count;
        run.length -= count;
    }
    return true;
}

inline bool all_set(const BitPage& page, Run run)
{
    return for_words(run, [&](u32 word, u64 mask) { return (page.words[word] & mask) == mask; });
}
inline bool none_set(const BitPage& page, Run run)
{
    return for_words(run, [&](u32 word, u64 mask) { return (page.words[word] & mask) == 0; });
}
inline void set_bits(BitPage& page, Run run)
{
    for_words(run, [&](u32 word, u64 mask) { page.words[word] |= mask; return true; });
}
inline void clear_bits(BitPage& page, Run run)
{
    for_words(run, [&](u32 word, u64 mask) { page.words[word] &= ~mask; return true; });
}
u32 count_set(const BitPage& page, u32 begin, u32 end); // multiples of 64

struct Zone {
    BitPage* busy { nullptr };
    BitPage* committed { nullptr };
    BitPage* deferred[2] { nullptr, nullptr }; // made when something of this zone is first announced to be freed
    u32 deferred_count[2] { 0, 0 };
    u32 begin { 0 }, end { 0 }; // positions, multiples of 64
    u32 free { 0 };
    u32 longest { 0 };
    u32 quads { 0 };

    void recount(u32 node_blocks);
    // Marks a run that is free (or in use) the other way. The caller has checked that it is.
    void take(Run run, u32 node_blocks);
    void give(Run run, u32 node_blocks);
    // The first run of `want` at or after `from`; else the longest there is. With `broken_only`, free groups of
    // node_blocks count as in use. A search from `begin` without `broken_only` makes `longest` exact when it fails.
    Run find(u32 from, u32 want, bool broken_only, u32 node_blocks);
    // A free aligned group of node_blocks at or after `from`.
    Run find_quad(u32 from, u32 node_blocks) const;
};

}
