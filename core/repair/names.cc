// SPDX-License-Identifier: GPL-2.0-only
// The names of a dataset that is repaired: which stay, and where what has none goes.
#include "core/repair/dataset.h"
#include "core/repair/sort.h"

namespace lcpfs {

namespace {

constexpr StringView k_lost_found_name("lost+found");

bool is_text(const Name& name, StringView text) { return equal(name.text, text.bytes()); }

}

class DatasetRepair::NameTable final : public RepairAgain {
public:
    explicit NameTable(DatasetRepair& repair) : RepairAgain(repair.m_context), m_repair(repair) {}
    Status item(Bytes key, Bytes value) override
    {
        BigEndianKey id;
        if (key.size() != 8)
            return {};
        copy_bytes(&id, key.data(), 8);
        RepairObject* const object = m_repair.find(id.get());
        ObjectAttributes attributes;
        RecordRoots roots;
        if (!object || decode_record(value, attributes, roots).is_error() || !attributes.is_directory())
            return {};
        return m_repair.survey_names_of(*object, attributes, roots.body);
    }

private:
    DatasetRepair& m_repair;
};

class DatasetRepair::Names final : public RepairAgain {
public:
    Names(DatasetRepair& repair, RepairObject& directory) : RepairAgain(repair.m_context), m_repair(repair), m_directory(directory) {}
    Status item(Bytes key, Bytes value) override
    {
        Result<Name> name = Name::decode(key, value);
        if (name.is_ok() && name.value().cookie > m_last_cookie) {
            m_last_cookie = name.value().cookie;
            if (m_twins.is_twin(name.value())) {
                m_directory.set(RepairObject::k_body);
                return {};
            }
            m_size_bytes += name_cost(name.value().text.size());
            m_repair.see_name(m_directory, name.value());
        }
        return {};
    }
    u64 size_bytes() const { return m_size_bytes; }

private:
    DatasetRepair& m_repair;
    RepairObject& m_directory;
    TwinNames m_twins;
    u64 m_last_cookie { 0 };
    u64 m_size_bytes { 0 };
};

Status DatasetRepair::survey_names_of(RepairObject& directory, const ObjectAttributes& attributes, const RecordRoot& root)
{
    Names names(*this, directory);
    bool is_damaged = false; // said before
    TRY(walk_body(m_context, root, { root.kind, m_id, directory.id }, names, is_damaged));
    if (names.size_bytes() != attributes.size_bytes)
        directory.set(RepairObject::k_body);
    return {};
}

Status DatasetRepair::survey_names()
{
    if (!find(k_root_object)) {
        m_needs_root = m_changes = true;
        m_context.findings.say("dataset ", m_id, ": has lost its root directory; a new one is made");
        RepairObject root;
        root.id = root.parent = k_root_object;
        root.links = 2;
        root.type = k_mode_directory >> 12;
        TRY(m_objects.push_back(root));
        for (size_t i = m_objects.size(); i-- > 1;)
            swap(m_objects[i], m_objects[i - 1]);
    }
    NameTable table(*this);
    return m_context.tables->walk(m_objects_root, { TreeKind::objects, m_id, 0 }, table);
}

// A name that does not stay, or may not, has its directory made anew.
void DatasetRepair::see_name(RepairObject& directory, const Name& name)
{
    m_context.findings.report().names++;
    const u64 expected = name_cookie(name.text, m_record.hash_seed);
    RepairObject* const object = find(name.object);
    const bool is_placed = name.cookie >> k_cookie_collision_bits == expected >> k_cookie_collision_bits;
    const bool is_lost_found = directory.id == k_root_object && is_text(name, k_lost_found_name);
    m_lost_found_is_taken |= is_lost_found;
    if (!object || !is_placed || object->id == k_root_object) {
        directory.set(RepairObject::k_body | RepairObject::k_hurt);
        TextLine line;
        m_context.findings.add_dataset(line);
        line.add("object ").add(directory.id).add(": name \"").add_name(name.text).add("\" of object ").add(name.object);
        line.add(object ? " stands where none can be found; removed" : ", which is lost, removed");
        return m_context.findings.emit(line);
    }
    if (object->type != name.type)
        directory.set(RepairObject::k_body);
    if (directory.id == m_lost_found && m_lost_found)
        note_taken(name);
    directory.set(RepairObject::k_has_names);
    if (!object->is_directory()) {
        object->names++;
        return;
    }
    if (is_lost_found)
        m_lost_found = object->id;
    if (object->parent == directory.id && object->cookie == 0) {
        object->cookie = name.cookie;
        return;
    }
    directory.set(RepairObject::k_body);
    m_context.findings.say("object ", object->id, ": a directory that has a name in ", directory.id, ", and says it lies in ",
                           object->parent, object->cookie ? ", where it has another" : "");
    if (object->other_cookie == 0) {
        object->other_parent = directory.id;
        object->other_cookie = name.cookie;
    }
}

// "#17" of an earlier repair: object 17 is called otherwise if this one loses it again. The root is walked before all others.
void DatasetRepair::note_taken(const Name& name)
{
    u64 id = 0;
    for (size_t i = 1; i < name.text.size() && name.text[0] == '#' && name.text[i] >= '0' && name.text[i] <= '9' && id < k_most_object; i++)
        id = id * 10 + (name.text[i] - '0');
    if (RepairObject* const object = find(id))
        object->set(RepairObject::k_name_taken);
}

DatasetRepair::NameVerdict DatasetRepair::judge(const RepairObject& directory, const Name& name, u8& type)
{
    const u64 expected = name_cookie(name.text, m_record.hash_seed);
    const RepairObject* const object = find(name.object);
    if (!object || name.cookie >> k_cookie_collision_bits != expected >> k_cookie_collision_bits || object->id == k_root_object)
        return NameVerdict::goes;
    if (object->is_directory() && (object->parent != directory.id || object->cookie != name.cookie))
        return NameVerdict::goes;
    type = object->type;
    return type == name.type ? NameVerdict::stays : NameVerdict::changes;
}

// A directory that says it lies where it has no name lies where it has one.
void DatasetRepair::adopt_strays()
{
    for (RepairObject& object : m_objects) {
        if (!object.is_directory() || object.cookie || !object.other_cookie)
            continue;
        object.parent = object.other_parent;
        object.cookie = object.other_cookie;
        object.set(RepairObject::k_attributes);
        m_context.findings.say("object ", object.id, ": a directory that lies in ", object.parent, ", where its name is");
    }
}

void DatasetRepair::lose(RepairObject& object)
{
    if (RepairObject* const parent = object.cookie ? find(object.parent) : nullptr) {
        parent->subdirectories--;
        parent->set(RepairObject::k_body); // the name goes
    }
    object.cookie = 0;
    object.set(RepairObject::k_lost | RepairObject::k_attributes | RepairObject::k_reached);
    m_has_lost = true;
    m_context.findings.say("object ", object.id, object.is_directory() ? ": a directory" : ": a file", " that no name leads to: #",
                           object.id, " in lost+found");
}

// Up from a directory until one that the root reaches; what closes a circle, or has no name, is lost and reached by that.
void DatasetRepair::climb(RepairObject& start)
{
    RepairObject* at = &start;
    while (at && !at->has(RepairObject::k_reached)) {
        if (at->has(RepairObject::k_climbing) || at->cookie == 0) {
            lose(*at);
            break;
        }
        at->set(RepairObject::k_climbing);
        at = find(at->parent);
    }
    for (at = &start; at && at->has(RepairObject::k_climbing); at = find(at->parent)) {
        at->flags &= static_cast<u16>(~RepairObject::k_climbing);
        at->set(RepairObject::k_reached);
    }
}

void DatasetRepair::settle_links()
{
    for (RepairObject& object : m_objects)
        if (object.is_directory() && object.cookie)
            if (RepairObject* const parent = find(object.parent))
                parent->subdirectories++;
    RepairObject& root = *find(k_root_object);
    if (root.parent != k_root_object)
        root.set(RepairObject::k_attributes);
    root.parent = k_root_object;
    root.set(RepairObject::k_reached);
    for (RepairObject& object : m_objects) {
        const bool is_orphan = object.links == 0 && object.cookie == 0 && object.names == 0 && !object.has(RepairObject::k_has_names);
        if (is_orphan || object.id == k_root_object)
            continue;
        if (object.is_directory())
            climb(object);
        else if (object.names == 0)
            lose(object);
    }
    for (RepairObject& object : m_objects) {
        const bool is_named = object.cookie || object.names || object.has(RepairObject::k_lost) || object.id == k_root_object;
        const u32 names = object.names + object.has(RepairObject::k_lost);
        const u32 links = !is_named ? 0 : object.is_directory() ? 2 + object.subdirectories : names;
        if (links != object.links) {
            object.set(RepairObject::k_attributes);
            m_context.findings.say("object ", object.id, ": ", u64(object.links), " links, which have to be ", u64(links));
        }
        object.links = links;
    }
}

Status DatasetRepair::add_lost_name(const RepairObject& object)
{
    TextBuffer<sizeof(NewName::text)> text;
    text.add("#").add(object.id);
    if (object.has(RepairObject::k_name_taken))
        text.add(".").add(m_context.txg.value());
    NewName name;
    name.object = object.id;
    name.type = object.type;
    name.bytes = static_cast<u8>(text.size());
    copy_bytes(name.text, text.text(), text.size());
    name.cookie = name_cookie({ name.text, name.bytes }, m_record.hash_seed);
    return m_lost_names.push_back(name);
}

// Where they go, and what they are called there.
Status DatasetRepair::make_lost_names()
{
    if (!m_has_lost)
        return {};
    m_changes = true;
    RepairObject& root = *find(k_root_object);
    RepairObject* home = m_lost_found ? find(m_lost_found) : nullptr;
    const bool is_at_home = home && home->parent == k_root_object && home->cookie;
    if (!is_at_home) {
        m_makes_lost_found = true;
        m_lost_found = m_record.next_object.get();
        m_record.next_object.set(m_lost_found + 1);
        TextBuffer<sizeof(NewName::text)> text;
        text.add(k_lost_found_name);
        if (m_lost_found_is_taken)
            text.add(".").add(m_lost_found);
        NewName name;
        name.object = m_lost_found;
        name.type = k_mode_directory >> 12;
        name.bytes = static_cast<u8>(text.size());
        copy_bytes(name.text, text.text(), text.size());
        name.cookie = name_cookie({ name.text, name.bytes }, m_record.hash_seed);
        TRY(m_root_names.push_back(name));
        root.set(RepairObject::k_body | RepairObject::k_attributes);
        root.links++;
        RepairObject made;
        made.id = m_lost_found;
        made.parent = k_root_object;
        made.cookie = name.cookie;
        made.type = name.type;
        made.links = 2;
        TRY(m_objects.push_back(made));
        home = &m_objects.last();
    }
    home->set(RepairObject::k_body | RepairObject::k_attributes);
    for (RepairObject& object : m_objects) {
        if (!object.has(RepairObject::k_lost))
            continue;
        TRY(add_lost_name(object));
        object.parent = object.is_directory() ? m_lost_found : 0;
        home->links += object.is_directory();
    }
    sort(m_lost_names.span(), [](const NewName& a, const NewName& b) { return a.cookie < b.cookie; });
    // Names of one hash follow each other.
    for (size_t i = 1; i < m_lost_names.size(); i++)
        if (m_lost_names[i].cookie <= m_lost_names[i - 1].cookie)
            m_lost_names[i].cookie = m_lost_names[i - 1].cookie + 1;
    return {};
}

}
