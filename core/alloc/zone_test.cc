// SPDX-License-Identifier: GPL-2.0-only
#include "core/alloc/zone.h"

#include "core/host/memory.h"
#include "core/test/test.h"

namespace lcpfs {

// A zone and the same as one byte per block.
struct ZoneModel {
    BitPage page {};
    Zone zone;
    u8 busy[k_page_bits] {};
    u64 seed { 3 };

    ZoneModel()
    {
        zone.busy = &page;
        zone.begin = 512;
        zone.end = 512 + 4096;
    }
    u32 random(u32 below)
    {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        return static_cast<u32>(seed >> 33) % below;
    }
    // First run of `want` from `from`, else the longest.
    Run find(u32 from, u32 want) const
    {
        Run best, current;
        for (u32 i = from; i < zone.end; i++) {
            if (busy[i]) {
                current.length = 0;
                continue;
            }
            if (current.length++ == 0)
                current.position = i;
            if (current.length >= want)
                return current;
            if (current.length > best.length)
                best = current;
        }
        return best;
    }
    u32 quads(u32 group) const
    {
        u32 count = 0;
        for (u32 i = zone.begin; i < zone.end; i += group) {
            u32 used = 0;
            for (u32 j = 0; j < group; j++)
                used += busy[i + j];
            count += used == 0;
        }
        return count;
    }
};

struct GroupRow {
    const char* name;
    u32 group;
};
constexpr GroupRow k_rows[] = { { "groups_of_1", 1 }, { "groups_of_4", 4 }, { "groups_of_16", 16 } };

static void against_model(Test& test, const GroupRow& row)
{
    Box<ZoneModel> model = REQUIRE_VALUE(make_box<ZoneModel>());
    Zone& zone = model->zone;
    zone.recount(row.group);
    CHECK_EQ(zone.free, 4096);
    CHECK_EQ(zone.longest, 4096);
    for (u32 i = 0; i < 3000; i++) {
        const u32 from = zone.begin + model->random(4096);
        const u32 want = 1 + model->random(i % 5 == 0 ? 300 : 20);
        const Run expected = model->find(from, want);
        const Run found = zone.find(from, want, false, row.group);
        REQUIRE_EQ(found.length, expected.length);
        if (found.length) {
            REQUIRE_EQ(found.position, expected.position);
            zone.take(found, row.group);
            __builtin_memset(model->busy + found.position, 1, found.length);
        }
        // Frees one run of busy blocks out of three times two.
        const u32 at = zone.begin + model->random(4096);
        u32 length = 0;
        while (at + length < zone.end && model->busy[at + length] && length < 40)
            length++;
        if (length && i % 3) {
            zone.give({ at, length }, row.group);
            __builtin_memset(model->busy + at, 0, length);
        }
        const Run quad = zone.find_quad(zone.begin, row.group);
        REQUIRE_EQ(quad.length != 0, zone.quads != 0);
        if (i % 16 == 0) {
            REQUIRE_EQ(zone.quads, model->quads(row.group));
            const Run longest = model->find(zone.begin, 100000);
            REQUIRE(zone.longest >= longest.length);
            CHECK_EQ(zone.find(zone.begin, 100000, false, row.group).length, longest.length);
            CHECK_EQ(zone.longest, longest.length);
            if (row.group > 1) {
                const Run broken = zone.find(zone.begin, 2 * row.group, true, row.group);
                for (u32 j = 0; j < broken.length; j++)
                    REQUIRE(!model->busy[broken.position + j]);
            }
        }
    }
}

LCPFS_TABLE_SUITE(zone, k_rows, against_model);

}
