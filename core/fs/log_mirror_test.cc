// SPDX-License-Identifier: GPL-2.0-only
// Log devices that mirror each other: what one of them has is never taken for the whole log when another had more.
#include "core/fs/replay.h"

#include "core/test/log_device_ground.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

using Ground = LogDeviceGround;
constexpr u32 k_first = Ground::k_log_device, k_second = Ground::k_log_mirror;
constexpr u32 k_both[] = { k_first, k_second };

int minus(Error error) { return -errno_of(error); }

// What is there when it is opened next.
void have(Ground& ground, bool first, bool second)
{
    ground.pool.lacks_log_device = !first;
    ground.pool.lacks_log_mirror = !second;
}

void have_only(Ground& ground, u32 device) { have(ground, device == k_first, device == k_second); }
u32 other(u32 device) { return k_first + k_second - device; }
u64 logged(Ground& ground, u32 device) { return ground.requests(device, HOST_IO_WRITE); }

core_log_member_state state_of(Ground& ground, u32 device)
{
    core_log_member members[CORE_LOG_MEMBERS];
    const unsigned count = core_log_get_members(ground.pool.handle(), members, CORE_LOG_MEMBERS);
    for (unsigned i = 0; i < count; i++)
        if (members[i].device == device)
            return members[i].state;
    return CORE_LOG_MEMBER_UNUSED;
}

// Which of them have the log, as the group committed last says: bits.
int who_has_log(Ground& ground, u32& bits)
{
    core_pool_options options {};
    options.read_only = options.no_recovery = true;
    if (int error = ground.pool.open_with(options))
        return error;
    core_log_member members[CORE_LOG_MEMBERS];
    const unsigned count = core_log_get_members(ground.pool.handle(), members, CORE_LOG_MEMBERS);
    bits = 0;
    for (unsigned i = 0; i < count; i++)
        bits |= u32(members[i].has_log) << members[i].device;
    return ground.pool.close();
}

// One write to each, at once, and no group.
void costs(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(2));
    CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_ACTIVE);
    for (u32 i = 0; i < 6; i++) {
        const u64 first = logged(*ground, k_first), second = logged(*ground, k_second), data = ground->data_writes();
        const u64 committed = ground->committed();
        CHECK_EQ(i % 2 ? ground->make_one() : ground->log_write(i, static_cast<u8>(i + 1)), 0);
        CHECK_EQ(ground->sync(), 0);
        CHECK(logged(*ground, k_first) == first + 1 && logged(*ground, k_second) == second + 1);
        CHECK(ground->data_writes() == data && ground->committed() == committed);
    }
    const u64 print = ground->pool.fingerprint();
    ground->crash();
    for (u32 device : k_both) { // each has all of it: looked at, decided nothing
        have_only(*ground, device);
        CHECK_EQ(ground->open(false, true), minus(Error::log_pending));
    }
    have(*ground, true, true);
    REQUIRE_EQ(ground->open(), 0);
    CHECK_EQ(ground->pool.fingerprint(), print);
    CHECK_EQ(ground->pool.check(), 0u);
}

// One is not there: the mount goes on with the other, and from then on the one has not all of the log.
void one_missing(Test& test)
{
    for (u32 device : k_both) {
        Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
        REQUIRE_OK(ground->start(2));
        CHECK_EQ(ground->make_one(), 0);
        u64 print = ground->pool.fingerprint();
        ground->crash();
        have_only(*ground, device);
        u32 having = 0;
        REQUIRE_EQ(who_has_log(*ground, having), 0);
        CHECK_EQ(having, 1u << k_first | 1u << k_second);
        REQUIRE_EQ(ground->open(), 0);
        CHECK_EQ(ground->pool.fingerprint(), print);
        CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_DEGRADED);
        CHECK(state_of(*ground, device) == CORE_LOG_MEMBER_ACTIVE && state_of(*ground, other(device)) == CORE_LOG_MEMBER_MISSING);
        CHECK_EQ(ground->make_one(), 0);
        CHECK_EQ(ground->pool.check(), 0u);
        print = ground->pool.fingerprint();
        ground->crash();
        have_only(*ground, other(device));
        CHECK_EQ(ground->open(), minus(Error::device_missing));
        CHECK_EQ(ground->open(false, true), minus(Error::device_missing));
        for (u32 there : k_both) {
            have_only(*ground, there);
            REQUIRE_EQ(who_has_log(*ground, having), 0);
            CHECK_EQ(having, 1u << device);
        }
        have_only(*ground, device);
        REQUIRE_EQ(ground->open(), 0);
        CHECK_EQ(ground->pool.fingerprint(), print);
        CHECK_EQ(ground->make_one(), 0);
        print = ground->pool.fingerprint();
        ground->crash();
        // Back, it is a member like the other.
        have(*ground, true, true);
        REQUIRE_EQ(ground->open(), 0);
        CHECK_EQ(ground->pool.fingerprint(), print);
        CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_ACTIVE);
        CHECK_EQ(ground->make_one(), 0);
        print = ground->pool.fingerprint();
        ground->crash();
        have_only(*ground, other(device));
        REQUIRE_EQ(ground->open(), 0);
        CHECK_EQ(ground->pool.fingerprint(), print);
        if (test.failed())
            return;
    }
}

