// SPDX-License-Identifier: GPL-2.0-only
// The first walk over a dataset that is repaired: what is there.
#include "core/repair/dataset.h"
#include "core/repair/sort.h"

namespace lcpfs {

class DatasetRepair::ObjectTable final : public RepairVisitor {
public:
    explicit ObjectTable(DatasetRepair& repair) : RepairVisitor(repair.m_context), m_repair(repair) {}
    Status item(Bytes key, Bytes value) override
    {
        if (m_context.failure != Error::none)
            return m_context.failure;
        BigEndianKey id;
        if (key.size() == 8)
            copy_bytes(&id, key.data(), 8);
        const bool is_id = id.get() == k_root_object || (id.get() >= k_first_free_object && id.get() < k_most_object);
        if (key.size() == 8 && is_id && (m_repair.m_objects.is_empty() || m_repair.m_objects.last().id < id.get()))
            return m_repair.survey_object(id.get(), value);
        m_context.findings.say("object table of dataset ", m_repair.m_id, ": a record for ", id.get(), ", which is no id: removed");
        set_damaged();
        return {};
    }

private:
    DatasetRepair& m_repair;
};

class DatasetRepair::OrphanTree final : public RepairVisitor {
public:
    explicit OrphanTree(DatasetRepair& repair) : RepairVisitor(repair.m_context), m_repair(repair) {}
    Status item(Bytes key, Bytes) override
    {
        BigEndianKey id;
        if (key.size() == 8)
            copy_bytes(&id, key.data(), 8);
        if (RepairObject* const object = m_repair.find(id.get()))
            object->set(RepairObject::k_listed);
        else
            set_damaged();
        return m_context.failure;
    }

private:
    DatasetRepair& m_repair;
};

bool ExtentSieve::fits(Bytes key, Bytes value, Extent& extent) const
{
    Result<Extent> decoded = Extent::decode(key, value);
    if (decoded.is_error())
        return false;
    extent = decoded.value();
    if (extent.file_block < m_next || (!m_attributes.is_regular() && !m_attributes.is_symlink()))
        return false;
    if ((extent.is_unwritten() && !m_attributes.has_unwritten()) || (extent.is_compressed() && !m_attributes.has_shares()))
        return false;
    if (extent.has_blocks())
        return m_attributes.is_regular() && extent.birth <= m_last && extent.birth.value() != 0;
    if (m_attributes.is_symlink())
        return true;
    return extent.file_block == 0 && m_next == 0 && (m_attributes.is_truncating() || extent.payload.size() <= m_attributes.size_bytes);
}

class DatasetRepair::FileTree final : public RepairVisitor {
public:
    FileTree(DatasetRepair& repair, RepairObject& object, const ObjectAttributes& attributes)
        : RepairVisitor(repair.m_context), m_repair(repair), m_object(object), m_attributes(attributes),
          m_sieve(attributes, repair.m_context.from)
    {
    }
    Status item(Bytes key, Bytes value) override
    {
        if (m_context.failure != Error::none)
            return m_context.failure;
        Extent extent;
        if (!m_sieve.fits(key, value, extent)) {
            set_damaged();
            m_context.findings.say("object ", m_object.id, ": an extent that is malformed or out of place; its data is lost");
            return {};
        }
        if (extent.has_blocks() && !TRY(claim(extent))) {
            set_damaged();
            TRY(m_repair.m_dropped.push_back({ m_object.id, extent.file_block }));
            m_context.findings.say("object ", m_object.id, ": ", u64(extent.length_blocks), " blocks from file block ", extent.file_block,
                                   " stand where something else does, or nothing can; they are lost");
            return {};
        }
        m_sieve.take(extent);
        return {};
    }
    const ExtentSieve& sieve() const { return m_sieve; }

private:
    Result<bool> claim(const Extent& extent)
    {
        if (m_attributes.has_shares())
            return m_context.claims->share(extent.dva);
        const bool taken = TRY(m_context.claims->take(extent.dva));
        const u64 named = m_repair.m_record.partition.get();
        if (taken)
            m_context.note_home(extent.dva, named ? named : k_default_partition.value());
        return taken;
    }
    DatasetRepair& m_repair;
    RepairObject& m_object;
    const ObjectAttributes& m_attributes;
    ExtentSieve m_sieve;
};

// Names are looked at when all objects are known.
class DirectoryTree final : public RepairVisitor {
public:
    using RepairVisitor::RepairVisitor;
    Status item(Bytes key, Bytes value) override
    {
        if (Name::decode(key, value).is_error())
            set_damaged();
        return m_context.failure;
    }
};

bool is_fitting(const ObjectAttributes& attributes, const XattrPart& part)
{
    const AclKind acl = acl_kind_of(part.name);
    if ((acl == AclKind::fallback && !attributes.is_directory()) || (acl == AclKind::access && attributes.is_symlink()))
        return false;
    return acl == AclKind::none || part.value_bytes != part.bytes.size() || is_acl(part.bytes);
}

class DatasetRepair::XattrTree final : public RepairVisitor {
public:
    XattrTree(RepairContext& context, const ObjectAttributes& attributes) : RepairVisitor(context), m_attributes(attributes) {}
    Status item(Bytes key, Bytes value) override
    {
        Result<XattrPart> part = XattrPart::decode(key, value);
        if (part.is_error() || m_sequence.take(part.value()).is_error() || !is_fitting(m_attributes, part.value()))
            set_damaged();
        m_items++;
        return m_context.failure;
    }
    bool is_whole() const { return m_items && m_sequence.end().is_ok(); }

private:
    const ObjectAttributes& m_attributes;
    XattrSequence m_sequence;
    u64 m_items { 0 };
};

Status DatasetRepair::survey_body(RepairObject& object, const ObjectAttributes& attributes, const RecordRoot& root)
{
    const TreeOwner owner { root.kind, m_id, object.id };
    bool is_damaged = false;
    if (attributes.is_directory()) {
        DirectoryTree names(m_context);
        TRY(walk_body(m_context, root, owner, names, is_damaged));
        if (is_damaged || names.is_damaged())
            object.set(RepairObject::k_body | RepairObject::k_hurt);
        if (attributes.blocks)
            object.set(RepairObject::k_attributes);
        return {};
    }
    FileTree file(*this, object, attributes);
    TRY(walk_body(m_context, root, owner, file, is_damaged));
    if (is_damaged || file.is_damaged())
        object.set(RepairObject::k_body | RepairObject::k_hurt);
    object.blocks = file.sieve().blocks();
    if (object.blocks != attributes.blocks)
        object.set(RepairObject::k_attributes);
    if (file.sieve().is_past_end() && !attributes.is_truncating())
        object.set(RepairObject::k_truncating | RepairObject::k_attributes); // what lies there is freed when it is mounted
    if (file.sieve().inline_bytes() == attributes.size_bytes)
        object.set(RepairObject::k_keeps_target);
    m_data_blocks += object.blocks;
    return {};
}

Status DatasetRepair::survey_xattrs(RepairObject& object, const ObjectAttributes& attributes, const RecordRoot& root)
{
    if (root.form == RootForm::empty)
        return {};
    XattrTree xattrs(m_context, attributes);
    bool is_damaged = false;
    TRY(walk_body(m_context, root, { TreeKind::xattrs, m_id, object.id }, xattrs, is_damaged));
    if (!is_damaged && !xattrs.is_damaged() && xattrs.is_whole())
        return {};
    object.set(RepairObject::k_xattrs | RepairObject::k_hurt);
    m_context.findings.say("object ", object.id, ": extended attributes are damaged; those that are whole stay");
    return {};
}

Status DatasetRepair::survey_object(u64 id, Bytes value)
{
    m_context.findings.report().objects++;
    ObjectAttributes attributes;
    RecordRoots roots;
    const bool is_record = decode_record(value, attributes, roots).is_ok();
    if (!is_record || (id == k_root_object && !attributes.is_directory())) {
        m_changes = true;
        m_context.findings.say("object ", id, ": its record is malformed; it is lost");
        return {};
    }
    RepairObject object;
    object.id = id;
    object.parent = attributes.parent;
    object.links = attributes.links;
    object.type = static_cast<u8>(attributes.entry_type());
    object.flags = attributes.is_truncating() ? RepairObject::k_truncating : 0;
    const u64 blocks_before = m_data_blocks;
    TRY(survey_body(object, attributes, roots.body));
    TRY(survey_xattrs(object, attributes, roots.xattrs));
    if (attributes.is_symlink() && attributes.links && !object.has(RepairObject::k_keeps_target)) {
        m_changes = true;
        m_data_blocks = blocks_before;
        m_context.findings.say("object ", id, ": a symbolic link whose target is damaged; it is lost");
        return {};
    }
    return m_objects.push_back(object);
}

bool DatasetRepair::is_dropped(u64 object, u64 file_block) const
{
    size_t low = 0, high = m_dropped.size();
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const Dropped& at = m_dropped[middle];
        if (at.object < object || (at.object == object && at.file_block < file_block))
            low = middle + 1;
        else
            high = middle;
    }
    return low < m_dropped.size() && m_dropped[low].object == object && m_dropped[low].file_block == file_block;
}

