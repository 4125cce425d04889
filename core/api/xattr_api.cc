// SPDX-License-Identifier: GPL-2.0-only
#include "core/api/handles.h"
#include "core/fs/xattrs.h"

using namespace lcpfs;

static_assert(CORE_XATTR_NAME_MAX == k_max_xattr_name_bytes && CORE_XATTR_VALUE_MAX == k_max_xattr_value_bytes);

int core_xattr_set(core_object* handle, const core_xattr* xattr, unsigned flags, const core_attr* attr, unsigned mask)
{
    Object& object = object_of(handle);
    XattrChange change;
    change.name = bytes_of_name(xattr->name, xattr->name_length);
    change.value = Bytes(static_cast<const u8*>(xattr->value), xattr->value ? xattr->value_length : 0);
    change.removes = !xattr->value;
    change.flags = flags;
    change.attributes = attr;
    change.mask = mask;
    return to_errno(change_xattr(pool_of(object), object, change));
}

int core_xattr_get(core_object* object, const char* name, uint32_t name_length, void* buffer, uint32_t capacity, uint32_t* length)
{
    auto got = get_xattr(object_of(object), bytes_of_name(name, name_length), { static_cast<u8*>(buffer), capacity });
    if (got.is_ok())
        *length = got.value();
    return to_errno(got);
}

int core_xattr_list(core_object* object, bool (*wanted)(void* context, const char* name, uint32_t length), void* context, char* buffer,
    uint32_t capacity, uint32_t* length)
{
    auto listed = list_xattrs(object_of(object), wanted, context, { reinterpret_cast<u8*>(buffer), capacity });
    if (listed.is_ok())
        *length = listed.value();
    return to_errno(listed);
}
