// SPDX-License-Identifier: GPL-2.0-only
// Allocator: which blocks of the pool are in use.
//
// Two bitmaps per loaded metaslab:
//   * `busy`: what may not be handed out: in use by the open group, a closed one, or one of the last two
//     committed. Changed by anybody under the metaslab's mutex.
//   * `committed`: the image that goes to disk: exactly what the tree of the group being synced reaches. Changed by the
//     sync thread alone.
// An allocation sets `busy` at once. It sets `committed` when the group whose tree reaches it syncs (mark_used).
// A free clears `committed` when its group T syncs (mark_free) and `busy` when group T+1 has committed: only then does
// neither of the last two uberblocks reach it (invariant 2). The list of such blocks is the deferred list.
//
// Loading a metaslab reads its bitmap copy; it stays loaded. Everything that will be freed is announced by
// prepare_free in a context that may fail, so that sync never has to load for it. Pages for bitmaps come from a pool
// whose reserve holds all that a pool of moderate size can need, and more of a large one than any group does.
//
// Placement. Metadata goes to metaslabs of its own while there are enough, data to those of its partition (owners.h);
// vdevs are striped: 1 MiB of data to one, then the next; copies of a node go to different vdevs where
// there are several. Within a metaslab next-fit from a cursor; a metaslab is chosen by free count and
// longest run. "Quads" are aligned groups of node_blocks free blocks: metadata needs them. When free quads fall to the
// number that must be kept for metadata (set_quad_reserve), data is taken from broken quads first, and from whole ones
// only when there are no others: what was promised to data is there, wherever metadata under way has its blocks just now.
#pragma once

#include "core/format/metaslab_format.h"
#include "core/host/vector.h"
#include "core/alloc/placement.h"
#include "core/vdev/vdev_set.h"

namespace lcpfs {

struct AllocatorCounts {
    u64 total_blocks;     // in metaslabs, less bitmap copies
    u64 free_blocks;      // not busy
    u64 deferred_blocks;  // busy only until the next commits
    u64 free_quads;       // of loaded and unloaded metaslabs (unloaded ones estimated from their free count)
    u64 bytes_in_memory;
};

class Allocator {
public:
    // Every metaslab of every vdev exists, unloaded, with free counts of zero until load_entry or format_all.
    static Result<Box<Allocator>> create(VdevSet& vdevs, const DiskGuid& pool_guid, u32 node_blocks);
    ~Allocator();
    // Before the first change: pages for bitmaps. no_memory.
    Status reserve();

    // ---- starting
    // A row of the metaslab table. metaslab_entry_damaged when it cannot be.
    Status load_entry(VdevId vdev, u32 metaslab, const DiskMetaslabEntry& entry);
    // A new pool: all entries "never written" (txg 0), all free.
    void format_all();
    // The row of the group before the newest, where it differs: what was in use then stays busy until the first
    // commit (as if freed by group `newest`). That bitmap may have been written over by a group which did not commit: then
    // the metaslab is used last until a group has.
    Status protect_previous(VdevId vdev, u32 metaslab, const DiskMetaslabEntry& entry, TxgId newest);
    // Loads and verifies every bitmap: bitmap_damaged, io_error... of the first that fails (all are tried).
    Status load_all();
    // Rebuilding from a walk the bitmaps that could not be loaded: start_rebuild empties them (the next commit writes them);
    // those that nobody has tried to load stay as they are;
    // mark_reached takes every run that is in use (contradiction when two use it, or a bitmap that is whole says it is free),
    // end_rebuild makes them what they are from then on, or damaged again when the walk was not whole.
    Status start_rebuild();
    Status mark_reached(const Dva& dva);
    void end_rebuild(bool is_whole);

