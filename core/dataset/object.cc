// SPDX-License-Identifier: GPL-2.0-only
#include "core/dataset/object.h"

#include "core/dataset/dataset.h"

namespace lcpfs {

Object::Object(Dataset& dataset, ObjectId id, TreeContext& trees, TreeKind kind)
    : m_tree(trees, TreeOwner { kind, dataset.id().value(), id.value() }, Must::may_fail), m_dataset(dataset), m_id(id)
{
    for (DirtyEntry& entry : m_dirty)
        entry.object = this;
}

Object::~Object()
{
    while (Node* node = m_written.pop_front())
        node->unreference();
}

Status Object::start(const ObjectAttributes& attributes, const RecordRoot& root) NO_THREAD_SAFETY_ANALYSIS
{
    m_attributes = attributes;
    m_is_new = false;
    if (root.form == RootForm::node)
        m_tree.start_from(root.pointer);
    else if (root.form == RootForm::inlined)
        TRY(m_tree.start_from_inline(root.items));
    return {};
}

Status Object::prepare_change(TxgId txg)
{
    u64 dirty = m_dirty_txg.load();
    if (dirty == txg.value())
        return {};
    if (dirty != 0 && !m_version_taken) {
        TRY(m_closed.reserve(2));
        Box<ObjectVersion> kept = TRY(make_box<ObjectVersion>());
        kept->txg = TxgId(dirty);
        kept->attributes = m_attributes;
        kept->tree = m_tree.version();
        kept->deleted = m_deleted;
        TRY(m_closed.push_back(lcpfs::move(kept)));
    }
    m_dirty_txg.store(txg.value());
    m_version_taken = false;
    m_dataset.add_dirty(*this, txg, m_is_new);
    m_is_new = false;
    return {};
}

ObjectVersion Object::take_version(TxgId txg)
{
    WriteGuard guard(m_lock);
    for (size_t i = 0; i < m_closed.size(); i++) {
        if (m_closed[i]->txg != txg)
            continue;
        ObjectVersion version = lcpfs::move(*m_closed[i]);
        for (size_t j = i + 1; j < m_closed.size(); j++)
            m_closed[j - 1] = lcpfs::move(m_closed[j]);
        m_closed.pop_back();
        return version;
    }
    m_version_taken = true;
    ObjectVersion version;
    version.txg = txg;
    version.attributes = m_attributes;
    version.tree = m_tree.version();
    version.deleted = m_deleted;
    return version;
}

void Object::last_reference_dropped() { m_dataset.drop(*this); }

}
