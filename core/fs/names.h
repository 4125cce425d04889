// SPDX-License-Identifier: GPL-2.0-only
// Names: looking up, creating, linking, removing, renaming, listing.
//
// Each change is one operation in one group: space promised, the locks of its objects taken in rising object id, the
// group held, everything prepared, then done. Directory locks are the objects' own. An operation's cost: one tree descent
// per name touched in memory; no I/O unless a node is not cached.
#pragma once

#include "core/fs/extents.h"
#include "core/fs/xattrs.h"
#include "core/object/name.h"

namespace lcpfs {

struct NewObject {
    u32 mode { 0 }, uid { 0 }, gid { 0 }, project { 0 }, flags { 0 }, rdev { 0 };
    Time time;
    Bytes target; // symlinks
    Span<const NewXattr> xattrs;
    // Made again from a log record, which says who it was; 0: new.
    ObjectId id;
    u64 generation { 0 };
};

struct FoundName {
    ObjectId object;
    u8 type { 0 };
};

Result<FoundName> lookup_name(Object& directory, Bytes text);
Result<Ref<Object>> create_object(Pool& pool, Object& directory, Bytes text, const NewObject& how);
Result<Ref<Object>> create_unnamed_object(Pool& pool, Object& directory, const NewObject& how);
Status link_object(Pool& pool, Object& directory, Bytes text, Object& object, Time time);
Status unlink_object(Pool& pool, Object& directory, Bytes text, Object& object, Time time);

struct Rename {
    Object& from_directory;
    Object& to_directory;
    Bytes from_text, to_text;
    Object& object;
    Object* victim;
    bool exchange;
    Time time;
    // Made in the same breath, and called as the object was: what overlayfs hides a name of a lower layer by. Not with `exchange`.
    const NewObject* whiteout { nullptr };
};
Status rename_object(Pool& pool, const Rename& rename);

struct ListedName {
    u64 cookie;
    u64 object;
    u8 type;
    u8 text_bytes;
    u8 text[k_max_name_bytes];
};
// Copies names with cookie >= `from`, at most `most`; gives how many.
Result<u32> list_names(Object& directory, u64 from, ListedName* out, u32 most);

Result<u32> read_symlink(Object& symlink, u8* out, u32 capacity);

// Locks up to four different objects exclusively in rising object id, so that no two operations can wait for each other in a circle.
class ObjectLocks {
public:
    ObjectLocks() = default;
    ~ObjectLocks();
    ObjectLocks(const ObjectLocks&) = delete;
    void add(Object* object); // null and repeated ones are ignored
    void lock();

private:
    Object* m_objects[4] {};
    u32 m_count { 0 };
    bool m_locked { false };
};

}
