// SPDX-License-Identifier: GPL-2.0-only
#include "core/cache/node_page.h"

#include "core/host/memory.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr u32 k_page_bytes = 16384;
constexpr u32 k_most_items = 900;
constexpr TreeOwner k_owner { TreeKind::extents, 3, 44 };

struct Item {
    u16 key { 0 };
    u16 value_bytes { 0 };
    u8 seed { 0 };
};

class Ground {
public:
    u32 random(u32 below)
    {
        m_seed = m_seed * 6364136223846793005ull + 1442695040888963407ull;
        return static_cast<u32>(m_seed >> 33) % below;
    }
    // In order of the number; 8 bytes each, or 2 to 61.
    Bytes key(u32 number, u8* into) const
    {
        const u32 bytes = numbers ? 8 : 2 + number % 60;
        __builtin_memset(into, 0x33, bytes);
        into[0] = static_cast<u8>(number >> 8);
        into[1] = static_cast<u8>(number);
        return { into, bytes };
    }
    Bytes key(u32 number) { return key(number, m_key); }
    Bytes value(const Item& item)
    {
        for (u32 i = 0; i < item.value_bytes; i++)
            m_value[i] = static_cast<u8>(item.seed + i);
        return { m_value, item.value_bytes };
    }
    u32 place_of(u32 number) const
    {
        u32 i = 0;
        while (i < count && items[i].key < number)
            i++;
        return i;
    }
    bool is_same(const NodePage& page)
    {
        if (page.count() != count)
            return false;
        u32 used = 0;
        for (u32 i = 0; i < count; i++) {
            if (!equal(page.key(i), key(items[i].key)) || !equal(page.value(i), value(items[i])))
                return false;
            used += NodePage::item_cost(page.key(i).size(), page.value(i).size());
        }
        return used == page.used_bytes() && used + sizeof(DiskNodeHeader) + page.room() == page.capacity();
    }
    void remove(NodePage& page, u32 i)
    {
        page.remove(i);
        for (u32 j = i + 1; j < count; j++)
            items[j - 1] = items[j];
        count--;
    }
    // As it goes to disk.
    Status verify_written(const NodePage& page)
    {
        NodePage written(other, k_page_bytes);
        page.copy_to(written);
        return written.verify(k_owner, page.level(), 8);
    }
    // The `j`th of several.
    NodeItem item(u32 j, u32 number, const Item& item)
    {
        copy_bytes(m_values[j], value(item).data(), item.value_bytes);
        return { key(number, m_names[j]), { m_values[j], item.value_bytes } };
    }
    // Item `i` gives way to up to four, the first of which has its key or one behind it: parts of its size, and others.
    void divide(NodePage& page, u32 i)
    {
        const u32 most = min((i + 1 < count ? items[i + 1].key : 2000u) - items[i].key, 4u);
        const u32 wanted = 1 + random(most);
        if (count + wanted > k_most_items)
            return;
        const u32 first = items[i].key + random(most - wanted + 1);
        const u32 held_bytes = items[i].value_bytes, held_cost = NodePage::item_cost(page.key(i).size(), held_bytes);
        Item made[4];
        NodeItem entered[4];
        u32 cost = 0;
        for (u32 j = 0; j < wanted; j++) {
            const u32 value_bytes = random(3) ? random(held_bytes + 1) : random(most_bytes);
            made[j] = { static_cast<u16>(first + j), static_cast<u16>(value_bytes), static_cast<u8>(random(256)) };
            entered[j] = item(j, first + j, made[j]);
            cost += NodePage::item_cost(entered[j].key.size(), value_bytes);
        }
        if (page.room() + held_cost < cost)
            return;
        page.replace_with(i, { entered, wanted });
        for (u32 j = count; j > i + 1; j--)
            items[j + wanted - 2] = items[j - 1];
        for (u32 j = 0; j < wanted; j++)
            items[i + j] = made[j];
        count += wanted - 1;
    }
    // An insertion, a new value, a removal or several for one.
    void change(NodePage& page, u32 removals)
    {
        if (count && random(4) == 0)
            divide(page, random(count));
        const u32 number = random(2000);
        const u32 i = place_of(number);
        const bool present = i < count && items[i].key == number;
        const u32 value_bytes = random(8) ? random(most_bytes) : random(large_bytes);
        Item item { static_cast<u16>(number), static_cast<u16>(value_bytes), static_cast<u8>(random(256)) };
        const u32 cost = NodePage::item_cost(key(number).size(), item.value_bytes);
        if (random(100) < removals) {
            if (count)
                remove(page, random(count));
        } else if (page.can_hold(cost) && present) {
            page.replace_value(i, value(item));
            items[i] = item;
        } else if (page.can_hold(cost) && count < k_most_items) {
            u8 name[64];
            page.insert(i, key(number, name), value(item));
            for (u32 j = count; j > i; j--)
                items[j] = items[j - 1];
            items[i] = item;
            count++;
        }
    }

