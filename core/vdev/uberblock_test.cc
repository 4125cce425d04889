// SPDX-License-Identifier: GPL-2.0-only
#include "core/vdev/uberblock.h"

#include "core/test/device.h"
#include "core/test/test.h"

namespace lcpfs {

constexpr u64 k_device_bytes = 16ull << 20;
constexpr DiskGuid k_pool { { 9, 9 } };
constexpr DiskGuid k_other_pool { { 9, 8 } };

static Uberblock make_uberblock(u64 txg)
{
    Uberblock uberblock;
    uberblock.txg = TxgId(txg);
    uberblock.previous = TxgId(txg - 1);
    uberblock.time_ns = static_cast<i64>(txg) * 1000;
    NodePointer& pointer = uberblock.pool_tree;
    pointer.copies = 1;
    pointer.size_bytes = 16384;
    pointer.dva[0] = { 1000 + txg, 4, VdevId(0) };
    pointer.birth = TxgId(txg);
    pointer.checksum_kind = ChecksumKind::crc32c;
    uberblock.metaslab_table = pointer;
    uberblock.total_blocks = 5000;
    uberblock.used_blocks = txg;
    uberblock.next_dataset = 2;
    return uberblock;
}

struct UberblockGround {
    TestDevice a { k_device_bytes }, b { k_device_bytes }, c { k_device_bytes }, d { k_device_bytes };
    Box<VdevSet> vdevs;
    Status start(u16 devices = 2)
    {
        host_bdev* const bdevs[] = { a.get(), b.get(), c.get(), d.get() };
        if (!a || !b || !c || !d)
            return Error::no_memory;
        Vector<Box<Vdev>> list;
        for (u16 i = 0; i < devices; i++) {
            Box<Vdev> vdev = TRY(make_box<Vdev>());
            vdev->id = VdevId(i);
            vdev->bdev = bdevs[i];
            vdev->capacity_blocks = k_device_bytes / k_block_size;
            vdev->metaslab_blocks = 1024;
            vdev->metaslab_count = 3;
            TRY(list.push_back(lcpfs::move(vdev)));
        }
        vdevs = TRY(VdevSet::create(lcpfs::move(list)));
        return {};
    }
    // The copy of a group in one label of the first device is as it was in `slot`, which gets what it was.
    void swap(u32 label, u64 txg, DiskUberblock& slot)
    {
        const u64 at = label_offset(label, k_device_bytes / k_block_size) + k_label_ring_offset
            + uberblock_slot_of(txg) * k_uberblock_slot_bytes;
        DiskUberblock before;
        lcpfs_test_device_peek(a.get(), at, &before, sizeof(before));
        lcpfs_test_device_poke(a.get(), at, &slot, sizeof(slot));
        slot = before;
    }
    // As a mount of a lone device does it.
    Result<UberblockScan> scan_as_needed()
    {
        UberblockReader reader(*vdevs, k_pool, UberblockReader::Depth::as_needed);
        TRY(reader.start());
        TRY(reader.look());
        return reader.finish();
    }
    // The same with rings that were begun before; a read in `failing` fails.
    Result<UberblockScan> scan_early(u32 failing = ~0u)
    {
        FrontRings early(TRY(DeviceIo::create(a.get())));
        if (failing != ~0u)
            lcpfs_test_device_fail(a.get(), HOST_IO_READ, failing, 1);
        TRY(early.start());
        UberblockReader reader(*vdevs, k_pool, UberblockReader::Depth::as_needed);
        TRY(reader.start(&early));
        TRY(reader.look());
        return reader.finish();
    }
    // The sector of a group's copy in one label of one device cannot be read.
    void spoil(bool second, u32 label, u64 txg)
    {
        const u64 at = label_offset(label, k_device_bytes / k_block_size) + k_label_ring_offset
            + uberblock_slot_of(txg) * k_uberblock_slot_bytes;
        lcpfs_test_device_spoil(second ? b.get() : a.get(), at, 512);
    }
    void mend() { lcpfs_test_device_spoil(a.get(), 0, 0); }
    // Flips a bit of a group's copy in one label of one device.
    void damage(bool second, u32 label, u64 txg, u32 offset)
    {
        host_bdev* bdev = second ? b.get() : a.get();
        const u64 at = label_offset(label, k_device_bytes / k_block_size) + k_label_ring_offset
            + uberblock_slot_of(txg) * k_uberblock_slot_bytes + offset;
        u8 byte;
        lcpfs_test_device_peek(bdev, at, &byte, 1);
        byte ^= 16;
        lcpfs_test_device_poke(bdev, at, &byte, 1);
    }
};

static void ring_of_groups(Test& test)
{
    UberblockGround ground;
    REQUIRE_OK(ground.start());
    CHECK_ERROR(scan_uberblocks(*ground.vdevs, k_pool), no_uberblock);
    Box<UberblockWriter> writer = REQUIRE_VALUE(UberblockWriter::create(*ground.vdevs, k_pool));
    for (u64 txg = 1; txg <= 150; txg++) {
        REQUIRE_OK(writer->write(make_uberblock(txg)));
        if (txg % 40 == 0)
            writer = REQUIRE_VALUE(UberblockWriter::create(*ground.vdevs, k_pool));
    }
    UberblockScan scan = REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool));
    CHECK_EQ(scan.found.size(), 64);
    CHECK_EQ(scan.damaged_copies, 0);
    CHECK_EQ(scan.newer_damaged, 0u);
    for (u64 i = 0; i < scan.found.size(); i++) {
        CHECK_EQ(scan.found[i].txg, 150 - i);
        CHECK_EQ(scan.found[i].pool_tree.dva[0].block, 1150 - i);
    }
    CHECK_ERROR(scan_uberblocks(*ground.vdevs, k_other_pool), no_uberblock);
}

