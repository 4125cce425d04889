// SPDX-License-Identifier: GPL-2.0-only
// Pool: everything of one mounted pool, put together; opening, committing, freezing, closing.
//
// What a commit of group T does (pool_sync.cc), all writes but those of 0 in one batch:
//   0. data that only the log has of T's operations goes to its place (DelayedWrites); the log says where its tail is
//      T's space log: into the committed bitmaps, and into the table of what is shared
//   1. each object T changed: its tree's dirty nodes, its record into the object table
//   2. each dataset's tables, its record into the pool tree (or out of it: the last of a destroyed one is gone), the entries of
//      partitions that have changed, the share table, the pool tree
//   3. places for the metaslab table's dirty nodes; that may change further metaslabs, until none is new
//   4. bitmaps, table rows, table nodes
//   5. wait; flush every device written; uberblock with FUA
//   6. writes in place under way since T-1 or before are waited for; blocks freed by T-1 are discarded, if wanted, and may be
//      used again; references to written nodes become pointers
// A power cut before 5 ends leaves the previous group, whose every block and bitmap copy is untouched.
//
// A failure in a commit freezes the pool: memory and disk may disagree from there on, disk is whole.
//
// Starting has two halves, and what has to be settled before anything can be allocated or committed goes in between
// (core_pool_open calls them in this order):
//   open    labels, uberblocks, tables, all in memory: no thread runs, nothing is written, nothing is allocated. The first
//           group is open, but does not close: what would wait for a commit fails with `busy` (TxgEngine).
//   reserve memory that changes may have to rely on
//   ...     upper layers: rebuilding bitmaps that are gone (check/rebuild.h), claiming what an intent log points at,
//           replaying it
//   start   the threads of the engine; groups commit from here on. The first one says that the intent log is in use.
//   ...     finishing interrupted removals, as ordinary operations; datasets being destroyed go on so in the background
//
// A pool that was closed in order, and opened for writing, needs none of reserve and start before its first change: it may be a while
// till then, or never come. Until then it is on disk what it was, closed (but for features in its labels). Whoever is to change
// something asks admit_change first, with no lock and no hold, so that what fails there (for lack of memory, above all) has changed
// nothing.
//
// A log device may be missing. Whether it is missed says the pool tree: as long as that has a ring on it, a mount is refused, or
// with discard_log the first commit takes the ring out of the tree. From then on the device is none of the pool's,
// whatever the labels say. Of several that mirror each other one is enough that is not stale; the first commit makes those stale
// that are not there, and those whole that are, since from then on they get every frame.
//
// A pool that is only opened is closed like any other, and leaves the disks as they were.
//
// Falling back. When the newest group's uberblocks are damaged, the one before, U, is opened, and said so. Then:
//   - The newest group is gone for good; its number is given up (vdev/uberblock.h), and what it allocated is free.
//   - U's trees are whole, since what the newest group freed is not reused before a further commit. U's bitmap copies may be
//     gone: a group begun after the newest writes over them. All bitmaps are therefore loaded at once, and those that do not
//     fit U's table have to be rebuilt by walking U's trees before anything is allocated (has_lost_bitmaps). At any other
//     opening those of the metaslabs that the newest group changed are loaded, to the same end.
//   - What the group before U reaches, as far as it is still whole, stays busy until U has a successor, as at any mount: then
//     the last two committed groups are U and its successor, and what U reaches was never reusable for anybody.
#pragma once

#include "core/api/core.h"
#include "core/dataset/datasets.h"
#include "core/vdev/uberblock.h"
#include "core/base/format_text.h"
#include "core/pool/background.h"
#include "core/pool/in_place_writes.h"
#include "core/pool/partitions.h"
#include "core/pool/share_table.h"
#include "core/zil/delayed_writes.h"
#include "core/zil/zil.h"

