// SPDX-License-Identifier: GPL-2.0-only
#include "core/base/span.h"

#include "core/base/types.h"
#include "core/test/test.h"

namespace lcpfs {

static void key_order(Test& test)
{
    constexpr const char* k_rising[] = { "", "a", "aa", "ab", "b", "ba" };
    for (const char* a : k_rising)
        for (const char* b : k_rising) {
            StringView left(a), right(b);
            int order = compare(left.bytes(), right.bytes());
            bool same = __builtin_strcmp(a, b) == 0;
            CHECK((order == 0) == same);
            CHECK((order < 0) == (__builtin_strcmp(a, b) < 0));
            CHECK((left == right) == same);
        }
}

static void slices(Test& test)
{
    u32 numbers[] = { 1, 2, 3, 4 };
    Span<u32> span(numbers);
    CHECK_EQ(span.size(), 4u);
    Span<const u32> middle = span.slice(1, 2);
    CHECK_EQ(middle[0], 2u);
    CHECK_EQ(middle[1], 3u);
    u32 sum = 0;
    for (u32 number : span)
        sum += number;
    CHECK_EQ(sum, 10u);
    CHECK(Span<u32>().is_empty());
}

static void arithmetic(Test& test)
{
    CHECK_EQ(blocks_for_bytes(0), 0u);
    CHECK_EQ(blocks_for_bytes(1), 1u);
    CHECK_EQ(blocks_for_bytes(4096), 1u);
    CHECK_EQ(blocks_for_bytes(4097), 2u);
    CHECK_EQ(blocks_for_bytes(~0ull), 1ull << 52);
    CHECK_EQ(align_up(5, 4), 8u);
    CHECK_EQ(align_down(7, 4), 4u);
    CHECK(is_power_of_two(64) && !is_power_of_two(0) && !is_power_of_two(6));
    u64 sum = 0;
    CHECK(checked_add(1, 2, sum));
    CHECK_EQ(sum, 3u);
    CHECK(!checked_add(~0ull, 1, sum));
    CHECK(TxgId(3).next() == TxgId(4));
    CHECK(TxgId(3) < TxgId(4) && TxgId(4) >= TxgId(4));
}

namespace {
constexpr TestCase k_cases[] = { { "key_order", key_order }, { "slices", slices }, { "arithmetic", arithmetic } };
}
LCPFS_SUITE(span, k_cases);

}
