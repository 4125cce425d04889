// SPDX-License-Identifier: GPL-2.0-only
#include "core/object/xattr.h"

#include "core/host/memory.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

struct Item {
    u8 key[k_max_xattr_name_bytes + 3] {};
    u32 key_bytes { 0 };
    u8 value[k_max_xattr_item_bytes + 1] {};
    u32 bytes { 0 };
    void set_value_bytes(u32 number)
    {
        le32 disk(number);
        copy_bytes(value, &disk, sizeof(disk));
    }
};

// A sound item is part 0 of the 10 bytes of user.name.
struct Row {
    const char* name;
    void (*spoil)(Item& item);
    Error expected;
};
#define LCPFS_SPOIL(statement) [](Item& item) { (void)item; statement; }
constexpr Row k_rows[] = {
    { "sound", LCPFS_SPOIL(), Error::none },
    { "generation", LCPFS_SPOIL(item.key[item.key_bytes - 1] |= k_xattr_generation), Error::none },
    { "part", LCPFS_SPOIL(item.key[item.key_bytes - 1] = 1), Error::xattr_damaged },
    { "no_separator", LCPFS_SPOIL(item.key[item.key_bytes - 2] = 'x'), Error::xattr_damaged },
    { "zero_in_name", LCPFS_SPOIL(item.key[6] = 0), Error::xattr_damaged },
    { "namespace", LCPFS_SPOIL(item.key[0] = 'U'), Error::xattr_damaged },
    { "only_namespace", LCPFS_SPOIL(item.key[5] = 0; item.key_bytes = 7), Error::xattr_damaged },
    { "short_key", LCPFS_SPOIL(item.key_bytes = 2), Error::xattr_damaged },
    { "no_key", LCPFS_SPOIL(item.key_bytes = 0), Error::xattr_damaged },
    { "value_more", LCPFS_SPOIL(item.bytes++), Error::xattr_damaged },
    { "value_less", LCPFS_SPOIL(item.bytes--), Error::xattr_damaged },
    { "value_head_cut", LCPFS_SPOIL(item.bytes = 3), Error::xattr_damaged },
    { "says_more", LCPFS_SPOIL(item.set_value_bytes(11)), Error::xattr_damaged },
    { "says_too_much", LCPFS_SPOIL(item.set_value_bytes(k_max_xattr_value_bytes + 1)), Error::xattr_damaged },
    { "empty", LCPFS_SPOIL(item.set_value_bytes(0); item.bytes = 4), Error::none },
    { "first_of_many", LCPFS_SPOIL(item.set_value_bytes(k_max_xattr_value_bytes); item.bytes = k_max_xattr_item_bytes), Error::none },
    { "last_of_many",
      LCPFS_SPOIL(item.key[item.key_bytes - 1] = k_max_xattr_parts - 1; item.set_value_bytes(k_max_xattr_value_bytes);
                  item.bytes = 4 + k_max_xattr_value_bytes - (k_max_xattr_parts - 1) * k_xattr_part_bytes),
      Error::none },
    { "beyond_many",
      LCPFS_SPOIL(item.key[item.key_bytes - 1] = k_max_xattr_parts; item.set_value_bytes(k_max_xattr_value_bytes); item.bytes = 4),
      Error::xattr_damaged },
};
#undef LCPFS_SPOIL

}

static void damaged(Test& test, const Row& row)
{
    Box<Item> item = REQUIRE_VALUE(make_box<Item>());
    const Bytes name = StringView("user.name").bytes();
    const XattrKey key(name, 0, 0);
    item->key_bytes = static_cast<u32>(key.bytes().size());
    copy_bytes(item->key, key.bytes().data(), item->key_bytes);
    item->bytes = encode_xattr_part(StringView("0123456789").bytes(), 0, item->value);
    CHECK_EQ(item->bytes, 14u);
    row.spoil(*item);
    Result<XattrPart> part = XattrPart::decode({ item->key, item->key_bytes }, { item->value, item->bytes });
    CHECK_EQ(part.error(), row.expected);
    if (part.is_ok())
        CHECK(equal(part.value().name, name) && part.value().bytes.size() == item->bytes - sizeof(DiskXattr));
}
LCPFS_TABLE_SUITE(xattr_damage, k_rows, damaged);

namespace {

struct Entry {
    u32 tag, permissions;
};
struct List {
    const char* name;
    Entry entries[6];
    u32 count;
    bool sound;
};
constexpr List k_lists[] = {
    { "least", { { 1, 7 }, { 4, 5 }, { 32, 0 } }, 3, true },
    { "mask_alone", { { 1, 7 }, { 4, 5 }, { 16, 7 }, { 32, 0 } }, 4, true },
    { "all", { { 1, 7 }, { 2, 6 }, { 4, 5 }, { 8, 1 }, { 16, 7 }, { 32, 0 } }, 6, true },
    { "two_users", { { 1, 7 }, { 2, 6 }, { 2, 6 }, { 4, 5 }, { 16, 7 }, { 32, 0 } }, 6, true },
    { "no_mask", { { 1, 7 }, { 2, 6 }, { 4, 5 }, { 32, 0 } }, 4, false },
    { "no_owner", { { 4, 5 }, { 32, 0 } }, 2, false },
    { "no_group", { { 1, 5 }, { 32, 0 } }, 2, false },
    { "no_other", { { 1, 5 }, { 4, 0 } }, 2, false },
    { "two_owners", { { 1, 7 }, { 1, 7 }, { 4, 5 }, { 32, 0 } }, 4, false },
    { "order", { { 4, 5 }, { 1, 7 }, { 32, 0 } }, 3, false },
    { "permissions", { { 1, 8 }, { 4, 5 }, { 32, 0 } }, 3, false },
    { "tag_zero", { { 0, 7 }, { 1, 7 }, { 4, 5 }, { 32, 0 } }, 4, false },
    { "tag_of_two_bits", { { 1, 7 }, { 3, 7 }, { 4, 5 }, { 16, 7 }, { 32, 0 } }, 5, false },
    { "tag_beyond", { { 1, 7 }, { 4, 5 }, { 32, 0 }, { 64, 0 } }, 4, false },
    { "none", {}, 0, false },
};

}

static void lists(Test& test, const List& list)
{
    u8 bytes[sizeof(DiskAcl) + sizeof(list.entries) / sizeof(list.entries[0]) * sizeof(DiskAclEntry) + 1] {};
    DiskAcl head;
    head.version.set(k_acl_version);
    copy_bytes(bytes, &head, sizeof(head));
    u32 at = sizeof(head);
    for (u32 i = 0; i < list.count; i++, at += sizeof(DiskAclEntry)) {
        DiskAclEntry entry {};
        entry.tag.set(static_cast<u16>(list.entries[i].tag));
        entry.permissions.set(static_cast<u16>(list.entries[i].permissions));
        entry.id.set(1000 + i);
        copy_bytes(bytes + at, &entry, sizeof(entry));
    }
    CHECK_EQ(is_acl({ bytes, at }), list.sound);
    CHECK(!is_acl({ bytes, at - 1 }) && !is_acl({ bytes, at + 1 }) && !is_acl({ bytes, 3 }) && !is_acl({}));
    bytes[0] = 3;
    CHECK(!is_acl({ bytes, at }));
}
LCPFS_TABLE_SUITE(acl, k_lists, lists);

}
