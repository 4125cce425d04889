// SPDX-License-Identifier: GPL-2.0-only
// ShareTable: how often blocks are reached that more than one extent reaches (format/share_format.h).
//
// Who clones or frees changes nothing here: it leaves an entry in its group's space log (SpaceUse::shared, dropped), and the sync of the
// group does the sums, in the order of the log. So an operation takes no lock of the whole pool, and files that were never cloned
// know nothing of the table. Costs are per run of blocks, not per block: sharing a run that lies beside another of the same count
// makes that one longer.
//
// Damage. A block whose count cannot be read is not freed when it is dropped: it stays in use until fsck. A count that cannot be
// raised ends the group, and the pool takes no more changes: the next drop would free what is in use. Clones look first (read).
//
// The tree is changed by the sync thread alone, under m_lock; others read it under it.
#pragma once

#include "core/format/share_format.h"
#include "core/host/locks.h"
#include "core/tree/tree.h"

namespace lcpfs {

class ShareTable {
public:
    explicit ShareTable(TreeContext& trees);

    // From the pool tree. Opening only.
    void start_from(const NodePointer& root) EXCLUDES(m_lock)
    {
        WriteGuard guard(m_lock);
        m_tree.start_from(root);
    }

    // The front of `dva` that is reached equally often: as the last synced group had it, 1 where nothing is said.
    struct Part {
        u32 length_blocks { 0 };
        u64 references { 0 };
    };
    // Must::kit: by whoever has its turn, and may not fail for want of memory.
    Result<Part> read(const Dva& dva, Must must = Must::may_fail) EXCLUDES(m_lock);

    // ---- sync thread
    // `dva` is reached once more, or once less: what nobody reaches then is free in `txg`.
    Status share(TxgId txg, const Dva& dva) EXCLUDES(m_lock);
    Status drop(TxgId txg, const Dva& dva) EXCLUDES(m_lock);
    // Writes it with `txg`. Gives the root; `changed` when the pool tree has to be told.
    Result<NodePointer> write(TxgId txg, TreeWriter& writer, bool& changed) EXCLUDES(m_lock);
    void settle() EXCLUDES(m_lock);
    Result<TreeShape> shape() EXCLUDES(m_lock);
    // Blocks that stay in use since their count could not be read, since the pool was opened.
    u64 lost_blocks() const { return m_lost_blocks.load_relaxed(); }

    ~ShareTable();

private:
    // What the table says of a run: references is 1 between entries.
    struct Run {
        u64 key { 0 };
        u32 length_blocks { 0 };
        u64 references { 1 };

        u64 end() const { return key + length_blocks; }
        DiskShare encode() const;
    };
    Result<Run> run_at(const Dva& dva) REQUIRES_SHARED(m_lock);
    Result<Part> part_at(const Dva& dva) REQUIRES_SHARED(m_lock);
    Result<bool> entry_from(TreeCursor& cursor, bool found, Run& run) const;
    Status change(TxgId txg, const Dva& dva, bool shares) REQUIRES(m_lock);
    Status cut(TxgId txg, const Run& run, u64 at) REQUIRES(m_lock);
    Status enter(TxgId txg, const Run& run) REQUIRES(m_lock);
    Status set(TxgId txg, const Run& run) REQUIRES(m_lock);
    Status remove(TxgId txg, u64 key) REQUIRES(m_lock);
    Status join_before(TxgId txg, u64 at) REQUIRES(m_lock);
    Status try_join_before(TxgId txg, u64 at) REQUIRES(m_lock);
    bool is_joinable(const Run& left, const Run& right) const;

    TreeContext& m_context;
    RwLock m_lock { LCPFS_RANK_share_table };
    Tree m_tree GUARDED_BY(m_lock);
    WrittenList m_written;          // sync thread
    bool m_changed { false };       // sync thread: since it was last written
    Atomic<u64> m_lost_blocks { 0 };
};

}