// The end labels are read when they may say more than the front, and what is chosen is what reading all of them gives.
static void as_needed(Test& test)
{
    UberblockGround ground;
    REQUIRE_OK(ground.start(1));
    Box<DiskUberblock> slot = REQUIRE_VALUE(make_box<DiskUberblock>());
    CHECK_ERROR(ground.scan_as_needed(), no_uberblock);
    Box<UberblockWriter> writer = REQUIRE_VALUE(UberblockWriter::create(*ground.vdevs, k_pool));
    auto newest = [&](u64 txg, u64 newer_damaged, u32 damaged_copies) {
        const UberblockScan needed = REQUIRE_VALUE(ground.scan_as_needed());
        const UberblockScan whole = REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool));
        CHECK_EQ(needed.found[0].txg, txg);
        CHECK_EQ(whole.found[0].txg, txg);
        CHECK_EQ(needed.newer_damaged, newer_damaged);
        CHECK_EQ(whole.newer_damaged, newer_damaged);
        CHECK_EQ(needed.damaged_copies, damaged_copies);
        const UberblockScan early = REQUIRE_VALUE(ground.scan_early());
        CHECK_EQ(early.found[0].txg, txg);
        CHECK_EQ(early.found.size(), needed.found.size());
        CHECK_EQ(early.newer_damaged, newer_damaged);
        CHECK_EQ(early.damaged_copies, damaged_copies);
    };
    for (u64 txg = 1; txg <= 130; txg++) {
        const u32 front = txg % 2, end = front + 2;
        *slot = {};
        if (txg > 64)
            make_uberblock(txg - 64).encode(*slot, k_pool);
        Box<DiskUberblock> at_end = REQUIRE_VALUE(make_box<DiskUberblock>());
        *at_end = *slot;
        REQUIRE_OK(writer->write(make_uberblock(txg)));
        newest(txg, 0, 0);
        ground.swap(front, txg, *slot); // a power cut took this write
        newest(txg, 0, 0);
        ground.swap(front, txg, *slot);
        ground.swap(end, txg, *at_end); // or the other
        newest(txg, 0, 0);
        ground.damage(false, front, txg, 100);
        if (txg > 1)
            newest(txg - 1, txg, 1);
        ground.swap(end, txg, *at_end);
        newest(txg, 0, 1);
        ground.damage(false, end, txg, 100);
        if (txg > 1)
            newest(txg - 1, txg, 2);
        ground.swap(front, txg, *slot); // torn at the end, not begun at the front
        if (txg > 1)
            newest(txg - 1, txg, 1);
        ground.swap(front, txg, *slot);
        ground.damage(false, front, txg, 100);
        ground.damage(false, end, txg, 100);
    }
    // Copies of old groups at the end are not looked at: nothing is fallen back to there while the front is whole.
    ground.damage(false, 2, 120, 100);
    CHECK_EQ(REQUIRE_VALUE(ground.scan_as_needed()).damaged_copies, 0u);
    CHECK_EQ(REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool)).damaged_copies, 1u);
    // Nor is a gap in the front taken for all that there is.
    *slot = {};
    for (u64 txg = 126; txg <= 130; txg++) {
        ground.swap(txg % 2, txg, *slot);
        *slot = {};
    }
    CHECK_EQ(REQUIRE_VALUE(ground.scan_as_needed()).found[0].txg, 130);
}

