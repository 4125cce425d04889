// SPDX-License-Identifier: GPL-2.0-only
// Worker: attributes; extended ones and lists of POSIX ACLs, with the mode and the times that change with them.
#include "core/format/xattr_format.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/worker.h"

namespace lcpfs::sim {

namespace {
constexpr int k_enospc = 28, k_enomem = 12;
const char* const k_lists[] = { "system.posix_acl_access", "system.posix_acl_default" };
bool is_list(const std::string& name) { return name.compare(0, 7, "system.") == 0; }
}

std::string Worker::random_xattr_name()
{
    if (m_random.one_in(4))
        return k_lists[m_random.below(2)];
    static constexpr const char* k_spaces[] = { "user.", "trusted.", "security." };
    std::string name = k_spaces[m_random.below(3)] + std::string("x") + std::to_string(m_random.below(6));
    if (m_random.one_in(10))
        name += std::string(CORE_XATTR_NAME_MAX - name.size(), 'l');
    return name;
}

std::string Worker::random_xattr_value(const std::string& name)
{
    if (is_list(name)) {
        std::string list(4, '\0');
        list[0] = static_cast<char>(k_acl_version);
        auto add = [&](AclTag tag) {
            DiskAclEntry entry {};
            entry.tag.set(static_cast<u16>(tag));
            entry.permissions.set(static_cast<u16>(m_random.below(8)));
            entry.id.set(tag == AclTag::user || tag == AclTag::group ? static_cast<u32>(m_random.below(9000)) : ~0u);
            list.append(reinterpret_cast<const char*>(&entry), sizeof(entry));
        };
        const u64 users = m_random.one_in(8) ? m_random.below(200) : m_random.below(4);
        add(AclTag::owner);
        for (u64 i = 0; i < users; i++)
            add(AclTag::user);
        add(AclTag::owning_group);
        add(AclTag::mask);
        add(AclTag::other);
        return list;
    }
    const u64 bytes = m_random.one_in(12) ? m_random.below(CORE_XATTR_VALUE_MAX + 1)
        : m_random.one_in(4)              ? m_random.below(9000)
                                          : m_random.below(200);
    std::string value(bytes, static_cast<char>('a' + m_random.below(26)));
    for (size_t i = 0; i < value.size(); i += 512)
        value[i] = static_cast<char>(m_random.next());
    return value;
}

int Worker::set_xattr(u64 id, const std::string& name, const std::string* value)
{
    core_object* object = get(id);
    if (!object)
        return m_stopped ? -5 : -k_enomem;
    const ObjectState& old = tree().at(id);
    const bool was_there = old.xattrs.count(name);
    core_attr attr {};
    attr.ctime = now();
    attr.change = old.attr.change + 1;
    attr.mode = static_cast<u32>(old.attr.mode ^ (is_list(name) ? m_random.below(01000) : 0));
    const unsigned mask = CORE_SET_CTIME | CORE_SET_CHANGE | (is_list(name) ? unsigned(CORE_SET_MODE) : 0u);
    core_xattr xattr { name.data(), static_cast<u32>(name.size()), value ? value->data() : nullptr,
                       value ? static_cast<u32>(value->size()) : 0 };
    unsigned flags = !value ? unsigned(CORE_XATTR_IF_ANY) : 0u;
    if (value && m_random.one_in(3))
        flags = was_there ? CORE_XATTR_REPLACE : CORE_XATTR_CREATE;
    begin((value ? "set attribute " : "remove attribute ") + name.substr(0, 24) + " of " + std::to_string(id)
          + (value ? ", " + std::to_string(value->size()) + " bytes" : ""));
    const int error = core_xattr_set(object, &xattr, flags, &attr, mask);
    if (error == -k_enospc && !value)
        fail("removing attribute %s of object %llu gave ENOSPC", name.c_str(), static_cast<unsigned long long>(id));
    if (error)
        return end(error);
    edit().update(id, [&](ObjectState& state) {
        state.xattrs.erase(name);
        if (value)
            state.xattrs[name] = xattr_hash(*value);
    });
    predict(edit(), id, object, old.attr.links, old.attr.size_bytes);
    if (is_list(name) && edit().at(id).attr.mode != attr.mode)
        fail("the mode of object %llu did not change with its list", static_cast<unsigned long long>(id));
    end(0);
    put(object);
    return 0;
}

int Worker::set_attr(u64 id)
{
    core_object* object = get(id);
    if (!object)
        return m_stopped ? -5 : -k_enomem;
    core_attr attr {};
    attr.mode = static_cast<u32>((tree().at(id).attr.mode & 0170000) | m_random.below(010000));
    attr.uid = static_cast<u32>(m_random.below(100000));
    attr.gid = static_cast<u32>(m_random.below(100000));
    attr.atime = attr.mtime = attr.ctime = now();
    attr.mtime.seconds -= static_cast<i64>(m_random.below(1u << 31));
    attr.project = static_cast<u32>(m_random.below(4));
    attr.flags = static_cast<u32>(m_random.below(256));
    attr.change = tree().at(id).attr.change + m_random.below(1000);
    unsigned mask = static_cast<unsigned>(m_random.below(512)) | CORE_SET_CTIME;
    begin("set attributes of " + std::to_string(id));
    int error = core_object_set_attr(object, &attr, mask);
    if (error)
        return end(error);
    core_attr found;
    core_object_attr(object, &found);
    if ((mask & CORE_SET_MODE && found.mode != attr.mode) || (mask & CORE_SET_UID && found.uid != attr.uid)
        || (mask & CORE_SET_GID && found.gid != attr.gid) || (mask & CORE_SET_MTIME && found.mtime.seconds != attr.mtime.seconds)
        || (mask & CORE_SET_PROJECT && found.project != attr.project) || (mask & CORE_SET_FLAGS && found.flags != attr.flags)
        || (mask & CORE_SET_CHANGE && found.change < attr.change) || found.ctime.seconds != attr.ctime.seconds)
        fail("set_attr of object %llu did not take", static_cast<unsigned long long>(id));
    predict(edit(), id, object, tree().at(id).attr.links, tree().at(id).attr.size_bytes);
    end(0);
    put(object);
    return 0;
}

void Worker::random_xattr()
{
    const u64 id = random_object([](const ObjectState& state) { return !state.xattrs.empty(); });
    if (id && m_random.one_in(3)) {
        auto chosen = tree().at(id).xattrs.begin();
        std::advance(chosen, static_cast<long>(m_random.below(tree().at(id).xattrs.size())));
        const std::string name = chosen->first;
        const std::string value = random_xattr_value(name);
        set_xattr(id, name, m_random.one_in(2) ? nullptr : &value);
        return;
    }
    const u64 other = id && m_random.one_in(2) ? id : random_object([](const ObjectState&) { return true; });
    if (!other)
        return;
    const ObjectState& state = tree().at(other);
    const std::string name = random_xattr_name();
    if (is_list(name) && (state.is_symlink() || (name == k_lists[1] && !state.is_directory())))
        return;
    const std::string value = random_xattr_value(name);
    set_xattr(other, name, m_random.one_in(6) ? nullptr : &value);
}

}
