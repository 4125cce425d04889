// SPDX-License-Identifier: GPL-2.0-only
// The bitmaps of all metaslabs against the blocks that the walk reached.
#include "core/check/checker.h"

#include "core/alloc/bits.h"

namespace lcpfs {

Status Checker::check_bitmaps()
{
    if (m_pool.had_damaged_bitmaps())
        m_findings.say("bitmaps: some that the newest group wrote do not fit its table (the messages at opening name them)");
    Vector<u64> words;
    for (u16 i = 0; i < m_pool.vdevs().count(); i++) {
        const Vdev& vdev = m_pool.vdevs().vdev(VdevId(i));
        TRY(words.resize(vdev.metaslab_blocks / 64));
        for (u32 metaslab = 0; metaslab < vdev.metaslab_count; metaslab++)
            TRY(check_bitmap(vdev.id, metaslab, words.span()));
    }
    if (m_leaked && m_incomplete)
        m_findings.say("bitmaps: ", m_leaked, " blocks are in use by what could not be read, or by nothing");
    return {};
}

Status Checker::check_bitmap(VdevId vdev, u32 metaslab, Span<u64> words)
{
    const Status loaded = m_pool.allocator().load(vdev, metaslab);
    if (loaded.error() == Error::no_memory)
        return Error::no_memory;
    if (loaded.is_error() || !m_pool.allocator().copy_committed(vdev, metaslab, words)) {
        m_findings.say("bitmap of metaslab ", u64(metaslab), " on device ", u64(vdev.value()), ": ", text_of(loaded.error()));
        return {};
    }
    compare_words(vdev, metaslab, words, m_map->words(vdev, metaslab));
    return {};
}

// Runs of blocks on which the two disagree in the same way.
void Checker::compare_words(VdevId id, u32 metaslab, Span<const u64> committed, const u64* reached)
{
    const Vdev& vdev = m_pool.vdevs().vdev(id);
    const u64 first = k_first_metaslab_block + u64(metaslab) * vdev.metaslab_blocks;
    const u32 own = 2 * bitmap_blocks(vdev.metaslab_blocks);
    u64 begin = 0, length = 0;
    bool is_reached = false;
    for (u32 word = 0; word < committed.size(); word++) {
        u64 differ = committed[word] ^ (reached ? reached[word] : 0);
        if (word < own / 64)
            differ = 0;
        else if (word == own / 64)
            differ &= k_all_bits << own % 64;
        while (differ) {
            const u32 bit = static_cast<u32>(__builtin_ctzll(differ));
            const u64 block = u64(word) * 64 + bit;
            const bool now_reached = reached && (reached[word] >> bit & 1);
            if (length && (begin + length != block || is_reached != now_reached)) {
                say_run(id, first + begin, length, is_reached);
                length = 0;
            }
            if (length++ == 0)
                begin = block;
            is_reached = now_reached;
            differ &= differ - 1;
        }
    }
    if (length)
        say_run(id, first + begin, length, is_reached);
}

void Checker::say_run(VdevId vdev, u64 block, u64 length, bool is_reached)
{
    if (is_reached) {
        m_findings.say("bitmaps: device ", u64(vdev.value()), " block ", block, " length ", length, " is in use, but marked free");
        return;
    }
    m_leaked += length;
    if (!m_incomplete)
        m_findings.say("bitmaps: device ", u64(vdev.value()), " block ", block, " length ", length,
                       " is marked in use, but nothing uses it");
}

}
