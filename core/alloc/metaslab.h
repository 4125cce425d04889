// SPDX-License-Identifier: GPL-2.0-only
// Metaslab: the bitmaps of one stretch of a vdev, on disk and in memory.
//
// `busy` says what may not be handed out, `committed` is the image for disk (allocator.h). Blocks freed by a group stand
// in one of two `deferred` bitmaps, by the group, until the next has committed: releasing them is a matter
// of words, and nothing is allocated for it but the page made by prepare_free (or, when that had gone again with a
// release in between, by mark_free). The page goes when nothing is deferred in its zone.
//
// On disk two copies stand at the front of the metaslab. The one that the last committed table names is not
// written: m_committed_copy follows commits, not writes, so a group that failed can be tried again.
//
// A metaslab whose bitmap cannot be read is closed: nothing is allocated in it, and what is freed there stays in use for all
// that anybody knows. The first such free marks its entry as stale, so that the bitmap, should it be readable one day, is not
// believed, and the next mount rebuilds it.
//
// Who owns it (owners.h) may change at any time while it is empty, and is in its row with the next commit: nothing that any group
// reaches is in it then, so that no committed row says anything wrong about what is. From then on the owner's data in it
// can only come in with groups whose rows say so.
//
// Locking: m_lock covers zones, state and owner. `committed`, the entry and the deferred sets are changed by the sync
// thread alone (under m_lock, so that others may look). The counters are read by anybody without a lock.
#pragma once

#include "core/alloc/bitmap_image.h"
#include "core/alloc/owners.h"
#include "core/base/list.h"
#include "core/host/vector.h"
#include "core/vdev/vdev_set.h"

namespace lcpfs {

// What the metaslabs of one pool have in common.
struct AllocatorShared {
    VdevSet& vdevs;
    DiskGuid pool_guid;
    u32 node_blocks;
    host_pool* pages { nullptr };
    Atomic<u64> total { 0 }, free { 0 }, deferred { 0 }, quads { 0 }, pages_held { 0 };
    Atomic<u64> vdev_free[k_max_vdevs] {};
    Atomic<u32> avoids_unprotected { 0 }; // there are such metaslabs, and no commit yet
    Owners owners {};
    Atomic<u32> leaving { 0 };            // metaslabs that are being emptied
    Atomic<u32> has_new_owners { 0 };     // some metaslab's row has to be written for its owner's sake
    Atomic<u64> known_partitions { ~0ull }; // ids from here on are in no committed table yet
};

struct Wish {
    enum class Kind : u8 { run, quad, broken_quads } kind;
    u32 want;
    u32 minimum;
};

// Discards under way, and how many blocks they are of.
struct Discards {
    IoBatch batch;
    u32 min_blocks { 1 };   // of a run worth telling
    u64 blocks { 0 };
    u32 under_way { 0 };    // started in all

    void start(VdevSet& vdevs, const Dva& run);
};

class Metaslab {
public:
    // How much memory one of this vdev's takes, with its zones behind it, and one in memory of that size, which is freed after its end.
    static size_t bytes_for(const Vdev& vdev);
    static Metaslab* make(void* room, AllocatorShared& shared, Vdev& vdev, u32 index);
    ~Metaslab();

