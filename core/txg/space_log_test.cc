// SPDX-License-Identifier: GPL-2.0-only
#include "core/txg/space_log.h"

#include "core/test/failure.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {
struct Sum {
    u64 entries { 0 }, used { 0 }, blocks { 0 }, places { 0 };
};
Sum drain(SpaceLog& log, u64 txg, Error fails = Error::none, Error* result = nullptr)
{
    Sum sum;
    Status status = log.drain(TxgId(txg), [&](const Dva& dva, SpaceUse use) {
        sum.entries++;
        sum.used += use == SpaceUse::used;
        sum.blocks += dva.length_blocks;
        sum.places += dva.block * (dva.vdev.value() + 1);
        return sum.entries == 2 ? Status(fails) : Status();
    });
    if (result)
        *result = status.error();
    return sum;
}
}

static void batches(Test& test)
{
    Box<SpaceLog> log = REQUIRE_VALUE(SpaceLog::create());
    // Of any size, into groups 4 and 5, in turn; some are given up.
    u64 entries[2] = {}, blocks[2] = {}, places[2] = {};
    for (u32 i = 0; i < 60; i++) {
        const u32 count = i % 7 == 3 ? 600 : 1 + i % 40;
        SpaceLog::Batch batch(*log);
        REQUIRE_OK(batch.prepare(count));
        for (u32 j = 0; j < count; j++)
            batch.add({ 100 + j, i + 1, VdevId(static_cast<u16>(i % 3)) }, j % 2 == 0 ? SpaceUse::used : SpaceUse::freed);
        if (i % 5 == 4)
            continue;
        batch.commit(TxgId(4 + i % 2));
        entries[i % 2] += count;
        blocks[i % 2] += u64(count) * (i + 1);
        for (u32 j = 0; j < count; j++)
            places[i % 2] += u64(100 + j) * (i % 3 + 1);
    }
    CHECK_EQ(drain(*log, 6).entries, 0u);
    for (u32 which = 0; which < 2; which++) {
        const Sum sum = drain(*log, 4 + which);
        CHECK_EQ(sum.entries, entries[which]);
        CHECK_EQ(sum.blocks, blocks[which]);
        CHECK_EQ(sum.places, places[which]);
        CHECK(sum.used >= sum.entries / 2 && sum.used < sum.entries);
        CHECK_EQ(drain(*log, 4 + which).entries, 0u);
    }
}

// Those that follow each other are told at once, of one use and one device, and of blocks that are only used or freed.
static void neighbours(Test& test)
{
    struct Row {
        Dva dva;
        SpaceUse use;
    };
    constexpr Row k_rows[] = {
        { { 10, 2, VdevId(0) }, SpaceUse::used },   { { 12, 3, VdevId(0) }, SpaceUse::used },   { { 15, 1, VdevId(1) }, SpaceUse::used },
        { { 16, 1, VdevId(1) }, SpaceUse::freed },  { { 17, 9, VdevId(1) }, SpaceUse::freed },  { { 26, 1, VdevId(1) }, SpaceUse::freed },
        { { 30, 1, VdevId(1) }, SpaceUse::shared }, { { 31, 1, VdevId(1) }, SpaceUse::shared }, { { 30, 1, VdevId(1) }, SpaceUse::used },
    };
    constexpr u32 k_told[] = { 5, 1, 11, 1, 1, 1 };
    Box<SpaceLog> log = REQUIRE_VALUE(SpaceLog::create());
    SpaceLog::Batch batch(*log);
    REQUIRE_OK(batch.prepare(9));
    for (const Row& row : k_rows)
        batch.add(row.dva, row.use);
    batch.commit(TxgId(3));
    u32 told = 0;
    CHECK_OK(log->drain(TxgId(3), [&](const Dva& dva, SpaceUse) {
        CHECK_EQ(dva.length_blocks, told < 6 ? k_told[told] : 0);
        told++;
        return Status();
    }));
    CHECK_EQ(told, 6u);
}

static void errors_pass_by(Test& test)
{
    Box<SpaceLog> log = REQUIRE_VALUE(SpaceLog::create());
    SpaceLog::Batch batch(*log);
    REQUIRE_OK(batch.prepare(5));
    for (u32 i = 0; i < 5; i++)
        batch.add({ 2 * i, 1, VdevId(0) }, SpaceUse::used);
    batch.commit(TxgId(1));
    Error result = Error::none;
    CHECK_EQ(drain(*log, 1, Error::contradiction, &result).entries, 5u); // all are told
    CHECK_EQ(result, Error::contradiction);
}

static void no_memory(Test& test)
{
    Box<SpaceLog> log = REQUIRE_VALUE(SpaceLog::create());
    SpaceLog::Batch batch(*log);
    if (lcpfs_test_fail_allocation(3)) {
        CHECK_ERROR(batch.prepare(3 * SpaceLog::k_entries_per_chunk), no_memory);
        lcpfs_test_fail_allocation(0);
    }
    REQUIRE_OK(batch.prepare(3 * SpaceLog::k_entries_per_chunk));
    for (u32 i = 0; i < 3 * SpaceLog::k_entries_per_chunk; i++)
        batch.add({ 2 * i, 1, VdevId(0) }, SpaceUse::freed);
    batch.commit(TxgId(9));
    CHECK_EQ(drain(*log, 9).entries, 3 * SpaceLog::k_entries_per_chunk);
}

namespace {
constexpr TestCase k_cases[] = {
    { "batches", batches },
    { "neighbours", neighbours },
    { "errors_pass_by", errors_pass_by },
    { "no_memory", no_memory },
};
}
LCPFS_SUITE(space_log, k_cases);

}
