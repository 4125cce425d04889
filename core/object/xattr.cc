// SPDX-License-Identifier: GPL-2.0-only
#include "core/object/xattr.h"

namespace lcpfs {

namespace {

constexpr StringView k_access_name = "system.posix_acl_access";
constexpr StringView k_default_name = "system.posix_acl_default";
constexpr StringView k_namespaces[] = { "user.", "trusted.", "security." };

bool begins_with(Bytes name, StringView prefix)
{
    return name.size() > prefix.size() && equal(name.slice(0, prefix.size()), prefix.bytes());
}

}

XattrKey::XattrKey(Bytes name, u8 generation, u32 part) : m_size(static_cast<u32>(name.size()) + 2)
{
    copy_bytes(m_bytes, name.data(), name.size());
    m_bytes[name.size()] = 0;
    m_bytes[name.size() + 1] = static_cast<u8>(generation | part);
}

u32 encode_xattr_part(Bytes value, u32 part, u8* out)
{
    const size_t offset = size_t(part) * k_xattr_part_bytes;
    const size_t bytes = min<size_t>(value.size() - offset, k_xattr_part_bytes);
    DiskXattr disk;
    disk.value_bytes.set(static_cast<u32>(value.size()));
    copy_bytes(out, &disk, sizeof(disk));
    copy_bytes(out + sizeof(disk), value.data() + offset, bytes);
    return static_cast<u32>(sizeof(disk) + bytes);
}

Result<XattrPart> XattrPart::decode(Bytes key, Bytes value)
{
    VERIFY_DISK(key.size() >= 3 && key.size() <= k_max_xattr_name_bytes + 2 && value.size() >= sizeof(DiskXattr), xattr_damaged);
    XattrPart item;
    item.name = key.slice(0, key.size() - 2);
    VERIFY_DISK(key[key.size() - 2] == 0 && check_xattr_name(item.name).is_ok(), xattr_damaged);
    item.generation = key[key.size() - 1] & k_xattr_generation;
    item.part = key[key.size() - 1] & static_cast<u8>(~k_xattr_generation);
    DiskXattr disk;
    copy_bytes(&disk, value.data(), sizeof(disk));
    item.value_bytes = disk.value_bytes.get();
    VERIFY_DISK(item.value_bytes <= k_max_xattr_value_bytes && item.part < xattr_parts(item.value_bytes), xattr_damaged);
    item.bytes = value.slice(sizeof(disk), value.size() - sizeof(disk));
    const u32 offset = item.part * k_xattr_part_bytes;
    VERIFY_DISK(item.bytes.size() == min(item.value_bytes - offset, k_xattr_part_bytes), xattr_damaged);
    return item;
}

AclKind acl_kind_of(Bytes name)
{
    if (equal(name, k_access_name.bytes()))
        return AclKind::access;
    return equal(name, k_default_name.bytes()) ? AclKind::fallback : AclKind::none;
}

Bytes acl_name(AclKind kind) { return kind == AclKind::access ? k_access_name.bytes() : k_default_name.bytes(); }

Status check_xattr_name(Bytes name)
{
    if (name.is_empty())
        return Error::invalid;
    if (name.size() > k_max_xattr_name_bytes)
        return Error::name_too_long;
    for (u8 byte : name)
        if (byte == 0)
            return Error::invalid;
    if (acl_kind_of(name) != AclKind::none)
        return {};
    for (const StringView& prefix : k_namespaces)
        if (begins_with(name, prefix))
            return {};
    return Error::not_supported;
}

Status check_xattr(Bytes name, Bytes value)
{
    TRY(check_xattr_name(name));
    if (value.size() > k_max_xattr_value_bytes)
        return Error::xattr_too_large;
    return acl_kind_of(name) == AclKind::none || is_acl(value) ? Status() : Status(Error::invalid);
}

bool is_acl(Bytes list)
{
    DiskAcl head;
    if (list.size() < sizeof(head) || (list.size() - sizeof(head)) % sizeof(DiskAclEntry) != 0)
        return false;
    copy_bytes(&head, list.data(), sizeof(head));
    if (head.version.get() != k_acl_version)
        return false;
    u32 seen = 0, last = 0;
    for (size_t at = sizeof(head); at < list.size(); at += sizeof(DiskAclEntry)) {
        DiskAclEntry entry;
        copy_bytes(&entry, list.data() + at, sizeof(entry));
        const u32 tag = entry.tag.get();
        const bool is_named = tag == u32(AclTag::user) || tag == u32(AclTag::group);
        const bool is_known = is_power_of_two(tag) && tag <= u32(AclTag::other);
        if (!is_known || entry.permissions.get() > 7 || tag < last || (tag == last && !is_named))
            return false;
        seen |= tag;
        last = tag;
    }
    const u32 always = u32(AclTag::owner) | u32(AclTag::owning_group) | u32(AclTag::other);
    const bool has_named = seen & (u32(AclTag::user) | u32(AclTag::group));
    return (seen & always) == always && (!has_named || (seen & u32(AclTag::mask)));
}

Status XattrSequence::take(const XattrPart& part)
{
    const Bytes last { m_name, m_name_bytes };
    if (part.part == 0) {
        VERIFY_DISK(m_next_part == m_parts && !equal(part.name, last), xattr_damaged);
        copy_bytes(m_name, part.name.data(), part.name.size());
        m_name_bytes = static_cast<u32>(part.name.size());
        m_generation = part.generation;
        m_value_bytes = part.value_bytes;
        m_parts = xattr_parts(part.value_bytes);
        m_next_part = 1;
        return {};
    }
    VERIFY_DISK(part.part == m_next_part && part.part < m_parts && equal(part.name, last), xattr_damaged);
    VERIFY_DISK(part.generation == m_generation && part.value_bytes == m_value_bytes, xattr_damaged);
    m_next_part++;
    return {};
}

}
