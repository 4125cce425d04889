// SPDX-License-Identifier: GPL-2.0-only
// Labels, with and without their checksums put right, by themselves and on a device.
#include "core/vdev/label.h"
#include "userspace/fuzz/input.h"
#include "userspace/host/common/log.h"
#include "userspace/host/posix_bdev.h"

using namespace lcpfs;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    host_log_set_level(HOST_LOG_ERROR);
    FuzzInput input(data, size);
    bool seal = input.take<u8>() % 2;
    bool on_device = input.take<u8>() % 16 == 0;
    static Label label;
    memset(static_cast<void*>(&label), 0, sizeof(label));
    label.header = input.take<DiskLabelHeader>();
    for (DiskVdevEntry& entry : label.vdevs.entries) {
        if (!input.left())
            break;
        entry = input.take<DiskVdevEntry>();
    }
    if (seal)
        seal_label(label);
    bool good = verify_label(label).is_ok();
    if (good) {
        FUZZ_CHECK(label.header.vdev_count.get() <= k_max_vdevs && label.header.vdev_index.get() < label.header.vdev_count.get());
        FUZZ_CHECK(label.header.metadata_copies >= 1 && label.header.metadata_copies <= 3);
    }
    if (on_device) {
        constexpr u64 k_bytes = 16u << 20;
        host_bdev* bdev = memory_bdev_create(k_bytes);
        for (u32 i = 0; i < k_label_count; i++) {
            u8* at = memory_bdev_data(bdev) + label_offset(i, k_bytes / k_block_size);
            memcpy(at + k_label_header_offset, &label.header, sizeof(label.header));
            memcpy(at + k_label_vdevs_offset, &label.vdevs, sizeof(label.vdevs));
        }
        (void)read_label(bdev).is_ok();
        memory_bdev_destroy(bdev);
    }
    return 0;
}