// The last that works is taken out while the other is missing, or both in turn: nothing of the log is on either.
void last_taken_out(Test& test)
{
    for (u32 device : k_both) {
        Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
        REQUIRE_OK(ground->start(2));
        CHECK_EQ(ground->make_one(), 0);
        ground->crash();
        have_only(*ground, device);
        REQUIRE_EQ(ground->open(), 0);
        CHECK_EQ(ground->make_one(), 0);
        REQUIRE_EQ(core_log_remove(ground->pool.handle(), device), 0);
        CHECK_EQ(core_log_remove(ground->pool.handle(), other(device)), minus(Error::not_found));
        CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_UNUSED);
        CHECK_EQ(ground->make_one(), 0);
        u64 print = ground->pool.fingerprint();
        ground->crash();
        have(*ground, false, false);
        REQUIRE_EQ(ground->open(), 0);
        CHECK_EQ(ground->pool.fingerprint(), print);
        CHECK(state_of(*ground, k_first) == CORE_LOG_MEMBER_UNUSED && state_of(*ground, k_second) == CORE_LOG_MEMBER_UNUSED);
        CHECK_EQ(ground->make_one(), 0);
        print = ground->pool.fingerprint();
        ground->crash();
        // Both back, as anything else that may be added.
        have(*ground, true, true);
        REQUIRE_EQ(ground->open(), 0);
        CHECK_EQ(ground->pool.fingerprint(), print);
        CHECK(state_of(*ground, k_first) == CORE_LOG_MEMBER_UNUSED && state_of(*ground, k_second) == CORE_LOG_MEMBER_UNUSED);
        CHECK_EQ(core_log_add(ground->pool.handle(), device), 0);
        CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_ACTIVE);
        CHECK_EQ(ground->pool.check(), 0u);
        if (test.failed())
            return;
    }
}

// Or the other has failed, and is there as yet.
void last_with_failed(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(2));
    CHECK_EQ(ground->make_one(), 0);
    ground->fail(k_first, HOST_IO_WRITE, ~0ull);
    CHECK_EQ(ground->make_one(), 0);
    CHECK_EQ(ground->make_one(), 0);
    CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_DEGRADED);
    CHECK_EQ(core_log_remove(ground->pool.handle(), k_second), 0);
    ground->fail(k_first, HOST_IO_WRITE, 0);
    CHECK_EQ(ground->make_one(), 0);
    const u64 print = ground->pool.fingerprint();
    ground->crash();
    have(*ground, false, false);
    REQUIRE_EQ(ground->open(), 0);
    CHECK_EQ(ground->pool.fingerprint(), print);
    CHECK_EQ(ground->pool.check(), 0u);
}

