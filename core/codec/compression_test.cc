// SPDX-License-Identifier: GPL-2.0-only
#include "core/codec/compression.h"

#include "core/host/vector.h"
#include "core/test/failure.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

enum class Content : u8 { zeros, text, hex, random, half };

void fill(u8* data, u32 bytes, Content content)
{
    u64 state = 88172645463325252ull;
    for (u32 i = 0; i < bytes; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        const u8 byte = static_cast<u8>(state >> 32);
        switch (content) {
        case Content::zeros: data[i] = 0; break;
        case Content::text: data[i] = static_cast<u8>("the quick brown fox jumps over the lazy dog "[(i + (i >> 9)) % 44]); break;
        case Content::hex: data[i] = static_cast<u8>("0123456789abcdef"[byte % 16]); break;
        case Content::random: data[i] = byte; break;
        case Content::half: data[i] = i < bytes / 2 ? byte : 'x'; break;
        }
    }
}

struct Row {
    const char* name;
    Encoding encoding;
    u8 level;
    Content content;
    u32 blocks;
    u32 most_blocks; // stored; 0: left as it is
};
constexpr Row k_rows[] = {
    { "lz4_zeros", Encoding::lz4, 0, Content::zeros, 32, 1 },
    { "lz4_two_blocks", Encoding::lz4, 0, Content::text, 2, 1 },
    { "lz4_one_block", Encoding::lz4, 0, Content::zeros, 1, 0 },
    { "lz4_text", Encoding::lz4, 0, Content::text, 31, 4 },
    { "lz4_half", Encoding::lz4, 0, Content::half, 32, 17 },
    { "lz4_hex", Encoding::lz4, 0, Content::hex, 32, 0 },
    { "lz4_random", Encoding::lz4, 0, Content::random, 32, 0 },
    { "zstd_zeros", Encoding::zstd, 3, Content::zeros, 32, 1 },
    { "zstd_text", Encoding::zstd, 3, Content::text, 32, 3 },
    { "zstd_hex", Encoding::zstd, 3, Content::hex, 32, 19 },
    { "zstd_random", Encoding::zstd, 3, Content::random, 32, 0 },
    { "zstd_first_level", Encoding::zstd, 1, Content::half, 32, 17 },
    { "zstd_last_level", Encoding::zstd, k_max_zstd_level, Content::text, 7, 2 },
};

}

static void round_trip(Test& test, const Row& row)
{
    const CompressionChoice choice { row.encoding, row.level };
    Box<Compression> compression = REQUIRE_VALUE(Compression::create());
    const Status enabled = compression->enable(choice);
    if (enabled.error() == Error::not_supported)
        return; // the module is not there: decompressing is tested by the bytes of `known`
    REQUIRE_OK(enabled);
    Vector<u8> expected;
    REQUIRE_OK(expected.resize(k_unit_bytes));
    const u32 bytes = row.blocks << k_block_shift;
    fill(expected.begin(), bytes, row.content);
    Compression::Turn turn(*compression);
    copy_bytes(turn.unit(), expected.begin(), bytes);
    const u32 stored = turn.compress(choice, row.blocks);
    CHECK_EQ(stored != 0, row.most_blocks != 0);
    if (!stored)
        return;
    const u32 stored_blocks = static_cast<u32>(blocks_for_bytes(stored));
    CHECK(stored_blocks <= row.most_blocks && stored_blocks < row.blocks);
    for (u32 i = stored; i < stored_blocks << k_block_shift; i++)
        CHECK_EQ(turn.stored()[i], 0u);
    __builtin_memset(turn.unit(), 0xee, k_unit_bytes);
    REQUIRE_OK(turn.decompress(row.encoding, turn.stored(), stored, row.blocks));
    CHECK(compare_bytes(turn.unit(), expected.begin(), bytes) == 0);
    for (u32 i = bytes; i < k_unit_bytes; i++)
        REQUIRE(turn.unit()[i] == 0xee);
    // A lie about either length is found; so is the other codec's name, and any byte of it being another changes nothing beyond the data.
    CHECK_ERROR(turn.decompress(row.encoding, turn.stored(), stored - 1, row.blocks), data_checksum);
    CHECK_ERROR(turn.decompress(row.encoding, turn.stored(), stored, row.blocks - 1), data_checksum);
    if (row.blocks < k_max_unit_blocks)
        CHECK_ERROR(turn.decompress(row.encoding, turn.stored(), stored, row.blocks + 1), data_checksum);
    const Encoding other = row.encoding == Encoding::lz4 ? Encoding::zstd : Encoding::lz4;
    CHECK_ERROR(turn.decompress(other, turn.stored(), stored, row.blocks), data_checksum);
    CHECK_ERROR(turn.decompress(row.encoding, turn.stored(), k_unit_bytes + 1, row.blocks), extent_damaged);
    CHECK_ERROR(turn.decompress(row.encoding, turn.stored(), stored, k_max_unit_blocks + 1), extent_damaged);
    __builtin_memset(turn.unit() + bytes, 0xee, k_unit_bytes - bytes);
    for (u32 i = 0; i < stored; i += 1 + stored / 97) {
        turn.stored()[i] = static_cast<u8>(turn.stored()[i] ^ (1 + i % 255));
        (void)turn.decompress(row.encoding, turn.stored(), stored, row.blocks);
        turn.stored()[i] = static_cast<u8>(turn.stored()[i] ^ (1 + i % 255));
    }
    for (u32 i = bytes; i < k_unit_bytes; i++)
        REQUIRE(turn.unit()[i] == 0xee);
}
LCPFS_TABLE_SUITE(compression_rows, k_rows, round_trip);

