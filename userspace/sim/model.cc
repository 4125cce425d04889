// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/model.h"

#include <string.h>

#include "core/host/host.h"
#include "userspace/sim/random.h"

namespace lcpfs::sim {

static std::string attr_text(const core_attr& a)
{
    char text[400];
    auto time = [](core_time t) { return std::to_string(t.seconds) + "." + std::to_string(t.nanoseconds); };
    snprintf(text, sizeof(text),
             "gen %llu size %llu blocks %llu change %llu mode %o uid %u gid %u project %u links %u flags %x rdev %x a %s m %s c %s b %s",
             static_cast<unsigned long long>(a.generation), static_cast<unsigned long long>(a.size_bytes),
             static_cast<unsigned long long>(a.blocks), static_cast<unsigned long long>(a.change), a.mode, a.uid, a.gid, a.project,
             a.links, a.flags, a.rdev, time(a.atime).c_str(), time(a.mtime).c_str(), time(a.ctime).c_str(), time(a.btime).c_str());
    return text;
}

u64 ObjectState::hash() const
{
    u64 sum = mix(attr.id);
    if (!partial) {
        // Field by field: padding must not count.
        u64 fields[] = { attr.generation, attr.size_bytes, attr.blocks, attr.change, attr.mode, attr.uid, attr.gid, attr.project,
                         attr.links, attr.flags, attr.rdev, static_cast<u64>(attr.atime.seconds), attr.atime.nanoseconds,
                         static_cast<u64>(attr.mtime.seconds), attr.mtime.nanoseconds, static_cast<u64>(attr.ctime.seconds),
                         attr.ctime.nanoseconds, static_cast<u64>(attr.btime.seconds), attr.btime.nanoseconds };
        sum = mix(sum, host_xxh64(fields, sizeof(fields), 1));
        for (const auto& [name, value_hash] : xattrs)
            sum += mix(host_xxh64(name.data(), name.size(), 4), value_hash);
    }
    for (const auto& [name, entry] : entries)
        sum += mix(host_xxh64(name.data(), name.size(), entry.type), entry.id);
    for (const auto& [block, content_hash] : content)
        sum += mix(block, content_hash);
    if (!target.empty())
        sum += host_xxh64(target.data(), target.size(), 2);
    return mix(sum);
}

std::string ObjectState::describe() const
{
    std::string text = partial ? "shared directory" : attr_text(attr);
    if (!entries.empty()) {
        text += " entries";
        for (const auto& [name, entry] : entries)
            text += " " + name.substr(0, 12) + "=" + std::to_string(entry.id);
    }
    if (!content.empty())
        text += " content of " + std::to_string(content.size()) + " blocks";
    for (const auto& [name, hash] : xattrs)
        text += " " + name.substr(0, 20) + ":" + std::to_string(hash % 1000);
    if (!damage.empty())
        text += " DAMAGE " + damage;
    return text;
}

const ObjectState* Tree::find(u64 id) const
{
    auto found = m_objects.find(id);
    return found == m_objects.end() ? nullptr : found->second.get();
}

void Tree::forget(u64 id)
{
    const ObjectState* state = find(id);
    if (!state)
        return;
    if (counts(*state))
        m_hash -= state->hash();
    m_objects.erase(id);
}

namespace {

core_attr with_blocks(core_attr attr, u64 blocks)
{
    attr.blocks = blocks;
    return attr;
}

// One object against the other; gives "" when nothing that could be read is wrong.
std::string object_difference(const ObjectState& expected, const ObjectState& found, bool tolerant)
{
    if (found.partial) {
        if (expected.entries == found.entries)
            return "";
    } else if (const bool is_open = expected.frees_later || expected.allocates;
               attr_text(expected.attr) != attr_text(is_open ? with_blocks(found.attr, expected.attr.blocks) : found.attr)) {
        return "expected " + attr_text(expected.attr) + "\nlcpfs:             found    " + attr_text(found.attr);
    }
    for (const auto& [name, entry] : found.entries) {
        auto other = expected.entries.find(name);
        if (other == expected.entries.end())
            return "has name " + name + " (object " + std::to_string(entry.id) + ") that it should not";
        if (!(other->second == entry))
            return "name " + name + " leads to object " + std::to_string(entry.id) + ", not " + std::to_string(other->second.id);
    }
    for (const auto& [name, entry] : expected.entries)
        if (!found.entries.count(name) && !(tolerant && !found.damage.empty()))
            return "lacks name " + name + " (object " + std::to_string(entry.id) + ")";
    for (const auto& [name, hash] : found.xattrs) {
        auto other = expected.xattrs.find(name);
        if (other == expected.xattrs.end() || other->second != hash)
            return "attribute " + name + (other == expected.xattrs.end() ? " should not be there" : " has another value");
    }
    for (const auto& [name, hash] : expected.xattrs)
        if (!found.partial && !found.xattrs.count(name) && !(tolerant && !found.damage.empty()))
            return "lacks attribute " + name;
    for (const auto& [block, hash] : found.content) {
        auto other = expected.content.find(block);
        if (other == expected.content.end() || other->second != hash)
            return "block " + std::to_string(block) + (other == expected.content.end() ? " should be zeros" : " has other data");
    }
    for (const auto& [block, hash] : expected.content)
        if (!found.content.count(block) && !found.bad_blocks.count(block) && !(tolerant && !found.damage.empty()))
            return "block " + std::to_string(block) + " is zeros";
    if (expected.target != found.target && !(tolerant && !found.damage.empty()))
        return "target is " + found.target + ", not " + expected.target;
    if (!found.damage.empty() && !tolerant)
        return found.damage;
    return "";
}

}

std::string Tree::difference(const Tree& found, bool tolerant, unsigned limit) const
{
    std::string text;
    unsigned lines = 0;
    auto line = [&](u64 id, const std::string& what) {
        if (lines++ < limit)
            text += "\nlcpfs:     object " + std::to_string(id) + ": " + what;
    };
    bool some_damage = false;
    for (const auto& [id, state] : found.objects())
        some_damage |= !state->damage.empty();
    for (const auto& [id, state] : found.objects()) {
        const ObjectState* expected = find(id);
        if (tolerant && state->attr.id == 0)
            continue; // nothing at all could be read of it
        if (!expected || !counts(*expected))
            line(id, "should not be there: " + state->describe());
        else if (std::string what = object_difference(*expected, *state, tolerant); !what.empty())
            line(id, what);
    }
    for (const auto& [id, state] : m_objects)
        if (counts(*state) && !found.find(id) && !(tolerant && some_damage))
            line(id, "is missing: " + state->describe());
    if (lines > limit)
        text += "\nlcpfs:     and " + std::to_string(lines - limit) + " more";
    return text;
}

}