    alignas(8) u8 buffer[k_page_bytes];
    alignas(8) u8 other[k_page_bytes];
    Item items[k_most_items];
    u32 count { 0 };
    bool numbers { true };
    u32 most_bytes { 80 }, large_bytes { 1500 };

private:
    u64 m_seed { 99 };
    u8 m_key[64];
    u8 m_value[4096];
    u8 m_names[4][64], m_values[4][2048];
};

}

// What is looked for where it is, near it, far from it and beyond the end: always what a search from scratch finds.
static void find_from_hints(Test& test, Ground& ground, const NodePage& page, u32 number)
{
    bool exact;
    const u32 i = page.lower_bound(ground.key(number), exact);
    const u32 hints[] = { i - 3, i - 2, i - 1, i, i + 1, i + 2, 0, page.count() - 1, page.count(), ~0u, ground.random(page.count() + 2) };
    for (u32 hint : hints) {
        bool is_there = !exact;
        REQUIRE_EQ(page.lower_bound(ground.key(number), hint, is_there), i);
        REQUIRE_EQ(is_there, exact);
    }
}

static void random_changes(Test& test, bool numbers, u32 capacity, u32 steps = 1500, bool tiny = false)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    ground->numbers = numbers;
    if (tiny)
        ground->most_bytes = ground->large_bytes = 4;
    NodePage page(ground->buffer, capacity);
    page.initialise(k_owner, 0, 8);
    for (u32 step = 0; step < steps; step++) {
        ground->change(page, step / (steps / 5) % 2 ? 65 : 30);
        find_from_hints(test, *ground, page, ground->random(2000));
        if (step % 10 == 0)
            REQUIRE(ground->is_same(page));
        if (step % 50 == 0 && ground->count)
            REQUIRE_OK(ground->verify_written(page));
    }
    REQUIRE(ground->is_same(page));
    // Finding, of what is there and what is not.
    for (u32 number = 0; number < 2000; number += 3) {
        const u32 i = ground->place_of(number);
        bool exact;
        REQUIRE_EQ(page.lower_bound(ground->key(number), exact), i);
        REQUIRE_EQ(exact, i < ground->count && ground->items[i].key == number);
        find_from_hints(test, *ground, page, number);
    }
    // A copy, a copy of a part, and what a device would give.
    NodePage copy(ground->other, k_page_bytes);
    page.copy_to(copy);
    CHECK(ground->is_same(copy));
    CHECK_OK(copy.verify(k_owner, 0, 8));
    NodePage read(ground->other, k_page_bytes);
    read.recount();
    CHECK_EQ(read.used_bytes(), page.used_bytes());
    page.initialise(k_owner, 0, 8);
    page.append_from(copy, 0, ground->count / 2);
    ground->count /= 2;
    CHECK(ground->is_same(page));
    page.truncate_items(1);
    ground->count = 1;
    CHECK(ground->is_same(page));
    page.truncate_items(0);
    CHECK_EQ(page.used_bytes(), 0u);
    CHECK_EQ(page.header().heap_start.get(), capacity);
}

