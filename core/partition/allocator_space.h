// SPDX-License-Identifier: GPL-2.0-only
// AllocatorSpace: the controller's view of the metaslabs of an open pool (space.h).
//
// Sizes are of whole metaslabs, bitmap copies included; the copies of one that is empty are not in use, those of any other are.
// What partitions may have is all but the metaslabs that hold metadata or the log, and a reserve for metadata to come: as much as
// what removals live on, less what is free in the metaslabs that all share. So it changes as metadata comes and goes.
//
// Locking: none of its own; the metaslabs have theirs.
#pragma once

#include "core/alloc/allocator.h"
#include "core/partition/space.h"

namespace lcpfs {

class AllocatorSpace final : public PartitionSpace {
public:
    // Called with what is to be evacuated; no wait, no I/O.
    using Evacuate = void (*)(void* context, OwnerSlot owner, u64 blocks);
    AllocatorSpace(Allocator& allocator, u64 reserve_blocks) : m_allocator(allocator), m_reserve_blocks(reserve_blocks) {}
    void set_evacuate(Evacuate evacuate, void* context)
    {
        m_evacuate = evacuate;
        m_context = context;
    }

    u64 total_blocks() override;
    u64 unassigned_blocks() override;
    u64 size_blocks(PartitionId id) override { return owner(id).size_blocks.load(); }
    u64 used_blocks(PartitionId id) override { return owner(id).used_blocks(); }
    u64 empty_blocks(PartitionId id) override { return owner(id).empty_blocks.load(); }
    u64 metaslab_blocks() override { return m_allocator.largest_metaslab_blocks(); }
    MovedSpace move(const SpaceMove& move) override;
    void evacuate(PartitionId id, u64 blocks) override;

private:
    Owner& owner(PartitionId id) { return m_allocator.owners()[m_allocator.owners().find(id)]; }
    u64 reserved_blocks();

    Allocator& m_allocator;
    u64 m_reserve_blocks;
    Evacuate m_evacuate { nullptr };
    void* m_context { nullptr };
};

}