    // ---- any thread
    // `want` blocks, or at least `minimum`; contiguous. Data is the default partition's.
    // no_space when there is no such run; device errors when a bitmap
    // cannot be read (others are tried first); never for memory, which is waited for. `avoid`: a vdev not to use if
    // others can serve (copies). Sleepable.
    Result<Dva> allocate(AllocClass which, u32 want, u32 minimum, VdevId avoid = VdevId(0xffff));
    // Data of a partition.
    Result<Dva> allocate_data(OwnerSlot owner, u32 want, u32 minimum, VdevId avoid = VdevId(0xffff));
    // The same, but only in metaslabs of the owner that hold something and are not being emptied: for moving data there.
    Result<Dva> allocate_settled(OwnerSlot owner, u32 want, u32 minimum);
    // One block of data, out of what is kept for metadata and for removals.
    Result<Dva> allocate_kept(OwnerSlot owner);
    // Exactly these blocks, which a log record says are in use. busy when one of them is not free. Opening only.
    Status claim(const Dva& dva);
    // What was claimed is data of `owner`. Opening only.
    void adopt(const Dva& dva, OwnerSlot owner);
    // Gives back an allocation that no tree reaches.
    void cancel(const Dva& dva);
    // Loads the metaslab of `dva`, so that mark_free cannot fail. address_out_of_range, no_usable_path... Sleepable.
    // Free when already loaded (one test). no_memory only with Must::may_fail. Where the bitmap is damaged it succeeds: what is
    // freed there is given up until a rebuild (metaslab.h).
    Status prepare_free(const Dva& dva, Must must = Must::may_fail);
    AllocatorCounts counts() const; // lock-free
    Owners& owners() { return m_shared.owners; }
    const Owners& owners() const { return m_shared.owners; }
    // Empty metaslabs of `from` become those of `to`: whole ones, until `wanted` blocks have, and never more than `limit`. Part of
    // the next commit. No I/O.
    struct Given {
        u64 blocks { 0 };
        u32 metaslabs { 0 };
    };
    Given give(OwnerSlot from, OwnerSlot to, u64 wanted_blocks, u64 limit_blocks);
    u32 largest_metaslab_blocks() const;

    // ---- emptying metaslabs (allocator_leave.cc; metaslab_leave.cc). One owner at a time, one caller.
    struct Leaving {
        u32 metaslabs { 0 };
        u64 size_blocks { 0 };
        u64 reached_blocks { 0 }; // still to be moved, or freed by groups not yet synced
        u32 empty { 0 };          // metaslabs that can be given away
    };
    // Chooses those of `owner` that hold least, half of each at most, so that about `blocks` come free and what is in them fits into
    // the others.
    Leaving start_leaving(OwnerSlot owner, u64 blocks);
    Leaving leaving(OwnerSlot owner) const;
    // Whether something of it is in one that is being emptied. No lock.
    bool is_leaving(const Dva& dva) const;
    // The metaslab of `dva` is kept after all, and not tried again for a while.
    void keep(const Dva& dva);
    // All of the owner's are kept.
    void keep_all(OwnerSlot owner);
    // Tells the devices of those that are empty now. Waits.
    void trim_left(OwnerSlot owner);
    u64 cancellations() const { return m_cancellations.load(); }
    size_t metaslab_count() const { return m_metaslabs.size(); }

    // ---- keeping one committed group readable (Pool::keep_group). What groups after `group` free stays busy, and is not discarded.
    void keep_readable(TxgId group) { m_kept_group.store(group.value()); }
    bool keeps_readable(TxgId group) const { return m_kept_group.load() == group.value(); }
    // From the next commit on what was kept can be used again. Any context. Free when nothing is kept (one test).
    void end_keeping()
    {
        if (m_kept_group.load())
            m_kept_group.store(0);
    }
    // From `quads` free ones on data has to do with broken ones as long as there are any; the last `floor` it never gets.
    void set_quad_reserve(u64 quads, u64 floor);

