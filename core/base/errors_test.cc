// SPDX-License-Identifier: GPL-2.0-only
// The table of errors is an interface (numbers are in logs and events): unique, with an errno and a text.
#include "core/base/errors.h"

#include "core/test/test.h"

namespace lcpfs {

namespace {
struct Row {
    const char* name;
    Error error;
    u32 number;
    u32 errno_;
};
constexpr Row k_rows[] = {
#define LCPFS_ROW(name, number, errno_, text) { #name, Error::name, number, errno_ },
    LCPFS_ERRORS(LCPFS_ROW)
#undef LCPFS_ROW
};
}

static void check_row(Test& test, const Row& row)
{
    CHECK_EQ(static_cast<u32>(row.error), row.number);
    CHECK_EQ(errno_of(row.error), row.errno_);
    CHECK(row.errno_ > 0 && row.errno_ < 134);
    CHECK(text_of(row.error)[0] != 0);
    CHECK_EQ(is_damage(row.error), row.number >= 50 && row.number < 70);
    for (const Row& other : k_rows)
        CHECK(&other == &row || other.number != row.number);
}

LCPFS_TABLE_SUITE(errors, k_rows, check_row);

}