// One fails: nobody is failed, and nothing is acknowledged by the other alone before the pool knows.
void one_fails(Test& test)
{
    constexpr host_io_op k_failing[] = { HOST_IO_WRITE, HOST_IO_FLUSH };
    for (u32 device : k_both)
        for (host_io_op op : k_failing) {
            Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
            REQUIRE_OK(ground->start(2));
            if (op == HOST_IO_FLUSH)
                for (u32 i : k_both)
                    ground->pool.pool().intent_log().writer().durability().set(VdevId(static_cast<u16>(i)), Durable::by_flush);
            CHECK_EQ(ground->make_one(), 0);
            const u64 committed = ground->committed();
            ground->fail(device, op, ~0ull);
            CHECK_EQ(ground->log_write(3, 33), 0);
            CHECK_EQ(ground->make_one(), 0);
            CHECK(ground->committed() > committed);
            CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_DEGRADED);
            CHECK_EQ(state_of(*ground, device), CORE_LOG_MEMBER_FAILED);
            CHECK_EQ(ground->make_one(), 0);
            const u64 on_it = logged(*ground, device), on_other = logged(*ground, other(device)), data = ground->data_writes();
            CHECK_EQ(ground->make_one(), 0);
            CHECK(logged(*ground, device) == on_it && logged(*ground, other(device)) == on_other + 1 && ground->data_writes() == data);
            u64 print = ground->pool.fingerprint();
            ground->crash();
            ground->fail(device, op, 0);
            have_only(*ground, device);
            CHECK_EQ(ground->open(), minus(Error::device_missing));
            have(*ground, true, true);
            REQUIRE_EQ(ground->open(), 0);
            CHECK_EQ(ground->pool.fingerprint(), print);
            CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_ACTIVE);
            CHECK_EQ(ground->pool.check(), 0u);
            CHECK_EQ(ground->make_one(), 0);
            print = ground->pool.fingerprint();
            ground->crash();
            have_only(*ground, device);
            REQUIRE_EQ(ground->open(), 0);
            CHECK_EQ(ground->pool.fingerprint(), print);
            if (test.failed())
                return;
        }
}

// One after the other, or at once: the pool's ring takes over.
void all_fail(Test& test)
{
    constexpr bool k_at_once[] = { false, true };
    for (const bool at_once : k_at_once) {
        Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
        REQUIRE_OK(ground->start(2));
        for (u32 device : k_both) {
            ground->fail(device, HOST_IO_WRITE, ~0ull);
            if (!at_once)
                CHECK_EQ(ground->make_one(), 0);
        }
        CHECK_EQ(ground->make_one(), 0);
        CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_FAILED);
        const u64 data = ground->data_writes(), committed = ground->committed();
        CHECK_EQ(ground->make_one(), 0);
        CHECK(ground->data_writes() == data + 1 && ground->committed() == committed);
        u64 print = ground->pool.fingerprint();
        ground->crash();
        for (u32 device : k_both)
            ground->fail(device, HOST_IO_WRITE, 0);
        have(*ground, false, false);
        CHECK_EQ(ground->open(), minus(Error::device_missing));
        have_only(*ground, k_first); // it does not hold the log: any will do
        REQUIRE_EQ(ground->open(), 0);
        CHECK_EQ(ground->pool.fingerprint(), print);
        CHECK_EQ(ground->make_one(), 0);
        print = ground->pool.fingerprint();
        ground->crash();
        have_only(*ground, k_second);
        CHECK_EQ(ground->open(), minus(Error::device_missing));
        REQUIRE_EQ(ground->open(true), 0); // the log is given up: the replay had committed all but the last
        CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_UNUSED);
        CHECK_EQ(ground->pool.check(), 0u);
    }
}

void flip(Ground& ground, u32 device, u64 position)
{
    const LogRing::Place place = ground.pool.pool().intent_log().ring(k_device_ring).place(position);
    u8 byte;
    lcpfs_test_device_peek(ground.pool.device(device), place.offset_bytes + 200, &byte, 1);
    byte ^= 1;
    lcpfs_test_device_poke(ground.pool.device(device), place.offset_bytes + 200, &byte, 1);
}

