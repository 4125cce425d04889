// SPDX-License-Identifier: GPL-2.0-only
// Tree: the copy-on-write B+tree that carries everything (format/node_format.h).
//
// Versions. A change in group T touches only nodes born in T: any other node on the path is copied first and the old
// one put on T's dead list. So the version that group T closed with stays whole while T+1 goes on, and nobody
// waits for a sync. `version()` takes that version; `TreeWriter` writes it; `free_dead` frees what T replaced;
// `settle` turns references to written nodes into pointers.
//
// Failure. Every change is prepare, then act. A prepare_* call does all that can fail (reads, copies, splits) and
// changes no content; after it insert/update/remove cannot fail in the same group as long as the lock is held.
// Several prepares may precede several acts if none of them prepares an insert next to another prepared insert
// (their room is not added up): prepare and act on those one by one.
//
// What a device holds is not trusted: a child has to be of the level below, to hold only keys that its parent's
// separators leave to it, and not to have been replaced already, as a node named twice would be. Anything else is
// node_damaged, logged with object and address, and the tree is left as it was.
//
// dirty_bytes. A node counts from the making on until it is written, dropped, or the tree goes. What counts is what the disk will
// take: a page smaller than a node is one that is bound to stand inline in its owner's record.
//
// Locking: the owner's lock (object, object_table, pool_tree, metaslab_table): shared for cursors, exclusive for
// all else, but for TreeWriter, which works on a closed version without it.
#pragma once

#include "core/alloc/allocator.h"
#include "core/cache/node_cache.h"
#include "core/format/xattr_format.h"

namespace lcpfs {

// What all trees of a pool share.
struct TreeContext {
    TreeContext(NodeCache& cache_, Allocator& allocator_, u32 copies_, ChecksumKind checksum_kind_)
        : cache(cache_), allocator(allocator_), copies(copies_), checksum_kind(checksum_kind_) {}
    NodeCache& cache;
    Allocator& allocator;
    u32 copies;
    ChecksumKind checksum_kind;
    Atomic<u64> dirty_bytes { 0 };    // of nodes not yet written: what one copy of them may take on disk
    Atomic<u64> node_writes { 0 };

    // What it will take: a page smaller than a node is bound to stand in a record (Tree::make_room).
    static u64 disk_bytes(const Node& node) { return node.page().capacity(); }
};

using DeadList = List<Node, &Node::m_dead_link>;
using WrittenList = List<Node, &Node::m_written_link>;

// How large a tree is, from its root: height counts levels (1: the root is a leaf).
struct TreeShape {
    u32 height { 1 };
    u32 root_count { 1 }; // children of the root; 1 for a leaf
};

// A root: at most one of the two is set.
struct TreeVersion {
    Ref<Node> root;       // dirty, or small and inline
    NodePointer pointer;  // on disk
};

// A position in the leaves. Valid while the tree's lock is held and nothing is changed.
class TreeCursor {
public:
    Bytes key() const { return m_leaf->page().key(m_index); }
    Bytes value() const { return m_leaf->page().value(m_index); }
    // Lets go of the leaf: valid no more.
    void reset() { m_leaf.reset(); }
    // The key as a 64-bit number; keys of another size were refused by the caller's look at key().size().
    u64 number() const;

private:
    friend class Tree;
    Ref<Node> m_leaf;
    u32 m_index { 0 };
    bool m_has_fence { false };
    u16 m_fence_bytes { 0 };
    u8 m_fence[k_max_key_bytes]; // lowest key of what follows the leaf
};

class Tree;

// While it lives, the tree remembers the leaf that it reached last, and what it covers: keys of 8 bytes that are in it are found,
// prepared and changed without coming down from the root again. Replacing a part of a file asks the tree ten times for the same leaf.
// For one hold of the tree's lock, exclusive, around all of it. One inside another has no effect.
class TreeFocus {
public:
    explicit TreeFocus(Tree& tree);
    ~TreeFocus();
    TreeFocus(const TreeFocus&) = delete;

private:
    friend class Tree;
    Tree& m_tree;
    bool m_is_inner;
    Ref<Node> m_leaf; // never the root
    u32 m_index { NodePage::k_no_hint }; // in it, about where the last key was: what is asked for next is there or beside it
    u64 m_low { 0 }, m_high { 0 };
    bool m_has_low { false }, m_has_high { false };
};

class Tree {
public:
    // `must`: of changes. Cursors may fail but in a scope of MustScope.
    Tree(TreeContext& context, const TreeOwner& owner, Must must) : m_context(context), m_owner(owner), m_must(must) {}
    ~Tree();
    Tree(const Tree&) = delete;

