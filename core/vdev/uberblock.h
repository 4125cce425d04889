// SPDX-License-Identifier: GPL-2.0-only
// Uberblocks: finding the newest committed groups and writing the next.
#pragma once

#include "core/vdev/label.h"

namespace lcpfs {

struct Uberblock {
    TxgId txg {};
    TxgId previous {}; // the group it was made from
    i64 time_ns { 0 };
    NodePointer pool_tree;
    NodePointer metaslab_table;
    u64 log_tail { 0 }, log_generation { 0 }, log_sequence { 0 }, log_record { 0 }, log_ring { 0 };
    u64 total_blocks { 0 }, used_blocks { 0 };
    u64 next_dataset { 0 };
    TxgId log_txg {}; // 0: txg

    // The last group all of which it holds: what the log has of later ones is replayed.
    TxgId replayed() const { return log_txg.value() ? log_txg : txg; }
    void encode(DiskUberblock& disk, const DiskGuid& pool_guid) const; // sealed
    // Also checks that the checksum is of the group the slot claims.
    // no_uberblock: not ours, not of this pool, checksum wrong; node_damaged: pointers malformed.
    static Result<Uberblock> decode(const DiskUberblock& disk, const DiskGuid& pool_guid);
};

struct UberblockScan {
    Vector<Uberblock> found;   // distinct groups, newest first
    // The highest number of a group above found[0] of which only damaged copies were seen, or which may be where no device can be
    // read: the mount falls back and says so. 0: none.
    u64 newer_damaged { 0 };
    u64 damaged_copies { 0 }; // with those of all groups for which there is room on a page that cannot be read

    // The group that `uberblock` was made from, when it is among them.
    const Uberblock* previous_of(const Uberblock& uberblock) const;
    // The number that the first group made from found[0] follows. Numbers of damaged groups are given up, since they may have
    // left blocks and bitmap copies behind; and the next is one whose labels are others than those of found[0].
    TxgId number_to_go_on_from() const;
};

// Commits go to so many data vdevs, the first.
constexpr u32 k_uberblock_vdevs = 3;

class DamagedSlots;
class RingBuffer;

// The rings of the front labels of a device that is about to be opened, on their way while its labels are: where they are depends on
// nothing that those say. Nobody may write the device between this and its opening.
class FrontRings {
public:
    explicit FrontRings(Box<DeviceIo> io);
    ~FrontRings(); // waits
    FrontRings(const FrontRings&) = delete;
    DeviceIo& io() { return *m_io; }
    Status start();

private:
    friend class UberblockReader;
    Box<DeviceIo> m_io; // outlives the rings, wherever they are
    Box<RingBuffer> m_rings[k_label_count / 2];
};

// What was read of a device before its pool is opened.
struct FoundLabel {
    Box<Label> label;
    u64 in_all { 0 };      // as read_label tells it
    Box<FrontRings> rings; // or null
};

// Reads the rings of all labels of all data vdevs. A page with bad sectors is skipped (counted damaged): no_uberblock when nothing is
// good. A device's error when it keeps from knowing which group is the newest, and may pass.
//
// Depth::as_needed: of a lone data vdev the front labels' rings say it all, mostly. A group is committed when both its labels have
// it, so the end labels have a newer one only when it is the very next, and the write of its front copy did not get done: the
// page where they would have it is looked at. They are read whole when it is not what the front has there, and when the front is
// not an unbroken row of whole uberblocks.
class UberblockReader {
public:
    enum class Depth : u8 { whole, as_needed };
    UberblockReader(VdevSet& vdevs, const DiskGuid& pool_guid, Depth depth);
    ~UberblockReader();
    UberblockReader(const UberblockReader&) = delete;
    // One after the other; what is done between them is done while a device reads. `early`: rings that are used up if they are of use.
    Status start(FrontRings* early = nullptr);
    Status look();
    const Uberblock* likely() const; // the newest so far, if any
    Result<UberblockScan> finish();

private:
    bool take_early(FrontRings& early);
    bool find_next(); // false: there is no data vdev left
    Status start_rings(u32 first, u32 end);
    Status scan_rings(u32 first, u32 end);
    Status scan_lone();
    bool is_front_unbroken() const;
    bool is_front_all();
    VdevSet& m_vdevs;
    const DiskGuid m_pool_guid;
    const Depth m_depth;
    u16 m_vdev { 0 };
    u32 m_data_vdevs_before { 0 }; // m_vdev
    Error m_trouble { Error::none }; // a device's, not of its sectors: of rings that were given up
    bool m_is_reading { false };
    bool m_is_front_first { false };
    bool m_is_early { false }; // the rings that are there were begun before there was a VdevSet
    UberblockScan m_scan;
    Box<DamagedSlots> m_damaged;
    Box<RingBuffer> m_rings[k_label_count];
    Box<RingBuffer> m_next; // of an end label, no more than where the next group would be
};
Result<UberblockScan> scan_uberblocks(VdevSet& vdevs, const DiskGuid& pool_guid);

// Commits: writes the group's uberblock with FUA to its two labels on up to three data vdevs (in parallel) and waits.
// Success when at least one vdev took both its copies. Sleepable; nothing is allocated beyond host_io. One thread.
// Slots of numbers that were given up are zeroed after it: a copy in one of them that could not be read may turn out to be
// whole later, and must not come to life again when its blocks are others'.
//
// The ring is kept in memory as pages of two slots, so that a device with 4 KiB sectors gets its whole sector
// without a read: the neighbour slot stands there as a scan found it before. Devices with smaller
// sectors get the slot alone.
class UberblockWriter {
public:
    static Result<Box<UberblockWriter>> create(VdevSet& vdevs, const DiskGuid& pool_guid);
    // What a scan has found, newest first.
    static Result<Box<UberblockWriter>> create(VdevSet& vdevs, const DiskGuid& pool_guid, Span<const Uberblock> found);
    ~UberblockWriter();
    Status write(const Uberblock& uberblock);

private:
    static constexpr u32 k_ring_pages = k_uberblock_slots * k_uberblock_slot_bytes / k_block_size;
    UberblockWriter(VdevSet& vdevs, const DiskGuid& pool_guid) : m_vdevs(vdevs), m_pool_guid(pool_guid) {}
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);
    DiskUberblock& slot(u64 txg);
    Status write_slot(u64 txg);

    VdevSet& m_vdevs;
    DiskGuid m_pool_guid;
    host_pool* m_page_pool { nullptr };
    u8* m_ring[k_ring_pages] {};
};

}
