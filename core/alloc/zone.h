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
// Calls with each longest run of set bits in [begin, end), multiples of 64. `word_of(index)` gives the words, in the processor's order.
template <typename WordOf, typename Body>
void for_set_runs(u32 begin, u32 end, WordOf word_of, Body body)
{
    Run run;
    for (u32 word = begin / 64; word < end / 64; word++) {
        u64 bits = word_of(word);
        if (run.length && !(bits & 1)) {
            body(run);
            run.length = 0;
        }
        while (bits) {
            const u32 first = static_cast<u32>(__builtin_ctzll(bits));
            const u64 from_first = bits >> first;
            const u32 count = ~from_first ? static_cast<u32>(__builtin_ctzll(~from_first)) : 64;
            if (run.length && run.position + run.length != word * 64 + first) {
                body(run);
                run.length = 0;
            }
            if (!run.length)
                run.position = word * 64 + first;
            run.length += count;
            bits &= ~bit_range(first, count);
        }
    }
    if (run.length)
        body(run);
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