    const TreeOwner& owner() const { return m_owner; }
    TreeContext& context() { return m_context; }
    Must must() const { return m_must; }
    bool is_empty() const { return m_root ? m_root->page().count() == 0 : m_pointer.is_null(); }
    // Start from what a record says. Sleepable.
    void start_from(const NodePointer& pointer) { m_pointer = pointer; }
    Status start_from_inline(Bytes items);

    // False: no such item.
    Result<bool> find(Bytes key, TreeCursor& cursor);         // exactly `key`
    Result<bool> seek(Bytes key, TreeCursor& cursor);         // first >= key
    Result<bool> seek_at_most(Bytes key, TreeCursor& cursor); // last <= key
    Result<bool> next(TreeCursor& cursor);
    // Whether the nodes on the way to where `key` is or would be are all in memory. A hint: they may be gone the next moment.
    bool is_in_memory(Bytes key);

    Status prepare_insert(TxgId txg, Bytes key, u32 value_bytes);
    Status prepare_change(TxgId txg, Bytes key);
    // For an update to a value of the same size: touches nothing but the path to it.
    Status prepare_update(TxgId txg, Bytes key);
    // For an item that gives way to several, which take `more_bytes` more than it, slots included, and of which the last has the key
    // `last`: that may belong to another leaf, and then it is false.
    Result<bool> prepare_divide(TxgId txg, Bytes key, Bytes last, u32 more_bytes);
    // After prepare_insert with at least this size. A key that is there already gets the new value: false.
    bool insert(Bytes key, Bytes value);
    // After prepare_update; another size needs prepare_insert with the new size. False, nothing changed: no such key.
    bool update(Bytes key, Bytes value);
    // After prepare_divide. The items are in order, the first under `key` itself. False, nothing changed: no such key.
    bool divide(Bytes key, Span<const NodeItem> items);
    // After prepare_change. False, nothing changed: no such key.
    bool remove(TxgId txg, Bytes key);

    // Changes and reads of a scope in which everything is to be found memory for. The tree's lock exclusive.
    class MustScope {
    public:
        MustScope(Tree& tree, Must must) : m_tree(tree), m_changes(tree.m_must), m_reads(tree.m_read_must)
        {
            tree.m_must = tree.m_read_must = must;
        }
        ~MustScope()
        {
            m_tree.m_must = m_changes;
            m_tree.m_read_must = m_reads;
        }
        MustScope(const MustScope&) = delete;

    private:
        Tree& m_tree;
        Must m_changes, m_reads;
    };

    Result<TreeShape> shape(); // reads the root
    // Adds the first nodes right below the root, if that is in memory, to what is to be read ahead.
    Status add_below_root(Vector<NodeCache::Wanted>& wanted, u32 most);

