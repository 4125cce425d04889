// SPDX-License-Identifier: GPL-2.0-only
#include "core/base/little_endian.h"

#include "core/test/test.h"

namespace lcpfs {

namespace {
struct Row {
    const char* name;
    u64 value;
    u8 bytes[8]; // lowest first
};
constexpr Row k_rows[] = {
    { "zero", 0, {} },
    { "one", 1, { 1 } },
    { "all_different", 0x0807060504030201, { 1, 2, 3, 4, 5, 6, 7, 8 } },
    { "ones", ~0ull, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
    { "top_bit", 1ull << 63, { 0, 0, 0, 0, 0, 0, 0, 0x80 } },
};

struct Packed {
    u8 before;
    le16 half;
    le32 word;
    le64 wide;
};
static_assert(sizeof(Packed) == 15 && alignof(Packed) == 1);
}

static void check_row(Test& test, const Row& row)
{
    Packed packed {};
    packed.half.set(static_cast<u16>(row.value));
    packed.word.set(static_cast<u32>(row.value));
    packed.wide.set(row.value);
    CHECK_EQ(packed.half.get(), row.value & 0xffff);
    CHECK_EQ(packed.word.get(), row.value & 0xffffffff);
    CHECK_EQ(packed.wide.get(), row.value);
    CHECK(compare_bytes(&packed.half, row.bytes, 2) == 0);
    CHECK(compare_bytes(&packed.word, row.bytes, 4) == 0);
    CHECK(compare_bytes(&packed.wide, row.bytes, 8) == 0);
    BigEndianKey key(row.value);
    CHECK_EQ(key.get(), row.value);
    for (const Row& other : k_rows) {
        int order = compare_bytes(key.data(), BigEndianKey(other.value).data(), 8);
        CHECK((order < 0) == (row.value < other.value));
        CHECK((order == 0) == (row.value == other.value));
    }
}

LCPFS_TABLE_SUITE(little_endian, k_rows, check_row);

}
