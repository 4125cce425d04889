// SPDX-License-Identifier: GPL-2.0-only
#include "core/object/name.h"

#include "core/test/test.h"

namespace lcpfs {

namespace {

struct Item {
    u64 cookie { 77ull << k_cookie_collision_bits };
    u8 value[k_max_name_value_bytes + 1] {};
    u32 bytes { 0 };
    u32 key_bytes { 8 };
};

struct Row {
    const char* name;
    void (*spoil)(DiskName& head, Item& item);
    Error expected;
};
#define LCPFS_SPOIL(statement) [](DiskName& head, Item& item) { (void)head, (void)item; statement; }
constexpr Row k_rows[] = {
    { "sound", LCPFS_SPOIL(), Error::none },
    { "cookie_lowest", LCPFS_SPOIL(item.cookie = k_cookie_collisions), Error::none },
    { "cookie_reserved", LCPFS_SPOIL(item.cookie = k_cookie_collisions - 1), Error::dirent_damaged },
    { "cookie_zero", LCPFS_SPOIL(item.cookie = 0), Error::dirent_damaged },
    { "cookie_highest", LCPFS_SPOIL(item.cookie = ~0ull >> 1), Error::none },
    { "cookie_negative", LCPFS_SPOIL(item.cookie = 1ull << 63), Error::dirent_damaged },
    { "key_short", LCPFS_SPOIL(item.key_bytes = 7), Error::dirent_damaged },
    { "no_object", LCPFS_SPOIL(head.object.set(0)), Error::dirent_damaged },
    { "object_one", LCPFS_SPOIL(head.object.set(1)), Error::dirent_damaged },
    { "object_root", LCPFS_SPOIL(head.object.set(2)), Error::none },
    { "type", LCPFS_SPOIL(head.type = 16), Error::dirent_damaged },
    { "length_less", LCPFS_SPOIL(head.length.set(3)), Error::dirent_damaged },
    { "length_more", LCPFS_SPOIL(head.length.set(5)), Error::dirent_damaged },
    { "longer", LCPFS_SPOIL(item.bytes++), Error::dirent_damaged },
    { "cut", LCPFS_SPOIL(item.bytes--), Error::dirent_damaged },
    { "no_text", LCPFS_SPOIL(item.bytes = sizeof(DiskName); head.length.set(0)), Error::dirent_damaged },
    { "nothing", LCPFS_SPOIL(item.bytes = 0), Error::dirent_damaged },
    { "slash", LCPFS_SPOIL(item.value[sizeof(DiskName) + 2] = '/'), Error::dirent_damaged },
    { "zero_byte", LCPFS_SPOIL(item.value[sizeof(DiskName) + 3] = 0), Error::dirent_damaged },
    { "high_byte", LCPFS_SPOIL(item.value[sizeof(DiskName)] = 0xff), Error::none },
    { "longest",
      LCPFS_SPOIL(__builtin_memset(item.value + sizeof(DiskName), 'x', 255); head.length.set(255); item.bytes = sizeof(DiskName) + 255),
      Error::none },
    { "too_long",
      LCPFS_SPOIL(__builtin_memset(item.value + sizeof(DiskName), 'x', 256); head.length.set(256); item.bytes = sizeof(DiskName) + 256),
      Error::dirent_damaged },
};
#undef LCPFS_SPOIL

}

static void damaged(Test& test, const Row& row)
{
    Item item;
    item.bytes = encode_name(1234, 8, StringView("name").bytes(), item.value);
    CHECK_EQ(item.bytes, sizeof(DiskName) + 4);
    row.spoil(*reinterpret_cast<DiskName*>(item.value), item);
    const BigEndianKey key(item.cookie);
    Result<Name> decoded = Name::decode({ key.data(), item.key_bytes }, { item.value, item.bytes });
    CHECK_EQ(decoded.error(), row.expected);
    if (decoded.is_ok()) {
        CHECK_EQ(decoded.value().cookie, item.cookie);
        CHECK_EQ(decoded.value().text.size(), item.bytes - sizeof(DiskName));
    }
}
LCPFS_TABLE_SUITE(name_damage, k_rows, damaged);

static void cookies(Test& test)
{
    constexpr DiskGuid k_seed { { 1 } };
    constexpr DiskGuid k_other { { 2 } };
    u32 differ = 0;
    char text[4] = "aaa";
    for (u32 i = 0; i < 1000; i++) {
        text[0] = static_cast<char>(1 + i % 255);
        text[1] = static_cast<char>(1 + i / 255);
        const Bytes name = StringView(text, 3).bytes();
        const u64 cookie = name_cookie(name, k_seed);
        CHECK(cookie >= k_cookie_collisions && cookie >> 63 == 0 && cookie % k_cookie_collisions == 0);
        CHECK_EQ(cookie, name_cookie(name, k_seed));
        differ += cookie != name_cookie(name, k_other);
    }
    CHECK_EQ(differ, 1000u);
}

namespace {
constexpr TestCase k_cases[] = { { "cookies", cookies } };
}
LCPFS_SUITE(name, k_cases);

}
