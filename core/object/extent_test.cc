// SPDX-License-Identifier: GPL-2.0-only
#include "core/object/extent.h"

#include "core/host/memory.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

struct Item {
    BigEndianKey key { 0 };
    u8 value[k_max_extent_bytes];
    u32 bytes { 0 };
    Bytes key_bytes() const { return { key.data(), 8 }; }
};

void make_mapped(Item& item, u64 file_block, u32 length, ChecksumKind kind)
{
    Extent extent;
    extent.file_block = file_block;
    extent.length_blocks = length;
    extent.dva = { 5000, length, VdevId(3) };
    extent.birth = TxgId(12);
    extent.checksum_kind = kind;
    u8* payload = item.value + sizeof(DiskExtent);
    const u32 bytes = length * checksum_bytes_of(kind);
    for (u32 i = 0; i < bytes; i++)
        payload[i] = static_cast<u8>(i / checksum_bytes_of(kind));
    extent.payload = { payload, bytes };
    item.key = BigEndianKey(file_block);
    item.bytes = extent.encode({ item.value, sizeof(item.value) });
}

// Blocks 2 to 11 of a unit of 20, which is stored in 7.
void make_compressed(Item& item, u64 file_block)
{
    make_mapped(item, file_block, 7, ChecksumKind::crc32c);
    DiskExtent& disk = *reinterpret_cast<DiskExtent*>(item.value);
    disk.length_blocks.set(10);
    disk.encoding = static_cast<u8>(Encoding::lz4);
    disk.stored_bytes.set(7 * k_block_size - 100);
    disk.unit_blocks = 20;
    disk.unit_offset = 2;
}

void make_inlined(Item& item, u64 file_block, u32 bytes)
{
    Extent extent;
    extent.kind = ExtentKind::inlined;
    extent.length_blocks = 1;
    extent.birth = TxgId(12);
    __builtin_memset(item.value + sizeof(DiskExtent), 'd', bytes);
    extent.payload = { item.value + sizeof(DiskExtent), bytes };
    item.key = BigEndianKey(file_block);
    item.bytes = extent.encode({ item.value, sizeof(item.value) });
}

void make_unwritten(DiskExtent& extent, Item& item, u32 blocks)
{
    extent.kind = 3;
    extent.checksum_kind = 0;
    extent.length_blocks.set(blocks);
    item.bytes = sizeof(DiskExtent);
}