    VdevId vdev() const { return m_vdev.id; }
    u32 index() const { return m_index; }
    bool is_loaded() const { return m_state.load_acquire() == k_loaded; }
    // Nothing speaks against its bitmap so far.
    bool is_unread() const { return m_state.load() == k_unloaded; }
    u32 own_blocks() const { return 2 * m_page_count; } // its bitmap copies
    // Counters: exact for a loaded metaslab (longest: an upper bound), an estimate else.
    u32 free_blocks() const { return m_free.load_relaxed(); }
    u32 longest() const { return m_longest.load_relaxed(); }
    u32 quads() const { return m_quads.load_relaxed(); }
    MetaslabClass metaslab_class() const { return static_cast<MetaslabClass>(m_class.load_relaxed()); }
    OwnerSlot owner() const { return OwnerSlot(m_owner.load_relaxed()); }
    // Nothing is allocated in it, nothing freed that the last two groups may still reach.
    bool is_empty() const { return m_is_empty.load_relaxed() != 0; }
    Standing standing(OwnerSlot slot) const;
    // Being emptied (metaslab_leave.cc): from start_leaving until it is given away, something is allocated in it all the same, or
    // end_leaving. False: it is not one to be emptied now.
    bool is_leaving() const { return m_is_leaving.load_relaxed() != 0; }
    bool start_leaving();
    void end_leaving();
    // Why it could not be emptied: not to be tried again before that time.
    void set_stuck_until(u64 time_ns) { m_stuck_until_ns.store(time_ns); }
    u64 stuck_until_ns() const { return m_stuck_until_ns.load_relaxed(); }
    // Blocks of it that something still reaches: neither free nor freed by a group that was synced.
    u32 reached_blocks();
    // An empty one of `from` becomes one of `to`; false when it is none, or what was promised to `from` needs it.
    bool give(OwnerSlot from, OwnerSlot to);
    // Replay, before anything commits: data of `slot` was found in it. What was empty when its group committed is the slot's now.
    void adopt(OwnerSlot slot);
    // After the first commit, which ends what is_unprotected says.
    void recount_empty();
    // Sync thread: whether its row does not say yet who owns it.
    bool take_new_owner() { return m_has_new_owner.exchange(0) != 0; }
    // How many cursors stand here.
    Atomic<u32>& users() { return m_users; }

    Status set_entry(const DiskMetaslabEntry& entry);
    void format();
    Status load();
    Status protect_previous(const DiskMetaslabEntry& entry, TxgId newest);
    // Bits the group before the newest reaches could not be had (protect_previous): to be used last until a commit.
    bool is_unprotected() const { return m_is_unprotected.load_relaxed() != 0; }
    Status start_rebuild();
    Status mark_reached(const Dva& dva);
    void end_rebuild(bool is_whole);

    // no_space too when its standing with the tenant does not allow it.
    Result<Dva> allocate(const Wish& wish, const Tenant& tenant);
    Status claim(const Dva& dva);
    Status cancel(const Dva& dva);
    Status prepare_free(const Dva& dva, Must must);

    Status mark_used(const Dva& dva);
    Status mark_free(const Dva& dva, TxgId txg);
    DiskMetaslabEntry write(TxgId txg, IoBatch& batch);
    void committed() // what was written is now what the table names
    {
        m_committed_copy = m_entry.copy;
        m_is_changed = false;
    }
    // Releases what groups before `txg` freed; the number of blocks.
    u64 release_before(TxgId txg);
    // Starts to discard what release_before would release.
    void discard_before(TxgId txg, Discards& discards);
    // Discards what is free, within [first, end) of its blocks; waits. Nobody allocates here meanwhile, a part of it at a time.
    Status trim(u32 first, u32 end, Discards& discards);
    bool has_deferred() const { return m_deferred_txg[0].value() || m_deferred_txg[1].value(); }

    DiskMetaslabEntry entry() const { return m_entry; }
    // The committed image, bit i = block i. False when it is not loaded.
    bool copy_committed(Span<u64> words);

    // Lists of the sync thread.
    ListLink m_changed_link;
    ListLink m_deferred_link;

private:
    Metaslab(AllocatorShared& shared, Vdev& vdev, u32 index);
    bool is_stale_locked() const REQUIRES(m_lock) { return (m_entry.flags.get() & k_metaslab_is_stale) != 0; }
    enum State : u32 { k_absent, k_unloaded, k_loaded, k_damaged };

    u64 first_block() const { return k_first_metaslab_block + u64(m_index) * m_vdev.metaslab_blocks; }
    u32 bit_of(const Dva& dva) const { return static_cast<u32>(dva.block - first_block()); }
    BitmapIdentity identity() const { return { m_shared.pool_guid, m_vdev.id, m_index }; }
    u64 copy_offset(u32 copy) const { return (first_block() + u64(copy) * m_page_count) * k_block_size; }

