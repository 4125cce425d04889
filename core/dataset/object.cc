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
    for (ObjectVersion* version : m_closed)
        drop_version(version);
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

Status Object::prepare_change(TxgId txg, SpareVersion* spare)
{
    u64 dirty = m_dirty_txg.load();
    if (dirty == txg.value())
        return {};
    if (m_dataset.host().engine.refuses())
        return Error::read_only;
    if (dirty != 0 && !m_version_taken) {
        if (m_closed[1])
            return Error::contradiction; // a third group cannot be under way
        void* room = host_pool_alloc(m_dataset.host().versions, 0);
        if (!room && spare)
            lcpfs::swap(room, spare->m_room);
        if (!room)
            return Error::no_memory;
        ObjectVersion* kept = ::new (room) ObjectVersion();
        kept->txg = TxgId(dirty);
        kept->attributes = m_attributes;
        kept->tree = m_tree.version();
        kept->deleted = m_deleted;
        m_closed[m_closed[0] ? 1 : 0] = kept;
    }
    m_dirty_txg.store(txg.value());
    m_version_taken = false;
    m_dataset.add_dirty(*this, txg, m_is_new);
    m_is_new = false;
    return {};
}

void Object::drop_version(ObjectVersion* version)
{
    if (!version)
        return;
    version->~ObjectVersion();
    host_pool_free(m_dataset.host().versions, version);
}

ObjectVersion Object::take_version(TxgId txg)
{
    WriteGuard guard(m_lock);
    for (u32 i = 0; i < 2; i++) {
        if (!m_closed[i] || m_closed[i]->txg != txg)
            continue;
        ObjectVersion version = lcpfs::move(*m_closed[i]);
        drop_version(m_closed[i]);
        if (i == 0)
            m_closed[0] = m_closed[1];
        m_closed[1] = nullptr;
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

SpareVersion::SpareVersion(Dataset& dataset) : m_dataset(dataset), m_room(host_pool_alloc_reserved(dataset.host().versions)) {}
SpareVersion::~SpareVersion() { host_pool_free(m_dataset.host().versions, m_room); }

}
