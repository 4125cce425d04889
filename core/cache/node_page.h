// SPDX-License-Identifier: GPL-2.0-only
// NodePage: the slotted page of a tree node in memory, in the on-disk layout of format/node_format.h.
//
// A view over a buffer of `capacity` bytes; the capacity may be smaller than a node on disk (small roots).
// Keys are sorted. Removing leaves a hole in the heap; inserting compacts when holes are all the room there is.
// Nothing here allocates or fails: the caller has made sure of room (can_hold), and verify() has passed for
// anything that came from a device.
#pragma once

#include "core/base/result.h"
#include "core/base/span.h"
#include "core/format/node_format.h"

namespace lcpfs {

struct TreeOwner {
    TreeKind kind {};
    u64 dataset { 0 };
    u64 object { 0 };
    friend bool operator==(const TreeOwner&, const TreeOwner&) = default;
};

// compare() of two keys, nearly all of which are 64-bit numbers.
inline int compare_keys(Bytes a, Bytes b)
{
    if (a.size() != 8 || b.size() != 8)
        return compare(a, b);
    BigEndianKey left, right;
    copy_bytes(&left, a.data(), 8);
    copy_bytes(&right, b.data(), 8);
    return left.get() < right.get() ? -1 : left.get() > right.get();
}
inline void copy_key(u8* to, Bytes key)
{
    if (key.size() == 8)
        copy_bytes(to, key.data(), 8);
    else
        copy_bytes(to, key.data(), key.size());
}

// One to be put into a page, from outside of it.
struct NodeItem {
    Bytes key, value;
    u32 bytes() const { return static_cast<u32>(key.size() + value.size()); }
};

class NodePage {
public:
    NodePage() = default;
    NodePage(u8* buffer, u32 capacity) : m_buffer(buffer), m_capacity(capacity) {}

    void initialise(const TreeOwner& owner, u8 level, u64 birth_txg);
    // Everything a reader relies on: bounds, order, no item outside or upon another. `node_damaged`, `node_identity`.
    Status verify(const TreeOwner& owner, u8 level, u64 birth_txg) const;

    DiskNodeHeader& header() const { return *reinterpret_cast<DiskNodeHeader*>(m_buffer); }
    u8* buffer() const { return m_buffer; }
    u32 capacity() const { return m_capacity; }
    u32 count() const { return header().item_count.get(); }
    u8 level() const { return header().level; }
    Bytes key(u32 i) const
    {
        const DiskNodeSlot& slot = slots()[i];
        return { m_buffer + slot.offset.get(), slot.key_bytes.get() };
    }
    Bytes value(u32 i) const
    {
        const DiskNodeSlot& slot = slots()[i];
        return { m_buffer + slot.offset.get() + slot.key_bytes.get(), slot.value_bytes.get() };
    }
    MutableBytes mutable_value(u32 i);

    // First index whose key is >= `key` (count() when none); `exact` tells whether it is equal.
    u32 lower_bound(Bytes key, bool& exact) const;
    // The same, where `hint` is likely to be the result or next to it. Any number will do. With k_no_hint two places are looked at before
    // there is a search: the end, where whatever grows is added, and where the item is when every number between the lowest and it has
    // one, as the blocks of a file that was written in small pieces.
    static constexpr u32 k_no_hint = ~0u;
    u32 lower_bound(Bytes key, u32 hint, bool& exact) const;
    // For levels above 0: the child that covers `key`.
    u32 child_index(Bytes key) const;

    // Bytes of items and slots, holes left out.
    u32 used_bytes() const { return m_used; }
    u32 room() const { return m_capacity - sizeof(DiskNodeHeader) - m_used; }
    static constexpr u32 item_cost(size_t key_bytes, size_t value_bytes)
    {
        return static_cast<u32>(key_bytes + value_bytes + sizeof(DiskNodeSlot));
    }
    bool can_hold(u32 cost) const { return room() >= cost; }
    // Between slots and heap.
    u32 contiguous_room() const
    {
        return header().heap_start.get() - static_cast<u32>(sizeof(DiskNodeHeader) + count() * sizeof(DiskNodeSlot));
    }

    void insert(u32 i, Bytes key, Bytes value);
    void remove(u32 i);
    // Room for the difference has been made sure of.
    void replace_value(u32 i, Bytes value);
    void replace_key(u32 i, Bytes key);
    // Item `i` gives way to `items`, one at least, whose keys are in order and between its neighbours'. Room for the difference has been
    // made sure of. What fits goes where the old one was, the largest first: so less of the page becomes holes.
    void replace_with(u32 i, Span<const NodeItem> items);
    // Appends items [first, last) of `from`.
    void append_from(const NodePage& from, u32 first, u32 last);
    void truncate_items(u32 count);
    // The same content in another buffer, laid out afresh.
    void copy_to(NodePage& to) const;
    // After the buffer was filled from a device or a copy.
    void recount();

private:
    u32 lower_bound_between(Bytes key, u32 low, u32 high, bool& exact) const;
    u32 lower_bound_in_rows(Bytes key, bool& exact) const;
    u32 lower_bound_of_bytes(Bytes key, bool& exact) const;
    DiskNodeSlot* slots() const { return reinterpret_cast<DiskNodeSlot*>(m_buffer + sizeof(DiskNodeHeader)); }
    // A bucket of a page of 32 KiB is 256 bytes: no more items can begin in it than a batch takes.
    static constexpr u32 k_buckets = 128, k_batch = 256;
    u32 pick_highest(u32& limit, u16 (&picked)[k_batch]) const;
    void compact();
    void put(DiskNodeSlot& slot, u32 offset, const NodeItem& item);

    u8* m_buffer { nullptr };
    u32 m_capacity { 0 };
    u32 m_used { 0 };
};

}