struct Row {
    const char* name;
    bool inlined;
    void (*spoil)(DiskExtent& extent, Item& item);
    Error expected;
};
#define LCPFS_SPOIL(statement) [](DiskExtent& extent, Item& item) { (void)extent, (void)item; statement; }
constexpr Row k_rows[] = {
    { "mapped", false, LCPFS_SPOIL(), Error::none },
    { "kind_none", false, LCPFS_SPOIL(extent.kind = 0), Error::extent_damaged },
    { "kind_unknown", false, LCPFS_SPOIL(extent.kind = 4), Error::extent_damaged },
    { "unwritten_with_checksums", false, LCPFS_SPOIL(extent.kind = 3; extent.checksum_kind = 0), Error::extent_damaged },
    { "unwritten_of_a_kind", false, LCPFS_SPOIL(extent.kind = 3; item.bytes = sizeof(DiskExtent)), Error::extent_damaged },
    { "unwritten", false, LCPFS_SPOIL(make_unwritten(extent, item, k_max_unwritten_blocks)), Error::none },
    { "unwritten_length", false, LCPFS_SPOIL(make_unwritten(extent, item, k_max_unwritten_blocks + 1)), Error::extent_damaged },
    { "unwritten_nothing", false, LCPFS_SPOIL(make_unwritten(extent, item, 0)), Error::extent_damaged },
    { "unwritten_over_the_end", false,
      LCPFS_SPOIL(make_unwritten(extent, item, 10); item.key = BigEndianKey(k_max_file_blocks - 9)), Error::extent_damaged },
    { "kind_other", false, LCPFS_SPOIL(extent.kind = 2), Error::extent_damaged },
    { "encoding", false, LCPFS_SPOIL(extent.encoding = 1), Error::extent_damaged },
    { "encoding_unknown", false, LCPFS_SPOIL(extent.encoding = 3), Error::extent_damaged },
    { "flags", false, LCPFS_SPOIL(extent.flags = 1), Error::extent_damaged },
    { "unit_of_plain", false, LCPFS_SPOIL(extent.unit_blocks = 10), Error::extent_damaged },
    { "offset_of_plain", false, LCPFS_SPOIL(extent.unit_offset = 1), Error::extent_damaged },
    { "stored_of_plain", false, LCPFS_SPOIL(extent.stored_bytes.set(1)), Error::extent_damaged },
    { "checksum_none", false, LCPFS_SPOIL(extent.checksum_kind = 0), Error::extent_damaged },
    { "checksum_unknown", false, LCPFS_SPOIL(extent.checksum_kind = 4), Error::extent_damaged },
    { "checksum_other", false, LCPFS_SPOIL(extent.checksum_kind = 2), Error::extent_damaged },
    { "no_length", false, LCPFS_SPOIL(extent.length_blocks.set(0); item.bytes = sizeof(DiskExtent)), Error::extent_damaged },
    { "length_less", false, LCPFS_SPOIL(extent.length_blocks.set(9)), Error::extent_damaged },
    { "length_more", false, LCPFS_SPOIL(extent.length_blocks.set(11)), Error::extent_damaged },
    { "length_huge", false, LCPFS_SPOIL(extent.length_blocks.set(0x40000002)), Error::extent_damaged },
    { "cut", false, LCPFS_SPOIL(item.bytes--), Error::extent_damaged },
    { "longer", false, LCPFS_SPOIL(item.bytes++), Error::extent_damaged },
    { "shorter_than_head", false, LCPFS_SPOIL(item.bytes = sizeof(DiskExtent) - 1), Error::extent_damaged },
    { "nothing", false, LCPFS_SPOIL(item.bytes = 0), Error::extent_damaged },
    { "past_the_end", false, LCPFS_SPOIL(item.key = BigEndianKey(k_max_file_blocks)), Error::extent_damaged },
    { "over_the_end", false, LCPFS_SPOIL(item.key = BigEndianKey(k_max_file_blocks - 9)), Error::extent_damaged },
    { "up_to_the_end", false, LCPFS_SPOIL(item.key = BigEndianKey(k_max_file_blocks - 10)), Error::none },
    { "last_key", false, LCPFS_SPOIL(item.key = BigEndianKey(~0ull)), Error::extent_damaged },
    { "inlined", true, LCPFS_SPOIL(), Error::none },
    { "inlined_second", true, LCPFS_SPOIL(item.key = BigEndianKey(1)), Error::none },
    { "inlined_third", true, LCPFS_SPOIL(item.key = BigEndianKey(2)), Error::extent_damaged },
    { "inlined_length", true, LCPFS_SPOIL(extent.length_blocks.set(2)), Error::extent_damaged },
    { "inlined_bytes_less", true, LCPFS_SPOIL(extent.stored_bytes.set(99)), Error::extent_damaged },
    { "inlined_bytes_more", true, LCPFS_SPOIL(extent.stored_bytes.set(101)), Error::extent_damaged },
    { "inlined_empty", true, LCPFS_SPOIL(extent.stored_bytes.set(0); item.bytes = sizeof(DiskExtent)), Error::extent_damaged },
    { "inlined_encoding", true, LCPFS_SPOIL(extent.encoding = 2), Error::extent_damaged },
    { "inlined_unit", true, LCPFS_SPOIL(extent.unit_blocks = 1), Error::extent_damaged },
    { "inlined_offset", true, LCPFS_SPOIL(extent.unit_offset = 1), Error::extent_damaged },
    { "inlined_flags", true, LCPFS_SPOIL(extent.flags = 1), Error::extent_damaged },
    { "inlined_as_mapped", true, LCPFS_SPOIL(extent.kind = 1), Error::extent_damaged },
};
constexpr Row k_unit_rows[] = {
    { "compressed", false, LCPFS_SPOIL(), Error::none },
    { "zstd", false, LCPFS_SPOIL(extent.encoding = 2), Error::none },
    { "encoding_none", false, LCPFS_SPOIL(extent.encoding = 0), Error::extent_damaged },
    { "encoding_unknown", false, LCPFS_SPOIL(extent.encoding = 3), Error::extent_damaged },
    { "flags", false, LCPFS_SPOIL(extent.flags = 0x80), Error::extent_damaged },
    { "no_length", false, LCPFS_SPOIL(extent.length_blocks.set(0)), Error::extent_damaged },
    { "up_to_its_end", false, LCPFS_SPOIL(extent.length_blocks.set(18)), Error::none },
    { "over_its_end", false, LCPFS_SPOIL(extent.length_blocks.set(19)), Error::extent_damaged },
    { "length_huge", false, LCPFS_SPOIL(extent.length_blocks.set(0xfffffffe)), Error::extent_damaged },
    { "offset_over_its_end", false, LCPFS_SPOIL(extent.unit_offset = 11), Error::extent_damaged },
    { "offset_huge", false, LCPFS_SPOIL(extent.unit_offset = 255), Error::extent_damaged },
    { "no_unit", false, LCPFS_SPOIL(extent.unit_blocks = 0), Error::extent_damaged },
    { "largest_unit", false, LCPFS_SPOIL(extent.unit_blocks = 32), Error::none },
    { "unit_too_large", false, LCPFS_SPOIL(extent.unit_blocks = 33), Error::extent_damaged },
    { "smallest_unit", false, LCPFS_SPOIL(extent.unit_blocks = 12), Error::none },
    { "nothing_saved", false, LCPFS_SPOIL(extent.unit_offset = 0; extent.length_blocks.set(7); extent.unit_blocks = 7),
      Error::extent_damaged },
    { "a_block_saved", false, LCPFS_SPOIL(extent.unit_offset = 0; extent.length_blocks.set(7); extent.unit_blocks = 8;
                                          extent.stored_bytes.set(7 * k_block_size)), Error::none },
    { "stored_nothing", false, LCPFS_SPOIL(extent.stored_bytes.set(0); item.bytes = sizeof(DiskExtent)), Error::extent_damaged },
    { "stored_less", false, LCPFS_SPOIL(extent.stored_bytes.set(6 * k_block_size)), Error::extent_damaged },
    { "stored_least", false, LCPFS_SPOIL(extent.stored_bytes.set(6 * k_block_size + 1)), Error::none },
    { "stored_most", false, LCPFS_SPOIL(extent.stored_bytes.set(7 * k_block_size)), Error::none },
    { "stored_more", false, LCPFS_SPOIL(extent.stored_bytes.set(7 * k_block_size + 1)), Error::extent_damaged },
    { "stored_huge", false, LCPFS_SPOIL(extent.stored_bytes.set(0xffffffff)), Error::extent_damaged },
    { "longer", false, LCPFS_SPOIL(item.bytes++), Error::extent_damaged },
    { "cut", false, LCPFS_SPOIL(item.bytes--), Error::extent_damaged },
    { "over_the_end", false, LCPFS_SPOIL(item.key = BigEndianKey(k_max_file_blocks - 9)), Error::extent_damaged },
};
#undef LCPFS_SPOIL

}