// Rings that are begun before the pool is known are read once, whoever it turns out to be; one that cannot be read is read again.
static void begun_early(Test& test)
{
    UberblockGround ground;
    REQUIRE_OK(ground.start(1));
    CHECK_ERROR(ground.scan_early(), no_uberblock);
    Box<UberblockWriter> writer = REQUIRE_VALUE(UberblockWriter::create(*ground.vdevs, k_pool));
    for (u64 txg = 1; txg <= 20; txg++)
        REQUIRE_OK(writer->write(make_uberblock(txg)));
    auto reads = [&] { return lcpfs_test_device_requests(ground.a.get(), HOST_IO_READ); };
    const u64 before = reads();
    CHECK_EQ(REQUIRE_VALUE(ground.scan_as_needed()).found[0].txg, 20u);
    const u64 needed = reads() - before;
    CHECK_EQ(REQUIRE_VALUE(ground.scan_early()).found[0].txg, 20u);
    CHECK_EQ(reads() - before, 2 * needed);
    for (u32 failing = 0; failing < 2; failing++) {
        const UberblockScan scan = REQUIRE_VALUE(ground.scan_early(failing));
        CHECK_EQ(scan.found[0].txg, 20u);
        CHECK_EQ(scan.found.size(), 20u);
        CHECK_EQ(scan.damaged_copies, 0u);
    }
    // Used up: who opens once more reads for himself. And another device's are of no use.
    Box<FrontRings> early = REQUIRE_VALUE(make_box<FrontRings>(REQUIRE_VALUE(DeviceIo::create(ground.a.get()))));
    REQUIRE_OK(early->start());
    Box<FrontRings> other = REQUIRE_VALUE(make_box<FrontRings>(REQUIRE_VALUE(DeviceIo::create(ground.b.get()))));
    REQUIRE_OK(other->start());
    FrontRings* const rings[] = { early.get(), early.get(), other.get() };
    for (u64 i = 0; i < 3; i++) {
        UberblockReader reader(*ground.vdevs, k_pool, UberblockReader::Depth::as_needed);
        REQUIRE_OK(reader.start(rings[i]));
        REQUIRE_OK(reader.look());
        CHECK_EQ(REQUIRE_VALUE(reader.finish()).found[0].txg, 20 + i);
        REQUIRE_OK(writer->write(make_uberblock(21 + i)));
    }
}

// The newest group survives all damage but that of every copy; then the one before is found, and it is said.
static void falling_back(Test& test)
{
    UberblockGround ground;
    REQUIRE_OK(ground.start());
    Box<UberblockWriter> writer = REQUIRE_VALUE(UberblockWriter::create(*ground.vdevs, k_pool));
    for (u64 txg = 1; txg <= 10; txg++)
        REQUIRE_OK(writer->write(make_uberblock(txg)));
    u32 damaged = 0;
    while (damaged < 4) {
        UberblockScan before = REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool));
        CHECK_EQ(before.found[0].txg, 10);
        CHECK_EQ(before.damaged_copies, damaged);
        CHECK_EQ(before.newer_damaged, 0u);
        CHECK_EQ(before.number_to_go_on_from(), 10u);
        ground.damage(damaged / 2 != 0, damaged % 2 * 2, 10, 100);
        damaged++;
    }
    UberblockScan scan = REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool));
    CHECK_EQ(scan.found[0].txg, 9);
    CHECK_EQ(scan.damaged_copies, 4);
    CHECK_EQ(scan.newer_damaged, 10u);
    CHECK_EQ(scan.number_to_go_on_from(), 11u); // 12: not 10, and on other labels than 9
    CHECK(scan.previous_of(scan.found[0]) == &scan.found[1]);
    // The group is done again; the later of one number counts.
    writer = REQUIRE_VALUE(UberblockWriter::create(*ground.vdevs, k_pool));
    Uberblock again = make_uberblock(10);
    again.time_ns++;
    REQUIRE_OK(writer->write(again));
    UberblockScan after = REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool));
    CHECK_EQ(after.found[0].txg, 10);
    CHECK_EQ(after.damaged_copies, 0);
    CHECK_EQ(after.newer_damaged, 0u);
}