namespace lcpfs {

class Pool {
public:
    // The first half of core_pool_open, from all devices of a pool.
    static Result<Box<Pool>> open(Span<host_bdev* const> bdevs, const core_pool_options& options);
    // Between the two, and before a pool opened read-only may be written: bitmaps are missing. Nobody allocates or frees.
    bool has_lost_bitmaps() const { return m_lost_bitmaps.load() != 0; }
    // Some were closed and then freed in (alloc/metaslab.h): a rebuild gives that space back, and may fail.
    bool has_stale_bitmaps() const { return m_stale_bitmaps.load() != 0; }
    // Opening, before the log is read: every bitmap is looked at, so that those that are damaged get rebuilt.
    Status load_bitmaps();
    // Found at opening, and no crash explains it: for the checker, which sees them only once they are rebuilt.
    bool had_damaged_bitmaps() const { return m_damaged_bitmaps.load() != 0; }
    // Those that are missing, run by run (check/rebuild.h); `end` takes them as they are then, or gives them up.
    Status start_rebuild() { return m_allocator->start_rebuild(); }
    Status end_rebuild(bool is_whole);
    // For core/repair: devices and the uberblock of `group` (0: the newest that can be read), and nothing of what that leads to.
    // no_uberblock: there is none of that group.
    static Result<Box<Pool>> open_bare(Span<host_bdev* const> bdevs, TxgId group);
    // Of a pool that was opened so: the newest group, which is the committed one whatever was asked for.
    const Uberblock& newest() const { return m_newest; }
    // The group after all that there were, made by a repair, whose blocks have all been written. Flushes. Of such a pool only.
    Status commit_repaired(const Uberblock& next);
    // What changes may have to rely on; before anything is rebuilt or replayed, if it may be. Again after no_memory.
    Status reserve();
    // As it was opened: nothing but a change makes reserve and the rest of start necessary.
    bool can_wait() const;
    // The second half, when an upper layer has read the log and called log().begin. A pool opened read-only is done with that, and
    // with `waits` one that could wait is until its first change. An error leaves it to be closed.
    Status start(bool waits);
    // See core_pool_format.
    static Status format(Span<host_bdev* const> bdevs, const core_format_options& options);
    // Commits (unless frozen or read-only) and stops.
    Status close();
    ~Pool();
    // Work of upper layers that nobody waits for: `body` runs in a thread of its own, now and whenever `wake_background` is called,
    // but not while the pool is read-only, waits for its first change, or somebody pauses it. Before start.
    void set_background(void (*body)(Pool&)) { m_background_body = body; }
    Status wake_background();
    Background& background() { return m_background; }

    Dataset& dataset() { return m_datasets->first(); }
    Datasets& datasets() { return *m_datasets; }
    Partitions& partitions() { return *m_partitions; }
    TxgEngine& engine() { return *m_engine; }
    Space& space() { return *m_space; }
    Allocator& allocator() { return *m_allocator; }
    TreeContext& trees() { return *m_trees; }
    VdevSet& vdevs() { return *m_vdevs; }
    SpaceLog& space_log() { return *m_space_log; }
    NodeCache& cache() { return *m_cache; }
    IntentLog& intent_log() { return *m_log; }
    DelayedWrites& delayed_writes() { return *m_delayed_writes; }
    InPlaceWrites& in_place_writes() { return m_in_place_writes; }
    host_workqueue* completions() { return m_completions; }
    const Label& label() const { return *m_label; }
    Tree& pool_tree() { return *m_pool_tree; }
    ShareTable& share_table() { return *m_share_table; }
    Tree& metaslab_table() { return *m_metaslab_table; }
    const Uberblock& uberblock() const { return m_uberblock; }
    ChecksumKind data_checksum() const { return static_cast<ChecksumKind>(m_label->header.data_checksum); }
    const char* name() const { return m_name; }
    // Takes a log device out of the ring that it is a member of, or puts one (back) in: not_found, busy (it is a member already),
    // io_offline, invalid (the ring has no place for it). Returns when two groups have committed it. Sleepable.
    Status change_log_device(VdevId id, bool joins);
    // Log devices and what they are, each told once.
    template <typename F>
    void for_each_log_device(F told)
    {
        for (u16 i = 0; i < m_vdevs->count(); i++)
            if (m_vdevs->vdev(VdevId(i)).role == VdevRole::log)
                told(VdevId(i), state_of_log_device(VdevId(i)));
    }
    core_log_member_state state_of_log_device(VdevId id) const;
    // The device, there or not, is of the ring, and no frame is missing on it.
    bool is_log_on(VdevId id) const;
    // Keeps the group committed last readable on disk, whatever commits after it, until release_group: what it reaches is neither used
    // again nor discarded. busy: somebody has one. It is given up when the pool runs out of space otherwise (keeps_group).
    Result<TxgId> keep_group();
    bool keeps_group(TxgId group) const { return m_allocator->keeps_readable(group); }
    void release_group();
    // The pool has a ring on a log device that is not there, and goes on without, or is only looked at.
    bool lacks_log_device() const { return m_log_device_missing.load() != 0; }

