// SPDX-License-Identifier: GPL-2.0-only
// Partitions: the partitions of an open pool: the controller, what it moves, and their entries in the pool tree.
//
// Making, changing and removing. Each is one change of memory under a hold, and returns when its group has committed. There is no
// log record for it: until that commit nothing refers to a new partition, since only then its caller knows that it is there.
//
// What is where after a crash. The rows of the metaslab table name owners, the items of the pool tree say which there are, and both
// are of one group. The sync thread writes the items first and notes how far ids go in them; a row never names a partition
// beyond (Metaslab::describe_owner_locked). A partition goes when it has no metaslab any more, so that the items without it
// come with rows without it. Metaslabs given to others and since filled are in the rows with the group that has the data; when
// a crash loses that group, the log says whose data it is (Metaslab::adopt).
//
// Locking: the lock of Datasets covers making, changing and removing, and the next id. The controller has its own.
#pragma once

#include "core/dataset/datasets.h"
#include "core/partition/allocator_space.h"
#include "core/partition/controller.h"
#include "core/pool/evacuation.h"

namespace lcpfs {

struct PartitionChange {
    StringView name;        // a new one; empty: it stays
    bool has_minimum { false }, has_maximum { false };
    PartitionLimits limits; // of these, those that it has
};

class Partitions {
public:
    static Result<Box<Partitions>> create(Allocator& allocator, Space& space, TxgEngine& engine, Datasets& datasets);
    explicit Partitions(Allocator& allocator, Space& space, TxgEngine& engine, Datasets& datasets);

    // From the pool tree; before the metaslab table is read. Entries that are damaged are told and left out: what is theirs goes to the
    // default partition.
    Status load(Tree& pool_tree, VdevSet& log);
    // With what the datasets say of ids that are taken. After they are loaded.
    Status start();

    PartitionController& controller() { return *m_controller; }
    Evacuation& evacuation() { return m_evacuation; }
    OwnerSlot slot_of(PartitionId id) const { return m_allocator.owners().find(id); }
    // Of one that is there; not_found.
    Result<PartitionId> find(StringView name) const;

    // How many live in it. Under the lock of Datasets.
    u64 datasets_in(PartitionId id);

    // Messages say what was refused and why.
    Result<TxgId> make(StringView name, PartitionLimits limits, TextLine& message);
    Result<TxgId> change(StringView name, const PartitionChange& change, TextLine& message);
    Result<TxgId> remove(StringView name, TextLine& message);

    // Around an access to a partition's data: what of it the meter wants. Any context; a load each beside the meter's.
    u64 begin_access(OwnerSlot slot) const
    {
        const PartitionMeter* const meter = m_meters[slot.value()].load_relaxed();
        return meter && meter->is_timed() ? host_monotonic_ns() : 0;
    }
    void end_access(OwnerSlot slot, u64 began_ns) // what begin_access gave
    {
        PartitionMeter* const meter = m_meters[slot.value()].load_relaxed();
        if (!meter)
            return;
        if (began_ns)
            meter->note(static_cast<u32>(min<u64>((host_monotonic_ns() - began_ns) / 1000, ~0u)));
        else
            meter->count();
    }
    // Every k_partition_tick_ms or so, by the pool's background thread: measures, learns, moves. What it moves is in the next
    // group; where it changed nothing no group is begun.
    void tick();
    // The same, when the last was so long ago.
    void tick_if_due();

    // ---- sync thread
    // Before the pool tree's lock is taken: how far ids go. What is made from here on is the next group's.
    void begin_write();
    // The entries that differ from those in the tree, under its lock. No change: nothing is done.
    Status write(TxgId txg, Tree& pool_tree);

    static PartitionClock now() { return { host_monotonic_ns() / 1000000, static_cast<u64>(host_realtime_ns()) / 1000000000 }; }

private:
    struct Encoded {
        DiskPartition partition;
        DiskPartitionHistory history[k_partition_history_parts];
        u32 parts { 0 }; // 1 and those of the history; 0: there is none in this slot
    };
    static Status grow(void* self, OwnerSlot owner, u64 blocks);
    static void evacuate(void* self, OwnerSlot owner, u64 blocks) { static_cast<Partitions*>(self)->m_evacuation.ask(owner, blocks); }
    Result<u64> load_entries(Tree& pool_tree, VdevSet& log);
    Status load_one(Tree& pool_tree, PartitionId id, Bytes value);
    Status restore(Box<Partition> partition);
    void set_limits(OwnerSlot slot, PartitionLimits limits);
    void note_entries();
    void encode(u32 slot);
    Status store(TxgId txg, Tree& pool_tree, u64 key, Bytes value);
    Status erase(TxgId txg, Tree& pool_tree, u64 id, u32 first_part);
    Status remove_gone(TxgId txg, Tree& pool_tree);

    Allocator& m_allocator;
    Space& m_space;
    TxgEngine& m_engine;
    Datasets& m_datasets;
    AllocatorSpace m_allocator_space;
    Box<PartitionController> m_controller;
    Evacuation m_evacuation;
    Atomic<u64> m_ticked_ms { 0 };
    Atomic<PartitionMeter*> m_meters[k_owner_slots];
    u64 m_next_id { k_default_partition.value() + 1 }; // the lock of Datasets

    // The sync thread's.
    u64 m_known_ids { 0 };      // of the group being written, and
    u64 m_known_changes { 0 };  // what was changed by then
    u64 m_stored_changes { 0 }; // as of PartitionController::changes
    Vector<u64> m_stored;       // ids that have items
    Box<Encoded> m_encoded;
};

}
