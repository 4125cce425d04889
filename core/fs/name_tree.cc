// SPDX-License-Identifier: GPL-2.0-only
// The callers hold the directory's lock, through guards the analysis cannot follow (ObjectLocks).
#include "core/fs/name_tree.h"

namespace lcpfs {

Status find_name(Object& directory, Bytes text, NameSpot& spot) NO_THREAD_SAFETY_ANALYSIS
{
    if (!directory.m_attributes.is_directory())
        return Error::not_directory;
    u64 first = name_cookie(text, directory.dataset().hash_seed());
    u64 vacant = first;
    BigEndianKey key(first);
    TreeCursor cursor;
    spot = NameSpot();
    bool more = TRY(directory.m_tree.seek({ key.data(), 8 }, cursor));
    while (more) {
        Name name = TRY(Name::decode(cursor.key(), cursor.value()));
        if (name.cookie >= first + k_cookie_collisions)
            break;
        if (equal(name.text, text)) {
            spot = NameSpot { true, name.cookie, ObjectId(name.object), name.type };
            return {};
        }
        if (name.cookie == vacant)
            vacant++;
        more = TRY(directory.m_tree.next(cursor));
    }
    spot.cookie = vacant;
    return {};
}

Status prepare_add_name(Object& directory, TxgId txg, const NameSpot& spot, Bytes text) NO_THREAD_SAFETY_ANALYSIS
{
    if (spot.cookie >= name_cookie(text, directory.dataset().hash_seed()) + k_cookie_collisions)
        return Error::no_space;
    BigEndianKey key(spot.cookie);
    return directory.m_tree.prepare_insert(txg, { key.data(), 8 }, static_cast<u32>(sizeof(DiskName) + text.size()));
}

void add_name(Object& directory, const NameSpot& spot, Bytes text, ObjectId object, u8 type) NO_THREAD_SAFETY_ANALYSIS
{
    u8 value[k_max_name_value_bytes];
    u32 bytes = encode_name(object.value(), type, text, value);
    BigEndianKey key(spot.cookie);
    directory.m_tree.insert({ key.data(), 8 }, { value, bytes });
    directory.m_attributes.size_bytes += name_cost(text.size());
}

Status prepare_remove_name(Object& directory, TxgId txg, const NameSpot& spot) NO_THREAD_SAFETY_ANALYSIS
{
    BigEndianKey key(spot.cookie);
    return directory.m_tree.prepare_change(txg, { key.data(), 8 });
}

void remove_name(Object& directory, TxgId txg, const NameSpot& spot, Bytes text) NO_THREAD_SAFETY_ANALYSIS
{
    BigEndianKey key(spot.cookie);
    directory.m_tree.remove(txg, { key.data(), 8 });
    directory.m_attributes.drop_bytes(name_cost(text.size()));
}

void redirect_name(Object& directory, const NameSpot& spot, Bytes text, ObjectId object, u8 type) NO_THREAD_SAFETY_ANALYSIS
{
    u8 value[k_max_name_value_bytes];
    u32 bytes = encode_name(object.value(), type, text, value);
    BigEndianKey key(spot.cookie);
    directory.m_tree.update({ key.data(), 8 }, { value, bytes });
}

}