    // ---- the sync thread, in this order for group T
    // The table of partitions that T writes knows those below this id (Metaslab::describe_owner_locked).
    void set_known_partitions(u64 next_id) { m_shared.known_partitions.store(next_id); }
    // The tree of T reaches / no longer reaches `dva`. A bit already in that state is a contradiction (returned; the bit is left).
    Status mark_used(const Dva& dva);
    // Tolerant: freeing what is not in use is logged and changes nothing, and is no error. What is freed twice was used by two,
    // and the blocks of a run that are in use stay so: nothing is handed out that something may still reach.
    Status mark_free(const Dva& dva, TxgId txg);
    void set_tolerant(bool tolerant) { m_is_tolerant.store(tolerant); }
    // Metaslabs changed by T so far. `visit` is called once for each that it was not yet called for in this T;
    // it may call mark_used, mark_free and allocate, whose metaslabs are then visited too before it returns.
    template <typename Visit> // Status(VdevId, u32 metaslab)
    Status visit_changed(Visit visit)
    {
        struct Call {
            static Status call(void* context, VdevId vdev, u32 metaslab) { return (*static_cast<Visit*>(context))(vdev, metaslab); }
        };
        return visit_changed_erased(Call::call, &visit);
    }
    // Seals the bitmap of every changed metaslab for `txg`, starts writing it to its other copy, and gives the table row.
    // No allocation but host_io. `row` is called once per changed metaslab.
    template <typename Row> // Status(VdevId, u32 metaslab, const DiskMetaslabEntry&)
    Status write_changed(TxgId txg, IoBatch& batch, Row row)
    {
        struct Call {
            static Status call(void* context, VdevId vdev, u32 metaslab, const DiskMetaslabEntry& entry)
            {
                return (*static_cast<Row*>(context))(vdev, metaslab, entry);
            }
        };
        return write_changed_erased(txg, batch, Call::call, &row);
    }
    // Group `txg` is durable: what groups before it freed may be handed out again. Gives the number of blocks released.
    u64 after_commit(TxgId txg);
    // Before that: tells the devices of runs of at least so many blocks among them, and waits. The number of blocks.
    u64 discard_released(TxgId txg, u32 min_blocks);

    // ---- any thread
    // Tells the device what is free of a metaslab's blocks [first, end), in runs of at least so many; adds their number to `blocks`.
    // Waits; who wants to allocate there waits too. no_memory, and errors of reading its bitmap.
    Status trim(VdevId vdev, u32 metaslab, u32 first, u32 end, u32 min_blocks, u64& blocks);

    // ---- the checker
    // The committed image of a loaded metaslab, bit i of the words = block i of the metaslab. False when it could not be loaded.
    bool copy_committed(VdevId vdev, u32 metaslab, Span<u64> words) const;
    Status load(VdevId vdev, u32 metaslab);
    DiskMetaslabEntry entry(VdevId vdev, u32 metaslab) const;

private:
    explicit Allocator(VdevSet& vdevs, const DiskGuid& pool_guid, u32 node_blocks)
        : m_shared { vdevs, pool_guid, node_blocks }, m_placement(m_shared)
    {
    }
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);
    TxgId releasable_before(TxgId txg) const;
    Metaslab* find(VdevId vdev, u32 metaslab) const;
    Metaslab* find(const Dva& dva) const; // null: not a place for data
    enum class Where : u8 { everywhere, at_home, with_others };
    Result<Dva> allocate_at(OwnerSlot owner, Where where, const Wish& wish, VdevId avoid);
    Result<Dva> allocate_quad(OwnerSlot owner, Where where, u32 want, u32 minimum, VdevId avoid);
    struct GiveWish {
        u64 wanted_blocks, limit_blocks;
        bool only_leaving;
    };
    void give_round(OwnerSlot from, OwnerSlot to, const GiveWish& wish, Given& given);
    Metaslab* emptiest(OwnerSlot owner) const;
    bool claim_quads(u64& quads, u64 kept);
    void note_changed(Metaslab& metaslab);
    void note_new_owners();
    void retry_written(); // what a group wrote that did not commit is the next one's to write
    Status visit_changed_erased(Status (*visit)(void*, VdevId, u32), void* context);
    Status write_changed_erased(TxgId txg, IoBatch& batch, Status (*row)(void*, VdevId, u32, const DiskMetaslabEntry&), void* context);

    AllocatorShared m_shared;
    Vector<void*> m_rooms;                // memory of metaslabs, many together
    Vector<Metaslab*> m_metaslabs;        // of all vdevs, in order
    Vector<size_t> m_first;               // of each vdev, in m_metaslabs
    Placement m_placement;
    Atomic<u64> m_kept_group { 0 };       // keep_readable; 0: none
    Atomic<u64> m_quad_reserve { 0 };
    Atomic<u64> m_quad_floor { 0 };
    Atomic<u64> m_cancellations { 0 };
    Atomic<u8> m_is_tolerant { 0 };
    Atomic<u64> m_claimed_quads { 0 };    // that allocations under way may break
    // The sync thread's: metaslabs changed by its group, not yet and already visited; written, not yet committed;
    // with blocks to be released.
    List<Metaslab, &Metaslab::m_changed_link> m_changed, m_visited, m_written;
    List<Metaslab, &Metaslab::m_deferred_link> m_deferred;
};

}