static void numbers(Test& test) { random_changes(test, true, k_page_bytes); }
static void texts(Test& test) { random_changes(test, false, k_page_bytes); }
static void small_page(Test& test) { random_changes(test, false, 4096); }
// More items than are moved in one go.
static void dense(Test& test) { random_changes(test, true, k_page_bytes, 20000, true); }
static void odd_page(Test& test) { random_changes(test, true, 4100); }

// Where an item gave way to parts of itself, the largest of them and what fits beside it are where it was.
static void dividing(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    NodePage page(ground->buffer, k_page_bytes);
    page.initialise(k_owner, 0, 8);
    for (u32 i = 0; i < 4; i++)
        page.insert(i, ground->key(i * 10), ground->value({ 0, 1000, static_cast<u8>(i) }));
    const u32 heap = page.header().heap_start.get(), used = page.used_bytes();
    const u16 sizes[] = { 300, 50, 700 };
    NodeItem entered[3];
    for (u32 j = 0; j < 3; j++)
        entered[j] = ground->item(j, 10 + j, { 0, sizes[j], static_cast<u8>(j) });
    page.replace_with(1, { entered, 3 });
    CHECK_EQ(page.count(), 6u);
    CHECK_EQ(page.used_bytes(), used + 50 + 2 * NodePage::item_cost(8, 0));
    CHECK_EQ(page.header().heap_start.get(), heap - 308);
    for (u32 j = 0; j < 3; j++) {
        CHECK(equal(page.key(1 + j), entered[j].key));
        CHECK(equal(page.value(1 + j), entered[j].value));
    }
    CHECK(equal(page.value(0), ground->value({ 0, 1000, 0 })));
    CHECK(equal(page.value(4), ground->value({ 0, 1000, 2 })));
    CHECK_OK(ground->verify_written(page));
}

// Filled to the last byte, then holes everywhere and one item that takes them all.
static void compacting(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    NodePage page(ground->buffer, k_page_bytes);
    page.initialise(k_owner, 0, 8);
    u32 count = 0;
    Item item { 0, 100, 7 };
    while (page.can_hold(NodePage::item_cost(8, 100))) {
        page.insert(count, ground->key(count), ground->value(item));
        count++;
    }
    const u32 left = page.room();
    if (left > NodePage::item_cost(8, 0)) {
        item.value_bytes = static_cast<u16>(left - NodePage::item_cost(8, 0));
        page.insert(count, ground->key(count), ground->value(item));
        CHECK_EQ(page.room(), 0u);
    }
    CHECK_OK(page.verify(k_owner, 0, 8));
    for (u32 i = 60; i > 0; i -= 2)
        page.remove(i - 1);
    item.value_bytes = static_cast<u16>(30 * NodePage::item_cost(8, 100) - NodePage::item_cost(8, 0));
    page.insert(0, Bytes(ground->buffer + k_page_bytes, 0), ground->value(item)); // an empty key comes first
    page.remove(0);
    page.insert(1, ground->key(1), ground->value(item));
    CHECK_EQ(page.value(1).size(), item.value_bytes);
    item.value_bytes = 100;
    for (u32 i = 0; i < page.count(); i++)
        if (i != 1 && i + 1 != page.count())
            CHECK(equal(page.value(i), ground->value(item)));
}

static void interior(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    NodePage page(ground->buffer, k_page_bytes);
    page.initialise(k_owner, 2, 8);
    DiskNodePointer pointer {};
    page.insert(0, Bytes(), bytes_of(pointer));
    for (u32 i = 1; i < 20; i++) {
        pointer.level = static_cast<u8>(i);
        page.insert(i, ground->key(i * 10), bytes_of(pointer));
    }
    CHECK_OK(page.verify(k_owner, 2, 8));
    CHECK_EQ(page.child_index(ground->key(0)), 0u);
    CHECK_EQ(page.child_index(ground->key(9)), 0u);
    CHECK_EQ(page.child_index(ground->key(10)), 1u);
    CHECK_EQ(page.child_index(ground->key(15)), 1u);
    CHECK_EQ(page.child_index(ground->key(999)), 19u);
    page.remove(0);
    page.replace_key(0, Bytes());
    CHECK_OK(ground->verify_written(page));
    CHECK_EQ(page.child_index(ground->key(15)), 0u);
    DiskNodePointer first;
    copy_bytes(&first, page.value(0).data(), sizeof(first));
    CHECK_EQ(first.level, 1u);
}

