// SPDX-License-Identifier: GPL-2.0-only
#include "core/api/handles.h"
#include "core/fs/attributes.h"
#include "core/fs/names.h"
#include "core/fs/shrink.h"

using namespace lcpfs;

int core_object_get(core_dataset* handle, uint64_t id, uint64_t generation, core_object** out)
{
    auto found = dataset_of(handle).get(ObjectId(id));
    if (found.is_error())
        return to_errno(found);
    Ref<Object> object = found.release_value();
    if (!is_live(*object))
        return to_errno(generation ? Error::stale_handle : Error::not_found);
    if (generation) {
        ReadGuard guard(object->m_lock);
        if (object->m_attributes.generation != generation)
            return to_errno(Error::stale_handle);
    }
    *out = handle_of(lcpfs::move(object));
    return 0;
}

void core_object_put(core_object* handle) { object_of(handle).unreference(); }

void core_object_attr(core_object* handle, core_attr* out) { get_attributes(object_of(handle), *out); }

int core_object_set_attr(core_object* handle, const core_attr* attr, unsigned mask)
{
    Object& object = object_of(handle);
    return to_errno(set_attributes(pool_of(object), object, *attr, mask));
}

int core_object_delete(core_object* handle)
{
    Object& object = object_of(handle);
    return to_errno(delete_object(pool_of(object), object));
}

int core_object_sync(core_object* handle)
{
    Object& object = object_of(handle);
    Pool& pool = pool_of(object);
    const OwnerSlot owner = object.dataset().owner();
    const u64 began_ns = pool.partitions().begin_access(owner);
    const Status synced = sync_object(pool, object);
    pool.partitions().end_access(owner, began_ns);
    return to_errno(synced);
}

int core_lookup(core_object* directory, const char* name, uint32_t length, uint64_t* id, uint8_t* type)
{
    auto found = lookup_name(object_of(directory), bytes_of_name(name, length));
    if (found.is_error())
        return to_errno(found);
    *id = found.value().object.value();
    *type = found.value().type;
    return 0;
}

namespace {

NewObject new_object_of(const core_new& how)
{
    NewObject made;
    made.mode = how.mode;
    made.uid = how.uid;
    made.gid = how.gid;
    made.project = how.project;
    made.flags = how.flags;
    made.rdev = how.rdev;
    made.time = time_of(how.time);
    if ((how.mode & k_mode_type) == k_mode_symlink)
        made.target = bytes_of_name(how.target, how.target_length);
    return made;
}

bool is_sound(const core_new& how)
{
    if ((how.mode & k_mode_type) != k_mode_symlink)
        return true;
    return how.target && how.target_length >= 1 && how.target_length <= CORE_SYMLINK_MAX;
}

int give(Result<Ref<Object>>&& made, core_object** out)
{
    if (made.is_error())
        return to_errno(made);
    *out = handle_of(made.release_value());
    return 0;
}

}

namespace {

// The attributes that a new object begins with, as the core has them, for as long as it is made.
class NewXattrs {
public:
    Status take(const core_new& how)
    {
        if (how.xattr_count == 0)
            return {};
        TRY(m_list.resize(how.xattr_count));
        for (u32 i = 0; i < how.xattr_count; i++) {
            const core_xattr& xattr = how.xattrs[i];
            m_list[i] = { bytes_of_name(xattr.name, xattr.name_length),
                          Bytes(static_cast<const u8*>(xattr.value), xattr.value_length) };
        }
        return {};
    }
    Span<const NewXattr> list() { return m_list.span(); }

private:
    Vector<NewXattr> m_list;
};

}

int core_create(core_object* directory, const char* name, uint32_t length, const core_new* how, core_object** out)
{
    if (!is_sound(*how))
        return to_errno(how->target_length > CORE_SYMLINK_MAX ? Error::name_too_long : Error::invalid);
    Object& parent = object_of(directory);
    NewObject made = new_object_of(*how);
    NewXattrs xattrs;
    if (const Status status = xattrs.take(*how); status.is_error())
        return to_errno(status);
    made.xattrs = xattrs.list();
    return give(create_object(pool_of(parent), parent, bytes_of_name(name, length), made), out);
}

