// SPDX-License-Identifier: GPL-2.0-only
#include "core/host/vector.h"

#include "core/test/failure.h"
#include "core/test/test.h"

namespace lcpfs {

static void growth(Test& test)
{
    Vector<u32> vector;
    CHECK(vector.is_empty());
    for (u32 i = 0; i < 1000; i++)
        REQUIRE_OK(vector.push_back(i * 3));
    CHECK_EQ(vector.size(), 1000u);
    for (u32 i = 0; i < 1000; i++)
        REQUIRE_EQ(vector[i], i * 3);
    CHECK_EQ(vector.last(), 2997u);
    REQUIRE_OK(vector.resize(10));
    CHECK_EQ(vector.last(), 27u);
    REQUIRE_OK(vector.resize(12));
    CHECK_EQ(vector.last(), 0u);
    vector.clear();
    CHECK(vector.is_empty());
}

static void elements_that_own(Test& test)
{
    Vector<Box<u64>> vector;
    for (u64 i = 0; i < 100; i++)
        REQUIRE_OK(vector.push_back(REQUIRE_VALUE(make_box<u64>(i))));
    Vector<Box<u64>> moved = lcpfs::move(vector);
    CHECK(vector.is_empty());
    CHECK_EQ(*moved[99], 99u);
    moved.pop_back();
    CHECK_EQ(moved.span().size(), 99u);
    vector = lcpfs::move(moved);
    CHECK_EQ(*vector.last(), 98u);
}

static void growth_that_fails(Test& test)
{
    Vector<u64> vector;
    for (u64 i = 0; i < 8; i++)
        REQUIRE_OK(vector.push_back(i));
    if (!lcpfs_test_fail_allocation(1))
        return; // a host that cannot
    CHECK_ERROR(vector.push_back(8), no_memory);
    CHECK_EQ(vector.size(), 8u);
    CHECK_EQ(vector.last(), 7u);
    lcpfs_test_fail_allocation(0);
    CHECK_OK(vector.push_back(8));
    CHECK_EQ(vector.size(), 9u);
}

namespace {
constexpr TestCase k_cases[] = { { "growth", growth },
                                 { "elements_that_own", elements_that_own },
                                 { "growth_that_fails", growth_that_fails } };
}
LCPFS_SUITE(vector, k_cases);

}