    // ---- for the sync of group `txg`
    TreeVersion version() const { return { m_root, m_pointer }; }
    // Frees the nodes that `txg` replaced. Their blocks are freed in `txg`.
    Status free_dead(TxgId txg);
    // After the writes of `txg` are on disk: `written` are the nodes written for this tree.
    void settle(WrittenList& written);

private:
    // Keys from `low` (empty: from the lowest) to before `high` (empty: to the highest).
    struct KeyRange {
        Bytes low, high;
    };
    static KeyRange child_range(const NodePage& parent, u32 i, const KeyRange& range);
    bool is_inside(const NodePage& page, const KeyRange& range) const;
    Status damaged(const NodePointer& pointer, const char* what) const;
    Result<Ref<Node>> root_node(Must must);
    Result<Ref<Node>> get_child(const Node& parent, const DiskNodePointer& disk, Must must);
    Result<Ref<Node>> child_of(Node& parent, u32 i, const KeyRange& range, Must must);
    Result<bool> descend(Bytes key, bool strictly_below, TreeCursor& cursor, u8* left_fence, u16& left_fence_bytes, bool& has_left);
    Result<Ref<Node>> writable_root(TxgId txg);
    Result<Ref<Node>> writable_child(TxgId txg, Node& parent, u32 i, const KeyRange& range);
    Result<Ref<Node>> replace(Node& old, TxgId txg);
    Status make_room(TxgId txg, Node& node, u32 cost);
    Status split_root(TxgId txg, Bytes key);
    Status split_child(TxgId txg, Node& parent, u32 i, Bytes key);
    bool has_room(const Node& node, u32 leaf_cost) const;
    // Room for `cost` more in the leaf that covers `key`.
    Status prepare_room(TxgId txg, Bytes key, u32 cost);
    void drop_child(Node& parent, u32 i);
    void try_merge(TxgId txg, Node& parent, u32 i);
    static bool is_changing(const Node& node, TxgId txg) { return node.birth() == txg && node.state() == Node::State::dirty; }
    void collapse_root(TxgId txg);
    void prepare_merge(TxgId txg, Node& parent, u32 i, const KeyRange& range);
    Node* resident_leaf(Bytes key);
    friend class TreeFocus;
    static u64 number_of(Bytes key)
    {
        BigEndianKey number;
        copy_bytes(&number, key.data(), sizeof(number));
        return number.get();
    }
    // The remembered leaf, if it covers `key`.
    Node* near_leaf(Bytes key) const;
    // The same, if it belongs to the group already and with it everything above.
    Node* near_leaf(TxgId txg, Bytes key) const;
    void remember(Node& leaf, const KeyRange& range);
    // NodePage::lower_bound in a leaf.
    u32 lower_bound(const Node& leaf, Bytes key, bool& exact) const;
    void forget()
    {
        if (m_focus)
            m_focus->m_leaf.reset();
    }
    // 0: always in nodes.
    u32 inline_limit() const
    {
        if (m_owner.kind == TreeKind::extents || m_owner.kind == TreeKind::directory)
            return k_inline_root_bytes;
        return m_owner.kind == TreeKind::xattrs ? k_inline_xattr_bytes : 0;
    }
    void charge(const Node& node) { m_context.dirty_bytes.add(m_context.disk_bytes(node)); }
    void discharge(const Node& node) { m_context.dirty_bytes.sub(m_context.disk_bytes(node)); }
    void discharge_below(Node& node);
    u32 interior_cost() const { return NodePage::item_cost(k_max_key_bytes, sizeof(DiskNodePointer)); }

    TreeContext& m_context;
    TreeOwner m_owner;
    Must m_must;
    Must m_read_must { Must::may_fail };
    Ref<Node> m_root;
    NodePointer m_pointer;
    DeadList m_dead[4]; // by txg & 3
    TreeFocus* m_focus { nullptr };
};

inline Node* Tree::near_leaf(Bytes key) const
{
    if (!m_focus || !m_focus->m_leaf || key.size() != 8)
        return nullptr;
    const u64 number = number_of(key);
    return number >= m_focus->m_low && (!m_focus->m_has_high || number < m_focus->m_high) ? m_focus->m_leaf.get() : nullptr;
}

inline Node* Tree::near_leaf(TxgId txg, Bytes key) const
{
    Node* leaf = near_leaf(key);
    return leaf && is_changing(*leaf, txg) ? leaf : nullptr;
}

inline u32 Tree::lower_bound(const Node& leaf, Bytes key, bool& exact) const
{
    if (!m_focus || m_focus->m_leaf.get() != &leaf)
        return leaf.page().lower_bound(key, exact);
    m_focus->m_index = leaf.page().lower_bound(key, m_focus->m_index, exact);
    return m_focus->m_index;
}

// Writes one closed version of a tree, bottom-up, each dirty node once, in `copies` places.
class TreeWriter {
public:
    TreeWriter(TreeContext& context, IoBatch& batch) : m_context(context), m_batch(batch) {}

    // Places for all dirty nodes that have none yet (metaslab table: places first, contents later).
    Status assign(const TreeVersion& version);
    // Writes the dirty nodes; adds them to `written`. Gives the root's pointer (null: empty). A root that is a leaf of at most
    // `inline_limit` bytes of items is not written: see encode_inline.
    Result<NodePointer> write(const TreeVersion& version, u32 inline_limit, WrittenList& written);
    static bool is_inline(const TreeVersion& version, u32 inline_limit);
    // Items of an inline root: k_inline_root_bytes at most; gives the number of bytes.
    static u32 encode_inline(const TreeVersion& version, MutableBytes out) { return encode_inline(version.root->page(), out); }
    static u32 encode_inline(const NodePage& page, MutableBytes out);
    static u32 inline_bytes(const NodePage& page);

private:
    Status assign_node(Node& node);
    Status assign_below(Node& node);
    Status write_below(Node& node, WrittenList& written);
    void emit(Node& node, WrittenList& written);

    TreeContext& m_context;
    IoBatch& m_batch;
};

}
