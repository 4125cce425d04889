// SPDX-License-Identifier: GPL-2.0-only
#include "core/alloc/zone.h"

namespace lcpfs {

u32 count_set(const BitPage& page, u32 begin, u32 end)
{
    u32 count = 0;
    for (u32 word = begin / 64; word < end / 64; word++)
        count += count_bits(page.words[word]);
    return count;
}

void Zone::recount(u32 node_blocks)
{
    free = quads = 0;
    for (u32 word = begin / 64; word < end / 64; word++) {
        const u64 bits = ~to_cpu(busy->words[word]);
        free += count_bits(bits);
        quads += count_bits(full_groups(bits, node_blocks));
    }
    longest = free;
    find(begin, end - begin + 1, false, node_blocks);
}

static u64 quads_of(u64 stored_busy, u32 node_blocks) { return full_groups(~to_cpu(stored_busy), node_blocks); }

void Zone::take(Run run, u32 node_blocks)
{
    free -= run.length;
    for_words(run, [&](u32 word, u64 mask) {
        u64& stored = busy->words[word];
        const u64 before = quads_of(stored, node_blocks);
        stored |= mask;
        if (const u64 broken = before & ~quads_of(stored, node_blocks)) // few: most of what is taken follows what was taken
            quads -= count_bits(broken);
        return true;
    });
    longest = min(longest, free);
}

void Zone::give(Run run, u32 node_blocks)
{
    free += run.length;
    for_words(run, [&](u32 word, u64 mask) {
        u64& stored = busy->words[word];
        const u64 before = quads_of(stored, node_blocks);
        stored &= ~mask;
        if (const u64 joined = quads_of(stored, node_blocks) & ~before)
            quads += count_bits(joined);
        return true;
    });
    longest = min(free, 2 * longest + run.length); // at most one run joined on either side
}

Run Zone::find(u32 from, u32 want, bool broken_only, u32 node_blocks)
{
    Run best, current;
    for (u32 word = from / 64; word < end / 64; word++) {
        u64 bits = ~to_cpu(busy->words[word]);
        if (broken_only)
            bits &= ~cover_groups(full_groups(bits, node_blocks), node_blocks);
        if (word == from / 64)
            bits &= k_all_bits << from % 64;
        for (u32 at = 0; at < 64;) {
            const u64 rest = bits >> at;
            if (rest & 1) {
                const u32 count = min(64 - at, ~rest ? static_cast<u32>(__builtin_ctzll(~rest)) : 64u);
                if (current.length == 0)
                    current.position = word * 64 + at;
                current.length += count;
                if (current.length >= want)
                    return { current.position, want };
                at += count;
            } else {
                if (current.length > best.length)
                    best = current;
                current.length = 0;
                at += rest ? min(64 - at, static_cast<u32>(__builtin_ctzll(rest))) : 64 - at;
            }
        }
    }
    if (current.length > best.length)
        best = current;
    if (from == begin && !broken_only)
        longest = best.length;
    return best;
}

Run Zone::find_quad(u32 from, u32 node_blocks) const
{
    for (u32 word = from / 64; word < end / 64; word++) {
        u64 starts = full_groups(~to_cpu(busy->words[word]), node_blocks);
        if (word == from / 64)
            starts &= k_all_bits << from % 64;
        if (starts)
            return { word * 64 + static_cast<u32>(__builtin_ctzll(starts)), node_blocks };
    }
    return {};
}

}
