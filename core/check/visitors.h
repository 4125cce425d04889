// SPDX-License-Identifier: GPL-2.0-only
// Accounting: what every first walk of a tree does with nodes; the walks of the single trees add what to do with items.
#pragma once

#include "core/check/checker.h"

namespace lcpfs {

class Checker::Accounting : public TreeVisitor {
public:
    explicit Accounting(Checker& checker) : m_checker(checker) {}

    bool node(const NodePointer& pointer, const TreeOwner& owner) override
    {
        bool mine = pointer.size_bytes == m_checker.m_pool.cache().node_bytes() && pointer.birth <= m_checker.m_txg;
        if (!mine)
            damage(pointer, owner, k_max_copies, Error::node_damaged);
        for (u32 copy = 0; copy < pointer.copies && mine; copy++)
            mine = m_checker.claim(pointer.dva[copy], owner, "a node") && mine;
        m_checker.m_nodes_walked++;
        m_checker.m_findings.report().nodes++;
        return mine;
    }

    void damage(const NodePointer& pointer, const TreeOwner& owner, u32 copy, Error error) override
    {
        Findings& findings = m_checker.m_findings;
        if (copy < k_max_copies) {
            findings.say_of(owner, "copy ", u64(copy + 1), " of the node at device ", u64(pointer.dva[copy].vdev.value()), " block ",
                            pointer.dva[copy].block, ": ", text_of(error));
        } else {
            m_checker.m_incomplete = true;
            findings.say_of(owner, "level ", u64(pointer.level), " node at device ", u64(pointer.dva[0].vdev.value()), " block ",
                            pointer.dva[0].block, " cannot be used: ", text_of(error));
        }
    }

protected:
    ~Accounting() = default;
    Checker& m_checker;
};

// The items of an object's tree, wherever its root is.
template <typename Visitor, typename Body>
Status Checker::walk_root(TreeWalk& walk, const RecordRoot& root, const TreeOwner& owner, Visitor& visitor, Body item)
{
    switch (root.form) {
    case RootForm::empty:
        return {};
    case RootForm::node:
        return walk.walk(root.pointer, owner, visitor);
    case RootForm::inlined:
        break;
    }
    const Status status = walk_inline(root.items, item);
    if (status.is_error() && status.error() == Error::node_damaged) {
        m_incomplete = true;
        m_findings.say("object ", owner.object, ": the tree inside its record is malformed");
        return {};
    }
    return status.error();
}

}