// A group of which no label can be read, and the pool goes on without it: it does not come back when they can be read again.
static void given_up(Test& test)
{
    UberblockGround ground;
    REQUIRE_OK(ground.start());
    Box<UberblockWriter> writer = REQUIRE_VALUE(UberblockWriter::create(*ground.vdevs, k_pool));
    for (u64 txg = 1; txg <= 10; txg++)
        REQUIRE_OK(writer->write(make_uberblock(txg)));
    Uberblock next = make_uberblock(12);
    next.previous = TxgId(9);
    REQUIRE_OK(writer->write(next));
    {
        UberblockScan scan = REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool));
        CHECK_EQ(scan.found[0].txg, 12u);
        CHECK_EQ(scan.found[1].txg, 9u);
        CHECK(scan.previous_of(scan.found[0]) == &scan.found[1]);
    }
    // Its own bytes tell where it was, whichever of them are gone.
    const u32 offsets[] = { 8, 100 };
    for (u32 offset : offsets) {
        for (u32 i = 0; i < 4; i++)
            ground.damage(i / 2 != 0, i % 2 * 2, 12, offset);
        UberblockScan scan = REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool));
        CHECK_EQ(scan.found[0].txg, 9u);
        CHECK_EQ(scan.newer_damaged, 12u);
        CHECK_EQ(scan.number_to_go_on_from(), 13u);
        for (u32 i = 0; i < 4; i++)
            ground.damage(i / 2 != 0, i % 2 * 2, 12, offset);
    }
    // One copy that claims a number which by chance has that slot too hides nothing of what the others say.
    for (u32 i = 0; i < 4; i++)
        ground.damage(i / 2 != 0, i % 2 * 2, 12, i == 1 ? 14 : 100);
    {
        UberblockScan scan = REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool));
        CHECK_EQ(scan.newer_damaged, 12u);
    }
    // An older group's slot that rots says nothing of the newest: not even in the place of the next.
    for (u64 txg = 13; txg <= 76; txg++)
        REQUIRE_OK(writer->write(make_uberblock(txg)));
    ground.damage(false, 1, 77 - 64, 100);
    UberblockScan scan = REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool));
    CHECK_EQ(scan.found[0].txg, 76u);
    CHECK_EQ(scan.damaged_copies, 1u);
    CHECK_EQ(scan.newer_damaged, 0u);
}

static void failing_devices(Test& test)
{
    UberblockGround ground;
    REQUIRE_OK(ground.start());
    Box<UberblockWriter> writer = REQUIRE_VALUE(UberblockWriter::create(*ground.vdevs, k_pool));
    lcpfs_test_device_fail(ground.a.get(), HOST_IO_WRITE, 0, 1);
    CHECK_OK(writer->write(make_uberblock(1)));
    lcpfs_test_device_fail(ground.a.get(), HOST_IO_WRITE, 0, 1);
    lcpfs_test_device_fail(ground.b.get(), HOST_IO_WRITE, 1, 1);
    CHECK_ERROR(writer->write(make_uberblock(2)), io_error);
    lcpfs_test_device_fail(ground.a.get(), HOST_IO_READ, 0, 1000);
    UberblockScan scan = REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool));
    CHECK_EQ(scan.damaged_copies, k_label_count * k_uberblock_slots / 2);
    CHECK_EQ(scan.found[0].txg, 2);
}

