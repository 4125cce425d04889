// SPDX-License-Identifier: GPL-2.0-only
#include "core/vdev/event_ring.h"

#include "core/base/format_text.h"
#include "core/test/test.h"

namespace lcpfs {

// Numbers go on; the last ones are there, in order, whatever the ring has gone over.
static void keeps_the_last(Test& test)
{
    Box<EventRing> ring = REQUIRE_VALUE(make_box<EventRing>());
    Box<EventRing::Event> event = REQUIRE_VALUE(make_box<EventRing::Event>());
    u32 told = 0;
    ring->set_listener([](void* context, u8 level) { *static_cast<u32*>(context) += level == HOST_LOG_WARNING; }, &told);
    CHECK(!ring->next(0, *event));
    constexpr u64 k_many = 3 * EventRing::k_events + 17;
    for (u64 i = 1; i <= k_many; i++) {
        TextLine line;
        line.add("line ").add(i);
        ring->add(HOST_LOG_WARNING, StringView(line.text(), line.size()));
        if (i == 5)
            CHECK(ring->next(0, *event) && event->number == 1);
    }
    CHECK_EQ(told, k_many);
    u64 number = 0, seen = 0;
    while (ring->next(number, *event)) {
        TextLine line;
        line.add("line ").add(event->number);
        CHECK(StringView(event->text) == StringView(line.text(), line.size()));
        CHECK_EQ(event->level, HOST_LOG_WARNING);
        CHECK(event->time_ns != 0 && event->number >= number);
        number = event->number + 1;
        seen++;
    }
    CHECK_EQ(seen, EventRing::k_events);
    CHECK_EQ(number, k_many + 1);
}

static void cuts_long_lines(Test& test)
{
    Box<EventRing> ring = REQUIRE_VALUE(make_box<EventRing>());
    Box<EventRing::Event> event = REQUIRE_VALUE(make_box<EventRing::Event>());
    static char s_long[300];
    for (char& c : s_long)
        c = 'x';
    ring->add(HOST_LOG_ERROR, StringView(s_long, sizeof(s_long)));
    REQUIRE(ring->next(1, *event));
    CHECK_EQ(StringView(event->text).size(), EventRing::k_text_bytes - 1);
}

namespace {
constexpr TestCase k_cases[] = { { "keeps_the_last", keeps_the_last }, { "cuts_long_lines", cuts_long_lines } };
}
LCPFS_SUITE(event_ring, k_cases);

}
