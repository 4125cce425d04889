// SPDX-License-Identifier: GPL-2.0-only
#include "core/pool/share_table.h"

#include "core/base/format_text.h"
#include "core/object/shared_run.h"

namespace lcpfs {

ShareTable::ShareTable(TreeContext& trees) : m_context(trees), m_tree(trees, TreeOwner { TreeKind::shares, 0, 0 }, Must::succeed) {}

ShareTable::~ShareTable()
{
    while (Node* node = m_written.pop_front())
        node->unreference();
}

DiskShare ShareTable::Run::encode() const { return SharedRun { dva_of_share(key, length_blocks), references }.encode(); }

// The entry under the cursor, if it is on one.
Result<bool> ShareTable::entry_from(TreeCursor& cursor, bool found, Run& run) const
{
    if (!found)
        return false;
    const SharedRun shared = TRY(SharedRun::decode(cursor.key(), cursor.value()));
    VERIFY_DISK(m_context.cache.vdevs().is_valid(shared.dva), share_damaged);
    run = { shared.key(), shared.dva.length_blocks, shared.references };
    return true;
}

// The entry that covers the first block of `dva`, else what lies before the next one: at most `dva`.
Result<ShareTable::Run> ShareTable::run_at(const Dva& dva)
{
    const u64 first = share_key(dva.vdev, dva.block);
    const BigEndianKey key(first);
    TreeCursor cursor;
    Run run;
    bool found = TRY(m_tree.seek_at_most({ key.data(), 8 }, cursor));
    const bool has_before = TRY(entry_from(cursor, found, run));
    if (has_before && run.end() > first)
        return run;
    found = has_before ? TRY(m_tree.next(cursor)) : TRY(m_tree.seek({ key.data(), 8 }, cursor));
    const bool has_next = TRY(entry_from(cursor, found, run));
    const u64 end = has_next ? min(run.key, first + dva.length_blocks) : first + dva.length_blocks;
    VERIFY_DISK(end > first, share_damaged);
    return Run { first, static_cast<u32>(end - first), 1 };
}

Result<ShareTable::Part> ShareTable::part_at(const Dva& dva)
{
    const Run run = TRY(run_at(dva));
    const u64 first = share_key(dva.vdev, dva.block);
    return Part { static_cast<u32>(min(run.end(), first + dva.length_blocks) - first), run.references };
}

Result<ShareTable::Part> ShareTable::read(const Dva& dva, Must must)
{
    if (must == Must::may_fail) {
        ReadGuard guard(m_lock);
        return part_at(dva);
    }
    // How a tree finds memory is the tree's: nobody else reads it meanwhile.
    WriteGuard guard(m_lock);
    Tree::MustScope scope(m_tree, must);
    return part_at(dva);
}

Status ShareTable::set(TxgId txg, const Run& run)
{
    const BigEndianKey key(run.key);
    const DiskShare disk = run.encode();
    m_changed = true;
    TRY(m_tree.prepare_update(txg, { key.data(), 8 }));
    return m_tree.update({ key.data(), 8 }, bytes_of(disk)) ? Status() : Status(Error::contradiction);
}

Status ShareTable::enter(TxgId txg, const Run& run)
{
    const BigEndianKey key(run.key);
    const DiskShare disk = run.encode();
    m_changed = true;
    TRY(m_tree.prepare_insert(txg, { key.data(), 8 }, sizeof(disk)));
    return m_tree.insert({ key.data(), 8 }, bytes_of(disk)) ? Status() : Status(Error::contradiction);
}

Status ShareTable::remove(TxgId txg, u64 at)
{
    const BigEndianKey key(at);
    m_changed = true;
    TRY(m_tree.prepare_change(txg, { key.data(), 8 }));
    return m_tree.remove(txg, { key.data(), 8 }) ? Status() : Status(Error::contradiction);
}

// Makes `run`, an entry, end at `at` and another begin there. What fails leaves the entry whole.
Status ShareTable::cut(TxgId txg, const Run& run, u64 at)
{
    const BigEndianKey left_key(run.key);
    const BigEndianKey right_key(at);
    const DiskShare left = Run { run.key, static_cast<u32>(at - run.key), run.references }.encode();
    const DiskShare right = Run { at, static_cast<u32>(run.end() - at), run.references }.encode();
    m_changed = true;
    TRY(m_tree.prepare_insert(txg, { right_key.data(), 8 }, sizeof(right)));
    TRY(m_tree.prepare_update(txg, { left_key.data(), 8 }));
    (void)m_tree.insert({ right_key.data(), 8 }, bytes_of(right));
    return m_tree.update({ left_key.data(), 8 }, bytes_of(left)) ? Status() : Status(Error::contradiction);
}

bool ShareTable::is_joinable(const Run& left, const Run& right) const
{
    return left.end() == right.key && left.references == right.references
        && m_context.cache.vdevs().is_valid(dva_of_share(left.key, left.length_blocks + right.length_blocks));
}

// Makes one entry of that which begins at `at` and the one before, if they are alike.
Status ShareTable::join_before(TxgId txg, u64 at)
{
    // Not done is no harm: the one before may stand in a leaf that is damaged.
    const Status joined = try_join_before(txg, at);
    return joined.error() == Error::contradiction ? joined : Status();
}

Status ShareTable::try_join_before(TxgId txg, u64 at)
{
    const BigEndianKey here(at);
    TreeCursor cursor;
    Run left, right;
    const bool found = TRY(m_tree.find({ here.data(), 8 }, cursor));
    if (at == 0 || !TRY(entry_from(cursor, found, right)))
        return {};
    const BigEndianKey below(at - 1);
    const bool has_left = TRY(m_tree.seek_at_most({ below.data(), 8 }, cursor));
    if (!TRY(entry_from(cursor, has_left, left)) || !is_joinable(left, right))
        return {};
    cursor.reset();
    const BigEndianKey left_key(left.key);
    const DiskShare disk = Run { left.key, left.length_blocks + right.length_blocks, left.references }.encode();
    m_changed = true;
    TRY(m_tree.prepare_update(txg, { left_key.data(), 8 }));
    TRY(m_tree.prepare_change(txg, { here.data(), 8 }));
    (void)m_tree.update({ left_key.data(), 8 }, bytes_of(disk));
    return m_tree.remove(txg, { here.data(), 8 }) ? Status() : Status(Error::contradiction);
}

// The front of `dva`, as far as it is reached equally often; all of it, part by part.
Status ShareTable::change(TxgId txg, const Dva& dva, bool shares)
{
    const u64 first = share_key(dva.vdev, dva.block);
    const u64 end = first + dva.length_blocks;
    for (u64 at = first; at < end;) {
        Run run = TRY(run_at(dva_of_share(at, static_cast<u32>(end - at))));
        const bool is_entry = run.references > 1;
        if (is_entry && run.key < at) {
            TRY(cut(txg, run, at));
            run.length_blocks -= static_cast<u32>(at - run.key);
            run.key = at;
        }
        if (is_entry && run.end() > end) {
            TRY(cut(txg, run, end));
            run.length_blocks = static_cast<u32>(end - run.key);
        }
        at = run.end();
        run.references += shares ? 1 : -1ull;
        if (run.references == 0)
            TRY(m_context.allocator.mark_free(dva_of_share(run.key, run.length_blocks), txg));
        else if (run.references == 1)
            TRY(remove(txg, run.key));
        else if (is_entry)
            TRY(set(txg, run));
        else
            TRY(enter(txg, run));
        if (run.references > 1)
            TRY(join_before(txg, run.key));
    }
    return join_before(txg, end);
}

Status ShareTable::share(TxgId txg, const Dva& dva)
{
    WriteGuard guard(m_lock);
    Tree::MustScope must(m_tree, Must::succeed);
    return change(txg, dva, true);
}

Status ShareTable::drop(TxgId txg, const Dva& dva)
{
    WriteGuard guard(m_lock);
    Tree::MustScope must(m_tree, Must::succeed);
    const Status dropped = change(txg, dva, false);
    if (dropped.is_ok() || dropped.error() == Error::contradiction)
        return dropped;
    // How far it came is not worth knowing: what is lost is what fsck finds in use by nothing.
    m_lost_blocks.add_relaxed(dva.length_blocks);
    TextLine line;
    line.add("share table: up to ").add(u64(dva.length_blocks)).add(" blocks at device ").add(u64(dva.vdev.value())).add(" block ");
    line.add(dva.block).add(" stay in use by nothing: ").add(text_of(dropped.error()));
    host_log(HOST_LOG_WARNING, line.text());
    return {};
}

Result<NodePointer> ShareTable::write(TxgId txg, TreeWriter& writer, bool& changed)
{
    changed = m_changed;
    TreeVersion version;
    {
        ReadGuard guard(m_lock);
        version = m_tree.version();
    }
    if (!m_changed)
        return version.pointer;
    const NodePointer root = TRY(writer.write(version, 0, m_written));
    WriteGuard guard(m_lock);
    TRY(m_tree.free_dead(txg));
    m_changed = false;
    return root;
}

void ShareTable::settle()
{
    WriteGuard guard(m_lock);
    m_tree.settle(m_written);
}

Result<TreeShape> ShareTable::shape()
{
    WriteGuard guard(m_lock);
    Tree::MustScope must(m_tree, Must::succeed);
    return m_tree.shape();
}

}
