// SPDX-License-Identifier: GPL-2.0-only
// A dataset that is repaired: its trees anew, from what stays of them.
#include "core/repair/dataset.h"

namespace lcpfs {

class DatasetRepair::NewTable final : public RepairAgain {
public:
    explicit NewTable(DatasetRepair& repair) : RepairAgain(repair.m_context), m_repair(repair) {}
    Status item(Bytes key, Bytes value) override
    {
        BigEndianKey id;
        if (key.size() != 8)
            return {};
        copy_bytes(&id, key.data(), 8);
        return m_repair.rewrite_object(id.get(), value);
    }

private:
    DatasetRepair& m_repair;
};

class DatasetRepair::NewExtents final : public RepairAgain {
public:
    NewExtents(DatasetRepair& repair, u64 object, const ObjectAttributes& attributes)
        : RepairAgain(repair.m_context), m_repair(repair), m_object(object), m_sieve(attributes, repair.m_context.from)
    {
    }
    Status item(Bytes key, Bytes value) override
    {
        Extent extent;
        if (!m_sieve.fits(key, value, extent) || m_repair.is_dropped(m_object, extent.file_block))
            return {};
        if (TRY(m_context.bodies_builder->add(key, value)))
            m_sieve.take(extent);
        return {};
    }

private:
    DatasetRepair& m_repair;
    const u64 m_object;
    ExtentSieve m_sieve;
};

// Old names that stay and new ones, in the order of their cookies.
class DatasetRepair::NewNames final : public RepairAgain {
public:
    NewNames(DatasetRepair& repair, const RepairObject& directory, Span<NewName> added)
        : RepairAgain(repair.m_context), m_repair(repair), m_directory(directory), m_added(added)
    {
    }
    Status item(Bytes key, Bytes value) override
    {
        Result<Name> decoded = Name::decode(key, value);
        u8 type = 0;
        if (decoded.is_error() || decoded.value().cookie <= m_last)
            return {};
        const Name& name = decoded.value();
        if (m_twins.is_twin(name))
            return {};
        const NameVerdict verdict = m_repair.judge(m_directory, name, type);
        if (verdict == NameVerdict::goes)
            return {};
        TRY(add_until(name.cookie));
        m_last = name.cookie;
        if (verdict == NameVerdict::changes)
            return put(name.cookie, name.object, type, name.text);
        m_size_bytes += name_cost(name.text.size());
        return m_context.bodies_builder->add(key, value).error();
    }
    // Those before `cookie`; one that has it makes room.
    Status add_until(u64 cookie)
    {
        for (; m_next < m_added.size() && m_added[m_next].cookie <= cookie; m_next++) {
            NewName& name = m_added[m_next];
            if (name.cookie <= m_last)
                name.cookie = m_last + 1;
            if (name.cookie >= cookie) {
                name.cookie = cookie + 1;
                return {};
            }
            TRY(put(name.cookie, name.object, name.type, { name.text, name.bytes }));
            m_last = name.cookie;
        }
        return {};
    }
    u64 size_bytes() const { return m_size_bytes; }

private:
    Status put(u64 cookie, u64 object, u8 type, Bytes text)
    {
        const BigEndianKey key(cookie);
        const u32 bytes = encode_name(object, type, text, m_value);
        m_size_bytes += name_cost(text.size());
        return m_context.bodies_builder->add({ key.data(), 8 }, { m_value, bytes }).error();
    }
    DatasetRepair& m_repair;
    const RepairObject& m_directory;
    Span<NewName> m_added;
    size_t m_next { 0 };
    TwinNames m_twins;
    u64 m_last { 0 };
    u64 m_size_bytes { 0 };
    u8 m_value[k_max_name_value_bytes];
};

// A value's parts are kept until the last one is there.
class DatasetRepair::NewXattrs final : public RepairAgain {
public:
    NewXattrs(DatasetRepair& repair, const ObjectAttributes& attributes) : RepairAgain(repair.m_context), m_attributes(attributes) {}
    Status item(Bytes key, Bytes value) override
    {
        Result<XattrPart> decoded = XattrPart::decode(key, value);
        if (decoded.is_error() || m_sequence.take(decoded.value()).is_error()) {
            m_sequence = XattrSequence();
            m_held.clear();
            m_items.clear();
            if (decoded.is_error() || m_sequence.take(decoded.value()).is_error()) {
                m_sequence = XattrSequence();
                return {};
            }
        }
        if (!is_fitting(m_attributes, decoded.value()))
            return {};
        TRY(hold(key, value));
        return m_sequence.is_whole() ? give() : Status();
    }

private:
    Status hold(Bytes key, Bytes value)
    {
        const size_t at = m_held.size();
        TRY(m_held.resize(at + key.size() + value.size()));
        copy_bytes(m_held.begin() + at, key.data(), key.size());
        copy_bytes(m_held.begin() + at + key.size(), value.data(), value.size());
        return m_items.push_back({ static_cast<u32>(key.size()), static_cast<u32>(value.size()) });
    }
    Status give()
    {
        size_t at = 0;
        for (const Held& held : m_items) {
            TRY(m_context.xattrs_builder->add({ m_held.begin() + at, held.key_bytes },
                                              { m_held.begin() + at + held.key_bytes, held.value_bytes }));
            at += held.key_bytes + held.value_bytes;
        }
        m_held.clear();
        m_items.clear();
        return {};
    }
    struct Held {
        u32 key_bytes, value_bytes;
    };
    const ObjectAttributes& m_attributes;
    XattrSequence m_sequence;
    Vector<u8> m_held;
    Vector<Held> m_items;
};

Result<RecordRoot> DatasetRepair::rewrite_body(const RepairObject& object, ObjectAttributes& attributes, const RecordRoot& old)
{
    if (attributes.is_directory())
        return rewrite_names(object, attributes, old);
    m_context.bodies_builder->begin({ old.kind, m_id, object.id });
    NewExtents extents(*this, object.id, attributes);
    bool is_damaged = false; // said before
    TRY(walk_body(m_context, old, { old.kind, m_id, object.id }, extents, is_damaged));
    return m_context.bodies_builder->finish_root();
}

Result<RecordRoot> DatasetRepair::rewrite_names(const RepairObject& directory, ObjectAttributes& attributes, const RecordRoot& old)
{
    m_context.bodies_builder->begin({ TreeKind::directory, m_id, directory.id });
    Span<NewName> added;
    if (directory.id == k_root_object)
        added = m_root_names.span();
    else if (directory.id == m_lost_found)
        added = m_lost_names.span();
    NewNames names(*this, directory, added);
    bool is_damaged = false;
    TRY(walk_body(m_context, old, { TreeKind::directory, m_id, directory.id }, names, is_damaged));
    TRY(names.add_until(~0ull - k_cookie_collisions));
    attributes.size_bytes = names.size_bytes();
    return m_context.bodies_builder->finish_root();
}

Result<RecordRoot> DatasetRepair::rewrite_xattrs(const RepairObject& object, const ObjectAttributes& attributes, const RecordRoot& old)
{
    m_context.xattrs_builder->begin({ TreeKind::xattrs, m_id, object.id });
    Box<NewXattrs> xattrs = TRY(make_box<NewXattrs>(*this, attributes));
    bool is_damaged = false;
    TRY(walk_body(m_context, old, { TreeKind::xattrs, m_id, object.id }, *xattrs, is_damaged));
    return m_context.xattrs_builder->finish_root();
}

Status DatasetRepair::put_record(RepairObject& object, ObjectAttributes& attributes, const RecordRoots& roots)
{
    attributes.links = object.links;
    attributes.blocks = object.blocks;
    if (object.is_directory())
        attributes.parent = object.parent;
    if (object.has(RepairObject::k_truncating))
        attributes.state |= k_object_truncating;
    attributes.change++;
    const u32 bytes = encode_record(attributes, roots, m_buffer.span());
    const BigEndianKey key(object.id);
    return m_context.tables_builder->add({ key.data(), 8 }, { m_buffer.begin(), bytes }).error();
}

Status DatasetRepair::rewrite_object(u64 id, Bytes value)
{
    RepairObject* const object = find(id);
    ObjectAttributes attributes;
    RecordRoots roots;
    if (!object || decode_record(value, attributes, roots).is_error() || (m_needs_root && id == k_root_object))
        return {};
    if (!object->has(RepairObject::k_body | RepairObject::k_xattrs | RepairObject::k_attributes)) {
        const BigEndianKey key(id);
        return m_context.tables_builder->add({ key.data(), 8 }, value).error();
    }
    if (object->has(RepairObject::k_body))
        roots.body = TRY(rewrite_body(*object, attributes, roots.body));
    if (object->has(RepairObject::k_xattrs))
        roots.xattrs = TRY(rewrite_xattrs(*object, attributes, roots.xattrs));
    return put_record(*object, attributes, roots);
}

// lost+found, or a root directory in place of the one that is gone.
Status DatasetRepair::make_directory(u64 id, u64 parent, u32 mode)
{
    ObjectAttributes attributes;
    attributes.mode = k_mode_directory | mode;
    attributes.generation = m_context.txg.value() & 0xffffffff;
    attributes.parent = parent;
    const i64 now = host_realtime_ns();
    attributes.btime = Time { now / 1000000000, static_cast<u32>(now % 1000000000) };
    attributes.atime = attributes.mtime = attributes.ctime = attributes.btime;
    RecordRoots roots;
    RecordRoot none;
    none.kind = TreeKind::directory;
    RepairObject& object = *find(id);
    roots.body = TRY(rewrite_names(object, attributes, none));
    return put_record(object, attributes, roots);
}

Status DatasetRepair::write_orphans()
{
    m_context.bodies_builder->begin({ TreeKind::orphans, m_id, 0 });
    for (const RepairObject& object : m_objects) {
        if (!is_orphan(object))
            continue;
        const BigEndianKey key(object.id);
        const u8 mark = 1;
        TRY(m_context.bodies_builder->add({ key.data(), 8 }, { &mark, 1 }));
    }
    TRY(m_context.bodies_builder->finish()).encode(m_record.orphans);
    return {};
}

Status DatasetRepair::rewrite()
{
    m_context.tables_builder->begin({ TreeKind::objects, m_id, 0 });
    if (m_needs_root)
        TRY(make_directory(k_root_object, k_root_object, 0755));
    NewTable table(*this);
    TRY(m_context.tables->walk(m_objects_root, { TreeKind::objects, m_id, 0 }, table));
    if (m_makes_lost_found)
        TRY(make_directory(m_lost_found, k_root_object, 0700));
    TRY(m_context.tables_builder->finish()).encode(m_record.objects);
    return write_orphans();
}

}