// Each frame is taken from whoever has a good copy, and is missing when nobody has.
void damaged(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(2));
    u64 positions[8];
    for (u64& position : positions) {
        position = ground->position();
        CHECK_EQ(ground->make_one(), 0);
    }
    const u64 print = ground->pool.fingerprint();
    for (u32 i = 0; i < 8; i++)
        if (i != 5)
            flip(*ground, i % 3 ? k_first : k_second, positions[i]);
    const LogRing::Place place = ground->pool.pool().intent_log().ring(k_device_ring).place(positions[3]);
    u8 bytes[2][64];
    for (u32 i = 0; i < 2; i++)
        lcpfs_test_device_peek(ground->pool.device(k_both[i]), place.offset_bytes + 192, bytes[i], 64);
    ground->crash();
    have_only(*ground, k_first);
    CHECK_EQ(ground->open(), minus(Error::log_missing));
    have(*ground, true, true);
    lcpfs_test_device_poke(ground->pool.device(k_first), place.offset_bytes + 192, bytes[1], 64);
    CHECK_EQ(ground->open(), minus(Error::log_missing)); // now no one has the fourth
    lcpfs_test_device_poke(ground->pool.device(k_first), place.offset_bytes + 192, bytes[0], 64);
    REQUIRE_EQ(ground->open(), 0);
    CHECK_EQ(ground->pool.fingerprint(), print);
    CHECK_EQ(ground->pool.check(), 0u);
}

// A member that cannot be read is passed over, as long as one can that has the whole log.
void unreadable(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(2));
    ground->fail(k_first, HOST_IO_WRITE, 1);
    CHECK_EQ(ground->make_one(), 0);
    CHECK_EQ(ground->make_one(), 0);
    const u64 print = ground->pool.fingerprint();
    ground->crash();
    // Of the stale one nothing says that the log ends. Its label is read before it fails.
    lcpfs_test_device_fail(ground->pool.device(k_second), HOST_IO_READ, 12, ~0ull);
    CHECK(ground->open() != 0);
    lcpfs_test_device_fail(ground->pool.device(k_second), HOST_IO_READ, 0, 0);
    lcpfs_test_device_fail(ground->pool.device(k_first), HOST_IO_READ, 12, ~0ull);
    REQUIRE_EQ(ground->open(), 0);
    lcpfs_test_device_fail(ground->pool.device(k_first), HOST_IO_READ, 0, 0);
    CHECK_EQ(ground->pool.fingerprint(), print);
    CHECK_EQ(ground->pool.check(), 0u);
}

// Many on one member, one on the other, and no frame on both.
void bad_sectors(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(2));
    u64 positions[40];
    for (u32 i = 0; i < 40; i++) {
        positions[i] = ground->position();
        CHECK_EQ(ground->log_write(i % 8, static_cast<u8>(i + 1)), 0);
        CHECK_EQ(ground->sync(), 0);
    }
    const u64 print = ground->pool.fingerprint();
    const LogRing& ring = ground->pool.pool().intent_log().ring(k_device_ring);
    CHECK(positions[28] - positions[5] > 18 * k_block_size && ring.left_in_run(positions[5]) > 200 * k_block_size);
    const u64 many = ring.place(positions[5], 0).offset_bytes, one = ring.place(positions[28], 1).offset_bytes;
    ground->crash();
    lcpfs_test_device_spoil(ground->pool.device(k_first), many, 17 * k_block_size);
    lcpfs_test_device_spoil(ground->pool.device(k_second), one, 512);
    REQUIRE_EQ(ground->open(), 0);
    for (u32 device : k_both)
        lcpfs_test_device_spoil(ground->pool.device(device), 0, 0);
    CHECK_EQ(ground->pool.fingerprint(), print);
    CHECK_EQ(ground->pool.check(), 0u);
}

// The newest group, which says that the one that is there is stale, is not the only one that does.
void fallback(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(2));
    ground->fail(k_second, HOST_IO_WRITE, ~0ull);
    CHECK_EQ(ground->make_one(), 0);
    const u64 first = ground->committed();
    CHECK_EQ(ground->make_one(), 0);
    const u64 newest = ground->committed();
    CHECK(newest > first);
    CHECK_EQ(ground->make_one(), 0);
    CHECK_EQ(ground->committed(), newest);
    ground->crash();
    ground->fail(k_second, HOST_IO_WRITE, 0);
    ground->forget_newest(newest);
    have_only(*ground, k_second);
    CHECK_EQ(ground->open(), minus(Error::device_missing));
    have(*ground, true, true);
    REQUIRE_EQ(ground->open(), 0);
    CHECK_EQ(ground->pool.check(), 0u);
}

