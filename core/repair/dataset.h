// SPDX-License-Identifier: GPL-2.0-only
// DatasetRepair: one dataset put right.
//
//   survey    every object and its trees: what is readable and nobody else's stays, the rest is noted
//   names     every name against the objects: which stay, where each directory lies, who has none
//   settle    links; directories that the root does not reach and objects without a name go to lost+found
//   rewrite   if anything was wrong: each tree with something wrong in it from what stays of it, and the tables
//
// A tree in which nothing is wrong stays where it is. Objects are lost whose record is lost, and symbolic links whose target is.
// Of files single extents are lost: they read as holes, and each is told. Memory: 72 bytes per object, 16 per lost extent.
#pragma once

#include "core/object/extent.h"
#include "core/object/name.h"
#include "core/object/xattr.h"
#include "core/repair/context.h"

namespace lcpfs {

constexpr u64 k_most_object = (1ull << 60) - 1; // ids are below

struct RepairObject {
    enum Flag : u16 {
        k_listed = 1,        // in the orphan tree
        k_truncating = 2,
        k_body = 4,          // its tree is made anew
        k_xattrs = 8,        // the same of its attributes
        k_attributes = 16,   // its record changes
        k_lost = 32,         // gets a name in lost+found
        k_climbing = 64,
        k_reached = 128,
        k_keeps_target = 256, // of a symbolic link: it is whole
        k_has_names = 512,
        k_hurt = 1024,       // some of what it held is lost
        k_name_taken = 2048  // in lost+found something else is called as it would be
    };
    u64 id { 0 };
    u64 blocks { 0 };       // that its extents have
    u64 parent { 0 };       // directories: where it lies
    u64 cookie { 0 };       // directories: of the name there; 0: none
    u64 other_parent { 0 }, other_cookie { 0 }; // directories: a name elsewhere
    u32 links { 0 };        // as its record says, then as they are
    u32 names { 0 };
    u32 subdirectories { 0 };
    u16 flags { 0 };
    u8 type { 0 };          // DT_*

    bool is_directory() const { return type == k_mode_directory >> 12; }
    bool has(u16 flag) const { return flags & flag; }
    void set(u16 flag) { flags |= flag; }
};

// Which extents of a file can stay beside each other, in order.
class ExtentSieve {
public:
    ExtentSieve(const ObjectAttributes& attributes, TxgId last) : m_attributes(attributes), m_last(last) {}
    bool fits(Bytes key, Bytes value, Extent& extent) const;
    void take(const Extent& extent)
    {
        m_next = extent.end();
        m_data_end = extent.is_unwritten() ? m_data_end : extent.end();
        m_blocks += extent.has_blocks() ? extent.counted_blocks() : 0;
        m_inline_bytes += !extent.has_blocks() ? extent.payload.size() : 0;
    }
    u64 blocks() const { return m_blocks; }
    u64 inline_bytes() const { return m_inline_bytes; }
    // What is unwritten may be.
    bool is_past_end() const { return m_attributes.is_regular() && m_data_end > blocks_for_bytes(m_attributes.size_bytes); }

private:
    const ObjectAttributes& m_attributes;
    const TxgId m_last;
    u64 m_next { 0 }, m_data_end { 0 }, m_blocks { 0 }, m_inline_bytes { 0 };
};

// Names that stand twice in a directory, which are beside each other, or a few of the same hash apart: all but the first are twins.
class TwinNames {
public:
    // In the order of the tree.
    bool is_twin(const Name& name)
    {
        const u64 hash = name.cookie >> k_cookie_collision_bits;
        const bool is_same = m_bytes == name.text.size() && m_hash == hash && compare_bytes(m_text, name.text.data(), m_bytes) == 0;
        if (is_same)
            return true;
        m_hash = hash;
        m_bytes = name.text.size();
        copy_bytes(m_text, name.text.data(), m_bytes);
        return false;
    }

private:
    u64 m_hash { 0 };
    size_t m_bytes { 0 };
    u8 m_text[k_max_name_bytes];
};

// Whether an object can have this attribute: of lists of POSIX ACLs only what is one, and where there may be one.
bool is_fitting(const ObjectAttributes& attributes, const XattrPart& part);

class DatasetRepair {
public:
    // `record` is changed to what it has to be.
    DatasetRepair(RepairContext& context, u64 id, DiskDataset& record) : m_context(context), m_id(id), m_record(record) {}
    Status run();

private:
    class ObjectTable;   // survey
    class OrphanTree;
    class FileTree;
    class XattrTree;
    class NameTable;     // names
    class Names;
    class NewTable;      // rewrite
    class NewExtents;
    class NewNames;
    class NewXattrs;
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);

    struct NewName {
        u64 cookie { 0 };
        u64 object { 0 };
        u8 type { 0 };
        u8 bytes { 0 };
        u8 text[48];
    };

    RepairObject* find(u64 id);
    Status survey_object(u64 id, Bytes value);
    Status survey_body(RepairObject& object, const ObjectAttributes& attributes, const RecordRoot& root);
    Status survey_xattrs(RepairObject& object, const ObjectAttributes& attributes, const RecordRoot& root);
    Status survey_names();
    Status survey_names_of(RepairObject& directory, const ObjectAttributes& attributes, const RecordRoot& root);
    bool is_dropped(u64 object, u64 file_block) const;
    enum class NameVerdict : u8 { stays, changes, goes };
    void see_name(RepairObject& directory, const Name& name);
    void note_taken(const Name& name);
    NameVerdict judge(const RepairObject& directory, const Name& name, u8& type);
    void adopt_strays();
    void settle_links();
    void climb(RepairObject& start);
    void lose(RepairObject& object);
    Status add_lost_name(const RepairObject& object);
    Status make_lost_names();
    Status rewrite();
    Status rewrite_object(u64 id, Bytes value);
    Result<RecordRoot> rewrite_body(const RepairObject& object, ObjectAttributes& attributes, const RecordRoot& old);
    Result<RecordRoot> rewrite_names(const RepairObject& directory, ObjectAttributes& attributes, const RecordRoot& old);
    Result<RecordRoot> rewrite_xattrs(const RepairObject& object, const ObjectAttributes& attributes, const RecordRoot& old);
    Status put_record(RepairObject& object, ObjectAttributes& attributes, const RecordRoots& roots);
    Status make_directory(u64 id, u64 parent, u32 mode);
    Status write_orphans();
    void count();
    // Of one that is being destroyed the list says more than the records.
    bool is_orphan(const RepairObject& object) const
    {
        return m_is_destroying ? object.has(RepairObject::k_listed) : object.links == 0 || object.has(RepairObject::k_truncating);
    }

    RepairContext& m_context;
    const u64 m_id;
    DiskDataset& m_record;
    NodePointer m_objects_root;
    bool m_is_destroying { false };
    bool m_changes { false };
    bool m_needs_root { false };
    Vector<RepairObject> m_objects; // by rising id
    struct Dropped {
        u64 object, file_block;
    };
    Vector<Dropped> m_dropped;      // extents, in the order of the walk
    u64 m_lost_found { 0 };         // that directory; 0: none yet
    bool m_makes_lost_found { false };
    bool m_has_lost { false };
    u8 m_lost_found_is_taken { 0 }; // something else has its name
    Vector<NewName> m_lost_names;   // in lost+found, by cookie
    Vector<NewName> m_root_names;   // lost+found itself, if it is new
    u64 m_last_id { 0 };
    u64 m_object_count { 0 }, m_data_blocks { 0 };
    Vector<u8> m_buffer;            // of one record
};

}