    // Pools of requests (requests.h), used by core/fs.
    struct RequestPools {
        host_pool* small_reads { nullptr };
        host_pool* large_reads { nullptr };
        host_pool* read_runs { nullptr };
        host_pool* writes { nullptr };
        host_pool* write_runs { nullptr };
        host_pool* scratch { nullptr };
        host_pool* pages { nullptr }; // of one block
        host_pool* moved_pages { nullptr }; // the same, none set aside: who moves data can wait
        host_pool* units { nullptr }; // once extents may be compressed
    };
    RequestPools& requests() { return m_requests; }

    // Null: no extent is compressed.
    Compression* compression() const { return m_compressing.load_acquire(); }
    // Has data compressed by this choice from now on, as far as datasets say so: the labels say beforehand that it may be. not_supported:
    // this host cannot. Sleepable, no core lock.
    Status enable_compression(const CompressionChoice& choice);

    // First thing in every modifying call, with no core lock and no hold: read_only, frozen, shut_down when changes are not allowed,
    // and before the first one whatever keeps it from being begun. Sleepable, may wait for I/O.
    Status admit_change()
    {
        TRY(check_writable());
        return m_waits.load_acquire() ? get_ready() : Status();
    }
    // Whether changes are still allowed, for who has been admitted.
    Status check_writable() const
    {
        const bool is_stopped = m_shut_down.load_relaxed() || m_read_only.load_relaxed() || m_engine->error() != Error::none;
        return is_stopped ? why_stopped() : Status();
    }
    // No change has been asked for yet since a mount that could wait for it.
    bool waits_for_change() const { return m_waits.load() != 0; }
    bool is_read_only() const { return m_read_only.load() != 0; }
    Error frozen() const { return m_engine ? m_engine->error() : Error::none; }
    // No further change; policy and notification by errors=. Any sleepable context.
    void freeze(Error error, const char* what);
    Status set_read_only(bool read_only);
    void set_options(u32 interval_ms, core_errors_policy errors);
    Status sync(bool wait);
    // What commits release is discarded from now on, or no more.
    void set_discard(bool discard) { m_discards.store(discard); }
    bool discards() const { return m_discards.load_relaxed() != 0; }
    void shutdown();
    static constexpr u64 k_min_dirty_limit_bytes = 1ull << 20;
    static constexpr u64 k_min_cache_limit_bytes = 1ull << 20;
    void get_status(core_pool_status& status);
    void log(host_log_level level, StringView text) const;