    template <typename Body> // bool(Zone&, Run): false stops
    bool for_zones(const Dva& dva, Body body) REQUIRES(m_lock)
    {
        u32 position = bit_of(dva) + k_header_bits;
        u32 length = dva.length_blocks;
        while (length) {
            const u32 inside = position % k_page_bits;
            const u32 count = min(length, k_page_bits - inside);
            if (!body(m_zones[position / k_page_bits], Run { inside, count }))
                return false;
            position += count;
            length -= count;
        }
        return true;
    }

    BitPage* new_page(Must must);
    void free_page(BitPage* page);
    BitmapImage image_locked() REQUIRES(m_lock);
    Status make_zones_locked(Must must) REQUIRES(m_lock);
    void drop_zones_locked() REQUIRES(m_lock);
    Status load_locked(Must must) REQUIRES(m_lock);
    Status read_copy(const BitmapImage& image, u32 copy);
    Status read_verified(const BitmapImage& image, const DiskMetaslabEntry& entry);
    void log_damage(Error error, const DiskMetaslabEntry& entry, host_log_level level = HOST_LOG_ERROR) const;
    Status log_contradiction(const char* what, const Dva& dva) const;
    Run find_locked(const Wish& wish, u32& zone) REQUIRES(m_lock);
    Run find_longest_locked(const Wish& wish, u32& zone) REQUIRES(m_lock);
    bool prepare_zone_locked(Zone& zone, Must must) REQUIRES(m_lock);
    u32 deferred_slot_locked(TxgId txg) REQUIRES(m_lock);
    void drop_idle_pages_locked() REQUIRES(m_lock);
    bool has_late_write() const;
    u64 release_zone_locked(u32 zone, u32 slot) REQUIRES(m_lock);
    Dva dva_of(u32 zone, Run run) const
    {
        return { first_block() + u64(zone) * k_page_bits + run.position - k_header_bits, run.length, m_vdev.id };
    }
    void summarize_locked() REQUIRES(m_lock);
    void publish(u32 free, u32 longest, u32 quads) REQUIRES(m_lock);
    void set_owner_locked(OwnerSlot slot) REQUIRES(m_lock);
    void count_empty_locked() REQUIRES(m_lock);
    void end_leaving_locked() REQUIRES(m_lock);
    void admit_locked(const Tenant& tenant) REQUIRES(m_lock);
    void note_new_owner() REQUIRES(m_lock);
    void add_deferred(u64 more);
    void describe_owner_locked() REQUIRES(m_lock);
    void start_owner_locked(bool is_empty) REQUIRES(m_lock);

    AllocatorShared& m_shared;
    Vdev& m_vdev;
    const u32 m_index;
    const u32 m_page_count; // of one copy
    mutable Mutex m_lock { LCPFS_RANK_metaslab };
    Span<Zone> m_zones GUARDED_BY(m_lock); // m_page_count; their pages are there while it is loaded
    u32 m_cursor GUARDED_BY(m_lock) { 0 }; // block + k_header_bits: where the next search starts
    Atomic<u32> m_state { k_absent };
    Atomic<u32> m_prepared_zones { 0 }; // bit i: zone i has its deferred pages
    Atomic<u32> m_free { 0 }, m_longest { 0 }, m_quads { 0 };
    Atomic<u8> m_class { 0 };
    Atomic<u8> m_owner { 0 };        // OwnerSlot; changed under m_lock
    Atomic<u8> m_is_empty { 0 };
    Atomic<u8> m_has_new_owner { 0 };
    Atomic<u8> m_is_leaving { 0 };   // changed under m_lock
    Atomic<u64> m_stuck_until_ns { 0 };
    bool m_is_mixed GUARDED_BY(m_lock) { false };
    bool m_is_changed { false };     // the bitmap, since the last commit; sync thread
    Atomic<u32> m_users { 0 };
    Atomic<u8> m_is_unprotected { 0 };
    bool m_is_rebuilt GUARDED_BY(m_lock) { false }; // from now until end_rebuild
    Error m_load_error { Error::none };
    u32 m_committed_used { 0 };
    TxgId m_deferred_txg[2];
    DiskMetaslabEntry m_entry {};
    u8 m_committed_copy { 0 };
};

}
