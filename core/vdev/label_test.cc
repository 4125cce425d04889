// SPDX-License-Identifier: GPL-2.0-only
#include "core/vdev/label.h"

#include "core/test/device.h"
#include "core/test/test.h"

namespace lcpfs {

constexpr u64 k_device_bytes = 20ull << 20;

static Result<Box<Label>> make_label()
{
    Box<Label> label = TRY(make_box<Label>());
    *label = {};
    DiskLabelHeader& header = label->header;
    header.pool_guid.bytes[0] = 7;
    header.vdev_guid.bytes[0] = 8;
    copy_bytes(header.name, "tank", 5);
    header.vdev_count.set(2);
    header.block_shift = 12;
    header.node_shift = 14;
    header.metadata_copies = 2;
    header.data_checksum = header.node_checksum = 1;
    header.label_generation.set(1);
    for (u32 i = 0; i < 2; i++) {
        DiskVdevEntry& entry = label->vdevs.entries[i];
        entry.guid.bytes[0] = static_cast<u8>(8 + i);
        entry.kind = entry.role = 1;
        entry.parent.set(0xffff);
        TRY(choose_geometry(k_device_bytes, 0, entry));
    }
    seal_label(*label);
    return label;
}

static void round_trip(Test& test)
{
    TestDevice device(k_device_bytes);
    REQUIRE(device);
    CHECK_ERROR(read_label(device.get()), label_not_lcpfs);
    Box<Label> label = REQUIRE_VALUE(make_label());
    REQUIRE_OK(write_labels(device.get(), *label, true));
    Box<Label> found = REQUIRE_VALUE(read_label(device.get()));
    CHECK(compare_bytes(found.get(), label.get(), sizeof(Label)) == 0);
}

static void damage_label(host_bdev* bdev, u32 index, u32 offset = k_label_header_offset + 80)
{
    u8 byte;
    const u64 at = label_offset(index, k_device_bytes / k_block_size) + offset;
    lcpfs_test_device_peek(bdev, at, &byte, 1);
    byte ^= 1;
    lcpfs_test_device_poke(bdev, at, &byte, 1);
}

// Any three labels may go, or their vdev tables. Of different generations the highest counts.
static void any_one_is_enough(Test& test)
{
    const u32 offsets[] = { k_label_header_offset + 80, k_label_vdevs_offset + 80 };
    for (u32 at = 0; at < 2 * k_label_count; at++) {
        const u32 survivor = at / 2, offset = offsets[at % 2];
        TestDevice device(k_device_bytes);
        REQUIRE(device);
        Box<Label> label = REQUIRE_VALUE(make_label());
        REQUIRE_OK(write_labels(device.get(), *label, true));
        for (u32 i = 0; i < k_label_count; i++)
            if (i != survivor)
                damage_label(device.get(), i, offset);
        Box<Label> found = REQUIRE_VALUE(read_label(device.get()));
        CHECK(compare_bytes(found.get(), label.get(), sizeof(Label)) == 0);
        damage_label(device.get(), survivor, offset);
        CHECK_ERROR(read_label(device.get()), label_damaged);
    }
}

static void interrupted_rewrite(Test& test)
{
    for (u32 written = 0; written <= 8; written++) {
        TestDevice device(k_device_bytes);
        REQUIRE(device);
        Box<Label> label = REQUIRE_VALUE(make_label());
        REQUIRE_OK(write_labels(device.get(), *label, true));
        label->header.label_generation.set(2);
        seal_label(*label);
        lcpfs_test_device_fail(device.get(), HOST_IO_WRITE, written, 1000000);
        const bool complete = write_labels(device.get(), *label, false).is_ok();
        lcpfs_test_device_fail(device.get(), HOST_IO_WRITE, 0, 0);
        Box<Label> found = REQUIRE_VALUE(read_label(device.get()));
        CHECK_EQ(found->header.label_generation.get(), written ? 2 : 1);
        CHECK_EQ(complete, written >= k_label_count);
    }
}

// A device that was shrunk, given to another pool and enlarged again: at its end there are labels of the former pool, whatever their
// generation, and what they say of features.
static void former_pool(Test& test)
{
    for (u32 unknown = 0; unknown < 2; unknown++) {
        TestDevice device(k_device_bytes);
        REQUIRE(device);
        Box<Label> former = REQUIRE_VALUE(make_label());
        former->header.label_generation.set(2);
        seal_label(*former);
        REQUIRE_OK(write_labels(device.get(), *former, true));
        former->header.label_generation.set(3);
        former->header.incompat.set(former->header.incompat.get() | u64(unknown) << 40);
        seal_label(*former);
        lcpfs_test_device_poke(device.get(), label_offset(3, k_device_bytes / k_block_size) + k_label_header_offset, &former->header,
                               sizeof(former->header));
        Box<Label> label = REQUIRE_VALUE(make_label());
        label->header.pool_guid.bytes[0] = 9;
        REQUIRE_OK(choose_geometry(16ull << 20, 0, label->vdevs.entries[0]));
        seal_label(*label);
        REQUIRE_OK(write_labels(device.get(), *label, true));
        u64 in_all = 0;
        Box<Label> found = REQUIRE_VALUE(read_label(device.get(), &in_all));
        CHECK(compare_bytes(found.get(), label.get(), sizeof(Label)) == 0);
        CHECK_EQ(in_all, label->header.incompat.get());
        // One with a feature that is not known is as good for it.
        label->header.incompat.set(label->header.incompat.get() | 1ull << 41);
        seal_label(*label);
        for (u32 i = 0; i < 2; i++)
            lcpfs_test_device_poke(device.get(), label_offset(i, k_device_bytes / k_block_size) + k_label_header_offset, &label->header,
                                   sizeof(label->header));
        CHECK_ERROR(read_label(device.get()), feature_unknown);
    }
}

// What some labels alone say: they were all to.
static void features(Test& test)
{
    TestDevice device(k_device_bytes);
    REQUIRE(device);
    Box<Label> label = REQUIRE_VALUE(make_label());
    label->header.incompat.set(k_incompat_compression);
    seal_label(*label);
    REQUIRE_OK(write_labels(device.get(), *label, true));
    u64 in_all = 0;
    REQUIRE_OK(read_label(device.get(), &in_all));
    CHECK_EQ(in_all, k_incompat_compression);
    label->header.label_generation.set(2);
    label->header.incompat.set(k_incompat_compression | k_incompat_log_sums);
    seal_label(*label);
    lcpfs_test_device_fail(device.get(), HOST_IO_WRITE, 3, 1000000);
    CHECK(write_labels(device.get(), *label, false).is_error());
    lcpfs_test_device_fail(device.get(), HOST_IO_WRITE, 0, 0);
    CHECK_EQ(REQUIRE_VALUE(read_label(device.get(), &in_all))->header.incompat.get(), k_incompat_compression | k_incompat_log_sums);
    CHECK_EQ(in_all, k_incompat_compression);
    // A version that does not know the new one does not go by the labels that were not reached.
    label->header.label_generation.set(3);
    label->header.incompat.set(k_incompat_compression | 1ull << 40);
    seal_label(*label);
    const u64 at = label_offset(0, k_device_bytes / k_block_size) + k_label_header_offset;
    lcpfs_test_device_poke(device.get(), at, &label->header, sizeof(label->header));
    CHECK_ERROR(read_label(device.get(), &in_all), feature_unknown);
}

static void geometry(Test& test)
{
    DiskVdevEntry entry {};
    CHECK_ERROR(choose_geometry((16ull << 20) - 1, 0, entry), device_too_small);
    for (u64 bytes = 16ull << 20; bytes < 1ull << 60; bytes = bytes * 3 + 512) {
        REQUIRE_OK(choose_geometry(bytes, 0, entry));
        const u64 used = u64(entry.metaslab_blocks.get()) * entry.metaslab_count.get();
        REQUIRE(used + k_label_count * k_label_blocks <= bytes / k_block_size);
        if (bytes > 1ull << 33)
            CHECK(entry.metaslab_count.get() >= 256 && used > bytes / k_block_size / 100 * 98);
    }
    CHECK_OK(choose_geometry(1ull << 40, 1ull << 30, entry));
    CHECK_EQ(entry.metaslab_count.get(), 1023);
    CHECK_ERROR(choose_geometry(16ull << 20, 1ull << 30, entry), device_too_small);
}

// A well-sealed label that says something wrong.
struct Lie {
    const char* name;
    void (*tell)(Label& label);
    Error expected;
};
// Device 1 as a log device, but for the flag.
static void make_log(Label& label)
{
    DiskVdevEntry& entry = label.vdevs.entries[1];
    entry.role = static_cast<u8>(VdevRole::log);
    entry.metaslab_blocks.set(0);
    entry.metaslab_count.set(0);
}

constexpr Lie k_lies[] = {
    { "version", [](Label& l) { l.header.version.set(9); }, Error::label_version },
    { "feature", [](Label& l) { l.header.incompat.set(1ull << 40); }, Error::feature_unknown },
    { "name_empty", [](Label& l) { l.header.name[0] = 0; }, Error::label_damaged },
    { "name_endless", [](Label& l) { __builtin_memset(l.header.name, 'x', k_pool_name_bytes); }, Error::label_damaged },
    { "name_control", [](Label& l) { l.header.name[1] = 27; }, Error::label_damaged },
    { "no_vdevs", [](Label& l) { l.header.vdev_count.set(0); }, Error::label_damaged },
    { "many_vdevs", [](Label& l) { l.header.vdev_count.set(65); }, Error::label_damaged },
    { "index", [](Label& l) { l.header.vdev_index.set(2); }, Error::label_damaged },
    { "block_shift", [](Label& l) { l.header.block_shift = 13; }, Error::label_damaged },
    { "node_shift", [](Label& l) { l.header.node_shift = 17; }, Error::label_damaged },
    { "copies", [](Label& l) { l.header.metadata_copies = 4; }, Error::label_damaged },
    { "checksum_kind", [](Label& l) { l.header.node_checksum = 0; }, Error::label_damaged },
    { "foreign_guid", [](Label& l) { l.header.vdev_guid.bytes[0] = 99; }, Error::label_damaged },
    { "same_guid_twice", [](Label& l) { l.vdevs.entries[1].guid = l.vdevs.entries[0].guid; }, Error::label_damaged },
    { "kind", [](Label& l) { l.vdevs.entries[1].kind = 6; }, Error::label_damaged },
    { "mirror", [](Label& l) { l.vdevs.entries[1].kind = 2; }, Error::feature_unknown },
    { "log_without_flag", make_log, Error::label_damaged },
    { "log_metaslabs",
      [](Label& l) {
          make_log(l);
          l.header.incompat.set(k_incompat_log_device);
          l.vdevs.entries[1].metaslab_count.set(1);
      },
      Error::label_damaged },
    { "log_small",
      [](Label& l) {
          make_log(l);
          l.header.incompat.set(k_incompat_log_device);
          l.vdevs.entries[1].capacity_blocks.set(k_min_log_device_bytes / k_block_size - 1);
      },
      Error::label_damaged },
    { "only_logs",
      [](Label& l) {
          make_log(l);
          l.header.incompat.set(k_incompat_log_device);
          l.header.vdev_count.set(2);
          l.vdevs.entries[0] = l.vdevs.entries[1];
          l.vdevs.entries[0].guid.bytes[0] ^= 1;
      },
      Error::label_damaged },
    { "role", [](Label& l) { l.vdevs.entries[0].role = 3; }, Error::label_damaged },
    { "parent", [](Label& l) { l.vdevs.entries[0].parent.set(0); }, Error::label_damaged },
    { "metaslab_odd", [](Label& l) { l.vdevs.entries[0].metaslab_blocks.set(1025); }, Error::label_damaged },
    { "metaslab_zero", [](Label& l) { l.vdevs.entries[0].metaslab_blocks.set(0); }, Error::label_damaged },
    { "metaslab_huge", [](Label& l) { l.vdevs.entries[0].metaslab_blocks.set(1u << 31); }, Error::label_damaged },
    { "metaslab_many", [](Label& l) { l.vdevs.entries[0].metaslab_count.set(~0u); }, Error::label_damaged },
    { "metaslab_none", [](Label& l) { l.vdevs.entries[0].metaslab_count.set(0); }, Error::label_damaged },
    { "capacity", [](Label& l) { l.vdevs.entries[0].capacity_blocks.set(~0ull); }, Error::label_damaged },
};
constexpr TestCase k_cases[] = {
    { "round_trip", round_trip },
    { "any_one_is_enough", any_one_is_enough },
    { "interrupted_rewrite", interrupted_rewrite },
    { "features", features }, { "former_pool", former_pool }, { "geometry", geometry },
};
LCPFS_SUITE(label, k_cases);

static void told(Test& test, const Lie& lie)
{
    Box<Label> label = REQUIRE_VALUE(make_label());
    REQUIRE_OK(verify_label(*label));
    lie.tell(*label);
    const u32 version = label->header.version.get();
    seal_label(*label);
    if (version != k_label_version)
        label->header.version.set(version);
    CHECK_EQ(verify_label(*label).error(), lie.expected);
}
LCPFS_TABLE_SUITE(label_lies, k_lies, told);

}