// What other programs made of 8192 bytes 'x': every host reads it.
static void known(Test& test)
{
    constexpr u8 k_zstd[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x1f, 0x4d, 0x00, 0x00, 0x10, 0x78, 0x78, 0x01, 0x00,
        0xfb, 0xdf, 0x03, 0x2c };
    Box<Compression> compression = REQUIRE_VALUE(Compression::create());
    Compression::Turn turn(*compression);
    // One literal, a match of 8186 at distance 1, five literals.
    u8 lz4[64] = { 0x1f, 'x', 1, 0 };
    u32 at = 4;
    u32 left = 8186 - 19;
    for (; left >= 255; left -= 255)
        lz4[at++] = 255;
    lz4[at++] = static_cast<u8>(left);
    lz4[at++] = 0x50;
    for (u32 i = 0; i < 5; i++)
        lz4[at++] = 'x';
    copy_bytes(turn.stored(), lz4, at);
    REQUIRE_OK(turn.decompress(Encoding::lz4, turn.stored(), at, 2));
    for (u32 i = 0; i < 8192; i++)
        REQUIRE(turn.unit()[i] == 'x');
    zero_bytes(turn.unit(), 8192);
    copy_bytes(turn.stored(), k_zstd, sizeof(k_zstd));
    REQUIRE_OK(turn.decompress(Encoding::zstd, turn.stored(), sizeof(k_zstd), 2));
    for (u32 i = 0; i < 8192; i++)
        REQUIRE(turn.unit()[i] == 'x');
}

static void no_memory(Test& test)
{
    for (u32 n = 1;; n++) {
        if (!lcpfs_test_fail_allocation(n))
            return;
        auto made = Compression::create();
        Status enabled = made.is_ok() ? made.value()->enable({ Encoding::zstd, 5 }) : Status(made.error());
        const bool has_failed = !lcpfs_test_fail_allocation(0) || enabled.is_error();
        if (enabled.is_ok() || enabled.error() == Error::not_supported)
            return;
        CHECK_EQ(enabled.error(), Error::no_memory);
        CHECK(has_failed);
        REQUIRE(n < 1000);
    }
}

static void levels(Test& test)
{
    Box<Compression> compression = REQUIRE_VALUE(Compression::create());
    if (compression->enable({ Encoding::zstd, 3 }).error() == Error::not_supported)
        return;
    REQUIRE_OK(compression->enable({ Encoding::zstd, 9 }));
    REQUIRE_OK(compression->enable({ Encoding::zstd, 1 }));
    Compression::Turn turn(*compression);
    fill(turn.unit(), k_unit_bytes, Content::hex);
    CHECK(turn.compress({ Encoding::zstd, 9 }, 32) != 0);
    // Beyond what was asked for: as well as can be.
    CHECK(turn.compress({ Encoding::zstd, 12 }, 32) != 0);
    CHECK(is_choice(Encoding::zstd, 15) && !is_choice(Encoding::zstd, 16) && !is_choice(Encoding::zstd, 0));
    CHECK(is_choice(Encoding::lz4, 0) && !is_choice(Encoding::lz4, 1) && is_choice(Encoding::none, 0) && !is_choice(Encoding::none, 1));
}

namespace {
constexpr TestCase k_cases[] = { { "known", known }, { "no_memory", no_memory }, { "levels", levels } };
}
LCPFS_SUITE(compression, k_cases);

}