// A bad sector costs the groups on its page, and those only when no label has them else.
static void bad_sectors(Test& test)
{
    UberblockGround ground;
    REQUIRE_OK(ground.start(1));
    Box<UberblockWriter> writer = REQUIRE_VALUE(UberblockWriter::create(*ground.vdevs, k_pool));
    for (u64 txg = 1; txg <= 70; txg++)
        REQUIRE_OK(writer->write(make_uberblock(txg)));
    auto newest = [&](u64 txg, u64 newer_damaged, u64 groups) {
        const UberblockScan scans[] = { REQUIRE_VALUE(ground.scan_as_needed()), REQUIRE_VALUE(ground.scan_early()),
                                        REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool)) };
        for (const UberblockScan& scan : scans) {
            CHECK_EQ(scan.found[0].txg, txg);
            CHECK_EQ(scan.newer_damaged, newer_damaged);
            CHECK_EQ(scan.found.size(), groups);
        }
    };
    newest(70, 0, 64);
    for (u32 label = 0; label < k_label_count; label++) // each label's ring is bad somewhere
        ground.spoil(false, label, 50 + label);
    newest(70, 0, 64);
    CHECK_EQ(REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool)).damaged_copies, 8u); // two groups to a page
    ground.mend();
    for (u32 label = 0; label < k_label_count; label++) // where this label never has a group
        ground.spoil(false, label, 51 + label);
    newest(70, 0, 64);
    CHECK_EQ(REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool)).damaged_copies, 0u);
    ground.mend();
    ground.spoil(false, 0, 70);
    newest(70, 0, 64);
    ground.spoil(false, 2, 70); // both copies: what is there may have been a group
    newest(69, 70, 62);
    ground.mend();
    ground.spoil(false, 1, 71);
    newest(70, 0, 64);
    ground.spoil(false, 3, 71); // there never was one, but who would know
    newest(70, 71, 62);
    // What is gone on from is not mistaken for it, once and for all.
    Uberblock next = make_uberblock(REQUIRE_VALUE(ground.scan_as_needed()).number_to_go_on_from().value() + 1);
    CHECK_EQ(next.txg, 73u);
    next.previous = TxgId(70);
    REQUIRE_OK(writer->write(next));
    CHECK_EQ(REQUIRE_VALUE(ground.scan_as_needed()).found[0].txg, 73u);
    CHECK_EQ(REQUIRE_VALUE(ground.scan_as_needed()).newer_damaged, 0u);
}

// No other device's ring is missed for one that cannot be read.
static void bad_sectors_of_one(Test& test)
{
    UberblockGround ground;
    REQUIRE_OK(ground.start());
    Box<UberblockWriter> writer = REQUIRE_VALUE(UberblockWriter::create(*ground.vdevs, k_pool));
    for (u64 txg = 1; txg <= 10; txg++)
        REQUIRE_OK(writer->write(make_uberblock(txg)));
    for (u32 label = 0; label < k_label_count; label++)
        ground.spoil(false, label, 10 + label % 2);
    const UberblockScan scan = REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool));
    CHECK_EQ(scan.found[0].txg, 10u);
    CHECK_EQ(scan.found.size(), 10u);
    CHECK_EQ(scan.newer_damaged, 0u);
    CHECK_EQ(scan.damaged_copies, 8u);
}

// Nor does a device tell of groups that never has any.
static void bad_sectors_of_all_that_count(Test& test)
{
    UberblockGround ground;
    REQUIRE_OK(ground.start(4));
    Box<UberblockWriter> writer = REQUIRE_VALUE(UberblockWriter::create(*ground.vdevs, k_pool));
    for (u64 txg = 1; txg <= 10; txg++)
        REQUIRE_OK(writer->write(make_uberblock(txg)));
    host_bdev* const bdevs[] = { ground.a.get(), ground.b.get(), ground.c.get() };
    for (host_bdev* bdev : bdevs) {
        CHECK_EQ(REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool)).found[0].txg, 10u);
        for (u32 label = 0; label < k_label_count; label += 2)
            lcpfs_test_device_spoil(bdev, label_offset(label, k_device_bytes / k_block_size) + k_label_ring_offset
                                    + uberblock_slot_of(10) * k_uberblock_slot_bytes, 512);
    }
    const UberblockScan scan = REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool));
    CHECK_EQ(scan.found[0].txg, 9u);
    CHECK_EQ(scan.newer_damaged, 10u);
}

