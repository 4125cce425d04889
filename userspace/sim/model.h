// SPDX-License-Identifier: GPL-2.0-only
// What a filesystem holds, as plain data: the model that operations are applied to, and what a walk through
// the core finds. The two are compared object by object.
//
// A Tree is a subtree by object id. Objects are shared between copies of a tree and replaced when they change,
// so that keeping the state after every operation is cheap. Its hash is a sum over the objects. Objects
// without a link are not part of it: a crash removes them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/api/core.h"
#include "core/base/types.h"

namespace lcpfs::sim {

struct Entry {
    u64 id;
    u8 type;
    bool operator==(const Entry&) const = default;
};

struct ObjectState {
    core_attr attr {};
    std::map<std::string, Entry> entries; // of a directory
    std::map<u64, u64> content;           // of a file: block -> hash of what is within the size; zeros left out
    std::string target;                   // of a symlink
    std::map<std::string, u64> xattrs;    // name -> hash of the value and its length
    bool allocates { false };             // the last change gave it blocks, piece by piece: how many it has is open
    bool frees_later { false };           // a cut stands whose blocks could not all be freed yet: how many it has is open
    bool partial { false };               // only entries count: a directory shared with other workers
    std::string damage;                   // by a walk: what could not be read; empty: all of it could
    std::map<u64, int> bad_blocks;        // by a walk: blocks that gave an error

    bool is_directory() const { return (attr.mode & 0170000) == 0040000; }
    bool is_file() const { return (attr.mode & 0170000) == 0100000; }
    bool is_symlink() const { return (attr.mode & 0170000) == 0120000; }
    u64 hash() const;
    std::string describe() const;
};

class Tree {
public:
    u64 root { 0 };

    const ObjectState* find(u64 id) const;
    const ObjectState& at(u64 id) const { return *find(id); }
    // The object to change; the hash follows when `update` ends.
    template <typename Change>
    void update(u64 id, Change change)
    {
        ObjectState state;
        if (const ObjectState* old = find(id)) {
            state = *old;
            if (counts(state))
                m_hash -= state.hash();
        }
        change(state);
        if (counts(state))
            m_hash += state.hash();
        m_objects[id] = std::make_shared<const ObjectState>(std::move(state));
    }
    void forget(u64 id);
    u64 hash() const { return m_hash; }
    const std::map<u64, std::shared_ptr<const ObjectState>>& objects() const { return m_objects; }

    // What differs, one line each, at most `limit`; empty when nothing does. `this` is what was expected.
    // `tolerant`: what `found` could not read for an error does not count, wrong data does.
    std::string difference(const Tree& found, bool tolerant, unsigned limit = 12) const;

private:
    static bool counts(const ObjectState& state) { return state.partial || state.attr.links != 0; }

    std::map<u64, std::shared_ptr<const ObjectState>> m_objects;
    u64 m_hash { 0 };
};

}
