// SPDX-License-Identifier: GPL-2.0-only
#include "core/dataset/object.h"

#include "core/dataset/dataset.h"

namespace lcpfs {

ObjectXattrs::~ObjectXattrs()
{
    while (Node* node = written.pop_front())
        node->unreference();
}

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

static Status start_tree(Tree& tree, const RecordRoot& root)
{
    if (root.form == RootForm::node)
        tree.start_from(root.pointer);
    else if (root.form == RootForm::inlined)
        return tree.start_from_inline(root.items);
    return {};
}

Status Object::start(const ObjectAttributes& attributes, const RecordRoots& roots) NO_THREAD_SAFETY_ANALYSIS
{
    m_attributes = attributes;
    m_is_new = false;
    TRY(start_tree(m_tree, roots.body));
    if (roots.xattrs.form == RootForm::empty)
        return {};
    Tree* const xattrs = TRY(make_xattrs());
    return start_tree(*xattrs, roots.xattrs);
}

Result<Tree*> Object::make_xattrs()
{
    if (!m_xattrs)
        m_xattrs = TRY(make_box<ObjectXattrs>(m_tree.context(), TreeOwner { TreeKind::xattrs, m_dataset.id().value(), m_id.value() }));
    return &m_xattrs->tree;
}

bool Object::may_have_shares() const { return m_attributes.has_shares() || compression().is_on(); }

static CompressionChoice compression_of(const Dataset& dataset, u32 flags)
{
    const CompressionChoice choice = dataset.data_ways().compression;
    return choice.is_on() || !(flags & k_flag_compressed) ? choice : k_choice_by_flag;
}

CompressionChoice Object::compression() const { return compression_of(m_dataset, m_attributes.flags); }

Object::Ways Object::ways_now() const
{
    const u32 state = __atomic_load_n(&m_attributes.state, __ATOMIC_RELAXED);
    const CompressionChoice choice = compression_of(m_dataset, __atomic_load_n(&m_attributes.flags, __ATOMIC_RELAXED));
    return { (state & k_object_has_shares) != 0 || choice.is_on(), (state & k_object_has_unwritten) != 0, choice };
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
        fill_version(*kept, TxgId(dirty));
        m_closed[m_closed[0] ? 1 : 0] = kept;
    }
    m_dirty_txg.store(txg.value());
    m_version_taken = false;
    m_dataset.add_dirty(*this, txg, m_is_new);
    m_is_new = false;
    return {};
}

void Object::fill_version(ObjectVersion& version, TxgId txg)
{
    version.txg = txg;
    version.attributes = m_attributes;
    version.tree = m_tree.version();
    if (m_xattrs) {
        version.xattrs = m_xattrs->tree.version();
        version.xattrs_of = m_xattrs.get();
    }
    version.deleted = m_deleted;
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
    fill_version(version, txg);
    return version;
}

void Object::last_reference_dropped() { m_dataset.drop(*this); }

SpareVersion::SpareVersion(Dataset& dataset) : m_dataset(dataset), m_room(host_pool_alloc_reserved(dataset.host().versions)) {}
SpareVersion::~SpareVersion() { host_pool_free(m_dataset.host().versions, m_room); }

}