    Atomic<u64> m_checksum_errors { 0 }; // file data
    Atomic<u64> m_data_reads { 0 }, m_data_writes { 0 }; // blocks

private:
    // Shorter runs are left to trim_pool: a device gains little by each.
    static constexpr u32 k_min_discard_blocks = 8;
    Pool() = default;
    struct PathCandidate {
        VdevId vdev;
        host_bdev* bdev;
    };
    Status assemble(Span<host_bdev* const> bdevs, bool read_only, core_labels* const* labels = nullptr);
    Status assemble_one(host_bdev* bdev, const FoundLabel* found, bool read_only, Vector<Box<Vdev>>& vdevs,
                        Vector<PathCandidate>& candidates);
    Status add_path_at_opening(const PathCandidate& candidate, bool read_only);
    Status end_log();
    Status start_layers(u64 cache_limit_bytes, u64 dirty_limit_bytes);
    Status start_cache(u64 limit_bytes);
    Status start_trees();
    Status start_requests();
    Status start_space(u64 dirty_limit_bytes);
    Status make_request_pools();
    Status start_compression();
    Status enable_compression_locked(const CompressionChoice& choice) REQUIRES(m_state_lock);
    // What its datasets say, once it can be written. What this host cannot is told, and data is stored as it is.
    void equip_locked() REQUIRES(m_state_lock);
    Status write_feature(u64 incompat) REQUIRES(m_state_lock);
    Status need_features(u64 incompat) REQUIRES(m_state_lock);
    Status get_ready();
    Status get_ready_locked() REQUIRES(m_state_lock);
    Status wake_background_locked() REQUIRES(m_state_lock);
    void start_background_locked() REQUIRES(m_state_lock);
    Status start_log_locked() REQUIRES(m_state_lock);
    Status write_label_heads(const Vdev& vdev, const Label& label);
    Status turn_read_only() REQUIRES(m_state_lock);
    Status turn_writable() REQUIRES(m_state_lock);
    Status load(UberblockScan& scan, NodeCache::Ahead& ahead, const core_pool_options& options);
    Status load_group(const UberblockScan& scan, const core_pool_options& options);
    template <typename Visit>
    Status visit_records(Visit visit);
    Status add_tables(Vector<NodeCache::Wanted>& wanted);
    Status add_edges(Vector<NodeCache::Wanted>& wanted);
    static void start_roots_ahead(NodeCache::Ahead& ahead, const Uberblock& uberblock);
    void start_tables_ahead(NodeCache::Ahead& ahead);
    Error why_stopped() const; // what check_writable has seen
    void start_edges_ahead(NodeCache::Ahead& ahead);
    void read_edges_ahead();
    Status load_metaslabs();
    Status protect_previous();
    Status protect_rows_of(const Uberblock& previous);
    Status load_partitions();
    Status load_datasets();
    Status load_share_table();
    Status apply_space_log(TxgId txg);
    Status write_dataset(TxgId txg, TreeWriter& writer, Dataset& dataset);
    Status write_share_table(TxgId txg, TreeWriter& writer);
    Status load_log(const core_pool_options& options);
    Status load_log_ring(u32 id);
    Status miss_log_device(VdevId id, const core_pool_options& options);
    Status look_at_log_devices(const core_pool_options& options);
    Status load_unused_log_devices();
    core_log_device log_device() const;
    void name_log_device(TextLine& line, VdevId id) const;
    Status write_log_members(TxgId txg, const LogMembers& members) REQUIRES(m_pool_tree_lock);
    Status format_pool_ring(u64 wanted_bytes);
    Status format_device_ring(u64 wanted_bytes);
    Status enter_ring(const LogRing& ring, u32 id);
    static void log_failed(void* self, const IntentLog::Failure& failure);
    void tell_log_member(u32 member, const IntentLog::Failure& failure);
    Status format_first_group(const core_format_options& options);
    void release_request_pools();