// ---- one field wrong

namespace {

struct Row {
    const char* name;
    u8 level;
    void (*spoil)(DiskNodeHeader& head, DiskNodeSlot* slots);
    Error expected;
};
#define LCPFS_SPOIL(statement) [](DiskNodeHeader& head, DiskNodeSlot* slots) { (void)head, (void)slots; statement; }
constexpr Row k_rows[] = {
    { "leaf", 0, LCPFS_SPOIL(), Error::none },
    { "inner", 1, LCPFS_SPOIL(), Error::none },
    { "magic", 0, LCPFS_SPOIL(head.magic.set(0)), Error::node_damaged },
    { "kind", 0, LCPFS_SPOIL(head.kind++), Error::node_identity },
    { "level", 0, LCPFS_SPOIL(head.level = 1), Error::node_identity },
    { "dataset", 0, LCPFS_SPOIL(head.dataset.set(4)), Error::node_identity },
    { "object", 0, LCPFS_SPOIL(head.object.set(45)), Error::node_identity },
    { "birth", 0, LCPFS_SPOIL(head.birth_txg.set(7)), Error::node_identity },
    { "node_bytes", 0, LCPFS_SPOIL(head.node_bytes.set(32768)), Error::node_damaged },
    { "heap_below_slots", 0, LCPFS_SPOIL(head.heap_start.set(60)), Error::node_damaged },
    { "heap_outside", 0, LCPFS_SPOIL(head.heap_start.set(k_page_bytes + 1)), Error::node_damaged },
    { "heap_huge", 0, LCPFS_SPOIL(head.heap_start.set(~0u)), Error::node_damaged },
    { "heap_too_high", 0, LCPFS_SPOIL(head.heap_start.set(k_page_bytes)), Error::node_damaged },
    { "heap_lower", 0, LCPFS_SPOIL(head.heap_start.set(1000)), Error::node_damaged },
    { "no_items", 0, LCPFS_SPOIL(head.item_count.set(0)), Error::node_damaged },
    { "many_items", 0, LCPFS_SPOIL(head.item_count.set(0xffff)), Error::node_damaged },
    { "one_item_more", 0, LCPFS_SPOIL(head.item_count.set(11)), Error::node_damaged },
    { "offset_in_slots", 0, LCPFS_SPOIL(slots[3].offset.set(50)), Error::node_damaged },
    { "offset_at_end", 0, LCPFS_SPOIL(slots[3].offset.set(k_page_bytes - 10)), Error::node_damaged },
    { "offset_highest", 0, LCPFS_SPOIL(slots[3].offset.set(0xffff)), Error::node_damaged },
    { "key_empty", 0, LCPFS_SPOIL(slots[0].key_bytes.set(0)), Error::node_damaged },
    { "key_empty_later", 1, LCPFS_SPOIL(slots[3].key_bytes.set(0)), Error::node_damaged },
    { "key_too_long", 0, LCPFS_SPOIL(slots[3].key_bytes.set(k_max_key_bytes + 1)), Error::node_damaged },
    { "key_highest", 0, LCPFS_SPOIL(slots[3].key_bytes.set(0xffff)), Error::node_damaged },
    { "first_key_not_empty", 1, LCPFS_SPOIL(slots[0].key_bytes.set(1)), Error::node_damaged },
    { "value_too_long", 0, LCPFS_SPOIL(slots[9].value_bytes.set(5000)), Error::node_damaged },
    { "value_past_end", 0, LCPFS_SPOIL(slots[0].value_bytes.set(4000)), Error::node_damaged },
    { "value_overlaps", 0, LCPFS_SPOIL(slots[9].value_bytes.set(3900)), Error::node_damaged },
    { "value_shorter", 0, LCPFS_SPOIL(slots[9].value_bytes.set(3)), Error::node_damaged },
    { "pointer_shorter", 1, LCPFS_SPOIL(slots[4].value_bytes.set(95)), Error::node_damaged },
    { "pointer_longer", 1, LCPFS_SPOIL(slots[4].value_bytes.set(97)), Error::node_damaged },
    { "order", 0,
      LCPFS_SPOIL(const u16 kept = slots[3].offset.get(); slots[3].offset.set(slots[4].offset.get()); slots[4].offset.set(kept)),
      Error::node_damaged },
    { "twice", 0, LCPFS_SPOIL(slots[4] = slots[3]), Error::node_damaged },
};
#undef LCPFS_SPOIL

}

