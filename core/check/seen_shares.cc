// SPDX-License-Identifier: GPL-2.0-only
#include "core/check/seen_shares.h"

namespace lcpfs {

namespace {

// Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014); its finalizer.
u64 mix(u64 number)
{
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9ull;
    number = (number ^ number >> 27) * 0x94d049bb133111ebull;
    return number ^ number >> 31;
}

u64 mixed_sum(u64 key, u32 length_blocks)
{
    u64 sum = 0;
    for (u32 i = 0; i < length_blocks; i++)
        sum += mix(key + i);
    return sum;
}

}

Result<bool> SeenShares::add(const SharedRun& run)
{
    if (!m_entries.is_empty() && m_entries.last().run.key() + m_entries.last().run.dva.length_blocks > run.key())
        return false;
    TRY(m_entries.push_back({ run, 0, 0 }));
    return true;
}

bool SeenShares::note(const Dva& dva, u32& length_blocks)
{
    const u64 key = share_key(dva.vdev, dva.block);
    size_t low = 0, high = m_entries.size(); // the first entry that ends behind the key
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const SharedRun& run = m_entries[middle].run;
        if (run.key() + run.dva.length_blocks <= key)
            low = middle + 1;
        else
            high = middle;
    }
    length_blocks = dva.length_blocks;
    if (low == m_entries.size())
        return false;
    Entry& entry = m_entries[low];
    const u64 begin = entry.run.key();
    if (begin > key) {
        length_blocks = static_cast<u32>(min<u64>(length_blocks, begin - key));
        return false;
    }
    length_blocks = static_cast<u32>(min<u64>(length_blocks, begin + entry.run.dva.length_blocks - key));
    entry.found += length_blocks;
    entry.mixed += mixed_sum(key, length_blocks);
    return true;
}

void SeenShares::compare(Findings& findings) const
{
    for (const Entry& entry : m_entries) {
        const SharedRun& run = entry.run;
        const u64 expected = run.references * run.dva.length_blocks;
        // Products are in 64 bits; a count larger than what was found cannot be right.
        const u64 expected_mixed = run.references * mixed_sum(run.key(), run.dva.length_blocks);
        if (entry.found == expected && run.references <= entry.found && entry.mixed == expected_mixed)
            continue;
        findings.say("share table: device ", u64(run.dva.vdev.value()), " block ", run.dva.block, " length ", u64(run.dva.length_blocks),
                     ": says it is reached ", run.references, " times, which makes ", expected, " blocks; ", entry.found, " were found",
                     entry.found == expected ? ", but not each as often as another" : "");
    }
}

}