// Out and in again, with all that was acknowledged at each step, and after a crash at each.
void changing(Test& test)
{
    struct Step {
        u32 device;
        bool joins;
        core_log_device after;
    };
    constexpr Step k_steps[] = {
        { k_first, false, CORE_LOG_DEVICE_ACTIVE }, { k_second, false, CORE_LOG_DEVICE_UNUSED }, { k_second, true, CORE_LOG_DEVICE_ACTIVE },
        { k_first, true, CORE_LOG_DEVICE_ACTIVE },  { k_second, false, CORE_LOG_DEVICE_ACTIVE },
    };
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(2));
    CHECK_EQ(core_log_remove(ground->pool.handle(), 0), minus(Error::not_found));
    CHECK_EQ(core_log_remove(ground->pool.handle(), 9), minus(Error::not_found));
    CHECK_EQ(core_log_add(ground->pool.handle(), k_first), minus(Error::busy));
    bool has[2] = { true, true };
    for (const Step& step : k_steps) {
        CHECK_EQ(ground->make_one(), 0);
        CHECK_EQ((step.joins ? core_log_add : core_log_remove)(ground->pool.handle(), step.device), 0);
        CHECK_EQ((step.joins ? core_log_add : core_log_remove)(ground->pool.handle(), step.device),
                 minus(step.joins ? Error::busy : Error::not_found));
        has[step.device - k_first] = step.joins;
        CHECK_EQ(ground->log_device(), step.after);
        for (u32 round = 0; round < 2; round++) {
            const u64 first = logged(*ground, k_first), second = logged(*ground, k_second), data = ground->data_writes();
            CHECK_EQ(ground->make_one(), 0);
            CHECK_EQ(logged(*ground, k_first), first + has[0]);
            CHECK_EQ(logged(*ground, k_second), second + has[1]);
            CHECK_EQ(ground->data_writes(), data + !(has[0] || has[1]));
            const u64 print = ground->pool.fingerprint();
            ground->crash();
            have(*ground, round == 0 || has[0], round == 0 || has[1]); // nobody misses what is out
            REQUIRE_EQ(ground->open(), 0);
            CHECK_EQ(ground->pool.fingerprint(), print);
        }
        CHECK_EQ(ground->pool.check(), 0u);
        REQUIRE_EQ(ground->close(), 0);
        have(*ground, true, true);
        REQUIRE_EQ(ground->open(), 0);
        if (test.failed())
            return;
    }
}

// Back while mounted.
void rejoining(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(2));
    for (u32 round = 0; round < 3; round++) {
        for (u32 device : k_both)
            if (round == 2 || device == k_both[round])
                ground->fail(device, HOST_IO_WRITE, 1);
        CHECK_EQ(ground->make_one(), 0);
        CHECK_EQ(ground->log_device(), round == 2 ? CORE_LOG_DEVICE_FAILED : CORE_LOG_DEVICE_DEGRADED);
        CHECK_EQ(ground->make_one(), 0);
        for (u32 device : k_both)
            if (state_of(*ground, device) == CORE_LOG_MEMBER_FAILED)
                CHECK_EQ(core_log_add(ground->pool.handle(), device), 0);
        CHECK_EQ(ground->log_device(), CORE_LOG_DEVICE_ACTIVE);
        CHECK_EQ(ground->make_one(), 0);
    }
    const u64 print = ground->pool.fingerprint();
    ground->crash();
    have_only(*ground, k_second);
    REQUIRE_EQ(ground->open(), 0);
    CHECK_EQ(ground->pool.fingerprint(), print);
    CHECK_EQ(ground->pool.check(), 0u);
}

constexpr TestCase k_cases[] = {
    { "costs", costs },           { "one_missing", one_missing }, { "last_taken_out", last_taken_out }, { "one_fails", one_fails },
    { "last_with_failed", last_with_failed },
    { "all_fail", all_fail },     { "damaged", damaged },         { "bad_sectors", bad_sectors },       { "unreadable", unreadable },
    { "fallback", fallback },     { "changing", changing },       { "rejoining", rejoining },
};

}

LCPFS_SUITE(log_mirror, k_cases);

}