static void damaged(Test& test, const Row& row)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    __builtin_memset(ground->buffer, 0, k_page_bytes);
    NodePage page(ground->buffer, k_page_bytes);
    page.initialise(k_owner, row.level, 8);
    DiskNodePointer pointer {};
    const Item item { 0, 20, 5 };
    for (u32 i = 0; i < 10; i++)
        page.insert(i, row.level && i == 0 ? Bytes() : ground->key(i + 5), row.level ? bytes_of(pointer) : ground->value(item));
    row.spoil(page.header(), reinterpret_cast<DiskNodeSlot*>(ground->buffer + sizeof(DiskNodeHeader)));
    CHECK_EQ(page.verify(k_owner, row.level, 8).error(), row.expected);
}
LCPFS_TABLE_SUITE(node_damage, k_rows, damaged);

namespace {
// Numbers in a row, with gaps that grow from nothing, and keys that go on behind a number: what is found is what comes first of those that
// are not below.
static void rows_of_numbers(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    for (u32 round = 0; round < 60; round++) {
        NodePage page(ground->buffer, k_page_bytes);
        page.initialise(k_owner, round % 4 == 3, 8);
        const u32 gaps = round / 4, longer = round % 2 ? 20 : 0; // of a hundred
        u64 lowest = 1000 + ground->random(5), number = lowest;
        u8 key[9] = {};
        if (page.level() > 0)
            page.insert(0, {}, {});
        for (u32 items = ground->random(300); page.count() < items; number += ground->random(100) < gaps ? 1 + ground->random(9) : 1) {
            const BigEndianKey plain(number);
            copy_bytes(key, plain.data(), 8);
            page.insert(page.count(), { key, 8u + (ground->random(100) < longer) }, {});
        }
        for (u64 wanted = lowest - 3; wanted < number + 3; wanted++) {
            const BigEndianKey plain(wanted);
            u32 i = 0;
            while (i < page.count() && compare_keys(page.key(i), { plain.data(), 8 }) < 0)
                i++;
            bool exact;
            REQUIRE_EQ(page.lower_bound({ plain.data(), 8 }, exact), i);
            const bool is_there = i < page.count() && equal(page.key(i), { plain.data(), 8 });
            REQUIRE_EQ(exact, is_there);
            exact = !is_there;
            REQUIRE_EQ(page.lower_bound({ plain.data(), 8 }, NodePage::k_no_hint, exact), i);
            REQUIRE_EQ(exact, is_there);
        }
    }
}

constexpr TestCase k_cases[] = { { "numbers", numbers },
                                 { "texts", texts },
                                 { "small_page", small_page },
                                 { "dense", dense },
                                 { "rows_of_numbers", rows_of_numbers },
                                 { "odd_page", odd_page },
                                 { "dividing", dividing },
                                 { "compacting", compacting },
                                 { "interior", interior } };
}
LCPFS_SUITE(node_page, k_cases);

}
