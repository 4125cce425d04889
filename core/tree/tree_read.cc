// SPDX-License-Identifier: GPL-2.0-only
// Tree: starting, finding, walking.
#include "core/tree/tree.h"

#include "core/base/format_text.h"

namespace lcpfs {

u64 TreeCursor::number() const
{
    BigEndianKey number;
    copy_bytes(&number, key().data(), 8);
    return number.get();
}

// Nodes that were never written: an operation failed before its object became dirty, or no group commits any more.
void Tree::discharge_below(Node& node)
{
    if (node.state() != Node::State::dirty)
        return;
    for (u32 i = 0; node.level() > 0 && i < node.page().count(); i++)
        if (Node* child = node.child(i))
            discharge_below(*child);
    discharge(node);
}

Tree::~Tree()
{
    if (m_root)
        discharge_below(*m_root);
    for (DeadList& dead : m_dead)
        while (Node* node = dead.pop_front())
            node->unreference();
}

Status Tree::start_from_inline(Bytes items)
{
    VERIFY_DISK(items.size() >= 2 && items.size() <= inline_limit(), record_damaged);
    u32 count = u32(items[0]) | u32(items[1]) << 8;
    const u32 wanted = static_cast<u32>(items.size()) + sizeof(DiskNodeHeader) + count * 2;
    Ref<Node> root = TRY(m_context.cache.make(m_owner, 0, TxgId(1), wanted, m_must));
    NodePage& page = root->page();
    size_t at = 2;
    for (u32 i = 0; i < count; i++) {
        VERIFY_DISK(at + 4 <= items.size(), record_damaged);
        u32 key_bytes = u32(items[at]) | u32(items[at + 1]) << 8;
        u32 value_bytes = u32(items[at + 2]) | u32(items[at + 3]) << 8;
        at += 4;
        VERIFY_DISK(key_bytes > 0 && key_bytes <= k_max_key_bytes && at + key_bytes + value_bytes <= items.size(), record_damaged);
        Bytes key = items.slice(at, key_bytes);
        VERIFY_DISK(i == 0 || compare(page.key(i - 1), key) < 0, record_damaged);
        VERIFY_DISK(page.can_hold(NodePage::item_cost(key_bytes, value_bytes)), record_damaged);
        page.insert(i, key, items.slice(at + key_bytes, value_bytes));
        at += key_bytes + value_bytes;
    }
    VERIFY_DISK(at == items.size(), record_damaged);
    root->mark_clean();
    m_root = lcpfs::move(root);
    return {};
}

Result<Ref<Node>> Tree::root_node(Must must)
{
    if (m_root)
        return m_root;
    return m_context.cache.get(m_pointer, m_owner, must);
}

Result<TreeShape> Tree::shape()
{
    if (is_empty())
        return TreeShape();
    Ref<Node> root = TRY(root_node(m_read_must));
    const u32 level = root->level();
    return TreeShape { level + 1, level ? root->page().count() : 1 };
}

Status Tree::add_below_root(Vector<NodeCache::Wanted>& wanted, u32 most)
{
    Ref<Node> root = m_root || m_pointer.is_null() ? m_root : TRY(m_context.cache.find(m_pointer, m_owner));
    if (!root)
        return {};
    const NodePage& page = root->page();
    for (u32 i = 0; page.level() > 0 && i < page.count() && i < most; i++) {
        VERIFY_DISK(page.value(i).size() == sizeof(DiskNodePointer), node_damaged);
        DiskNodePointer disk;
        copy_bytes(&disk, page.value(i).data(), sizeof(disk));
        TRY(wanted.push_back({ TRY(NodePointer::decode(disk)), m_owner }));
    }
    return {};
}

// `range` is the parent's. The result's keys point into the parent's page or are the range's own.
Tree::KeyRange Tree::child_range(const NodePage& parent, u32 i, const KeyRange& range)
{
    return { i > 0 ? parent.key(i) : range.low, i + 1 < parent.count() ? parent.key(i + 1) : range.high };
}

// Keys rise within a page that was verified. Above level 0 the first is empty and says nothing.
bool Tree::is_inside(const NodePage& page, const KeyRange& range) const
{
    const u32 first = page.level() > 0 ? 1 : 0;
    if (page.count() <= first)
        return true;
    return (range.low.is_empty() || compare_keys(page.key(first), range.low) >= 0)
        && (range.high.is_empty() || compare_keys(page.key(page.count() - 1), range.high) < 0);
}

Status Tree::damaged(const NodePointer& pointer, const char* what) const
{
    TextLine line;
    line.add("metadata node of object ").add(m_owner.object).add(" in dataset ").add(m_owner.dataset);
    line.add(", tree ").add(u64(m_owner.kind)).add(" level ").add(u64(pointer.level));
    line.add(" at device ").add(u64(pointer.dva[0].vdev.value())).add(" block ").add(pointer.dva[0].block).add(": ").add(what);
    m_context.cache.vdevs().log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
    return Error::node_damaged;
}

Result<Ref<Node>> Tree::get_child(const Node& parent, const DiskNodePointer& disk, Must must)
{
    NodePointer pointer;
    if (NodePointer::decode(disk, pointer).is_error() || pointer.is_null() || pointer.level + 1 != parent.level())
        return damaged(parent.pointer(), "a pointer to a child is malformed").error();
    return m_context.cache.get(pointer, m_owner, must);
}

// `range` is the child's: what the parent's separators leave to it.
Result<Ref<Node>> Tree::child_of(Node& parent, u32 i, const KeyRange& range, Must must)
{
    if (Node* child = parent.child(i))
        return Ref<Node>(*child);
    const auto& disk = *reinterpret_cast<const DiskNodePointer*>(parent.page().value(i).data());
    // What is cached was looked at when it was read: two fields of the pointer find it.
    Result<Ref<Node>> cached = m_context.cache.find(Dva::decode(disk.dva[0]), TxgId(disk.birth_txg.get()), disk.level, m_owner);
    if (cached.is_ok() && cached.value() && disk.level + 1 == parent.level() && is_inside(cached.value()->page(), range))
        return cached;
    Result<Ref<Node>> child = get_child(parent, disk, must);
    if (child.is_ok() && !is_inside(child.value()->page(), range))
        return damaged(child.value()->pointer(), "it holds keys that its parent leaves to others").error();
    return child;
}

TreeFocus::TreeFocus(Tree& tree) : m_tree(tree), m_is_inner(tree.m_focus)
{
    if (!m_is_inner)
        tree.m_focus = this;
}

TreeFocus::~TreeFocus()
{
    if (!m_is_inner)
        m_tree.m_focus = nullptr;
}

void Tree::remember(Node& leaf, const KeyRange& range)
{
    if (!m_focus)
        return;
    const bool fits = (range.low.is_empty() || range.low.size() == 8) && (range.high.is_empty() || range.high.size() == 8);
    if (&leaf == m_root.get() || !fits) {
        forget();
        return;
    }
    m_focus->m_leaf = Ref<Node>(leaf);
    m_focus->m_has_low = !range.low.is_empty();
    m_focus->m_has_high = !range.high.is_empty();
    m_focus->m_low = m_focus->m_has_low ? number_of(range.low) : 0;
    m_focus->m_high = m_focus->m_has_high ? number_of(range.high) : 0;
}

// To the leaf that covers `key`, or with `strictly_below` the one that covers the keys just under it. The cursor gets
// the leaf and the lowest key to its right; `left_fence` the lowest key of the deepest subtree that has a left neighbour.
Result<bool> Tree::descend(Bytes key, bool strictly_below, TreeCursor& cursor, u8* left_fence, u16& left_fence_bytes, bool& has_left)
{
    cursor.m_leaf.reset();
    cursor.m_has_fence = false;
    has_left = false;
    if (is_empty())
        return false;
    if (Node* leaf = strictly_below ? nullptr : near_leaf(key)) {
        cursor.m_leaf = Ref<Node>(*leaf);
        const BigEndianKey low(m_focus->m_low), high(m_focus->m_high);
        copy_bytes(left_fence, low.data(), 8);
        left_fence_bytes = 8;
        has_left = m_focus->m_has_low;
        copy_bytes(cursor.m_fence, high.data(), 8);
        cursor.m_fence_bytes = 8;
        cursor.m_has_fence = m_focus->m_has_high;
        return true;
    }
    Ref<Node> node = TRY(root_node(m_read_must));
    KeyRange range;
    while (node->level() > 0) {
        const NodePage& page = node->page();
        bool exact;
        u32 i = m_focus ? page.lower_bound(key, NodePage::k_no_hint, exact) : page.lower_bound(key, exact);
        if (i > 0 && (!exact || strictly_below))
            i--;
        if (i + 1 < page.count()) {
            Bytes fence = page.key(i + 1);
            copy_key(cursor.m_fence, fence);
            cursor.m_fence_bytes = static_cast<u16>(fence.size());
            cursor.m_has_fence = true;
            range.high = { cursor.m_fence, fence.size() };
        }
        if (i > 0) {
            Bytes fence = page.key(i);
            copy_key(left_fence, fence);
            left_fence_bytes = static_cast<u16>(fence.size());
            has_left = true;
            range.low = { left_fence, fence.size() };
        }
        Ref<Node> child = TRY(child_of(*node, i, range, m_read_must));
        node = lcpfs::move(child);
    }
    remember(*node, range);
    cursor.m_leaf = lcpfs::move(node);
    return true;
}

bool Tree::is_in_memory(Bytes key)
{
    if (is_empty())
        return true;
    Ref<Node> node = m_root;
    NodePointer pointer = m_pointer;
    for (;;) {
        if (!node) {
            auto found = m_context.cache.find(pointer, m_owner);
            if (found.is_error() || !found.value())
                return false;
            node = lcpfs::move(found.value());
        }
        if (node->level() == 0)
            return true;
        const NodePage& page = node->page();
        bool exact;
        u32 i = page.lower_bound(key, exact);
        if (i > 0 && !exact)
            i--;
        Ref<Node> child;
        if (Node* known = node->child(i)) {
            child = Ref<Node>(*known);
        } else {
            DiskNodePointer disk;
            copy_bytes(&disk, page.value(i).data(), sizeof(disk));
            auto decoded = NodePointer::decode(disk);
            if (decoded.is_error() || decoded.value().is_null() || decoded.value().level + 1 != node->level())
                return false;
            pointer = decoded.value();
        }
        node = lcpfs::move(child);
    }
}

Result<bool> Tree::find(Bytes key, TreeCursor& cursor)
{
    LCPFS_UNINITIALIZED u8 left[k_max_key_bytes];
    u16 left_bytes;
    bool has_left;
    if (!TRY(descend(key, false, cursor, left, left_bytes, has_left)))
        return false;
    bool exact;
    cursor.m_index = lower_bound(*cursor.m_leaf, key, exact);
    return exact;
}

Result<bool> Tree::seek(Bytes key, TreeCursor& cursor)
{
    LCPFS_UNINITIALIZED u8 left[k_max_key_bytes];
    u16 left_bytes;
    bool has_left;
    if (!TRY(descend(key, false, cursor, left, left_bytes, has_left)))
        return false;
    bool exact;
    cursor.m_index = lower_bound(*cursor.m_leaf, key, exact);
    if (cursor.m_index < cursor.m_leaf->page().count())
        return true;
    cursor.m_index--;
    return next(cursor);
}

Result<bool> Tree::next(TreeCursor& cursor)
{
    LCPFS_UNINITIALIZED u8 target[k_max_key_bytes];
    LCPFS_UNINITIALIZED u8 left[k_max_key_bytes];
    u16 left_bytes;
    bool has_left;
    // Wraps to 0 when the index stands before the first item of an empty leaf, which a sound tree does not have.
    if (++cursor.m_index < cursor.m_leaf->page().count())
        return true;
    while (cursor.m_has_fence) {
        Bytes fence { target, cursor.m_fence_bytes };
        copy_bytes(target, cursor.m_fence, cursor.m_fence_bytes);
        if (!TRY(descend(fence, false, cursor, left, left_bytes, has_left)))
            return false;
        bool exact;
        cursor.m_index = cursor.m_leaf->page().lower_bound(fence, exact);
        if (cursor.m_index < cursor.m_leaf->page().count())
            return true;
        // Fences rise with every step, so this ends; a damaged tree must not turn it round.
        VERIFY_DISK(!cursor.m_has_fence || compare({ cursor.m_fence, cursor.m_fence_bytes }, fence) > 0, node_damaged);
    }
    return false;
}

Result<bool> Tree::seek_at_most(Bytes key, TreeCursor& cursor)
{
    LCPFS_UNINITIALIZED u8 left[k_max_key_bytes];
    LCPFS_UNINITIALIZED u8 bound[k_max_key_bytes];
    u16 left_bytes = 0;
    bool has_left;
    if (!TRY(descend(key, false, cursor, left, left_bytes, has_left)))
        return false;
    bool exact;
    u32 i = lower_bound(*cursor.m_leaf, key, exact);
    if (exact || i > 0) {
        cursor.m_index = exact ? i : i - 1;
        return true;
    }
    while (has_left) {
        Bytes below { bound, left_bytes };
        copy_bytes(bound, left, left_bytes);
        if (!TRY(descend(below, true, cursor, left, left_bytes, has_left)))
            return false;
        i = cursor.m_leaf->page().lower_bound(below, exact);
        if (i > 0) {
            cursor.m_index = i - 1;
            return true;
        }
        VERIFY_DISK(!has_left || compare({ left, left_bytes }, below) < 0, node_damaged);
    }
    return false;
}

}
