// SPDX-License-Identifier: GPL-2.0-only
#include "core/cache/node_page.h"

namespace lcpfs {

namespace {

u64 load_key(const u8* bytes)
{
    u64 raw;
    copy_bytes(&raw, bytes, 8);
    return __builtin_bswap64(raw);
}

// Nearly every key is a 64-bit number, and compared as one.
bool is_before(Bytes a, Bytes b)
{
    return a.size() == 8 && b.size() == 8 ? load_key(a.data()) < load_key(b.data()) : compare(a, b) < 0;
}

}

void NodePage::initialise(const TreeOwner& owner, u8 level, u64 birth_txg)
{
    DiskNodeHeader& head = header();
    zero_bytes(&head, sizeof(head));
    head.magic.set(k_node_magic);
    head.kind = static_cast<u8>(owner.kind);
    head.level = level;
    head.dataset.set(owner.dataset);
    head.object.set(owner.object);
    head.birth_txg.set(birth_txg);
    head.heap_start.set(m_capacity);
    head.node_bytes.set(m_capacity);
    m_used = 0;
}

Status NodePage::verify(const TreeOwner& owner, u8 level, u64 birth_txg) const
{
    const DiskNodeHeader& head = header();
    VERIFY_DISK(head.magic.get() == k_node_magic, node_damaged);
    VERIFY_DISK(head.kind == static_cast<u8>(owner.kind), node_identity);
    VERIFY_DISK(head.dataset.get() == owner.dataset && head.object.get() == owner.object, node_identity);
    VERIFY_DISK(head.level == level && head.birth_txg.get() == birth_txg, node_identity);
    VERIFY_DISK(head.node_bytes.get() == m_capacity, node_damaged);
    u32 items = head.item_count.get();
    u32 slots_end = sizeof(DiskNodeHeader) + items * sizeof(DiskNodeSlot);
    u32 heap = head.heap_start.get();
    VERIFY_DISK(slots_end <= m_capacity && heap >= slots_end && heap <= m_capacity, node_damaged);
    // On disk items stand in the order of their slots, from the end, with nothing between: so they cannot overlap.
    u32 end = m_capacity;
    for (u32 i = 0; i < items; i++) {
        const DiskNodeSlot& slot = slots()[i];
        u32 bytes = u32(slot.key_bytes.get()) + slot.value_bytes.get();
        VERIFY_DISK(slot.key_bytes.get() <= k_max_key_bytes, node_damaged);
        VERIFY_DISK(bytes <= end - heap && slot.offset.get() == end - bytes, node_damaged);
        if (level > 0)
            VERIFY_DISK(slot.value_bytes.get() == sizeof(DiskNodePointer), node_damaged);
        else
            VERIFY_DISK(bytes <= max_item_bytes(m_capacity), node_damaged);
        VERIFY_DISK((level > 0 && i == 0) == (slot.key_bytes.get() == 0), node_damaged);
        if (i > 0)
            VERIFY_DISK(is_before(key(i - 1), key(i)), node_damaged);
        end -= bytes;
    }
    VERIFY_DISK(end == heap, node_damaged);
    VERIFY_DISK(items > 0, node_damaged); // an empty tree has no node
    return {};
}

MutableBytes NodePage::mutable_value(u32 i)
{
    const DiskNodeSlot& slot = slots()[i];
    return { m_buffer + slot.offset.get() + slot.key_bytes.get(), slot.value_bytes.get() };
}

// Nearly every key is a 64-bit number: compared as one. Above level 0 the first is empty. A key of 8 bytes among the items [low, high):
// those before are known to be below it, those behind above.
[[gnu::always_inline]] inline u32 NodePage::lower_bound_between(Bytes wanted, u32 low, u32 high, bool& exact) const
{
    const u64 number = load_key(wanted.data());
    const u8* const buffer = m_buffer;
    const DiskNodeSlot* const slots_here = slots();
    exact = false;
    while (low < high) {
        const u32 middle = (low + high) / 2;
        const DiskNodeSlot& slot = slots_here[middle];
        if (__builtin_expect(slot.key_bytes.get() != 8, 0)) {
            if (slot.key_bytes.get() != 0)
                return lower_bound_of_bytes(wanted, exact);
            low = middle + 1;
            continue;
        }
        const u64 here = load_key(buffer + slot.offset.get());
        if (here < number) {
            low = middle + 1;
            continue;
        }
        high = middle;
        if (here == number) {
            exact = true;
            return middle;
        }
    }
    return low;
}

u32 NodePage::lower_bound(Bytes wanted, bool& exact) const
{
    return wanted.size() == 8 ? lower_bound_between(wanted, 0, count(), exact) : lower_bound_of_bytes(wanted, exact);
}

// For a key of 8 bytes and a page that is not empty.
u32 NodePage::lower_bound_in_rows(Bytes wanted, bool& exact) const
{
    const DiskNodeSlot* const slots_here = slots();
    const u64 number = load_key(wanted.data());
    u32 low = 0, high = count();
    exact = false;
    if (const DiskNodeSlot& last = slots_here[high - 1];
        last.key_bytes.get() == 8 && load_key(m_buffer + last.offset.get()) < number)
        return high;
    if (slots_here[0].key_bytes.get() == 8) {
        const u64 lowest = load_key(m_buffer + slots_here[0].offset.get());
        exact = number == lowest;
        if (number <= lowest)
            return 0;
        const u64 dense = number - lowest;
        if (dense < high && slots_here[dense].key_bytes.get() == 8) {
            const u64 there = load_key(m_buffer + slots_here[dense].offset.get());
            exact = there == number;
            if (exact)
                return static_cast<u32>(dense);
            (there < number ? low : high) = static_cast<u32>(dense) + (there < number);
        }
    }
    return lower_bound_between(wanted, low, high, exact);
}

// When of two neighbours one is below what is wanted and the other is not, there is nothing to search.
u32 NodePage::lower_bound(Bytes wanted, u32 hint, bool& exact) const
{
    const u32 items = count();
    const DiskNodeSlot* const slots_here = slots();
    if (hint >= items && items != 0 && wanted.size() == 8)
        return lower_bound_in_rows(wanted, exact);
    if (hint >= items || wanted.size() != 8 || slots_here[hint].key_bytes.get() != 8)
        return lower_bound(wanted, exact);
    const u64 number = load_key(wanted.data());
    const u64 here = load_key(m_buffer + slots_here[hint].offset.get());
    exact = here == number;
    if (exact)
        return hint;
    const bool is_above = here > number;
    if (hint == (is_above ? 0 : items - 1))
        return is_above ? 0 : items;
    const u32 other = is_above ? hint - 1 : hint + 1;
    if (slots_here[other].key_bytes.get() != 8)
        return lower_bound(wanted, exact);
    const u64 there = load_key(m_buffer + slots_here[other].offset.get());
    exact = there == number;
    if (exact)
        return other;
    if ((there > number) != is_above)
        return is_above ? hint : other;
    return lower_bound_between(wanted, is_above ? 0 : other + 1, is_above ? other : items, exact);
}

u32 NodePage::lower_bound_of_bytes(Bytes wanted, bool& exact) const
{
    u32 low = 0;
    u32 high = count();
    exact = false;
    while (low < high) {
        u32 middle = (low + high) / 2;
        int order = compare(key(middle), wanted);
        if (order == 0) {
            exact = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

u32 NodePage::child_index(Bytes wanted) const
{
    bool exact;
    u32 i = lower_bound(wanted, exact);
    return exact || i == 0 ? i : i - 1;
}

// Of the items below `limit`, which becomes the lowest place looked at: the highest ones, at most k_batch and at least one, in
// descending order of offset. Gives how many. Two passes over the slots put them into buckets by where they are, of which few hold more
// than one item; insertion does the rest.
u32 NodePage::pick_highest(u32& limit, u16 (&picked)[k_batch]) const
{
    u16 starts[k_buckets] {};
    u32 shift = 0;
    while ((m_capacity - 1) >> shift >= k_buckets)
        shift++;
    const u32 items = count();
    for (u32 i = 0; i < items; i++)
        if (const u32 offset = slots()[i].offset.get(); offset < limit)
            starts[offset >> shift]++;
    u32 bucket = k_buckets, batch = 0;
    while (bucket > 0 && batch + starts[bucket - 1] <= k_batch) {
        const u32 here = starts[--bucket];
        starts[bucket] = static_cast<u16>(batch);
        batch += here;
    }
    const u32 lowest = bucket << shift;
    for (u32 i = 0; i < items; i++)
        if (const u32 offset = slots()[i].offset.get(); offset < limit && offset >= lowest)
            picked[starts[offset >> shift]++] = static_cast<u16>(i);
    for (u32 i = 1; i < batch; i++) {
        const u16 slot = picked[i];
        const u32 offset = slots()[slot].offset.get();
        u32 at = i;
        for (; at > 0 && slots()[picked[at - 1]].offset.get() < offset; at--)
            picked[at] = picked[at - 1];
        picked[at] = slot;
    }
    limit = lowest;
    return batch;
}

// Slides items to the end of the page in descending order of offset, without a second buffer. What was moved is not below the limit
// any more.
void NodePage::compact()
{
    u16 picked[k_batch];
    u32 limit = m_capacity;
    u32 heap = m_capacity;
    for (u32 left = count(); left > 0;) {
        const u32 batch = pick_highest(limit, picked);
        if (batch == 0)
            break;
        for (u32 i = 0; i < batch; i++) {
            DiskNodeSlot& slot = slots()[picked[i]];
            const u32 bytes = u32(slot.key_bytes.get()) + slot.value_bytes.get();
            const u32 offset = slot.offset.get();
            heap -= bytes;
            if (heap != offset)
                move_bytes(m_buffer + heap, m_buffer + offset, bytes);
            slot.offset.set(static_cast<u16>(heap));
        }
        left -= batch;
    }
    header().heap_start.set(heap);
}

void NodePage::insert(u32 i, Bytes key, Bytes value)
{
    u32 bytes = static_cast<u32>(key.size() + value.size());
    if (contiguous_room() < bytes + sizeof(DiskNodeSlot))
        compact();
    u32 items = count();
    u32 heap = header().heap_start.get() - bytes;
    DiskNodeSlot* at = slots() + i;
    move_bytes(at + 1, at, (items - i) * sizeof(DiskNodeSlot));
    copy_bytes(m_buffer + heap, key.data(), key.size());
    copy_bytes(m_buffer + heap + key.size(), value.data(), value.size());
    at->offset.set(static_cast<u16>(heap));
    at->key_bytes.set(static_cast<u16>(key.size()));
    at->value_bytes.set(static_cast<u16>(value.size()));
    header().heap_start.set(heap);
    header().item_count.set(static_cast<u16>(items + 1));
    m_used += bytes + static_cast<u32>(sizeof(DiskNodeSlot));
}

void NodePage::remove(u32 i)
{
    u32 items = count();
    DiskNodeSlot* at = slots() + i;
    u32 bytes = u32(at->key_bytes.get()) + at->value_bytes.get();
    if (at->offset.get() == header().heap_start.get())
        header().heap_start.set(header().heap_start.get() + bytes);
    move_bytes(at, at + 1, (items - i - 1) * sizeof(DiskNodeSlot));
    header().item_count.set(static_cast<u16>(items - 1));
    m_used -= bytes + static_cast<u32>(sizeof(DiskNodeSlot));
    if (items == 1)
        header().heap_start.set(m_capacity);
}

void NodePage::replace_value(u32 i, Bytes value)
{
    DiskNodeSlot& slot = slots()[i];
    const u32 held_bytes = slot.value_bytes.get();
    if (value.size() <= held_bytes) {
        // What is left over becomes a hole behind it.
        copy_bytes(m_buffer + slot.offset.get() + slot.key_bytes.get(), value.data(), value.size());
        slot.value_bytes.set(static_cast<u16>(value.size()));
        m_used -= held_bytes - static_cast<u32>(value.size());
        return;
    }
    u8 held[k_max_key_bytes];
    Bytes old_key = key(i);
    copy_bytes(held, old_key.data(), old_key.size());
    Bytes kept { held, old_key.size() };
    remove(i);
    insert(i, kept, value);
}

[[gnu::always_inline]] inline void NodePage::put(DiskNodeSlot& slot, u32 offset, const NodeItem& item)
{
    copy_key(m_buffer + offset, item.key);
    copy_bytes(m_buffer + offset + item.key.size(), item.value.data(), item.value.size());
    slot.offset.set(static_cast<u16>(offset));
    slot.key_bytes.set(static_cast<u16>(item.key.size()));
    slot.value_bytes.set(static_cast<u16>(item.value.size()));
}

void NodePage::replace_with(u32 i, Span<const NodeItem> items)
{
    const u32 more = static_cast<u32>(items.size()) - 1;
    const u32 held_bytes = u32(slots()[i].key_bytes.get()) + slots()[i].value_bytes.get();
    u32 bytes = 0, largest = 0, largest_bytes = 0;
    for (u32 j = 0; j <= more; j++) {
        const u32 here = items[j].bytes();
        bytes += here;
        if (here <= held_bytes && here > largest_bytes) {
            largest = j;
            largest_bytes = here;
        }
    }
    u32 hole = slots()[i].offset.get(), hole_bytes = held_bytes;
    if (contiguous_room() < bytes - largest_bytes + more * sizeof(DiskNodeSlot)) {
        slots()[i].key_bytes.set(0);
        slots()[i].value_bytes.set(0);
        compact();
        hole_bytes = largest_bytes = 0;
    }
    DiskNodeSlot* const at = slots() + i;
    const u32 count_before = count();
    move_bytes(at + 1 + more, at + 1, (count_before - i - 1) * sizeof(DiskNodeSlot));
    u32 heap = header().heap_start.get();
    if (largest_bytes) {
        put(at[largest], hole, items[largest]);
        hole += largest_bytes;
        hole_bytes -= largest_bytes;
    }
    for (u32 j = 0; j <= more; j++) {
        if (largest_bytes && j == largest)
            continue;
        const u32 here = items[j].bytes();
        const bool fits = here <= hole_bytes;
        put(at[j], fits ? hole : heap - here, items[j]);
        hole += fits ? here : 0;
        hole_bytes -= fits ? here : 0;
        heap -= fits ? 0 : here;
    }
    header().heap_start.set(heap);
    header().item_count.set(static_cast<u16>(count_before + more));
    m_used += bytes - held_bytes + more * static_cast<u32>(sizeof(DiskNodeSlot));
}

void NodePage::replace_key(u32 i, Bytes new_key)
{
    DiskNodePointer held;
    copy_bytes(&held, value(i).data(), sizeof(held));
    remove(i);
    insert(i, new_key, bytes_of(held));
}

// What stands there as on disk, each item right below the one before, is copied in one go.
void NodePage::append_from(const NodePage& from, u32 first, u32 last)
{
    const DiskNodeSlot* const theirs = from.slots();
    u32 bytes = 0;
    for (u32 i = first; i < last; i++)
        bytes += u32(theirs[i].key_bytes.get()) + theirs[i].value_bytes.get();
    const u32 slot_bytes = (last - first) * static_cast<u32>(sizeof(DiskNodeSlot));
    if (contiguous_room() < bytes + slot_bytes)
        compact();
    const u32 items = count();
    DiskNodeSlot* to = slots() + items;
    u32 heap = header().heap_start.get();
    u32 low = 0, run_bytes = 0; // not copied yet: what begins at `low` there
    for (u32 i = first; i < last; i++) {
        const DiskNodeSlot& slot = theirs[i];
        const u32 here = u32(slot.key_bytes.get()) + slot.value_bytes.get(), offset = slot.offset.get();
        if (offset + here != low) {
            copy_bytes(m_buffer + heap, from.m_buffer + low, run_bytes);
            run_bytes = 0;
        }
        low = offset;
        run_bytes += here;
        heap -= here;
        *to = slot;
        to++->offset.set(static_cast<u16>(heap));
    }
    copy_bytes(m_buffer + heap, from.m_buffer + low, run_bytes);
    header().heap_start.set(heap);
    header().item_count.set(static_cast<u16>(items + last - first));
    m_used += bytes + slot_bytes;
}

void NodePage::truncate_items(u32 items)
{
    u32 heap = header().heap_start.get();
    for (u32 i = count(); i > items; i--) {
        const DiskNodeSlot& slot = slots()[i - 1];
        const u32 bytes = u32(slot.key_bytes.get()) + slot.value_bytes.get();
        if (slot.offset.get() == heap)
            heap += bytes;
        m_used -= bytes + static_cast<u32>(sizeof(DiskNodeSlot));
    }
    header().item_count.set(static_cast<u16>(min(items, count())));
    header().heap_start.set(items ? heap : m_capacity);
}

void NodePage::copy_to(NodePage& to) const
{
    DiskNodeHeader kept = header();
    copy_bytes(to.m_buffer, &kept, sizeof(kept));
    to.header().item_count.set(0);
    to.header().heap_start.set(to.m_capacity);
    to.header().node_bytes.set(to.m_capacity);
    to.m_used = 0;
    to.append_from(*this, 0, count());
}

void NodePage::recount()
{
    m_used = 0;
    for (u32 i = 0; i < count(); i++)
        m_used += item_cost(slots()[i].key_bytes.get(), slots()[i].value_bytes.get());
}

}
