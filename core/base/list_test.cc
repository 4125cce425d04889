// SPDX-License-Identifier: GPL-2.0-only
#include "core/base/list.h"

#include "core/test/test.h"

namespace lcpfs {

namespace {
struct Item {
    u32 number { 0 };
    ListLink m_link;
};
using Items = List<Item, &Item::m_link>;
}

static void order_and_removal(Test& test)
{
    Item items[4];
    Items list;
    CHECK(list.is_empty());
    CHECK(!list.first() && !list.last() && !list.pop_front());
    for (u32 i = 0; i < 4; i++) {
        items[i].number = i;
        list.push_back(items[i]);
    }
    CHECK_EQ(list.size(), 4u);
    u32 expected = 0;
    for (Item* item = list.first(); item; item = list.next(*item))
        CHECK_EQ(item->number, expected++);
    CHECK_EQ(expected, 4u);
    list.remove(items[1]);
    CHECK(!items[1].m_link.is_linked());
    CHECK(list.next(items[0]) == &items[2]);
    list.remove(items[3]);
    CHECK(list.last() == &items[2]);
    list.push_front(items[3]);
    CHECK(list.pop_front() == &items[3]);
    CHECK(list.pop_front() == &items[0]);
    CHECK(list.pop_front() == &items[2]);
    CHECK(list.is_empty());
    CHECK_EQ(list.size(), 0u);
}

static void take_all(Test& test)
{
    Item items[4];
    Items a, b;
    a.push_back(items[0]);
    b.push_back(items[1]);
    b.push_back(items[2]);
    a.take_all(b);
    CHECK(b.is_empty());
    CHECK_EQ(a.size(), 3u);
    CHECK(a.first() == &items[0] && a.last() == &items[2]);
    b.push_back(items[3]);
    CHECK_EQ(b.size(), 1u);
    u32 count = 0;
    for (Item* item = a.last(); item; item = a.previous(*item))
        count++;
    CHECK_EQ(count, 3u);
    a.remove(items[1]);
    b.take_all(a);
    CHECK(a.is_empty() && !a.first() && a.size() == 0);
    CHECK(b.pop_front() == &items[3] && b.pop_front() == &items[0] && b.pop_front() == &items[2] && b.is_empty());
    a.take_all(b);
    CHECK(a.is_empty() && b.is_empty());
    a.push_back(items[1]);
    CHECK(a.first() == &items[1] && a.last() == &items[1]);
}

static void in_between(Test& test)
{
    Item items[4];
    for (u32 i = 0; i < 4; i++)
        items[i].number = i;
    Items list;
    list.push_back(items[0]);
    list.insert_after(items[0], items[2]); // at the end
    list.insert_after(items[0], items[1]);
    list.insert_after(items[2], items[3]);
    CHECK_EQ(list.size(), 4u);
    u32 expected = 0;
    for (Item* item = list.first(); item; item = list.next(*item))
        CHECK_EQ(item->number, expected++);
    CHECK_EQ(expected, 4u);
    for (Item* item = list.last(); item; item = list.previous(*item))
        CHECK_EQ(item->number, --expected);
    CHECK_EQ(expected, 0u);
}

namespace {
constexpr TestCase k_cases[] = { { "order_and_removal", order_and_removal }, { "take_all", take_all },
                                 { "in_between", in_between } };
}
LCPFS_SUITE(list, k_cases);

}
