// SPDX-License-Identifier: GPL-2.0-only
// RepairContext: what the parts of a repair share.
#pragma once

#include "core/check/findings.h"
#include "core/check/tree_walk.h"
#include "core/repair/claims.h"
#include "core/repair/repair.h"

namespace lcpfs {

struct RepairContext {
    RepairContext(Pool& pool_, Findings& findings_, TxgId txg_)
        : pool(pool_), findings(findings_), from(pool_.uberblock().txg), txg(txg_) {}
    Status start();
    // Copies of nodes that are damaged or gone, from ones that are whole: when the repaired group is committed, since what is damaged may
    // be the place of something else until then. What cannot be written stays as it was.
    Status mend_copies();
    void mend_copy(const NodePointer& pointer, u32 bad, u8* bytes);

    struct Row {
        DiskMetaslabEntry entry {};
        bool has_foreign_data { false };
    };
    Row* row_of(VdevId vdev, u64 metaslab);
    // Data of a dataset in `partition` stands there.
    void note_home(const Dva& dva, u64 partition);
    bool has_partition(u64 id) const;

    Pool& pool;
    Findings& findings;
    const TxgId from;   // the group that is repaired
    const TxgId txg;    // the one that is made
    Box<TreeWalk> tables; // walks tables
    Box<TreeWalk> bodies; // walks objects' trees meanwhile
    Box<RepairRoom> room;
    bool lacks_log { false }; // it could not be read
    Box<Claims> claims;
    Box<NodeBuilder> tables_builder, bodies_builder, xattrs_builder;
    struct BadCopy {
        NodePointer pointer;
        u32 copy { 0 };
    };
    Vector<BadCopy> bad_copies;
    // Nodes that the first walk over a dataset did not enter, by the tree and where they came in its walk. Sorted for the second.
    struct Refused {
        u8 kind { 0 };
        u64 object { 0 };
        u64 place { 0 };
        friend bool operator<(const Refused& a, const Refused& b)
        {
            if (a.object != b.object)
                return a.object < b.object;
            return a.kind != b.kind ? a.kind < b.kind : a.place < b.place;
        }
    };
    Vector<Refused> refused;
    Vector<u64> partitions; // ids
    Vector<HurtObject> hurt;
    Vector<Row> rows;       // of all metaslabs of all vdevs
    Vector<size_t> first_row;
    Error failure { Error::none }; // where none can be returned
};

// Walks a tree whose nodes stay in use if the tree is whole.
class RepairVisitor : public TreeVisitor {
public:
    explicit RepairVisitor(RepairContext& context) : m_context(context) {}
    bool node(const NodePointer& pointer, const TreeOwner& owner) override;
    void damage(const NodePointer& pointer, const TreeOwner& owner, u32 copy, Error error) override;
    void bad_copy(const NodePointer& pointer, u32 copy, Bytes good) override;
    bool is_damaged() const { return m_is_damaged; }
    void set_damaged() { m_is_damaged = true; }

protected:
    ~RepairVisitor() = default;
    RepairContext& m_context;

private:
    bool m_is_damaged { false };
    u64 m_place { 0 }; // in the walk
};

// The second time: goes where the first one went, and says nothing. One for each walk over a tree.
class RepairAgain : public TreeVisitor {
public:
    explicit RepairAgain(RepairContext& context) : m_context(context) {}
    bool node(const NodePointer& pointer, const TreeOwner& owner) override;

protected:
    ~RepairAgain() = default;
    RepairContext& m_context;

private:
    u64 m_place { 0 };
};

// The items of an object's tree, wherever its root is. An inline root that is malformed counts as damage.
template <typename Visitor>
Status walk_body(RepairContext& context, const RecordRoot& root, const TreeOwner& owner, Visitor& visitor, bool& is_damaged)
{
    if (root.form == RootForm::node)
        return context.bodies->walk(root.pointer, owner, visitor);
    if (root.form == RootForm::empty)
        return {};
    const Status status = walk_inline(root.items, [&](Bytes key, Bytes value) { return visitor.item(key, value); });
    if (status.error() != Error::node_damaged)
        return status.error();
    is_damaged = true;
    return {};
}

}
