// SPDX-License-Identifier: GPL-2.0-only
// The second walk over a dataset: every name against the objects that the first walk found.
#include "core/check/checker.h"
#include "core/check/visitors.h"
#include "core/object/name.h"

namespace lcpfs {

// The first walk has said what is damaged and refused to go over a node twice; this one stays as short by counting.
class Checker::NameTable : public TreeVisitor {
public:
    explicit NameTable(Checker& checker) : m_checker(checker) {}
    bool node(const NodePointer& pointer, const TreeOwner&) override
    {
        return m_checker.m_pool.vdevs().is_valid(pointer.dva[0]) && ++m_checker.m_nodes_walked_again <= m_checker.m_nodes_walked;
    }
    Status item(Bytes key, Bytes value) override
    {
        BigEndianKey id;
        if (key.size() != 8)
            return {};
        copy_bytes(&id, key.data(), 8);
        return m_checker.check_names_of(id.get(), value);
    }

protected:
    Checker& m_checker;
};

class Checker::Names : public TreeVisitor {
public:
    Names(Checker& checker, u64 directory) : m_checker(checker), m_directory(directory) {}
    bool node(const NodePointer& pointer, const TreeOwner&) override
    {
        return m_checker.m_pool.vdevs().is_valid(pointer.dva[0]) && ++m_checker.m_nodes_walked_again <= m_checker.m_nodes_walked;
    }
    Status item(Bytes key, Bytes value) override
    {
        Result<Name> name = Name::decode(key, value);
        if (name.is_ok())
            check(name.value());
        return {};
    }

private:
    void say(const Name& name, const char* what, u64 object)
    {
        TextLine line;
        m_checker.m_findings.add_dataset(line);
        line.add("object ").add(m_directory).add(": name \"").add_name(name.text).add("\" ").add(what).add(" ").add(object);
        m_checker.m_findings.emit(line);
    }
    void check(const Name& name)
    {
        const u64 expected = name_cookie(name.text, m_checker.m_dataset.hash_seed);
        if (name.cookie >> k_cookie_collision_bits != expected >> k_cookie_collision_bits)
            say(name, "stands where it cannot be found; it names object", name.object);
        else if (m_last_bytes == name.text.size() && compare_bytes(m_last, name.text.data(), m_last_bytes) == 0)
            say(name, "stands twice; it names object", name.object);
        m_last_bytes = name.text.size();
        copy_bytes(m_last, name.text.data(), m_last_bytes);

        SeenObject* const object = m_checker.find(name.object);
        if (!object) {
            if (!m_checker.m_incomplete)
                say(name, "names an object that does not exist:", name.object);
            return;
        }
        object->names++;
        if (object->type != name.type)
            say(name, "says another type than the record of object", name.object);
        if (object->type != k_mode_directory >> 12)
            return;
        if (SeenObject* const parent = m_checker.find(m_directory))
            parent->subdirectories++;
        if (object->parent != m_directory)
            say(name, "is not where its directory thinks it is: directory", name.object);
    }

    Checker& m_checker;
    u64 m_directory;
    u64 m_last_bytes { 0 };
    u8 m_last[k_max_name_bytes];
};

Status Checker::check_names_of(u64 id, Bytes record)
{
    ObjectAttributes attributes;
    RecordRoots roots;
    if (decode_record(record, attributes, roots).is_error() || !attributes.is_directory())
        return {};
    const RecordRoot& root = roots.body;
    Names names(*this, id);
    if (root.form == RootForm::node)
        return m_bodies->walk(root.pointer, { root.kind, m_dataset_id, id }, names);
    if (root.form != RootForm::inlined)
        return {};
    const Status status = walk_inline(root.items, [&](Bytes key, Bytes value) { return names.item(key, value); });
    return status.error() == Error::node_damaged ? Status() : Status(status.error()); // said before
}

Status Checker::check_names(const NodePointer& objects)
{
    NameTable table(*this);
    TRY(m_tables->walk(objects, { TreeKind::objects, m_dataset_id, 0 }, table));
    if (m_nodes_walked_again > m_nodes_walked) {
        m_incomplete = true;
        m_findings.say("dataset ", m_dataset_id, ": trees share nodes; names are not checked further");
    }
    return {};
}

// What the names say against what the records say. A name that could not be read may be any of those that are missing.
void Checker::check_link(SeenObject& object)
{
    const bool is_directory = object.type == k_mode_directory >> 12;
    const bool is_root = object.id == k_root_object;
    if (object.listed != (object.links == 0 || object.truncating) && !m_incomplete)
        m_findings.say("object ", object.id,
                       object.listed ? ": listed as an orphan, but has links" : ": has to go, but is not listed as an orphan");
    if (is_directory && object.links != 0 && object.links != 2 + object.subdirectories && !m_incomplete)
        m_findings.say("object ", object.id, ": a directory with ", u64(object.links), " links and ", u64(object.subdirectories),
                       " subdirectories");
    const u64 expected = !is_directory ? object.links : object.links == 0 || is_root ? 0 : 1;
    if (object.names == expected)
        return;
    if (object.names > expected)
        m_findings.say("object ", object.id, ": ", u64(object.links), " links, but ", u64(object.names), " names");
    else if (!m_incomplete)
        m_findings.say("object ", object.id, object.names ? ": has fewer names than links: " : ": has no name, but links: ",
                       u64(object.names), " and ",
                       u64(object.links));
}

void Checker::check_links()
{
    for (SeenObject& object : m_objects)
        check_link(object);
    const SeenObject* const root = find(k_root_object);
    if (!root && m_incomplete)
        return;
    if (!root || root->type != k_mode_directory >> 12)
        m_findings.say("dataset ", m_dataset_id, ": has no root directory");
    else if (root->parent != k_root_object || root->links == 0)
        m_findings.say("object ", root->id, ": the root directory says it lies in ", root->parent, " and has ", u64(root->links), " links");
}

// From a directory up its parents until one whose answer is known, then down again with the answer.
void Checker::climb(SeenObject& start)
{
    Reach answer = k_reach_unknown;
    for (SeenObject* at = &start; answer == k_reach_unknown;) {
        if (at->id == k_root_object)
            at->reach = k_reach_root;
        if (at->reach != k_reach_unknown) {
            answer = at->reach == k_reach_climbing ? k_reach_none : static_cast<Reach>(at->reach);
            break;
        }
        at->reach = k_reach_climbing;
        at = find(at->parent);
        if (!at || at->type != k_mode_directory >> 12)
            answer = k_reach_none;
    }
    for (SeenObject* at = &start; at && at->reach == k_reach_climbing; at = find(at->parent)) {
        at->reach = answer;
        if (answer == k_reach_none)
            m_findings.say("object ", at->id, ": a directory that the root does not reach; it says it lies in ", at->parent);
    }
}

void Checker::check_reach()
{
    if (m_incomplete)
        return;
    for (SeenObject& object : m_objects)
        if (object.type == k_mode_directory >> 12 && object.links != 0 && object.reach == k_reach_unknown)
            climb(object);
}

}