    static Status sync_hook(void* self, TxgId txg) { return static_cast<Pool*>(self)->sync_txg(txg); }
    static bool full_hook(void* self) { return static_cast<Pool*>(self)->is_group_full(); }
    bool is_group_full() const { return m_space->is_group_full(); }
    bool is_log_beyond(u32 times) const { return m_log->is_beyond(times) || m_delayed_writes->is_beyond(times); }
    Status sync_txg(TxgId txg);
    Status write_txg(TxgId txg);
    Status write_trees(TxgId txg, TreeWriter& writer, const LogMembers& members, Uberblock& next);
    Status write_metaslabs(TxgId txg, TreeWriter& writer, IoBatch& batch, Uberblock& next);
    Status touch_metaslab(TxgId txg, TreeWriter& writer, VdevId vdev, u32 metaslab) REQUIRES(m_metaslab_lock);
    void settle_txg(TxgId txg);
    void trace_sync(TxgId txg, host_trace_stage stage, Error error) const;

    char m_name[k_pool_name_bytes] {};
    Box<Label> m_label;            // of the first vdev; pool-wide fields
    u64 m_features_written { ~0ull }; // incompatible ones that all labels of data devices have
    Box<VdevSet> m_vdevs;
    Box<UberblockWriter> m_uberblock_writer;
    Box<Allocator> m_allocator;
    Box<NodeCache> m_cache;
    Box<TreeContext> m_trees;
    Box<SpaceLog> m_space_log;
    Box<TxgEngine> m_engine;
    Box<Space> m_space;
    Box<IntentLog> m_log;
    Box<DelayedWrites> m_delayed_writes;
    InPlaceWrites m_in_place_writes;
    Box<Datasets> m_datasets;
    Box<Partitions> m_partitions;
    Background m_background;
    void (*m_background_body)(Pool&) { nullptr };
    host_workqueue* m_completions { nullptr };
    RequestPools m_requests;
    Box<Compression> m_compression;              // made once
    Atomic<Compression*> m_compressing { nullptr };

    Mutex m_state_lock { LCPFS_RANK_pool_state }; // one turns it read-only or writable at a time
    RwLock m_pool_tree_lock { LCPFS_RANK_pool_tree };
    RwLock m_metaslab_lock { LCPFS_RANK_metaslab_table };
    Box<Tree> m_pool_tree;         // changed by the sync thread, under m_pool_tree_lock
    Box<ShareTable> m_share_table;
    Box<Tree> m_metaslab_table;    // changed by the sync thread, under m_metaslab_lock
    WrittenList m_pool_tree_written;
    WrittenList m_metaslabs_written;
    Uberblock m_uberblock;         // the last committed; sync thread
    Uberblock m_newest;            // open_bare
    Uberblock m_previous;          // when it was opened, the one before; txg 0: not known
    Atomic<u64> m_interval_ns { 0 };
    u64 m_opened_ns { 0 };         // host_monotonic_ns
    Atomic<u8> m_lost_bitmaps { 0 };
    Atomic<u8> m_stale_bitmaps { 0 };
    Atomic<u8> m_damaged_bitmaps { 0 };
    Atomic<u8> m_log_device_missing { 0 };
    Atomic<u8> m_has_group_keeper { 0 };
    LogMembers m_log_members;          // as the pool tree has them, but for what is in use; sync thread
    Vector<u8> m_log_item;             // where that item is made
    Atomic<u8> m_waits { 0 };          // admit_change has to get it ready; changed under m_state_lock
    bool m_is_ready GUARDED_BY(m_state_lock) { false };
    bool m_fell_back { false };        // the newest group is not the one that was opened
    Vector<Uberblock> m_found;         // until the first commit is prepared
    Atomic<u8> m_read_only { 0 };
    Atomic<u8> m_shut_down { 0 };
    Atomic<u64> m_closing_txg { 0 }; // groups from it on are made while the pool is closed or turns read-only
    Atomic<u8> m_discards { 0 };
    Atomic<u8> m_errors { 0 };     // core_errors_policy
    Atomic<u64> m_commits { 0 };
    void (*m_notify)(void*, int) { nullptr };
    void* m_notify_context { nullptr };
};

}
