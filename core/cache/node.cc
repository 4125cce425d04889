// SPDX-License-Identifier: GPL-2.0-only
#include "core/cache/node.h"

#include "core/cache/node_cache.h"

namespace lcpfs {

void Node::set_child(u32 i, Ref<Node> node)
{
    Node* old = m_children[i];
    m_children[i] = node.leak();
    if (old)
        old->unreference();
}

void Node::insert_child(u32 i, Ref<Node> node)
{
    move_bytes(m_children + i + 1, m_children + i, (m_page.count() - i) * sizeof(Node*));
    m_children[i] = node.leak();
}

void Node::remove_child(u32 i)
{
    Node* old = m_children[i];
    move_bytes(m_children + i, m_children + i + 1, (m_page.count() - i - 1) * sizeof(Node*));
    m_children[m_page.count() - 1] = nullptr;
    if (old)
        old->unreference();
}

void Node::mark_written(const NodePointer& pointer)
{
    m_pointer = pointer;
    set_state(State::written);
}

void Node::last_reference_dropped()
{
    m_cache.destroy(*this);
}

}
