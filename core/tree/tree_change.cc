// SPDX-License-Identifier: GPL-2.0-only
// Tree: preparing and making changes.
#include "core/tree/tree.h"

namespace lcpfs {

Result<Ref<Node>> Tree::replace(Node& old, TxgId txg)
{
    if (old.m_dead_link.is_linked())
        return damaged(old.pointer(), "the tree names it twice").error();
    // A node written by a sync under way has its metaslab in memory already.
    if (old.state() == Node::State::clean)
        for (u32 i = 0; i < old.pointer().copies; i++)
            TRY(m_context.allocator.prepare_free(old.pointer().dva[i], m_must));
    Ref<Node> made = TRY(m_context.cache.copy(old, txg, m_must));
    charge(*made);
    old.reference();
    m_dead[txg.value() & 3].push_back(old);
    return made;
}

Result<Ref<Node>> Tree::writable_root(TxgId txg)
{
    if (m_root && is_changing(*m_root, txg))
        return m_root;
    if (!m_root && m_pointer.is_null()) {
        m_root = TRY(m_context.cache.make(m_owner, 0, txg, inline_limit() ? 0 : m_context.cache.node_bytes(), m_must));
        charge(*m_root);
        return m_root;
    }
    Ref<Node> old = TRY(root_node(m_must));
    m_root = TRY(replace(*old, txg));
    m_pointer = NodePointer();
    return m_root;
}

// `range` is the parent's.
Result<Ref<Node>> Tree::writable_child(TxgId txg, Node& parent, u32 i, const KeyRange& range)
{
    Ref<Node> child = TRY(child_of(parent, i, child_range(parent.page(), i, range), m_must));
    if (is_changing(*child, txg))
        return child;
    Ref<Node> made = TRY(replace(*child, txg));
    parent.set_child(i, made);
    return made;
}

// A leaf that is nearly full is not compacted again and again for the little that brings: it is split sooner. What goes in may need a few
// bytes more in one piece than it adds (NodePage::replace_with).
bool Tree::has_room(const Node& node, u32 leaf_cost) const
{
    const NodePage& page = node.page();
    if (node.level() > 0)
        return page.can_hold(interior_cost());
    const u32 room = page.room(), node_bytes = m_context.cache.node_bytes();
    if (room >= node_bytes / 8 || page.capacity() < node_bytes)
        return room >= leaf_cost;
    return page.contiguous_room() >= min(room, leaf_cost + node_bytes / 64) && room >= leaf_cost;
}

// Enlarges a small page, to full size when it would outgrow its owner's record; room at full size is a split's business.
Status Tree::make_room(TxgId, Node& node, u32 cost)
{
    const NodePage& page = node.page();
    if (node.level() > 0 || page.capacity() == m_context.cache.node_bytes())
        return {};
    const bool stays_inline = TreeWriter::inline_bytes(page) + cost <= inline_limit();
    if (stays_inline && page.can_hold(cost))
        return {};
    discharge(node);
    Status status = m_context.cache.grow(node, stays_inline ? cost : m_context.cache.node_bytes(), m_must);
    charge(node);
    return status;
}

Status Tree::split_child(TxgId txg, Node& parent, u32 i, Bytes key)
{
    Node& left = *parent.child(i);
    NodePage& left_page = left.page();
    u32 count = left_page.count();
    Ref<Node> right = TRY(m_context.cache.make(m_owner, left.level(), txg, m_context.cache.node_bytes(), m_must));
    charge(*right);
    // Appending at the end of the tree keeps the left node full; otherwise half the bytes each.
    u32 at = count - 1;
    if (compare(key, left_page.key(count - 1)) < 0 || i + 1 < parent.page().count()) {
        u32 bytes = 0;
        at = 0;
        while (at < count - 1 && bytes < left_page.used_bytes() / 2) {
            bytes += NodePage::item_cost(left_page.key(at).size(), left_page.value(at).size());
            at++;
        }
        if (at == 0)
            at = 1;
    }
    u8 separator[k_max_key_bytes];
    Bytes first = left_page.key(at);
    Bytes separator_key { separator, first.size() };
    copy_bytes(separator, first.data(), first.size());
    if (left.level() > 0) {
        for (u32 j = at; j < count; j++) {
            right->insert_child(j - at, left.child(j) ? Ref<Node>(*left.child(j)) : Ref<Node>());
            right->page().insert(j - at, j == at ? Bytes() : left_page.key(j), left_page.value(j));
        }
        for (u32 j = count; j > at; j--) {
            left.remove_child(j - 1);
            left_page.remove(j - 1);
        }
    } else {
        right->page().append_from(left_page, at, count);
        left_page.truncate_items(at);
    }
    DiskNodePointer unresolved {};
    parent.insert_child(i + 1, lcpfs::move(right));
    parent.page().insert(i + 1, separator_key, bytes_of(unresolved));
    return {};
}

Status Tree::split_root(TxgId txg, Bytes key)
{
    VERIFY_DISK(m_root->level() + 1u < k_max_tree_height, node_damaged);
    Ref<Node> top = TRY(m_context.cache.make(m_owner, static_cast<u8>(m_root->level() + 1), txg, m_context.cache.node_bytes(), m_must));
    charge(*top);
    DiskNodePointer unresolved {};
    top->insert_child(0, m_root);
    top->page().insert(0, Bytes(), bytes_of(unresolved));
    Status status = split_child(txg, *top, 0, key);
    if (status.is_error()) {
        discharge(*top);
        return status;
    }
    m_root = lcpfs::move(top);
    return {};
}

Status Tree::prepare_insert(TxgId txg, Bytes key, u32 value_bytes)
{
    return prepare_room(txg, key, NodePage::item_cost(key.size(), value_bytes));
}

Status Tree::prepare_room(TxgId txg, Bytes key, u32 cost)
{
    if (Node* leaf = near_leaf(txg, key); leaf && has_room(*leaf, cost))
        return {};
    forget();
    Ref<Node> node = TRY(writable_root(txg));
    TRY(make_room(txg, *node, cost));
    if (!has_room(*node, cost)) {
        TRY(split_root(txg, key));
        node = m_root;
    }
    KeyRange range; // keys in the pages above, which stay and do not change
    while (node->level() > 0) {
        u32 i = node->page().child_index(key);
        Ref<Node> child = TRY(writable_child(txg, *node, i, range));
        if (!has_room(*child, cost)) {
            TRY(split_child(txg, *node, i, key));
            i = node->page().child_index(key);
            child = Ref<Node>(*node->child(i));
        }
        range = child_range(node->page(), i, range);
        node = lcpfs::move(child);
    }
    remember(*node, range);
    return {};
}

Result<bool> Tree::prepare_divide(TxgId txg, Bytes key, Bytes last, u32 more_bytes)
{
    if (Node* leaf = near_leaf(txg, key); leaf && has_room(*leaf, more_bytes))
        return leaf == near_leaf(last);
    TRY(prepare_room(txg, key, more_bytes));
    return resident_leaf(key) == resident_leaf(last);
}

// A sparse node's neighbour is made writable too, so that the removal can merge them. Failing to is no failure, and not
// worth memory that is short.
void Tree::prepare_merge(TxgId txg, Node& parent, u32 i, const KeyRange& range)
{
    if (parent.page().count() < 2 || m_must == Must::kit)
        return;
    u32 neighbour = i + 1 < parent.page().count() ? i + 1 : i - 1;
    (void)writable_child(txg, parent, neighbour, range).is_ok();
}

Status Tree::prepare_change(TxgId txg, Bytes key)
{
    if (is_empty())
        return {};
    if (Node* leaf = near_leaf(txg, key); leaf && leaf->page().used_bytes() >= m_context.cache.node_bytes() / 4)
        return {};
    forget();
    Ref<Node> node = TRY(writable_root(txg));
    KeyRange range;
    while (node->level() > 0) {
        u32 i = node->page().child_index(key);
        Ref<Node> child = TRY(writable_child(txg, *node, i, range));
        if (child->page().used_bytes() < m_context.cache.node_bytes() / 4)
            prepare_merge(txg, *node, i, range);
        range = child_range(node->page(), i, range);
        node = lcpfs::move(child);
    }
    remember(*node, range);
    return {};
}

Status Tree::prepare_update(TxgId txg, Bytes key)
{
    if (is_empty() || near_leaf(txg, key))
        return {};
    forget();
    Ref<Node> node = TRY(writable_root(txg));
    KeyRange range;
    while (node->level() > 0) {
        u32 i = node->page().child_index(key);
        Ref<Node> child = TRY(writable_child(txg, *node, i, range));
        range = child_range(node->page(), i, range);
        node = lcpfs::move(child);
    }
    remember(*node, range);
    return {};
}

// The leaf that a prepare_* has made writable; null: the tree is empty, or nothing was prepared for this key.
Node* Tree::resident_leaf(Bytes key)
{
    if (Node* leaf = near_leaf(key); leaf && leaf->state() == Node::State::dirty)
        return leaf;
    Node* node = m_root.get();
    while (node && node->level() > 0)
        node = node->child(node->page().child_index(key));
    return node;
}

bool Tree::insert(Bytes key, Bytes value)
{
    Node* leaf = resident_leaf(key);
    if (!leaf)
        return false;
    bool exact;
    u32 i = lower_bound(*leaf, key, exact);
    if (exact)
        leaf->page().replace_value(i, value);
    else
        leaf->page().insert(i, key, value);
    return !exact;
}

bool Tree::update(Bytes key, Bytes value)
{
    Node* leaf = resident_leaf(key);
    bool exact = false;
    u32 i = leaf ? lower_bound(*leaf, key, exact) : 0;
    if (exact)
        leaf->page().replace_value(i, value);
    return exact;
}

bool Tree::divide(Bytes key, Span<const NodeItem> items)
{
    Node* leaf = resident_leaf(key);
    bool exact = false;
    u32 i = leaf ? lower_bound(*leaf, key, exact) : 0;
    if (exact)
        leaf->page().replace_with(i, items);
    return exact;
}

// Takes child `i`, born in this group and empty or merged away, out of its parent.
void Tree::drop_child(Node& parent, u32 i)
{
    discharge(*parent.child(i));
    parent.remove_child(i);
    parent.page().remove(i);
    if (i == 0 && parent.page().count() > 0)
        parent.page().replace_key(0, Bytes());
}

void Tree::try_merge(TxgId txg, Node& parent, u32 i)
{
    if (parent.page().count() < 2)
        return;
    u32 right_index = i + 1 < parent.page().count() ? i + 1 : i;
    Node* left = parent.child(right_index - 1);
    Node* right = parent.child(right_index);
    if (!left || !right || !is_changing(*left, txg) || !is_changing(*right, txg))
        return;
    u32 limit = (m_context.cache.node_bytes() - sizeof(DiskNodeHeader)) * 3 / 4;
    if (left->page().used_bytes() + right->page().used_bytes() + k_max_key_bytes > limit)
        return;
    if (left->level() > 0) {
        for (u32 j = 0; j < right->page().count(); j++) {
            u32 end = left->page().count();
            left->insert_child(end, right->child(j) ? Ref<Node>(*right->child(j)) : Ref<Node>());
            left->page().insert(end, j == 0 ? parent.page().key(right_index) : right->page().key(j), right->page().value(j));
        }
    } else {
        left->page().append_from(right->page(), 0, right->page().count());
    }
    drop_child(parent, right_index);
}

// A root of one child gives way to it, as long as it is this group's own: another may belong to a closed version.
void Tree::collapse_root(TxgId txg)
{
    while (m_root && m_root->level() > 0 && m_root->page().count() == 1 && is_changing(*m_root, txg)) {
        if (Node* child = m_root->child(0)) {
            Ref<Node> kept(*child);
            discharge(*m_root);
            m_root = lcpfs::move(kept);
            continue;
        }
        DiskNodePointer disk;
        copy_bytes(&disk, m_root->page().value(0).data(), sizeof(disk));
        auto pointer = NodePointer::decode(disk);
        if (pointer.is_error() || pointer.value().is_null())
            return;
        discharge(*m_root);
        m_root.reset();
        m_pointer = pointer.value();
    }
}

bool Tree::remove(TxgId txg, Bytes key)
{
    forget();
    Node* path[k_max_tree_height + 1];
    u32 index[k_max_tree_height + 1];
    u32 depth = 0;
    Node* node = m_root.get();
    while (node && node->level() > 0 && depth <= k_max_tree_height) {
        path[depth] = node;
        index[depth] = node->page().child_index(key);
        node = node->child(index[depth]);
        depth++;
    }
    bool exact = false;
    u32 i = node && node->level() == 0 ? node->page().lower_bound(key, exact) : 0;
    if (!exact)
        return false;
    node->page().remove(i);
    while (depth > 0) {
        Node& parent = *path[--depth];
        Node& child = *parent.child(index[depth]);
        if (child.page().count() == 0)
            drop_child(parent, index[depth]);
        else if (child.page().used_bytes() < m_context.cache.node_bytes() / 4)
            try_merge(txg, parent, index[depth]);
    }
    if (m_root->page().count() == 0) {
        discharge(*m_root);
        m_root.reset();
        m_pointer = NodePointer();
        return true;
    }
    collapse_root(txg);
    return true;
}

}