static void damaged_unit(Test& test, const Row& row)
{
    Box<Item> item = REQUIRE_VALUE(make_box<Item>());
    make_compressed(*item, 40);
    row.spoil(*reinterpret_cast<DiskExtent*>(item->value), *item);
    CHECK_EQ(Extent::decode(item->key_bytes(), { item->value, item->bytes }).error(), row.expected);
}
LCPFS_TABLE_SUITE(unit_damage, k_unit_rows, damaged_unit);

static void damaged(Test& test, const Row& row)
{
    Box<Item> item = REQUIRE_VALUE(make_box<Item>());
    if (row.inlined)
        make_inlined(*item, 0, 100);
    else
        make_mapped(*item, 40, 10, ChecksumKind::crc32c);
    row.spoil(*reinterpret_cast<DiskExtent*>(item->value), *item);
    CHECK_EQ(Extent::decode(item->key_bytes(), { item->value, item->bytes }).error(), row.expected);
    CHECK_ERROR(Extent::decode({ item->key.data(), 7 }, { item->value, item->bytes }), extent_damaged);
}
LCPFS_TABLE_SUITE(extent_damage, k_rows, damaged);

static void parts(Test& test)
{
    constexpr ChecksumKind k_kinds[] = { ChecksumKind::crc32c, ChecksumKind::xxh64, ChecksumKind::sha256 };
    Box<Item> item = REQUIRE_VALUE(make_box<Item>());
    Box<Item> piece = REQUIRE_VALUE(make_box<Item>());
    for (ChecksumKind kind : k_kinds) {
        const u32 longest = max_extent_blocks(kind);
        CHECK(longest * checksum_bytes_of(kind) <= k_max_extent_checksum_bytes);
        make_mapped(*item, 100, longest, kind);
        CHECK_EQ(item->bytes, sizeof(DiskExtent) + longest * checksum_bytes_of(kind));
        Result<Extent> whole = Extent::decode(item->key_bytes(), { item->value, item->bytes });
        REQUIRE_OK(whole);
        CHECK(whole.value().covers(100) && whole.value().covers(99 + longest));
        CHECK(!whole.value().covers(100 + longest) && !whole.value().covers(99));
        CHECK_EQ(whole.value().dva.block, 5000u);
        CHECK_EQ(whole.value().birth, 12u);
        DiskExtent mapped;
        Extent::encode_mapped(whole.value().dva, kind, reinterpret_cast<u8*>(&mapped));
        CHECK_EQ(mapped.birth_txg.get(), 0u);
        mapped.birth_txg.set(12);
        CHECK(equal(bytes_of(mapped), { item->value, sizeof(mapped) }));
        const Extent part = whole.value().part(7, longest - 9);
        CHECK_EQ(part.encode({ piece->value, sizeof(piece->value) }), part.encoded_bytes());
        piece->key = BigEndianKey(part.file_block);
        Result<Extent> again = Extent::decode(piece->key_bytes(), { piece->value, part.encoded_bytes() });
        REQUIRE_OK(again);
        CHECK_EQ(again.value().file_block, 107u);
        CHECK_EQ(again.value().length_blocks, longest - 9);
        CHECK(again.value().dva == (Dva { 5007, longest - 9, VdevId(3) }));
        for (u32 i = 0; i < longest - 9; i++)
            CHECK_EQ(again.value().checksums(i, 1)[0], static_cast<u8>(i + 7));
        Box<Item> same = REQUIRE_VALUE(make_box<Item>());
        same->bytes = Extent::encode_part({ item->value, item->bytes }, 7, longest - 9, { same->value, sizeof(same->value) });
        CHECK_EQ(same->bytes, part.encoded_bytes());
        CHECK(equal({ same->value, same->bytes }, { piece->value, part.encoded_bytes() }));
        // One block more than an extent of this kind may have.
        DiskExtent& head = *reinterpret_cast<DiskExtent*>(item->value);
        head.length_blocks.set(longest + 1);
        CHECK_ERROR(Extent::decode(item->key_bytes(), { item->value, item->bytes }), extent_damaged);
    }
    constexpr u32 k_sizes[] = { 1, 2047, 2048 };
    for (u32 size : k_sizes) {
        make_inlined(*item, 0, size);
        Result<Extent> decoded = Extent::decode(item->key_bytes(), { item->value, item->bytes });
        REQUIRE_OK(decoded);
        CHECK(decoded.value().payload.size() == size && decoded.value().payload[size - 1] == 'd');
    }
}

