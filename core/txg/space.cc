// SPDX-License-Identifier: GPL-2.0-only
#include "core/txg/space.h"

namespace lcpfs {

namespace {

// Rows of the metaslab table in a leaf that is a third full.
u64 metaslab_rows_per_node(u32 node_bytes) { return node_bytes / 3 / (8 + sizeof(DiskMetaslabEntry) + sizeof(DiskNodeSlot)); }

// No table is larger; keeps products in range.
constexpr u64 k_most_nodes = 1ull << 40;

}

Space::Space(Allocator& allocator, TreeContext& trees, TxgEngine& engine, SpaceLog& log, u64 dirty_limit_bytes)
    : m_allocator(allocator), m_trees(trees), m_engine(engine), m_log(log), m_dirty_limit_bytes(dirty_limit_bytes)
{
    const u64 total = allocator.counts().total_blocks;
    m_slop_blocks = min(max<u64>(total / 32, 2048), total / 8);
    const u64 quads = m_slop_blocks / trees.cache.node_blocks();
    allocator.set_quad_reserve(quads, quads / 4);
    // Two of the pool tree, two at the end of the orphan tree, and the metaslab table.
    m_fixed_nodes = 4 + 1 + allocator.metaslab_count() / metaslab_rows_per_node(trees.cache.node_bytes());
}

// Nodes of `tables` tables, all taken for one of that shape, on the way to `leaves` of their leaves, when unsynced groups add up
// to `new_leaves`.
u64 Space::table_nodes(const Shape& shape, u64 leaves, u64 new_leaves, u64 tables) const
{
    const u64 fanout = (m_trees.cache.node_bytes() - sizeof(DiskNodeHeader)) / (8 + sizeof(DiskNodePointer) + sizeof(DiskNodeSlot)) + 1;
    const u64 height = shape.height.load_relaxed();
    u64 total = tables;
    u64 there = shape.root_count.load_relaxed(); // on the level looked at: never less than there are
    for (u64 level = 1; level < height; level++) {
        total += min(leaves, there + new_leaves);
        there = min(there * fanout, k_most_nodes);
    }
    return height == 1 ? total + min(leaves, new_leaves) : total;
}

u64 Space::share_nodes(u64 runs) const
{
    if (runs == 0)
        return 0;
    const u64 new_leaves = runs * k_new_share_bytes / m_trees.cache.node_bytes() + 1;
    return table_nodes(m_shares, 2 * runs, new_leaves, 1) + new_leaves;
}

Space::Dirty Space::dirty() const
{
    Dirty dirty;
    u64 existing[4];
    u64 fresh[4];
    const u64 node_blocks = u64(m_trees.cache.node_blocks()) * m_trees.copies;
    for (u32 i = 0; i < 4; i++) {
        existing[i] = m_dirty_objects[i].load_relaxed();
        fresh[i] = m_new_objects[i].load_relaxed();
        dirty.objects += existing[i];
        dirty.new_objects += fresh[i];
        if (const u64 changes = m_log.share_changes(i))
            dirty.blocks += share_nodes(changes) * node_blocks;
    }
    if (dirty.objects + dirty.new_objects == 0)
        return dirty;
    u64 all_tables = 0;
    for (const Atomic<u64>& datasets : m_dirty_datasets)
        all_tables += datasets.load_relaxed();
    const u64 new_leaves = dirty.new_objects * k_new_object_bytes / m_trees.cache.node_bytes() + max<u64>(all_tables, 1);
    for (u32 i = 0; i < 4; i++) {
        if (existing[i] + fresh[i] == 0)
            continue;
        const u64 tables = max<u64>(m_dirty_datasets[i].load_relaxed(), 1);
        const u64 fresh_nodes = fresh[i] ? fresh[i] * k_new_object_bytes / m_trees.cache.node_bytes() + tables : 0;
        dirty.blocks += (table_nodes(m_table, 2 * existing[i], new_leaves, tables) + fresh_nodes) * node_blocks;
        // Each further dataset: its orphan tree's ends, and a leaf of the pool tree.
        dirty.fixed_blocks += (m_fixed_nodes + m_partition_nodes.load_relaxed() + 3 * (tables - 1)) * node_blocks;
    }
    return dirty;
}

// Never less than dirty(), and a quarter of its cost: enough to know by where there is plenty.
Space::Dirty Space::dirty_at_most() const
{
    Dirty dirty;
    u64 tables = 0;
    for (u32 i = 0; i < 4; i++) {
        if (m_log.share_changes(i))
            return this->dirty();
        dirty.objects += m_dirty_objects[i].load_relaxed();
        dirty.new_objects += m_new_objects[i].load_relaxed();
        tables += max<u64>(m_dirty_datasets[i].load_relaxed(), 1);
    }
    if (dirty.objects + dirty.new_objects == 0)
        return dirty;
    const u64 node_blocks = u64(m_trees.cache.node_blocks()) * m_trees.copies;
    const u64 levels = max<u64>(m_table.height.load_relaxed(), 2) - 1;
    dirty.blocks = (2 * dirty.objects * levels + dirty.new_objects + 2 * tables) * node_blocks;
    dirty.fixed_blocks = (4 * (m_fixed_nodes + m_partition_nodes.load_relaxed()) + 3 * tables) * node_blocks;
    return dirty;
}

void Space::object_dirtied(TxgId txg, bool is_new)
{
    (is_new ? m_new_objects : m_dirty_objects)[txg.value() & 3].add(1);
}

void Space::object_entered(TxgId txg, bool is_new)
{
    (is_new ? m_new_objects : m_dirty_objects)[txg.value() & 3].sub(1);
}

u64 Space::object_blocks() const { return dirty().blocks; }

u64 Space::metadata_blocks(const Dirty& dirty) const
{
    return dirty.blocks + dirty.fixed_blocks + blocks_for_bytes(m_trees.dirty_bytes.load_relaxed() * m_trees.copies);
}

u64 Space::promised_blocks() const { return promised_units() / k_promise_unit + metadata_blocks(); }

u64 Space::available_blocks() const { return available_beside(dirty()); }

u64 Space::available_beside(const Dirty& dirty) const
{
    const u64 free = m_allocator.counts().free_blocks;
    const u64 promised = promised_units();
    const u64 in_operations = min(promised, m_in_operations.load());
    const u64 taken = (promised - in_operations) / k_promise_unit + metadata_blocks(dirty) + m_slop_blocks;
    return free > taken ? free - taken : 0;
}

u64 Space::gains() const { return m_removals.load() + m_log.frees() + m_allocator.cancellations(); }

bool Space::take_credit(u64 units)
{
    u64 credit = m_credit.load();
    do {
        if (credit < units) {
            m_is_look_due.store(1);
            return false;
        }
    } while (!m_credit.compare_exchange(credit, credit - units));
    return true;
}

// Of what is there for anybody, whatever others are guaranteed, and for growth. Not more than a group may have dirty: until it is used
// up nobody looks at that.
bool Space::add_credit_beside(const Dirty& dirty)
{
    const u64 free = m_allocator.counts().free_blocks;
    const u64 taken = metadata_blocks(dirty) + m_slop_blocks + m_allocator.owners().owed_to_others(k_nobody);
    u64 promised = m_promised.load();
    const u64 room = free > taken ? (free - taken) * k_promise_unit : 0;
    const u64 there = m_credit.load();
    const u64 most = min(k_most_credit, blocks_for_bytes(dirty_limit_bytes()) * k_promise_unit);
    const u64 wanted = room > promised ? min((room - promised) / k_credit_share, most) : 0;
    if (wanted <= there || !m_promised.compare_exchange(promised, promised + wanted - there))
        return false;
    m_credit.add(wanted - there);
    return true;
}

bool Space::drop_credit()
{
    const u64 credit = m_credit.exchange(0);
    m_promised.sub(credit);
    return credit != 0;
}

bool Space::try_promise(OwnerSlot owner, u64 units, For what)
{
    return try_promise_beside(dirty_at_most(), owner, units, what) || try_promise_beside(dirty(), owner, units, what)
        || (drop_credit() && try_promise_beside(dirty(), owner, units, what));
}

bool Space::try_promise_beside(const Dirty& dirty, OwnerSlot owner, u64 units, For what)
{
    u64 taken = metadata_blocks(dirty) + kept_blocks(what);
    if (what == For::growth)
        taken += m_allocator.owners().owed_to_others(owner);
    const u64 free = m_allocator.counts().free_blocks;
    if (free < taken || units / k_promise_unit > free)
        return false;
    const u64 room = (free - taken) * k_promise_unit;
    u64 promised = m_promised.load();
    do {
        if (promised + units > room)
            return false;
    } while (!m_promised.compare_exchange(promised, promised + units));
    return true;
}

// Whether the last failure found so little that this cannot fit either, and nothing was given back since.
bool Space::is_known_full(OwnerSlot owner, u64 units, For what)
{
    const u64 kept = kept_blocks(what) + (what == For::growth ? m_allocator.owners().owed_to_others(owner) : 0);
    const u64 promised = promised_units();
    const u64 lasting = promised - min(promised, m_in_operations.load());
    SpinGuard guard(m_lock);
    return m_known_gains == gains() && lasting + units > (m_known_blocks - min(m_known_blocks, kept)) * k_promise_unit;
}

Status Space::wait_for_promise(OwnerSlot owner, u64 units, For what)
{
    for (u32 tries = 0;; tries++) {
        if (try_promise(owner, units, what))
            return {};
        if (is_known_full(owner, units, what) || (what == For::growth && tries == k_patience))
            return Error::no_space;
        // What was given back before this is part of a group that the commit includes.
        const u64 before = gains();
        m_allocator.end_keeping(); // whoever looks at an old group has to do without it
        const Status committed = m_engine.force_commit();
        if (committed.is_error())
            return committed.error() == Error::busy ? Error::no_space : committed.error();
        SpinGuard guard(m_lock);
        m_known_gains = before;
        m_known_blocks = m_clean_blocks.load();
    }
}

Status Space::promise_for(OwnerSlot owner, u64 units, For what)
{
    if (m_replaying) {
        m_promised.add(units);
        return {};
    }
    if (take_credit(units))
        return {};
    if (!try_promise(owner, units, what))
        return wait_for_promise(owner, units, what);
    if (!add_credit_beside(dirty_at_most())) // far too much, where many objects are dirty
        (void)add_credit_beside(dirty());
    return {};
}

// As far as its own metaslabs go; without a maximum, also what lies free with nobody, which the pool's promise has covered.
bool Space::try_promise_in(OwnerSlot slot, u64 blocks)
{
    Owners& owners = m_allocator.owners();
    Owner& owner = owners[slot];
    if (owner.try_promise(blocks, 0))
        return true;
    // Short by this much. Bitmaps of what comes in may take some of it, so that it may have to be asked for again.
    for (u32 tries = 0; tries < 3 && m_grow; tries++) {
        const u64 wanted = owner.promised_blocks.load() + blocks;
        const u64 free = owner.free_blocks.load();
        if (wanted > free && m_grow(m_grow_context, slot, wanted - free).is_error())
            break;
        if (owner.try_promise(blocks, 0))
            return true;
        if (wanted <= free)
            break; // it is the maximum that is short
    }
    return owner.maximum_blocks.load() == 0 && owner.try_promise(blocks, owners[k_nobody].free_blocks.load());
}

Status Space::promise_in(OwnerSlot slot, u64 blocks)
{
    Owner& owner = m_allocator.owners()[slot];
    if (m_replaying) {
        owner.promised_blocks.add(blocks);
        return {};
    }
    for (u32 tries = 0;; tries++) {
        const u64 gains = owner.gains.load();
        const u64 deferred = owner.deferred_blocks.load();
        if (try_promise_in(slot, blocks))
            return {};
        const u64 most = max(owner.size_blocks.load(), owner.maximum_blocks.load());
        const bool is_hopeless = deferred == 0 || owner.used_blocks() + blocks > most + deferred;
        if ((gains == owner.known_gains.load() && is_hopeless) || tries == k_patience)
            return Error::no_space;
        m_allocator.end_keeping();
        const Status committed = m_engine.force_commit();
        if (committed.is_error())
            return committed.error() == Error::busy ? Error::no_space : committed.error();
        owner.known_gains.store(gains);
    }
}

Status Space::promise_data(OwnerSlot owner, u64 blocks)
{
    TRY(promise_for(owner, promise_for_data(blocks), For::growth));
    const Status promised = promise_in(owner, blocks);
    if (promised.is_error())
        release(promise_for_data(blocks));
    return promised.error();
}

void Space::promise_backed(OwnerSlot owner, u64 blocks)
{
    m_promised.add(promise_for_data(blocks));
    m_allocator.owners()[owner].promised_blocks.add(blocks);
}

Status Space::promise_move(OwnerSlot owner, u64 blocks)
{
    if (!try_promise(owner, promise_for_data(blocks), For::growth))
        return Error::no_space;
    if (m_allocator.owners()[owner].try_promise(blocks, 0))
        return {};
    release(promise_for_data(blocks));
    return Error::no_space;
}

void Space::release_data(OwnerSlot owner, u64 blocks)
{
    m_allocator.owners()[owner].promised_blocks.sub(blocks);
    release(promise_for_data(blocks));
}

bool Space::begin_quickly(u64 units)
{
    if (m_is_look_due.load() || is_kept_full() || !take_credit(units))
        return false;
    m_in_operations.add(units);
    return true;
}

Status Space::begin_operation(u64 units, For what, OwnerSlot owner)
{
    TRY(promise_for(owner, units, what));
    m_in_operations.add(units);
    return {};
}

void Space::end_operation(u64 units, For what)
{
    m_in_operations.sub(units);
    m_promised.sub(units);
    if (what == For::removal || what == For::cut)
        m_removals.add(1);
}

void Space::committed()
{
    // Metadata is allocated by this thread alone: what is allocated in between is data.
    const AllocatorCounts counts = m_allocator.counts();
    m_clean_blocks.store(counts.free_blocks + counts.deferred_blocks);
}

// Dirty metadata, and what else waits for its group, against `times` what a group may have. Up to five groups' worth of nodes
// can be on disk or under way at once: three in the pipeline, two kept for the last two uberblocks.
bool Space::is_beyond(u32 times) const
{
    if (m_kept && m_kept(m_kept_context, times))
        return true;
    return is_beyond(times, dirty_at_most()) && is_beyond(times, dirty());
}

bool Space::is_beyond(u32 times, const Dirty& dirty) const
{
    const u64 dirty_bytes = m_trees.dirty_bytes.load_relaxed();
    if (dirty_bytes + (dirty.objects + dirty.new_objects) * k_object_memory_bytes > dirty_limit_bytes() * times)
        return true;
    const u64 blocks = dirty.blocks + blocks_for_bytes(dirty_bytes * m_trees.copies);
    return blocks > (m_slop_blocks + available_beside(dirty) / 2) / 5 * times;
}

bool Space::is_group_full() const { return is_beyond(1); }

void Space::throttle()
{
    if (m_replaying || (!m_is_look_due.load() && !is_kept_full()))
        return;
    // A full group that those before it keep open has nothing to be told; it is looked at until it can close.
    if (m_engine.can_close()) {
        if (!is_group_full()) {
            m_is_look_due.store(0);
            return;
        }
        m_engine.poke();
    }
    // Twice the limit: the sync under way has to catch up first.
    if (is_beyond(2))
        (void)m_engine.wait_committed(m_engine.newest_changed()).is_ok();
}

}
