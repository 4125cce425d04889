// SPDX-License-Identifier: GPL-2.0-only
// An extended attribute's items decoded and encoded (xattr_format.h), and what may be in an attribute.
#pragma once

#include "core/base/result.h"
#include "core/base/span.h"
#include "core/format/xattr_format.h"

namespace lcpfs {

// One item.
struct XattrPart {
    Bytes name;             // into the key
    u8 generation { 0 };    // 0 or k_xattr_generation
    u32 part { 0 };
    u32 value_bytes { 0 };  // of the whole value
    Bytes bytes;            // into the value

    // xattr_damaged for anything out of form.
    static Result<XattrPart> decode(Bytes key, Bytes value);
};

constexpr u32 xattr_parts(u32 value_bytes)
{
    return value_bytes == 0 ? 1 : (value_bytes + k_xattr_part_bytes - 1) / k_xattr_part_bytes;
}

class XattrKey {
public:
    XattrKey(Bytes name, u8 generation, u32 part);
    Bytes bytes() const { return { m_bytes, m_size }; }

private:
    u8 m_bytes[k_max_xattr_name_bytes + 2];
    u32 m_size;
};

// Gives the bytes written into `out` (k_max_xattr_item_bytes).
u32 encode_xattr_part(Bytes value, u32 part, u8* out);

// invalid, name_too_long, xattr_too_large; not_supported: of no namespace that there is. `value` of a list is looked into.
Status check_xattr_name(Bytes name);
Status check_xattr(Bytes name, Bytes value);

enum class AclKind : u8 { none, access, fallback /* of what is made in a directory */ };
AclKind acl_kind_of(Bytes xattr_name);
Bytes acl_name(AclKind kind);
// Whether `list` is a POSIX ACL in the form of xattr_format.h: known tags in their order, those that have to be there once each.
bool is_acl(Bytes list);

// Checks, item by item in the order of keys, that they make up whole values.
class XattrSequence {
public:
    // xattr_damaged: this part does not follow the one before.
    Status take(const XattrPart& part);
    // xattr_damaged: the last value has not ended.
    Status end() const { return m_next_part == m_parts ? Status() : Status(Error::xattr_damaged); }
    // Of `take`: the part taken was its value's last.
    bool is_whole() const { return m_next_part == m_parts; }

private:
    u8 m_name[k_max_xattr_name_bytes];
    u32 m_name_bytes { 0 };
    u8 m_generation { 0 };
    u32 m_value_bytes { 0 };
    u32 m_parts { 0 }, m_next_part { 0 };
};

}