RepairObject* DatasetRepair::find(u64 id)
{
    size_t low = 0, high = m_objects.size();
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (m_objects[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m_objects.size() && m_objects[low].id == id ? &m_objects[low] : nullptr;
}

// Says what of the dataset's own record was wrong.
void DatasetRepair::count()
{
    if (m_record.object_count.get() != m_objects.size()) {
        m_context.findings.say("dataset ", m_id, ": says it has ", m_record.object_count.get(), " objects; there are ",
                               u64(m_objects.size()));
        m_record.object_count.set(m_objects.size());
    }
    if (m_record.used_blocks.get() != m_data_blocks) {
        m_context.findings.say("dataset ", m_id, ": says its data takes ", m_record.used_blocks.get(), " blocks; it takes ", m_data_blocks);
        m_record.used_blocks.set(m_data_blocks);
    }
    if (!m_objects.is_empty() && m_objects.last().id >= m_record.next_object.get())
        m_record.next_object.set(m_objects.last().id + 1);
}

Status DatasetRepair::run()
{
    m_context.refused.clear();
    m_is_destroying = (m_record.flags.get() & k_dataset_destroying) != 0;
    TRY(m_buffer.resize(k_max_record_bytes));
    Result<NodePointer> objects = NodePointer::decode(m_record.objects);
    Result<NodePointer> orphans = NodePointer::decode(m_record.orphans);
    m_changes = objects.is_error() || orphans.is_error();
    m_objects_root = objects.is_ok() ? objects.value() : NodePointer();
    {
        ObjectTable table(*this);
        TRY(m_context.tables->walk(m_objects_root, { TreeKind::objects, m_id, 0 }, table));
        OrphanTree listed(*this);
        TRY(m_context.tables->walk(orphans.is_ok() ? orphans.value() : NodePointer(), { TreeKind::orphans, m_id, 0 }, listed));
        m_changes = m_changes || table.is_damaged() || listed.is_damaged();
    }
    const u64 least = m_objects.is_empty() ? k_first_free_object : max(m_objects.last().id + 1, k_first_free_object);
    if (m_record.next_object.get() < least || m_record.next_object.get() >= k_most_object)
        m_record.next_object.set(least);
    sort(m_context.refused.span(), [](const RepairContext::Refused& a, const RepairContext::Refused& b) { return a < b; });
    if (!m_is_destroying) {
        TRY(survey_names());
        adopt_strays();
        settle_links();
        TRY(make_lost_names());
    }
    for (const RepairObject& object : m_objects)
        m_changes = m_changes || object.has(RepairObject::k_body | RepairObject::k_xattrs | RepairObject::k_attributes)
            || is_orphan(object) != object.has(RepairObject::k_listed);
    for (const RepairObject& object : m_objects)
        if (object.has(RepairObject::k_hurt) && !is_orphan(object) && !m_is_destroying)
            TRY(m_context.hurt.push_back({ m_id, object.id }));
    if (m_changes)
        TRY(rewrite());
    count();
    return m_context.failure;
}

}