int core_create_unnamed(core_object* directory, const core_new* how, core_object** out)
{
    if (!is_sound(*how))
        return to_errno(Error::invalid);
    Object& parent = object_of(directory);
    NewObject made = new_object_of(*how);
    NewXattrs xattrs;
    if (const Status status = xattrs.take(*how); status.is_error())
        return to_errno(status);
    made.xattrs = xattrs.list();
    return give(create_unnamed_object(pool_of(parent), parent, made), out);
}

int core_link(core_object* directory, const char* name, uint32_t length, core_object* object, core_time time)
{
    Object& parent = object_of(directory);
    if (&parent.dataset() != &object_of(object).dataset())
        return to_errno(Error::cross_dataset);
    return to_errno(link_object(pool_of(parent), parent, bytes_of_name(name, length), object_of(object), time_of(time)));
}

int core_unlink(core_object* directory, const char* name, uint32_t length, core_object* object, core_time time)
{
    Object& parent = object_of(directory);
    return to_errno(unlink_object(pool_of(parent), parent, bytes_of_name(name, length), object_of(object), time_of(time)));
}

int core_rename(const struct core_rename* how)
{
    Object& from = object_of(how->from_directory);
    Object& to = object_of(how->to_directory);
    if (&from.dataset() != &to.dataset())
        return to_errno(Error::cross_dataset);
    if ((how->flags & CORE_RENAME_NOREPLACE) && how->victim)
        return to_errno(Error::exists);
    const bool leaves = how->flags & CORE_RENAME_WHITEOUT;
    if (leaves && !is_sound(*how->whiteout))
        return to_errno(Error::invalid);
    NewObject whiteout;
    NewXattrs xattrs;
    if (leaves) {
        whiteout = new_object_of(*how->whiteout);
        if (const Status status = xattrs.take(*how->whiteout); status.is_error())
            return to_errno(status);
        whiteout.xattrs = xattrs.list();
    }
    Rename rename { from, to, bytes_of_name(how->from_name, how->from_length), bytes_of_name(how->to_name, how->to_length),
        object_of(how->object), how->victim ? &object_of(how->victim) : nullptr, (how->flags & CORE_RENAME_EXCHANGE) != 0,
        time_of(how->time), leaves ? &whiteout : nullptr };
    return to_errno(rename_object(pool_of(from), rename));
}

int core_readdir(core_object* handle, uint64_t* cookie,
    bool (*emit)(void* context, const char* name, uint32_t length, uint64_t id, uint8_t type, uint64_t cookie), void* context)
{
    constexpr u32 k_batch = 56; // within 16 KiB
    ListedName* names = static_cast<ListedName*>(host_alloc(k_batch * sizeof(ListedName), 0));
    if (!names)
        return to_errno(Error::no_memory);
    Error error = Error::none;
    for (;;) {
        auto listed = list_names(object_of(handle), *cookie, names, k_batch);
        error = listed.error();
        if (listed.is_error() || listed.value() == 0)
            break;
        u32 at = 0;
        for (; at < listed.value(); at++) {
            const ListedName& name = names[at];
            *cookie = name.cookie;
            if (!emit(context, reinterpret_cast<const char*>(name.text), name.text_bytes, name.object, name.type, name.cookie))
                break;
            *cookie = name.cookie + 1;
        }
        if (at < listed.value() || listed.value() < k_batch)
            break;
    }
    host_free(names);
    return to_errno(error);
}

int core_read_link(core_object* handle, char* buffer, uint32_t* length)
{
    auto read = read_symlink(object_of(handle), reinterpret_cast<u8*>(buffer), CORE_SYMLINK_MAX);
    if (read.is_ok())
        *length = read.value();
    return to_errno(read);
}

int core_parent(core_object* handle, uint64_t* id)
{
    Object& directory = object_of(handle);
    ReadGuard guard(directory.m_lock);
    if (!directory.m_attributes.is_directory())
        return to_errno(Error::not_directory);
    *id = directory.m_attributes.parent;
    return 0;
}
