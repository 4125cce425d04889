// SPDX-License-Identifier: GPL-2.0-only
// Evacuation: which partition's metaslabs are to be emptied, and how far the walk that does it has come (fs/evacuate.h).
//
// Asking and looking at the progress are any thread's, in any context. All else is the background thread's. None of it is on disk.
#pragma once

#include "core/alloc/owners.h"
#include "core/dataset/dataset.h"

namespace lcpfs {

class Evacuation {
public:
    // About so many blocks of it are to come to lie in empty metaslabs.
    void ask(OwnerSlot owner, u64 blocks) { m_wanted[owner.value()].store(blocks); }
    bool is_wanted() const
    {
        for (const Atomic<u64>& wanted : m_wanted)
            if (wanted.load_relaxed())
                return true;
        return false;
    }
    // The next one asked for, nobody when there is none.
    OwnerSlot take(u64& blocks)
    {
        for (u8 slot = 1; slot < k_owner_slots; slot++) {
            blocks = m_wanted[slot].exchange(0);
            if (blocks)
                return OwnerSlot(slot);
        }
        return k_nobody;
    }

    // What there was when the one under way began. How much of it is left Allocator::leaving says.
    struct Begun {
        u64 metaslabs { 0 }; // 0: none is under way for that owner
        u64 blocks { 0 };    // in use in them
    };
    Begun begun(OwnerSlot of) const
    {
        return m_shown_owner.load() == of.value() ? Begun { m_begun_metaslabs.load(), m_begun_blocks.load() } : Begun {};
    }
    void show(OwnerSlot of, const Begun& begun)
    {
        m_shown_owner.store(k_nobody.value());
        m_begun_metaslabs.store(begun.metaslabs);
        m_begun_blocks.store(begun.blocks);
        m_shown_owner.store(of.value());
    }

    OwnerSlot owner { k_nobody };  // of the one under way; nobody: none is
    // Where the walk stands: first its own datasets, in which nearly all is, then the others.
    struct Place {
        bool visits_others { false };
        DatasetId dataset;
        ObjectId object;
        u64 file_block { 0 };
    } place;
    // Blocks of files that share, as they were moved in this pass, by where they were; they do not overlap. Who is found to reach some of
    // them goes to where these are now, and shares on. When there is no room for more, what is shared waits for the next pass.
    struct Moved {
        DatasetId dataset;
        ObjectId object;
        u64 file_block;
        TxgId txg; // what was born there after it is other data
        Dva from, to; // of one length
        bool is_awaited; // by blocks around some of these, which there was no room for
    };
    static constexpr size_t k_remembered = 8192;
    size_t most_remembered { k_remembered }; // fewer: tests
    // For one more. no_space: that would be too many.
    Status make_room() { return m_moved.size() < most_remembered ? m_moved.reserve(k_remembered) : Status(Error::no_space); }
    // make_room was ok.
    Status remember(const Moved& one)
    {
        const size_t at = behind(one.from);
        if (at > 0 && m_moved[at - 1].from.block == one.from.block && m_moved[at - 1].from.vdev == one.from.vdev) {
            m_moved[at - 1] = one; // that one's file has it there no more
            return {};
        }
        TRY(m_moved.push_back(one));
        for (size_t i = m_moved.size() - 1; i > at; i--)
            m_moved[i] = m_moved[i - 1];
        m_moved[at] = one;
        return {};
    }
    // What has the first of these blocks in it.
    const Moved* find(DatasetId dataset, const Dva& from) const
    {
        const size_t at = behind(from);
        const Moved* const one = at ? &m_moved[at - 1] : nullptr;
        const bool is_in = one && one->dataset == dataset && one->from.vdev == from.vdev
            && from.block - one->from.block < one->from.length_blocks;
        return is_in ? one : nullptr;
    }
    // How many of these blocks come before the next that is remembered.
    u32 blocks_before_next(const Dva& from) const
    {
        const size_t at = behind(from);
        if (at == m_moved.size() || m_moved[at].from.vdev != from.vdev)
            return from.length_blocks;
        return static_cast<u32>(min<u64>(from.length_blocks, m_moved[at].from.block - from.block));
    }
    // There is no room for these: they are the next pass's, and what some of them were moved with stays remembered until then.
    void leave_shared(const Dva& from)
    {
        left_shared = true;
        for (Moved& one : m_moved)
            one.is_awaited = one.is_awaited || (one.from.vdev == from.vdev && one.from.block < from.block + from.length_blocks
                                                && from.block < one.from.block + one.from.length_blocks);
    }
    // Before the next pass: all the others have been where they are now.
    void forget_met()
    {
        size_t kept = 0;
        for (Moved& one : m_moved)
            if (left_shared && one.is_awaited) {
                m_moved[kept] = one;
                m_moved[kept++].is_awaited = false;
            }
        while (left_shared && m_moved.size() > kept)
            m_moved.pop_back();
        left_shared = false;
    }
    void forget()
    {
        m_moved = Vector<Moved>();
        left_shared = false;
    }
    bool left_shared { false };    // something, in this pass

    u32 passes { 0 };              // begun
    u64 moved_blocks { 0 };        // in all
    u64 size_before { 0 };         // of the partition
    u64 moved_before { 0 };        // when the pass began
    bool said_none[k_owner_slots] {}; // that there was nothing to be emptied, since there last was

private:
    // The first that begins behind the first of these blocks.
    size_t behind(const Dva& from) const
    {
        size_t low = 0;
        for (size_t high = m_moved.size(); low < high;) {
            const size_t middle = low + (high - low) / 2;
            const Dva& other = m_moved[middle].from;
            const bool is_behind = other.vdev == from.vdev ? other.block > from.block : other.vdev.value() > from.vdev.value();
            (is_behind ? high : low) = is_behind ? middle : middle + 1;
        }
        return low;
    }

    Vector<Moved> m_moved;
    Atomic<u64> m_wanted[k_owner_slots];
    Atomic<u64> m_begun_metaslabs { 0 }, m_begun_blocks { 0 };
    Atomic<u8> m_shown_owner { k_nobody.value() };
};

}
