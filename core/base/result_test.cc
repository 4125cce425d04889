// SPDX-License-Identifier: GPL-2.0-only
#include "core/base/result.h"

#include "core/test/test.h"

namespace lcpfs {

namespace {
// Counts its living copies through a counter of the case's.
struct Counted {
    explicit Counted(i32& living) : m_living(&living) { living++; }
    Counted(Counted&& other) : m_living(other.m_living) { ++*m_living; }
    Counted(const Counted& other) : m_living(other.m_living) { ++*m_living; }
    ~Counted() { --*m_living; }
    i32* m_living;
};

Result<Counted> make(i32& living, bool fail)
{
    if (fail)
        return Error::busy;
    return Counted(living);
}

Result<u32> through(i32& living, bool fail)
{
    Counted held = TRY(make(living, fail));
    return static_cast<u32>(*held.m_living);
}

Status verify(u32 found)
{
    VERIFY_DISK(found == 7, node_damaged);
    return {};
}
}

static void values_and_errors(Test& test)
{
    i32 living = 0;
    {
        Result<Counted> good = make(living, false);
        CHECK(good.is_ok());
        CHECK_EQ(living, 1);
        Result<Counted> bad = make(living, true);
        CHECK(bad.is_error());
        CHECK_ERROR(bad, busy);
        CHECK_EQ(living, 1);
    }
    CHECK_EQ(living, 0);
}

static void try_returns_early(Test& test)
{
    i32 living = 0;
    CHECK_OK(through(living, false));
    CHECK_ERROR(through(living, true), busy);
    CHECK_EQ(living, 0);
}

static void verify_disk(Test& test)
{
    CHECK_OK(verify(7));
    CHECK_ERROR(verify(8), node_damaged);
}

namespace {
constexpr TestCase k_cases[] = { { "values_and_errors", values_and_errors },
                                 { "try_returns_early", try_returns_early },
                                 { "verify_disk", verify_disk } };
}
LCPFS_SUITE(result, k_cases);

}