// A disk that does not answer any more is not asked page for page, and no memory is no damage.
static void rings_given_up(Test& test)
{
    UberblockGround ground;
    REQUIRE_OK(ground.start());
    Box<UberblockWriter> writer = REQUIRE_VALUE(UberblockWriter::create(*ground.vdevs, k_pool));
    for (u64 txg = 1; txg <= 10; txg++)
        REQUIRE_OK(writer->write(make_uberblock(txg)));
    const u64 before = lcpfs_test_device_requests(ground.a.get(), HOST_IO_READ);
    lcpfs_test_device_fail_as(ground.a.get(), HOST_IO_READ, 0, 1000, HOST_IO_TARGET);
    const UberblockScan scan = REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool));
    CHECK_EQ(scan.found[0].txg, 10u);
    CHECK_EQ(scan.newer_damaged, 0u);
    CHECK_EQ(lcpfs_test_device_requests(ground.a.get(), HOST_IO_READ) - before, k_label_count);
    // Nor is what another gave before taken for its own.
    lcpfs_test_device_fail_as(ground.a.get(), HOST_IO_READ, 0, 0, HOST_IO_TARGET);
    lcpfs_test_device_fail_as(ground.b.get(), HOST_IO_READ, 0, 1000, HOST_IO_TARGET);
    CHECK_EQ(REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool)).damaged_copies, k_label_count * k_uberblock_slots / 2);
    lcpfs_test_device_fail_as(ground.a.get(), HOST_IO_READ, 1, 1, HOST_IO_NO_MEMORY);
    CHECK_ERROR(scan_uberblocks(*ground.vdevs, k_pool), no_memory);
    lcpfs_test_device_fail_as(ground.b.get(), HOST_IO_READ, 0, 0, HOST_IO_TARGET);
    ground.spoil(false, 0, 4);
    lcpfs_test_device_fail_as(ground.a.get(), HOST_IO_READ, k_label_count, 1, HOST_IO_NO_MEMORY); // in reading page for page
    CHECK_ERROR(scan_uberblocks(*ground.vdevs, k_pool), no_memory);
}

// What a device does not give now it may give later: no group is given up for that.
static void rings_for_another_time(Test& test)
{
    UberblockGround ground;
    REQUIRE_OK(ground.start(1));
    Box<UberblockWriter> writer = REQUIRE_VALUE(UberblockWriter::create(*ground.vdevs, k_pool));
    for (u64 txg = 1; txg <= 10; txg++)
        REQUIRE_OK(writer->write(make_uberblock(txg)));
    lcpfs_test_device_fail_as(ground.a.get(), HOST_IO_READ, 0, 1000, HOST_IO_TARGET);
    CHECK_ERROR(scan_uberblocks(*ground.vdevs, k_pool), io_target);
    lcpfs_test_device_fail_as(ground.a.get(), HOST_IO_READ, 0, 1, HOST_IO_TARGET); // the first label's
    CHECK_EQ(REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool)).found[0].txg, 10u);
    ground.spoil(false, 2, 10);
    lcpfs_test_device_fail_as(ground.a.get(), HOST_IO_READ, 0, 1, HOST_IO_TARGET);
    CHECK_ERROR(scan_uberblocks(*ground.vdevs, k_pool), io_target);
    CHECK_EQ(REQUIRE_VALUE(scan_uberblocks(*ground.vdevs, k_pool)).found[0].txg, 10u);
}

// Every byte of a slot is covered by its checksum.
static void every_byte_counts(Test& test)
{
    Box<DiskUberblock> disk = REQUIRE_VALUE(make_box<DiskUberblock>());
    make_uberblock(77).encode(*disk, k_pool);
    REQUIRE_OK(Uberblock::decode(*disk, k_pool));
    for (u32 i = 0; i < sizeof(DiskUberblock); i++) {
        reinterpret_cast<u8*>(disk.get())[i] ^= 1;
        CHECK_ERROR(Uberblock::decode(*disk, k_pool), no_uberblock);
        reinterpret_cast<u8*>(disk.get())[i] ^= 1;
    }
    Uberblock wrong = make_uberblock(5);
    wrong.used_blocks = wrong.total_blocks + 1;
    wrong.encode(*disk, k_pool);
    CHECK_ERROR(Uberblock::decode(*disk, k_pool), node_damaged);
    wrong = make_uberblock(5);
    wrong.pool_tree.birth = TxgId(6);
    wrong.encode(*disk, k_pool);
    CHECK_ERROR(Uberblock::decode(*disk, k_pool), node_damaged);
    wrong = make_uberblock(5);
    wrong.previous = TxgId(5);
    wrong.encode(*disk, k_pool);
    CHECK_ERROR(Uberblock::decode(*disk, k_pool), node_damaged);
}

constexpr TestCase k_cases[] = {
    { "ring_of_groups", ring_of_groups },
    { "as_needed", as_needed }, { "begun_early", begun_early }, { "falling_back", falling_back },
    { "given_up", given_up },
    { "failing_devices", failing_devices },
    { "bad_sectors", bad_sectors },
    { "bad_sectors_of_one", bad_sectors_of_one },
    { "bad_sectors_of_all_that_count", bad_sectors_of_all_that_count },
    { "rings_given_up", rings_given_up },
    { "rings_for_another_time", rings_for_another_time },
    { "every_byte_counts", every_byte_counts },
};
LCPFS_SUITE(uberblock, k_cases);

}
