// SPDX-License-Identifier: GPL-2.0-only
// PartitionSpace: what the controller asks of the pool, and has it do. The pool implements it; the controller never sees a
// metaslab.
//
// Units are blocks of 4 KiB; what moves is whole metaslabs. Metaslabs of one pool may differ in size (each device
// has its own), so nothing here counts them but for display: a move says how many blocks it moved, and a partition's
// size is changed by exactly that.
//
// A metaslab is empty when nothing in it is allocated, nor freed but still reachable from one of the last two committed groups, and
// nothing is being written to it. Only empty metaslabs move. A move is part of the open transaction group, whole or not at
// all; after a crash each metaslab belongs to exactly one partition or to none.
//
// Locking: called with the controller's lock held (rank `partition`), which is above the allocator's. None of it may wait for a
// commit or for I/O; evacuate only asks, and works on its own.
#pragma once

#include "core/format/partition_format.h"

namespace lcpfs {

struct SpaceMove {
    PartitionId from, to;
    u64 wanted_blocks { 0 }; // stops as soon as so many have moved ...
    u64 limit_blocks { 0 };  // ... and never moves more than these
};

struct MovedSpace {
    u64 blocks { 0 };
    u32 metaslabs { 0 };
};

class PartitionSpace {
public:
    // In all metaslabs that partitions may have, assigned or not, without their bitmaps.
    virtual u64 total_blocks() = 0;
    virtual u64 unassigned_blocks() = 0;
    // Of a partition: in its metaslabs; allocated or promised to writers; in metaslabs that are empty.
    virtual u64 size_blocks(PartitionId id) = 0;
    virtual u64 used_blocks(PartitionId id) = 0;
    virtual u64 empty_blocks(PartitionId id) = 0;
    // The largest metaslab: nothing smaller can be counted on to move.
    virtual u64 metaslab_blocks() = 0;
    // Empty metaslabs of `from` become those of `to`; whole ones, so possibly none. What becomes unassigned is trimmed once no
    // committed group that may be fallen back to reaches it (discard on).
    virtual MovedSpace move(const SpaceMove& move) = 0;
    // Empties the metaslabs of `id` with the least in them, until about so many blocks are in empty ones. Asked again while
    // under way, it goes on.
    virtual void evacuate(PartitionId id, u64 blocks) = 0;

protected:
    ~PartitionSpace() = default;
};

}