// However a unit is cut, its parts say the same of it, and count what is stored.
static void parts_of_unit(Test& test)
{
    Box<Item> item = REQUIRE_VALUE(make_box<Item>());
    Box<Item> piece = REQUIRE_VALUE(make_box<Item>());
    make_compressed(*item, 40);
    Result<Extent> whole = Extent::decode(item->key_bytes(), { item->value, item->bytes });
    REQUIRE_OK(whole);
    CHECK(whole.value().dva == (Dva { 5000, 7, VdevId(3) }));
    CHECK_EQ(whole.value().end(), 50u);
    for (u32 cut = 1; cut < 10; cut++) {
        u32 counted = 0;
        for (u32 side = 0; side < 2; side++) {
            const Extent part = side ? whole.value().part(cut, 10 - cut) : whole.value().part(0, cut);
            piece->key = BigEndianKey(part.file_block);
            const u32 bytes = part.encode({ piece->value, sizeof(piece->value) });
            Result<Extent> again = Extent::decode(piece->key_bytes(), { piece->value, bytes });
            REQUIRE_OK(again);
            CHECK(again.value().dva == whole.value().dva && again.value().stored_bytes == whole.value().stored_bytes);
            CHECK(again.value().encoding == Encoding::lz4 && again.value().unit_blocks == 20);
            CHECK_EQ(u32(again.value().unit_offset), side ? 2 + cut : 2u);
            CHECK_EQ(again.value().checksums(6, 1)[0], 6u);
            counted += part.counted_blocks();
        }
        CHECK_EQ(counted, whole.value().counted_blocks());
    }
    Extent all = whole.value();
    all.unit_offset = 0;
    all.length_blocks = 20;
    CHECK_EQ(all.counted_blocks(), 7u);
}

namespace {
constexpr TestCase k_cases[] = { { "parts", parts }, { "parts_of_unit", parts_of_unit } };
}
LCPFS_SUITE(extent, k_cases);

}
